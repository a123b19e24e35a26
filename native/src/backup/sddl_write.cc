// Security descriptors to text (the Security Descriptor Definition Language).
#include <algorithm>
#include <iterator>
#include <span>

#include "backup/acl.h"
#include "backup/sddl_words.h"
#include "backup/security.h"

namespace wclayer::backup {
namespace {

std::string HexNumber(std::uint64_t value, int digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) text += kDigits[value >> shift & 15];
  return text;
}

std::string Hex(Bytes bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) text += HexNumber(static_cast<std::uint8_t>(byte), 2);
  return text;
}

std::string MaskText(std::uint32_t mask) {
  std::string digits = HexNumber(mask, 8);
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return "0x" + digits;
}

std::string SidText(Bytes sid) {
  std::uint64_t authority = 0;
  for (std::size_t i = 2; i < 8; ++i)
    authority = authority << 8 | static_cast<std::uint64_t>(sid[i]);
  std::string text =
      "S-1-" + (authority >> 32 == 0 ? std::to_string(authority) : "0x" + HexNumber(authority, 12));
  for (std::size_t at = 8; at < sid.size(); at += 4)
    text += "-" + std::to_string(LoadLe<std::uint32_t>(sid.data() + at));
  for (const sddl::KnownSid& known : sddl::kSids) {
    if (known.sid == text) return std::string(known.letters);
  }
  return text;
}

std::string GuidText(Bytes guid) {
  if (guid.empty()) return {};
  const std::byte* at = guid.data();
  return HexNumber(LoadLe<std::uint32_t>(at), 8) + "-" +
         HexNumber(LoadLe<std::uint16_t>(at + 4), 4) + "-" +
         HexNumber(LoadLe<std::uint16_t>(at + 6), 4) + "-" + Hex(guid.subspan(8, 2)) + "-" +
         Hex(guid.subspan(10));
}

// Bits by their names, if each has one.
bool AppendBits(std::string& text, std::span<const sddl::Word> words, std::uint32_t bits) {
  for (const sddl::Word& word : words) {
    if ((bits & word.value) == 0) continue;
    text += word.letters;
    bits &= ~word.value;
  }
  return bits == 0;
}

std::string RightsText(std::uint8_t type, std::uint32_t mask) {
  std::string text;
  if (type == sddl::kMandatoryLabel)
    return AppendBits(text, sddl::kLabelRights, mask) ? text : MaskText(mask);
  for (const sddl::Word& right : sddl::kWholeRights) {
    if (right.value == mask) return std::string(right.letters);
  }
  return AppendBits(text, sddl::kBitRights, mask) ? text : MaskText(mask);
}

std::string AceText(const Ace& ace) {
  const auto type = std::find_if(std::begin(sddl::kTypes), std::end(sddl::kTypes),
                                 [&](const sddl::Word& word) { return word.value == ace.type; });
  constexpr std::uint32_t kKnownObjectFlags = kObjectTypePresent | kInheritedObjectTypePresent;
  if (type == std::end(sddl::kTypes) || !ace.application_data.empty() ||
      (ace.object_flags & ~kKnownObjectFlags) != 0) {
    return "(" + std::string(sddl::kRawEntry) + Hex(ace.whole) + ")";
  }
  std::string text = "(" + std::string(type->letters) + ";";
  AppendBits(text, sddl::kFlags, ace.flags);  // every bit has a name
  text += ";" + RightsText(ace.type, ace.mask) + ";" + GuidText(ace.object_type) + ";" +
          GuidText(ace.inherited_object_type) + ";" + SidText(ace.sid) + ")";
  return text;
}

struct ListFlags {
  std::uint16_t is_protected, requested, inherited;
};

std::string AclText(const std::optional<Acl>& acl, std::uint16_t control, ListFlags flags) {
  std::string text;
  if ((control & flags.is_protected) != 0) text += "P";
  if ((control & flags.requested) != 0) text += "AR";
  if ((control & flags.inherited) != 0) text += "AI";
  if (!acl) return text + std::string(sddl::kNullAcl);
  for (const Ace& ace : acl->aces) text += AceText(ace);
  return text;
}

}  // namespace

Expected<std::string> ToSddl(Bytes descriptor) {
  WCLAYER_ASSIGN(const Descriptor parsed, ParseDescriptor(descriptor));
  std::string text;
  if (!parsed.owner.empty()) text += "O:" + SidText(parsed.owner);
  if (!parsed.group.empty()) text += "G:" + SidText(parsed.group);
  if ((parsed.control & kDaclPresent) != 0) {
    text += "D:" + AclText(parsed.dacl, parsed.control,
                           {kDaclProtected, kDaclAutoInheritRequested, kDaclAutoInherited});
  }
  if ((parsed.control & kSaclPresent) != 0) {
    text += "S:" + AclText(parsed.sacl, parsed.control,
                           {kSaclProtected, kSaclAutoInheritRequested, kSaclAutoInherited});
  }
  return text;
}

}  // namespace wclayer::backup
