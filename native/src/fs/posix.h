// Shared by the Linux files of this module.
#pragma once

#include <functional>

#include "fs/dir.h"

namespace wclayer::fs {

// openat2 with O_CLOEXEC; `path` is checked already. "" means the folder itself.
Expected<UniqueFd> OpenAt(int dir, std::string_view path, std::uint64_t flags, std::uint32_t mode,
                          std::uint64_t resolve);
// Relative, no empty, "." or ".." components, no NUL (kUnsafePath).
Status CheckPath(std::string_view path);
// Every entry of an open folder but . and .., with its d_type.
Status ReadEntries(int dir, const std::function<Status(const char*, unsigned char)>& visit);

}  // namespace wclayer::fs
