// Input that means harm, and what must hold whatever it says: nothing outside the home is touched,
// and who is refused has changed nothing.
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>

#include "driver/fixture.h"
#include "fs/lock.h"

namespace wclayer::test {
namespace {

namespace files = std::filesystem;

class Hostile : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    canary_ = home_.string() + "-canary";
    files::create_directories(canary_ / "folder");
    std::ofstream(canary_ / "folder/file") << "alive";
    std::ofstream(canary_ / "file") << "alive";
    untouched_ = Look(canary_);
  }
  void TearDown() override {
    DriverTest::TearDown();
    RemoveFolder(canary_);
  }

  // Everything that a write below `root` would change: no access times.
  static std::map<std::string, std::string> Look(const files::path& root) {
    std::map<std::string, std::string> seen;
    for (const auto& item : files::recursive_directory_iterator(root)) {
      const auto status = item.symlink_status();
      std::string what = std::to_string(static_cast<int>(status.type())) + " " +
                         std::to_string(static_cast<int>(status.permissions()));
      if (!item.is_symlink())
        what += " " + std::to_string(item.last_write_time().time_since_epoch().count());
      if (item.is_regular_file() && !item.is_symlink())
        what +=
            " " + std::to_string(item.file_size()) + " " + std::to_string(item.hard_link_count());
      seen[item.path().lexically_relative(root).generic_string()] = what;
    }
    return seen;
  }

  files::path canary_;
  std::map<std::string, std::string> untouched_;
};

// X1: each attack in each field that names something.
TEST_F(Hostile, NoFieldOfATarLeavesTheLayer) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  const std::string out = canary_.string();
  const std::vector<std::string> attacks = {
      "..",
      "../x",
      "Files/..",
      "Files/../..",
      "Files/../../x",
      "Files/a/../b",
      "/etc/x",
      out + "/file",
      "//server/share",
      "\\\\server\\share",
      "\\x",
      "Files\\..\\x",
      "Files/..\\x",
      "Files/a\\..\\x",
      "C:",
      "C:x",
      "C:/x",
      "Files/C:",
      "Files/C:/x",
      "\\\\?\\C:\\x",
      "Files/nul",
      "Files/CON.txt",
      "Files/com1/x",
      "Files/lpt9.a.b",
      "Files/x.",
      "Files/x ",
      "Files/a./b",
      "Files/a /b",
      "Files/a:b/c",
      "Files/a::$DATA",
      "Files/x\x01",
      "Files/x\x1f",
      "Files/a*",
      "Files/a?",
      "Files/a\"b",
      "Files/a<b",
      "Files/a|b",
      "Files/\xff\xfe",
      "Files/\xc0\xae\xc0\xae/x",
      ".wclayer/x",
      "layerchain.json",
      "Other/x",
      "Files/" + std::string(256, 'n'),
      "Files/" + std::string(40'000, 'n'),
  };
  const auto before = Look(home_ / "base");
  const auto listing = Listing();
  const auto refused = [&](const std::string& what, const Buffer& tar) {
    const auto applied = Apply("new", "base", tar);
    EXPECT_FALSE(applied) << what;
    if (applied) {
      ASSERT_TRUE(driver_->Remove("new", false));
    } else {
      EXPECT_TRUE(applied.error().code == Errc::kUnsafePath ||
                  applied.error().code == Errc::kBadArchive ||
                  applied.error().code == Errc::kLimitExceeded)
          << what << ": " << applied.error().ToString();
    }
    EXPECT_EQ(Listing(), listing) << what;
  };
  for (const std::string& attack : attacks) {
    refused("file " + attack, MakeTar({{attack, '0', "x", ""}}));
    refused("folder " + attack, MakeTar({{attack, '5', "", ""}, {attack + "/x", '0', "x", ""}}));
    refused("hard link at " + attack,
            MakeTar({{"Files/f", '0', "x", ""}, {attack, '1', "", "Files/f"}}));
    refused("hard link to " + attack, MakeTar({{"Files/f", '1', "", attack}}));
    refused("symbolic link at " + attack, MakeTar({{attack, '2', "", "f"}}));
  }
  // A link may lead anywhere; nothing is written through it.
  for (const std::string& target : {out, std::string("../../../.."), std::string("C:\\Windows")}) {
    refused("below a link to " + target,
            MakeTar({{"Files/l", '2', "", target}, {"Files/l/x", '0', "x", ""}}));
    refused("deletion below a link to " + target,
            MakeTar({{"Files/l", '2', "", target}, {"Files/l/.wh.file", '0', "", ""}}));
    refused("hard link through a link to " + target,
            MakeTar({{"Files/l", '2', "", target}, {"Files/h", '1', "", "Files/l/file"}}));
  }
  for (const char type : {'3', '4', '6'})
    refused(std::string("type ") + type, MakeTar({{"Files/device", type, "", ""}}));
  EXPECT_EQ(Look(home_ / "base"), before);
  EXPECT_EQ(Look(canary_), untouched_);
}

