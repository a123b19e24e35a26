// What a process that was killed leaves, and what becomes of it when the home is opened again.
#include <unistd.h>

#include <fstream>

#include "driver/fixture.h"
#include "fs/dir.h"
#include "fs/mount.h"

namespace wclayer::test {
namespace {

class Recovery : public DriverTest {
 protected:
  // An overlay as a trial mounts one, and as it stays when the process dies in the middle.
  void LeaveMount(const std::filesystem::path& folder) {
    for (const char* part : {"lower", "upper", "work", "mnt", "names"})
      std::filesystem::create_directories(folder / part);
    const auto open = [&](const char* part) {
      return *fs::Dir::OpenAbsolute((folder / part).string());
    };
    const fs::Dir lower = open("lower");
    const fs::Dir upper = open("upper");
    const fs::Dir work = open("work");
    fs::OverlayRequest request;
    request.lowers = {lower.fd()};
    request.upper = upper.fd();
    request.work = work.fd();
    request.target = (folder / "mnt").string();
    request.source = "wclayer:trial";
    request.legacy_folder = (folder / "names").string();  // where there is no fsopen
    const auto mounted = fs::MountOverlay(request);
    ASSERT_TRUE(mounted) << mounted.error().ToString();
  }
};

TEST_F(Recovery, AMountLeftInAStagingFolderIsEnded) {
  Open();
  std::string reason;
  if (!fs::CanMountOverlay((home_ / ".wclayer" / "staging").string(), reason))
    GTEST_SKIP() << reason;
  driver_.reset();
  const auto left = home_ / ".wclayer" / "staging" / "trial-0";
  LeaveMount(left);
  Open();
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST_F(Recovery, AMountLeftInATemporaryFolderIsEnded) {
  Open();
  std::string reason;
  if (!fs::CanMountOverlay((home_ / ".wclayer" / "staging").string(), reason))
    GTEST_SKIP() << reason;
  const auto left = home_ / ".wclayer" / "tmp" / "trial-1";
  LeaveMount(left);
  const auto cleaned = driver_->Cleanup();
  ASSERT_TRUE(cleaned) << cleaned.error().ToString();
  EXPECT_FALSE(std::filesystem::exists(left));
}

// The driver writes the chain after the table has made the layer: a process killed between the two
// leaves it with its parent all the same.
TEST_F(Recovery, ALayerIsNeverThereWithoutItsParent) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  const std::u16string home = home_.u16string();
  vmcompute::DriverInfo info;
  info.home_dir = home.c_str();
  ASSERT_EQ(TableUnderTest().CreateLayer(&info, u"child", u"base"), vmcompute::kOk);
  const std::u16string parent = home + u"/base";
  vmcompute::LayerDescriptor descriptor;
  descriptor.path = parent.c_str();
  ASSERT_EQ(TableUnderTest().CreateSandboxLayer(&info, u"scratch", u"base", &descriptor, 1),
            vmcompute::kOk);
  const auto layers = driver_->List();
  ASSERT_TRUE(layers) << layers.error().ToString();
  for (const LayerSummary& layer : *layers) {
    if (layer.id == "base") continue;
    EXPECT_EQ(layer.parent, "base") << layer.id;
  }
}

TEST_F(Recovery, SmallFilesThatWereBeingWrittenGo) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  driver_.reset();
  const auto left = home_ / ".wclayer" / "locks" / "small+0123456789abcdef";
  std::ofstream(left) << "[\"half a cha";
  Open();
  EXPECT_FALSE(std::filesystem::exists(left));
  const auto problems = driver_->Verify({}, VerifyDepth::kFull);
  ASSERT_TRUE(problems);
  EXPECT_TRUE(problems->empty());
}

// To make and remove a lock file takes as long as two files of a layer do.
TEST_F(Recovery, TheLockOfAStagingFolderServesTheNextAndGoesWithTheDriver) {
  const auto locks = [&] {
    std::vector<std::string> names;
    for (const auto& item : std::filesystem::directory_iterator(home_ / ".wclayer" / "locks"))
      if (item.path().filename().string().starts_with("staging+"))
        names.push_back(item.path().filename());
    return names;
  };
  Open();
  ASSERT_TRUE(Apply("one", "", BaseTar()));
  const auto kept = locks();
  ASSERT_EQ(kept.size(), 1u);
  ASSERT_TRUE(Apply("two", "", BaseTar()));
  EXPECT_EQ(locks(), kept);
  // Who removes it, as a recovery does that finds it free, or takes the home away, takes only that.
  std::filesystem::remove(home_ / ".wclayer" / "locks" / kept.front());
  ASSERT_TRUE(Apply("three", "", BaseTar()));
  const auto fresh = locks();
  ASSERT_EQ(fresh.size(), 1u);
  EXPECT_NE(fresh, kept);
  driver_.reset();
  EXPECT_TRUE(locks().empty());
}

TEST_F(Recovery, LocksOfOwnersThatAreGoneGo) {
  Open();
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(driver_->Get("base", false));  // this driver is an owner now
  const auto locks = home_ / ".wclayer" / "locks";
  std::ofstream(locks / "owner+00000000") << "1";
  const auto owners = [&] {
    std::size_t count = 0;
    for (const auto& item : std::filesystem::directory_iterator(locks))
      count += item.path().filename().string().starts_with("owner+") ? 1u : 0u;
    return count;
  };
  ASSERT_EQ(owners(), 2u);
  ASSERT_TRUE(driver_->Cleanup());
  EXPECT_EQ(owners(), 1u) << "its own stays";
  ASSERT_TRUE(driver_->Put("base"));
}

}  // namespace
}  // namespace wclayer::test
