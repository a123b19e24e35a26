#include <gtest/gtest.h>

#include <limits>

#include "tar/writer.h"

namespace wclayer::tar {
namespace {

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(Time, IsWrittenAsGoWritesIt) {
  EXPECT_EQ(FormatTime({0, 0}), "0");
  EXPECT_EQ(FormatTime({12, 1}), "12.000000001");
  EXPECT_EQ(FormatTime({12, 500000000}), "12.5");
  EXPECT_EQ(FormatTime({-2, 500000000}), "-1.5");
  EXPECT_EQ(FormatTime({-1, 500000000}), "-0.5");
  EXPECT_EQ(FormatTime({-1, 999999999}), "-0.000000001");
  EXPECT_EQ(FormatTime({-1, 0}), "-1");
  EXPECT_EQ(FormatTime({6802270473, 709551616}), "6802270473.709551616");  // FILETIME 0, wrapped
  EXPECT_EQ(FormatTime({kMin, 0}), "-9223372036854775808");
  EXPECT_EQ(FormatTime({kMin, 1}), "-9223372036854775807.999999999");
  EXPECT_EQ(FormatTime({kMax, 999999999}), "9223372036854775807.999999999");
}

TEST(Time, ComesBack) {
  for (const std::int64_t seconds : {kMin, kMin + 1, std::int64_t{-2}, std::int64_t{-1},
                                     std::int64_t{0}, std::int64_t{1}, kMax}) {
    for (const std::int32_t nanos : {0, 1, 100, 500000000, 999999999}) {
      const UnixTime time{seconds, nanos};
      const auto parsed = ParseTime(FormatTime(time));
      ASSERT_TRUE(parsed) << parsed.error().ToString();
      EXPECT_EQ(*parsed, time) << FormatTime(time);
    }
  }
}

TEST(Time, IsReadAsGoReadsIt) {
  const struct {
    const char* text;
    UnixTime time;
  } cases[] = {
      {"1350244992.023960108", {1350244992, 23960108}},
      {"1350244992.02396010", {1350244992, 23960100}},
      {"1350244992.0239601089", {1350244992, 23960108}},  // the tenth digit is dropped
      {"1350244992.3", {1350244992, 300000000}},
      {"1350244992.", {1350244992, 0}},
      {"0000000001.0000", {1, 0}},
      {"+7", {7, 0}},
      {"-0", {0, 0}},
      {"-1.0", {-1, 0}},
      {"-1.000000001", {-2, 999999999}},
      {"-0.5", {-1, 500000000}},
  };
  for (const auto& [text, time] : cases) {
    const auto parsed = ParseTime(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().ToString();
    EXPECT_EQ(*parsed, time) << text;
  }
}

TEST(Time, OtherTextsAreErrors) {
  for (const char* text :
       {"", ".", ".5", "-", "+", "+-1", "1e3", "1 ", " 1", "0x1", "1.-5", "1.2.3", "1,5",
        "9223372036854775808", "-9223372036854775808.5", "1.000000000x"}) {
    const auto parsed = ParseTime(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::kBadArchive);
  }
}

TEST(Time, LongTextsAreRefusedUnread) {
  EXPECT_TRUE(ParseTime("1." + std::string(kMaxTimeChars - 2, '0')));
  for (const std::size_t length : {kMaxTimeChars - 1, std::size_t{300000}}) {
    const auto parsed = ParseTime("1." + std::string(length, '0'));
    ASSERT_FALSE(parsed);
    EXPECT_LT(parsed.error().message.size(), 200u);
  }
}

}  // namespace
}  // namespace wclayer::tar
