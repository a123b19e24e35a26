#include "tar/pax.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/limits.h"
#include "tar/limits.h"
#include "tar/numbers.h"
#include "tar/writer.h"

namespace wclayer::tar {
namespace {

constexpr std::size_t kShortestRecord = 5;  // "5 a=\n"

bool HasNul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

bool KeyLess(const PaxRecord& a, const PaxRecord& b) {
  return a.key < b.key;
}

// Writers sort their records, so usually there is nothing to do.
void SortUniqueLastWins(std::vector<PaxRecord>& records) {
  const auto out_of_order = [](const PaxRecord& a, const PaxRecord& b) { return a.key >= b.key; };
  if (std::adjacent_find(records.begin(), records.end(), out_of_order) == records.end()) return;
  std::stable_sort(records.begin(), records.end(), KeyLess);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i + 1 < records.size() && records[i + 1].key == records[i].key) continue;
    records[kept++] = records[i];
  }
  records.resize(kept);
}

bool AppliesGlobally(std::string_view key) {
  return key != "path" && key != "linkpath" && key != "size" && !key.starts_with(kSparseKeyPrefix);
}

Error BadValue(const PaxRecord& record, const char* what) {
  constexpr std::size_t kShown = 64;
  return Error(Errc::kBadArchive, "PAX record " + std::string(record.key) + "='" +
                                      std::string(record.value.substr(0, kShown)) + "' is not " +
                                      what);
}

Status SetNumber(const PaxRecord& record, std::uint64_t& field) {
  const auto number = ParseDecimal(record.value);
  if (!number) return BadValue(record, "a decimal number");
  field = static_cast<std::uint64_t>(*number);
  return {};
}

Status SetSize(const PaxRecord& record, std::uint64_t& field) {
  const auto number = ParseDecimal(record.value);
  if (!number || *number < 0) return BadValue(record, "a size");
  field = static_cast<std::uint64_t>(*number);
  return {};
}

template <class Time>
Status SetTime(const PaxRecord& record, Time& field) {
  WCLAYER_ASSIGN(field, ParseTime(record.value));
  return {};
}

// Sets the field that `record` stands for; `known` tells whether it stands for one.
Status ApplyToField(const PaxRecord& record, Entry& entry, bool& known) {
  known = true;
  const bool empty = record.value.empty();
  const std::string_view key = record.key;
  if (key == "path") {
    if (!empty) entry.name.assign(record.value);
  } else if (key == "linkpath") {
    if (!empty) entry.link_name.assign(record.value);
  } else if (key == "mtime") {
    if (!empty) return SetTime(record, entry.mtime);
  } else if (key == "atime") {
    if (!empty) return SetTime(record, entry.atime);
  } else if (key == "ctime") {
    if (!empty) return SetTime(record, entry.ctime);
  } else if (key == "size") {
    if (!empty) return SetSize(record, entry.size);
  } else if (key == "uid") {
    if (!empty) return SetNumber(record, entry.uid);
  } else if (key == "gid") {
    if (!empty) return SetNumber(record, entry.gid);
  } else {
    known = false;
  }
  return {};
}

void ApplyToSparse(const PaxRecord& record, SparseRecords& sparse) {
  const std::string_view name = record.key.substr(kSparseKeyPrefix.size());
  if (name == "major") sparse.major = record.value;
  if (name == "minor") sparse.minor = record.value;
  if (name == "name") sparse.name = record.value;
  if (name == "size") sparse.size = record.value;
  if (name == "realsize") sparse.real_size = record.value;
  if (name == "numblocks") sparse.num_blocks = record.value;
  if (name == "map") sparse.map = record.value;
}

}  // namespace

bool IsValidRecord(std::string_view key, std::string_view value) {
  if (key.empty() || key.find('=') != std::string_view::npos || HasNul(key)) return false;
  // Other values may be binary (SCHILY.xattr.*).
  const bool is_name = key == "path" || key == "linkpath" || key == "uname" || key == "gname" ||
                       key == "GNU.sparse.name";
  return !is_name || !HasNul(value);
}

