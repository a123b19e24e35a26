// On Windows a file is known by its id, which comes with every Info; there is no overlay to ask.
#include "io/digest.h"
#include "portable/names.h"
#include "portable/overlay_origin.h"

namespace wclayer::portable {

// NTFS counts how often it has used an id again, and the count is part of the id.
Expected<std::string> HandleOf(const fs::Dir& folder, const std::string& name) {
  WCLAYER_ASSIGN(const fs::Info info, folder.Stat(name));
  Buffer handle;
  AppendLe(handle, info.device);
  AppendLe(handle, info.inode);
  return std::string(AsText(handle));
}

Expected<std::string> OriginHandleOf(const fs::Dir&, const std::string&) {
  return std::string();
}

Expected<std::optional<std::string>> OverlayAttribute(const fs::Dir&, const char*) {
  return std::optional<std::string>();
}

std::uint64_t MarkOfLayer(std::string_view id) {
  return io::Checksum(AsBytes(Fold(id)));
}

Status WriteMark(const fs::Dir&, const std::string&, const EntryMark&) {
  return {};
}

std::optional<EntryMark> ReadMark(const fs::Dir&, const std::string&) {
  return std::nullopt;
}

}  // namespace wclayer::portable
