// What a Windows link becomes on a Linux disk: a symbolic link that never leads out of the mount.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::portable {

// The text for the reparse data of the entry `path` ("Files/dir/link"), or nothing if its tag is no
// link: a relative path where the target lies on the container's own drive, else the target's text
// with '/' and without anything that leads up or starts at the root (store §5).
Expected<std::optional<std::string>> LinkText(std::string_view path, Bytes reparse);

}  // namespace wclayer::portable
