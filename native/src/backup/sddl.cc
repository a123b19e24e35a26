// Security descriptors as text (the Security Descriptor Definition Language).
//
// Every descriptor that CheckSecurityDescriptor accepts has a text, and the text gives an
// equivalent descriptor back. What SDDL has no words for (conditional entries, unknown types) is
// written as (X:<hex of the whole entry>), a form of ours.
#include <algorithm>
#include <charconv>

#include "backup/acl.h"
#include "backup/security.h"
#include "base/limits.h"

namespace wclayer::backup {
namespace {

struct Letter {
  std::string_view letters;
  std::uint32_t value;
};

struct KnownSid {
  std::string_view letters;
  std::string_view sid;
};

// Absolute SIDs only: domain-relative letters (DA, DU…) mean another SID on every machine.
constexpr KnownSid kSids[] = {
    {"WD", "S-1-1-0"},      {"CO", "S-1-3-0"},      {"CG", "S-1-3-1"},      {"OW", "S-1-3-4"},
    {"NU", "S-1-5-2"},      {"IU", "S-1-5-4"},      {"SU", "S-1-5-6"},      {"AN", "S-1-5-7"},
    {"ED", "S-1-5-9"},      {"PS", "S-1-5-10"},     {"AU", "S-1-5-11"},     {"RC", "S-1-5-12"},
    {"SY", "S-1-5-18"},     {"LS", "S-1-5-19"},     {"NS", "S-1-5-20"},     {"BA", "S-1-5-32-544"},
    {"BU", "S-1-5-32-545"}, {"BG", "S-1-5-32-546"}, {"PU", "S-1-5-32-547"}, {"AO", "S-1-5-32-548"},
    {"SO", "S-1-5-32-549"}, {"PO", "S-1-5-32-550"}, {"BO", "S-1-5-32-551"}, {"RE", "S-1-5-32-552"},
    {"RU", "S-1-5-32-554"}, {"RD", "S-1-5-32-555"}, {"NO", "S-1-5-32-556"}, {"MU", "S-1-5-32-558"},
    {"LU", "S-1-5-32-559"}, {"IS", "S-1-5-32-568"}, {"CY", "S-1-5-32-569"}, {"ER", "S-1-5-32-573"},
    {"CD", "S-1-5-32-574"}, {"RA", "S-1-5-32-575"}, {"ES", "S-1-5-32-576"}, {"MS", "S-1-5-32-577"},
    {"HA", "S-1-5-32-578"}, {"AA", "S-1-5-32-579"}, {"RM", "S-1-5-32-580"}, {"WR", "S-1-5-33"},
    {"AC", "S-1-15-2-1"},   {"LW", "S-1-16-4096"},  {"ME", "S-1-16-8192"},  {"MP", "S-1-16-8448"},
    {"HI", "S-1-16-12288"}, {"SI", "S-1-16-16384"},
};

constexpr Letter kTypes[] = {{"A", 0},  {"D", 1},  {"AU", 2}, {"AL", 3},  {"OA", 5},
                             {"OD", 6}, {"OU", 7}, {"OL", 8}, {"ML", 17}, {"SP", 19}};
constexpr Letter kFlags[] = {{"OI", 1},  {"CI", 2},  {"NP", 4},  {"IO", 8},
                             {"ID", 16}, {"CR", 32}, {"SA", 64}, {"FA", 128}};

// A whole mask by one name.
constexpr Letter kWholeRights[] = {{"FA", 0x1F01FF},   {"FR", 0x120089},   {"FW", 0x120116},
                                   {"FX", 0x1200A0},   {"GA", 0x10000000}, {"GX", 0x20000000},
                                   {"GW", 0x40000000}, {"GR", 0x80000000}, {"KA", 0xF003F},
                                   {"KR", 0x20019},    {"KW", 0x20006}};
// Single bits, which are written one after another. Windows takes these names for any object.
constexpr Letter kBitRights[] = {
    {"CC", 1},          {"DC", 2},         {"LC", 4},       {"SW", 8},          {"RP", 16},
    {"WP", 32},         {"DT", 64},        {"LO", 128},     {"CR", 256},        {"SD", 0x10000},
    {"RC", 0x20000},    {"WD", 0x40000},   {"WO", 0x80000}, {"GX", 0x20000000}, {"GW", 0x40000000},
    {"GR", 0x80000000}, {"GA", 0x10000000}};
// Of a mandatory label the bits mean something else.
constexpr Letter kLabelRights[] = {{"NW", 1}, {"NR", 2}, {"NX", 4}};
constexpr std::uint8_t kMandatoryLabel = 17;

std::string Hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[static_cast<unsigned>(byte) >> 4];
    text += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return text;
}

std::string HexNumber(std::uint64_t value) {
  char digits[20];
  const auto [end, code] = std::to_chars(digits, digits + sizeof digits, value, 16);
  (void)code;
  return "0x" + std::string(digits, end);
}

// ---- To text
// ----------------------------------------------------------------------------------------

std::string SidText(Bytes sid) {
  std::uint64_t authority = 0;
  for (std::size_t i = 2; i < 8; ++i)
    authority = authority << 8 | static_cast<std::uint64_t>(sid[i]);
  std::string text =
      "S-1-" + (authority >> 32 == 0 ? std::to_string(authority) : HexNumber(authority));
  for (std::size_t at = 8; at < sid.size(); at += 4)
    text += "-" + std::to_string(LoadLe<std::uint32_t>(sid.data() + at));
  for (const KnownSid& known : kSids) {
    if (known.sid == text) return std::string(known.letters);
  }
  return text;
}

std::string GuidText(Bytes guid) {
  if (guid.empty()) return {};
  const auto number = [&](std::size_t from, std::size_t count) {
    Buffer reversed(guid.begin() + static_cast<std::ptrdiff_t>(from),
                    guid.begin() + static_cast<std::ptrdiff_t>(from + count));
    std::reverse(reversed.begin(), reversed.end());
    return Hex(reversed);
  };
  return number(0, 4) + "-" + number(4, 2) + "-" + number(6, 2) + "-" + Hex(guid.subspan(8, 2)) +
         "-" + Hex(guid.subspan(10, 6));
}

std::string RightsText(std::uint8_t type, std::uint32_t mask) {
  if (type == kMandatoryLabel) {
    std::string text;
    std::uint32_t left = mask;
    for (const Letter& right : kLabelRights) {
      if ((left & right.value) == 0) continue;
      text += right.letters;
      left &= ~right.value;
    }
    return left == 0 && !text.empty() ? text : HexNumber(mask);
  }
  for (const Letter& right : kWholeRights) {
    if (right.value == mask) return std::string(right.letters);
  }
  // Several bits of a file's own meaning read worse as directory-service letters: only single ones
  // have names.
  std::string text;
  std::uint32_t left = mask;
  for (const Letter& right : kBitRights) {
    if ((left & right.value) == 0) continue;
    text += right.letters;
    left &= ~right.value;
  }
  const bool simple =
      left == 0 && (text.size() == 2 || (mask & 0x1FF) == 0 || (mask & 0x1F0000) == 0);
  return simple ? text : HexNumber(mask);
}

std::string AceText(const Ace& ace, Bytes whole) {
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const Letter& t) { return t.value == ace.type; });
  const bool padded = std::all_of(ace.application_data.begin(), ace.application_data.end(),
                                  [](std::byte byte) { return byte == std::byte{0}; });
  if (type == std::end(kTypes) || !padded || !ace.application_data.empty())
    return "(X:" + Hex(whole) + ")";
  std::string text = "(" + std::string(type->letters) + ";";
  for (const Letter& flag : kFlags) {
    if ((ace.flags & flag.value) != 0) text += flag.letters;
  }
  text += ";" + RightsText(ace.type, ace.mask) + ";" + GuidText(ace.object_type) + ";" +
          GuidText(ace.inherited_object_type) + ";" + SidText(ace.sid) + ")";
  return text;
}

