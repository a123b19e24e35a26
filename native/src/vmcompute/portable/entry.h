// One entry of a layer as the portable store knows it: everything but the payload bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backup/stream.h"
#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::portable {

// Attributes of Windows' files.
inline constexpr std::uint32_t kReadOnly = 0x1;
inline constexpr std::uint32_t kDirectoryAttribute = 0x10;
inline constexpr std::size_t kPiece = 256u << 10;  // of a payload, read at once

enum class Kind : std::uint8_t { kFile = 0, kDirectory = 1, kHardLink = 2, kTombstone = 3 };

// A backup stream other than the main data, in its order. Small ones are inline; larger alternate
// streams lie in the layer's "streams" file.
struct StreamRecord {
  backup::StreamHeader header;
  bool after_data = false;  // its place relative to the DATA stream
  Buffer inline_data;       // if !external
  bool external = false;
  std::uint64_t offset = 0;    // in ".wclayer/streams", if external
  std::uint64_t checksum = 0;  // XXH3 of the data
};

// An allocated range of a sparse file: one SPARSE_BLOCK of its backup stream. The closing block
// (offset = size, no data) is not among them; an export always writes it.
struct DataRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct Entry {
  std::string path;  // (W)UTF-8, '/'-separated, the layer's own spelling: "Files/Windows/a.dll"
  std::string
      disk_path;  // below the layer's folder: spelling of the nearest ancestor, long names escaped
  Kind kind = Kind::kFile;
  bool opaque = false;         // folder (or tombstone of one): hides what parents have below it
  std::int64_t times[4] = {};  // FILETIME: creation, access, write, change
  std::uint8_t time_absent = 0;
  std::uint8_t time_remainder[4] = {};
  std::uint32_t attributes = 0;
  std::u16string short_name;  // 8.3; empty: none is known
  std::uint64_t size = 0;     // main stream, holes included
  bool has_data_stream = true;
  std::uint32_t data_attributes = 0;  // attributes word of the DATA stream header (8: sparse)
  bool sparse = false;                // stored as DATA without bytes and one SPARSE_BLOCK a range
  std::vector<DataRange> ranges;      // if sparse
  std::uint64_t checksum = 0;  // XXH3 of the main stream's stored bytes (ranges, when sparse)
  bool has_checksum = false;   // false: nobody computed it (a writable layer's file)
  Buffer security;             // raw descriptor; empty: none
  std::uint32_t security_attributes = 0;  // attributes word of the SECURITY stream header
  std::vector<StreamRecord> streams;  // EA, reparse, alternate, object id, unknown…: all but DATA,
                                      // SPARSE_BLOCK and SECURITY
  std::uint32_t reparse_tag = 0;  // of the reparse stream among them, 0: none
  std::uint64_t ordinal = 0;      // import order in its layer, from 0
  std::uint64_t first_name = 0;   // kHardLink: ordinal of the first name; `link_target` is its path
  std::string link_target;

  bool directory() const { return kind == Kind::kDirectory; }
  const StreamRecord* Reparse() const {
    for (const auto& s : streams)
      if (s.header.id == backup::StreamId::kReparse) return &s;
    return nullptr;
  }
};

enum class ChangeKind : std::uint32_t { kUnchanged = 0, kAdded = 1, kModified = 2, kDeleted = 3 };

// A layer's content (own, squashed, or what a writable layer changed), in the reference order:
// depth-first, names of one folder sorted by bytes, a folder's tombstones right after it.
class Content {
 public:
  virtual ~Content() = default;
  virtual Expected<bool> Next(Entry& entry) = 0;  // false: the end
  // The change of the entry Next just gave against the chain below; work is done only when asked.
  virtual Expected<ChangeKind> Compare() = 0;
  // The current entry, which is a hard link, as the file that it is (for callers that know no
  // links); OpenData and ReadStream then read that.
  virtual Status ResolveLink(Entry& entry) {
    return Error(Errc::kUnsupported, "a hard link can only be read at its first name")
        .At(entry.path);
  }
  // Opens the current entry's main data for reading (a plain descriptor; the caller closes it), and
  // reads from one of its external streams.
  virtual Expected<int> OpenData() = 0;
  virtual Expected<std::size_t> ReadStream(const StreamRecord& stream, std::uint64_t offset,
                                           MutableBytes buffer) = 0;
  // Whether the current entry's main data is being read ahead: ReadAhead then gives it, piece by
  // piece from its start, instead of OpenData.
  virtual bool HasAhead() const { return false; }
  virtual Expected<std::size_t> ReadAhead(MutableBytes buffer) {
    (void)buffer;
    return std::size_t{0};
  }
  // Go to an entry; OpenData and ReadStream then work for it. Committed own content: any entry.
  // Other contents: by path alone, and only what Next has given (a squash reads a writable layer's
  // data so).
  virtual Expected<bool> SeekPath(const std::string& path,
                                  Entry& entry) = 0;  // compared as NTFS does
  virtual Expected<bool> SeekOrdinal(std::uint64_t ordinal, Entry& entry) = 0;
};

}  // namespace wclayer::portable
