// Made-up layers with every kind of entry: what is exported and imported is the same layer, the
// second export the same tar, and so is the replay.
#include <array>
#include <cstdio>

#include "layer/generator.h"
#include "layer/support.h"
#include "tar/reader.h"

namespace wclayer::layer {
namespace {

using backup::StreamId;

// A stream list with the main data as it reads: a sparse file comes back with its zeros.
std::vector<Stream> Flattened(const Buffer& stream) {
  const std::vector<Stream> streams = Decode(stream);
  std::vector<Stream> flat;
  for (const Stream& each : streams) {
    if (each.id == StreamId::kSparseBlock) continue;
    flat.push_back(each);
    if (each.id != StreamId::kData) continue;
    flat.back().attributes = 0;
    flat.back().data = Content(streams, 0);
  }
  return flat;
}

void ExpectSameEntry(const MemoryLayer::Entry& made, const MemoryLayer::Entry& back) {
  const Item& a = made.item;
  const Item& b = back.item;
  SCOPED_TRACE(a.path);
  EXPECT_EQ(a.path, b.path);
  EXPECT_EQ(a.deleted, b.deleted);
  if (a.deleted) return;
  EXPECT_EQ(a.link_target.empty(), b.link_target.empty());
  EXPECT_EQ(a.attributes, b.attributes);
  EXPECT_EQ(a.time_absent, b.time_absent);
  EXPECT_EQ(a.short_name, b.short_name);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(a.times[i], b.times[i]) << i;
    EXPECT_EQ(a.time_remainder[i], b.time_remainder[i]) << i;
  }
  EXPECT_TRUE(Flattened(made.stream) == Flattened(back.stream));
}

// C2, C4.
TEST(Property, ALayerSurvivesTheTar) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    MemoryLayer made = Generator(seed, false).Layer();
    LeadLinks(made);
    const std::string tar = Exported(made, SIZE_MAX);
    ASSERT_EQ(tar, Exported(made, 100));

    const TemporaryFolder folder;
    MemoryLayer back;
    SkeletonWriter skeleton(*fs::Dir::OpenAbsolute(folder.path()));
    ImportSummary summary;
    const auto imported = Import(tar, back, &skeleton, {}, &summary, 1 + seed * 97);
    ASSERT_TRUE(imported) << Describe(imported);
    ASSERT_TRUE(skeleton.Finish());
    EXPECT_TRUE(summary.warnings.empty()) << summary.warnings.front();

    std::vector<MemoryLayer::Entry> expected;
    for (const MemoryLayer::Entry& entry : made.entries) {
      if (!entry.replaced) expected.push_back(entry);
    }
    ASSERT_EQ(back.entries.size(), expected.size());
    for (const MemoryLayer::Entry& entry : expected) {
      if (entry.item.deleted) continue;
      const MemoryLayer::Entry* found = back.Find(entry.item.path);
      ASSERT_NE(found, nullptr) << entry.item.path;
      ExpectSameEntry(entry, *found);
    }
    EXPECT_TRUE(Exported(back, SIZE_MAX) == tar);

    auto source = MemorySource::Of(back);
    auto replay = SkeletonReplay::Open(folder.path(), source);
    ASSERT_TRUE(replay) << Describe(replay);
    const auto replayed = Drain(**replay);
    ASSERT_TRUE(replayed) << Describe(replayed);
    EXPECT_TRUE(*replayed == tar);
    if (testing::Test::HasFailure()) return;
  }
}

// What bsdtar lists is what our reader sees.
TEST(Property, BsdtarSeesTheSameEntries) {
  struct Names final : tar::Sink {
    Status OnRaw(Bytes) override { return {}; }
    Status OnEntry(const tar::Entry& entry) override {
      names += entry.name + "\n";
      return {};
    }
    Status OnPayload(Bytes) override { return {}; }
    Status OnEntryEnd() override { return {}; }
    std::string names;
  };
  const TemporaryFolder folder;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    MemoryLayer made = Generator(seed, true).Layer();
    for (auto& entry : made.entries) {  // names of streams are not ASCII
      std::vector<Stream> streams = Decode(entry.stream);
      std::erase_if(streams, [](const Stream& s) { return s.id == StreamId::kAlternateData; });
      entry.stream = Encode(streams);
    }
    LeadLinks(made);
    const std::string tar = Exported(made, SIZE_MAX);
    Names ours;
    tar::Reader reader(ours);
    ASSERT_TRUE(reader.Write(AsBytes(tar)));
    ASSERT_TRUE(reader.Finish());
    const std::string path = folder.path() + "/layer.tar";
    std::ofstream(path, std::ios::binary) << tar;
    FILE* pipe = popen(("LC_ALL=C.UTF-8 bsdtar -tf '" + path + "'").c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string theirs;
    std::array<char, 4096> part{};
    for (std::size_t size; (size = fread(part.data(), 1, part.size(), pipe)) > 0;) {
      theirs.append(part.data(), size);
    }
    EXPECT_EQ(pclose(pipe), 0);
    EXPECT_EQ(theirs, ours.names);
  }
}

}  // namespace
}  // namespace wclayer::layer
