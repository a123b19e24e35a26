#include "base/filetime.h"

#include <gtest/gtest.h>

#include <limits>
#include <ostream>
#include <random>

namespace wclayer {

void PrintTo(const UnixTime& time, std::ostream* out) {
  *out << time.seconds << "s+" << time.nanos << "ns";
}

namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

TEST(FiletimeTest, KnownTimes) {
  EXPECT_EQ(UnixOfFiletime(kFiletimeOfUnixEpoch), (UnixTime{0, 0}));
  EXPECT_EQ(UnixOfFiletime(kFiletimeOfUnixEpoch + 1), (UnixTime{0, 100}));
  EXPECT_EQ(UnixOfFiletime(kFiletimeOfUnixEpoch - 1), (UnixTime{-1, 999'999'900}));
  EXPECT_EQ(UnixOfFiletime(0), (UnixTime{-11'644'473'600, 0}));
  EXPECT_EQ(UnixOfFiletime(-1), (UnixTime{-11'644'473'601, 999'999'900}));
  EXPECT_EQ(UnixOfFiletime(133'444'736'011'234'567), (UnixTime{1'700'000'001, 123'456'700}));
}

TEST(FiletimeTest, WrapsAsTheReferenceDoes) {
  // spec layer-formats §c.3
  EXPECT_EQ(WrappedUnixOfFiletime(0), (UnixTime{6'802'270'473, 709'551'616}));
  for (const std::int64_t time :
       {kFiletimeOfUnixEpoch - 5, kFiletimeOfUnixEpoch, std::int64_t{133'444'736'011'234'567}}) {
    EXPECT_EQ(WrappedUnixOfFiletime(time), UnixOfFiletime(time));
  }
  // The ends of 64-bit nanoseconds, and one step beyond them.
  constexpr std::int64_t kLast = kFiletimeOfUnixEpoch + kMost / 100;
  EXPECT_EQ(WrappedUnixOfFiletime(kLast), (UnixTime{9'223'372'036, 854'775'800}));
  EXPECT_EQ(WrappedUnixOfFiletime(kLast + 1).seconds, -9'223'372'037);
  // 1754-08-30T22:43:41Z: Go's zero time, as a FILETIME (spec layer-formats §c.4).
  EXPECT_EQ(UnixOfFiletime(48'491'090'211'286'549), (UnixTime{-6'795'364'579, 128'654'900}));
}

TEST(FiletimeTest, KeepsWhatIsFinerThanAStep) {
  std::int64_t filetime = 0;
  std::uint8_t remainder = 0;
  ASSERT_TRUE(FiletimeOfUnix({1, 123'456'789}, filetime, remainder));
  EXPECT_EQ(filetime, kFiletimeOfUnixEpoch + 11'234'567);
  EXPECT_EQ(remainder, 89);
  ASSERT_TRUE(FiletimeOfUnix({-1, 999'999'999}, filetime, remainder));
  EXPECT_EQ(filetime, kFiletimeOfUnixEpoch - 1);
  EXPECT_EQ(remainder, 99);
}

// C7.
TEST(FiletimeTest, EveryFiletimeComesBack) {
  constexpr std::uint32_t kSeed = 1601;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937_64 random(kSeed);
  std::vector<std::int64_t> times = {
      kLeast, kLeast + 1, kLeast + 4'775'808, kLeast + 10'000'000, -1, 0, 1, kMost - 1, kMost};
  for (int i = 0; i < 100'000; ++i)
    times.push_back(static_cast<std::int64_t>(random()) >> (random() % 64));
  for (const std::int64_t time : times) {
    const UnixTime unix_time = UnixOfFiletime(time);
    ASSERT_TRUE(unix_time.nanos >= 0 && unix_time.nanos < 1'000'000'000) << time;
    std::int64_t back = 0;
    std::uint8_t remainder = 0;
    ASSERT_TRUE(FiletimeOfUnix(unix_time, back, remainder)) << time;
    ASSERT_EQ(back, time);
    ASSERT_EQ(remainder, 0) << time;
  }
}

TEST(FiletimeTest, RefusesWhatDoesNotFit) {
  const UnixTime last = UnixOfFiletime(kMost);
  const UnixTime first = UnixOfFiletime(kLeast);
  for (const UnixTime time : {UnixTime{last.seconds, last.nanos + 100},
                              {last.seconds + 1, 0},
                              {first.seconds, first.nanos - 100},
                              {first.seconds - 1, 0},
                              {kLeast, 0},
                              {kMost, 999'999'999}}) {
    std::int64_t filetime = 42;
    std::uint8_t remainder = 42;
    EXPECT_FALSE(FiletimeOfUnix(time, filetime, remainder)) << testing::PrintToString(time);
    EXPECT_EQ(filetime, 42);
    EXPECT_EQ(remainder, 42);
  }
}

}  // namespace
}  // namespace wclayer
