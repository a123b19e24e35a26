#include "io/helper.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace wclayer::io {
namespace {

using Errand = Helper::Errand;

bool HasHelp() {
  return std::thread::hardware_concurrency() > 1;
}

// Work that has begun and goes on until it is told to end.
struct Waiting {
  std::promise<void> begun, go;
  Errand errand{[this]() -> Status {
    begun.set_value();
    go.get_future().wait();
    return {};
  }};
};

TEST(Helper, DoesInAnotherThreadWhatItIsAskedFor) {
  Helper helper;
  std::promise<std::thread::id> by;
  Errand errand([&]() -> Status {
    by.set_value(std::this_thread::get_id());
    return {};
  });
  helper.Ask(errand);
  if (!HasHelp()) {
    EXPECT_TRUE(helper.Finish(errand));
  }
  const std::thread::id who = by.get_future().get();
  EXPECT_TRUE(helper.Finish(errand));
  EXPECT_EQ(who != std::this_thread::get_id(), HasHelp());
}

TEST(Helper, WhatNobodyHasBegunIsDoneByWhoNeedsIt) {
  Helper helper;
  std::thread::id by;
  Errand errand([&]() -> Status {
    by = std::this_thread::get_id();
    return {};
  });
  EXPECT_TRUE(helper.Finish(errand));
  EXPECT_EQ(by, std::this_thread::get_id());
}

TEST(Helper, DoesEachErrandOnce) {
  Helper helper;
  for (int round = 0; round < 2000; ++round) {
    std::atomic<int> done = 0;
    Errand first([&]() -> Status {
      ++done;
      return {};
    });
    Errand second([&]() -> Status {
      done += 10;
      return {};
    });
    helper.Ask(first);
    helper.Ask(second);
    ASSERT_TRUE(helper.Finish(second));
    ASSERT_TRUE(helper.Finish(first));
    ASSERT_TRUE(helper.Finish(first));
    ASSERT_EQ(done, 11) << "round " << round;
  }
}

TEST(Helper, SaysWhatItIsAt) {
  if (!HasHelp()) GTEST_SKIP() << "one processor: nobody begins anything";
  Helper helper;
  Waiting busy;
  Errand next([]() -> Status { return {}; });
  EXPECT_FALSE(helper.IsAt(busy.errand));
  helper.Ask(busy.errand);
  busy.begun.get_future().wait();
  helper.Ask(next);
  EXPECT_TRUE(helper.IsAt(busy.errand));
  EXPECT_FALSE(helper.IsAt(next));
  busy.go.set_value();
  EXPECT_TRUE(helper.Finish(busy.errand));
  EXPECT_FALSE(helper.IsAt(busy.errand));
  EXPECT_TRUE(helper.Finish(next));
}

TEST(Helper, WhatIsWithdrawnIsNeverDone) {
  if (!HasHelp()) GTEST_SKIP() << "one processor: nobody begins anything";
  Helper helper;
  Waiting busy;
  std::atomic<bool> done = false;
  helper.Ask(busy.errand);
  busy.begun.get_future().wait();
  {
    Errand errand([&]() -> Status {
      done = true;
      return {};
    });
    helper.Ask(errand);
    helper.Withdraw(errand);
  }
  busy.go.set_value();
  helper.Withdraw(busy.errand);  // waits for what has begun
  EXPECT_FALSE(done);
}

TEST(Helper, FailuresAndExceptionsComeToWhoNeedsTheWork) {
  Helper helper;
  Errand fails([]() -> Status { return Error(Errc::kNoSpace, "full"); });
  Errand throws([]() -> Status { throw std::runtime_error("thrown"); });
  std::promise<void> last;
  Errand end([&]() -> Status {
    last.set_value();
    return {};
  });
  helper.Ask(fails);
  helper.Ask(throws);
  helper.Ask(end);
  if (HasHelp()) last.get_future().wait();
  const Status failed = helper.Finish(fails);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::kNoSpace);
  const Status thrown = helper.Finish(throws);
  ASSERT_FALSE(thrown);
  EXPECT_NE(thrown.error().message.find("thrown"), std::string::npos);
  EXPECT_TRUE(helper.Finish(end));
}

TEST(Helper, ServesManyAtOnce) {
  Helper helper;
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        Errand kept([&]() -> Status {
          ++done;
          return {};
        });
        Errand left([]() -> Status { return {}; });
        helper.Ask(left);
        helper.Ask(kept);
        helper.Withdraw(left);
        EXPECT_TRUE(helper.Finish(kept));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, 2000);
}

}  // namespace
}  // namespace wclayer::io
