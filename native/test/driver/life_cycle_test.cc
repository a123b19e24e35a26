#include <fstream>
#include <thread>

#include "driver/fixture.h"

namespace wclayer::test {
namespace {

using LifeCycle = DriverTest;

TEST_F(LifeCycle, AppliedTarComesBackByteForByte) {
  Open();
  const Buffer tar = BaseTar();
  const auto applied = Apply("base", "", tar, 700);
  ASSERT_TRUE(applied) << applied.error().ToString();
  EXPECT_EQ(applied->size_bytes, 5 + 4 + 4);
  StreamResult result;
  const auto back = Diff("base", {}, &result);
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(*back, tar);
  EXPECT_EQ(result.diff_id, applied->diff_id);
  EXPECT_EQ(result.blob_digest, applied->blob_digest);
  EXPECT_EQ(*driver_->DiffSize("base", {}), applied->size_bytes);
}

// The sum that ApplyDiff recorded, or, without a record, that of the entries.
TEST_F(LifeCycle, DiffSizeIsOneWithAndWithoutARecord) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  const auto applied = Apply("child", "base",
                             MakeTar({{"Files", '5', "", ""},
                                      {"Files/dir", '5', "", ""},
                                      {"Files/.wh.keep.txt", '0', "", ""},
                                      {"Files/a", '0', "eleven byte", ""},
                                      {"Files/b", '1', "", "Files/a"},
                                      {"Files/a", '0', "later", ""},
                                      {"Hives", '5', "", ""},
                                      {"UtilityVM", '5', "", ""},
                                      {"UtilityVM/Files", '5', "", ""},
                                      {"UtilityVM/Files/c", '0', "seven b", ""}}));
  ASSERT_TRUE(applied) << applied.error().ToString();
  EXPECT_EQ(applied->size_bytes, 11 + 5 + 7);
  const auto record = home_ / "child" / ".wclayer" / "record.json";
  ASSERT_TRUE(std::filesystem::exists(record));
  EXPECT_EQ(*driver_->DiffSize("child", {}), applied->size_bytes);
  EXPECT_EQ(*driver_->DiffSize("child", "base"), applied->size_bytes);
  EXPECT_NE(*driver_->DiffSize("child", ""), applied->size_bytes) << "of both layers";
  std::filesystem::remove(record);
  EXPECT_EQ(*driver_->DiffSize("child", {}), applied->size_bytes);
}

TEST_F(LifeCycle, ChangesTellAddModifyDelete) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
  const auto lines = ChangeLines("child");
  ASSERT_TRUE(lines) << lines.error().ToString();
  EXPECT_EQ(*lines, (std::vector<std::string>{"C Files/dir/a.txt", "D Files/dir/b.txt",
                                              "A Files/new.txt"}));
  const auto all = ChangeLines("child", "");
  ASSERT_TRUE(all) << all.error().ToString();
  for (const std::string& line : *all) EXPECT_EQ(line[0], 'A') << line;
}

TEST_F(LifeCycle, CreateChecksTheParentBeforeAnythingIsMade) {
  Open();
  const auto before = Listing();
  const auto made = driver_->Create("child", "nobody", 0);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kParentNotFound);
  EXPECT_EQ(Listing(), before);
}

TEST_F(LifeCycle, AnExistingIdIsAnError) {
  Open();
  ASSERT_TRUE(driver_->Create("a", "", 0));
  const auto again = driver_->Create("A", "", 0);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kLayerExists);
}

TEST_F(LifeCycle, InitParentMakesAWritableLayerWithItsChain) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(driver_->Create("c-init", "base", 0));
  ASSERT_TRUE(driver_->Create("c", "c-init", 0));
  const auto layers = driver_->List();
  ASSERT_TRUE(layers);
  for (const LayerSummary& layer : *layers) {
    if (layer.id != "c") continue;
    EXPECT_EQ(layer.kind, "writable");
    EXPECT_EQ(layer.parent, "base");
  }
  const auto child = driver_->Create("d", "c", 0);
  ASSERT_FALSE(child) << "a writable layer cannot be a parent";
  EXPECT_EQ(child.error().code, Errc::kParentNotFound);
}

