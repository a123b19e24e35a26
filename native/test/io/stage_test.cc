#include "io/stage.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>

#include "io/put_off.h"
#include "io/streams.h"

namespace wclayer::io {
namespace {

// Lets no Write through before the gate is opened.
class GatedSink final : public ByteSink {
 public:
  Status Write(Bytes bytes) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    data += AsText(bytes);
    return {};
  }
  Status Finish() override {
    finished = true;
    return {};
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void AwaitFirstWrite() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ != 0; });
  }
  std::string data;
  std::atomic<bool> finished = false;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

TEST(StageTest, BytesArriveInOrderWhateverTheSizes) {
  const std::string data = RandomBytes(300'000, 80);
  for (const std::size_t slab : {1u, 7u, 4096u, 1u << 20}) {
    for (const std::size_t slabs : {1u, 2u, 4u}) {
      for (const std::size_t piece : {1u, 5'000u, 300'000u}) {
        const std::string_view part = std::string_view(data).substr(0, slab < 10 ? 3'000 : 300'000);
        Collector collector;
        ThreadedSink stage(collector, {.slab_bytes = slab, .slabs = slabs});
        ASSERT_TRUE(WriteInPieces(stage, part, piece).has_value());
        ASSERT_TRUE(stage.Finish().has_value());
        EXPECT_TRUE(collector.finished);
        ASSERT_TRUE(collector.data == part) << slab << " × " << slabs << ", pieces of " << piece;
      }
    }
  }
}

TEST(StageTest, NextIsCalledByOneThreadAtATime) {
  class Alone final : public Collector {
   public:
    Status Write(Bytes) override { return Note(); }
    Status Finish() override { return Note(); }
    std::size_t calls = 0;
    bool disturbed = false;

   private:
    Status Note() {
      disturbed |= inside_.exchange(true);
      ++calls;
      std::this_thread::yield();
      inside_ = false;
      return {};
    }
    std::atomic<bool> inside_{false};
  } alone;
  {
    ThreadedSink stage(alone, {.slab_bytes = 10, .slabs = 2});
    ASSERT_TRUE(WriteInPieces(stage, RandomBytes(1000, 81), 10).has_value());
    ASSERT_TRUE(stage.Finish().has_value());
  }
  EXPECT_EQ(alone.calls, 101u);
  EXPECT_FALSE(alone.disturbed);
}

TEST(StageTest, NothingWrittenIsFinishedToo) {
  Collector collector;
  ThreadedSink stage(collector);
  ASSERT_TRUE(stage.Finish().has_value());
  EXPECT_TRUE(collector.finished);
  EXPECT_EQ(collector.data, "");
}

TEST(StageTest, OptionsOfZeroAreTakenAsOne) {
  Collector collector;
  ThreadedSink stage(collector, {.slab_bytes = 0, .slabs = 0});
  ASSERT_TRUE(stage.Write(AsBytes("abc")).has_value());
  ASSERT_TRUE(stage.Finish().has_value());
  EXPECT_EQ(collector.data, "abc");
}

TEST(StageTest, TheWriterWaitsWhenAllSlabsAreFull) {
  GatedSink gate;
  ThreadedSink stage(gate, {.slab_bytes = 100, .slabs = 3});
  std::atomic<int> written = 0;
  std::thread writer([&] {
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(stage.Write(AsBytes(std::string(100, static_cast<char>('a' + i)))).has_value());
      ++written;
    }
    EXPECT_TRUE(stage.Finish().has_value());
  });
  gate.AwaitFirstWrite();
  // The stage holds the first of three slabs, so a fourth cannot be written, however long we look.
  for (int i = 0; i < 1000; ++i) {
    ASSERT_LE(written, 3);
    std::this_thread::yield();
  }
  gate.Open();
  writer.join();
  std::string expected;
  for (int i = 0; i < 10; ++i) expected.append(100, static_cast<char>('a' + i));
  EXPECT_EQ(gate.data, expected);
  EXPECT_TRUE(gate.finished);
}

