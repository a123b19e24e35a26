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

}  // namespace wclayer