// Else its parent would pass for one without children, and could be removed.
TEST_F(LifeCycle, ALayerThatLostItsChainFileKnowsItsParents) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
  const auto changes = ChangeLines("child");
  std::filesystem::remove(home_ / "child" / "layerchain.json");
  EXPECT_FALSE(std::filesystem::exists(home_ / "child" / ".wclayer" / "parents.json"))
      << "the record says them";
  EXPECT_EQ(*ChangeLines("child"), *changes);
  const auto layers = driver_->List();
  ASSERT_TRUE(layers);
  EXPECT_EQ(layers->at(1).parent, "base");
  EXPECT_EQ(driver_->Remove("base", false).error().code, Errc::kLayerBusy);
}

TEST_F(LifeCycle, RemoveIsRefusedWhileInUse) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(driver_->CreateReadWrite("c", "base", 0));
  const auto parent = driver_->Remove("base", false);
  ASSERT_FALSE(parent);
  EXPECT_EQ(parent.error().code, Errc::kLayerBusy);
  ASSERT_TRUE(driver_->Get("c", false));
  const auto mounted = driver_->Remove("c", false);
  ASSERT_FALSE(mounted);
  EXPECT_EQ(mounted.error().code, Errc::kLayerBusy);
  ASSERT_TRUE(driver_->Put("c"));
  ASSERT_TRUE(driver_->Remove("c", false));
  ASSERT_TRUE(driver_->Remove("base", false));
  EXPECT_FALSE(driver_->Exists("base"));
  const auto gone = driver_->Remove("base", false);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::kLayerNotFound);
}

// L8: n times Get, n times Put: the last one unmounts, one more is a no-op.
TEST_F(LifeCycle, GetAndPutAreCounted) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(driver_->CreateReadWrite("c", "base", 0));
  const auto first = driver_->Get("c", false);
  ASSERT_TRUE(first) << first.error().ToString();
  const auto second = driver_->Get("c", false);
  ASSERT_TRUE(second);
  EXPECT_EQ(*first, *second);
  EXPECT_TRUE(std::filesystem::exists(*first + "/keep.txt"));
  ASSERT_TRUE(driver_->Put("c"));
  EXPECT_TRUE(std::filesystem::exists(*first + "/keep.txt"));
  ASSERT_TRUE(driver_->Put("c"));
  ASSERT_TRUE(driver_->Put("c"));
}

TEST_F(LifeCycle, ADiffOfAContainerIsAppliedAsALayer) {
  for (const bool checkout : {false, true}) {
    Open(TableUnderTest(), checkout);
    ASSERT_TRUE(Apply("base", "", BaseTar()));
    ASSERT_TRUE(driver_->CreateReadWrite("c", "base", 0));
    const auto path = driver_->Get("c", false);
    ASSERT_TRUE(path) << path.error().ToString();
    std::ofstream(*path + "/made.txt") << "made";
    std::ofstream(*path + "/dir/a.txt", std::ios::app) << "!";
    std::filesystem::remove(*path + "/dir/b.txt");
    ASSERT_TRUE(driver_->Put("c"));
    const auto lines = ChangeLines("c");
    ASSERT_TRUE(lines) << lines.error().ToString();
    // The folders whose entries changed have a new write time.
    EXPECT_EQ(*lines, (std::vector<std::string>{"C Files", "C Files/dir", "C Files/dir/a.txt",
                                                "D Files/dir/b.txt", "A Files/made.txt"}));
    const auto size = driver_->DiffSize("c", {});
    ASSERT_TRUE(size);
    EXPECT_EQ(*size, 6 + 4);
    const auto tar = Diff("c");
    ASSERT_TRUE(tar) << tar.error().ToString();
    const auto applied = Apply("layer", "base", *tar);
    ASSERT_TRUE(applied) << applied.error().ToString();
    EXPECT_EQ(applied->size_bytes, *size);
    EXPECT_EQ(*ChangeLines("layer"), *lines);
    driver_.reset();
    std::filesystem::remove_all(home_);
  }
}