// The links of a layer, and those that its user makes, lead to the canary; rounds of everything.
// WCLAYER_ROUNDS: how many (L4 asks for 10,000; ./build test extended makes 2,000).
TEST_F(Hostile, WhatLinksLeadToOutsideStaysAsItIs) {
  const char* wanted = std::getenv("WCLAYER_ROUNDS");
  const int rounds = wanted == nullptr ? 60 : std::atoi(wanted);
  const unsigned seed = 20260101;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Open(TableUnderTest(), true);
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  const std::vector<std::string> targets = {canary_.string(),
                                            canary_.string() + "/folder",
                                            canary_.string() + "/file",
                                            "/",
                                            "../../..",
                                            "C:\\Windows",
                                            "\\\\?\\Volume{0}\\x",
                                            "dir"};
  const auto any = [&](const auto& list) { return list[random() % list.size()]; };
  for (int round = 0; round < rounds; ++round) {
    std::vector<TarEntry> entries = {{"Files", '5', "", ""}};
    for (unsigned i = 0; i < 1 + random() % 6; ++i) {
      const std::string name = "Files/n" + std::to_string(i);
      switch (random() % 4) {
        case 0:
          entries.push_back({name, '2', "", any(targets)});
          break;
        case 1:
          entries.push_back({name, '5', "", ""});
          entries.push_back({name + "/l", '2', "", any(targets)});
          break;
        case 2:
          entries.push_back({name, '0', "data", ""});
          entries.push_back({name + "h", '1', "", name});
          break;
        default:
          entries.push_back({"Files/dir/l" + std::to_string(i), '2', "", any(targets)});
      }
    }
    const auto applied = Apply("layer", "base", MakeTar(entries));
    ASSERT_TRUE(applied) << "round " << round << ": " << applied.error().ToString();
    ASSERT_TRUE(driver_->CreateReadWrite("box", "layer", 0));
    const auto path = driver_->Get("box", false);
    ASSERT_TRUE(path) << path.error().ToString();
    std::error_code ignored;
    files::create_symlink(any(targets), *path + "/user", ignored);
    files::create_directory_symlink(canary_, *path + "/dir/user", ignored);
    files::remove(*path + "/keep.txt", ignored);
    ASSERT_TRUE(driver_->Put("box"));
    if (round % 3 == 0) {
      const auto exported = driver_->DiffPath("layer");
      ASSERT_TRUE(exported) << exported.error().ToString();
      ASSERT_TRUE(driver_->ReleaseDiffPath(*exported));
    }
    ASSERT_TRUE(driver_->Remove("box", false));
    if (round % 2 == 0) {
      ASSERT_TRUE(driver_->Remove("layer", false));
    } else {
      const auto gone = driver_->Gc({.roots = {"base"}, .dry_run = false});
      ASSERT_TRUE(gone) << gone.error().ToString();
      ASSERT_EQ(gone->size(), 1U);
    }
    if (round % 50 == 0 || round + 1 == rounds) {
      ASSERT_EQ(Look(canary_), untouched_) << "round " << round;
    }
  }
  std::printf("%d rounds\n", rounds);
}

