#include <gtest/gtest.h>

#include "wclayer/driver.h"

namespace wclayer {
namespace {

TEST(Options, SizesAreBinaryMultiples) {
  EXPECT_EQ(*ParseSize("20GB"), 20ull << 30);
  EXPECT_EQ(*ParseSize("127g"), 127ull << 30);
  EXPECT_EQ(*ParseSize("1 MiB"), 1ull << 20);
  EXPECT_EQ(*ParseSize("1048576"), 1048576u);
  for (const char* bad : {"", "GB", "-1", "1x", "99999999999P", "1.5G"})
    EXPECT_FALSE(ParseSize(bad)) << bad;
}

TEST(Options, AreSetByName) {
  DriverOptions options;
  ASSERT_TRUE(SetOption(options, "size", "1GB"));
  ASSERT_TRUE(SetOption(options, "lockWait", "0"));
  ASSERT_TRUE(SetOption(options, "durability", "none"));
  ASSERT_TRUE(SetOption(options, "mount", "checkout"));
  EXPECT_EQ(options.scratch_size_bytes, 1ull << 30);
  EXPECT_EQ(options.lock_wait.count(), 0);
  EXPECT_EQ(options.durability, DurabilityLevel::kNone);
  EXPECT_TRUE(options.force_checkout);
}

TEST(Options, UnknownOnesListTheKnown) {
  DriverOptions options;
  const auto status = SetOption(options, "colour", "red");
  ASSERT_FALSE(status);
  for (const char* known : {"size", "lockWait", "durability", "mount", "strict", "zstdWindowLog"}) {
    EXPECT_NE(status.error().message.find(known), std::string::npos) << known;
  }
  EXPECT_FALSE(SetOption(options, "durability", "sometimes"));
}

}  // namespace
}  // namespace wclayer
