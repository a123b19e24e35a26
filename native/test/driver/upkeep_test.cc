// verify, repair and gc: damage is found and mended, garbage goes, nothing else does.
#include <fstream>
#include <map>
#include <thread>

#include "driver/fixture.h"
#include "fs/lock.h"

namespace wclayer::test {
namespace {

namespace files = std::filesystem;

class Upkeep : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    Open();
    const auto base = Apply("base", "", BaseTar());
    ASSERT_TRUE(base) << base.error().ToString();
    digest_ = base->diff_id;
    ASSERT_TRUE(Apply("child", "base", ChildTar()));
  }

  std::vector<std::string> Problems(VerifyDepth depth, const std::vector<std::string>& ids = {}) {
    const auto found = driver_->Verify(ids, depth);
    EXPECT_TRUE(found) << found.error().ToString();
    std::vector<std::string> lines;
    if (found)
      for (const Problem& problem : *found)
        lines.push_back(problem.id + "|" + problem.path + "|" + problem.problem);
    return lines;
  }

  Expected<ApplyResult> Repair(const std::string& id, Bytes blob,
                               const ApplyOptions& options = {}) {
    WCLAYER_ASSIGN(auto repair, driver_->Repair(id, options));
    WCLAYER_TRY(repair->Write(blob));
    return repair->Finish();
  }

  std::vector<std::string> Gc(const GcOptions& options) {
    const auto gone = driver_->Gc(options);
    EXPECT_TRUE(gone) << gone.error().ToString();
    std::vector<std::string> ids;
    if (gone)
      for (const Garbage& item : *gone) ids.push_back(item.id);
    return ids;
  }

  std::string digest_;

  // Another content of the same size, with the times as they were.
  void Overwrite(const std::string& path, const std::string& text) const {
    std::fstream file(home_ / path, std::ios::in | std::ios::out | std::ios::binary);
    file << text;
    ASSERT_TRUE(file.good()) << path;
  }
};

TEST_F(Upkeep, AWholeStoreHasNoProblems) {
  EXPECT_TRUE(Problems(VerifyDepth::kQuick).empty());
  EXPECT_TRUE(Problems(VerifyDepth::kFull).empty());
}

// L3: each kind of damage, and which of the two looks finds it.
TEST_F(Upkeep, EveryKindOfDamageIsFound) {
  struct Case {
    const char* what;
    std::function<void()> damage;
    bool quick;
  };
  const files::path base = home_ / "base";
  const std::vector<Case> cases = {
      {"another byte in a file", [&] { Overwrite("base/Files/dir/a.txt", "Alpha"); }, false},
      {"a file cut short", [&] { files::resize_file(base / "Files/dir/a.txt", 2); }, true},
      {"a file gone", [&] { files::remove(base / "Files/keep.txt"); }, true},
      {"a file too many", [&] { std::ofstream(base / "Files/stranger") << "x"; }, true},
      {"a link instead of a file",
       [&] {
         files::remove(base / "Files/dir/a.txt");
         files::create_symlink("/etc/passwd", base / "Files/dir/a.txt");
       },
       true},
      {"metadata gone", [&] { files::remove(base / ".wclayer/metadata"); }, true},
      {"a skeleton cut short", [&] { files::resize_file(base / ".wclayer/skeleton", 70); }, false},
      {"an empty record", [&] { std::ofstream(base / ".wclayer/record.json", std::ios::trunc); },
       true},
      {"an empty chain file", [&] { std::ofstream(base / "layerchain.json", std::ios::trunc); },
       true},
      {"a chain out of the home",
       [&] { std::ofstream(base / "layerchain.json") << R"(["/tmp/../etc"])"; }, true},
      {"a chain that is a circle",
       [&] { std::ofstream(base / "layerchain.json") << R"(["base"])"; }, true},
  };
  for (const Case& one : cases) {
    one.damage();
    EXPECT_EQ(!Problems(VerifyDepth::kQuick, {"base"}).empty(), one.quick) << one.what;
    EXPECT_FALSE(Problems(VerifyDepth::kFull, {"base"}).empty()) << one.what;
    EXPECT_TRUE(Problems(VerifyDepth::kFull, {"child"}).empty()) << one.what;
    // L6: the blob mends it, whatever it was; only a lost record needs the digest.
    ApplyOptions options;
    options.expected_diff_id = "sha256:" + std::string(64, '0');
    const auto wrong = Repair("base", BaseTar(), options);
    ASSERT_FALSE(wrong) << one.what;
    EXPECT_EQ(wrong.error().code, Errc::kDigestMismatch) << wrong.error().ToString();
    options.expected_diff_id = digest_;
    const auto mended = Repair("base", BaseTar(), options);
    ASSERT_TRUE(mended) << one.what << ": " << mended.error().ToString();
    EXPECT_TRUE(Problems(VerifyDepth::kFull).empty()) << one.what;
    EXPECT_EQ(*Diff("base"), BaseTar()) << one.what;
  }
}

