// UTF-16 (Windows, Java, the vmcompute ABI) and WTF-8 (tars, disks) names. WTF-8 is UTF-8 that may
// also hold lone surrogates, so every UTF-16 string has exactly one WTF-8 form and comes back
// whole.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.h"

namespace wclayer {

std::string ToUtf8(std::u16string_view text);             // total: lone surrogates become WTF-8
Expected<std::u16string> ToUtf16(std::string_view text);  // error: not (W)UTF-8
bool IsWtf8(std::string_view text);                       // strict otherwise: no overlong forms, no
                                                          // surrogate pair spelled as two halves

}  // namespace wclayer
