#include "fs/lock.h"

#include <atomic>
#include <cerrno>
#include <thread>

#include "fs/support.h"

namespace wclayer::fs {
namespace {

using std::chrono::milliseconds;
using test::ErrorOf;

constexpr milliseconds kAtOnce{0};
constexpr milliseconds kLong{60'000};  // far longer than any of these waits takes

class LockTest : public test::FolderTest {
 protected:
  Expected<FileLock> Exclusive(milliseconds wait = kAtOnce) {
    return FileLock::Acquire(folder_, "lock", LockMode::kExclusive, wait);
  }
  Expected<FileLock> Shared(milliseconds wait = kAtOnce) {
    return FileLock::Acquire(folder_, "lock", LockMode::kShared, wait);
  }
};

TEST_F(LockTest, FreeLockFilesOfAKindAreRemoved) {
  Write("tmp+left", "");
  Write("tmp-not", "");
  Write("other+left", "");
  const FileLock held = *FileLock::Acquire(folder_, "tmp+held", LockMode::kExclusive, kAtOnce);
  ASSERT_OK(RemoveFreeLocks(folder_, "tmp+"));
  std::string names;
  const auto left = folder_.List();
  for (const Listed& file : *left) names += file.name + ";";
  EXPECT_EQ(names, "other+left;tmp+held;tmp-not;");
}

TEST_F(LockTest, ExclusiveExcludesAllAndSaysWhoHoldsIt) {
  FileLock lock = *Exclusive();
  EXPECT_TRUE(static_cast<bool>(lock));
  EXPECT_EQ(Read("lock"), std::to_string(::getpid()));
  for (const Error& busy : {ErrorOf(Exclusive()), ErrorOf(Shared())}) {
    EXPECT_EQ(busy.code, Errc::kLayerBusy);
    EXPECT_EQ(busy.path, "lock");
    EXPECT_EQ(busy.message, "locked by another thread of this process");
  }
  lock.Release();
  EXPECT_FALSE(static_cast<bool>(lock));
  ASSERT_OK(Exclusive());
}

TEST_F(LockTest, SharedHoldersShare) {
  ASSERT_OK(Exclusive());
  FileLock one = *Shared();
  FileLock two = *Shared();
  // The exclusive holder of before is not blamed for it.
  EXPECT_EQ(ErrorOf(Exclusive()).message, "locked by another process or thread");
  one.Release();
  EXPECT_EQ(ErrorOf(Exclusive()).code, Errc::kLayerBusy);
  two.Release();
  ASSERT_OK(Exclusive());
}

TEST_F(LockTest, MovesWithItsOwner) {
  FileLock lock = *Exclusive();
  FileLock moved = std::move(lock);
  EXPECT_FALSE(Exclusive().has_value());
  moved = FileLock();
  ASSERT_OK(Exclusive());
}

TEST_F(LockTest, WaitsUntilItIsFree) {
  FileLock lock = *Exclusive();
  std::atomic<bool> released{false};
  std::atomic<bool> waiting{false};
  std::thread waiter([&] {
    waiting = true;
    auto got = Exclusive(kLong);
    EXPECT_TRUE(got.has_value());
    EXPECT_TRUE(released);
  });
  while (!waiting) std::this_thread::yield();
  EXPECT_EQ(ErrorOf(Exclusive(milliseconds{20})).code, Errc::kLayerBusy);
  released = true;
  lock.Release();
  waiter.join();
}

TEST_F(LockTest, ExtremeWaitsAreTaken) {
  ASSERT_OK(Exclusive(milliseconds::max()));
  FileLock lock = *Exclusive(milliseconds::min());
  EXPECT_EQ(ErrorOf(Exclusive(milliseconds::min())).code, Errc::kLayerBusy);
}

TEST_F(LockTest, AnotherProcessIsNamedAndItsDeathFreesTheLock) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto lock = Exclusive();
    const char ok = lock ? 'y' : 'n';
    if (::write(ready[1], &ok, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char ok = 0;
  ASSERT_EQ(::read(ready[0], &ok, 1), 1);
  ::close(ready[0]);
  ::close(ready[1]);
  ASSERT_EQ(ok, 'y');
  EXPECT_EQ(ErrorOf(Exclusive()).message, "locked by process " + std::to_string(child));
  EXPECT_FALSE(Shared().has_value());
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_OK(Exclusive());
}

TEST_F(LockTest, WhatTheFileHoldsIsNotTrusted) {
  Write("lock", "12\nkill me \x1b[2J and more than a pid");
  const UniqueFd other = *folder_.OpenForUpdate("lock");
  FileLock lock = *Shared();
  EXPECT_EQ(folder_.Stat("lock")->size, 0u);
  for (const std::string_view text : {"", "x", "-1", "12 ", "123456789012345678901234567890"}) {
    ASSERT_EQ(::ftruncate(other.get(), 0), 0);
    ASSERT_OK(WriteAt(other.get(), AsBytes(text), 0));
    EXPECT_EQ(ErrorOf(Exclusive()).message, "locked by another process or thread") << text;
  }
}

TEST_F(LockTest, ARemovedFileIsNoLock) {
  FileLock old = *Exclusive();
  ASSERT_OK(folder_.Remove("lock"));
  // The name is free, so a new file of that name is what counts.
  FileLock next = *Exclusive();
  EXPECT_EQ(StatFd(next.fd())->inode, folder_.Stat("lock")->inode);
  EXPECT_NE(StatFd(next.fd())->inode, StatFd(old.fd())->inode);
  std::thread waiter([&] {
    const auto got = Exclusive(kLong);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(StatFd(got->fd())->inode, folder_.Stat("lock")->inode);
  });
  ASSERT_OK(folder_.Remove("lock"));
  next.Release();
  waiter.join();
}

TEST_F(LockTest, HoldersThatRemoveTheFileStillExcludeEachOther) {
  constexpr int kThreads = 6;
  constexpr int kRounds = 60;
  std::atomic<int> inside{0};
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        auto lock = Exclusive(kLong);
        ASSERT_TRUE(lock.has_value()) << lock.error().ToString();
        EXPECT_EQ(inside.fetch_add(1), 0);
        std::this_thread::yield();
        inside.fetch_sub(1);
        // The last act of a holder: with the name gone the next one gets a lock of its own.
        if (i % 3 == 0) test::ExpectOk(folder_.Remove("lock"));
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kRounds);
}

TEST_F(LockTest, ALinkOrAFolderIsNoLockFile) {
  Write("target", "keep");
  ASSERT_OK(folder_.MakeSymlink("target", "lock"));
  EXPECT_EQ(ErrorOf(Exclusive()).code, Errc::kUnsafePath);
  EXPECT_EQ(Read("target"), "keep");
  ASSERT_OK(folder_.Remove("lock"));
  ASSERT_OK(folder_.MakeDir("lock"));
  EXPECT_EQ(ErrorOf(Exclusive()).sys_errno, EISDIR);
  for (const std::string_view name : {"", "..", "/etc/x", "a//b"}) {
    EXPECT_EQ(ErrorOf(FileLock::Acquire(folder_, name, LockMode::kShared, kAtOnce)).code,
              Errc::kUnsafePath);
  }
}

}  // namespace
}  // namespace wclayer::fs
