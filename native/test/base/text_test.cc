// UTF-16 and WTF-8: every UTF-16 string has one WTF-8 form and comes back whole.
#include <gtest/gtest.h>

#include <random>

#include "base/utf16.h"

namespace wclayer {
namespace {

using namespace std::string_literals;

TEST(Utf16Test, KnownForms) {
  const std::pair<std::u16string, std::string> cases[] = {
      {u"", ""},
      {u"Files\\a", "Files\\a"},
      {std::u16string(1, u'\0'), "\0"s},
      {u"\u007f\u0080", "\x7F\xC2\x80"},
      {u"\u07ff\u0800", "\xDF\xBF\xE0\xA0\x80"},
      {u"\ud7ff\ue000\uffff"s, "\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"},
      {u"\U00010000\U0010ffff", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
      // Lone halves, and two halves in the wrong order.
      {{0xD800}, "\xED\xA0\x80"},
      {{0xDFFF, u'x'}, "\xED\xBF\xBFx"},
      {{0xDC00, 0xD800}, "\xED\xB0\x80\xED\xA0\x80"},
      {{0xD800, 0xD800, 0xDC00}, "\xED\xA0\x80\xF0\x90\x80\x80"},
  };
  for (const auto& [wide, narrow] : cases) {
    EXPECT_EQ(ToUtf8(wide), narrow);
    EXPECT_TRUE(IsWtf8(narrow)) << narrow;
    const auto back = ToUtf16(narrow);
    ASSERT_TRUE(back) << narrow;
    EXPECT_EQ(*back, wide) << narrow;
  }
}

TEST(Utf16Test, AsciiIsFoundWhereverAByteIsNot) {
  for (std::size_t length = 0; length < 40; ++length) {
    std::string text(length, 'a');
    EXPECT_TRUE(IsAscii(text)) << length;
    for (std::size_t at = 0; at < length; ++at) {
      text[at] = '\x80';
      EXPECT_FALSE(IsAscii(text)) << at << " of " << length;
      text[at] = 'a';
    }
  }
}

TEST(Utf16Test, NamesOnNtfs) {
  std::string forbidden;
  for (int c = 0; c < 256; ++c) {
    if (IsForbiddenInName(static_cast<char>(c)) && c >= 0x20) forbidden += static_cast<char>(c);
    if (c < 0x20) {
      EXPECT_TRUE(IsForbiddenInName(static_cast<char>(c))) << c;
    }
  }
  EXPECT_EQ(forbidden, "\"*/:<>?\\|");
}

TEST(Utf16Test, RefusesWhatIsNoWtf8) {
  const std::string cases[] = {
      "\x80",              // a continuation alone
      "\xC0\x80",          // overlong NUL
      "\xC1\xBF",          // overlong
      "\xE0\x9F\xBF",      // overlong
      "\xF0\x8F\xBF\xBF",  // overlong
      "\xF4\x90\x80\x80",  // above U+10FFFF
      "\xF5\x80\x80\x80",
      "\xFF",
      "\xC2",
      "\xE2\x82",
      "\xF0\x9F\x98",
      "\xC2 ",
      "\xE2\x28\xA1",              // no continuation
      "\xED\xA0\x80\xED\xB0\x80",  // a pair spelled as two halves
  };
  for (const std::string& text : cases) {
    EXPECT_FALSE(IsWtf8(text)) << text;
    const auto wide = ToUtf16("ab" + text);
    ASSERT_FALSE(wide) << text;
    EXPECT_EQ(wide.error().code, Errc::kInvalidArgument);
    EXPECT_NE(wide.error().message.find("not UTF-8"), std::string::npos);
  }
}

TEST(Utf16Test, EveryUnitComesBackAlone) {
  for (std::uint32_t unit = 0; unit <= 0xFFFF; ++unit) {
    const std::u16string text(1, static_cast<char16_t>(unit));
    const auto back = ToUtf16(ToUtf8(text));
    ASSERT_TRUE(back && *back == text) << unit;
  }
}

TEST(Utf16Test, RandomStringsComeBack) {
  constexpr std::uint32_t kSeed = 20240611;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 20000; ++round) {
    std::u16string text;
    for (std::uint32_t i = below(12); i > 0; --i) {
      const std::uint32_t unit = below(3) == 0 ? below(0x10000) : 0xD800 + below(0x800);
      text += static_cast<char16_t>(unit);
    }
    const std::string narrow = ToUtf8(text);
    ASSERT_TRUE(IsWtf8(narrow)) << "round " << round;
    const auto back = ToUtf16(narrow);
    ASSERT_TRUE(back && *back == text) << "round " << round;
  }
}

TEST(Utf16Test, BothChecksAgreeOnRandomBytes) {
  constexpr std::uint32_t kSeed = 77;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  static constexpr unsigned char kBytes[] = {0x00, 0x41, 0x7F, 0x80, 0x90, 0x9F, 0xA0,
                                             0xAF, 0xB0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0,
                                             0xE2, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF};
  int good = 0;
  for (int round = 0; round < 200000; ++round) {
    std::string text;
    for (std::size_t i = random() % 7; i > 0; --i)
      text += static_cast<char>(kBytes[random() % std::size(kBytes)]);
    const auto wide = ToUtf16(text);
    ASSERT_EQ(wide.has_value(), IsWtf8(text)) << "round " << round;
    if (!wide) continue;
    ++good;
    ASSERT_EQ(ToUtf8(*wide), text) << "round " << round;
  }
  EXPECT_GT(good, 1000);
}

}  // namespace
}  // namespace wclayer