std::string AclText(const std::optional<Acl>& acl, Bytes buffer, std::uint16_t control,
                    bool present, bool dacl) {
  std::string text;
  if ((control & (dacl ? kDaclProtected : kSaclProtected)) != 0) text += "P";
  if ((control & (dacl ? kDaclAutoInheritRequested : kSaclAutoInheritRequested)) != 0) text += "AR";
  if ((control & (dacl ? kDaclAutoInherited : kSaclAutoInherited)) != 0) text += "AI";
  if (present && !acl) text += "NO_ACCESS_CONTROL";
  if (!acl) return text;
  Bytes rest = buffer.subspan(8);
  for (const Ace& ace : acl->aces) {
    const std::size_t size = LoadLe<std::uint16_t>(rest.data() + 2);
    text += AceText(ace, rest.first(size));
    rest = rest.subspan(size);
  }
  return text;
}

// ---- From text
// --------------------------------------------------------------------------------------

Error Bad(const std::string& what) {
  return Error(Errc::kBadArchive, "SDDL: " + what);
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Expected<Buffer> Descriptor() {
    while (!text_.empty()) {
      if (text_.size() < 2 || text_[1] != ':')
        return Bad("O:, G:, D: or S: expected at '" + Ahead() + "'");
      const char part = text_[0];
      text_.remove_prefix(2);
      switch (part) {
        case 'O': {
          WCLAYER_ASSIGN(owner_, Sid());
          break;
        }
        case 'G': {
          WCLAYER_ASSIGN(group_, Sid());
          break;
        }
        case 'D':
          WCLAYER_TRY(Acl(dacl_, kDaclPresent, kDaclProtected, kDaclAutoInheritRequested,
                          kDaclAutoInherited));
          break;
        case 'S':
          WCLAYER_TRY(Acl(sacl_, kSaclPresent, kSaclProtected, kSaclAutoInheritRequested,
                          kSaclAutoInherited));
          break;
        default:
          return Bad("an unknown part '" + std::string(1, part) + ":'");
      }
    }
    return Assemble();
  }

 private:
  std::string Ahead() const { return std::string(text_.substr(0, 20)); }

  Buffer Assemble() const {
    // The order of Windows' own conversion: owner, group, SACL, DACL.
    Buffer out(20);
    out[0] = std::byte{1};
    StoreLe(out.data() + 2, static_cast<std::uint16_t>(control_ | kSelfRelative));
    const auto place = [&](std::size_t at, const Buffer& part) {
      if (part.empty()) return;
      StoreLe(out.data() + at, static_cast<std::uint32_t>(out.size()));
      Append(out, part);
    };
    place(4, owner_);
    place(8, group_);
    place(12, sacl_);
    place(16, dacl_);
    return out;
  }

  // "S-1-5-…" up to what cannot belong to it, or two letters.
  Expected<Buffer> Sid() {
    if (text_.starts_with("S-") || text_.starts_with("s-")) {
      const std::size_t end =
          std::min(text_.find_first_not_of("0123456789abcdefABCDEFxX-", 2), text_.size());
      std::string_view sid = text_.substr(0, end);
      // "S-1-5-18D:": the letter before a colon belongs to the next part.
      if (end < text_.size() && text_[end] == ':') sid.remove_suffix(1);
      text_.remove_prefix(sid.size());
      return SidOf(sid);
    }
    if (text_.size() < 2) return Bad("a SID expected");
    const std::string_view letters = text_.substr(0, 2);
    for (const KnownSid& known : kSids) {
      if (known.letters != letters) continue;
      text_.remove_prefix(2);
      return SidOf(known.sid);
    }
    return Bad("'" + std::string(letters) +
               "' is no absolute SID (domain-relative letters depend on the machine)");
  }

  static Expected<Buffer> SidOf(std::string_view text) {
    const std::string whole(text);
    std::vector<std::uint64_t> parts;
    text.remove_prefix(2);
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('-'), text.size());
      std::string_view part = text.substr(0, end);
      int base = 10;
      if (part.starts_with("0x") || part.starts_with("0X")) {
        part.remove_prefix(2);
        base = 16;
      }
      std::uint64_t value = 0;
      const auto [stop, code] =
          std::from_chars(part.data(), part.data() + part.size(), value, base);
      if (code != std::errc() || stop != part.data() + part.size())
        return Bad("'" + whole + "' is no SID");
      parts.push_back(value);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (parts.size() < 2 || parts.size() > 17 || parts[0] != 1 || parts[1] >> 48 != 0)
      return Bad("'" + whole + "' is no SID");
    Buffer sid = {std::byte{1}, static_cast<std::byte>(parts.size() - 2)};
    for (int shift = 40; shift >= 0; shift -= 8)
      sid.push_back(static_cast<std::byte>(parts[1] >> shift));
    for (std::size_t i = 2; i < parts.size(); ++i) {
      if (parts[i] >> 32 != 0) return Bad("'" + whole + "' has a part over 32 bits");
      AppendLe(sid, static_cast<std::uint32_t>(parts[i]));
    }
    return sid;
  }

  bool Take(std::string_view word) {
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  Status Acl(Buffer& acl, std::uint16_t present, std::uint16_t is_protected,
             std::uint16_t requested, std::uint16_t inherited) {
    control_ = static_cast<std::uint16_t>(control_ | present);
    for (bool more = true; more;) {
      more = false;
      if (Take("NO_ACCESS_CONTROL")) return {};
      for (const auto& [word, bit] : {std::pair<std::string_view, std::uint16_t>{"P", is_protected},
                                      {"AR", requested},
                                      {"AI", inherited}}) {
        if (!Take(word)) continue;
        control_ = static_cast<std::uint16_t>(control_ | bit);
        more = true;
      }
    }
    Buffer aces;
    std::uint16_t count = 0;
    std::uint8_t revision = 2;
    while (!text_.empty() && text_[0] == '(') {
      const std::size_t end = text_.find(')');
      if (end == std::string_view::npos) return Bad("an entry without its ')'");
      const std::string_view entry = text_.substr(1, end - 1);
      text_.remove_prefix(end + 1);
      WCLAYER_ASSIGN(const Buffer ace, AceOf(entry));
      if (IsObjectAce(static_cast<std::uint8_t>(ace[0]))) revision = 4;
      Append(aces, ace);
      if (++count == 0 || aces.size() > 65000) return LimitError("ACL bytes", 65000, aces.size());
    }
    acl.clear();
    acl.push_back(static_cast<std::byte>(revision));
    acl.push_back(std::byte{0});
    AppendLe(acl, static_cast<std::uint16_t>(8 + aces.size()));
    AppendLe(acl, count);
    AppendLe(acl, std::uint16_t{0});
    Append(acl, aces);
    return {};
  }

  static Expected<std::uint32_t> Letters(std::string_view text, std::span<const Letter> letters,
                                         const char* what) {
    std::uint32_t value = 0;
    while (!text.empty()) {
      const auto found = std::find_if(letters.begin(), letters.end(),
                                      [&](const Letter& l) { return text.starts_with(l.letters); });
      if (found == letters.end())
        return Bad(std::string("unknown ") + what + " '" + std::string(text) + "'");
      value |= found->value;
      text.remove_prefix(found->letters.size());
    }
    return value;
  }

  static Expected<std::uint32_t> Rights(std::uint8_t type, std::string_view text) {
    if (text.starts_with("0x") || text.starts_with("0X")) {
      std::uint32_t value = 0;
      const auto [stop, code] =
          std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
      if (code != std::errc() || stop != text.data() + text.size())
        return Bad("'" + std::string(text) + "' are no rights");
      return value;
    }
    if (type == kMandatoryLabel) return Letters(text, kLabelRights, "rights");
    std::vector<Letter> all(std::begin(kWholeRights), std::end(kWholeRights));
    all.insert(all.end(), std::begin(kBitRights), std::end(kBitRights));
    return Letters(text, all, "rights");
  }

  static Expected<Buffer> Guid(std::string_view text) {
    Buffer raw;
    std::string digits;
    for (const char c : text) {
      if (c != '-') digits += c;
    }
    if (text.size() != 36 || digits.size() != 32)
      return Bad("'" + std::string(text) + "' is no GUID");
    WCLAYER_ASSIGN(raw, HexBytes(digits));
    std::reverse(raw.begin(), raw.begin() + 4);
    std::reverse(raw.begin() + 4, raw.begin() + 6);
    std::reverse(raw.begin() + 6, raw.begin() + 8);
    return raw;
  }

  static Expected<Buffer> HexBytes(std::string_view digits) {
    Buffer raw;
    if (digits.size() % 2 != 0) return Bad("an odd number of hex digits");
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      std::uint8_t byte = 0;
      const auto [stop, code] = std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
      if (code != std::errc() || stop != digits.data() + i + 2)
        return Bad("'" + std::string(digits.substr(i, 2)) + "' is not hex");
      raw.push_back(static_cast<std::byte>(byte));
    }
    return raw;
  }

  static Expected<Buffer> AceOf(std::string_view entry) {
    if (entry.starts_with("X:")) {
      WCLAYER_ASSIGN(Buffer raw, HexBytes(entry.substr(2)));
      if (raw.size() < 4 || LoadLe<std::uint16_t>(raw.data() + 2) != raw.size())
        return Bad("a raw entry whose size is wrong");
      return raw;
    }
    std::vector<std::string_view> fields;
    for (std::string_view rest = entry;;) {
      const std::size_t end = rest.find(';');
      fields.push_back(rest.substr(0, end));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    if (fields.size() != 6)
      return Bad("an entry of " + std::to_string(fields.size()) + " fields, not 6: (" +
                 std::string(entry) + ")");
    const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                   [&](const Letter& t) { return t.letters == fields[0]; });
    if (type == std::end(kTypes))
      return Bad("an entry of unknown type '" + std::string(fields[0]) + "'");
    WCLAYER_ASSIGN(const std::uint32_t flags, Letters(fields[1], kFlags, "flags"));
    WCLAYER_ASSIGN(const std::uint32_t mask,
                   Rights(static_cast<std::uint8_t>(type->value), fields[2]));
    Reader sid_reader(fields[5]);
    WCLAYER_ASSIGN(const Buffer sid, sid_reader.Sid());
    if (!sid_reader.text_.empty())
      return Bad("something follows the SID in (" + std::string(entry) + ")");
    Buffer body;
    AppendLe(body, mask);
    if (IsObjectAce(static_cast<std::uint8_t>(type->value))) {
      std::uint32_t present = 0;
      if (!fields[3].empty()) present |= kObjectTypePresent;
      if (!fields[4].empty()) present |= kInheritedObjectTypePresent;
      AppendLe(body, present);
      for (const std::size_t field : {std::size_t{3}, std::size_t{4}}) {
        if (fields[field].empty()) continue;
        WCLAYER_ASSIGN(const Buffer guid, Guid(fields[field]));
        Append(body, guid);
      }
    } else if (!fields[3].empty() || !fields[4].empty()) {
      return Bad("object types in an entry that takes none: (" + std::string(entry) + ")");
    }
    Append(body, sid);
    Buffer ace = {static_cast<std::byte>(type->value), static_cast<std::byte>(flags)};
    AppendLe(ace, static_cast<std::uint16_t>(4 + body.size()));
    Append(ace, body);
    return ace;
  }

  std::string_view text_;
  std::uint16_t control_ = 0;
  Buffer owner_, group_, dacl_, sacl_;
};

}  // namespace

