#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>

#include "fs/lock.h"
#include "fs/lock_wait.h"
#include "fs/posix.h"

namespace wclayer::fs {
namespace {

std::string_view NextWord(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

// Who holds the lock on the open file: the kernel knows.
std::string HolderOf(int fd) {
  struct stat info {};
  std::string pid;
  if (std::ifstream locks("/proc/locks"); locks && ::fstat(fd, &info) == 0)
    pid = HolderIn(locks, ::major(info.st_dev), ::minor(info.st_dev), info.st_ino);
  return HolderNamed(pid, static_cast<std::uint64_t>(::getpid()));
}

// Whether `name` still is the file `info`: lock files may be removed by who got them.
bool StillNamed(int folder, const std::string& name, const struct stat& info) {
  struct stat by_name {};
  return ::fstatat(folder, name.c_str(), &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
         by_name.st_ino == info.st_ino && by_name.st_dev == info.st_dev;
}

Expected<UniqueFd> OpenLockFile(const Dir& folder, const std::string& file) {
  auto fd = OpenAt(folder.fd(), file, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, kBeneath);
  if (!fd) return std::move(fd).error().In("lock");
  return fd;
}

}  // namespace

std::string HolderIn(std::istream& locks, unsigned major, unsigned minor, std::uint64_t inode) {
  char device[32];
  std::snprintf(device, sizeof device, "%02x:%02x:", major, minor);
  const std::string number = std::to_string(inode);
  // Some file systems show another device by stat; then the file of this number is taken, if there
  // is one alone.
  std::string likely;
  bool several = false;
  for (std::string text; std::getline(locks, text);) {
    // "7: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"; of who waits, "7: -> FLOCK …".
    std::string_view line = text;
    NextWord(line);
    if (NextWord(line) != "FLOCK") continue;
    NextWord(line);
    NextWord(line);
    const std::string_view pid = NextWord(line);
    const std::string_view file = NextWord(line);
    if (file.substr(file.rfind(':') + 1) != number) continue;
    if (file.starts_with(device)) return std::string(pid);
    several = several || !likely.empty();
    likely = pid;
  }
  return several ? std::string() : likely;
}

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
