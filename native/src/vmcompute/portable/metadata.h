// The metadata of one layer: everything of its entries but the payload of files and of large
// streams, in one file, ".wclayer/metadata". Written while a layer is imported, read at any place
// afterwards.
//
// The file (all numbers little-endian; "varint": 7 bits a byte, low ones first, at most 10 bytes):
//
//   offset 0        "WCLMETA1"
//   records         entries and security descriptors as they came, in any order; an entry that was
//                   changed later has a newer record, the older is dead space
//   sections        each aligned to 8 bytes:
//     offsets       u64 per ordinal: where its record is; 0: the entry was replaced by a later one
//     order         u32 per live entry: ordinals in the reference order (depth-first, names of a
//     folder
//                   sorted by bytes, its tombstones before everything else in it)
//     ends          u32 per live entry: the place in `order` behind everything below this entry
//     places        u32 per ordinal: its place in `order`; 0xFFFFFFFF: replaced
//     index         2^k slots {u32 ordinal + 1 or 0, u32 hash}, open addressing from hash & (2^k -
//     1);
//                   hash = low 32 bits of XXH3(u32 parent ordinal, folded name)
//     links         {u32 group, u32 file, u32 leader} sorted by group, one for each file with
//     several
//                   names: the ordinal its links record, the entry that holds its data, and its
//                   first name in the reference order
//   block sums      u64 per 64 KiB block of everything before: XXH3 of the block
//   footer          kFooterBytes: section table, counts, XXH3 of the block sums, XXH3 of the footer
//   itself
//
//   record of an entry (at a multiple of 8): u32 length of all of it, u8 kind, u16 flags, varint
//   parent ordinal + 1 (0: top), varint length + bytes of the name (W-UTF-8), the same for the name
//   on disk if it differs; tombstones end here. Then i64 write time, zigzag varints of creation,
//   access and change time minus it, u8 absent times, 4 × u8 remainders if any; the 8.3 name
//   (varint length, W-UTF-8) if any; varint attributes,
//   varint reparse tag; security descriptor: varint offset (0: none), varint length, varint stream
//   attributes; files: varint size, varint DATA attributes, u64 checksum, sparse ranges (varint
//   count, then varint gap and varint size each); hard links: varint group; varint count of
//   streams, each varint id, varint attributes, varint size, varint length + bytes of the name
//   (W-UTF-8), then the data inline or varint offset in ".wclayer/streams", and u64 checksum.
//
// A reader believes nothing: every block is checked when it is loaded, every offset, length and
// count against what the file can hold. A file that fails is kLayerDamaged.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/expected.h"
#include "fs/dir.h"
#include "portable/entry.h"

namespace wclayer::portable {

inline constexpr std::uint32_t kNoOrdinal = 0xFFFFFFFF;
inline constexpr char kMetadataFile[] = "metadata";  // in the layer's private folder
// Instead of it in a layer that has to settle first (settle.h).
inline constexpr char kUnsettledFile[] = "metadata.unsettled";
inline constexpr char kStreamsFile[] = "streams";
inline constexpr std::size_t kMetadataBlock = 64u << 10;

// The short form of an entry: enough to decide what hides what.
struct Node {
  std::uint32_t ordinal = kNoOrdinal;
  std::uint32_t parent = kNoOrdinal;
  Kind kind = Kind::kFile;
  bool opaque = false;
  bool reparse = false;   // has reparse data
  std::string name;       // own spelling, last component
  std::string disk_name;  // last component on disk
};

class MetadataWriter {
 public:
  // Makes `name` in `folder` (the private folder of a layer being built).
  static Expected<std::unique_ptr<MetadataWriter>> Create(const fs::Dir& folder,
                                                          std::string_view name = kMetadataFile);
  ~MetadataWriter();

  // Adds an entry below `parent` (kNoOrdinal: at the top), which must be a folder of this layer and
  // must not have the name yet. Gives its ordinal. Of `entry`, path and disk_path count by their
  // last component; ordinal is ignored; kHardLink: first_name is the ordinal of a file or hard link
  // of this layer.
  Expected<std::uint32_t> Add(std::uint32_t parent, const Entry& entry);
  // A newer state of an entry; its parent stays, its name may only change its spelling.
  Status Update(std::uint32_t ordinal, const Entry& entry);
  // Takes a file, hard link or tombstone (or an empty folder) away; other names of a file stay, one
  // of them becomes the holder of its data.
  Status Remove(std::uint32_t ordinal);

  Expected<std::uint32_t> Find(std::uint32_t parent,
                               std::string_view name) const;  // kNoOrdinal: none
  Expected<std::uint32_t> FindPath(std::string_view path) const;
  Expected<Node> ReadNode(std::uint32_t ordinal) const;
  // Everything, paths included; a hard link has the ordinal of the data's holder in first_name.
  Status Read(std::uint32_t ordinal, Entry& entry) const;
  bool HasChildren(std::uint32_t ordinal) const;
  std::uint32_t entries() const;  // ordinals given so far

  // Sections, sums and footer: the file is complete.
  Status Finish();

  struct State;

 private:
  MetadataWriter();
  std::unique_ptr<State> state_;
};

// One thread at a time.
class MetadataReader {
 public:
  // `cache_blocks`: how many 64 KiB blocks it keeps at most.
  static Expected<std::unique_ptr<MetadataReader>> Open(const fs::Dir& folder,
                                                        std::size_t cache_blocks = 32,
                                                        std::string_view name = kMetadataFile);
  static Expected<std::unique_ptr<MetadataReader>> OpenFd(fs::UniqueFd file,
                                                          std::size_t cache_blocks = 32);
  ~MetadataReader();

  std::uint32_t entries() const;  // ordinals, replaced ones included
  std::uint32_t size() const;     // live entries: places 0 … size()-1 of the reference order

  Expected<std::uint32_t> OrdinalAt(std::uint32_t place);
  Expected<std::uint32_t> PlaceOf(std::uint32_t ordinal);  // kNoOrdinal: replaced
  Expected<std::uint32_t> EndOf(std::uint32_t place);      // the place behind its subtree

  // Everything of an entry, paths included. kLayerDamaged, or kInvalidArgument for an ordinal that
  // is not there. A hard link names the holder of its data in first_name and the holder's path in
  // link_target.
  Status Read(std::uint32_t ordinal, Entry& entry);
  Expected<Node> ReadNode(std::uint32_t ordinal);

  Expected<std::uint32_t> FindChild(std::uint32_t parent,
                                    std::string_view name);  // kNoOrdinal: none
  Expected<std::uint32_t> FindChildFolded(std::uint32_t parent, std::string_view folded_name);
  Expected<std::uint32_t> FindPath(std::string_view path);
  // Direct children of a folder (kNoOrdinal: of the top) in the reference order, tombstones first.
  Status Children(std::uint32_t folder, const std::function<Status(Node&)>& each);
  Expected<std::string> PathOf(std::uint32_t ordinal);
  Expected<std::string> DiskPathOf(std::uint32_t ordinal);

  // Names of one file. `leader`: the first in the reference order, which an export shows as the
  // file.
  struct LinkGroup {
    std::uint32_t file = kNoOrdinal;  // holds data and metadata
    std::uint32_t leader = kNoOrdinal;
  };
  // Of a file or hard link; nothing if the file has one name.
  Expected<std::optional<LinkGroup>> GroupOf(std::uint32_t ordinal);

  // Reads every block and record once (verify).
  Status CheckAll();

  struct State;

 private:
  Status CheckIndex();
  MetadataReader();
  std::unique_ptr<State> state_;
};

}  // namespace wclayer::portable