// Files of a layer's folder that somebody else wrote.
TEST_F(Hostile, EvilFilesOfALayerAreErrorsOfThatLayerAlone) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
  std::string long_chain = "[";
  for (int i = 0; i < 501; ++i) long_chain += (i == 0 ? "\"l" : ",\"l") + std::to_string(i) + "\"";
  long_chain += "]";
  std::string many = "[";
  for (int i = 0; i < 70'000; ++i) many += i == 0 ? "1" : ",1";
  const std::vector<std::string> texts = {"",
                                          "{}",
                                          "[1]",
                                          "\"base\"",
                                          "[\"..\"]",
                                          "[\"\"]",
                                          "[\"/\"]",
                                          "[\"C:\\\\\"]",
                                          R"(["/x/base","/y/BASE"])",
                                          R"(["child"])",
                                          long_chain,
                                          std::string(20'000, '['),
                                          many + "]",
                                          std::string(5u << 20, ' '),
                                          std::string("[\"ba\0se\"]", 10),
                                          "[\"\xff\"]"};
  for (const std::string& text : texts) {
    const std::string what = text.substr(0, 40);
    std::ofstream(home_ / "child/layerchain.json", std::ios::trunc | std::ios::binary) << text;
    EXPECT_FALSE(driver_->Verify({"child"}, VerifyDepth::kQuick)->empty()) << what;
    EXPECT_FALSE(Diff("child")) << what;
    EXPECT_FALSE(driver_->Create("new", "child", 0)) << what;
    const auto layers = driver_->List();
    ASSERT_TRUE(layers) << what << ": " << layers.error().ToString();
    EXPECT_EQ(layers->size(), 2U) << what;
    EXPECT_TRUE(Diff("base")) << what;
  }
  // Links in the place of a layer's own files and folders are not followed.
  files::remove(home_ / "child/layerchain.json");
  files::create_symlink(canary_ / "file", home_ / "child/layerchain.json");
  EXPECT_FALSE(driver_->Verify({"child"}, VerifyDepth::kQuick)->empty());
  files::remove_all(home_ / "base/Files/dir");
  files::create_directory_symlink(canary_, home_ / "base/Files/dir");
  EXPECT_FALSE(driver_->Verify({"base"}, VerifyDepth::kFull)->empty());
  EXPECT_FALSE(Diff("base"));
  ASSERT_TRUE(driver_->Gc({}));
  EXPECT_EQ(Look(canary_), untouched_);
}

// S4: while a layer's data comes in, nobody waits: not for the store, not for another layer.
TEST_F(Hostile, NoStoreLockIsHeldWhileDataIsCopied) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  driver_.reset();
  DriverOptions options;
  options.home = home_.string();
  options.durability = DurabilityLevel::kNone;
  options.lock_wait = std::chrono::milliseconds(0);  // whoever would have to wait fails
  auto opened = Driver::Open(TableUnderTest(), "portable", options);
  ASSERT_TRUE(opened) << opened.error().ToString();
  driver_ = *std::move(opened);
  const Buffer tar =
      MakeTar({{"Files", '5', "", ""}, {"Files/big", '0', std::string(8u << 20, 'x'), ""}});
  ApplyOptions apply_options;
  apply_options.parent = "base";
  auto apply = driver_->ApplyDiff("big", apply_options);
  ASSERT_TRUE(apply) << apply.error().ToString();
  const fs::Dir locks = *fs::Dir::OpenAbsolute((home_ / ".wclayer/locks").string());
  const std::size_t piece = 1u << 20;
  int round = 0;
  for (std::size_t at = 0; at < tar.size(); at += piece, ++round) {
    ASSERT_TRUE((*apply)->Write(Bytes(tar).subspan(at, std::min(piece, tar.size() - at))));
    ASSERT_TRUE(fs::FileLock::Acquire(locks, "store+", fs::LockMode::kExclusive, {}));
    const std::string id = "c" + std::to_string(round);
    EXPECT_TRUE(driver_->Exists("base"));
    const auto made = driver_->Create(id, "base", 0);
    EXPECT_TRUE(made) << made.error().ToString();
    const auto path = driver_->Get("base", false);
    EXPECT_TRUE(path) << path.error().ToString();
    EXPECT_TRUE(driver_->Put("base"));
    EXPECT_TRUE(Diff("base"));
    EXPECT_TRUE(driver_->Remove(id, false));
    const auto busy = driver_->Remove("base", false);
    ASSERT_FALSE(busy) << "its child is being made";
    EXPECT_EQ(busy.error().code, Errc::kLayerBusy);
  }
  const auto finished = (*apply)->Finish();
  ASSERT_TRUE(finished) << finished.error().ToString();
}

// S8: the same blob again writes nothing but who holds a lock, into that lock's file.
TEST_F(Hostile, ASecondApplyOfTheSameDigestWritesNothing) {
  Open();
  const auto applied = Apply("base", "", BaseTar());
  ASSERT_TRUE(applied);
  const auto look = [&] {
    auto seen = Look(home_);
    std::erase_if(seen, [](const auto& item) { return item.first.starts_with(".wclayer/locks/"); });
    return seen;
  };
  const auto before = look();
  ApplyOptions options;
  options.parent = "";
  options.expected_diff_id = applied->diff_id;
  auto again = driver_->ApplyDiff("base", options);
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_TRUE((*again)->already_there());
  ASSERT_TRUE((*again)->Finish());
  again->reset();
  EXPECT_EQ(look(), before);
}

}  // namespace
}  // namespace wclayer::test