// What was filled once is not filled again because its metadata is lost: only repair mends it.
TEST_F(Upkeep, ALayerWithoutItsMetadataIsDamagedAndNotEmpty) {
  files::remove(home_ / "base/.wclayer/metadata");
  const auto before = Listing();
  ApplyOptions same;
  same.expected_diff_id = digest_;
  EXPECT_EQ(driver_->ApplyDiff("base", same).error().code, Errc::kLayerDamaged);
  EXPECT_EQ(driver_->ApplyDiff("base", {}).error().code, Errc::kLayerDamaged);
  EXPECT_EQ(driver_->Diff("base", {}).error().code, Errc::kLayerDamaged);
  EXPECT_EQ(driver_->Create("other", "base", 0).error().code, Errc::kLayerDamaged);
  EXPECT_EQ(Listing(), before);
  const auto mended = Repair("base", BaseTar());
  ASSERT_TRUE(mended) << mended.error().ToString();
  EXPECT_TRUE(Problems(VerifyDepth::kFull).empty());
  EXPECT_EQ(*Diff("base"), BaseTar());
}

// store §4: whatever is wrong is told before a byte of it is handed on, and a repair needs the
// blob.
TEST_F(Upkeep, ARepairTakesTheRightTarAloneHoweverPacked) {
  const auto before = Listing();
  const auto other = Repair("base", ChildTar());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::kDigestMismatch);
  EXPECT_EQ(other.error().operation, "Repair");
  Buffer cut = BaseTar();
  cut.resize(1500);
  const auto truncated = Repair("base", cut);
  ASSERT_FALSE(truncated);
  EXPECT_EQ(truncated.error().code, Errc::kBadArchive);
  EXPECT_EQ(Listing(), before);
  DiffOptions packed;
  packed.compression = CompressionKind::kZstd;
  const auto blob = Diff("base", packed);
  ASSERT_TRUE(blob);
  const auto mended = Repair("base", *blob);
  ASSERT_TRUE(mended) << mended.error().ToString();
  EXPECT_EQ(mended->diff_id, digest_);
  EXPECT_EQ(Listing(), before);
}

TEST_F(Upkeep, ARepairThatIsDroppedLeavesTheLayer) {
  const auto before = Listing();
  {
    auto repair = driver_->Repair("base", {});
    ASSERT_TRUE(repair) << repair.error().ToString();
    const Buffer tar = BaseTar();
    ASSERT_TRUE((*repair)->Write(Bytes(tar).first(2000)));
  }
  EXPECT_EQ(Listing(), before);
  EXPECT_TRUE(Problems(VerifyDepth::kFull).empty());
}

