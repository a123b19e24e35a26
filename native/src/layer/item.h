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

struct Item {
  std::string path;              // (W)UTF-8, '/'-separated, no leading slash: "Files/Windows/a.dll"
  bool deleted = false;          // a tombstone (whiteout): nothing below is meaningful but `opaque`
  bool opaque = false;           // tombstone only: hides what parents have below the folder `path`
  std::string link_target;       // hard link: path of its first name; such an item has no stream
  std::int64_t times[4] = {};    // FILETIME
  std::uint8_t time_absent = 0;  // bit i: times[i] was not given and equals the write time
  std::uint8_t time_remainder[4] = {};  // 0…99 ns beyond times[i]
  std::uint32_t attributes = 0;
  std::uint64_t size = 0;         // export: bytes of the main stream, holes included
  bool has_data_stream = true;    // export: false for an empty file without a DATA stream
  std::uint32_t reparse_tag = 0;  // export
  std::uint64_t ordinal = 0;      // number in import order in the layer that holds it

  bool directory() const { return (attributes & 0x10) != 0; }
};

// Receives a layer being imported.
class ItemSink {
 public:
  virtual ~ItemSink() = default;
  virtual Expected<std::uint64_t> Begin(
      const Item& item) = 0;               // gives the ordinal; ends the item before
  virtual Status Write(Bytes stream) = 0;  // backup-stream bytes of the current item
  // Payload of an earlier item: stream 0 is the main data, n its n-th alternate stream; 0 at its
  // end.
  virtual Expected<std::size_t> ReadBack(std::uint64_t ordinal, std::uint32_t stream,
                                         std::uint64_t offset, MutableBytes buffer) = 0;
};

// Yields a layer being exported, in the reference order (golden-oci): depth-first, names sorted by
// bytes, a folder's tombstones right after it.
class ItemSource {
 public:
  virtual ~ItemSource() = default;
  virtual Expected<bool> Next(Item& item) = 0;  // false: the end
  virtual Expected<std::size_t> Read(
      MutableBytes buffer) = 0;  // backup stream of the current item; 0: end
  virtual Status Seek(std::uint64_t ordinal, Item& item) = 0;  // as ExportLayerSeek
};

}  // namespace wclayer::layer
