#include "io/put_off.h"

#include <gtest/gtest.h>

#include <thread>

namespace wclayer::io {
namespace {

using Numbers = std::vector<int>;

TEST(PutOffTest, RunsWhatIsSealedOnceAndInOrder) {
  Numbers done;
  PutOff<Numbers> work([&](Numbers& batch) -> Status {
    done.insert(done.end(), batch.begin(), batch.end());
    return {};
  });
  work.current() = {1, 2};
  work.Seal();
  work.Seal();  // nothing new
  work.current().push_back(3);
  ASSERT_TRUE(work.RunSealed().has_value());
  EXPECT_EQ(done, (Numbers{1, 2}));
  ASSERT_TRUE(work.RunSealed().has_value());
  EXPECT_EQ(done, (Numbers{1, 2}));
  ASSERT_TRUE(work.Drain().has_value());
  EXPECT_EQ(done, (Numbers{1, 2, 3}));
}

TEST(PutOffTest, StopsAtTheFirstFailureAndKeepsIt) {
  int runs = 0;
  PutOff<Numbers> work([&](Numbers& batch) -> Status {
    ++runs;
    if (batch.front() == 2) return Error(Errc::kIo, "two");
    return {};
  });
  for (const int number : {1, 2, 3}) {
    work.current().push_back(number);
    work.Seal();
  }
  EXPECT_EQ(work.RunSealed().error().message, "two");
  EXPECT_EQ(work.Drain().error().message, "two");
  EXPECT_EQ(runs, 2);
}

TEST(PutOffTest, TwoThreadsRunEverythingOnceAndInOrder) {
  constexpr int kCount = 20'000;
  Numbers done;  // guarded by the order that PutOff gives
  PutOff<Numbers> work([&](Numbers& batch) -> Status {
    done.insert(done.end(), batch.begin(), batch.end());
    return {};
  });
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) EXPECT_TRUE(work.RunSealed().has_value());
  });
  for (int number = 0; number < kCount; ++number) {
    work.current().push_back(number);
    if (number % 3 == 0) work.Seal();
    if (number % 1'000 == 0) {
      EXPECT_TRUE(work.Drain().has_value());
    }
  }
  EXPECT_TRUE(work.Drain().has_value());
  stop = true;
  other.join();
  ASSERT_EQ(done.size(), static_cast<std::size_t>(kCount));
  for (int number = 0; number < kCount; ++number)
    ASSERT_EQ(done[static_cast<std::size_t>(number)], number);
}

}  // namespace
}  // namespace wclayer::io
