// Headers that we write are byte for byte the ones of Go's archive/tar: every golden layer tar,
// which Go wrote, is read and written again.
#include <gtest/gtest.h>

#include <set>

#include "tar/support.h"

namespace wclayer::tar {
namespace {

class Rewriter : public Sink {
 public:
  explicit Rewriter(std::string_view tar) : tar_(tar) {}

  Status OnRaw(Bytes) override { return {}; }
  Status OnEntry(const Entry& entry) override {
    Header header;
    const bool extended = tar_[entry.offset + kType] == 'x';
    header.format = extended ? Format::kPax : Format::kAuto;
    header.name = entry.name;
    header.link_name = entry.link_name;
    header.type = entry.type;
    header.mode = entry.mode;
    header.size = entry.size;
    header.mtime = entry.mtime;
    header.atime = entry.atime;
    header.ctime = entry.ctime;
    header.pax = entry.pax;
    size_ = entry.stored_size;
    return AppendHeader(out_, header);
  }
  Status OnPayload(Bytes bytes) override {
    Append(out_, bytes);
    return {};
  }
  Status OnEntryEnd() override {
    out_.resize(out_.size() + Padding(size_));
    return {};
  }

  std::string Finish() {
    out_.resize(out_.size() + kTrailerBytes);
    return std::string(AsText(out_));
  }

 private:
  std::string_view tar_;
  std::uint64_t size_ = 0;
  Buffer out_;
};

TEST(Golden, LayersAreRewrittenByteForByte) {
  std::size_t count = 0;
  const auto folder = std::filesystem::path(WCLAYER_FIXTURES) / "golden-oci";
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    if (!item.is_directory()) continue;
    ++count;
    const std::string name = "golden-oci/" + item.path().filename().string() + "/expected.tar";
    SCOPED_TRACE(name);
    const std::string tar = ReadFixture(name);
    ASSERT_GT(tar.size(), kTrailerBytes);
    Rewriter rewriter(tar);
    const Status status = ReadWhole(tar, rewriter, {.strict_end = true});
    ASSERT_TRUE(status) << status.error().ToString();
    const std::string written = rewriter.Finish();
    const auto [ours, theirs] =
        std::mismatch(written.begin(), written.end(), tar.begin(), tar.end());
    EXPECT_TRUE(written == tar) << written.size() << " bytes instead of " << tar.size()
                                << ", the first difference is at "
                                << std::distance(written.begin(), ours) << ": '"
                                << std::string(ours, std::min(ours + 40, written.end()))
                                << "' instead of '"
                                << std::string(theirs, std::min(theirs + 40, tar.end())) << "'";
  }
  EXPECT_EQ(count, 7u);
}

TEST(Golden, LayersComeOutTheSameInAnyPieces) {
  constexpr unsigned kSeed = 7;
  std::mt19937 random(kSeed);
  for (const char* layer : {"names", "times", "reparse"}) {
    SCOPED_TRACE(std::string(layer) + ", seed " + std::to_string(kSeed));
    const std::string tar = ReadFixture(std::string("golden-oci/") + layer + "/expected.tar");
    Log whole;
    ASSERT_TRUE(ReadWhole(tar, whole));
    EXPECT_EQ(whole.input, tar);
    Log bytewise;
    ASSERT_TRUE(ReadInPieces(tar, bytewise, {}, [] { return 1; }));
    EXPECT_EQ(bytewise.events, whole.events);
    std::uniform_int_distribution<int> any(1, 5000);
    Log pieces;
    ASSERT_TRUE(ReadInPieces(tar, pieces, {}, [&] { return any(random); }));
    EXPECT_EQ(pieces.events, whole.events);
  }
}

}  // namespace
}  // namespace wclayer::tar