bool IsBasicKey(std::string_view key) {
  static constexpr std::array<std::string_view, 10> kKeys = {
      "path", "linkpath", "size", "uid", "gid", "uname", "gname", "mtime", "atime", "ctime"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

void PaxHeader::Clear() {
  text_.clear();
  records_.clear();
  sparse_pairs_.clear();
}

Status PaxHeader::Parse() {
  records_.clear();
  sparse_pairs_.clear();
  std::string_view rest = text_;
  while (!rest.empty()) {
    const std::size_t at = text_.size() - rest.size();
    PaxRecord record;
    auto status = ParseRecord(rest, record);
    if (status) status = Keep(record);
    if (!status) {
      Error error = std::move(status).error();
      error.message =
          "extended header, record at byte " + std::to_string(at) + ": " + error.message;
      return error;
    }
  }
  if (sparse_pairs_.size() % 2 != 0) {
    return Error(Errc::kBadArchive, "extended header: the last GNU.sparse.offset has no numbytes");
  }
  SortUniqueLastWins(records_);
  return {};
}

Status PaxHeader::ParseRecord(std::string_view& rest, PaxRecord& record) {
  const auto bad = [](const char* what) { return Error(Errc::kBadArchive, what); };
  constexpr std::size_t kLengthDigits = 20;
  const std::size_t space = rest.substr(0, kLengthDigits + 1).find(' ');
  if (space == std::string_view::npos) return bad("no space after the record's length");
  const auto length = ParseDecimal(rest.substr(0, space));
  if (!length) return bad("the record's length is not a number");
  if (*length < static_cast<std::int64_t>(kShortestRecord) ||
      static_cast<std::uint64_t>(*length) > rest.size()) {
    return Error(Errc::kBadArchive, "the record's length " + std::to_string(*length) +
                                        " is not within the " + std::to_string(rest.size()) +
                                        " bytes that are left");
  }
  std::string_view text = rest.substr(0, static_cast<std::size_t>(*length));
  if (text.size() < space + 2 || text.back() != '\n') return bad("the record has no newline");
  rest.remove_prefix(text.size());
  text = text.substr(space + 1, text.size() - space - 2);
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return bad("the record has no '='");
  record = {text.substr(0, equals), text.substr(equals + 1)};
  if (!IsValidRecord(record.key, record.value))
    return bad("a NUL in the key or in a name, or an empty key");
  return {};
}

Status PaxHeader::Keep(const PaxRecord& record) {
  const bool offset = record.key == "GNU.sparse.offset";
  if (!offset && record.key != "GNU.sparse.numbytes") {
    if (records_.size() == kMaxPaxRecords) {
      return LimitError("kMaxPaxRecords", kMaxPaxRecords, records_.size() + 1);
    }
    records_.push_back(record);
    return {};
  }
  // The 0.0 format repeats these two keys in turn, against POSIX, which says the last one wins.
  if (offset != (sparse_pairs_.size() % 2 == 0)) {
    return Error(Errc::kBadArchive, "GNU.sparse.offset and GNU.sparse.numbytes do not take turns");
  }
  if (sparse_pairs_.size() == 2 * kMaxSparseRanges) {
    return LimitError("kMaxSparseRanges", kMaxSparseRanges, kMaxSparseRanges + 1);
  }
  const auto number = ParseDecimal(record.value);
  if (!number || *number < 0) return BadValue(record, "an offset or a size");
  sparse_pairs_.push_back(static_cast<std::uint64_t>(*number));
  return {};
}

Status GlobalRecords::Merge(std::span<const PaxRecord> records) {
  std::vector<PaxRecord> merged;
  MergeRecords(views_, records, merged);
  Records next;
  std::size_t bytes = 0;
  for (const PaxRecord& record : merged) {
    if (record.value.empty() || !AppliesGlobally(record.key)) continue;
    bytes += record.key.size() + record.value.size();
    next.emplace_back(record.key, record.value);
  }
  // Every later entry gets them all, so there cannot be many.
  if (bytes > kMaxGlobalPaxBytes) {
    return LimitError("kMaxGlobalPaxBytes", kMaxGlobalPaxBytes, bytes);
  }
  records_ = std::move(next);
  views_.clear();
  for (const auto& [key, value] : records_) views_.push_back({key, value});
  return {};
}

void MergeRecords(std::span<const PaxRecord> global, std::span<const PaxRecord> local,
                  std::vector<PaxRecord>& merged) {
  merged.clear();
  // set_union takes elements that are in both from the first range.
  std::set_union(local.begin(), local.end(), global.begin(), global.end(),
                 std::back_inserter(merged), KeyLess);
}

Status ApplyRecords(std::span<const PaxRecord> records, Entry& entry, SparseRecords& sparse) {
  std::size_t kept = 0;
  for (const PaxRecord& record : records) {
    if (record.key.starts_with(kSparseKeyPrefix)) {
      ApplyToSparse(record, sparse);
      continue;
    }
    bool known = false;
    WCLAYER_TRY(ApplyToField(record, entry, known));
    if (known) continue;
    if (kept < entry.pax.size()) {  // reuses the strings of the entry before
      entry.pax[kept].first.assign(record.key);
      entry.pax[kept].second.assign(record.value);
    } else {
      entry.pax.emplace_back(record.key, record.value);
    }
    ++kept;
  }
  entry.pax.resize(kept);
  return {};
}

}  // namespace wclayer::tar
