// How NTFS compares names: unit by unit through the volume's upcase table ($UpCase), whatever the
// locale; units above the BMP are compared as they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wclayer {

char16_t Upcase(char16_t unit);
std::u16string Upcase(std::u16string_view name);
int CompareNoCase(std::u16string_view a, std::u16string_view b);  // <0, 0, >0
bool EqualNoCase(std::u16string_view a, std::u16string_view b);

// Upcases a (W)UTF-8 name without going through UTF-16 when it is plain ASCII.
std::string UpcaseUtf8(std::string_view name);

// Whether two (W)UTF-8 names are one; what is no UTF-8 is compared as bytes.
bool EqualNoCaseUtf8(std::string_view a, std::string_view b);

// Whether two ASCII names are one but for the case of letters. Other bytes are compared as they
// are.
bool EqualNoCaseAscii(std::string_view a, std::string_view b);

// An ASCII name in small letters; other bytes stay as they are.
std::string LowerAscii(std::string_view text);

}  // namespace wclayer
