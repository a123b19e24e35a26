// A process that ends at any system call, a machine that loses what was not flushed, and calls that
// fail: what the next one finds is whole or absent, and it goes on as if nothing had been.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

#include "crash/seam.h"
#include "crash/session_test.h"
#include "driver/fixture.h"

namespace wclayer::crash {
namespace {

constexpr int kStopped = 77;
constexpr int kFailed = 78;
constexpr int kDone = 0;
constexpr std::chrono::microseconds kDelay{200};
constexpr unsigned kSeed = 20260101;

// What the child process tells the test; in memory that both share.
struct Report {
  int calls = 0;
  int changed = 0;  // shortened, interrupted
  int step = 0;
  char last_call[32] = {};
  char error[1024] = {};
};

// kShort, kInterrupted, kSlow: at every call, not at a point.
enum class Mode { kStop, kPowerLoss, kFault, kShort, kInterrupted, kSlow };

struct Try {
  Mode mode = Mode::kStop;
  int point = -1;  // -1: none, to count them
  int error = 0;   // of a fault
};

class Injector : public Hook {
 public:
  Injector(const Try& what, Report& report) : what_(what), report_(report) {}

  int Before(Call& call) override {
    if (what_.mode == Mode::kSlow) std::this_thread::sleep_for(kDelay);
    const std::lock_guard lock(mutex_);
    const bool here = report_.calls++ == what_.point;
    if (what_.mode == Mode::kShort && call.length != nullptr) return Shorten(*call.length);
    if (what_.mode == Mode::kInterrupted && CanBeInterrupted(call)) return Interrupt();
    if (!here) return Flush(call) ? -1 : 0;
    std::snprintf(report_.last_call, sizeof report_.last_call, "%s", call.name);
    if (what_.mode == Mode::kFault) return what_.error;
    for (const int fd : unflushed_) {
      // The name is there and the bytes are not: what journals of metadata alone leave.
      if (::ftruncate(fd, 0) != 0) ::_exit(1);
    }
    ::_exit(kStopped);
  }

  void After(const Call& call, long result) override {
    const std::lock_guard lock(mutex_);
    if (what_.mode != Mode::kPowerLoss || result < 0) return;
    if (call.op == Op::kWrite && std::strcmp(call.name, "ioctl") != 0) Remember(call.fd);
  }

 private:
  int Shorten(std::size_t& length) {
    if (length < 2) return 0;
    length /= 2;
    ++report_.changed;
    return 0;
  }
  // What a signal breaks off on Linux: transfers and waits.
  static bool CanBeInterrupted(const Call& call) {
    return call.length != nullptr || std::strcmp(call.name, "flock") == 0 ||
           std::strcmp(call.name, "getdents64") == 0;
  }
  // Every other one.
  int Interrupt() {
    interrupt_ = !interrupt_;
    if (!interrupt_) return 0;
    ++report_.changed;
    return EINTR;
  }

  // Flushes are not made, only noted: what they cost shows nothing here.
  bool Flush(const Call& call) {
    if (call.op == Op::kSyncAll) Forget([](int) { return true; });
    if (call.op == Op::kSyncFile || call.op == Op::kSyncFolder)
      Forget([&](int fd) { return SameFile(fd, call.fd); });
    return call.op == Op::kSyncAll || call.op == Op::kSyncFile || call.op == Op::kSyncFolder;
  }
  static bool SameFile(int a, int b) {
    struct stat x {};
    struct stat y {};
    return ::fstat(a, &x) == 0 && ::fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
           x.st_dev == y.st_dev;
  }
  void Remember(int fd) {
    for (const int known : unflushed_)
      if (SameFile(known, fd)) return;
    // Opened anew: a duplicate would keep the lock that the file may carry.
    const std::string name = "/proc/self/fd/" + std::to_string(fd);
    const int copy = ::open(name.c_str(), O_WRONLY | O_CLOEXEC);
    if (copy >= 0) unflushed_.push_back(copy);
  }
  template <class Which>
  void Forget(Which which) {
    std::erase_if(unflushed_, [&](int fd) {
      if (!which(fd)) return false;
      ::close(fd);
      return true;
    });
  }

