// The maps of sparse entries: old GNU ('S'), and PAX 0.0, 0.1 and 1.0.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"
#include "tar/entry.h"
#include "tar/pax.h"

namespace wclayer::tar {

// Collects and checks the ranges of one entry.
class SparseMap {
 public:
  void Clear();

  // Ranges must ascend without overlap; empty ones (the terminator that GNU tar writes) are checked
  // and dropped.
  Status Add(std::uint64_t offset, std::uint64_t size);

  // All ranges lie within the file and their sizes add up to the archived bytes.
  Status Check(std::uint64_t logical_size, std::uint64_t stored_size) const;

  std::vector<SparseRange>& ranges() { return ranges_; }

 private:
  std::vector<SparseRange> ranges_;
  std::size_t count_ = 0;     // with the empty ones
  std::uint64_t end_ = 0;     // end of the last range
  std::uint64_t stored_ = 0;  // sum of sizes
};

// Adds the ranges of a header's or extension block's table of 24-byte slots.
Status AddOldGnuSlots(std::string_view slots, SparseMap& map);

enum class PaxSparse { kNone, kInRecords, kInPayload };

// Which format the records describe; an unknown version is an error. `pairs`: the repeated records
// of 0.0.
Expected<PaxSparse> PaxSparseKind(const SparseRecords& records,
                                  std::span<const std::uint64_t> pairs);

// Formats 0.0 and 0.1: the map is in the records.
Status AddRecordRanges(const SparseRecords& records, std::span<const std::uint64_t> pairs,
                       SparseMap& map);

// Format 1.0: the payload begins with decimal lines (the count, then offset and size of each
// range), filled up to a whole block.
class PayloadMapParser {
 public:
  void Clear() { *this = PayloadMapParser(); }

  // Takes bytes of the map up to the last line's end; returns how many.
  Expected<std::size_t> Feed(Bytes bytes, SparseMap& map);

  bool done() const { return have_count_ && left_ == 0; }

 private:
  Status EndLine(SparseMap& map);

  std::uint64_t line_ = 0;  // the number so far
  unsigned line_digits_ = 0;
  bool have_count_ = false;
  std::uint64_t left_ = 0;    // lines to come after the count
  std::uint64_t offset_ = 0;  // of the range whose size comes next
};

}  // namespace wclayer::tar
