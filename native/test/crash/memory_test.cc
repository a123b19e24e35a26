// Memory that runs out at any allocation of a session, of the core or of the libraries in it: an
// error that says so, nothing leaked, and a home as after any other failure.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "crash/allocations.h"
#include "crash/session_test.h"

namespace wclayer::crash {
namespace {

constexpr unsigned kSeed = 20260101;
constexpr int kDone = 0;
constexpr int kFailed = 78;

// What the child process tells the test; in memory that both share.
struct Report {
  long allocations = 0;
  long leaked = 0;
  int step = 0;
  char error[1024] = {};
};

class MemoryTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    report_ = static_cast<Report*>(
        ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(report_, MAP_FAILED);
    setting_.durability = DurabilityLevel::kNone;
    int step = 0;
    ASSERT_TRUE(RunSession(setting_, step));  // fills what lives as long as the process
    ForgetFailure();
    test::RemoveFolder(setting_.home);
  }
  void TearDown() override {
    SessionTest::TearDown();
    ::munmap(report_, sizeof(Report));
  }

  // The store keeps its last failure for whoever asks: this one replaces it.
  static void ForgetFailure() {
    ASSERT_NE(vmcompute::Portable().DestroyLayer(nullptr, nullptr), vmcompute::kOk);
  }

  // What the border to Java makes of it too.
  Status RunCaught() {
    try {
      return RunSession(setting_, report_->step);
    } catch (const std::bad_alloc&) {
      return Error(Errc::kInternal, "out of memory");
    }
  }

  // Runs the session in a process of its own, with the allocation `point` failing.
  int Run(long point) {
    *report_ = Report();
    const pid_t child = ::fork();
    if (child == 0) {
      const long before = BlocksAlive();
      const long asked = AllocationsAsked();
      FailAllocation(point);
      if (const Status ran = RunCaught(); !ran) {
        FailAllocation(kNever);
        const std::string text = ran.error().ToString();
        std::snprintf(report_->error, sizeof report_->error, "%s", text.c_str());
      }
      FailAllocation(kNever);
      report_->allocations = AllocationsAsked() - asked;
      ForgetFailure();
      report_->leaked = BlocksAlive() - before;
      ::_exit(report_->error[0] == 0 ? kDone : kFailed);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  Report* report_ = nullptr;
};

TEST_P(MemoryTest, AnyAllocationMayFail) {
  ASSERT_EQ(Run(kNever), kDone) << report_->error;
  const auto allocations = static_cast<int>(report_->allocations);
  ASSERT_GT(allocations, 1'000);
  EXPECT_EQ(report_->leaked, 0);
  test::RemoveFolder(setting_.home);
  int tried = 0;
  for (const int point : Points(allocations, 10, kSeed)) {
    const int status = Run(point);
    SCOPED_TRACE("allocation " + std::to_string(point) + " of " + std::to_string(allocations) +
                 ", step " + std::to_string(report_->step) + ", said: " + report_->error);
    EXPECT_TRUE(status == kDone || status == kFailed) << "ended with " << status;
    if (status == kFailed) {
      EXPECT_NE(std::strstr(report_->error, "memory"), nullptr) << "what failed is not named";
    }
    EXPECT_EQ(report_->leaked, 0);
    CheckHome(report_->step, status == kDone);
    if (HasFatalFailure()) DropMounts();
    test::RemoveFolder(setting_.home);
    ++tried;
  }
  std::printf("%d allocations of %d tried\n", tried, allocations);
}

INSTANTIATE_TEST_SUITE_P(Mounts, MemoryTest, testing::Bool(),
                         [](const auto& which) { return which.param ? "Checkout" : "Overlay"; });

}  // namespace
}  // namespace wclayer::crash
