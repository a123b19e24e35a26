#include "fs/lock.h"

#include <atomic>
#include <cerrno>
#include <sstream>
#include <thread>

#include "fs/posix.h"
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
  EXPECT_EQ(Read("lock"), "") << "no block of the disk for each lock";
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
  EXPECT_EQ(ErrorOf(Exclusive()).message, "locked by another thread of this process");
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

TEST_F(LockTest, WhatTheFileHoldsIsNotLookedAt) {
  Write("lock", "12");
  FileLock lock = *Shared();
  EXPECT_EQ(ErrorOf(Exclusive()).message, "locked by another thread of this process");
  EXPECT_EQ(Read("lock"), "12");
}

TEST_F(LockTest, TheKernelsListTellsWhoHoldsAFile) {
  const auto holder = [](const std::string& text) {
    std::istringstream locks(text);
    return HolderIn(locks, 0xfe, 0, 77);
  };
  const std::string others =
      "1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF\n"
      "2: -> FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF\n"
      "3: FLOCK  ADVISORY  READ 13 fe:00:177 0 EOF\n";
  EXPECT_EQ(holder(others), "");
  EXPECT_EQ(holder(others + "4: FLOCK  ADVISORY  READ 14 fe:00:77 0 EOF\n"), "14");
  // Another device: only when there is no doubt.
  const std::string elsewhere = "5: FLOCK  ADVISORY  WRITE 15 00:2a:77 0 EOF\n";
  EXPECT_EQ(holder(others + elsewhere), "15");
  EXPECT_EQ(holder(elsewhere + "6: FLOCK  ADVISORY  WRITE 16 00:2b:77 0 EOF\n"), "");
  EXPECT_EQ(holder(elsewhere + "7: FLOCK  ADVISORY  WRITE 17 fe:00:77 0 EOF\n"), "17");
  for (const char* odd : {"", "\n\n", "8:", "8: FLOCK", "8: FLOCK  ADVISORY  WRITE 18", "   ", ":"})
    EXPECT_EQ(holder(odd), "") << odd;
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
