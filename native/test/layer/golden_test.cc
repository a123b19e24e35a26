// The golden sets: entries and streams to the reference's bytes, and those bytes in and out again.
#include <charconv>

#include "layer/support.h"

namespace wclayer::layer {
namespace {

std::vector<std::string> Split(const std::string& text, char by) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(by, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::int64_t Number(const std::string& text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<MemoryLayer::Entry> LoadEntries(const std::string& set) {
  std::vector<MemoryLayer::Entry> entries;
  for (const std::string& line : Split(ReadFixture(set + "/entries.tsv"), '\n')) {
    if (line.empty() || line.front() == '#') continue;
    const std::vector<std::string> columns = Split(line, '\t');
    MemoryLayer::Entry entry;
    Item& item = entry.item;
    item.path = columns.at(1);
    item.ordinal = entries.size();
    item.deleted = columns[0] == "delete";
    item.seekable = columns[0] == "file";
    if (!item.deleted) {
      item.size = static_cast<std::uint64_t>(Number(columns.at(2)));
      item.attributes = static_cast<std::uint32_t>(Number(columns.at(3)));
      for (int i = 0; i < 4; ++i)
        item.times[i] = Number(columns.at(4 + static_cast<std::size_t>(i)));
      const std::string& last = columns.at(8);
      if (columns[0] == "link") {
        item.link_target = last;
      } else if (last != "-") {
        const std::string stream = ReadFixture(set + "/streams/" + last);
        EXPECT_FALSE(stream.empty()) << last;
        Append(entry.stream, AsBytes(stream));
      }
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

class Golden : public testing::TestWithParam<const char*> {
 protected:
  std::string set_ = std::string("golden-oci/") + GetParam();
  std::string expected_ = ReadFixture(set_ + "/expected.tar");
};

// Says where, instead of printing both tars.
void ExpectSame(const std::string& got, const std::string& expected) {
  if (got == expected) return;
  const auto [a, b] = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
  const auto at = static_cast<std::size_t>(a - got.begin());
  FAIL() << "differs at byte " << at << " of " << expected.size() << " (got " << got.size()
         << "):\n  got      " << testing::PrintToString(got.substr(at - at % 64, 192))
         << "\n  expected " << testing::PrintToString(expected.substr(at - at % 64, 192));
}

TEST_P(Golden, EntriesBecomeTheReferencesBytes) {
  ASSERT_FALSE(expected_.empty());
  for (const std::size_t piece : {SIZE_MAX, std::size_t{7}}) {
    MemorySource source(LoadEntries(set_), piece);
    TarExporter exporter(source, WriterMode::kReference);
    const auto tar = Drain(exporter);
    ASSERT_TRUE(tar) << Describe(tar);
    ExpectSame(*tar, expected_);
    EXPECT_EQ(exporter.entries(), LoadEntries(set_).size());
  }
}

TEST_P(Golden, AppliedAndRebuiltIsTheSame) {
  for (const std::size_t piece : {SIZE_MAX, std::size_t{512}, std::size_t{333}}) {
    MemoryLayer layer;
    const auto imported = Import(expected_, layer, nullptr, {}, nullptr, piece);
    ASSERT_TRUE(imported) << Describe(imported);
    auto source = MemorySource::Of(layer);
    TarExporter exporter(source, WriterMode::kStore);
    const auto tar = Drain(exporter);
    ASSERT_TRUE(tar) << Describe(tar);
    ExpectSame(*tar, expected_);
  }
}

TEST_P(Golden, AppliedAndReplayedIsTheSame) {
  const TemporaryFolder folder;
  MemoryLayer layer;
  SkeletonWriter skeleton(*fs::Dir::OpenAbsolute(folder.path()));
  ImportSummary summary;
  const auto imported = Import(expected_, layer, &skeleton, {}, &summary);
  ASSERT_TRUE(imported) << Describe(imported);
  ASSERT_TRUE(skeleton.Finish());
  EXPECT_TRUE(summary.warnings.empty()) << summary.warnings.front();
  auto source = MemorySource::Of(layer, 1000);
  auto replay = SkeletonReplay::Open(folder.path(), source);
  ASSERT_TRUE(replay) << Describe(replay);
  const auto tar = Drain(**replay);
  ASSERT_TRUE(tar) << Describe(tar);
  ExpectSame(*tar, expected_);
  EXPECT_EQ((*replay)->entries(), summary.entries);
}

// Entries that need no extension give the same bytes in both modes (store §3). The other sets have
// times that the reference wraps, or what it drops.
class PlainGolden : public Golden {};

TEST_P(PlainGolden, StoreModeAddsNothing) {
  MemorySource source(LoadEntries(set_));
  TarExporter exporter(source, WriterMode::kStore);
  const auto tar = Drain(exporter);
  ASSERT_TRUE(tar) << Describe(tar);
  ExpectSame(*tar, expected_);
}

std::string NameOf(const testing::TestParamInfo<const char*>& set) {
  std::string name = set.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Sets, Golden,
                         testing::Values("attributes-and-eas", "base-sparse-links", "basic",
                                         "names", "reparse", "streams", "times"),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Sets, PlainGolden,
                         testing::Values("base-sparse-links", "basic", "names", "reparse"), NameOf);

}  // namespace
}  // namespace wclayer::layer
