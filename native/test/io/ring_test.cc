#include "io/ring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <thread>

namespace wclayer::io {
namespace {

// Fills `count` slabs with their numbers.
Status FillWithNumbers(SlabRing& ring, std::uint64_t count) {
  for (std::uint64_t number = 0; number != count; ++number) {
    WCLAYER_ASSIGN(SlabRing::Slab * slab, ring.Next(0));
    StoreLe(slab->bytes.data(), number);
    slab->used = sizeof number;
    ring.Pass(0);
  }
  ring.End();
  return {};
}

std::uint64_t NumberIn(const SlabRing::Slab& slab) {
  return LoadLe<std::uint64_t>(slab.bytes.data());
}

// Work that wants the slabs in order, alone, each after the stage before had it.
class Checked {
 public:
  explicit Checked(const Checked* before) : before_(before) {}
  SlabRing::Work Work() {
    return {[this](SlabRing::Slab& slab) -> Status {
              if (inside_.exchange(true)) wrong = true;
              if (NumberIn(slab) != seen || slab.used != sizeof seen) wrong = true;
              if (before_ != nullptr && before_->seen <= seen) wrong = true;
              if (seen == fails_at) return Error(Errc::kIo, "broken");
              ++seen;
              inside_ = false;
              return {};
            },
            [this]() -> Status {
              ++ends;
              return {};
            }};
  }
  std::atomic<std::uint64_t> seen{0};
  std::uint64_t fails_at = UINT64_MAX;
  std::atomic<int> ends{0};
  std::atomic<bool> wrong{false};

 private:
  const Checked* before_;
  std::atomic<bool> inside_{false};
};

TEST(RingTest, EveryStageGetsEverySlabInOrder) {
  for (const std::size_t slabs : {1u, 2u, 7u}) {
    for (const std::size_t stages : {2u, 3u, 5u}) {
      std::deque<Checked> work;
      SlabRing ring(slabs, 8, stages);
      for (std::size_t stage = 1; stage != stages; ++stage) {
        work.emplace_back(work.empty() ? nullptr : &work.back());
        ring.Employ(stage, work.back().Work());
      }
      ASSERT_TRUE(ring.StartThreads().has_value());
      ASSERT_TRUE(FillWithNumbers(ring, 1000).has_value());
      ASSERT_TRUE(ring.Complete().has_value());
      for (const Checked& one : work) {
        EXPECT_EQ(one.seen, 1000u) << slabs << " slabs, " << stages << " stages";
        EXPECT_EQ(one.ends, 1);
        EXPECT_FALSE(one.wrong);
      }
    }
  }
}

// Without threads whoever waits does all of it.
TEST(RingTest, WhoWouldWaitWorks) {
  Checked first(nullptr);
  Checked second(&first);
  SlabRing ring(3, 8, 3);
  ring.Employ(1, first.Work());
  ring.Employ(2, second.Work());
  ASSERT_TRUE(FillWithNumbers(ring, 100).has_value());
  EXPECT_GE(second.seen, 97u);
  ASSERT_TRUE(ring.Complete().has_value());
  EXPECT_EQ(second.seen, 100u);
  EXPECT_EQ(second.ends, 1);
  EXPECT_FALSE(first.wrong || second.wrong);
}

// One stage does not go on before another has, and who fills slabs is the only one left for that.
TEST(RingTest, NobodyIsNeededForAStageOfItsOwn) {
  std::mutex mutex;
  std::condition_variable changed;
  int looked = 0;
  std::set<std::thread::id> workers;
  SlabRing ring(2, 8, 3);
  ring.Employ(1, {[&](SlabRing::Slab&) -> Status {
                const std::lock_guard lock(mutex);
                ++looked;
                workers.insert(std::this_thread::get_id());
                changed.notify_all();
                return {};
              }});
  ring.Employ(2, {[&](SlabRing::Slab&) -> Status {
                std::unique_lock lock(mutex);
                workers.insert(std::this_thread::get_id());
                changed.wait(lock, [&] { return looked >= 2; });
                return {};
              }});
  // At most one thread beside this one, whatever the computer has.
  std::thread beside([&] { EXPECT_TRUE(FillWithNumbers(ring, 10).has_value()); });
  EXPECT_TRUE(ring.Complete().has_value());
  beside.join();
  EXPECT_EQ(looked, 10);
  EXPECT_EQ(workers.size(), 2u);
}

TEST(RingTest, AFailureStopsWhatIsBeforeItAndNotWhatIsBehind) {
  for (const std::uint64_t at : {0u, 1u, 50u, 99u}) {
    Checked first(nullptr);
    Checked second(&first);
    Checked third(&second);
    second.fails_at = at;
    SlabRing ring(4, 8, 4);
    ring.Employ(1, first.Work());
    ring.Employ(2, second.Work());
    ring.Employ(3, third.Work());
    ASSERT_TRUE(ring.StartThreads().has_value());
    const Status filled = FillWithNumbers(ring, 100);
    const Status done = ring.Complete();
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().message, "broken");
    EXPECT_TRUE(filled || filled.error().message == "broken");
    EXPECT_EQ(second.seen, at);
    EXPECT_EQ(third.seen, at) << "what was passed on is lost";
    EXPECT_LE(first.seen, at + 5);
    EXPECT_EQ(second.ends + third.ends, 0);
  }
}

TEST(RingTest, MayBeStoppedAnywhere) {
  std::mt19937_64 random(91);
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t count = random() % 50;
    const std::size_t stages = 2 + random() % 3;
    std::deque<Checked> work;
    {
      SlabRing ring(1 + random() % 4, 8, stages);
      for (std::size_t stage = 1; stage != stages; ++stage) {
        work.emplace_back(work.empty() ? nullptr : &work.back());
        if (random() % 4 == 0) work.back().fails_at = random() % 50;
        ring.Employ(stage, work.back().Work());
      }
      ASSERT_TRUE(ring.StartThreads().has_value());
      (void)FillWithNumbers(ring, count);
      if (random() % 2 == 0) ring.Stop();
    }
    for (const Checked& one : work) ASSERT_FALSE(one.wrong) << "round " << round;
  }
}

}  // namespace
}  // namespace wclayer::io
