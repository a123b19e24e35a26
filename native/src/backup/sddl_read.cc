// Text (the Security Descriptor Definition Language) to security descriptors.
#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <span>

#include "backup/acl.h"
#include "backup/sddl_words.h"
#include "backup/security.h"
#include "base/limits.h"

namespace wclayer::backup {
namespace {

constexpr std::size_t kShownBytes = 40;  // of a text in an error

Error BadSddl(const std::string& what) {
  return Error(Errc::kBadArchive, "SDDL: " + what);
}

std::string Quoted(std::string_view text) {
  return "'" + std::string(text.substr(0, kShownBytes)) + "'";
}

bool Take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

// A number at the start of `text`, which moves behind it.
template <class T>
bool TakeNumber(std::string_view& text, int base, std::size_t most_digits, T& number) {
  const std::size_t size = std::min(text.size(), most_digits);
  const auto [stop, code] = std::from_chars(text.data(), text.data() + size, number, base);
  if (code != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return true;
}

Expected<Buffer> HexBytes(std::string_view digits) {
  if (digits.size() % 2 != 0) return BadSddl("an odd number of hex digits");
  Buffer raw;
  raw.reserve(digits.size() / 2);
  while (!digits.empty()) {
    std::string_view pair = digits.substr(0, 2);
    std::uint8_t byte = 0;
    if (!TakeNumber(pair, 16, 2, byte) || !pair.empty())
      return BadSddl(Quoted(digits.substr(0, 2)) + " is not hex");
    raw.push_back(static_cast<std::byte>(byte));
    digits.remove_prefix(2);
  }
  return raw;
}

// "S-1-5-32-544" at the start of `text`, which moves behind it. Decimal numbers end by themselves
// where the letter of the next part follows ("S-1-5-18D:"), as the 12 digits of a hex authority do.
Expected<Buffer> TakeSpelledSid(std::string_view& text) {
  const std::string_view whole = text;
  const auto bad = [&](const char* why) { return BadSddl(Quoted(whole) + " is no SID: " + why); };
  if (!Take(text, "S-1-")) return bad("revision 1 expected");
  std::uint64_t authority = 0;
  const bool hex = Take(text, "0x") || Take(text, "0X");
  if (!(hex ? TakeNumber(text, 16, 12, authority) : TakeNumber(text, 10, text.size(), authority)) ||
      authority >> 48 != 0) {
    return bad("an authority of 48 bits expected");
  }
  Buffer sid = {std::byte{1}, std::byte{0}};
  for (int shift = 40; shift >= 0; shift -= 8)
    sid.push_back(static_cast<std::byte>(authority >> shift));
  std::size_t count = 0;
  while (Take(text, "-")) {
    std::uint32_t part = 0;
    if (!TakeNumber(text, 10, text.size(), part)) return bad("a part of 32 bits expected");
    if (++count > kMaxSubAuthorities) return bad("more than 15 parts");
    AppendLe(sid, part);
  }
  sid[1] = static_cast<std::byte>(count);
  return sid;
}

Expected<Buffer> TakeSid(std::string_view& text) {
  if (text.starts_with("S-")) return TakeSpelledSid(text);
  for (const sddl::KnownSid& known : sddl::kSids) {
    if (!Take(text, known.letters)) continue;
    std::string_view sid = known.sid;
    return TakeSpelledSid(sid);
  }
  return BadSddl(Quoted(text.substr(0, 2)) +
                 " is no absolute SID (domain-relative letters depend on the machine)");
}

Expected<std::uint32_t> Bits(std::string_view text, std::span<const sddl::Word> words,
                             const char* what) {
  std::uint32_t bits = 0;
  while (!text.empty()) {
    const auto word = std::find_if(words.begin(), words.end(),
                                   [&](const sddl::Word& w) { return Take(text, w.letters); });
    if (word == words.end()) return BadSddl(std::string("unknown ") + what + " " + Quoted(text));
    bits |= word->value;
  }
  return bits;
}

Expected<std::uint32_t> Rights(std::uint8_t type, std::string_view text) {
  const std::string_view whole = text;
  const bool hex = Take(text, "0x") || Take(text, "0X");
  if (hex || (!text.empty() && text[0] >= '0' && text[0] <= '9')) {
    std::uint32_t mask = 0;
    if (!TakeNumber(text, hex ? 16 : 10, text.size(), mask) || !text.empty())
      return BadSddl(Quoted(whole) + " are no rights of 32 bits");
    return mask;
  }
  if (type == sddl::kMandatoryLabel) return Bits(text, sddl::kLabelRights, "rights");
  static constexpr auto kAll = [] {
    std::array<sddl::Word, std::size(sddl::kWholeRights) + std::size(sddl::kBitRights)> all{};
    std::copy(std::begin(sddl::kBitRights), std::end(sddl::kBitRights),
              std::copy(std::begin(sddl::kWholeRights), std::end(sddl::kWholeRights), all.begin()));
    return all;
  }();
  return Bits(text, kAll, "rights");
}

Expected<Buffer> Guid(std::string_view text) {
  const std::string_view whole = text;
  std::string digits;
  for (const std::size_t group : {8u, 4u, 4u, 4u, 12u}) {
    if (!digits.empty() && !Take(text, "-")) return BadSddl(Quoted(whole) + " is no GUID");
    digits += text.substr(0, group);
    text.remove_prefix(std::min(group, text.size()));
  }
  if (digits.size() != 32 || !text.empty()) return BadSddl(Quoted(whole) + " is no GUID");
  WCLAYER_ASSIGN(Buffer raw, HexBytes(digits));
  std::reverse(raw.begin(), raw.begin() + 4);
  std::reverse(raw.begin() + 4, raw.begin() + 6);
  std::reverse(raw.begin() + 6, raw.begin() + 8);
  return raw;
}

Expected<Buffer> RawEntry(std::string_view digits) {
  WCLAYER_ASSIGN(Buffer raw, HexBytes(digits));
  WCLAYER_ASSIGN(const Ace ace, ParseAce(raw));
  if (ace.whole.size() != raw.size()) return BadSddl("a raw entry is longer than its size says");
  return raw;
}

struct Fields {
  std::string_view type, flags, rights, object_type, inherited_object_type, sid;
};

Expected<Fields> SplitFields(std::string_view entry) {
  std::string_view fields[6];
  std::size_t count = 0;
  for (std::string_view rest = entry;; ++count) {
    const std::size_t end = rest.find(';');
    if (count < std::size(fields)) fields[count] = rest.substr(0, end);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (++count != std::size(fields))
    return BadSddl("an entry of " + std::to_string(count) + " fields, not 6: " + Quoted(entry));
  return Fields{fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]};
}

Expected<Buffer> Entry(std::string_view entry) {
  if (Take(entry, sddl::kRawEntry)) return RawEntry(entry);
  WCLAYER_ASSIGN(Fields fields, SplitFields(entry));
  const auto word = std::find_if(std::begin(sddl::kTypes), std::end(sddl::kTypes),
                                 [&](const sddl::Word& w) { return w.letters == fields.type; });
  if (word == std::end(sddl::kTypes))
    return BadSddl("entries of type " + Quoted(fields.type) + " are not known");
  const auto type = static_cast<std::uint8_t>(word->value);
  WCLAYER_ASSIGN(const std::uint32_t flags, Bits(fields.flags, sddl::kFlags, "flags"));
  WCLAYER_ASSIGN(const std::uint32_t mask, Rights(type, fields.rights));
  WCLAYER_ASSIGN(const Buffer sid, TakeSid(fields.sid));
  if (!fields.sid.empty()) return BadSddl("something follows the SID in " + Quoted(entry));

  Buffer body;
  AppendLe(body, mask);
  if (IsObjectAce(type)) {
    AppendLe(body, (fields.object_type.empty() ? 0u : kObjectTypePresent) |
                       (fields.inherited_object_type.empty() ? 0u : kInheritedObjectTypePresent));
    for (const std::string_view text : {fields.object_type, fields.inherited_object_type}) {
      if (text.empty()) continue;
      WCLAYER_ASSIGN(const Buffer guid, Guid(text));
      Append(body, guid);
    }
  } else if (!fields.object_type.empty() || !fields.inherited_object_type.empty()) {
    return BadSddl("object types in an entry that takes none: " + Quoted(entry));
  }
  Append(body, sid);
  Buffer ace = {static_cast<std::byte>(type), static_cast<std::byte>(flags)};
  AppendLe(ace, static_cast<std::uint16_t>(4 + body.size()));
  Append(ace, body);
  return ace;
}

// The entries at the start of `text`, which moves behind them, as an ACL.
Expected<Buffer> TakeAcl(std::string_view& text) {
  constexpr std::uint8_t kRevision = 2;
  constexpr std::uint8_t kObjectRevision = 4;
  Buffer acl(kAclHeaderBytes);
  std::uint8_t revision = kRevision;
  std::uint16_t count = 0;  // cannot overflow: kMaxAclBytes ends it before
  while (text.starts_with('(')) {
    const std::size_t end = text.find(')');
    if (end == std::string_view::npos) return BadSddl("an entry without its ')': " + Quoted(text));
    auto ace = Entry(text.substr(1, end - 1));
    if (!ace) {
      Error error = std::move(ace).error();
      error.message += " (entry " + std::to_string(count) + " of its list)";
      return error;
    }
    text.remove_prefix(end + 1);
    if (IsObjectAce(static_cast<std::uint8_t>((*ace)[0]))) revision = kObjectRevision;
    Append(acl, *ace);
    ++count;
    if (acl.size() > kMaxAclBytes) return LimitError("kMaxAclBytes", kMaxAclBytes, acl.size());
  }
  acl[0] = static_cast<std::byte>(revision);
  StoreLe(acl.data() + 2, static_cast<std::uint16_t>(acl.size()));
  StoreLe(acl.data() + 4, count);
  return acl;
}

struct Parts {
  std::uint16_t control = kSelfRelative;
  Buffer owner, group, sacl, dacl;
};

struct ListBits {
  std::uint16_t present, is_protected, requested, inherited;
};

Status TakeList(std::string_view& text, ListBits bits, std::uint16_t& control, Buffer& acl) {
  const auto set = [&](std::uint16_t bit) { control = static_cast<std::uint16_t>(control | bit); };
  set(bits.present);
  for (;;) {
    if (Take(text, "P")) {
      set(bits.is_protected);
    } else if (Take(text, "AR")) {
      set(bits.requested);
    } else if (Take(text, "AI")) {
      set(bits.inherited);
    } else {
      break;
    }
  }
  if (Take(text, sddl::kNullAcl)) return {};
  WCLAYER_ASSIGN(acl, TakeAcl(text));
  return {};
}

Expected<Parts> ReadParts(std::string_view text) {
  static constexpr std::string_view kLetters = "OGDS";
  Parts parts;
  bool seen[4] = {};
  const std::size_t size = text.size();
  while (!text.empty()) {
    const std::size_t part = kLetters.find(text[0]);
    if (part == std::string_view::npos || !text.substr(1).starts_with(':')) {
      return BadSddl("O:, G:, D: or S: expected at byte " + std::to_string(size - text.size()) +
                     ": " + Quoted(text));
    }
    if (seen[part]) return BadSddl(Quoted(text.substr(0, 2)) + " twice");
    seen[part] = true;
    text.remove_prefix(2);
    if (part == 0) {
      WCLAYER_ASSIGN(parts.owner, TakeSid(text));
    } else if (part == 1) {
      WCLAYER_ASSIGN(parts.group, TakeSid(text));
    } else if (part == 2) {
      WCLAYER_TRY(TakeList(
          text, {kDaclPresent, kDaclProtected, kDaclAutoInheritRequested, kDaclAutoInherited},
          parts.control, parts.dacl));
    } else {
      WCLAYER_TRY(TakeList(
          text, {kSaclPresent, kSaclProtected, kSaclAutoInheritRequested, kSaclAutoInherited},
          parts.control, parts.sacl));
    }
  }
  return parts;
}

Buffer Assemble(const Parts& parts) {
  // The order of Windows' own conversion: owner, group, SACL, DACL.
  Buffer out(20);
  out[0] = std::byte{1};
  StoreLe(out.data() + 2, parts.control);
  const auto place = [&](std::size_t at, const Buffer& part) {
    if (part.empty()) return;
    StoreLe(out.data() + at, static_cast<std::uint32_t>(out.size()));
    Append(out, part);
  };
  place(4, parts.owner);
  place(8, parts.group);
  place(12, parts.sacl);
  place(16, parts.dacl);
  return out;
}

}  // namespace

Expected<Buffer> FromSddl(std::string_view sddl) {
  if (sddl.size() > kMaxSddlBytes) return LimitError("kMaxSddlBytes", kMaxSddlBytes, sddl.size());
  WCLAYER_ASSIGN(const Parts parts, ReadParts(sddl));
  Buffer descriptor = Assemble(parts);
  if (descriptor.size() > kMaxSecurityDescriptorBytes) {
    return LimitError("kMaxSecurityDescriptorBytes", kMaxSecurityDescriptorBytes,
                      descriptor.size());
  }
  return descriptor;
}

}  // namespace wclayer::backup
