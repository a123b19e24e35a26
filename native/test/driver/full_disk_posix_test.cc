// L17: a file system that is full at any moment of a call: a typed error, the space and the state
// as before, and what fits succeeds afterwards.
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "driver/fixture.h"
#include "fs/support.h"

namespace wclayer::test {
namespace {

namespace files = std::filesystem;

class FullDisk : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    disk_ = MakeTemporaryFolder("disk");
    if (!fs::test::EnterPrivateMounts() ||
        ::mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=16m") != 0) {
      GTEST_SKIP() << "cannot mount a small tmpfs: needs root";
    }
    mounted_ = true;
    home_ = disk_ / "home";
    Open(TableUnderTest(), true);
    ASSERT_TRUE(Apply("base", "", BaseTar()));
    ASSERT_TRUE(driver_->CreateReadWrite("box", "base", 0));
  }
  void TearDown() override {
    driver_.reset();
    if (mounted_) {
      EXPECT_EQ(::umount2(disk_.c_str(), MNT_DETACH), 0) << disk_;
    }
    RemoveFolder(disk_);
  }

  std::uint64_t Free() const {
    struct statvfs info {};
    EXPECT_EQ(::statvfs(disk_.c_str(), &info), 0);
    return info.f_bfree;
  }
  // Leaves so many blocks free.
  void Fill(std::uint64_t blocks) {
    const std::string path = disk_ / "filler";
    std::ofstream out(path, std::ios::binary);
    const std::uint64_t free = Free();
    ASSERT_GE(free, blocks);
    const std::string block(4096, 'x');
    for (std::uint64_t i = 0; i < free - blocks; ++i) out << block;
  }
  void Empty() { files::remove(disk_ / "filler"); }

  // `call` with 0, 1, 2 … blocks free, until it succeeds; `undo` takes that back.
  void FailAtEachBlock(const std::string& what, const std::function<wclayer::Status()>& call,
                       const std::function<void()>& undo, std::uint64_t step = 1) {
    SCOPED_TRACE(what);
    const auto once = call();  // makes the locks, which stay
    ASSERT_TRUE(once) << once.error().ToString();
    undo();
    const auto before = Listing();
    const std::uint64_t free = Free();
    int failures = 0;
    for (std::uint64_t blocks = 0; blocks < 4'000; blocks += step) {
      Fill(blocks);
      const auto done = call();
      Empty();
      if (done) {
        undo();
        EXPECT_EQ(Listing(), before);
        EXPECT_EQ(Free(), free);
        std::printf("%s: failed with %d sizes of free space\n", what.c_str(), failures);
        EXPECT_GT(failures, 0);
        return;
      }
      ++failures;
      EXPECT_EQ(done.error().code, Errc::kNoSpace) << blocks << ": " << done.error().ToString();
      ASSERT_EQ(Listing(), before) << blocks << " blocks free";
      ASSERT_EQ(Free(), free) << blocks << " blocks free: space was kept";
    }
    FAIL() << "never ran to its end";
  }

  files::path disk_;
  bool mounted_ = false;
};

wclayer::Status Drop(Expected<ApplyResult> result) {
  if (!result) return std::move(result).error();
  return {};
}

TEST_F(FullDisk, ApplyOfManySmallFiles) {
  std::vector<TarEntry> entries = {{"Files", '5', "", ""}};
  for (int i = 0; i < 20; ++i)
    entries.push_back({"Files/f" + std::to_string(i), '0', std::string(3'000, 'a'), ""});
  const Buffer tar = MakeTar(entries);
  FailAtEachBlock(
      "ApplyDiff", [&] { return Drop(Apply("new", "base", tar)); },
      [&] { ASSERT_TRUE(driver_->Remove("new", false)); });
}

TEST_F(FullDisk, ApplyOfOneLargeFileThenOneThatFits) {
  const Buffer large =
      MakeTar({{"Files", '5', "", ""}, {"Files/big", '0', std::string(20u << 20, 'b'), ""}});
  ASSERT_TRUE(Apply("new", "base", ChildTar()));  // makes the locks, which stay
  ASSERT_TRUE(driver_->Remove("new", false));
  const auto before = Listing();
  const std::uint64_t free = Free();
  const auto applied = Apply("new", "base", large);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Errc::kNoSpace) << applied.error().ToString();
  EXPECT_EQ(applied.error().sys_errno, ENOSPC);
  EXPECT_EQ(applied.error().path, "Files/big");
  EXPECT_EQ(Listing(), before);
  EXPECT_EQ(Free(), free);
  const auto fits = Apply("new", "base", ChildTar());
  ASSERT_TRUE(fits) << fits.error().ToString();
  const auto problems = driver_->Verify({}, VerifyDepth::kFull);
  ASSERT_TRUE(problems);
  EXPECT_TRUE(problems->empty());
}

TEST_F(FullDisk, MakingAWritableLayer) {
  FailAtEachBlock(
      "CreateReadWrite", [&] { return driver_->CreateReadWrite("new", "base", 0); },
      [&] { ASSERT_TRUE(driver_->Remove("new", false)); });
}

TEST_F(FullDisk, Create) {
  FailAtEachBlock(
      "Create", [&] { return driver_->Create("new", "base", 0); },
      [&] { ASSERT_TRUE(driver_->Remove("new", false)); });
}

TEST_F(FullDisk, DiffPath) {
  std::string folder;
  FailAtEachBlock(
      "DiffPath",
      [&]() -> wclayer::Status {
        auto path = driver_->DiffPath("base");
        if (!path) return std::move(path).error();
        folder = *path;
        return {};
      },
      [&] { ASSERT_TRUE(driver_->ReleaseDiffPath(folder)); });
}

// Nothing has to be written to read, to put and to remove.
TEST_F(FullDisk, WhatReadsOrRemovesNeedsNoSpace) {
  ASSERT_TRUE(driver_->Get("box", false));
  Fill(0);
  EXPECT_TRUE(driver_->List());
  EXPECT_EQ(*Diff("base"), BaseTar());
  const auto put = driver_->Put("box");
  EXPECT_TRUE(put) << put.error().ToString();
  const auto gone = driver_->Remove("box", false);
  EXPECT_TRUE(gone) << gone.error().ToString();
  const auto base = driver_->Remove("base", false);
  EXPECT_TRUE(base) << base.error().ToString();
  Empty();
}

}  // namespace
}  // namespace wclayer::test
