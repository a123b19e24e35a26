#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "io/ring.h"

namespace wclayer::io {
namespace {

Status Fill(SlabRing& ring, int slabs) {
  for (int slab = 0; slab != slabs; ++slab) {
    WCLAYER_ASSIGN(SlabRing::Slab * next, ring.Next(0));
    next->used = 1;
    ring.Pass(0);
  }
  ring.End();
  return {};
}

// Threads that have nothing to do sleep: so does who fills slabs that nobody takes.
TEST(RingTest, WhoHasNothingToDoSleeps) {
  std::mutex gate;
  gate.lock();
  std::atomic<int> entered{0};
  SlabRing ring(2, 8, 2);
  ring.Employ(1, {[&](SlabRing::Slab&) -> Status {
                ++entered;
                const std::lock_guard wait(gate);
                return {};
              }});
  ASSERT_TRUE(ring.StartThreads().has_value());
  std::thread filling([&] { EXPECT_TRUE(Fill(ring, 10).has_value()); });
  const auto turns = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
  };
  while (entered == 0) std::this_thread::yield();
  long before = -1;
  while (before != turns()) {
    before = turns();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ++before;  // this sleep
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LE(turns() - before, 5);
  gate.unlock();
  filling.join();
  EXPECT_TRUE(ring.Complete().has_value());
  EXPECT_EQ(entered, 10);
}

}  // namespace
}  // namespace wclayer::io
