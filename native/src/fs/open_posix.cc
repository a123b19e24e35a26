// Opening what lies beneath a folder: by openat2, or by hand where there is none (Linux before 5.6,
// system call filters of old container runtimes, emulators).
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "fs/posix.h"

namespace wclayer::fs {
namespace {

constexpr int kMaxAgain = 100;
constexpr std::size_t kMaxFdInfoBytes = 4096;

Error OpenError(int number, const char* call, std::string_view path) {
  Error error = SystemError(number, call, path);
  if (number == ELOOP || number == EXDEV) {
    error.code = Errc::kUnsafePath;
    error.message = "a symbolic link or a mount is in the way";
  }
  return error;
}

long Openat2(int dir, const char* path, const open_how& how, std::size_t size) {
  return ::syscall(SYS_openat2, dir, path, &how, size);
}

// Whether the system has openat2. Asked once for a process, by a call that can only fail: a kernel
// that knows it refuses the size. EPERM: what old container runtimes answer for every call that
// they do not know; of a real openat2 it may mean an immutable file, so that no other call tells.
bool HasOpenat2() {
  static const bool has = [] {
    const open_how nothing{};
    return Openat2(-1, ".", nothing, 0) >= 0 || (errno != ENOSYS && errno != EPERM);
  }();
  return has;
}

// Which mount a descriptor is on. Device numbers do not tell: those of a bind mount are the same.
Expected<std::string> MountOf(int fd) {
  const std::string path = "/proc/self/fdinfo/" + std::to_string(fd);
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return SystemError(errno, "open", path);
  std::string text(kMaxFdInfoBytes, '\0');
  WCLAYER_ASSIGN(const std::size_t size,
                 ReadAt(file.get(), std::as_writable_bytes(std::span(text)), 0));
  constexpr std::string_view kKey = "mnt_id:";
  text.resize(size);
  const std::size_t at = text.find(kKey);
  if (at == std::string::npos)
    return Error(Errc::kUnsupported, "no mount is named here; it takes Linux 3.15").At(path);
  return text.substr(at, text.find('\n', at) - at);
}

// Opens `name` of `dir`, the last so far of `path`, unless it is a link. O_DIRECTORY makes the
// kernel say ENOTDIR of a link, as of any file: which it was is looked up for the message alone.
Expected<UniqueFd> OpenName(int dir, std::string_view name, int flags, std::uint32_t mode,
                            std::string_view path) {
  const std::string text(name);
  for (;;) {
    UniqueFd fd(::openat(dir, text.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
    if (fd) return fd;
    if (errno == EINTR) continue;
    int number = errno;
    struct stat info {};
    if (number == ENOTDIR && ::fstatat(dir, text.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(info.st_mode))
      number = ELOOP;
    return OpenError(number, "openat", path);
  }
}

// Name by name, each without following a link. Who moves folders about meanwhile gains nothing: no
// name is "..", and the one that is (the remover's) is compared with what it was.
Expected<UniqueFd> OpenByHand(int dir, std::string_view path, const open_how& how) {
  const std::string_view whole = path;
  UniqueFd here;
  int at = dir;
  for (std::size_t cut; (cut = path.find('/')) != std::string_view::npos;
       path.remove_prefix(cut + 1)) {
    auto next = OpenName(at, path.substr(0, cut), O_PATH | O_DIRECTORY, 0, whole);
    if (!next) return next;
    here = *std::move(next);
    at = here.get();
  }
  auto last = OpenName(at, path.empty() ? "." : path, static_cast<int>(how.flags),
                       static_cast<std::uint32_t>(how.mode), whole);
  if (last && (how.resolve & RESOLVE_NO_XDEV) != 0) {
    // There is no way out of a mount and back into it but "..": the ends alone are compared.
    WCLAYER_ASSIGN(const std::string from, MountOf(dir));
    WCLAYER_ASSIGN(const std::string to, MountOf(last->get()));
    if (from != to) return OpenError(EXDEV, "openat", whole);
  }
  return last;
}

}  // namespace

Expected<UniqueFd> OpenAt(int dir, std::string_view path, std::uint64_t flags, std::uint32_t mode,
                          std::uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = resolve;
  if (!HasOpenat2()) return OpenByHand(dir, path, how);
  const std::string name(path.empty() ? std::string_view(".") : path);
  for (int again = 0;;) {
    const long fd = Openat2(dir, name.c_str(), how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // EAGAIN: a rename elsewhere raced with the walk (openat2(2)); a file under a lease says it
    // too.
    if (errno == EINTR || (errno == EAGAIN && ++again < kMaxAgain)) continue;
    return OpenError(errno, "openat2", path);
  }
}

}  // namespace wclayer::fs
