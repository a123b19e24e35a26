#include "driver/sha384.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace wclayer {
namespace {

std::string Hex(std::string_view text) {
  std::string hex;
  for (const std::byte byte : Sha384(text)) {
    char part[3];
    std::snprintf(part, sizeof part, "%02x", static_cast<unsigned>(byte));
    hex += part;
  }
  return hex;
}

// FIPS 180-4 examples.
TEST(Sha384, KnownVectors) {
  EXPECT_EQ(Hex("abc"),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baec"
            "a134c825a7");
  EXPECT_EQ(Hex(""),
            "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2"
            "f14898b95b");
  EXPECT_EQ(Hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqkl"
                "mnopqrlmnopqrsmnopqrst"
                "nopqrstu"),
            "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9"
            "fa91746039");
}

}  // namespace
}  // namespace wclayer
