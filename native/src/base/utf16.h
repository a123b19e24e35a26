// UTF-16 (Windows, Java, the vmcompute ABI) and WTF-8 (tars, disks) names. WTF-8 is UTF-8 that may
// also hold lone surrogates, so every UTF-16 string has exactly one WTF-8 form and comes back
// whole.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/expected.h"

namespace wclayer {

bool IsAscii(std::string_view text);  // then one byte is one UTF-16 unit, and WTF-8 for sure
// What no name on NTFS can hold: control characters and \ / : * ? " < > |
constexpr bool IsForbiddenInName(char c);

std::string ToUtf8(std::u16string_view text);             // total: lone surrogates become WTF-8
Expected<std::u16string> ToUtf16(std::string_view text);  // error: not (W)UTF-8
bool IsWtf8(std::string_view text);                       // strict otherwise: no overlong forms, no
                                                          // surrogate pair spelled as two halves

namespace detail {
inline constexpr std::array<bool, 256> kForbiddenInName = [] {
  std::array<bool, 256> forbidden{};
  for (std::size_t c = 0; c < 0x20; ++c) forbidden[c] = true;
  for (const char c : std::string_view("\\/:*?\"<>|"))
    forbidden[static_cast<unsigned char>(c)] = true;
  return forbidden;
}();
}  // namespace detail

constexpr bool IsForbiddenInName(char c) {
  return detail::kForbiddenInName[static_cast<unsigned char>(c)];
}

}  // namespace wclayer
