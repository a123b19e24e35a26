#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fs/lock.h"
#include "fs/lock_wait.h"
#include "fs/posix.h"

namespace wclayer::fs {
namespace {

// Who holds the lock: the pid that an exclusive holder wrote, if the file holds one.
std::string HolderOf(int fd) {
  char text[kMaxPidDigits + 1];
  const ssize_t count = ::pread(fd, text, sizeof text, 0);
  const std::string_view pid(text, count > 0 ? static_cast<std::size_t>(count) : 0);
  return HolderNamed(pid, static_cast<std::uint64_t>(::getpid()));
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
  LockWait waiting(wait, keep_waiting);
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
    WCLAYER_TRY(waiting.Pause(file, [&] { return HolderOf(fd.get()); }));
  }
}

}  // namespace wclayer::fs
