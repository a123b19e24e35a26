// The outer form of the metadata file (format: metadata.h): blocks, sections, footer.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"
#include "fs/dir.h"
#include "portable/metadata.h"

namespace wclayer::portable {

inline constexpr std::string_view kMetadataMagic = "WCLMETA1";
inline constexpr std::string_view kFooterMagic = "WCLMETAF";
inline constexpr std::uint32_t kMetadataVersion = 1;

enum SectionId : std::size_t { kOffsets, kOrder, kEnds, kPlaces, kIndex, kLinks, kSectionCount };

struct Section {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // bytes
};

struct Footer {
  std::uint32_t entries = 0;
  std::uint32_t live = 0;
  std::array<Section, kSectionCount> sections;
  std::uint64_t body = 0;      // bytes before the block sums; a multiple of 8
  std::uint64_t sums_sum = 0;  // XXH3 of the block sums
};
// magic, version, entries, live, 0, sections, body, sums_sum, XXH3 of all that
inline constexpr std::size_t kFooterBytes = 8 + 4 * 4 + kSectionCount * 16 + 8 + 8 + 8;

Buffer EncodeFooter(const Footer& footer);
// Checks the footer and that every section lies where it can, for a file of `file_size` bytes.
Expected<Footer> DecodeFooter(Bytes bytes, std::uint64_t file_size);

inline std::uint64_t BlocksOf(std::uint64_t body) {
  return (body + kMetadataBlock - 1) / kMetadataBlock;
}

// Hash of a name in a folder, for the index.
std::uint32_t HashOfName(std::uint32_t parent, std::string_view folded_name);

// Blocks of a file, the most recently used ones kept. With `sums` each is checked when it is
// loaded.
class BlockCache {
 public:
  BlockCache(int fd, std::uint64_t body, std::size_t capacity,
             const std::vector<std::uint64_t>* sums);
  // Valid until the next call. Within one block no byte is copied.
  Expected<Bytes> View(std::uint64_t offset, std::size_t length);
  void SetBody(std::uint64_t body) { body_ = body; }
  // Drops every block whose content may have grown since.
  void Forget(std::uint64_t from);

 private:
  struct Block {
    std::uint64_t number = 0;
    std::uint64_t used = 0;
    Buffer bytes;
  };
  Expected<const Block*> Load(std::uint64_t number);

  int fd_;
  std::uint64_t body_;
  std::size_t capacity_;
  const std::vector<std::uint64_t>* sums_;
  std::vector<Block> blocks_;
  std::size_t last_ = 0;
  std::uint64_t clock_ = 0;
  Buffer spanning_;
};

}  // namespace wclayer::portable
