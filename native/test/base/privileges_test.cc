#include "base/privileges.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace wclayer {
namespace {

// A process whose privileges are a map.
struct Process {
  std::map<std::string, bool> on;
  std::string missing;
  Privileges privileges{[this](const std::string& name, bool wanted) -> Expected<bool> {
    if (name == missing) return Error(Errc::kAccessDenied, "lacks " + name);
    const bool was = on[name];
    on[name] = wanted;
    return was;
  }};
};

TEST(PrivilegesTest, TheLastToLetGoPutsThemBack) {
  Process process;
  auto one = process.privileges.Acquire({"a", "b"});
  auto two = process.privileges.Acquire({"b"});
  ASSERT_TRUE(one);
  ASSERT_TRUE(two);
  one->reset();
  EXPECT_FALSE(process.on["a"]);
  EXPECT_TRUE(process.on["b"]);
  const PrivilegeHold copy = *two;
  two->reset();
  EXPECT_TRUE(process.on["b"]) << "a copy holds as well";
}

TEST(PrivilegesTest, WhatWasOnStaysOn) {
  Process process;
  process.on["a"] = true;
  auto hold = process.privileges.Acquire({"a"});
  ASSERT_TRUE(hold);
  hold->reset();
  EXPECT_TRUE(process.on["a"]);
}

TEST(PrivilegesTest, AllOrNone) {
  Process process;
  process.missing = "b";
  const auto hold = process.privileges.Acquire({"a", "b"});
  ASSERT_FALSE(hold);
  EXPECT_EQ(hold.error().message, "lacks b");
  EXPECT_FALSE(process.on["a"]);
  process.missing.clear();
  EXPECT_TRUE(process.privileges.Acquire({"a", "b"})) << "and nothing is remembered";
}

TEST(PrivilegesTest, ThreadsNeverTakeThemFromEachOther) {
  // Turning off is seen by whoever has it held: then it is a loss.
  std::atomic<int> holders{0};
  std::atomic<int> lost{0};
  Privileges privileges([&](const std::string&, bool on) -> Expected<bool> {
    if (!on && holders > 0) ++lost;
    return false;
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const auto hold = privileges.Acquire({"a"});
        ++holders;
        if (!hold) ++lost;
        --holders;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace wclayer
