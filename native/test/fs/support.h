// A temporary folder, mounts that end with the test, and a look at the system calls of a piece of
// code.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "fs/dir.h"
#include "support/refuse_call.h"

namespace wclayer::fs::test {

inline constexpr uid_t kNobody = 65534;

// The error of an Expected that must have failed.
template <class T>
Error ErrorOf(Expected<T> result) {
  if (result) {
    ADD_FAILURE() << "no error";
    return {};
  }
  return std::move(result).error();
}
inline void ExpectOk(Status status) {
  EXPECT_TRUE(status.has_value()) << status.error().ToString();
}
#define ASSERT_OK(EXPRESSION)                                                         \
  do {                                                                                \
    const auto assert_ok_status = (EXPRESSION);                                       \
    ASSERT_TRUE(assert_ok_status.has_value()) << assert_ok_status.error().ToString(); \
  } while (false)

// Mounts made from here on are seen by this process alone and end with it; in a chroot, whose root
// is no mount point to make private (EINVAL), they end when the test unmounts them. False: no
// privilege.
inline bool EnterPrivateMounts() {
  static const bool entered =
      ::unshare(CLONE_NEWNS) == 0 &&
      (::mount("none", "/", "none", MS_REC | MS_PRIVATE, nullptr) == 0 || errno == EINVAL);
  return entered;
}

class FolderTest : public testing::Test {
 protected:
  FolderTest() {
    path_ = testing::TempDir() + "wclayer-fs-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
    own_path_ = path_;
    // A handle belongs to the mount namespace in which it was opened.
    EnterPrivateMounts();
    folder_ = *Dir::OpenAbsolute(path_);
  }
  ~FolderTest() override {
    for (auto at = mounted_.rbegin(); at != mounted_.rend(); ++at)
      EXPECT_EQ(::umount2(at->c_str(), MNT_DETACH), 0) << *at;
    folder_ = Dir();
    const std::size_t cut = own_path_.rfind('/');
    const Dir parent = *Dir::OpenAbsolute(own_path_.substr(0, cut + 1));
    ExpectOk(parent.RemoveTree(own_path_.substr(cut + 1)));
  }

  void Write(const std::string& name, std::string_view text) {
    auto file = folder_.CreateFile(name);
    ASSERT_TRUE(file.has_value()) << file.error().ToString();
    ExpectOk(WriteAt(file->get(), AsBytes(text), 0));
  }
  std::string Read(const std::string& name) {
    auto text = folder_.ReadSmall(name, 1u << 20);
    return text ? *std::move(text) : text.error().ToString();
  }
  // A small tmpfs at folder `name` of the test's folder.
  void MountTmpfs(const std::string& name, const std::string& options) {
    ASSERT_OK(folder_.MakeDirs(name));
    ASSERT_EQ(::mount("tmpfs", (path_ + "/" + name).c_str(), "tmpfs", 0, options.c_str()), 0);
    mounted_.push_back(path_ + "/" + name);
  }

  // Goes on in memory where that is allowed: a disk that discards freed blocks needs milliseconds
  // for each folder removed.
  void UseFastFolder() {
    if (!EnterPrivateMounts()) return;
    MountTmpfs("fast", "size=512m");
    folder_ = *folder_.OpenDir("fast");
    path_ += "/fast";
  }

  std::string own_path_;
  std::string path_;  // of `folder_`
  Dir folder_;
  std::vector<std::string> mounted_;  // to be taken away again
};

// What `code` returns (0…255), run in a child process; 255 if it died.
inline int RunInChild(const std::function<int()>& code) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(code());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 255;
  return WEXITSTATUS(status);
}

struct Trace {
  std::vector<long> calls;  // but those that only manage memory
  int result = 255;         // what the code returned
};

// Runs `code` in a traced child; `before` is called in this process as each system call starts,
// with its number, while the child stands still.
inline Trace TraceCalls(const std::function<int()>& code,
                        const std::function<void(long)>& before = {}) {
  Trace trace;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(254);
    ::raise(SIGSTOP);
    ::syscall(SYS_getppid);
    const int result = code();
    ::syscall(SYS_getppid);
    ::_exit(result);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return trace;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  constexpr long kMemory[] = {SYS_brk,      SYS_mmap,  SYS_munmap, SYS_madvise,
                              SYS_mprotect, SYS_futex, SYS_mremap};
  int markers = 0;
  long signal = 0;
  for (;;) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, signal);
    if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) break;
    signal = 0;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = WSTOPSIG(status);
      continue;
    }
    // Of the kernel's struct ptrace_syscall_info, which libc's and the kernel's headers both
    // define.
    struct {
      std::uint8_t op;
      std::uint8_t padding[23];
      std::uint64_t number;
      std::uint64_t arguments[6];
    } info{};
    ::ptrace(static_cast<__ptrace_request>(0x420e), child, sizeof info, &info);
    if (info.op != 1) continue;  // not the entry
    const auto number = static_cast<long>(info.number);
    if (number == SYS_getppid) {
      ++markers;
    } else if (markers == 1 &&
               std::find(std::begin(kMemory), std::end(kMemory), number) == std::end(kMemory)) {
      if (before) before(number);
      trace.calls.push_back(number);
    }
  }
  if (WIFEXITED(status)) trace.result = WEXITSTATUS(status);
  return trace;
}

}  // namespace wclayer::fs::test
