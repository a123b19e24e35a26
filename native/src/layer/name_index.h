// Which paths a tar has held so far, compared as NTFS compares them: 16 bytes a slot whatever the
// length of the names, so that a million entries stay small. Two different names collide with
// probability 2^-96.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/expected.h"

namespace wclayer::layer {

enum class EntryKind : std::uint8_t { kFolder = 1, kFile = 2, kLink = 3, kReparse = 4 };

struct Known {
  std::uint64_t ordinal = 0;  // kImplied: a folder that the tar did not name
  EntryKind kind = EntryKind::kFolder;
};

class NameIndex {
 public:
  static constexpr std::uint64_t kImplied = (1u << 28) - 1;

  const Known* Find(
      const std::string& key) const;  // `key`: UpcaseUtf8 of a path; valid until the next call
  Status Set(const std::string& key, Known known);
  std::size_t size() const { return used_; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t more_hash = 0;
    std::uint32_t value = 0;  // kind << 28 | ordinal; 0: free
  };
  struct Hash {
    std::uint64_t hash;
    std::uint32_t more;
  };
  static Hash HashOf(const std::string& key);
  std::size_t SlotOf(const Hash& hash) const;
  void Grow();

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  mutable Known found_;
};

}  // namespace wclayer::layer