TEST_F(LifeCycle, TheExpectedDigestDecides) {
  Open();
  const Buffer tar = BaseTar();
  ApplyOptions wrong;
  wrong.parent = "";
  wrong.expected_diff_id = "sha256:" + std::string(64, '0');
  const auto before = Listing();
  {
    auto apply = driver_->ApplyDiff("base", wrong);
    ASSERT_TRUE(apply);
    ASSERT_TRUE((*apply)->Write(tar));
    const auto finished = (*apply)->Finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code, Errc::kDigestMismatch);
  }
  EXPECT_EQ(Listing(), before);
  const auto applied = Apply("base", "", tar);
  ASSERT_TRUE(applied);
  // S8: the same id, parent and digest again is a look-up.
  ApplyOptions same;
  same.parent = "";
  same.expected_diff_id = applied->diff_id;
  auto again = driver_->ApplyDiff("base", same);
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_TRUE((*again)->already_there());
  EXPECT_EQ((*again)->Finish()->size_bytes, applied->size_bytes);
  const auto filled = Apply("base", "", tar);
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().code, Errc::kLayerExists);
}

TEST_F(LifeCycle, BadInputLeavesTheStoreAsItWas) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  const auto before = Listing();
  Buffer truncated = ChildTar();
  truncated.resize(2000);
  const std::string html = "<!DOCTYPE html><html><body>404 not found</body></html>";
  struct Case {
    const char* what;
    Buffer input;
    Errc code;
  };
  const std::vector<Case> cases = {
      {"truncated", truncated, Errc::kBadArchive},
      {"html", Buffer(AsBytes(html).begin(), AsBytes(html).end()), Errc::kBadArchive},
      {"leaves the root", MakeTar({{"Files", '5', "", ""}, {"Files/../../x", '0', "x", ""}}),
       Errc::kUnsafePath},
      {"absolute", MakeTar({{"/etc/passwd", '0', "x", ""}}), Errc::kUnsafePath},
  };
  for (const Case& bad : cases) {
    const auto applied = Apply("bad", "base", bad.input);
    ASSERT_FALSE(applied) << bad.what;
    EXPECT_EQ(applied.error().code, bad.code) << bad.what << ": " << applied.error().ToString();
    EXPECT_EQ(Listing(), before) << bad.what;
  }
}

TEST_F(LifeCycle, DiffAgainstAncestorsSquashes) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(Apply("one", "base", ChildTar()));
  ASSERT_TRUE(Apply("two", "one",
                    MakeTar({{"Files", '5', "", ""},
                             {"Files/.wh.new.txt", '0', "", ""},
                             {"Files/two.txt", '0', "2", ""}})));
  DiffOptions against_base;
  against_base.parent = "base";
  const auto squashed = Diff("two", against_base);
  ASSERT_TRUE(squashed) << squashed.error().ToString();
  ASSERT_TRUE(Apply("flat", "base", *squashed));
  EXPECT_EQ(*ChangeLines("flat"), *ChangeLines("two", "base"));
  DiffOptions stranger;
  stranger.parent = "two";
  const auto wrong = Diff("one", stranger);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::kInvalidArgument);
}

// L9 and store §7: while a Diff is open, nothing takes the layer from under it.
TEST_F(LifeCycle, AnOpenDiffHoldsTheLayer) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(driver_->CreateReadWrite("c", "base", 0));
  const auto path = driver_->Get("c", false);
  ASSERT_TRUE(path);
  auto diff = driver_->Diff("c", {});
  ASSERT_TRUE(diff) << diff.error().ToString();
  EXPECT_TRUE(std::filesystem::exists(*path + "/keep.txt"))
      << "the mount stays while a Diff is read";
  const auto put = driver_->Put("c");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Errc::kLayerBusy);
  diff->reset();
  ASSERT_TRUE(driver_->Put("c"));
}

TEST_F(LifeCycle, TwoThreadsOnOneLayerAndManyLayersAtOnce) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(driver_->CreateReadWrite("c", "base", 0));
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        if (!driver_->Get("c", false)) ++failures;
        const std::string id = "t" + std::to_string(t) + "-" + std::to_string(i);
        if (!Apply(id, "base", ChildTar())) ++failures;
        if (!Diff(id)) ++failures;
        if (!driver_->Put("c")) ++failures;
        if (!driver_->Remove(id, false)) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures.load(), 0);
  ASSERT_TRUE(driver_->Remove("c", false)) << "every reference was given back";
}

}  // namespace
}  // namespace wclayer::test
