// The parts of a security descriptor (MS-DTYP 2.4), checked once and then borrowed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::backup {

inline constexpr std::uint16_t kDaclPresent = 0x0004;
inline constexpr std::uint16_t kSaclPresent = 0x0010;
inline constexpr std::uint16_t kDaclAutoInheritRequested = 0x0100;
inline constexpr std::uint16_t kSaclAutoInheritRequested = 0x0200;
inline constexpr std::uint16_t kDaclAutoInherited = 0x0400;
inline constexpr std::uint16_t kSaclAutoInherited = 0x0800;
inline constexpr std::uint16_t kDaclProtected = 0x1000;
inline constexpr std::uint16_t kSaclProtected = 0x2000;
inline constexpr std::uint16_t kSelfRelative = 0x8000;

inline constexpr std::uint32_t kObjectTypePresent = 1;
inline constexpr std::uint32_t kInheritedObjectTypePresent = 2;

inline constexpr std::size_t kAclHeaderBytes = 8;
inline constexpr std::size_t kMaxSubAuthorities = 15;  // of a SID

struct Ace {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t mask = 0;
  std::uint32_t object_flags = 0;  // of an object entry: which types follow
  Bytes object_type;               // 16 bytes or empty
  Bytes inherited_object_type;     // 16 bytes or empty
  Bytes sid;
  Bytes application_data;  // behind the SID; of an entry of unknown type all behind its header
  Bytes whole;             // the entry as it is, its header included
};

struct Acl {
  std::uint8_t revision = 0;
  std::vector<Ace> aces;
};

struct Descriptor {
  std::uint16_t control = 0;
  Bytes owner;  // SIDs; empty: none
  Bytes group;
  std::optional<Acl> sacl;
  std::optional<Acl> dacl;
};

bool IsObjectAce(std::uint8_t type);
// The entry at the start of `buffer`, whose own size says where it ends.
Expected<Ace> ParseAce(Bytes buffer);
Expected<Descriptor> ParseDescriptor(Bytes buffer);

}  // namespace wclayer::backup
