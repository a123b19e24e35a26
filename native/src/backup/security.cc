#include "backup/security.h"

#include <array>

#include "backup/acl.h"
#include "base/limits.h"

namespace wclayer::backup {
namespace {

constexpr std::size_t kHeaderBytes = 20;
constexpr std::size_t kAclHeaderBytes = 8;
constexpr std::size_t kGuidBytes = 16;
constexpr std::size_t kMaxSubAuthorities = 15;

Error Bad(const char* what) {
  return Error(Errc::kBadArchive, std::string("security descriptor: ") + what);
}

Expected<Bytes> SidAt(Bytes buffer) {
  if (buffer.size() < 8) return Bad("a SID shorter than its header");
  if (buffer[0] != std::byte{1}) return Bad("a SID of an unknown revision");
  const auto count = static_cast<std::size_t>(buffer[1]);
  if (count > kMaxSubAuthorities) return Bad("a SID of more than 15 parts");
  const std::size_t size = 8 + 4 * count;
  if (size > buffer.size()) return Bad("a SID reaches beyond the end");
  return buffer.first(size);
}

// Types whose layout is not header, mask, SID: unknown ones are checked for their size alone.
bool HasMaskAndSid(std::uint8_t type) {
  return type <= 3 || (type >= 9 && type <= 10) || (type >= 13 && type <= 14) ||
         (type >= 17 && type <= 20);
}

Expected<Ace> ParseAce(Bytes bytes) {
  Ace ace;
  ace.type = static_cast<std::uint8_t>(bytes[0]);
  ace.flags = static_cast<std::uint8_t>(bytes[1]);
  Bytes rest = bytes.subspan(4);
  const bool object = IsObjectAce(ace.type);
  if (!object && !HasMaskAndSid(ace.type)) {
    ace.application_data = rest;
    return ace;
  }
  if (rest.size() < 4) return Bad("an entry without its mask");
  ace.mask = LoadLe<std::uint32_t>(rest.data());
  rest = rest.subspan(4);
  if (object) {
    if (rest.size() < 4) return Bad("an object entry without its flags");
    const auto flags = LoadLe<std::uint32_t>(rest.data());
    rest = rest.subspan(4);
    for (const auto& [bit, target] :
         {std::pair{kObjectTypePresent, &ace.object_type},
          std::pair{kInheritedObjectTypePresent, &ace.inherited_object_type}}) {
      if ((flags & bit) == 0) continue;
      if (rest.size() < kGuidBytes) return Bad("an object entry without its type");
      *target = rest.first(kGuidBytes);
      rest = rest.subspan(kGuidBytes);
    }
  }
  WCLAYER_ASSIGN(ace.sid, SidAt(rest));
  ace.application_data = rest.subspan(ace.sid.size());
  return ace;
}

Expected<Acl> AclAt(Bytes buffer) {
  if (buffer.size() < kAclHeaderBytes) return Bad("an ACL shorter than its header");
  Acl acl;
  acl.revision = static_cast<std::uint8_t>(buffer[0]);
  if (acl.revision < 2 || acl.revision > 4) return Bad("an ACL of an unknown revision");
  const std::size_t size = LoadLe<std::uint16_t>(buffer.data() + 2);
  const std::size_t count = LoadLe<std::uint16_t>(buffer.data() + 4);
  if (size < kAclHeaderBytes || size > buffer.size()) return Bad("an ACL reaches beyond the end");
  Bytes rest = buffer.subspan(kAclHeaderBytes, size - kAclHeaderBytes);
  for (std::size_t i = 0; i < count; ++i) {
    if (rest.size() < 4) return Bad("an ACL with fewer entries than it says");
    const std::size_t ace_size = LoadLe<std::uint16_t>(rest.data() + 2);
    if (ace_size < 4 || ace_size > rest.size()) return Bad("an entry reaches beyond its ACL");
    WCLAYER_ASSIGN(Ace ace, ParseAce(rest.first(ace_size)));
    acl.aces.push_back(ace);
    rest = rest.subspan(ace_size);
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

Expected<Descriptor> ParseDescriptor(Bytes buffer) {
  if (buffer.size() > kMaxSecurityDescriptorBytes) {
    return LimitError("kMaxSecurityDescriptorBytes", kMaxSecurityDescriptorBytes, buffer.size());
  }
  if (buffer.size() < kHeaderBytes) return Bad("shorter than its header");
  if (buffer[0] != std::byte{1}) return Bad("an unknown revision");
  Descriptor descriptor;
  descriptor.control = LoadLe<std::uint16_t>(buffer.data() + 2);
  if ((descriptor.control & kSelfRelative) == 0) return Bad("not self-relative");
  const auto part = [&](std::size_t at) -> Expected<Bytes> {
    const std::size_t offset = LoadLe<std::uint32_t>(buffer.data() + at);
    if (offset == 0) return Bytes();
    if (offset < kHeaderBytes || offset >= buffer.size()) return Bad("an offset outside of it");
    return buffer.subspan(offset);
  };
  WCLAYER_ASSIGN(const Bytes owner, part(4));
  WCLAYER_ASSIGN(const Bytes group, part(8));
  WCLAYER_ASSIGN(const Bytes sacl, part(12));
  WCLAYER_ASSIGN(const Bytes dacl, part(16));
  if (!owner.empty()) {
    WCLAYER_ASSIGN(descriptor.owner, SidAt(owner));
  }
  if (!group.empty()) {
    WCLAYER_ASSIGN(descriptor.group, SidAt(group));
  }
  if (!sacl.empty()) {
    WCLAYER_ASSIGN(descriptor.sacl, AclAt(sacl));
  }
  if (!dacl.empty()) {
    WCLAYER_ASSIGN(descriptor.dacl, AclAt(dacl));
  }
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