TEST_F(Upkeep, WhatCannotBeRepairedIsNamed) {
  ASSERT_TRUE(driver_->CreateReadWrite("box", "child", 0));
  EXPECT_EQ(driver_->Repair("box", {}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(driver_->Repair("nobody", {}).error().code, Errc::kLayerNotFound);
  EXPECT_EQ(driver_->Repair("../base", {}).error().code, Errc::kInvalidArgument);
  ASSERT_TRUE(driver_->Create("stub", "base", 0));
  EXPECT_EQ(driver_->Repair("stub", {}).error().code, Errc::kLayerDamaged);
  auto diff = driver_->Diff("base", {});
  ASSERT_TRUE(diff);
  EXPECT_EQ(driver_->Repair("base", {}).error().code, Errc::kLayerBusy);
}

// L6: children and their mounts are right after a repair; a mount that is there cannot be given
// other folders.
TEST_F(Upkeep, ARepairedParentShowsInItsChildren) {
  for (const bool checkout : {false, true}) {
    Open(TableUnderTest(), checkout);
    const std::string box = checkout ? "box2" : "box";
    ASSERT_TRUE(driver_->CreateReadWrite(box, "child", 0));
    const auto path = driver_->Get(box, false);
    ASSERT_TRUE(path) << path.error().ToString();
    std::ofstream(*path + "/keep.txt", std::ios::app) << "!";
    const auto busy = driver_->Repair("base", {});
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().code, Errc::kLayerBusy) << busy.error().ToString();
    ASSERT_TRUE(driver_->Put(box));
    const auto lines = ChangeLines(box);
    ASSERT_TRUE(lines) << lines.error().ToString();
    Overwrite("base/Files/dir/b.txt", "ruin");
    ASSERT_TRUE(Repair("base", BaseTar()));
    EXPECT_EQ(*ChangeLines(box), *lines);
    EXPECT_EQ(
        *ChangeLines("child"),
        (std::vector<std::string>{"C Files/dir/a.txt", "D Files/dir/b.txt", "A Files/new.txt"}));
    const auto again = driver_->Get(box, false);
    ASSERT_TRUE(again) << again.error().ToString();
    {
      std::ifstream keep(*again + "/keep.txt");
      EXPECT_EQ(std::string(std::istreambuf_iterator<char>(keep), {}), "keep!");
    }
    ASSERT_TRUE(driver_->Put(box));
  }
}

// L3: nothing that a user may miss goes without being told to.
TEST_F(Upkeep, GcWithoutRootsKeepsEveryLayerWithContent) {
  ASSERT_TRUE(driver_->CreateReadWrite("box", "child", 0));
  ASSERT_TRUE(driver_->Create("stub", "base", 0));
  const auto before = Listing();
  EXPECT_TRUE(Gc({.roots = {}, .dry_run = true}).empty());
  EXPECT_TRUE(Gc({}).empty());
  EXPECT_EQ(Listing(), before);
}

TEST_F(Upkeep, GcRemovesWhatIsLeftOverAndStubsThatCanNeverBeFilled) {
  ASSERT_TRUE(driver_->Create("parent", "", 0));
  ASSERT_TRUE(driver_->Create("stub", "parent", 0));
  files::remove_all(home_ / "parent");  // not by us
  files::create_directories(home_ / "old-removing/Files");
  files::create_directories(home_ / ".wclayer/staging/0123");
  files::create_directories(home_ / ".wclayer/tmp/base-0123");
  const std::vector<std::string> garbage = {"old-removing", ".wclayer/staging/0123",
                                            ".wclayer/tmp/base-0123", "stub"};
  EXPECT_EQ(Problems(VerifyDepth::kQuick).size(), 4U);
  const auto before = Listing();
  EXPECT_EQ(Gc({.roots = {}, .dry_run = true}), garbage);
  EXPECT_EQ(Listing(), before) << "a dry run changes nothing";
  EXPECT_EQ(Gc({}), garbage);
  EXPECT_TRUE(Problems(VerifyDepth::kFull).empty());
  EXPECT_TRUE(Gc({}).empty());
  EXPECT_TRUE(driver_->Exists("child"));
}

// What somebody is at is neither a problem nor garbage.
TEST_F(Upkeep, WorkInProgressIsLeftAlone) {
  const fs::Dir locks = *fs::Dir::OpenAbsolute((home_ / ".wclayer/locks").string());
  files::create_directories(home_ / "old-removing/Files");
  auto removing =
      fs::FileLock::Acquire(locks, "removing+old-removing", fs::LockMode::kExclusive, {});
  ASSERT_TRUE(removing);
  ApplyOptions options;
  options.parent = "base";
  auto apply = driver_->ApplyDiff("new", options);
  ASSERT_TRUE(apply);
  const Buffer tar = ChildTar();
  ASSERT_TRUE((*apply)->Write(tar));
  EXPECT_TRUE(Problems(VerifyDepth::kQuick).empty());
  EXPECT_TRUE(Gc({}).empty());
  const auto finished = (*apply)->Finish();
  ASSERT_TRUE(finished) << finished.error().ToString();
  EXPECT_TRUE(files::exists(home_ / "old-removing/Files"));
}

TEST_F(Upkeep, GcWithRootsKeepsThemTheirAncestorsAndWhatIsInUse) {
  ASSERT_TRUE(Apply("other", "base", ChildTar()));
  ASSERT_TRUE(Apply("top", "other", ChildTar()));
  ASSERT_TRUE(Apply("lone", "", BaseTar()));
  ASSERT_TRUE(driver_->CreateReadWrite("box", "lone", 0));
  ASSERT_TRUE(driver_->CreateReadWrite("idle", "base", 0));
  ASSERT_TRUE(driver_->Get("box", false));
  const auto unknown = driver_->Gc({.roots = {"child", "nobody"}, .dry_run = false});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::kLayerNotFound);
  EXPECT_TRUE(driver_->Exists("top"));
  const std::vector<std::string> garbage = {"top", "idle", "other"};
  EXPECT_EQ(Gc({.roots = {"CHILD"}, .dry_run = true}), garbage);
  EXPECT_EQ(Gc({.roots = {"child"}, .dry_run = false}), garbage);
  for (const char* id : {"base", "child", "lone", "box"}) EXPECT_TRUE(driver_->Exists(id)) << id;
  ASSERT_TRUE(driver_->Put("box"));
  EXPECT_EQ(Gc({.roots = {"child"}, .dry_run = false}), (std::vector<std::string>{"box", "lone"}));
}

