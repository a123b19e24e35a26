#include "tar/numbers.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace wclayer::tar {
namespace {

std::optional<std::int64_t> ParseBase256(std::string_view field) {
  const bool negative = (static_cast<unsigned char>(field[0]) & 0x40u) != 0;
  const std::uint8_t inversion = negative ? 0xFF : 0;  // -a - 1 == ~a
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    auto byte = static_cast<std::uint8_t>(static_cast<std::uint8_t>(field[i]) ^ inversion);
    if (i == 0) byte &= 0x7F;  // the marker bit is no part of the number
    if (value >> 56 != 0) return std::nullopt;
    value = value << 8 | byte;
  }
  if (value >> 63 != 0) return std::nullopt;
  const auto positive = static_cast<std::int64_t>(value);
  return negative ? ~positive : positive;
}

bool IsFiller(char c) {
  return c == ' ' || c == '\0';
}

}  // namespace

std::optional<std::int64_t> ParseNumericField(std::string_view field) {
  if (!field.empty() && (static_cast<unsigned char>(field[0]) & 0x80u) != 0) {
    return ParseBase256(field);
  }
  const char* at = field.data();
  const char* const end = at + field.size();
  while (at != end && IsFiller(*at)) ++at;
  std::uint64_t value = 0;
  for (; at != end && *at >= '0' && *at <= '7'; ++at)  // twelve digits at most: cannot overflow
    value = value << 3 | static_cast<std::uint64_t>(*at - '0');
  // What follows an inner NUL is ignored, as Go does; behind a space only more of them may come.
  if (at != end && *at != '\0' && !std::all_of(at, end, IsFiller)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> ParseDecimal(std::string_view text) {
  if (!text.empty() && text[0] == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text[0] == '-') return std::nullopt;
  }
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

}  // namespace wclayer::tar
