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
  Buffer out;
  out.reserve(digits * 3 / 4);
  std::uint32_t group = 0;
  int bits = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int value = kValues[static_cast<unsigned char>(text[i])];
    if (value < 0) return bad();
    group = group << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<std::byte>(group >> bits & 255));
  }
  if (bits != 0 && (group & ((1u << bits) - 1)) != 0) return bad();  // bits that belong to nothing
  return out;
}

}  // namespace wclayer::layer
