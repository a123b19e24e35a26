#include "tar/sparse.h"

#include <string>

#include "tar/limits.h"
#include "tar/numbers.h"

namespace wclayer::tar {
namespace {

Error Bad(std::string what) {
  return Error(Errc::kBadArchive, "sparse map: " + std::move(what));
}

std::string Describe(std::uint64_t offset, std::uint64_t size) {
  return "range at " + std::to_string(offset) + " of " + std::to_string(size) + " bytes";
}

Expected<std::uint64_t> MapNumber(std::string_view text) {
  const auto number = ParseDecimal(text);
  if (number && *number >= 0) return static_cast<std::uint64_t>(*number);
  constexpr std::size_t kShown = 32;
  return Bad("'" + std::string(text.substr(0, kShown)) + "' is not an offset, size or count");
}

}  // namespace

void SparseMap::Clear() {
  ranges_.clear();
  count_ = 0;
  end_ = 0;
  stored_ = 0;
}

Status SparseMap::Add(std::uint64_t offset, std::uint64_t size) {
  if (++count_ > kMaxSparseRanges) return LimitError("kMaxSparseRanges", kMaxSparseRanges, count_);
  if (offset > kMaxFileBytes || size > kMaxFileBytes - offset) {
    return LimitError("kMaxFileBytes", kMaxFileBytes, offset > kMaxFileBytes ? offset : size);
  }
  if (offset < end_) {
    return Bad(Describe(offset, size) + " begins before the one before it ends, at " +
               std::to_string(end_));
  }
  end_ = offset + size;
  stored_ += size;
  if (size != 0) ranges_.push_back({offset, size});
  return {};
}

Status SparseMap::Check(std::uint64_t logical_size, std::uint64_t stored_size) const {
  if (end_ > logical_size) {
    return Bad("it ends at " + std::to_string(end_) + ", beyond the file's " +
               std::to_string(logical_size) + " bytes");
  }
  if (stored_ != stored_size) {
    return Bad("its ranges hold " + std::to_string(stored_) + " bytes, the archive " +
               std::to_string(stored_size));
  }
  return {};
}

Status AddOldGnuSlots(std::string_view slots, SparseMap& map) {
  constexpr std::size_t kNumber = 12;
  for (; !slots.empty(); slots.remove_prefix(2 * kNumber)) {
    if (slots[0] == '\0') break;  // unused from here on
    const auto offset = ParseNumericField(slots.substr(0, kNumber));
    const auto size = ParseNumericField(slots.substr(kNumber, kNumber));
    if (!offset || !size || *offset < 0 || *size < 0) {
      return Bad("an offset or size is not a number of zero or more");
    }
    WCLAYER_TRY(map.Add(static_cast<std::uint64_t>(*offset), static_cast<std::uint64_t>(*size)));
  }
  return {};
}

Expected<PaxSparse> PaxSparseKind(const SparseRecords& records,
                                  std::span<const std::uint64_t> pairs) {
  if (records.major.empty() && records.minor.empty()) {  // 0.0 and 0.1 need not say so
    return records.map.empty() && pairs.empty() ? PaxSparse::kNone : PaxSparse::kInRecords;
  }
  if (records.major == "0" && (records.minor == "0" || records.minor == "1")) {
    return PaxSparse::kInRecords;
  }
  if (records.major == "1" && records.minor == "0") return PaxSparse::kInPayload;
  constexpr std::size_t kShown = 16;
  // Such a file would come out as its compact form: a silent loss.
  return Bad("unknown version '" + std::string(records.major.substr(0, kShown)) + "." +
             std::string(records.minor.substr(0, kShown)) + "'");
}

Status AddRecordRanges(const SparseRecords& records, std::span<const std::uint64_t> pairs,
                       SparseMap& map) {
  WCLAYER_ASSIGN(const std::uint64_t count, MapNumber(records.num_blocks));
  const auto wrong_count = [&](std::uint64_t numbers) {
    return Bad("GNU.sparse.numblocks announces " + std::to_string(count) + " ranges, the map has " +
               std::to_string(numbers) + " numbers");
  };
  if (count > kMaxSparseRanges) return LimitError("kMaxSparseRanges", kMaxSparseRanges, count);
  if (!pairs.empty()) {
    if (pairs.size() != 2 * count) return wrong_count(pairs.size());
    for (std::size_t i = 0; i < pairs.size(); i += 2) WCLAYER_TRY(map.Add(pairs[i], pairs[i + 1]));
    return {};
  }
  std::string_view rest = records.map;
  std::uint64_t numbers = 0;
  std::uint64_t offset = 0;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    WCLAYER_ASSIGN(const std::uint64_t number, MapNumber(rest.substr(0, comma)));
    if (numbers++ % 2 == 0) {
      offset = number;
    } else {
      WCLAYER_TRY(map.Add(offset, number));
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
    if (rest.empty()) return Bad("it ends with a comma");
  }
  return numbers == 2 * count ? Status() : Status(wrong_count(numbers));
}

Expected<std::size_t> PayloadMapParser::Feed(Bytes bytes, SparseMap& map) {
  constexpr unsigned kMaxDigits = 18;  // fits in 64 bits; kMaxFileBytes has 14
  std::size_t used = 0;
  while (used < bytes.size() && !done()) {
    const char c = static_cast<char>(bytes[used++]);
    if (c == '\n') {
      WCLAYER_TRY(EndLine(map));
    } else if (c >= '0' && c <= '9' && line_digits_ < kMaxDigits) {
      line_ = line_ * 10 + static_cast<std::uint64_t>(c - '0');
      ++line_digits_;
    } else {
      return Bad("a line at the start of the payload is not a decimal number");
    }
  }
  return used;
}

Status PayloadMapParser::EndLine(SparseMap& map) {
  if (line_digits_ == 0) return Bad("a line at the start of the payload is empty");
  const std::uint64_t number = line_;
  line_ = 0;
  line_digits_ = 0;
  if (!have_count_) {
    if (number > kMaxSparseRanges) return LimitError("kMaxSparseRanges", kMaxSparseRanges, number);
    have_count_ = true;
    left_ = 2 * number;
    return {};
  }
  if (left_-- % 2 == 0) {
    offset_ = number;
    return {};
  }
  return map.Add(offset_, number);
}

}  // namespace wclayer::tar
