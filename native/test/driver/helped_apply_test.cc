// Tars that are read whole before they are parsed: somebody else makes their files meanwhile.
#include <chrono>
#include <thread>

#include "driver/fixture.h"
#include "fs/lock.h"
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

// A base layer begins to be built before it is known whether it may be.
TEST_F(HelpedApply, WhatWasBegunForNothingGoes) {
  const Buffer tar = WithMore({});
  const auto filled = Apply("filled", "", tar);
  ASSERT_TRUE(filled);
  ASSERT_TRUE(Apply("child", "filled", tar));
  ASSERT_TRUE(driver_->CreateReadWrite("box", "filled", 0));
  const auto before = Listing();
  for (int round = 0; round < 20; ++round) {
    ApplyOptions options;
    options.parent = "";
    for (const char* id : {"filled", "FILLED", "child", "box"}) {
      const auto again = driver_->ApplyDiff(id, options);
      ASSERT_FALSE(again) << id;
      EXPECT_EQ(again.error().code, Errc::kLayerExists) << id;
    }
    EXPECT_TRUE(driver_->ApplyDiff("never-written", options));
    options.expected_diff_id = filled->diff_id;
    const auto known = driver_->ApplyDiff("filled", options);
    ASSERT_TRUE(known);
    EXPECT_TRUE((*known)->already_there());
  }
  EXPECT_EQ(Listing(), before);
}

TEST_F(HelpedApply, FillsACreatedLayerOfAnotherSpelling) {
  ASSERT_TRUE(driver_->Create("Layer", "", 0));
  const Buffer tar = WithMore({});
  ASSERT_TRUE(Apply("lAYER", "", tar));
  const auto replayed = Diff("Layer");
  ASSERT_TRUE(replayed);
  EXPECT_EQ(*replayed, tar);
  EXPECT_TRUE(std::filesystem::is_empty(home_ / ".wclayer" / "staging"));
}

// What the helper met before the layer's lock was there counts for nothing.
TEST_F(HelpedApply, ALayerThatWentWhileItsLockWasWaitedForIsMadeAnew) {
  const Buffer tar = WithMore({});
  const auto filled = Apply("layer", "", tar);
  ASSERT_TRUE(filled);
  const auto locks = fs::Dir::OpenAbsolute((home_ / ".wclayer" / "locks").string());
  ASSERT_TRUE(locks);
  auto lock = fs::FileLock::Acquire(*locks, "layer", fs::LockMode::kExclusive, {});
  ASSERT_TRUE(lock);
  ApplyOptions options;
  options.parent = "";
  options.expected_diff_id = filled->diff_id;
  options.keep_waiting = [&] {
    if (!std::filesystem::exists(home_ / "layer")) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the helper has looked by now
    std::filesystem::remove_all(home_ / "layer");
    *lock = fs::FileLock();
    return true;
  };
  const auto apply = driver_->ApplyDiff("layer", options);
  ASSERT_TRUE(apply) << apply.error().ToString();
  EXPECT_FALSE((*apply)->already_there());
  ASSERT_TRUE((*apply)->Write(tar));
  const auto made = (*apply)->Finish();
  ASSERT_TRUE(made) << made.error().ToString();
  EXPECT_EQ(made->diff_id, filled->diff_id);
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