Expected<std::string> ToSddl(Bytes descriptor) {
  WCLAYER_ASSIGN(const Descriptor parsed, ParseDescriptor(descriptor));
  const auto part = [&](std::size_t at) {
    const std::size_t offset = LoadLe<std::uint32_t>(descriptor.data() + at);
    return offset == 0 ? Bytes() : descriptor.subspan(offset);
  };
  std::string text;
  if (!parsed.owner.empty()) text += "O:" + SidText(parsed.owner);
  if (!parsed.group.empty()) text += "G:" + SidText(parsed.group);
  const bool has_dacl = (parsed.control & kDaclPresent) != 0;
  const bool has_sacl = (parsed.control & kSaclPresent) != 0;
  if (has_dacl) text += "D:" + AclText(parsed.dacl, part(16), parsed.control, has_dacl, true);
  if (has_sacl) text += "S:" + AclText(parsed.sacl, part(12), parsed.control, has_sacl, false);
  return text;
}

Expected<Buffer> FromSddl(std::string_view sddl) {
  if (sddl.size() > kMaxSecurityDescriptorBytes) {
    return LimitError("kMaxSecurityDescriptorBytes", kMaxSecurityDescriptorBytes, sddl.size());
  }
  return Reader(sddl).Descriptor();
}

}  // namespace wclayer::backup
