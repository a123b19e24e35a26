#include "backup/security.h"

#include <array>

#include "backup/acl.h"
#include "base/limits.h"

namespace wclayer::backup {
namespace {

constexpr std::size_t kDescriptorHeaderBytes = 20;
constexpr std::size_t kAceHeaderBytes = 4;  // type, flags, size
constexpr std::size_t kGuidBytes = 16;

Error BadDescriptor(const std::string& what) {
  return Error(Errc::kBadArchive, what);
}

// Says which part an error is about: "security descriptor: DACL: entry 3: …".
Error In(const std::string& part, Error error) {
  error.message = part + ": " + error.message;
  return error;
}

Expected<Bytes> SidAt(Bytes buffer) {
  if (buffer.size() < 8) return BadDescriptor("a SID shorter than its header");
  if (buffer[0] != std::byte{1}) return BadDescriptor("a SID of an unknown revision");
  const auto count = static_cast<std::size_t>(buffer[1]);
  if (count > kMaxSubAuthorities) return BadDescriptor("a SID of more than 15 parts");
  const std::size_t size = 8 + 4 * count;
  if (size > buffer.size()) return BadDescriptor("a SID reaches beyond the end");
  return buffer.first(size);
}

// Types whose layout is not header, mask, SID: unknown ones are checked for their size alone.
bool HasMaskAndSid(std::uint8_t type) {
  return type <= 3 || (type >= 9 && type <= 10) || (type >= 13 && type <= 14) ||
         (type >= 17 && type <= 20);
}

Expected<Acl> AclAt(Bytes buffer) {
  if (buffer.size() < kAclHeaderBytes) return BadDescriptor("an ACL shorter than its header");
  Acl acl;
  acl.revision = static_cast<std::uint8_t>(buffer[0]);
  if (acl.revision < 2 || acl.revision > 4) return BadDescriptor("an ACL of an unknown revision");
  const std::size_t size = LoadLe<std::uint16_t>(buffer.data() + 2);
  const std::size_t count = LoadLe<std::uint16_t>(buffer.data() + 4);
  if (size < kAclHeaderBytes || size > buffer.size())
    return BadDescriptor("an ACL reaches beyond the end");
  Bytes rest = buffer.subspan(kAclHeaderBytes, size - kAclHeaderBytes);
  for (std::size_t i = 0; i < count; ++i) {
    auto ace = ParseAce(rest);
    if (!ace) return In("entry " + std::to_string(i), std::move(ace).error());
    rest = rest.subspan(ace->whole.size());
    acl.aces.push_back(*ace);
  }
  return acl;
}

constexpr std::array<unsigned char, 216> kDirectoryDefault = {
#include "backup/default_directory_descriptor.inc"
};
constexpr std::array<unsigned char, 124> kFileDefault = {
#include "backup/default_file_descriptor.inc"
};

}  // namespace

bool IsObjectAce(std::uint8_t type) {
  return (type >= 5 && type <= 8) || (type >= 11 && type <= 12) || type == 15 || type == 16;
}

Expected<Ace> ParseAce(Bytes buffer) {
  if (buffer.size() < kAceHeaderBytes) return BadDescriptor("it is missing");
  const std::size_t size = LoadLe<std::uint16_t>(buffer.data() + 2);
  if (size < kAceHeaderBytes || size > buffer.size())
    return BadDescriptor("its size of " + std::to_string(size) + " bytes reaches beyond its ACL");
  Ace ace;
  ace.whole = buffer.first(size);
  ace.type = static_cast<std::uint8_t>(buffer[0]);
  ace.flags = static_cast<std::uint8_t>(buffer[1]);
  Bytes rest = ace.whole.subspan(kAceHeaderBytes);
  const bool object = IsObjectAce(ace.type);
  if (!object && !HasMaskAndSid(ace.type)) {
    ace.application_data = rest;
    return ace;
  }
  const auto take = [&](std::uint32_t& number) {
    if (rest.size() < sizeof number) return false;
    number = LoadLe<std::uint32_t>(rest.data());
    rest = rest.subspan(sizeof number);
    return true;
  };
  if (!take(ace.mask)) return BadDescriptor("no room for its mask");
  if (object) {
    if (!take(ace.object_flags)) return BadDescriptor("no room for its flags");
    for (const auto& [bit, target] :
         {std::pair{kObjectTypePresent, &ace.object_type},
          std::pair{kInheritedObjectTypePresent, &ace.inherited_object_type}}) {
      if ((ace.object_flags & bit) == 0) continue;
      if (rest.size() < kGuidBytes) return BadDescriptor("no room for its object type");
      *target = rest.first(kGuidBytes);
      rest = rest.subspan(kGuidBytes);
    }
  }
  WCLAYER_ASSIGN(ace.sid, SidAt(rest));
  ace.application_data = rest.subspan(ace.sid.size());
  return ace;
}

Expected<Descriptor> ParseDescriptor(Bytes buffer) {
  const std::string whole = "security descriptor";
  if (buffer.size() > kMaxSecurityDescriptorBytes) {
    return LimitError("kMaxSecurityDescriptorBytes", kMaxSecurityDescriptorBytes, buffer.size());
  }
  if (buffer.size() < kDescriptorHeaderBytes)
    return In(whole, BadDescriptor("shorter than its header"));
  if (buffer[0] != std::byte{1}) return In(whole, BadDescriptor("an unknown revision"));
  Descriptor descriptor;
  descriptor.control = LoadLe<std::uint16_t>(buffer.data() + 2);
  if ((descriptor.control & kSelfRelative) == 0)
    return In(whole, BadDescriptor("not self-relative"));
  // Reads the part whose offset is at `at`, if there is one.
  const auto read = [&](std::size_t at, const char* name, auto parse, auto& into) -> Status {
    const std::size_t offset = LoadLe<std::uint32_t>(buffer.data() + at);
    if (offset == 0) return {};
    const auto in = [&](Error error) { return In(whole, In(name, std::move(error))); };
    if (offset < kDescriptorHeaderBytes || offset >= buffer.size())
      return in(BadDescriptor("offset " + std::to_string(offset) + " lies outside of the " +
                              std::to_string(buffer.size()) + " bytes"));
    auto part = parse(buffer.subspan(offset));
    if (!part) return in(std::move(part).error());
    into = *std::move(part);
    return {};
  };
  WCLAYER_TRY(read(4, "owner", SidAt, descriptor.owner));
  WCLAYER_TRY(read(8, "group", SidAt, descriptor.group));
  WCLAYER_TRY(read(12, "SACL", AclAt, descriptor.sacl));
  WCLAYER_TRY(read(16, "DACL", AclAt, descriptor.dacl));
  return descriptor;
}

Status CheckSecurityDescriptor(Bytes descriptor) {
  WCLAYER_ASSIGN(const Descriptor parsed, ParseDescriptor(descriptor));
  (void)parsed;
  return {};
}

Bytes DefaultDirectoryDescriptor() {
  return std::as_bytes(std::span(kDirectoryDefault));
}
Bytes DefaultFileDescriptor() {
  return std::as_bytes(std::span(kFileDefault));
}

}  // namespace wclayer::backup
