// backend=system, whole: the driver, the gate with its threads, this Windows, and a vmcompute.dll
// in the system directory (ours, under Wine).
#include "driver/fixture.h"
#include "vmcompute/backends.h"

namespace wclayer::test {
namespace {

class SystemTable : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    auto chosen = vmcompute::Choose(vmcompute::Backend::kSystem);
    ASSERT_TRUE(chosen) << chosen.error().ToString();
    DriverOptions options;
    options.home = home_.string();
    options.durability = DurabilityLevel::kNone;
    auto driver = Driver::Open(*chosen, options);
    ASSERT_TRUE(driver) << driver.error().ToString();
    driver_ = *std::move(driver);
  }
};

TEST_F(SystemTable, ALayersLife) {
  const auto base = Apply("base", "",
                          MakeTar({{"Files", '5', "", ""},
                                   {"Files/dir", '5', "", ""},
                                   {"Files/dir/a.txt", '0', "alpha", ""},
                                   {"Files/dir/b.txt", '0', "beta", ""}}));
  ASSERT_TRUE(base) << base.error().ToString();
  const auto child = Apply("child", "base", ChildTar());
  ASSERT_TRUE(child) << child.error().ToString();
  EXPECT_EQ(*driver_->DiffSize("child", {}), child->size_bytes);
  ASSERT_TRUE(driver_->CreateReadWrite("box", "child", 0));
  const auto path = driver_->Get("box", false);
  ASSERT_TRUE(path) << path.error().ToString();
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(*path) / "new.txt"));
  EXPECT_TRUE(Diff("box")) << "while it is mounted";
  EXPECT_EQ(driver_->Remove("child", false).error().code, Errc::kLayerBusy);
  ASSERT_TRUE(driver_->Put("box"));
  for (const char* id : {"box", "child", "base"}) {
    const auto removed = driver_->Remove(id, false);
    ASSERT_TRUE(removed) << removed.error().ToString();
    EXPECT_FALSE(driver_->Exists(id));
  }
  const auto images = driver_->GetCustomImageInfos();
  ASSERT_TRUE(images) << images.error().ToString();
}

TEST_F(SystemTable, StatusTellsOfTheDll) {
  const auto pairs = driver_->Status();
  ASSERT_TRUE(pairs);
  std::map<std::string, std::string> status;
  for (const Pair& pair : *pairs) status[pair.key] = pair.value;
  EXPECT_EQ(status["Backend"], "system");
  EXPECT_EQ(status["Not available"], "nothing");
  EXPECT_EQ(status["Host version"].find("10.0."), 0u) << status["Host version"];
}

TEST_F(SystemTable, OneGateServesAllDrivers) {
  const auto first = vmcompute::Choose(vmcompute::Backend::kAuto);
  const auto second = vmcompute::Choose(vmcompute::Backend::kSystem);
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  ASSERT_NE(first->gate, nullptr);
  EXPECT_EQ(first->gate, second->gate);
  EXPECT_EQ(vmcompute::Choose(vmcompute::Backend::kPortable)->gate, nullptr);
  const auto storage =
      vmcompute::Choose(vmcompute::Backend::kSystem, vmcompute::Api::kComputeStorage);
  ASSERT_FALSE(storage) << "Wine has no computestorage.dll";
  EXPECT_EQ(storage.error().code, Errc::kBackendUnavailable);
}

}  // namespace
}  // namespace wclayer::test