// L3: beside three threads that make, read and remove layers, through drivers of their own, nothing
// that lives goes and nothing that is whole is called damaged.
TEST_F(Upkeep, VerifyAndGcBesideOtherUsers) {
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::vector<std::string> failures[3];
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      DriverOptions options;
      options.home = home_.string();
      options.durability = DurabilityLevel::kNone;
      auto driver = Driver::Open(TableUnderTest(), "portable", options);
      const auto check = [&](const auto& result) {
        if (!result) failures[t].push_back(result.error().ToString());
      };
      const Buffer tar = ChildTar();
      for (int i = 0; !stop || i < 3; ++i) {
        const std::string id = "t" + std::to_string(t) + "-" + std::to_string(i);
        check((*driver)->Create(id, "base", 0));
        auto apply = (*driver)->ApplyDiff(id, {});
        if (!apply) return failures[t].push_back(apply.error().ToString());
        check((*apply)->Write(tar));
        check((*apply)->Finish());
        check((*driver)->CreateReadWrite(id + "-box", id, 0));
        check((*driver)->DiffSize(id, {}));
        check((*driver)->Remove(id + "-box", false));
        check((*driver)->Remove(id, false));
        ++rounds;
      }
    });
  }
  for (int i = 0; i < 10 || rounds < 6; ++i) {
    const auto problems = Problems(i % 2 == 0 ? VerifyDepth::kQuick : VerifyDepth::kFull);
    for (const std::string& problem : problems) ADD_FAILURE() << problem;
    const auto gone = Gc({});
    for (const std::string& id : gone) ADD_FAILURE() << "gc took " << id;
    if (::testing::Test::HasFailure()) break;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (const auto& list : failures)
    for (const std::string& failure : list) ADD_FAILURE() << failure;
  EXPECT_EQ(driver_->List()->size(), 2U);
}

}  // namespace
}  // namespace wclayer::test
