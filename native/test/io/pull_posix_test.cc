#include "io/pull.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <random>
#include <thread>

#include "io/digest.h"
#include "io/streams.h"

namespace wclayer::io {
namespace {

std::string DigestOf(std::string_view data) {
  Sha256 sha;
  sha.Update(AsBytes(data));
  return sha.FinishText();
}

// Hands `data` out in pieces of any size, as a layer's exporter does.
class Source {
 public:
  explicit Source(std::string_view data, std::uint64_t seed = 1) : data_(data), random_(seed) {}
  Expected<std::size_t> operator()(MutableBytes buffer) {
    EXPECT_GE(buffer.size(), PullStream::kLeastFill);
    const std::size_t most = std::min(buffer.size(), data_.size() - at_);
    const std::size_t count = most == 0 ? 0 : 1 + random_() % most;
    std::copy_n(AsBytes(data_).begin() + static_cast<std::ptrdiff_t>(at_), count, buffer.begin());
    at_ += count;
    return count;
  }

 private:
  std::string_view data_;
  std::size_t at_ = 0;
  std::mt19937_64 random_;
};

std::string ReadAll(PullStream& stream, std::size_t piece) {
  std::string all;
  Buffer buffer(piece);
  for (;;) {
    const auto count = stream.Read(buffer);
    if (!count) {
      ADD_FAILURE() << count.error().ToString();
      return all;
    }
    if (*count == 0) return all;
    all += AsText(Bytes(buffer).first(*count));
  }
}

std::string Inflated(std::string_view packed) {
  Collector collector;
  Decompressor inflate(collector);
  EXPECT_TRUE(inflate.Write(AsBytes(packed)).has_value());
  EXPECT_TRUE(inflate.Finish().has_value());
  return collector.data;
}

PullOptions Small(PullOptions options) {
  options.least_reader_share = 0;
  options.slabs = {.slab_bytes = 70'000, .slabs = 3};
  return options;
}

// Every size around the borders of slabs and threads, every reader's buffer, every compression.
TEST(PullStreamTest, EveryByteArrivesInOrder) {
  const std::string data = RandomBytes(3'000'000, 90);
  for (const std::size_t size : {0u, 1u, 65'535u, 299'999u, 300'000u, 300'001u, 3'000'000u}) {
    const std::string_view part = std::string_view(data).substr(0, size);
    for (const bool digest : {true, false}) {
      for (const auto kind : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
        for (const std::size_t piece : {1'000u, 65'536u, 1u << 20}) {
          PullOptions options;
          options.digest = digest;
          options.compression = {.kind = kind, .threads = 2};
          options.threads_from = 300'000;
          PullStream stream(Source(part, size + piece), Small(options));
          const std::string read = ReadAll(stream, piece);
          ASSERT_TRUE((kind == Compression::kNone ? read : Inflated(read)) == part)
              << size << " bytes in pieces of " << piece << ", compression "
              << static_cast<int>(kind);
          EXPECT_EQ(stream.plain_bytes(), size);
          EXPECT_EQ(stream.packed_bytes(), read.size());
          EXPECT_EQ(stream.plain_digest(), digest ? DigestOf(part) : "");
          EXPECT_EQ(stream.packed_digest(), digest ? DigestOf(read) : "");
          Buffer more(10);
          const auto end = stream.Read(more);
          ASSERT_TRUE(end.has_value());
          EXPECT_EQ(*end, 0u);
        }
      }
    }
  }
}

TEST(PullStreamTest, ThreadsChangeNoByte) {
  const std::string data = RandomBytes(5'000'000, 91);
  const auto packed = [&](std::uint64_t threads_from) {
    PullOptions options;
    options.compression = {.kind = Compression::kGzip, .threads = 3};
    options.threads_from = threads_from;
    PullStream stream(Source(data, threads_from), options);
    return ReadAll(stream, 100'000);
  };
  EXPECT_TRUE(packed(0) == packed(1u << 30));
}

// What was generated before a failure is read first, then the failure, again and again.
TEST(PullStreamTest, AFailureComesBehindTheBytesBeforeIt) {
  const std::string data = RandomBytes(2'000'000, 92);
  for (const std::size_t good : {0u, 100'000u, 1'999'000u}) {
    for (const auto kind : {Compression::kNone, Compression::kZstd}) {
      Source source(std::string_view(data).substr(0, good));
      PullOptions options;
      options.compression.kind = kind;
      options.threads_from = 50'000;
      PullStream stream(
          [&](MutableBytes buffer) -> Expected<std::size_t> {
            WCLAYER_ASSIGN(const std::size_t count, source(buffer));
            if (count == 0) return Error(Errc::kLayerDamaged, "gone");
            return count;
          },
          Small(options));
      std::string read;
      Buffer buffer(200'000);
      auto count = stream.Read(buffer);
      for (; count && *count != 0; count = stream.Read(buffer))
        read += AsText(Bytes(buffer).first(*count));
      ASSERT_FALSE(count.has_value()) << good;
      EXPECT_EQ(count.error().code, Errc::kLayerDamaged);
      if (kind == Compression::kNone) {
        EXPECT_TRUE(read == std::string_view(data).substr(0, good));
      }
      EXPECT_FALSE(stream.Read(buffer).has_value());
    }
  }
}

TEST(PullStreamTest, WhatAGeneratorThrowsIsAFailure) {
  for (const auto kind : {Compression::kNone, Compression::kGzip}) {
    std::atomic<int> calls = 0;
    PullOptions options;
    options.compression.kind = kind;
    options.threads_from = 1;
    PullStream stream(
        [&](MutableBytes buffer) -> Expected<std::size_t> {
          if (++calls > 100) throw std::bad_alloc();
          return buffer.size();
        },
        Small(options));
    Buffer buffer(1u << 20);
    auto count = stream.Read(buffer);
    while (count && *count != 0) count = stream.Read(buffer);
    ASSERT_FALSE(count.has_value());
    EXPECT_EQ(count.error().message, "out of memory");
  }
}

// A reader that stops reading stops the generator, and no thread turns in circles meanwhile.
TEST(PullStreamTest, ASlowReaderHoldsTheGeneratorBackAndNobodyIsBusy) {
  std::atomic<std::uint64_t> made = 0;
  PullOptions options;
  options.threads_from = 1;
  options.least_reader_share = 0;
  options.slabs = {.slab_bytes = 64u << 10, .slabs = 3};
  PullStream stream(
      [&](MutableBytes buffer) -> Expected<std::size_t> {
        made += buffer.size();
        return buffer.size();
      },
      options);
  Buffer buffer(64u << 10);
  ASSERT_TRUE(stream.Read(buffer).has_value());
  ASSERT_TRUE(stream.Read(buffer).has_value());  // here the threads begin
  // Two reads, three slabs, one being made: no more, however long nobody reads.
  std::uint64_t before = 0;
  while (before != made) {
    before = made;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LE(made, 6u * (64u << 10));
  const auto wakeups = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
  };
  const long first = wakeups();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LE(wakeups() - first, 5);
  EXPECT_LE(made, 6u * (64u << 10));
}

// Threads of a plain stream without digests are for readers that have work of their own.
TEST(PullStreamTest, OnlyABusyReaderOfAPlainStreamGetsThreads) {
  constexpr auto kWork = std::chrono::milliseconds(2);
  const auto here = [&](bool generator_works, bool reader_works, double least_reader_share) {
    const std::thread::id reader = std::this_thread::get_id();
    std::atomic<bool> elsewhere = false;
    PullOptions options;
    options.digest = false;
    options.least_reader_share = least_reader_share;
    PullStream stream(
        [&](MutableBytes buffer) -> Expected<std::size_t> {
          if (generator_works) std::this_thread::sleep_for(kWork);
          if (std::this_thread::get_id() != reader) elsewhere = true;
          return buffer.size();
        },
        options);
    Buffer buffer(1u << 20);
    for (int read = 0; read < 40; ++read) {
      EXPECT_TRUE(stream.Read(buffer).has_value());
      if (reader_works) std::this_thread::sleep_for(kWork);
    }
    return !elsewhere;
  };
  EXPECT_TRUE(here(true, false, 0.9));
  EXPECT_FALSE(here(false, true, PullOptions().least_reader_share));
}

TEST(PullStreamTest, MayBeDroppedAnywhere) {
  const std::string data = RandomBytes(3'000'000, 93);
  std::mt19937_64 random(94);
  for (int round = 0; round < 60; ++round) {
    PullOptions options;
    options.compression.kind = static_cast<Compression>(random() % 3);
    options.digest = random() % 2 == 0;
    options.threads_from = random() % 1'000'000;
    PullStream stream(Source(data, random()), Small(options));
    Buffer buffer(1 + random() % 300'000);
    for (std::uint64_t reads = random() % 8; reads != 0; --reads)
      ASSERT_TRUE(stream.Read(buffer).has_value()) << round;
  }
}

}  // namespace
}  // namespace wclayer::io