  std::mutex mutex_;  // a helper makes files beside who asked for them
  Try what_;
  Report& report_;
  std::vector<int> unflushed_;
  bool interrupt_ = false;
};

class NoFlush : public Hook {
 public:
  int Before(Call& call) override {
    return call.op == Op::kSyncAll || call.op == Op::kSyncFile || call.op == Op::kSyncFolder ? -1
                                                                                             : 0;
  }
  void After(const Call&, long) override {}
};

constexpr int kCallsMoreOrLess = 5;

class CrashTest : public SessionTest {
 protected:
  void SetUp() override {
    Install(&no_flush_);
    SessionTest::SetUp();
    report_ = static_cast<Report*>(
        ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(report_, MAP_FAILED);
  }
  void TearDown() override {
    Install(nullptr);
    SessionTest::TearDown();
    ::munmap(report_, sizeof(Report));
  }

  // Runs the session in a process of its own; its exit status.
  int Run(const Try& what) {
    *report_ = Report();
    const pid_t child = ::fork();
    if (child == 0) {
      Injector injector(what, *report_);
      Install(&injector);
      Status ran = RunSession(setting_, report_->step);
      if (ran && EveryCall(what.mode)) ran = Compare();
      Install(nullptr);
      if (!ran)
        std::snprintf(report_->error, sizeof report_->error, "%s", ran.error().ToString().c_str());
      ::_exit(ran ? kDone : kFailed);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (what.mode == Mode::kPowerLoss) DropMounts();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  static bool EveryCall(Mode mode) {
    return mode == Mode::kShort || mode == Mode::kInterrupted || mode == Mode::kSlow;
  }

  // What the session left is what was given, byte for byte.
  Status Compare() const {
    WCLAYER_ASSIGN(const auto driver, OpenDriver(setting_));
    const std::pair<const char*, Buffer> given[] = {{"base", test::MakeTar(test::HelpedEntries())},
                                                    {"child", test::ChildTar()}};
    for (const auto& [id, tar] : given) {
      WCLAYER_ASSIGN(const Buffer back, ReadDiff(*driver, id));
      if (back != tar) return Error(Errc::kInternal, "the tar differs").Of(id);
    }
    WCLAYER_ASSIGN(const auto problems, driver->Verify({}, VerifyDepth::kFull));
    if (!problems.empty()) return Error(Errc::kInternal, problems.front().problem);
    return {};
  }

  void RunAllThrough(Mode mode) {
    const int status = Run({mode, -1, 0});
    EXPECT_EQ(status, kDone) << report_->error << ", step " << report_->step;
    if (mode != Mode::kSlow) {
      EXPECT_GT(report_->changed, 50);
    }
    std::printf("%d calls of %d changed\n", mode == Mode::kSlow ? report_->calls : report_->changed,
                report_->calls);
    EXPECT_EQ(LeftOvers(), std::vector<std::string>());
  }

  // Every try begins with a new home.
  void TryPoints(Mode mode, const std::vector<int>& errors, int part) {
    ASSERT_EQ(Run({mode, -1, 0}), kDone) << report_->error;
    const int calls = report_->calls;
    ASSERT_GT(calls, 500);
    test::RemoveFolder(setting_.home);
    int tried = 0;
    int not_reached = 0;
    for (const int error : errors) {
      for (const int point : Points(calls, part, kSeed + static_cast<unsigned>(error))) {
        const int status = Run({mode, point, error});
        SCOPED_TRACE("point " + std::to_string(point) + " of " + std::to_string(calls) + ": " +
                     report_->last_call +
                     (error == 0 ? "" : std::string(" fails: ") + std::strerror(error)) +
                     ", step " + std::to_string(report_->step) + ", said: " + report_->error);
        if (mode == Mode::kFault) {
          ASSERT_TRUE(status == kDone || status == kFailed) << "ended with " << status;
        } else if (status == kDone) {
          ++not_reached;  // a run makes a call more or less, as locks are waited for
          ASSERT_GE(point, calls - kCallsMoreOrLess);
        } else {
          ASSERT_EQ(status, kStopped);
        }
        CheckHome(report_->step, status == kDone);
        if (HasFatalFailure()) {
          DropMounts();
        }
        test::RemoveFolder(setting_.home);
        ++tried;
      }
    }
    std::printf("%d points of %d tried, %d not reached\n", tried,
                calls * static_cast<int>(errors.size()), not_reached);
  }

  NoFlush no_flush_;
  Report* report_ = nullptr;
};

TEST_P(CrashTest, AProcessMayEndAtAnyCall) {
  TryPoints(Mode::kStop, {0}, 8);
}

TEST_P(CrashTest, WhatWasNotFlushedMayBeLost) {
  TryPoints(Mode::kPowerLoss, {0}, 8);
}

TEST_P(CrashTest, AnyCallMayFail) {
  TryPoints(Mode::kFault, {ENOSPC, EIO, EMFILE, EACCES, EROFS, EINTR}, 1);
}

TEST_P(CrashTest, EveryTransferMayBeShort) {
  RunAllThrough(Mode::kShort);
}

TEST_P(CrashTest, EveryTransferAndWaitMayBeInterrupted) {
  RunAllThrough(Mode::kInterrupted);
}

TEST_P(CrashTest, EveryCallMayBeSlow) {
  RunAllThrough(Mode::kSlow);
}

INSTANTIATE_TEST_SUITE_P(Mounts, CrashTest, testing::Bool(),
                         [](const auto& which) { return which.param ? "Checkout" : "Overlay"; });

}  // namespace
}  // namespace wclayer::crash
