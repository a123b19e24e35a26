// Shared by the Linux files of this module.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>

#include <functional>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "fs/dir.h"

namespace wclayer::fs {

// How every name below a folder is resolved (store §8).
inline constexpr std::uint64_t kBeneath =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

// openat2 with O_CLOEXEC, and the same by hand where there is none; `path` is checked already. ""
// means the folder itself.
Expected<UniqueFd> OpenAt(int dir, std::string_view path, std::uint64_t flags, std::uint32_t mode,
                          std::uint64_t resolve);
// Relative, no empty, "." or ".." components, no NUL (kUnsafePath).
Status CheckPath(std::string_view path);

// The parent folder of a path and its last component. A path of one component costs no system
// call: its parent is the folder that it starts from.
struct Split {
  UniqueFd parent;  // owns `fd` when that had to be opened
  int fd = -1;
  std::string name;
};
Expected<Split> SplitPath(int dir, std::string_view path, std::uint64_t parent_flags = O_PATH);

// fchmodat that never follows a link; as a system call: -1 and errno.
int ChmodNoFollow(int dir, const char* name, std::uint32_t mode);

// Every entry of an open folder but . and .., with its d_type.
Status ReadEntries(int dir, const std::function<Status(const char*, unsigned char)>& visit);

// The pid of who holds the flock of a file, from the text of /proc/locks; "" if that does not tell.
// Pids are those of the reader's namespace.
std::string HolderIn(std::istream& locks, unsigned major, unsigned minor, std::uint64_t inode);

// The option text of mount(2) for an overlay of these lowers, upper "u" and work "w"; kUnsupported
// when it is more than mount(2) takes.
Expected<std::string> OverlayOptions(const std::vector<std::string>& lowers, bool writable);

}  // namespace wclayer::fs
