#include "layer/base64.h"

#include <array>

namespace wclayer::layer {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> MakeValues() {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr std::array<std::int8_t, 256> kValues = MakeValues();

}  // namespace

void AppendBase64(std::string& out, Bytes bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); };
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) out += kDigits[group >> shift & 63];
  }
  if (i + 1 == bytes.size()) {
    const std::uint32_t group = byte(i) << 16;
    out += kDigits[group >> 18];
    out += kDigits[group >> 12 & 63];
    out += "==";
  } else if (i + 2 == bytes.size()) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8;
    out += kDigits[group >> 18];
    out += kDigits[group >> 12 & 63];
    out += kDigits[group >> 6 & 63];
    out += '=';
  }
}

Expected<Buffer> ParseBase64(std::string_view text) {
  const auto bad = [] { return Error(Errc::kBadArchive, "not base64"); };
  if (text.size() % 4 != 0) return bad();
  std::size_t digits = text.size();
  while (digits != 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  Buffer out(digits * 3 / 4);
  std::byte* to = out.data();
  const auto value = [&](std::size_t at) -> std::int32_t {
    return kValues[static_cast<unsigned char>(text[at])];
  };
  const auto put = [&](std::int32_t bits) { *to++ = static_cast<std::byte>(bits & 255); };
  std::int32_t all = 0;  // negative as soon as one digit is none
  std::size_t i = 0;
  for (; i + 4 <= digits; i += 4) {
    const std::int32_t a = value(i), b = value(i + 1), c = value(i + 2), d = value(i + 3);
    all |= a | b | c | d;
    put(a * 4 | b >> 4), put(b * 16 | c >> 2), put(c * 64 | d);
  }
  std::int32_t rest = 0;  // bits that belong to nothing
  if (digits - i >= 2) {
    const std::int32_t a = value(i), b = value(i + 1);
    const std::int32_t c = digits - i == 3 ? value(i + 2) : 0;
    all |= a | b | c;
    put(a * 4 | b >> 4);
    if (digits - i == 3) put(b * 16 | c >> 2);
    rest = digits - i == 3 ? c & 3 : b & 15;
  }
  if (all < 0 || rest != 0) return bad();
  return out;
}

}  // namespace wclayer::layer
