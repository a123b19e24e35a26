// What a file of a layer is known by after it was copied up, renamed or linked elsewhere: its file
// handle, and for files of several names, whose copies overlayfs gives no handle, a mark that an
// import put on them (spec mounting §3, §4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/expected.h"
#include "fs/dir.h"

namespace wclayer::portable {

// Type and bytes of a file handle as one text; "": the file system has none.
Expected<std::string> HandleOf(const fs::Dir& folder, const std::string& name);
// The handle that overlayfs recorded on a file it copied up; "": none.
Expected<std::string> OriginHandleOf(const fs::Dir& folder, const std::string& name);

// A value of trusted.overlay.<name> of an open folder; nothing: it is not set.
Expected<std::optional<std::string>> OverlayAttribute(const fs::Dir& folder, const char* name);

struct EntryMark {
  std::uint32_t ordinal = 0;
  std::uint64_t layer = 0;  // MarkOfLayer
};
std::uint64_t MarkOfLayer(std::string_view id);
// Where the file system or the file's mode refuses the attribute there is no mark.
Status WriteMark(const fs::Dir& folder, const std::string& name, const EntryMark& mark);
std::optional<EntryMark> ReadMark(const fs::Dir& folder, const std::string& name);

}  // namespace wclayer::portable
