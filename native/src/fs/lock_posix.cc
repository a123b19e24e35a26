#include <fcntl.h>
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
constexpr std::chrono::hours kLongestWait{24 * 365};  // a longer wait would overflow the clock
constexpr std::size_t kMaxPidDigits = 10;

// Who holds the lock: the pid that an exclusive holder wrote, if the file holds one.
std::string HolderOf(int fd) {
  char text[kMaxPidDigits + 1];
  const ssize_t count = ::pread(fd, text, sizeof text, 0);
  const std::string_view pid(text, count > 0 ? static_cast<std::size_t>(count) : 0);
  if (pid.empty() || pid.size() > kMaxPidDigits ||
      pid.find_first_not_of("0123456789") != std::string_view::npos)
    return "another process or thread";
  return pid == std::to_string(::getpid()) ? "another thread of this process"
                                           : "process " + std::string(pid);
}

// Whether `name` still is the file `info`: lock files may be removed by who got them.
bool StillNamed(int folder, const std::string& name, const struct stat& info) {
  struct stat by_name {};
  return ::fstatat(folder, name.c_str(), &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
         by_name.st_ino == info.st_ino && by_name.st_dev == info.st_dev;
}

// Writes who holds the lock. A shared holder clears the text of an earlier exclusive one. Failures
// do not count: a full disk does not make the lock less held.
void WriteHolder(int fd, LockMode mode, off_t size) {
  const std::string pid = mode == LockMode::kExclusive ? std::to_string(::getpid()) : "";
  const auto length = static_cast<off_t>(pid.size());
  if (length != 0 && ::pwrite(fd, pid.data(), pid.size(), 0) != length) return;
  if (size > length && ::ftruncate(fd, length) != 0) return;
}

Expected<UniqueFd> OpenLockFile(const Dir& folder, const std::string& file) {
  auto fd = OpenAt(folder.fd(), file, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, kBeneath);
  if (!fd) return std::move(fd).error().In("lock");
  return fd;
}

}  // namespace

Expected<FileLock> FileLock::Acquire(const Dir& folder, std::string_view name, LockMode mode,
                                     std::chrono::milliseconds wait,
                                     const std::function<bool()>& keep_waiting) {
  WCLAYER_TRY(CheckPath(name));
  if (name.empty()) return Error(Errc::kUnsafePath, "a lock needs a name");
  const std::string file(name);
  const Clock::time_point deadline =
      Clock::now() + std::clamp<std::chrono::milliseconds>(wait, {}, kLongestWait);
  std::chrono::milliseconds pause = kFirstPause;
  for (;;) {
    // Anew each time: the holder may have removed the file, and then the next one of that name
    // counts.
    WCLAYER_ASSIGN(UniqueFd fd, OpenLockFile(folder, file));
    const int operation = (mode == LockMode::kExclusive ? LOCK_EX : LOCK_SH) | LOCK_NB;
    if (::flock(fd.get(), operation) == 0) {
      struct stat info {};
      if (::fstat(fd.get(), &info) != 0) return SystemError(errno, "fstat", file);
      if (!StillNamed(folder.fd(), file, info)) continue;
      WriteHolder(fd.get(), mode, info.st_size);
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
      error.path = file;
      return error;
    }
    if (keep_waiting && !keep_waiting())
      return Error(Errc::kCancelled, "cancelled while locked by " + HolderOf(fd.get()));
    std::this_thread::sleep_for(std::min<Clock::duration>(pause, deadline - now));
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace wclayer::fs
