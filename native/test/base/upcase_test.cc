#include "base/upcase.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf16.h"

namespace wclayer {
namespace {

// FNV-1a over the 65,536 units in little-endian bytes: the whole of an NTFS volume's $UpCase file
// as mkntfs writes it.
TEST(UpcaseTest, IsTheTableOfAnNtfsVolume) {
  std::uint64_t hash = 14695981039346656037u;
  int changed = 0;
  for (std::uint32_t unit = 0; unit <= 0xFFFF; ++unit) {
    const char16_t upper = Upcase(static_cast<char16_t>(unit));
    for (const std::uint32_t byte : {upper & 0xFFu, static_cast<std::uint32_t>(upper) >> 8})
      hash = (hash ^ byte) * 1099511628211u;
    if (upper != unit) ++changed;
  }
  EXPECT_EQ(changed, 973);
  EXPECT_EQ(hash, 0x48ed4531e9399927u);
}

TEST(UpcaseTest, SingleUnits) {
  const std::pair<char16_t, char16_t> cases[] = {
      {u'a', u'A'},           {u'z', u'Z'},           {u'{', u'{'},
      {u'`', u'`'},           {u'@', u'@'},           {u'\u00df', u'\u00df'},  // sharp s stays
      {u'\u00e9', u'\u00c9'}, {u'\u00f7', u'\u00f7'},                          // division sign
      {u'\u00ff', u'\u0178'},                                                  // leaves Latin-1
      {u'\u0131', u'\u0131'},                          // dotless i stays, whatever the locale
      {u'\u0130', u'\u0130'}, {u'\u017f', u'\u017f'},  // long s stays
      {u'\u01c6', u'\u01c4'},                          // digraphs go to the upper form...
      {u'\u01c5', u'\u01c5'},                          // ...but title case is no lower case
      {u'\u03b1', u'\u0391'}, {u'\u03c2', u'\u03c2'},  // final sigma stays
      {u'\u03c3', u'\u03a3'}, {u'\u03ac', u'\u0386'}, {u'\u1f00', u'\u1f08'},
      {u'\u044f', u'\u042f'}, {u'\u0450', u'\u0400'}, {u'\u0561', u'\u0531'},
      {u'\u10d0', u'\u10d0'},  // Georgian has no case here...
      {u'\u2d00', u'\u10a0'},  // ...but Nuskhuri has
      {u'\u212a', u'\u212a'}, {u'\u24d0', u'\u24b6'}, {u'\uff41', u'\uff21'},
      {u'\uff5a', u'\uff3a'}, {u'\uffff', u'\uffff'},
  };
  for (const auto& [lower, upper] : cases)
    EXPECT_TRUE(Upcase(lower) == upper) << std::hex << static_cast<int>(lower);
}

TEST(UpcaseTest, SurrogatesStay) {
  // Deseret letters have a case, but not for NTFS, which sees two units.
  EXPECT_EQ(Upcase(u"\U00010428a"), u"\U00010428A");
  EXPECT_EQ(Upcase(std::u16string{0xD801, u'b', 0xDC28}), (std::u16string{0xD801, u'B', 0xDC28}));
}

// C11.
TEST(UpcaseTest, Compares) {
  EXPECT_EQ(CompareNoCase(u"", u""), 0);
  EXPECT_EQ(CompareNoCase(u"Files", u"fILES"), 0);
  EXPECT_LT(CompareNoCase(u"a", u"B"), 0);
  EXPECT_GT(CompareNoCase(u"b", u"A"), 0);
  EXPECT_LT(CompareNoCase(u"ab", u"ABC"), 0);
  EXPECT_GT(CompareNoCase(u"ABC", u"ab"), 0);
  // '_' stands between the cases: it is compared with the upper one.
  EXPECT_GT(CompareNoCase(u"_", u"a"), 0);
  EXPECT_TRUE(EqualNoCase(u"\u00e4\u044f", u"\u00c4\u042f"));
  EXPECT_FALSE(EqualNoCase(u"a", u"ab"));
  EXPECT_FALSE(EqualNoCase(u"stra\u00dfe", u"strasse"));
}

// Every ASCII byte at every place of a name of any length: the same as the table says.
TEST(UpcaseTest, AsciiNamesOfAnyLength) {
  for (std::size_t length = 1; length < 20; ++length) {
    for (int c = 0; c < 0x80; ++c) {
      for (std::size_t at = 0; at < length; ++at) {
        std::string name(length, 'q');
        name[at] = static_cast<char>(c);
        std::string expected(length, 'Q');
        expected[at] = static_cast<char>(Upcase(static_cast<char16_t>(c)));
        ASSERT_EQ(UpcaseUtf8(name), expected) << "byte " << c << " at " << at << " of " << length;
      }
    }
  }
}

TEST(UpcaseTest, Utf8) {
  EXPECT_EQ(UpcaseUtf8(""), "");
  EXPECT_EQ(UpcaseUtf8("Files/az{`.Txt"), "FILES/AZ{`.TXT");
  EXPECT_EQ(UpcaseUtf8(ToUtf8(u"x\u00ff\u00df")), ToUtf8(u"X\u0178\u00df"));
  EXPECT_EQ(UpcaseUtf8("a\xED\xA0\x80"), "A\xED\xA0\x80");  // a lone surrogate
  EXPECT_EQ(UpcaseUtf8("a\xFF"), "a\xFF");                  // no name: compares as its bytes
}

// The shortcuts of the comparison give what comparing upper-case names gives.
TEST(UpcaseTest, Utf8NamesAreEqualIfTheirUpperCaseIs) {
  const std::string parts[] = {"a",
                               "A",
                               "k",
                               "_",
                               "0",
                               "{",
                               "[",
                               "\xC3\xA4",
                               "\xC3\x84",
                               "\xC3\x9F",
                               "\xE2\x84\xAA" /* Kelvin */,
                               "\xED\xA0\x80",
                               "\xFF"};
  std::mt19937 random(31);
  std::vector<std::string> names = {""};
  for (int i = 0; i < 400; ++i) {
    std::string name;
    for (std::size_t n = random() % 5; n != 0; --n) name += parts[random() % std::size(parts)];
    names.push_back(std::move(name));
  }
  std::size_t equal = 0;
  for (const std::string& a : names) {
    for (const std::string& b : names) {
      const bool same = UpcaseUtf8(a) == UpcaseUtf8(b);
      equal += same && a != b ? 1u : 0u;
      ASSERT_EQ(EqualNoCaseUtf8(a, b), same) << a << " and " << b;
    }
  }
  EXPECT_GT(equal, 100u);
}

}  // namespace
}  // namespace wclayer
