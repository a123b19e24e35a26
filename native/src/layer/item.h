// What passes between a tar and a table of vmcompute functions: one entry of a layer, its metadata
// here, its backup stream (spec layer-formats §b) as bytes beside it. The driver turns items into
// calls.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::layer {

enum Time { kCreation = 0, kAccess = 1, kWrite = 2, kChange = 3 };

inline constexpr std::uint32_t kAttributeDirectory = 0x10;
inline constexpr std::uint32_t kAttributeSparseFile = 0x200;
inline constexpr std::uint32_t kAttributeReparsePoint = 0x400;

struct Item {
  std::string path;              // (W)UTF-8, '/'-separated, no leading slash: "Files/Windows/a.dll"
  bool deleted = false;          // a tombstone (whiteout): nothing below is meaningful but `opaque`
  bool opaque = false;           // tombstone only: hides what parents have below the folder `path`
  std::string link_target;       // hard link: path of its first name; such an item has no stream
  std::int64_t times[4] = {};    // FILETIME
  std::uint8_t time_absent = 0;  // bit i: times[i] was not given and equals the write time
  std::uint8_t time_remainder[4] = {};  // 0…99 ns beyond times[i]
  std::uint32_t attributes = 0;
  std::u16string short_name;      // 8.3 name; empty: none is known
  std::uint64_t size = 0;         // export: bytes of the main stream, holes included
  bool has_data_stream = true;    // export: false for an empty file without a DATA stream
  std::uint32_t reparse_tag = 0;  // export
  // export: XXH3 of the main data, of a sparse file its ranges, if it is known. Then reading all of
  // it gives exactly that data or an error.
  bool has_checksum = false;
  std::uint64_t checksum = 0;
  std::uint64_t ordinal = 0;  // number in import order in the layer that holds it
  bool seekable = false;      // export in reference mode alone: the stream can be read twice
                              // (Seek), so metadata behind the data is not lost

  bool directory() const { return (attributes & kAttributeDirectory) != 0; }
};

// Receives a layer being imported. Items come in the order of the tar. Folders that the tar does
// not list do not come at all: the sink makes them, as the nearest parent layer has them or else
// with plain defaults (C16). A path may come again: a folder's last metadata wins, a file replaces
// the earlier one.
//
// The stream of an item has SECURITY, EA, REPARSE, OBJECT_ID, then DATA (a sparse file: of size 0,
// its SPARSE_BLOCKs behind it and a last one without data at the file's end), then ALTERNATE_DATA.
class ItemSink {
 public:
  virtual ~ItemSink() = default;
  // Gives the ordinal; ends the item before.
  virtual Expected<std::uint64_t> Begin(const Item& item) = 0;
  virtual Status Write(Bytes stream) = 0;  // backup-stream bytes of the current item
  // Payload of an earlier item: stream 0 is the main data with its holes, n its n-th alternate
  // stream; 0 at its end, and for a stream that the item does not have.
  virtual Expected<std::size_t> ReadBack(std::uint64_t ordinal, std::uint32_t stream,
                                         std::uint64_t offset, MutableBytes buffer) = 0;
  // Whether Checksum can be asked.
  virtual bool tells_checksums() const { return false; }
  // XXH3 of the current item's main data, once all of it was written.
  virtual Expected<std::uint64_t> Checksum();
};

// Yields a layer being exported, in the reference order (golden-oci): depth-first, names sorted by
// bytes, a folder's tombstones right after it. The stream of an item has all of SECURITY, EA,
// REPARSE and OBJECT_ID before DATA, and ALTERNATE_DATA behind it: a tar header cannot be mended
// once its payload has been handed on. What comes later than that is not exported, as the reference
// does it (spec layer-formats §c.6).
class ItemSource {
 public:
  virtual ~ItemSource() = default;
  virtual Expected<bool> Next(Item& item) = 0;  // false: the end
  // Backup stream of the current item; 0: its end.
  virtual Expected<std::size_t> Read(MutableBytes buffer) = 0;
  // Passes over bytes of that stream; fewer are an error.
  virtual Status Skip(std::uint64_t bytes);
  virtual Status Seek(std::uint64_t ordinal, Item& item) = 0;  // as ExportLayerSeek
};

}  // namespace wclayer::layer
