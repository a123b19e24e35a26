// A table with Microsoft's entries alone, as a real vmcompute.dll is: what the driver adds on top
// of ours is not there, and layers are whole all the same.
#include "driver/fixture.h"

namespace wclayer::test {
namespace {

class BareTable : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    table_ = TableUnderTest();
    table_.extensions = nullptr;
    Open(table_);
  }
  void TearDown() override { DriverTest::TearDown(); }

  static Buffer Base() {
    return MakeTar({{"Files", '5', "", ""},
                    {"Files/dir", '5', "", ""},
                    {"Files/dir/a.txt", '0', "alpha", ""},
                    {"Files/dir/b.txt", '0', "beta", ""}});
  }

  vmcompute::Table table_;
};

TEST_F(BareTable, ALayerIsAppliedReadAndMounted) {
  const auto base = Apply("base", "", Base());
  ASSERT_TRUE(base) << base.error().ToString();
  EXPECT_EQ(base->size_bytes, 9);
  const auto child = Apply("child", "base", ChildTar());
  ASSERT_TRUE(child) << child.error().ToString();
  EXPECT_EQ(*driver_->DiffSize("child", {}), child->size_bytes);

  // What the Diff holds is what was applied: it makes the same layer.
  const auto tar = Diff("child");
  ASSERT_TRUE(tar) << tar.error().ToString();
  const auto again = Apply("again", "base", *tar);
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(again->size_bytes, child->size_bytes);
  EXPECT_TRUE(*Diff("again") == *tar);

  ASSERT_TRUE(driver_->CreateReadWrite("c", "child", 0));
  const auto path = driver_->Get("c", false);
  ASSERT_TRUE(path) << path.error().ToString();
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(*path) / "new.txt"));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(*path) / "dir" / "b.txt"));
  ASSERT_TRUE(driver_->Put("c"));
  for (const char* id : {"c", "again", "child", "base"}) ASSERT_TRUE(driver_->Remove(id, false));
}

TEST_F(BareTable, AFailedApplyLeavesNoLayer) {
  ASSERT_TRUE(Apply("base", "", Base()));
  Buffer cut = ChildTar();
  cut.resize(2000);
  ASSERT_FALSE(Apply("child", "base", cut));
  EXPECT_FALSE(driver_->Exists("child"));
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
}

// Not by the streaming calls, which take neither links nor what a replay needs.
TEST_F(BareTable, WhatIsAppliedComesBackByteForByte) {
  ASSERT_TRUE(Apply("links", "", BaseTar()));
  EXPECT_TRUE(*Diff("links") == BaseTar());
}

}  // namespace
}  // namespace wclayer::test
