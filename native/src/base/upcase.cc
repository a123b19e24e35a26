#include "base/upcase.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

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

char UpcaseAscii(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
}

// Eight bytes at a time, none of which has its highest bit set.
void UpcaseAscii(char* at, std::size_t left) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  for (std::uint64_t eight = 0; left >= sizeof eight; left -= sizeof eight, at += sizeof eight) {
    std::memcpy(&eight, at, sizeof eight);
    const std::uint64_t from_a = eight + (0x80 - 'a') * kOnes;
    const std::uint64_t above_z = eight + (0x7F - 'z') * kOnes;
    eight -= (from_a & ~above_z & 0x80 * kOnes) >> 2;  // 0x20 from each lower-case letter
    std::memcpy(at, &eight, sizeof eight);
  }
  for (; left != 0; --left, ++at) *at = UpcaseAscii(*at);
}

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

std::string LowerAscii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

bool EqualNoCaseAscii(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](char left, char right) { return UpcaseAscii(left) == UpcaseAscii(right); });
}

std::string UpcaseUtf8(std::string_view name) {
  if (IsAscii(name)) {
    std::string upper(name);
    UpcaseAscii(upper.data(), upper.size());
    return upper;
  }
  auto wide = ToUtf16(name);
  if (!wide) return std::string(name);  // not a name at all: compares as its bytes
  return ToUtf8(Upcase(*wide));
}

bool EqualNoCaseUtf8(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (((a[i] | b[i]) & 0x80) != 0) return UpcaseUtf8(a) == UpcaseUtf8(b);
    if (a[i] != b[i] && UpcaseAscii(a[i]) != UpcaseAscii(b[i])) return false;
  }
  return a.size() == b.size();  // upcasing takes no characters away
}

}  // namespace wclayer
