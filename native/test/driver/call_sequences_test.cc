// Which calls of vmcompute.dll each member makes, in which order, on which layers (spec
// driver-semantics §1–§3 for the version named, requirement L9). docs/windows.md has the same table
// for people. The strict table itself checks GUIDs, the order of descriptors and who frees what.
#include <thread>

#include "driver/strict_fixture.h"

namespace wclayer::test {
namespace {

using Lines = std::vector<std::string>;

class CallSequences : public StrictTest {
 protected:
  void SetUp() override {
    StrictTest::SetUp();
    MakeChain();
  }
};

TEST_F(CallSequences, OpenStringStatusMetadataCallNothing) {
  OpenStrict();
  EXPECT_EQ(driver_->String(), "windowsfilter");
  ASSERT_TRUE(driver_->Status());
  ASSERT_TRUE(driver_->GetMetadata("box"));
  ASSERT_TRUE(driver_->List());
  EXPECT_EQ(Sequence(), Lines());
}

TEST_F(CallSequences, ExistsAsksOnlyForThat) {
  EXPECT_TRUE(driver_->Exists("box"));
  EXPECT_FALSE(driver_->Exists("none"));
  for (const std::string& line : strict_->Log()) EXPECT_EQ(line.find("LayerExists"), 0u) << line;
}

TEST_F(CallSequences, CreateOfAReadOnlyLayer) {
  ASSERT_TRUE(driver_->Create("new", "mid", 0));
  EXPECT_EQ(Sequence(), (Lines{"GetLayerMountPath mid", "CreateLayer new on mid"}));
  strict_->Forget();
  ASSERT_TRUE(driver_->Create("alone", "", 0));
  EXPECT_EQ(Sequence(), Lines{"CreateLayer alone"});
}

TEST_F(CallSequences, CreateReadWrite) {
  ASSERT_TRUE(driver_->CreateReadWrite("new", "mid", 20));
  EXPECT_EQ(Sequence(), (Lines{"GetLayerMountPath mid", "CreateSandboxLayer new on mid,base",
                               "ExpandSandboxSize new to 20"}));
}

TEST_F(CallSequences, CreateOnAnInitLayer) {
  ASSERT_TRUE(driver_->Create("c-init", "mid", 0));
  strict_->Forget();
  ASSERT_TRUE(driver_->Create("c", "c-init", 0));
  EXPECT_EQ(Sequence(), Lines{"CreateSandboxLayer c on mid,base"})
      << "the -init layer is in no chain";
}

TEST_F(CallSequences, GetTwiceAndPutTwice) {
  const auto path = driver_->Get("box", false);
  ASSERT_TRUE(path);
  EXPECT_EQ(*path, "\\\\?\\Volume{1c31fe35-e5f2-4858-b1bf-93dd6de9e54a}");
  EXPECT_EQ(Sequence(),
            (Lines{"ActivateLayer box", "PrepareLayer box on mid,base", "GetLayerMountPath box"}));
  strict_->Forget();
  ASSERT_TRUE(driver_->Get("box", false));
  EXPECT_EQ(Sequence(), Lines{"GetLayerMountPath box"});
  ASSERT_TRUE(driver_->Put("box"));
  strict_->Forget();
  ASSERT_TRUE(driver_->Put("box"));
  EXPECT_EQ(Sequence(), (Lines{"UnprepareLayer box", "DeactivateLayer box"}));
  strict_->Forget();
  ASSERT_TRUE(driver_->Put("box"));
  EXPECT_EQ(Sequence(), Lines()) << "unmatched";
}

TEST_F(CallSequences, GetOfAReadOnlyLayerGivesItsFolder) {
  const auto path = driver_->Get("mid", false);
  ASSERT_TRUE(path);
  EXPECT_EQ(std::filesystem::path(*path), home_ / "mid");
  EXPECT_EQ(Sequence(),
            (Lines{"ActivateLayer mid", "PrepareLayer mid on base", "GetLayerMountPath mid"}));
  ASSERT_TRUE(driver_->Put("mid"));
}

TEST_F(CallSequences, DiffOfAnUnmountedLayer) {
  DiffOptions options;
  options.format = ArchiveFormat::kTransport;
  ASSERT_TRUE(Diff("box", options));
  EXPECT_EQ(Sequence(),
            (Lines{"ActivateLayer box", "ExportLayer box on mid,base", "DeactivateLayer box"}));
}

TEST_F(CallSequences, DiffOfAMountedLayer) {
  ASSERT_TRUE(driver_->Get("box", false));
  strict_->Forget();
  DiffOptions options;
  options.format = ArchiveFormat::kTransport;
  ASSERT_TRUE(Diff("box", options));
  EXPECT_EQ(Sequence(), (Lines{"UnprepareLayer box", "ExportLayer box on mid,base",
                               "PrepareLayer box on mid,base"}));
  ASSERT_TRUE(driver_->Put("box"));
}

TEST_F(CallSequences, ADiffThatIsClosedEarlyRestoresToo) {
  ASSERT_TRUE(driver_->Get("box", false));
  strict_->Forget();
  DiffOptions options;
  options.format = ArchiveFormat::kTransport;
  auto source = driver_->Diff("box", options);
  ASSERT_TRUE(source);
  source->reset();
  EXPECT_EQ(Sequence().back(), "PrepareLayer box on mid,base");
  ASSERT_TRUE(driver_->Put("box"));
}

TEST_F(CallSequences, GetWhileADiffIsOpenOnlyCounts) {
  DiffOptions options;
  options.format = ArchiveFormat::kTransport;
  auto source = driver_->Diff("box", options);
  ASSERT_TRUE(source);
  auto other = Driver::Open(Strict(), options_);  // as another process would
  ASSERT_TRUE(other);
  auto beside = (*other)->Diff("box", options);
  ASSERT_TRUE(beside);
  strict_->Forget();
  ASSERT_TRUE(driver_->Get("box", false));
  source->reset();
  EXPECT_EQ(Sequence(), Lines{"GetLayerMountPath box"});
  const auto busy = driver_->Put("box");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, Errc::kLayerBusy);
  strict_->Forget();
  beside->reset();
  EXPECT_EQ(Sequence(), Lines{"PrepareLayer box on mid,base"}) << "the last reader restores";
  ASSERT_TRUE(driver_->Put("box"));
}

TEST_F(CallSequences, ApplyDiff) {
  ASSERT_TRUE(Apply("new", "mid", TransportTar("new")));
  EXPECT_EQ(Sequence(), (Lines{"GetLayerMountPath mid", "CreateLayer new on mid",
                               "ImportLayer new on mid,base"}));
}

TEST_F(CallSequences, ApplyDiffOfABaseLayer) {
  ASSERT_TRUE(Apply("other", "", TransportTar("other")));
  EXPECT_EQ(Sequence().front(), "CreateLayer other");
  EXPECT_EQ(Sequence()[1], "ImportLayer other");
}

TEST_F(CallSequences, DiffPath) {
  const auto folder = driver_->DiffPath("mid");
  ASSERT_TRUE(folder) << folder.error().ToString();
  EXPECT_EQ(Sequence(),
            (Lines{"ActivateLayer mid", "ExportLayer mid on base", "DeactivateLayer mid"}));
  strict_->Forget();
  ASSERT_TRUE(driver_->ReleaseDiffPath(*folder));
  EXPECT_EQ(Sequence(), Lines());
}

TEST_F(CallSequences, RemoveRenamesAndDestroys) {
  ASSERT_TRUE(driver_->Remove("box", false));
  EXPECT_EQ(Sequence(), Lines{"DestroyLayer box-removing"});
  EXPECT_FALSE(driver_->Exists("box"));
  EXPECT_FALSE(std::filesystem::exists(home_ / "box-removing"));
}

TEST_F(CallSequences, RemoveByForceUnmounts) {
  ASSERT_TRUE(driver_->Get("box", false));
  const auto refused = driver_->Remove("box", false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLayerBusy);
  strict_->Forget();
  ASSERT_TRUE(driver_->Remove("box", true));
  EXPECT_EQ(Sequence(),
            (Lines{"UnprepareLayer box", "DeactivateLayer box", "DestroyLayer box-removing"}));
}

TEST_F(CallSequences, CleanupFinishesRemovalsAndMountsOfTheDead) {
  std::filesystem::create_directories(home_ / "gone-removing" / "Files");
  const auto report = driver_->Cleanup();
  ASSERT_TRUE(report);
  EXPECT_EQ(Sequence(), Lines{"DestroyLayer gone-removing"});
  EXPECT_EQ(*report, Lines{"finished removing gone"});
}

TEST_F(CallSequences, GetCustomImageInfosMakesAStubOnce) {
  for (int round = 0; round < 2; ++round) {
    strict_->Forget();
    const auto images = driver_->GetCustomImageInfos();
    ASSERT_TRUE(images) << images.error().ToString();
    ASSERT_EQ(images->size(), 1u);
    EXPECT_EQ((*images)[0].os_version, "10.0.14300");
    Lines lines = {"GetBaseImages"};
    if (round == 0) lines.push_back("CreateLayer " + (*images)[0].id);
    EXPECT_EQ(Sequence(), lines) << "run at every start of a daemon";
  }
}

// DriverInfo of docker's first drivers: home and name. (The strict table takes both and checks
// each.)
TEST_F(CallSequences, LayersAreNamedBelowTheHomeByOption) {
  options_.layer_names = LayerNames::kHomeAndId;
  OpenStrict();
  ASSERT_TRUE(driver_->Get("box", false));
  ASSERT_TRUE(driver_->Put("box"));
  ASSERT_TRUE(driver_->Remove("box", false));
}

}  // namespace
}  // namespace wclayer::test