TEST(StageTest, SlabsAreWrittenInPlace) {
  Collector collector;
  ThreadedSink stage(collector, {.slab_bytes = 100, .slabs = 2});
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    const auto room = stage.Room();
    ASSERT_TRUE(room.has_value());
    ASSERT_GE(room->size(), 1u);
    ASSERT_LE(room->size(), 100u);
    const std::size_t used = static_cast<std::size_t>(i) % (room->size() + 1);
    std::fill_n(room->begin(), used, static_cast<std::byte>(i));
    expected.append(used, static_cast<char>(i));
    ASSERT_TRUE(stage.Filled(used).has_value());
  }
  ASSERT_TRUE(stage.Finish().has_value());
  EXPECT_TRUE(collector.data == expected);
}

TEST(StageTest, MoreThanThereWasRoomForIsRefused) {
  Collector collector;
  ThreadedSink stage(collector, {.slab_bytes = 100, .slabs = 2});
  EXPECT_FALSE(stage.Filled(1).has_value());
  ASSERT_TRUE(stage.Room().has_value());
  EXPECT_FALSE(stage.Filled(101).has_value());
  EXPECT_TRUE(stage.Filled(100).has_value());
  EXPECT_FALSE(stage.Filled(1).has_value());
}

TEST(StageTest, AFailureOfTheNextStageReachesTheWriter) {
  const std::string data = RandomBytes(1'000'000, 82);
  for (const std::size_t good : {0u, 50'000u, 999'999u, 1'000'000u}) {
    FailingSink next(good);
    ThreadedSink stage(next, {.slab_bytes = 10'000, .slabs = 3});
    Status status = WriteInPieces(stage, data, 777);
    if (status) status = stage.Finish();
    ASSERT_FALSE(status.has_value()) << good;
    EXPECT_EQ(status.error().code, Errc::kNoSpace);
    EXPECT_EQ(status.error().message, "no room for this");
    const Status end = stage.Finish();
    ASSERT_FALSE(end.has_value());
    EXPECT_EQ(end.error().code, Errc::kNoSpace);
  }
}

TEST(StageTest, BytesBehindTheEndAreRefused) {
  Collector collector;
  ThreadedSink stage(collector, {.slab_bytes = 10, .slabs = 2});
  ASSERT_TRUE(stage.Write(AsBytes("abc")).has_value());
  ASSERT_TRUE(stage.Finish().has_value());
  EXPECT_FALSE(stage.Write(AsBytes("abc")).has_value());
  EXPECT_EQ(collector.data, "abc");
}

// Throws what `Exception` is, from Write or from Finish.
template <class Exception>
class ThrowingSink final : public ByteSink {
 public:
  explicit ThrowingSink(bool in_write, Exception exception)
      : in_write_(in_write), exception_(std::move(exception)) {}
  Status Write(Bytes) override {
    if (in_write_) throw exception_;
    return {};
  }
  Status Finish() override { throw exception_; }

 private:
  bool in_write_;
  Exception exception_;
};

TEST(StageTest, WhatTheNextStageThrowsIsAnError) {
  for (const bool in_write : {true, false}) {
    ThrowingSink no_memory(in_write, std::bad_alloc());
    ThreadedSink stage(no_memory, {.slab_bytes = 10, .slabs = 2});
    Status status = stage.Write(AsBytes(std::string(1000, 'x')));
    if (status) status = stage.Finish();
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().message, "out of memory");

    ThrowingSink other(in_write, std::runtime_error("surprise"));
    ThreadedSink second(other, {.slab_bytes = 10, .slabs = 2});
    status = second.Write(AsBytes(std::string(1000, 'x')));
    if (status) status = second.Finish();
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().message, "unexpected exception: surprise");
  }
}

