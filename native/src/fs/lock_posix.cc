#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "fs/lock.h"
#include "fs/posix.h"

namespace wclayer::fs {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{50};
constexpr std::uint64_t kResolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

// The pid that an exclusive holder wrote; information only.
std::string HolderOf(int fd) {
  char text[32];
  const ssize_t count = ::pread(fd, text, sizeof text, 0);
  if (count <= 0) return "another process or thread";
  const std::string pid(text, static_cast<std::size_t>(count));
  return pid == std::to_string(::getpid()) ? "another thread of this process" : "process " + pid;
}

// Whether `name` still is the file behind `fd`: lock files may be removed by who got them.
bool SameFile(int folder, const std::string& name, int fd) {
  struct stat by_name {};
  struct stat by_fd {};
  return ::fstatat(folder, name.c_str(), &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstat(fd, &by_fd) == 0 && by_name.st_ino == by_fd.st_ino &&
         by_name.st_dev == by_fd.st_dev;
}

}  // namespace

Expected<FileLock> FileLock::Acquire(const Dir& folder, std::string_view name, LockMode mode,
                                     std::chrono::milliseconds wait) {
  WCLAYER_TRY(CheckPath(name));
  const std::string file(name);
  const Clock::time_point deadline = Clock::now() + wait;
  std::chrono::milliseconds pause = kFirstPause;
  for (;;) {
    WCLAYER_ASSIGN(UniqueFd fd,
                   OpenAt(folder.fd(), file, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, kResolve));
    const int operation = (mode == LockMode::kExclusive ? LOCK_EX : LOCK_SH) | LOCK_NB;
    if (::flock(fd.get(), operation) == 0) {
      if (!SameFile(folder.fd(), file, fd.get())) continue;
      if (mode == LockMode::kExclusive) {
        const std::string pid = std::to_string(::getpid());
        if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
          // A full disk does not make the lock less held.
        }
      }
      FileLock lock;
      lock.fd_ = std::move(fd);
      return lock;
    }
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return SystemError(errno, "flock", file);
    const Clock::time_point now = Clock::now();
    if (now >= deadline) {
      Error error(Errc::kLayerBusy, "locked by " + HolderOf(fd.get()));
      error.operation = "lock";
      return error;
    }
    std::this_thread::sleep_for(std::min<Clock::duration>(pause, deadline - now));
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace wclayer::fs
