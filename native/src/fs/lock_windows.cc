#include <cerrno>

#include "fs/lock.h"
#include "fs/lock_wait.h"
#include "fs/nt.h"

namespace wclayer::fs {
namespace {

// The locked byte lies far behind the text, which others can then read: locks of Windows keep them
// from locked bytes.
constexpr DWORD kLockedAtHigh = 0x40000000;

std::string HolderOf(int fd) {
  std::byte text[kMaxPidDigits + 1];
  const auto count = ReadAt(fd, text, 0);
  const std::string_view pid(reinterpret_cast<const char*>(text), count ? *count : 0);
  return HolderNamed(pid, ::GetCurrentProcessId());
}

// Whether `name` still is the file that is open: lock files may be removed by who got them.
Expected<bool> StillNamed(const Dir& folder, const std::string& name, int fd) {
  WCLAYER_ASSIGN(const Info own, StatFd(fd));
  auto by_name = folder.Stat(name);
  return by_name && by_name->inode == own.inode && by_name->device == own.device;
}

// Failures do not count: a full disk does not make the lock less held.
void WriteHolder(int fd, LockMode mode) {
  const std::string pid =
      mode == LockMode::kExclusive ? std::to_string(::GetCurrentProcessId()) : "";
  if (WriteAt(fd, AsBytes(pid), 0)) (void)Resize(fd, pid.size()).has_value();
}

Expected<UniqueFd> OpenLockFile(const Dir& folder, const std::string& file) {
  NtOpenRequest request;
  request.access = FILE_GENERIC_READ | FILE_GENERIC_WRITE;
  request.disposition = FILE_OPEN_IF;
  request.options = FILE_NON_DIRECTORY_FILE;
  auto fd = NtOpen(folder.fd(), file, request);
  if (!fd) return std::move(fd).error().In("lock");
  return fd;
}

// False: somebody else has it.
Expected<bool> TryLock(int fd, LockMode mode, const std::string& file) {
  OVERLAPPED at{};
  at.OffsetHigh = kLockedAtHigh;
  const DWORD flags = LOCKFILE_FAIL_IMMEDIATELY |
                      (mode == LockMode::kExclusive ? DWORD{LOCKFILE_EXCLUSIVE_LOCK} : DWORD{0});
  if (Calls().LockFileEx(windows::Handle(fd), flags, 0, 1, 0, &at) != 0) return true;
  const DWORD code = ::GetLastError();
  if (code == ERROR_LOCK_VIOLATION || code == ERROR_IO_PENDING) return false;
  return windows::Failure(code, "LockFileEx", file);
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
    std::string holder = "a process that is removing it";
    // Anew each time: the holder may have removed the file, and then the next one of that name
    // counts. A file that was removed keeps its name, and nobody can open it, until its last user
    // is gone.
    auto fd = OpenLockFile(folder, file);
    if (!fd && fd.error().sys_errno != EBUSY) return std::move(fd).error();
    if (fd) {
      WCLAYER_ASSIGN(const bool locked, TryLock(fd->get(), mode, file));
      if (locked) {
        WCLAYER_ASSIGN(const bool named, StillNamed(folder, file, fd->get()));
        if (!named) continue;
        WriteHolder(fd->get(), mode);
        FileLock lock;
        lock.fd_ = *std::move(fd);
        return lock;
      }
      holder = HolderOf(fd->get());
    }
    WCLAYER_TRY(waiting.Pause(file, [&] { return holder; }));
  }
}

}  // namespace wclayer::fs
