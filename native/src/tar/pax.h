// The records of PAX extended headers: "<length> <key>=<value>\n".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "tar/entry.h"

namespace wclayer::tar {

struct PaxRecord {
  std::string_view key;
  std::string_view value;
};

// The payload of one extended header. Its memory is kept from entry to entry.
class PaxHeader {
 public:
  void Clear();
  std::string& text() { return text_; }  // the reader collects the payload here, then calls Parse

  // Splits text(). An error tells the byte of the payload at which the bad record begins.
  Status Parse();

  // Sorted by key, keys unique (the last record of a key wins). They point into text().
  std::span<const PaxRecord> records() const { return records_; }

  // GNU sparse 0.0: offset, size, offset, size … of repeated records, in order of appearance.
  std::span<const std::uint64_t> sparse_pairs() const { return sparse_pairs_; }

 private:
  Status ParseRecord(std::string_view& rest, PaxRecord& record);
  Status Keep(const PaxRecord& record);

  std::string text_;
  std::vector<PaxRecord> records_;
  std::vector<std::uint64_t> sparse_pairs_;
};

// The records of the global headers seen so far that apply to later entries. path, linkpath, size
// and GNU.sparse.* would make every later entry the same file: they never apply (store §4).
class GlobalRecords {
 public:
  Status Merge(std::span<const PaxRecord> records);  // an empty value ends a record's effect
  std::span<const PaxRecord> views() const { return views_; }

 private:
  Records records_;
  std::vector<PaxRecord> views_;
};

// What the records say about GNU sparse files; views into the records.
struct SparseRecords {
  std::string_view major;
  std::string_view minor;
  std::string_view name;
  std::string_view size;
  std::string_view real_size;
  std::string_view num_blocks;
  std::string_view map;
};

// Both sorted with unique keys, and so is `merged`; local wins.
void MergeRecords(std::span<const PaxRecord> global, std::span<const PaxRecord> local,
                  std::vector<PaxRecord>& merged);

// Sets the entry's fields that have a record, puts the other records in entry.pax, and the ones
// about sparse files in `sparse`. An empty value leaves a field as the header block has it.
Status ApplyRecords(std::span<const PaxRecord> records, Entry& entry, SparseRecords& sparse);

// False for keys that cannot be written or read: empty, with '=' or NUL, or a name value with NUL.
bool IsValidRecord(std::string_view key, std::string_view value);

// True for the keys that stand for fields of the header block.
bool IsBasicKey(std::string_view key);

inline constexpr std::string_view kSparseKeyPrefix = "GNU.sparse.";

}  // namespace wclayer::tar
