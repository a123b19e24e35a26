// Every call of the table fails once, in turn; after each failure the home is as it was, nothing is
// mounted, and the same operation then succeeds (L8, L9).
#include "support/fault_table.h"

#include <functional>

#include "driver/fixture.h"
#include "fs/mount.h"

namespace wclayer::test {
namespace {

class Faults : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    fault.fail_at = -1;
    table_ = FaultTable(TableUnderTest());
    Open(table_);
    ASSERT_TRUE(Apply("base", "", BaseTar()));
    ASSERT_TRUE(driver_->CreateReadWrite("box", "base", 0));
  }
  void TearDown() override {
    fault.fail_at = -1;
    DriverTest::TearDown();
  }

  std::size_t MountsOfHome() const {
    const auto mounts = fs::ListMounts();
    EXPECT_TRUE(mounts);
    std::size_t count = 0;
    for (const auto& mount : *mounts) count += mount.target.starts_with(home_.string()) ? 1 : 0;
    return count;
  }

  // Runs `operation` with call 0, 1, 2 … failing until it succeeds untouched; `undo` takes back a
  // success.
  void FailEachCall(const char* what, const std::function<Status()>& operation,
                    const std::function<void()>& undo) {
    const auto before = Listing();
    const std::size_t mounts = MountsOfHome();
    for (int n = 0; n < 10'000; ++n) {
      fault.calls = 0;
      fault.failed = false;
      fault.fail_at = n;
      const Status done = operation();
      fault.fail_at = -1;
      if (!fault.failed) {
        ASSERT_TRUE(done) << what << ": " << done.error().ToString();
        ASSERT_GT(n, 0) << what << " made no call at all";
        undo();
        return;
      }
      if (done) {
        // A failure that the driver could tolerate (a state it only looked at).
        undo();
      } else {
        EXPECT_FALSE(done.error().message.empty()) << what << ", call " << n;
      }
      ASSERT_EQ(Listing(), before) << what << ", call " << n;
      ASSERT_EQ(MountsOfHome(), mounts) << what << ", call " << n;
    }
    FAIL() << what << " never ran to its end";
  }

  vmcompute::Table table_;
};

TEST_F(Faults, Create) {
  FailEachCall(
      "Create", [&] { return driver_->Create("new", "base", 0); },
      [&] { ASSERT_TRUE(driver_->Remove("new", false)); });
}

TEST_F(Faults, CreateReadWrite) {
  FailEachCall(
      "CreateReadWrite", [&] { return driver_->CreateReadWrite("new", "base", 1u << 30); },
      [&] { ASSERT_TRUE(driver_->Remove("new", false)); });
}

TEST_F(Faults, ApplyDiff) {
  FailEachCall(
      "ApplyDiff",
      [&]() -> Status {
        auto applied = Apply("new", "base", ChildTar());
        if (!applied) return std::move(applied).error();
        return {};
      },
      [&] { ASSERT_TRUE(driver_->Remove("new", false)); });
}

TEST_F(Faults, Get) {
  // The first mount makes folders that stay (work, mount point): made before the listing is taken.
  ASSERT_TRUE(driver_->Get("box", false));
  ASSERT_TRUE(driver_->Put("box"));
  FailEachCall(
      "Get",
      [&]() -> Status {
        auto path = driver_->Get("box", false);
        if (!path) return std::move(path).error();
        return {};
      },
      [&] { ASSERT_TRUE(driver_->Put("box")); });
}

TEST_F(Faults, DiffOfAMountedLayer) {
  ASSERT_TRUE(driver_->Get("box", false));
  FailEachCall(
      "Diff",
      [&]() -> Status {
        auto tar = Diff("box");
        if (!tar) return std::move(tar).error();
        return {};
      },
      [] {});
  ASSERT_TRUE(driver_->Put("box")) << "the reference survived every failure";
}

TEST_F(Faults, ChangesAndDiffSize) {
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
  FailEachCall(
      "Changes",
      [&]() -> Status {
        auto lines = ChangeLines("child");
        if (!lines) return std::move(lines).error();
        return {};
      },
      [] {});
  FailEachCall(
      "DiffSize",
      [&]() -> Status {
        auto size = driver_->DiffSize("child", "");  // its own size is on record
        if (!size) return std::move(size).error();
        return {};
      },
      [] {});
}

TEST_F(Faults, DiffPath) {
  // The folder of temporary folders stays: made before the listing is taken.
  ASSERT_TRUE(driver_->ReleaseDiffPath(*driver_->DiffPath("base")));
  std::string folder;
  FailEachCall(
      "DiffPath",
      [&]() -> Status {
        auto path = driver_->DiffPath("base");
        if (!path) return std::move(path).error();
        folder = *path;
        return {};
      },
      [&] { ASSERT_TRUE(driver_->ReleaseDiffPath(folder)); });
}

}  // namespace
}  // namespace wclayer::test
