// Tars that are read whole before they are parsed: somebody else makes their files meanwhile.
#include "driver/fixture.h"
#include "io/digest.h"
#include "support/temporary_folder.h"

namespace wclayer::test {
namespace {

class HelpedApply : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    Open();
  }
  static Buffer WithMore(const std::vector<TarEntry>& more) {
    auto entries = HelpedEntries();
    entries.insert(entries.end(), more.begin(), more.end());
    return MakeTar(entries);
  }
};

TEST_F(HelpedApply, GivesBackWhatItWasGiven) {
  for (int i = 0; i < 50; ++i) {
    const std::string id = "layer-" + std::to_string(i);
    const Buffer tar = WithMore({{"Files/last.txt", '0', id, ""}});
    ASSERT_TRUE(Apply(id, "", tar, i % 2 == 0 ? tar.size() : 1000));
    const auto replayed = Diff(id);
    ASSERT_TRUE(replayed);
    EXPECT_EQ(*replayed, tar);
  }
  const auto problems = driver_->Verify({}, VerifyDepth::kFull);
  ASSERT_TRUE(problems);
  EXPECT_TRUE(problems->empty());
}

// On both sides of what is left to the helper, and of what gets a thread, whatever comes first.
TEST_F(HelpedApply, TheDigestIsOfTheWholeTar) {
  int layers = 0;
  for (const std::size_t payload : {10u << 10, 30u << 10, 50u << 10, 62u << 10, 3u << 20}) {
    Buffer tar = WithMore({{"Files/more", '0', std::string(payload, 'x'), ""}});
    io::Sha256 sha;
    sha.Update(tar);
    const std::string digest = sha.FinishText();
    for (const std::size_t first : {1u, 5'000u, 40'000u, 65'535u, 65'536u, 65'537u, 2u << 20}) {
      const std::string id = "layer-" + std::to_string(layers++);
      ApplyOptions options;
      options.parent = "";
      auto apply = driver_->ApplyDiff(id, options);
      ASSERT_TRUE(apply);
      const std::size_t cut = std::min(first, tar.size());
      ASSERT_TRUE((*apply)->Write(Bytes(tar).first(cut)));
      ASSERT_TRUE((*apply)->Write(Bytes(tar).subspan(cut)));
      const auto result = (*apply)->Finish();
      ASSERT_TRUE(result) << result.error().ToString();
      EXPECT_EQ(result->diff_id, digest) << payload << " first " << first;
      EXPECT_EQ(result->tar_bytes, tar.size());
    }
  }
}

// Entries that need a file which is yet to be made: another name of it, one that takes its place.
TEST_F(HelpedApply, LaterEntriesNeedEarlierFiles) {
  const Buffer tar = WithMore({{"Files/again.txt", '1', "", "Files/many/24.txt"},
                               {"Files/many/23.txt", '0', "in its place", ""},
                               {"Files/dir/a.txt", '1', "", "Files/many/23.txt"}});
  for (const char* id : {"one", "two"}) {
    ASSERT_TRUE(Apply(id, "", tar));
    const auto replayed = Diff(id);
    ASSERT_TRUE(replayed);
    EXPECT_EQ(*replayed, tar);
    DiffOptions rebuilt;
    rebuilt.rebuild = true;
    EXPECT_TRUE(Diff(id, rebuilt));
  }
}

TEST_F(HelpedApply, AFailureBehindFilesUnderWayLeavesNothing) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  const auto before = Listing();
  const Buffer whole = WithMore({});
  for (int round = 0; round < 50; ++round) {
    const auto clash = Apply("layer", "", WithMore({{"Files/many/24.txt", '5', "", ""}}));
    ASSERT_FALSE(clash);
    EXPECT_EQ(clash.error().code, Errc::kBadArchive);
    const auto cut = Apply("layer", "", Bytes(whole).first(whole.size() - 5000));
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errc::kBadArchive);
    ApplyOptions options;
    options.parent = "";
    options.expected_diff_id = "sha256:" + std::string(64, '0');
    const auto apply = driver_->ApplyDiff("layer", options);
    ASSERT_TRUE(apply);
    ASSERT_TRUE((*apply)->Write(whole));
    const auto other = (*apply)->Finish();
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::kDigestMismatch);
  }
  EXPECT_EQ(Listing(), before);
  ASSERT_TRUE(Apply("layer", "", whole));
}

}  // namespace
}  // namespace wclayer::test
