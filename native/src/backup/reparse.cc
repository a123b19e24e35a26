#include "backup/reparse.h"

#include <limits>

#include "base/limits.h"

namespace wclayer::backup {
namespace {

constexpr std::size_t kReparseHeaderBytes = 8;  // tag, data length, reserved
constexpr std::size_t kNamesBytes = 8;          // two offsets and two lengths
constexpr std::size_t kVendorGuidBytes = 16;
constexpr std::uint32_t kRelative = 1;
constexpr std::uint32_t kMicrosoftTag = 0x80000000;

Error BadReparse(const std::string& what) {
  return Error(Errc::kBadArchive, "reparse data: " + what);
}

std::u16string TextAt(Bytes buffer, std::size_t offset, std::size_t length) {
  std::u16string text(length / sizeof(char16_t), u'\0');
  std::memcpy(text.data(), buffer.data() + offset, length);
  return text;
}

bool IsDrive(std::u16string_view target) {
  return target.size() >= 2 && target[1] == u':' &&
         ((target[0] >= u'a' && target[0] <= u'z') || (target[0] >= u'A' && target[0] <= u'Z'));
}

}  // namespace

std::uint32_t ReparseTag(Bytes buffer) {
  return buffer.size() < 4 ? 0 : LoadLe<std::uint32_t>(buffer.data());
}

Expected<ReparsePoint> ParseReparse(Bytes buffer) {
  if (buffer.size() < kReparseHeaderBytes) return BadReparse("shorter than its header");
  if (buffer.size() > kMaxReparseBytes)
    return LimitError("kMaxReparseBytes", kMaxReparseBytes, buffer.size());
  ReparsePoint point;
  point.tag = LoadLe<std::uint32_t>(buffer.data());
  const std::size_t length = LoadLe<std::uint16_t>(buffer.data() + 4);
  // Tags that are not Microsoft's have a GUID before the data.
  const bool microsoft = (point.tag & kMicrosoftTag) != 0;
  const std::size_t header =
      microsoft ? kReparseHeaderBytes : kReparseHeaderBytes + kVendorGuidBytes;
  if (buffer.size() < header || length > buffer.size() - header)
    return BadReparse("its length field says " + std::to_string(length) + " bytes, of " +
                      std::to_string(buffer.size()) + " with its header");
  const bool symlink = point.tag == kTagSymlink;
  if (!symlink && point.tag != kTagMountPoint) return point;
  const std::size_t fixed = kNamesBytes + (symlink ? 4u : 0u);
  if (length < fixed) return BadReparse("no room for the names");
  const std::byte* at = buffer.data() + kReparseHeaderBytes;
  const std::size_t substitute_offset = LoadLe<std::uint16_t>(at);
  const std::size_t substitute_length = LoadLe<std::uint16_t>(at + 2);
  const std::size_t print_offset = LoadLe<std::uint16_t>(at + 4);
  const std::size_t print_length = LoadLe<std::uint16_t>(at + 6);
  if (symlink) point.relative = (LoadLe<std::uint32_t>(at + 8) & kRelative) != 0;
  const Bytes names = buffer.subspan(kReparseHeaderBytes + fixed, length - fixed);
  if (substitute_offset + substitute_length > names.size() ||
      print_offset + print_length > names.size()) {
    return BadReparse("a name reaches beyond its " + std::to_string(names.size()) + " bytes");
  }
  if (substitute_length % 2 != 0 || print_length % 2 != 0)
    return BadReparse("a name of an odd number of bytes");
  point.substitute = TextAt(names, substitute_offset, substitute_length);
  point.target = TextAt(names, print_offset, print_length);
  return point;
}

Buffer BuildReparse(std::u16string_view target, bool mount_point) {
  // The substitute name is the NT form (spec layer-formats §b); what is no absolute form goes as it
  // is.
  std::u16string substitute(target);
  bool relative = false;
  if (target.starts_with(u"\\\\?\\")) {
    substitute = u"\\??\\" + std::u16string(target.substr(4));
  } else if (target.starts_with(u"\\\\")) {
    substitute = u"\\??\\UNC\\" + std::u16string(target.substr(2));
  } else if (IsDrive(target)) {
    substitute = u"\\??\\" + std::u16string(target);
  } else {
    relative = true;
  }
  const std::size_t substitute_bytes = substitute.size() * 2;
  const std::size_t print_bytes = target.size() * 2;
  const std::size_t names = substitute_bytes + 2 + print_bytes + 2;  // both end in a NUL
  const std::size_t data = kNamesBytes + (mount_point ? 0u : 4u) + names;
  Buffer out;
  if (data > std::numeric_limits<std::uint16_t>::max()) return out;
  out.reserve(kReparseHeaderBytes + data);
  AppendLe(out, mount_point ? kTagMountPoint : kTagSymlink);
  AppendLe(out, static_cast<std::uint16_t>(data));
  AppendLe(out, std::uint16_t{0});
  AppendLe(out, std::uint16_t{0});
  AppendLe(out, static_cast<std::uint16_t>(substitute_bytes));
  AppendLe(out, static_cast<std::uint16_t>(substitute_bytes + 2));
  AppendLe(out, static_cast<std::uint16_t>(print_bytes));
  if (!mount_point) AppendLe(out, relative ? kRelative : 0u);
  Append(out, std::as_bytes(std::span(substitute)));
  AppendLe(out, char16_t{0});
  Append(out, std::as_bytes(std::span(target)));
  AppendLe(out, char16_t{0});
  return out;
}

}  // namespace wclayer::backup
