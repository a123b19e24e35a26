#include <gtest/gtest.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <memory>
#include <vector>

#include "io/chunk_format.h"
#include "io/compression.h"
#include "io/streams.h"

namespace wclayer::io {
namespace {

CompressOptions Options(Compression kind, int level = 0, int threads = 1) {
  return {.kind = kind, .level = level, .threads = threads};
}

std::string Compressed(std::string_view data, CompressOptions options,
                       std::size_t piece = 100'000) {
  Collector collector;
  const auto compressor = MakeCompressor(collector, options);
  EXPECT_TRUE(WriteInPieces(*compressor, data, piece).has_value());
  EXPECT_TRUE(compressor->Finish().has_value());
  EXPECT_TRUE(collector.finished);
  return collector.data;
}

std::string Decompressed(std::string_view data) {
  Collector collector;
  Decompressor decompressor(collector);
  EXPECT_TRUE(WriteInPieces(decompressor, data, 70'000).has_value());
  const Status end = decompressor.Finish();
  EXPECT_TRUE(end.has_value()) << end.error().ToString();
  return collector.data;
}

// Sizes around every border of a chunk.
const std::size_t kSizes[] = {
    0,        1,        1000,           (1u << 20) - 1, 1u << 20, (1u << 20) + 1,
    2u << 20, 4u << 20, (4u << 20) + 1, 9'000'000};

struct Profile {
  const char* name;
  Compression kind;
  int level;
  std::vector<const char*> tools;  // that read it
};

class ProfileTest : public testing::TestWithParam<Profile> {
 protected:
  CompressOptions options(int threads) const {
    return Options(GetParam().kind, GetParam().level, threads);
  }
};

TEST_P(ProfileTest, CommandLineToolsAndWeReadItBack) {
  for (const std::size_t size : kSizes) {
    const std::string data = Mixture(size, 40 + size);
    const std::string packed = Compressed(data, options(2));
    EXPECT_EQ(Recognise(AsBytes(packed)), GetParam().kind);
    ASSERT_TRUE(Decompressed(packed) == data) << size << " bytes";
    for (const char* tool : GetParam().tools)
      ASSERT_TRUE(Through(tool, packed) == data) << tool << ", " << size << " bytes";
  }
}

TEST_P(ProfileTest, SameBytesWhateverThePiecesAndThreads) {
  const std::string data = Mixture(11'000'000, 41);
  const std::string expected = Compressed(data, options(1), data.size());
  for (const auto& [piece, threads] :
       {std::pair(4'001u, 2), std::pair(1u << 20, 3), std::pair(5'000'000u, 100)})
    ASSERT_TRUE(Compressed(data, options(threads), piece) == expected) << threads << " threads";
}

TEST_P(ProfileTest, SameBytesFromSinglyWrittenBytes) {
  const std::string data = Prose(30'000, 42);
  EXPECT_EQ(Compressed(data, options(1), 1), Compressed(data, options(2), data.size()));
}

TEST_P(ProfileTest, IncompressibleInputHardlyGrows) {
  const std::string data = RandomBytes(5'000'000, 43);
  EXPECT_LT(Compressed(data, options(2)).size(), data.size() + data.size() / 1000 + 1000);
}

TEST_P(ProfileTest, AFailureOfTheNextStageIsFinal) {
  const std::string data = RandomBytes(12'000'000, 44);
  for (const int threads : {1, 2}) {
    for (const std::size_t good : {0u, 1'000'000u, 5'000'000u}) {
      FailingSink next(good);
      const auto compressor = MakeCompressor(next, options(threads));
      Status status = WriteInPieces(*compressor, data, 300'000);
      if (status) status = compressor->Finish();
      ASSERT_FALSE(status.has_value());
      EXPECT_EQ(status.error().code, Errc::kNoSpace);
      EXPECT_TRUE(next.failed);
      const Status again = compressor->Write(AsBytes(data));
      ASSERT_FALSE(again.has_value());
      EXPECT_EQ(again.error().code, Errc::kNoSpace);
      EXPECT_FALSE(compressor->Finish().has_value());
    }
  }
}

TEST_P(ProfileTest, MayBeDroppedAnywhere) {
  const std::string data = Mixture(9'000'000, 45);
  std::mt19937_64 random(46);
  for (int round = 0; round < 10; ++round) {
    Collector collector;
    const auto compressor = MakeCompressor(collector, options(2));
    const std::size_t stop = random() % data.size();
    ASSERT_TRUE(WriteInPieces(*compressor, std::string_view(data).substr(0, stop), 123'456));
    EXPECT_FALSE(collector.finished);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ProfileTest,
    testing::Values(Profile{"GzipFast", Compression::kGzip, 0, {"gzip -dc", "igzip -dc"}},
                    Profile{"GzipSmall", Compression::kGzip, 6, {"zcat", "pigz -dc"}},
                    Profile{"Zstd", Compression::kZstd, 0, {"zstd -dc"}},
                    Profile{"ZstdSlow", Compression::kZstd, 9, {"zstd -dc"}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(CompressorTest, NonePassesOn) {
  const std::string data = Mixture(100'000, 47);
  EXPECT_EQ(Compressed(data, Options(Compression::kNone)), data);
}

TEST(CompressorTest, EveryLevelIsReadBack) {
  const std::string data = Mixture(3'000'000, 48);
  for (const auto& [kind, most] :
       {std::pair(Compression::kGzip, 12), std::pair(Compression::kZstd, 19)}) {
    for (const int level : {-5, most - 1, most, most + 100}) {
      ASSERT_TRUE(Decompressed(Compressed(data, Options(kind, level, 2))) == data)
          << "level " << level;
    }
  }
}

TEST(CompressorTest, FastGzipIsOneMemberWithNothingThatVaries) {
  const std::string data = Mixture(5'000'000, 49);
  const std::string packed = Compressed(data, Options(Compression::kGzip, 1, 2));
  EXPECT_EQ(packed.substr(0, 10), std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10));
  std::string unpacked(data.size(), '\0');
  const auto state = std::make_unique<inflate_state>();
  isal_inflate_init(state.get());
  state->crc_flag = ISAL_GZIP;
  std::string copy = packed;
  state->next_in = reinterpret_cast<std::uint8_t*>(copy.data());
  state->avail_in = static_cast<std::uint32_t>(copy.size());
  state->next_out = reinterpret_cast<std::uint8_t*>(unpacked.data());
  state->avail_out = static_cast<std::uint32_t>(unpacked.size());
  ASSERT_EQ(isal_inflate(state.get()), ISAL_DECOMP_OK);
  EXPECT_EQ(state->block_state, ISAL_BLOCK_FINISH);
  EXPECT_EQ(state->avail_in, 0u) << "bytes behind the first member";
  EXPECT_TRUE(unpacked == data);
}

// The memory of a compressor is what others have freed: small numbers in it, which ISA-L would take
// for the size of its window, must change no byte.
TEST(CompressorTest, WhatMemoryHeldBeforeChangesNothing) {
  const std::string data = Prose(400'000, 53);
  const std::string packed = Compressed(data, Options(Compression::kGzip, 1));
  for (std::uint16_t number = 1; number <= 15; ++number) {
    for (int i = 0; i < 4; ++i) {
      std::vector<std::vector<std::uint16_t>> blocks;
      for (const std::size_t more : {0u, 16u, 32u})
        blocks.emplace_back((sizeof(isal_zstream) + more) / sizeof number, number);
    }
    EXPECT_TRUE(Compressed(data, Options(Compression::kGzip, 1)) == packed) << number;
  }
}

TEST(CompressorTest, SmallGzipMembersHaveNothingThatVaries) {
  const std::string packed = Compressed(Prose(3'000'000, 50), Options(Compression::kGzip, 6, 2));
  EXPECT_EQ(packed.substr(0, 10), std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10));
}

// pigz with one thread is zlib.
TEST(CompressorTest, SmallGzipIsNoLargerThanZlib) {
  for (const std::string& data : {Prose(6'000'000, 51), Mixture(6'000'000, 52)}) {
    const std::size_t zlib = Through("pigz -6 -p 1 -c", data).size();
    const std::size_t ours = Compressed(data, Options(Compression::kGzip, 6, 2)).size();
    EXPECT_LE(ours, zlib + zlib / 500);
  }
}

TEST(CompressorTest, ZstdFramesNeedNoLargeWindowAndHaveNoChecksum) {
  const std::string data = Mixture(9'000'000, 53);
  for (const int level : {1, 3, 19}) {
    const std::string packed = Compressed(data, Options(Compression::kZstd, level, 2));
    // Frame header descriptor: bit 2 is the checksum, bit 5 "single segment".
    EXPECT_EQ(packed[4] & 0x04, 0);
    Collector collector;
    Decompressor decompressor(collector, {.max_zstd_window_log = 22});
    ASSERT_TRUE(decompressor.Write(AsBytes(packed)).has_value());
    ASSERT_TRUE(decompressor.Finish().has_value());
    EXPECT_TRUE(collector.data == data);
  }
}

TEST(ChunkFormatTest, TwoThreadsFitIntoTheMemoryOfADiff) {
  for (const auto& [kind, most] :
       {std::pair(Compression::kGzip, 12), std::pair(Compression::kZstd, 19)}) {
    for (int level = 0; level <= most; ++level) {
      const auto format = MakeChunkFormat(Options(kind, level));
      const std::size_t job = format->chunk_bytes() + format->packed_bytes();
      EXPECT_LE(2 * format->codec_bytes() + 3 * job, 48u << 20) << "level " << level;
    }
  }
}

TEST(ChunkFormatTest, RoomForTheWorstChunk) {
  for (const CompressOptions& options :
       {Options(Compression::kGzip, 1), Options(Compression::kGzip, 6),
        Options(Compression::kGzip, 12), Options(Compression::kZstd, 1),
        Options(Compression::kZstd, 19)}) {
    const auto format = MakeChunkFormat(options);
    const auto codec = format->NewCodec();
    Buffer out(format->packed_bytes());
    const std::string worst = RandomBytes(format->chunk_bytes(), 54);
    const auto size = codec->Compress(AsBytes(worst), out);
    ASSERT_TRUE(size.has_value()) << size.error().ToString();
    EXPECT_LE(*size, out.size());
  }
}

}  // namespace
}  // namespace wclayer::io
