// ApplyDiff of layers that are large enough for a thread to each stage.
#include <random>

#include "driver/fixture.h"
#include "io/compression.h"

namespace wclayer::test {
namespace {

std::string RandomText(std::mt19937_64& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = "abcdefgh"[random() % 8];
  return text;
}

// Small files in many folders, large ones, empty ones, second names, and files that come again.
Buffer LargeTar(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<TarEntry> entries = {{"Files", '5', "", ""}};
  for (int folder = 0; folder < 100; ++folder) {
    const std::string path = "Files/folder" + std::to_string(folder);
    entries.push_back({path, '5', "", ""});
    for (int file = 0; file < 6; ++file) {
      entries.push_back(
          {path + "/file" + std::to_string(file), '0', RandomText(random, random() % 3'000), ""});
    }
    if (folder % 20 == 0) {
      entries.push_back({path + "/large", '0', RandomText(random, 300'000), ""});
      entries.push_back({path + "/second name", '1', "", path + "/large"});
      entries.push_back({path + "/empty", '0', "", ""});
      entries.push_back({path + "/FILE1", '0', RandomText(random, 10'000), ""});
    }
  }
  return MakeTar(entries);
}

class Collector final : public io::ByteSink {
 public:
  Status Write(Bytes bytes) override {
    Append(all, bytes);
    return {};
  }
  Status Finish() override { return {}; }
  Buffer all;
};

Buffer Packed(Bytes plain, io::Compression kind) {
  Collector collector;
  const auto compressor = io::MakeCompressor(collector, {.kind = kind});
  EXPECT_TRUE(compressor->Write(plain));
  EXPECT_TRUE(compressor->Finish());
  return std::move(collector.all);
}

class LargeApply : public DriverTest, public testing::WithParamInterface<io::Compression> {};

TEST_P(LargeApply, ComesBackByteForByte) {
  Open();
  const Buffer tar = LargeTar(1);
  const Buffer blob = Packed(tar, GetParam());
  for (const std::size_t piece : {4'099u, 4u << 20}) {
    const std::string id = "l" + std::to_string(piece);
    const auto applied = Apply(id, "", blob, piece);
    ASSERT_TRUE(applied) << applied.error().ToString();
    EXPECT_EQ(applied->tar_bytes, tar.size());
    EXPECT_EQ(applied->blob_bytes, blob.size());
    StreamResult result;
    const auto back = Diff(id, {}, &result);
    ASSERT_TRUE(back) << back.error().ToString();
    EXPECT_TRUE(*back == tar) << "pieces of " << piece;
    EXPECT_EQ(result.diff_id, applied->diff_id);
  }
}

// What is put into the stream's own memory is as what it is given by Write.
TEST_P(LargeApply, TakesWhatIsPutIntoItsRoom) {
  Open();
  const Buffer tar = LargeTar(6);
  const Buffer blob = Packed(tar, GetParam());
  ApplyOptions options;
  options.parent = "";
  auto apply = driver_->ApplyDiff("l", options);
  ASSERT_TRUE(apply) << apply.error().ToString();
  std::mt19937_64 random(7);
  std::size_t in_place = 0;
  for (Bytes rest = blob; !rest.empty();) {
    const auto room = (*apply)->Room();
    ASSERT_TRUE(room) << room.error().ToString();
    std::size_t count = std::min<std::size_t>(rest.size(), 1 + random() % 400'000);
    if (room->empty()) {
      ASSERT_TRUE((*apply)->Write(rest.first(count)));
    } else {
      count = std::min(count, room->size());
      std::copy_n(rest.begin(), count, room->begin());
      ASSERT_TRUE((*apply)->Filled(count));
      in_place += count;
    }
    rest = rest.subspan(count);
  }
  const auto result = (*apply)->Finish();
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(result->blob_bytes, blob.size());
  const auto back = Diff("l");
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_TRUE(*back == tar);
  // Once it is large enough for a thread of its own.
  constexpr std::size_t kHere = 2u << 20;
  EXPECT_GE(in_place + kHere, blob.size());
}

TEST_P(LargeApply, WhatWasPutIntoNoRoomIsRefused) {
  Open();
  ApplyOptions options;
  options.parent = "";
  auto apply = driver_->ApplyDiff("l", options);
  ASSERT_TRUE(apply) << apply.error().ToString();
  ASSERT_TRUE((*apply)->Write(Bytes(Packed(LargeTar(9), GetParam())).first(1000)));
  for (int again = 0; again < 2; ++again) {
    const Status filled = (*apply)->Filled(1);
    ASSERT_FALSE(filled);
    EXPECT_EQ(filled.error().code, Errc::kInternal) << filled.error().ToString();
  }
  EXPECT_FALSE((*apply)->Finish());
}

TEST_P(LargeApply, HasNoRoomOnceItHasFailed) {
  Open();
  Buffer blob = Packed(LargeTar(8), GetParam());
  ApplyOptions options;
  options.parent = "";
  auto apply = driver_->ApplyDiff("l", options);
  ASSERT_TRUE(apply) << apply.error().ToString();
  ASSERT_TRUE((*apply)->Write(blob));
  (*apply)->Cancel();
  const auto room = (*apply)->Room();
  ASSERT_TRUE(room);
  EXPECT_TRUE(room->empty());
  const Status written = (*apply)->Write(blob);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::kCancelled);
}

TEST_P(LargeApply, BrokenAnywhereOrGivenUpItLeavesNothing) {
  Open();
  ASSERT_TRUE(driver_->Create("other", "", 0));
  const auto before = Listing();
  const Buffer tar = LargeTar(2);
  const Buffer blob = Packed(tar, GetParam());
  std::mt19937_64 random(3);
  for (int round = 0; round < 8; ++round) {
    const std::size_t size = random() % blob.size();
    ApplyOptions options;
    options.parent = "";
    auto apply = driver_->ApplyDiff("broken", options);
    ASSERT_TRUE(apply) << apply.error().ToString();
    Status status = (*apply)->Write(Bytes(blob).first(size));
    if (status && round % 2 == 0) {
      const auto result = (*apply)->Finish();
      if (!result) {
        EXPECT_EQ(result.error().code, Errc::kBadArchive) << result.error().ToString();
      } else {  // cut where no entry misses anything (C14)
        EXPECT_EQ(GetParam(), io::Compression::kNone) << "cut at " << size << " of " << blob.size();
        ASSERT_TRUE(driver_->Remove("broken", false));
      }
    }
    apply->reset();
    EXPECT_EQ(Listing(), before) << "round " << round << ", cut at byte " << size;
  }
}

// What is wrong with the tar is told, whichever thread found it and whichever are behind.
TEST_P(LargeApply, AnEntryThatIsRefusedIsNamed) {
  Open();
  Buffer tar = LargeTar(4);
  tar.resize(tar.size() - tar::kTrailerBytes);
  Append(tar, MakeTar({{"Files/a", '0', "a", ""}, {"Files/a/below a file", '0', "b", ""}}));
  Append(tar, LargeTar(5));
  const auto applied = Apply("bad", "", Packed(tar, GetParam()));
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Errc::kUnsafePath) << applied.error().ToString();
  EXPECT_EQ(applied.error().path, "Files/a/below a file");
  EXPECT_FALSE(driver_->Exists("bad"));
}

std::string CompressionName(const testing::TestParamInfo<io::Compression>& info) {
  constexpr const char* kNames[] = {"plain", "gzip", "zstd"};
  return kNames[static_cast<std::size_t>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Packed, LargeApply,
                         testing::Values(io::Compression::kNone, io::Compression::kGzip,
                                         io::Compression::kZstd),
                         CompressionName);

}  // namespace
}  // namespace wclayer::test
