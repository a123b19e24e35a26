#include "base/utf16.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace wclayer {
namespace {

constexpr bool IsHigh(std::uint32_t c) {
  return c >= 0xD800 && c < 0xDC00;
}
constexpr bool IsLow(std::uint32_t c) {
  return c >= 0xDC00 && c < 0xE000;
}

// Decodes one code point at `at`, moves `at` behind it; -1 when the bytes are not WTF-8.
std::int32_t Next(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(at);
  if (lead < 0x80) return static_cast<std::int32_t>(text[at++]);
  std::size_t length = 0;
  std::uint32_t value = 0;
  std::uint32_t least = 0;
  if (lead >= 0xC2 && lead < 0xE0) {
    length = 2, value = lead & 0x1F, least = 0x80;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    length = 3, value = lead & 0x0F, least = 0x800;
  } else if (lead >= 0xF0 && lead < 0xF5) {
    length = 4, value = lead & 0x07, least = 0x10000;
  } else {
    return -1;
  }
  if (text.size() - at < length) return -1;
  for (std::size_t i = 1; i < length; ++i) {
    const std::uint32_t next = byte(at + i);
    if ((next & 0xC0) != 0x80) return -1;
    value = value << 6 | (next & 0x3F);
  }
  if (value < least || value > 0x10FFFF) return -1;
  at += length;
  return static_cast<std::int32_t>(value);
}

void AppendUtf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)),
        put(0x80 | (c & 0x3F));
  }
}

}  // namespace

// Eight bytes at a time: every name of a layer goes through it several times.
bool IsAscii(std::string_view text) {
  const char* at = text.data();
  std::size_t left = text.size();
  std::uint64_t all = 0;
  for (; left >= sizeof all; left -= sizeof all, at += sizeof all) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, at, sizeof eight);
    all |= eight;
  }
  for (; left != 0; --left, ++at) all |= static_cast<unsigned char>(*at);
  return (all & 0x8080808080808080u) == 0;
}

std::string ToUtf8(std::u16string_view text) {
  std::string out;
  char16_t all = 0;
  for (const char16_t c : text) all = static_cast<char16_t>(all | c);
  if (all < 0x80) {
    out.resize(text.size());
    std::transform(text.begin(), text.end(), out.begin(),
                   [](char16_t c) { return static_cast<char>(c); });
    return out;
  }
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint32_t c = text[i];
    if (IsHigh(c) && i + 1 < text.size() && IsLow(text[i + 1])) {
      c = 0x10000 + ((c - 0xD800) << 10) + (text[++i] - 0xDC00u);
    }
    AppendUtf8(out, c);
  }
  return out;
}

Expected<std::u16string> ToUtf16(std::string_view text) {
  if (IsAscii(text)) return std::u16string(text.begin(), text.end());
  std::u16string out;
  out.reserve(text.size());
  bool after_high = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const std::int32_t c = Next(text, at);
    const bool low = c >= 0 && IsLow(static_cast<std::uint32_t>(c));
    if (c < 0 || (low && after_high)) {
      return Error(Errc::kInvalidArgument,
                   "not UTF-8 (byte " + std::to_string(start) + " of a name or text)");
    }
    after_high = IsHigh(static_cast<std::uint32_t>(c));
    if (c >= 0x10000) {
      const auto rest = static_cast<std::uint32_t>(c) - 0x10000;
      out.push_back(static_cast<char16_t>(0xD800 + (rest >> 10)));
      out.push_back(static_cast<char16_t>(0xDC00 + (rest & 0x3FF)));
    } else {
      out.push_back(static_cast<char16_t>(c));
    }
  }
  return out;
}

bool IsWtf8(std::string_view text) {
  if (IsAscii(text)) return true;
  bool after_high = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::int32_t c = Next(text, at);
    if (c < 0) return false;
    const auto code = static_cast<std::uint32_t>(c);
    if (IsLow(code) && after_high) return false;
    after_high = IsHigh(code);
  }
  return true;
}

}  // namespace wclayer
