#include "base/upcase.h"

#include <algorithm>
#include <array>

#include "base/upcase_table.h"
#include "base/utf16.h"

namespace wclayer {
namespace {

constexpr std::array<char16_t, 65536> MakeTable() {
  std::array<char16_t, 65536> table{};
  for (std::size_t unit = 0; unit < table.size(); ++unit) table[unit] = static_cast<char16_t>(unit);
  for (const UpcaseRun& run : kUpcaseRuns) {
    for (std::uint32_t unit = run.first; unit <= run.last; unit += run.step) {
      table[unit] = static_cast<char16_t>(static_cast<std::int32_t>(unit) + run.delta);
    }
  }
  return table;
}

constexpr std::array<char16_t, 65536> kTable = MakeTable();

}  // namespace

char16_t Upcase(char16_t unit) {
  if (unit < 0x80) return unit >= u'a' && unit <= u'z' ? static_cast<char16_t>(unit - 32) : unit;
  return kTable[unit];
}

std::u16string Upcase(std::u16string_view name) {
  std::u16string upper(name);
  for (char16_t& unit : upper) unit = Upcase(unit);
  return upper;
}

int CompareNoCase(std::u16string_view a, std::u16string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    const int difference = Upcase(a[i]) - Upcase(b[i]);
    if (difference != 0) return difference;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

bool EqualNoCase(std::u16string_view a, std::u16string_view b) {
  return a.size() == b.size() && CompareNoCase(a, b) == 0;
}

std::string UpcaseUtf8(std::string_view name) {
  const bool ascii = std::all_of(name.begin(), name.end(),
                                 [](char c) { return static_cast<signed char>(c) >= 0; });
  if (ascii) {
    std::string upper(name);
    for (char& c : upper) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    }
    return upper;
  }
  auto wide = ToUtf16(name);
  if (!wide) return std::string(name);  // not a name at all: compares as its bytes
  return ToUtf8(Upcase(*wide));
}

}  // namespace wclayer
