#include "backup/stream.h"

#include <gtest/gtest.h>

#include <random>

#include "backup/support.h"
#include "base/limits.h"

namespace wclayer::backup {
namespace {

using test::Encode;
using test::Part;
using test::Recorder;

void AddStream(Buffer& out, StreamId id, std::string_view data, std::u16string name = {},
               std::uint32_t attributes = 0) {
  AppendHeader(out, {id, attributes, data.size(), std::move(name)});
  Append(out, AsBytes(data));
}

// One of everything, as go-winio's tests and BackupRead have it.
Buffer Sample() {
  Buffer out;
  AddStream(out, StreamId::kSecurity, "descriptor", {}, kAttributeContainsSecurity);
  AddStream(out, StreamId::kEaData, "attributes");
  AddStream(out, StreamId::kData, "", {}, kAttributeSparse);
  AppendSparseBlock(out, 65536, 16);
  Append(out, AsBytes("0123456789abcdef"));
  AppendSparseBlock(out, 1'000'000, 0);
  AddStream(out, StreamId::kAlternateData, "alternate data stream\n", u":ads.txt:$DATA");
  AddStream(out, StreamId::kAlternateData, "", u":\u00e4\U0001f600:$DATA");
  AddStream(out, StreamId::kObjectId, std::string(64, 'o'));
  AddStream(out, static_cast<StreamId>(77), "unknown");
  return out;
}

Error FailureOf(Bytes stream) {
  Recorder sink;
  Decoder decoder(sink);
  auto written = decoder.Write(stream);
  if (!written) return written.error();
  auto finished = decoder.Finish();
  if (!finished) return finished.error();
  ADD_FAILURE() << "no error";
  return Error(Errc::kInternal, "none");
}

void ExpectBad(Bytes stream, std::string_view words) {
  const Error error = FailureOf(stream);
  EXPECT_EQ(error.code, Errc::kBadArchive) << error.message;
  EXPECT_NE(error.message.find(words), std::string::npos) << error.message;
}

void ExpectLimit(Bytes stream, std::string_view name) {
  const Error error = FailureOf(stream);
  EXPECT_EQ(error.code, Errc::kLimitExceeded) << error.message;
  EXPECT_NE(error.message.find(name), std::string::npos) << error.message;
}

TEST(StreamTest, HeadersHaveTheirBytes) {
  Buffer out;
  AppendHeader(out, {StreamId::kAlternateData, 8, 0x0102030405060708, u":s"});
  EXPECT_EQ(test::Hex(out),
            "040000000800000008070605040302010400000"
            "03a007300");
  out.clear();
  AppendSparseBlock(out, 0x11223344, 2);
  EXPECT_EQ(test::Hex(out),
            "09000000080000000a000000000000000000000044332211"
            "00000000");
}

TEST(StreamTest, Names) {
  EXPECT_TRUE(StreamName(u"s") == u":s:$DATA");
  const auto plain = PlainStreamName(u":s:t:$DATA");
  ASSERT_TRUE(plain);
  EXPECT_TRUE(*plain == u"s:t");
  for (const std::u16string_view name : {u"", u":", u"::$DATA", u"s:$DATA", u":s", u":s:$data",
                                         u":$DATA", u":s:$INDEX_ALLOCATION"}) {
    EXPECT_FALSE(PlainStreamName(name)) << name.size();
  }
}

TEST(StreamTest, DecodesInAnyPieces) {
  const Buffer stream = Sample();
  Recorder whole;
  Decoder decoder(whole);
  ASSERT_TRUE(decoder.Write(stream));
  ASSERT_TRUE(decoder.Finish());
  ASSERT_EQ(whole.parts.size(), 9u);
  EXPECT_EQ(whole.parts[3].sparse_offset, 65536u);
  EXPECT_EQ(AsText(whole.parts[3].data), "0123456789abcdef");
  EXPECT_EQ(whole.parts[3].header.size, 24u);
  EXPECT_EQ(whole.parts[4].sparse_offset, 1'000'000u);
  EXPECT_TRUE(whole.parts[6].header.name == u":\u00e4\U0001f600:$DATA");
  for (const Part& part : whole.parts) {
    EXPECT_TRUE(part.ended);
    EXPECT_EQ(part.pieces, part.data.empty() ? 0u : 1u);
  }
  EXPECT_EQ(Encode(whole.parts), stream);

  for (std::size_t piece = 1; piece < 70; ++piece) {
    Recorder sink;
    Decoder again(sink);
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      ASSERT_TRUE(again.Write(Bytes(stream).subspan(at, std::min(piece, stream.size() - at))));
      ASSERT_TRUE(again.Write({}));
    }
    ASSERT_TRUE(again.Finish()) << piece;
    ASSERT_EQ(Encode(sink.parts), stream) << piece;
  }
}

TEST(StreamTest, EndsAStreamWithItsLastByte) {
  Recorder sink;
  Decoder decoder(sink);
  Buffer stream;
  AddStream(stream, StreamId::kData, "");
  ASSERT_TRUE(decoder.Write(stream));
  ASSERT_EQ(sink.parts.size(), 1u);
  EXPECT_TRUE(sink.parts[0].ended);
}

TEST(StreamTest, HandsDataOnWhereItLies) {
  Recorder sink;
  Decoder decoder(sink);
  const Buffer data(1 << 20, std::byte{7});
  Buffer header;
  AppendHeader(header, {StreamId::kData, 0, 2 * data.size(), {}});
  ASSERT_TRUE(decoder.Write(header));
  for (std::size_t i = 1; i <= 2; ++i) {
    ASSERT_TRUE(decoder.Write(data));
    EXPECT_EQ(sink.last.data(), data.data());
    EXPECT_EQ(sink.last.size(), data.size());
    EXPECT_EQ(sink.parts[0].pieces, i);
  }
  EXPECT_TRUE(sink.parts[0].ended);
}

TEST(StreamTest, GoldenStreamsComeBackByteForByte) {
  constexpr std::uint32_t kSeed = 4;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  for (const auto& path : test::GoldenStreams()) {
    SCOPED_TRACE(path);
    const Buffer stream = test::ReadFixture(path);
    Recorder sink;
    Decoder decoder(sink);
    for (Bytes rest = stream; !rest.empty();) {
      const Bytes piece = rest.first(std::min<std::size_t>(1 + random() % 5000, rest.size()));
      ASSERT_TRUE(decoder.Write(piece));
      rest = rest.subspan(piece.size());
    }
    ASSERT_TRUE(decoder.Finish());
    EXPECT_EQ(Encode(sink.parts), stream);
    for (const Part& part : sink.parts) {
      const auto& name = part.header.name;
      EXPECT_EQ(name.empty(), part.header.id != StreamId::kAlternateData);
      if (name.empty()) continue;
      const auto plain = PlainStreamName(name);
      ASSERT_TRUE(plain);
      EXPECT_TRUE(StreamName(*plain) == name);
    }
  }
}

TEST(StreamTest, EveryCutIsTruncated) {
  const Buffer stream = Sample();
  std::size_t clean = 0;
  for (std::size_t size = 0; size < stream.size(); ++size) {
    Recorder sink;
    Decoder decoder(sink);
    ASSERT_TRUE(decoder.Write(Bytes(stream).first(size)));
    const Status finished = decoder.Finish();
    const bool between =
        Encode(sink.parts).size() == size && (sink.parts.empty() || sink.parts.back().ended);
    ASSERT_EQ(finished.has_value(), between) << size;
    if (between) {
      ++clean;
    } else {
      EXPECT_NE(finished.error().message.find("truncated"), std::string::npos);
    }
    // Ready for the next file.
    sink.parts.clear();
    ASSERT_TRUE(decoder.Write(stream));
    ASSERT_TRUE(decoder.Finish());
    ASSERT_EQ(Encode(sink.parts), stream) << size;
  }
  EXPECT_EQ(clean, 9u);
}

TEST(StreamTest, SaysWhatIsMissingAndWhere) {
  Buffer stream;
  AddStream(stream, StreamId::kSecurity, "0123");
  AddStream(stream, StreamId::kData, "0123456789");
  const Error error = FailureOf(Bytes(stream).first(stream.size() - 3));
  EXPECT_EQ(error.message,
            "backup stream: truncated, missing 3 bytes of data (stream 1 at byte 24)");
}

TEST(StreamTest, RefusesMalformedHeaders) {
  Buffer odd;
  AppendHeader(odd, {StreamId::kAlternateData, 0, 0, u":s:$DATA"});
  StoreLe(odd.data() + 16, std::uint32_t{15});
  ExpectBad(odd, "odd number");

  Buffer small;
  AddStream(small, StreamId::kData, "");
  AppendHeader(small, {StreamId::kSparseBlock, kAttributeSparse, 7, {}});
  ExpectBad(small, "less than 8 bytes");

  Buffer orphan;
  AddStream(orphan, StreamId::kSecurity, "x");
  AppendSparseBlock(orphan, 0, 0);
  ExpectBad(orphan, "without a data stream");

  Buffer alternate;  // of an alternate stream it is none
  AddStream(alternate, StreamId::kAlternateData, "", u":s:$DATA", kAttributeSparse);
  AppendSparseBlock(alternate, 0, 0);
  Recorder sink;
  Decoder decoder(sink);
  EXPECT_TRUE(decoder.Write(alternate));
}

TEST(StreamTest, LimitsAreNamed) {
  const std::tuple<StreamId, std::uint64_t, const char*> cases[] = {
      {StreamId::kData, kMaxFileBytes, "kMaxFileBytes"},
      {StreamId::kAlternateData, kMaxFileBytes, "kMaxFileBytes"},
      {StreamId::kSecurity, kMaxSecurityDescriptorBytes, "kMaxSecurityDescriptorBytes"},
      {StreamId::kReparse, kMaxReparseBytes, "kMaxReparseBytes"},
      {StreamId::kEaData, kMaxEaBytes, "kMaxEaBytes"},
      {StreamId::kObjectId, kMaxOpaqueStreamBytes, "kMaxOpaqueStreamBytes"},
      {StreamId::kTxfs, kMaxOpaqueStreamBytes, "kMaxOpaqueStreamBytes"},
      {static_cast<StreamId>(0xFFFFFFFF), kMaxOpaqueStreamBytes, "kMaxOpaqueStreamBytes"},
  };
  for (const auto& [id, most, name] : cases) {
    for (const std::uint64_t size : {most + 1, ~std::uint64_t{0}}) {
      Buffer over;
      AppendHeader(over, {id, 0, size, {}});
      ExpectLimit(over, name);
    }
    Buffer within;
    AppendHeader(within, {id, 0, most, {}});
    Recorder sink;
    Decoder decoder(sink);
    EXPECT_TRUE(decoder.Write(within)) << name;
  }

  Buffer long_name;
  AppendHeader(long_name, {StreamId::kAlternateData, 0, 0, std::u16string(32768, u'n')});
  Recorder sink;
  Decoder decoder(sink);
  EXPECT_TRUE(decoder.Write(long_name));
  StoreLe(long_name.data() + 16, std::uint32_t{65538});
  ExpectLimit(long_name, "kMaxStreamNameBytes");

  const std::pair<std::uint64_t, std::uint64_t> blocks[] = {
      {kMaxFileBytes + 1, 0}, {kMaxFileBytes, 1}, {~std::uint64_t{0}, 0}, {1, kMaxFileBytes - 8}};
  for (const auto& [offset, size] : blocks) {
    Buffer block;
    AddStream(block, StreamId::kData, "");
    AppendSparseBlock(block, offset, size);
    if (offset == 1) {
      Recorder good;
      Decoder taker(good);
      EXPECT_TRUE(taker.Write(block));
    } else {
      ExpectLimit(block, "kMaxFileBytes");
    }
  }
}

TEST(StreamTest, CountsAreLimited) {
  class Ignore : public Sink {
    Status OnStream(const StreamHeader&, std::uint64_t) override { return {}; }
    Status OnData(Bytes) override { return {}; }
    Status OnStreamEnd() override { return {}; }
  } sink;
  const auto expect = [&](const Buffer& first, const Buffer& each, std::size_t most,
                          std::string_view name) {
    Decoder decoder(sink);
    ASSERT_TRUE(decoder.Write(first));
    for (std::size_t i = 0; i < most; ++i) ASSERT_TRUE(decoder.Write(each)) << name;
    const Status status = decoder.Write(each);
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().code, Errc::kLimitExceeded);
    EXPECT_NE(status.error().message.find(name), std::string::npos) << status.error().message;
    decoder.Reset();
    EXPECT_TRUE(decoder.Write(first));
    EXPECT_TRUE(decoder.Write(each));
  };
  Buffer data, alternate, block, other;
  AddStream(data, StreamId::kData, "");
  AddStream(alternate, StreamId::kAlternateData, "", u":s:$DATA");
  AppendSparseBlock(block, 0, 0);
  AddStream(other, StreamId::kTxfs, "");
  expect({}, alternate, kMaxStreamsPerFile, "kMaxStreamsPerFile");
  expect({}, other, kMaxOtherStreams, "kMaxOtherStreams");
  expect(data, block, kMaxSparseRanges + 1, "kMaxSparseRanges");
}

TEST(StreamTest, TheSinksErrorsComeThrough) {
  const Buffer stream = Sample();
  Recorder counter;
  Decoder counting(counter);
  ASSERT_TRUE(counting.Write(stream));
  int calls = 0;
  for (const Part& part : counter.parts) calls += 2 + static_cast<int>(part.pieces);
  for (int call = 0; call < calls; ++call) {
    Recorder sink;
    sink.fail_at = call;
    Decoder decoder(sink);
    const Status status = decoder.Write(stream);
    ASSERT_FALSE(status) << call;
    EXPECT_EQ(status.error().code, Errc::kNoSpace);
    decoder.Reset();
    sink.parts.clear();
    EXPECT_TRUE(decoder.Write(stream)) << call;
    EXPECT_TRUE(decoder.Finish()) << call;
  }
}

}  // namespace
}  // namespace wclayer::backup
