// Which paths a tar has held so far, compared as NTFS compares them: 16 bytes a slot whatever the
// length of the names, so that a million entries stay small. Two different names collide with
// probability 2^-96.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"

namespace wclayer::layer {

enum class EntryKind : std::uint8_t {
  kFolder = 1,
  kFile = 2,
  kLink = 3,           // a further name of a file
  kReparseFile = 4,    // symbolic links and other reparse points
  kReparseFolder = 5,  // junctions and the like: nothing may be below
};

// A folder that the tar did not name; the sink made it, whatever its number.
inline constexpr std::uint32_t kImpliedOrdinal = (1u << 28) - 1;

struct Known {
  std::uint32_t ordinal = kImpliedOrdinal;
  EntryKind kind = EntryKind::kFolder;
};

class NameIndex {
 public:
  struct Key {
    std::uint64_t hash;
    std::uint32_t more;  // of a second hash
  };

  static Key KeyOf(std::string_view path);
  std::optional<Known> Find(const Key& key) const;
  void Set(const Key& key, Known known);
  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const;

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t more = 0;
    std::uint32_t value = 0;  // kind << 28 | ordinal; 0: free
  };
  // Many small tables instead of one: growing copies one of them at a time, so that the peak is not
  // twice the size.
  struct Shard {
    std::vector<Slot> slots;
    std::size_t used = 0;
  };
  static std::size_t SlotOf(const Shard& shard, const Key& key);
  static void Grow(Shard& shard);

  static constexpr std::size_t kShardBits = 8;
  std::array<Shard, std::size_t{1} << kShardBits> shards_;
  std::size_t size_ = 0;
};

}  // namespace wclayer::layer
