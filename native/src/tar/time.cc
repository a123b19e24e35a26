#include <array>
#include <charconv>
#include <limits>

#include "tar/numbers.h"
#include "tar/writer.h"

namespace wclayer::tar {
namespace {

constexpr std::int32_t kNanosPerSecond = 1'000'000'000;
constexpr std::size_t kNanoDigits = 9;

}  // namespace

std::string FormatTime(UnixTime time) {
  if (time.nanos == 0) return std::to_string(time.seconds);
  const bool negative = time.seconds < 0;
  // Both parts of a negative time count towards zero in the text, so that {-2, 0.5 s} is "-1.5".
  std::int64_t seconds = negative ? -(time.seconds + 1) : time.seconds;
  std::int32_t nanos = negative ? kNanosPerSecond - time.nanos : time.nanos;
  std::string text = negative ? "-" : "";
  text += std::to_string(seconds);
  std::array<char, kNanoDigits> digits{};
  for (std::size_t i = kNanoDigits; i-- > 0; nanos /= 10) {
    digits[i] = static_cast<char>('0' + nanos % 10);
  }
  std::size_t used = kNanoDigits;
  while (digits[used - 1] == '0') --used;
  return text.append(".").append(digits.data(), used);
}

Expected<UnixTime> ParseTime(std::string_view text) {
  const auto bad = [&](const char* why) {
    return Error(Errc::kBadArchive,
                 "time '" + std::string(text.substr(0, kMaxTimeChars)) + "' " + why);
  };
  if (text.size() > kMaxTimeChars) return bad("… is longer than any time can be");
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const auto seconds = ParseDecimal(whole);
  if (!seconds) return bad("does not begin with a whole number of seconds");
  UnixTime time{*seconds, 0};
  if (point == std::string_view::npos) return time;

  std::size_t digits = 0;
  for (const char c : text.substr(point + 1)) {
    if (c < '0' || c > '9') return bad("has something other than digits after the point");
    if (digits++ < kNanoDigits) time.nanos = time.nanos * 10 + (c - '0');
  }
  for (; digits < kNanoDigits; ++digits) time.nanos *= 10;
  if (whole[0] == '-' && time.nanos != 0) {  // "-0.5" too
    if (time.seconds == std::numeric_limits<std::int64_t>::min()) return bad("does not fit");
    --time.seconds;
    time.nanos = kNanosPerSecond - time.nanos;
  }
  return time;
}

}  // namespace wclayer::tar
