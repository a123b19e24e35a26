#include <gtest/gtest.h>

#include <algorithm>

#include "io/compression.h"
#include "io/stage.h"
#include "io/streams.h"

namespace wclayer::io {
namespace {

// What came out, and how it ended.
struct Outcome {
  std::string data;
  Compression kind = Compression::kNone;
  Status status;
};

Outcome Decompress(std::string_view packed, DecompressOptions options = {},
                   std::size_t piece = 50'000) {
  Collector collector;
  Decompressor decompressor(collector, options);
  Status status = WriteInPieces(decompressor, packed, piece);
  if (status) status = decompressor.Finish();
  EXPECT_EQ(collector.finished, status.has_value());
  return {std::move(collector.data), decompressor.kind(), std::move(status)};
}

void ExpectData(std::string_view packed, const std::string& data, DecompressOptions options = {}) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, packed.size() + 1}) {
    const Outcome outcome = Decompress(packed, options, piece);
    ASSERT_TRUE(outcome.status.has_value())
        << outcome.status.error().ToString() << " in pieces of " << piece;
    ASSERT_TRUE(outcome.data == data) << "in pieces of " << piece;
  }
}

void ExpectError(std::string_view packed, Errc code, const std::string& text,
                 DecompressOptions options = {}) {
  for (const std::size_t piece : {std::size_t{1}, packed.size() + 1}) {
    const Outcome outcome = Decompress(packed, options, piece);
    ASSERT_FALSE(outcome.status.has_value()) << "in pieces of " << piece;
    EXPECT_EQ(outcome.status.error().code, code) << outcome.status.error().ToString();
    EXPECT_NE(outcome.status.error().message.find(text), std::string::npos)
        << outcome.status.error().ToString();
  }
}

