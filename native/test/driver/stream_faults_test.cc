// The streaming calls through the gate, over the portable store with Microsoft's entries alone:
// each call of a Diff fails once, and no context, name or privilege is left. (ApplyDiff does not
// stream there; its calls fail here all the same.)
#include <functional>

#include "driver/strict_fixture.h"

namespace wclayer::test {
namespace {

class StreamFaults : public StrictTest {
 protected:
  void SetUp() override {
    StrictTest::SetUp();
    ASSERT_TRUE(Apply("base", "", Base()));
    ASSERT_TRUE(Apply("child", "base", ChildTar()));
    ASSERT_TRUE(driver_->Get("child", false));  // makes what stays
    ASSERT_TRUE(driver_->Put("child"));
    ASSERT_TRUE(Rebuilt());  // settles the store's layers
    strict_->Forget();
  }
  const vmcompute::Table* Inner() override {
    bare_ = TableUnderTest();
    bare_.extensions = nullptr;
    return &bare_;
  }
  static Buffer Base() {
    return MakeTar({{"Files", '5', "", ""},
                    {"Files/dir", '5', "", ""},
                    {"Files/dir/a.txt", '0', "alpha", ""},
                    {"Files/dir/b.txt", '0', "beta", ""}});
  }

  Expected<Buffer> Rebuilt() {
    DiffOptions options;
    options.rebuild = true;
    return this->DriverTest::Diff("child", options);
  }

  void FailEachCall(const std::function<bool()>& member, const std::function<void()>& undo) {
    const auto before = Listing();
    for (int n = 0; n < 1'000; ++n) {
      strict_->FailAt(n, vmcompute::kIoDevice);
      const bool done = member();
      const bool failed = strict_->Failed();
      strict_->FailNothing();
      if (done) undo();
      ASSERT_EQ(Listing(), before) << "call " << n;
      ASSERT_EQ(strict_->OpenContexts(), 0u) << "call " << n;
      ASSERT_EQ(strict_->Unfreed(), 0u) << "call " << n;
      ASSERT_EQ(strict_->Active(), std::vector<std::string>()) << "call " << n;
      ASSERT_EQ(host_->Enabled(), std::vector<std::string>()) << "call " << n;
      if (!failed) {
        ASSERT_TRUE(done);
        return;
      }
    }
    FAIL() << "never ran to its end";
  }

  vmcompute::Table bare_;
};

TEST_F(StreamFaults, ApplyDiff) {
  FailEachCall([&] { return Apply("new", "base", ChildTar()).has_value(); },
               [&] { ASSERT_TRUE(driver_->Remove("new", false)); });
}

TEST_F(StreamFaults, Diff) {
  FailEachCall([&] { return Rebuilt().has_value(); }, [] {});
}

TEST_F(StreamFaults, ChangesAndDiffSize) {
  FailEachCall([&] { return ChangeLines("child").has_value(); }, [] {});
  FailEachCall([&] { return driver_->DiffSize("child", "").has_value(); }, [] {});
}

TEST_F(StreamFaults, AnExportThatHangsIsEndedWhenItReturns) {
  strict_->Hang("ExportLayerRead");
  const auto tar = Rebuilt();
  ASSERT_FALSE(tar);
  EXPECT_EQ(tar.error().code, Errc::kCallTimeout) << tar.error().ToString();
  EXPECT_EQ(strict_->OpenContexts(), 1u) << "the call is still in it";
  LetGo();
  EXPECT_EQ(strict_->OpenContexts(), 0u);
}

}  // namespace
}  // namespace wclayer::test