TEST(StageTest, DestroyedWithoutFinishTheNextStageIsAbandoned) {
  const std::string data = RandomBytes(100'000, 83);
  for (const std::size_t size : {0u, 1u, 10'000u, 100'000u}) {
    Collector collector;
    {
      ThreadedSink stage(collector, {.slab_bytes = 1'000, .slabs = 4});
      ASSERT_TRUE(stage.Write(AsBytes(std::string_view(data).substr(0, size))).has_value());
    }
    EXPECT_FALSE(collector.finished);
    EXPECT_TRUE(data.starts_with(collector.data));
  }
}

TEST(StageTest, MayStopAnywhere) {
  const std::string data = RandomBytes(20'000, 84);
  std::mt19937_64 random(85);
  for (int round = 0; round < 1000; ++round) {
    const std::size_t size = random() % data.size();
    const std::size_t piece = 1 + random() % 2'000;
    const bool fails = random() % 3 == 0;
    const bool finishes = random() % 2 == 0;
    Collector collector;
    FailingSink failing(random() % (size + 1));
    ByteSink& next = fails ? static_cast<ByteSink&>(failing) : collector;
    Status status;
    {
      ThreadedSink stage(next, {.slab_bytes = 1 + random() % 3'000, .slabs = 1 + random() % 5});
      status = WriteInPieces(stage, std::string_view(data).substr(0, size), piece);
      if (status && finishes) status = stage.Finish();
    }
    if (fails) {
      ASSERT_TRUE(!status || !finishes) << "round " << round;
    } else {
      ASSERT_TRUE(status.has_value()) << "round " << round;
      ASSERT_EQ(collector.finished, finishes) << "round " << round;
      ASSERT_TRUE(data.starts_with(collector.data)) << "round " << round;
      if (finishes) {
        ASSERT_EQ(collector.data.size(), size) << "round " << round;
      }
    }
  }
}

// Keeps the very bytes it was given until they are run.
class LendingSink final : public DeferringSink {
 public:
  explicit LendingSink(std::size_t fails_at = SIZE_MAX) : fails_at_(fails_at) {}
  Status Write(Bytes bytes) override {
    work_.current().push_back(bytes);
    return deferred_ ? Status() : work_.Drain();
  }
  Status Finish() override { return {}; }
  Status Defer() override {
    deferred_ = true;
    return {};
  }
  Status Seal() override {
    work_.Seal();
    return {};
  }
  Status RunSealed() override { return work_.RunSealed(); }
  std::string data;

 private:
  bool deferred_ = false;
  std::size_t fails_at_;
  PutOff<std::vector<Bytes>> work_{[this](std::vector<Bytes>& batch) -> Status {
    for (const Bytes bytes : batch) data += AsText(bytes);
    if (data.size() > fails_at_) return Error(Errc::kIo, "full");
    return {};
  }};
};

TEST(StageTest, WhatIsPutOffSeesTheBytesAsTheyWere) {
  const std::string data = RandomBytes(300'000, 87);
  for (const std::size_t slabs : {1u, 2u, 5u}) {
    LendingSink lending;
    std::atomic<std::size_t> watched{0};
    ThreadedSink stage(
        lending, {.slab_bytes = 777, .slabs = slabs}, [&](Bytes bytes) { watched += bytes.size(); },
        &lending);
    ASSERT_TRUE(WriteInPieces(stage, data, 5'000).has_value());
    ASSERT_TRUE(stage.Finish().has_value());
    EXPECT_EQ(watched, data.size());
    EXPECT_TRUE(lending.data == data) << slabs << " slabs";
  }
}

TEST(StageTest, AFailureOfWhatWasPutOffReachesTheWriter) {
  const std::string data = RandomBytes(300'000, 88);
  for (const std::size_t fails_at : {0u, 100'000u, 299'999u}) {
    LendingSink lending(fails_at);
    ThreadedSink stage(lending, {.slab_bytes = 1'000, .slabs = 3}, {}, &lending);
    Status status = WriteInPieces(stage, data, 5'000);
    if (status) status = stage.Finish();
    ASSERT_FALSE(status.has_value()) << "fails at " << fails_at;
    EXPECT_EQ(status.error().message, "full");
  }
}

TEST(StageTest, StagesMayBeChained) {
  const std::string data = RandomBytes(500'000, 86);
  Collector collector;
  ThreadedSink third(collector, {.slab_bytes = 1'000, .slabs = 2});
  ThreadedSink second(third, {.slab_bytes = 7'000, .slabs = 2});
  ThreadedSink first(second, {.slab_bytes = 3'000, .slabs = 2});
  ASSERT_TRUE(WriteInPieces(first, data, 10'000).has_value());
  ASSERT_TRUE(first.Finish().has_value());
  EXPECT_TRUE(collector.finished);
  EXPECT_TRUE(collector.data == data);
}

}  // namespace
}  // namespace wclayer::io