std::string Le(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::uint32_t Crc32(std::string_view data) {
  std::uint32_t crc = ~0u;
  for (const char c : data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

// RFC 1952 by hand, the data in one stored block.
enum Flag : std::uint8_t { kFhcrc = 2, kFextra = 4, kFname = 8, kFcomment = 16 };

std::string GzipHeader(unsigned flags) {
  std::string header("\x1f\x8b\x08", 3);
  header += static_cast<char>(flags);
  header += std::string("\x11\x22\x33\x44\x02\x03", 6);
  if ((flags & kFextra) != 0) header += Le(9, 2) + "AB" + Le(5, 2) + "extra";
  if ((flags & kFname) != 0) header += std::string("layer.tar\0", 10);
  if ((flags & kFcomment) != 0) header += std::string("made by hand\0", 13);
  if ((flags & kFhcrc) != 0) header += Le(Crc32(header) & 0xffff, 2);
  return header;
}

std::string GzipMember(std::string_view data, unsigned flags = 0) {
  std::string member = GzipHeader(flags);
  member += "\x01" + Le(data.size(), 2) + Le(~data.size(), 2);
  member += data;
  return member + Le(Crc32(data), 4) + Le(data.size(), 4);
}

// RFC 8878 by hand: a frame with a window descriptor, from raw or run-length blocks.
std::string ZstdHeader(unsigned window_log) {
  return Le(0xFD2FB528, 4) + '\0' + static_cast<char>((window_log - 10) << 3);
}
std::string ZstdBlock(std::string_view data, bool last) {
  return Le((last ? 1u : 0u) | data.size() << 3, 3) + std::string(data);
}
std::string ZstdRun(char c, std::size_t count, bool last) {
  return Le((last ? 1u : 0u) | 1u << 1 | count << 3, 3) + c;
}
std::string ZstdFrame(std::string_view data, unsigned window_log = 17) {
  return ZstdHeader(window_log) + ZstdBlock(data, true);
}
std::string SkippableFrame(std::string_view data) {
  return Le(0x184D2A5B, 4) + Le(data.size(), 4) + std::string(data);
}

TEST(RecogniseTest, ByTheFirstBytes) {
  EXPECT_EQ(Recognise(AsBytes(GzipMember("x"))), Compression::kGzip);
  EXPECT_EQ(Recognise(AsBytes(ZstdFrame("x"))), Compression::kZstd);
  EXPECT_EQ(Recognise(AsBytes(SkippableFrame("x"))), Compression::kZstd);
  EXPECT_EQ(Recognise(AsBytes("Files\0")), Compression::kNone);
  EXPECT_EQ(Recognise({}), Compression::kNone);
  EXPECT_EQ(Recognise(AsBytes("\x28\xb5\x2f")), Compression::kNone);
}

TEST(PlainTest, PassesEveryLength) {
  for (const std::string& data :
       {std::string(), std::string("F"), std::string("\x1f"), std::string("\x28\xb5\x2f"),
        std::string("tar"), std::string("tars"), Mixture(300'000, 60)}) {
    ExpectData(data, data);
    EXPECT_EQ(Decompress(data).kind, Compression::kNone);
  }
}

TEST(PlainTest, OutputIsLimited) {
  ExpectError(std::string(1001, 'x'), Errc::kLimitExceeded, "max_output_bytes = 1000",
              {.max_output_bytes = 1000});
}

TEST(GzipTest, ReadsWhatToolsWrite) {
  for (const std::size_t size : {0u, 1u, 100'000u, 3'000'000u}) {
    const std::string data = Mixture(size, 61);
    for (const char* tool : {"gzip -1c", "gzip -9c", "pigz -c -p 2", "igzip -0c", "igzip -3c"}) {
      const Outcome outcome = Decompress(Through(tool, data));
      ASSERT_TRUE(outcome.status.has_value()) << tool << outcome.status.error().ToString();
      EXPECT_EQ(outcome.kind, Compression::kGzip);
      ASSERT_TRUE(outcome.data == data) << tool;
    }
  }
}

TEST(GzipTest, ReadsWhatGzipWritesInAnyPieces) {
  const std::string data = Mixture(2'000'000, 62);
  const std::string packed = Through("gzip -6c", data);
  std::mt19937_64 random(63);
  for (int round = 0; round < 20; ++round) {
    const std::size_t piece = 1 + random() % 4000;
    const Outcome outcome = Decompress(packed, {}, piece);
    ASSERT_TRUE(outcome.status.has_value()) << piece;
    ASSERT_TRUE(outcome.data == data) << piece;
  }
}

TEST(GzipTest, EveryHeaderFlagIsSkipped) {
  for (unsigned flags = 0; flags < 32; flags += 2)
    ExpectData(GzipMember("some data", flags), "some data");
}

TEST(GzipTest, FlagTextIsIgnored) {
  ExpectData(GzipMember("some data", 1), "some data");
}

TEST(GzipTest, AWrongHeaderChecksumIsAnError) {
  std::string member = GzipMember("some data", kFhcrc | kFname);
  member[GzipHeader(kFhcrc | kFname).size() - 1] ^= 1;
  ExpectError(member, Errc::kBadArchive, "gzip: ");
}

TEST(GzipTest, UnknownMethodOrReservedFlagsAreErrors) {
  std::string method = GzipMember("some data");
  method[2] = 7;
  ExpectError(method, Errc::kBadArchive, "unknown compression method");
  std::string flags = GzipMember("some data");
  flags[3] = 0x20;
  ExpectError(flags, Errc::kBadArchive, "unknown flag");
}

TEST(GzipTest, MembersFollowOneAnother) {
  ExpectData(GzipMember("one ") + GzipMember("", kFname) + GzipMember("two", kFextra), "one two");
  const std::string a = Mixture(700'000, 64);
  const std::string b = Mixture(500'000, 65);
  const Outcome outcome = Decompress(Through("gzip -c", a) + Through("igzip -c", b));
  ASSERT_TRUE(outcome.status.has_value());
  EXPECT_TRUE(outcome.data == a + b);
}

TEST(GzipTest, ZerosMayFollow) {
  ExpectData(GzipMember("data") + std::string(1, '\0'), "data");
  ExpectData(GzipMember("data") + std::string(10'000, '\0'), "data");
}

TEST(GzipTest, OtherBytesMayNot) {
  const char* text = "no gzip member behind the compressed data";
  ExpectError(GzipMember("data") + "garbage", Errc::kBadArchive, text);
  ExpectError(GzipMember("data") + std::string(3, '\0') + "x", Errc::kBadArchive, text);
  ExpectError(GzipMember("data") + std::string(3, '\0') + GzipMember("data"), Errc::kBadArchive,
              text);
  ExpectError(GzipMember("data") + "\x1f\x8c", Errc::kBadArchive, "gzip: ");
  ExpectError(GzipMember("data") + ZstdFrame("data"), Errc::kBadArchive, text);
}

TEST(GzipTest, TruncatedAnywhereIsAnError) {
  const std::string data = Prose(2'000, 66);
  const std::string by_tool = Through("gzip -c", data);
  for (const std::string& packed : {by_tool, GzipMember("some data", 30)}) {
    for (std::size_t size = 2; size < packed.size(); ++size) {
      for (const std::size_t piece : {std::size_t{1}, packed.size()}) {
        const Outcome outcome = Decompress(packed.substr(0, size), {}, piece);
        ASSERT_FALSE(outcome.status.has_value()) << "cut at " << size;
        EXPECT_EQ(outcome.status.error().code, Errc::kBadArchive);
        EXPECT_NE(outcome.status.error().message.find("input byte " + std::to_string(size)),
                  std::string::npos)
            << outcome.status.error().message;
      }
    }
  }
}

TEST(GzipTest, EveryFlippedBitOfTheTrailerIsFound) {
  const std::string good = GzipMember(Prose(500, 67));
  for (std::size_t at = good.size() - 8; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 1 << bit);
      ExpectError(bad, Errc::kBadArchive, "wrong checksum (CRC) or length");
    }
  }
}

TEST(GzipTest, FlippedDataIsFound) {
  const std::string good = Through("gzip -c", Prose(20'000, 68));
  std::mt19937_64 random(69);
  for (int round = 0; round < 300; ++round) {
    std::string bad = good;
    const std::size_t at = 20 + random() % (good.size() - 20);
    bad[at] = static_cast<char>(bad[at] ^ 1 << random() % 8);
    const Outcome outcome = Decompress(bad);
    ASSERT_FALSE(outcome.status.has_value()) << "byte " << at;
    EXPECT_EQ(outcome.status.error().code, Errc::kBadArchive);
  }
}

TEST(GzipTest, ErrorsSayWhere) {
  std::string bad = Through("gzip -c", Mixture(2'000'000, 70));
  bad.resize(600'000);
  const Outcome outcome = Decompress(bad);
  ASSERT_FALSE(outcome.status.has_value());
  EXPECT_EQ(outcome.status.error().message,
            "gzip: the stream ends in the middle of a member, near input byte 600000");
}

TEST(GzipTest, AFailureIsFinal) {
  Collector collector;
  Decompressor decompressor(collector);
  const std::string bad = GzipMember("data") + "garbage";
  ASSERT_FALSE(decompressor.Write(AsBytes(bad)).has_value());
  const std::string good = GzipMember("data");
  ASSERT_FALSE(decompressor.Write(AsBytes(good)).has_value());
  ASSERT_FALSE(decompressor.Finish().has_value());
  EXPECT_EQ(collector.data, "data");
}

TEST(GzipTest, AFailureOfTheNextStageComesThrough) {
  FailingSink next(100'000);
  Decompressor decompressor(next);
  const Status status = decompressor.Write(AsBytes(Through("gzip -c", Prose(500'000, 71))));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, Errc::kNoSpace);
}

TEST(GzipTest, OutputIsLimited) {
  const std::string bomb = Through("gzip -9c", std::string(20'000'000, '\0'));
  const Outcome outcome = Decompress(bomb, {.max_output_bytes = 10'000'000});
  ASSERT_FALSE(outcome.status.has_value());
  EXPECT_EQ(outcome.status.error().code, Errc::kLimitExceeded);
  EXPECT_NE(outcome.status.error().message.find("max_output_bytes = 10000000"), std::string::npos);
  EXPECT_LE(outcome.data.size(), 10'000'000u);
}

TEST(GzipTest, RatioIsLimitedBeyondTheFirst64MiB) {
  const std::string small = Through("gzip -9c", std::string(60'000'000, '\0'));
  EXPECT_TRUE(Decompress(small, {.max_ratio = 100}).status.has_value());
  const std::string bomb = Through("gzip -9c", std::string(80'000'000, '\0'));
  EXPECT_TRUE(Decompress(bomb).status.has_value()) << "zeros alone are no bomb";
  const Outcome outcome = Decompress(bomb, {.max_ratio = 100});
  ASSERT_FALSE(outcome.status.has_value());
  EXPECT_EQ(outcome.status.error().code, Errc::kLimitExceeded);
  EXPECT_NE(outcome.status.error().message.find("max_ratio = 100"), std::string::npos);
  EXPECT_LE(outcome.data.size(), 65u << 20);
}

TEST(ZstdTest, ReadsWhatToolsWrite) {
  for (const std::size_t size : {0u, 1u, 100'000u, 3'000'000u}) {
    const std::string data = Mixture(size, 72);
    for (const char* tool : {"zstd -1c", "zstd -3c --no-check", "zstd -19c", "zstd -c -T2"}) {
      const Outcome outcome = Decompress(Through(tool, data));
      ASSERT_TRUE(outcome.status.has_value()) << tool << outcome.status.error().ToString();
      EXPECT_EQ(outcome.kind, Compression::kZstd);
      ASSERT_TRUE(outcome.data == data) << tool;
    }
  }
}

TEST(ZstdTest, ReadsWhatZstdWritesInAnyPieces) {
  const std::string data = Mixture(2'000'000, 73);
  const std::string packed = Through("zstd -3c", data);
  std::mt19937_64 random(74);
  for (int round = 0; round < 20; ++round) {
    const std::size_t piece = 1 + random() % 4000;
    const Outcome outcome = Decompress(packed, {}, piece);
    ASSERT_TRUE(outcome.status.has_value()) << piece;
    ASSERT_TRUE(outcome.data == data) << piece;
  }
}

TEST(ZstdTest, FramesFollowOneAnotherAndSkippableOnesAreSkipped) {
  ExpectData(ZstdFrame("one ") + SkippableFrame("not seen") + ZstdFrame("") + ZstdFrame("two"),
             "one two");
  ExpectData(SkippableFrame("") + ZstdFrame("data"), "data");
  ExpectData(SkippableFrame(std::string(300'000, 'x')) + ZstdFrame("data"), "data");
  ExpectData(SkippableFrame("nothing else"), "");
}

TEST(ZstdTest, ZerosMayFollowAndOtherBytesMayNot) {
  const char* text = "no zstd frame behind the compressed data";
  ExpectData(ZstdFrame("data") + std::string(10'000, '\0'), "data");
  ExpectError(ZstdFrame("data") + "garbage", Errc::kBadArchive, text);
  ExpectError(ZstdFrame("data") + std::string(3, '\0') + ZstdFrame("x"), Errc::kBadArchive, text);
  ExpectError(ZstdFrame("data") + GzipMember("data"), Errc::kBadArchive, text);
}

TEST(ZstdTest, FormatsFromBeforeTheStandardAreNoFrames) {
  for (const std::uint32_t magic : {0xFD2FB525u, 0xFD2FB526u, 0xFD2FB527u})
    ExpectError(ZstdFrame("data") + Le(magic, 4) + std::string(100, 'x'), Errc::kBadArchive,
                "no zstd frame");
}

// Behind the magic number this header looks like a skippable frame; a frame of a block that is cut.
TEST(ZstdTest, AHeaderIsNotTakenForAnotherFrame) {
  const std::string frame = Le(0xFD2FB528, 4) + Le(0x184D2A50, 4) + Le(4, 3) + Le(1000 << 8, 3);
  ExpectError(frame + "1" + std::string(8, '\0'), Errc::kBadArchive, "middle of a frame");
}

TEST(ZstdTest, TruncatedAnywhereIsAnError) {
  const std::string by_tool = Through("zstd -c", Prose(2'000, 75));
  const std::string two = SkippableFrame("skip") + ZstdFrame("data");
  for (const std::string& packed : {by_tool, two}) {
    for (std::size_t size = 4; size < packed.size(); ++size) {
      if (packed == two && size == 12) continue;  // ends with the skippable frame
      for (const std::size_t piece : {std::size_t{1}, packed.size()}) {
        const Outcome outcome = Decompress(packed.substr(0, size), {}, piece);
        ASSERT_FALSE(outcome.status.has_value()) << "cut at " << size;
        EXPECT_EQ(outcome.status.error().code, Errc::kBadArchive);
      }
    }
  }
}

TEST(ZstdTest, AWrongChecksumIsFound) {
  std::string packed = Through("zstd -c --check", Prose(2'000, 76));
  packed.back() ^= 1;
  ExpectError(packed, Errc::kBadArchive, "zstd: ");
}

TEST(ZstdTest, WindowsAreLimitedAndTheErrorNamesTheOption) {
  const std::string frame = ZstdFrame("data", 24);
  ExpectError(frame, Errc::kLimitExceeded, "zstdWindowLog = 23");
  ExpectData(frame, "data", {.max_zstd_window_log = 24});
  ExpectData(ZstdFrame("data", 23), "data");
  // Not even the option goes beyond 128 MiB, and none asks for less than zstd's least.
  ExpectData(ZstdFrame("data", 27), "data", {.max_zstd_window_log = 27});
  ExpectError(ZstdFrame("data", 28), Errc::kLimitExceeded, "zstdWindowLog = 27",
              {.max_zstd_window_log = 31});
  ExpectError(ZstdFrame("data", 11), Errc::kLimitExceeded, "zstdWindowLog = 10",
              {.max_zstd_window_log = 0});
}

TEST(ZstdTest, LongWindowsOfTheToolNeedTheOption) {
  const std::string data = Mixture(20'000'000, 77);
  const std::string packed = Through("zstd -c --long=27 --single-thread", data);
  const Outcome refused = Decompress(packed);
  ASSERT_FALSE(refused.status.has_value());
  EXPECT_EQ(refused.status.error().code, Errc::kLimitExceeded);
  const Outcome taken = Decompress(packed, {.max_zstd_window_log = 27});
  ASSERT_TRUE(taken.status.has_value());
  EXPECT_TRUE(taken.data == data);
}

TEST(ZstdTest, BombsAreLimited) {
  std::string bomb = ZstdHeader(17);
  for (int block = 0; block < 1000; ++block) bomb += ZstdRun('x', 1u << 17, block == 999);
  const Outcome by_ratio = Decompress(bomb);
  ASSERT_FALSE(by_ratio.status.has_value());
  EXPECT_EQ(by_ratio.status.error().code, Errc::kLimitExceeded);
  EXPECT_NE(by_ratio.status.error().message.find("max_ratio = 4096"), std::string::npos);
  EXPECT_LE(by_ratio.data.size(), 65u << 20);
  const Outcome by_size = Decompress(bomb, {.max_output_bytes = 1'000'000});
  ASSERT_FALSE(by_size.status.has_value());
  EXPECT_NE(by_size.status.error().message.find("max_output_bytes"), std::string::npos);
}

// Into slabs of every size, also such as end within a block.
TEST(DecompressTest, UnpacksIntoTheNextStagesMemory) {
  const std::string data = RandomBytes(300'000, 95) + std::string(500'000, 'x');
  for (const auto kind : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    std::string packed = data;
    if (kind != Compression::kNone) {
      Collector collector;
      const auto compressor = MakeCompressor(collector, {.kind = kind});
      ASSERT_TRUE(compressor->Write(AsBytes(data)));
      ASSERT_TRUE(compressor->Finish());
      packed = collector.data;
    }
    for (const std::size_t slab : {7u, 1'000u, 70'000u, 1u << 20}) {
      Collector collector;
      ThreadedSink stage(collector, {.slab_bytes = slab, .slabs = 3});
      Decompressor decompressor(stage);
      ASSERT_TRUE(WriteInPieces(decompressor, packed, 50'000));
      ASSERT_TRUE(decompressor.Finish());
      EXPECT_TRUE(collector.data == data) << "slabs of " << slab;
    }
  }
}

TEST(DecompressTest, APlainStreamMayBePutIntoTheNextStagesMemory) {
  const std::string data = RandomBytes(100'000, 96);
  Collector collector;
  ThreadedSink stage(collector, {.slab_bytes = 1'000, .slabs = 3});
  Decompressor decompressor(stage, {.max_output_bytes = data.size()});
  const auto before = decompressor.Room();
  ASSERT_TRUE(before);
  EXPECT_TRUE(before->empty()) << "it is not known yet what the stream is";
  ASSERT_TRUE(decompressor.Write(AsBytes(data).first(100)));
  for (Bytes rest = AsBytes(data).subspan(100); !rest.empty();) {
    const auto room = decompressor.Room();
    ASSERT_TRUE(room);
    ASSERT_FALSE(room->empty());
    const std::size_t count = std::min(rest.size(), room->size());
    std::copy_n(rest.begin(), count, room->begin());
    ASSERT_TRUE(decompressor.Filled(count));
    rest = rest.subspan(count);
  }
  ASSERT_TRUE(decompressor.Room());
  const Status beyond = decompressor.Filled(1);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, Errc::kLimitExceeded);
  EXPECT_FALSE(decompressor.Room());
  EXPECT_FALSE(decompressor.Finish());
}

}  // namespace
}  // namespace wclayer::io
