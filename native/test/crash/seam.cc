#include "crash/seam.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstring>

struct file_handle;
struct statx;

namespace wclayer::crash {
namespace {

std::atomic<Hook*> installed{nullptr};
thread_local int unseen = 0;

constexpr long kSysFchmodat2 = 452;

// Makes `real` unless the hook says otherwise, and tells it what came of it.
template <class Real>
auto Through(Call call, Real&& real) -> decltype(real()) {
  using Result = decltype(real());
  Hook* hook = unseen == 0 ? installed.load(std::memory_order_acquire) : nullptr;
  if (hook == nullptr) return real();
  int answer = 0;
  {
    const Unseen quiet;
    answer = hook->Before(call);
  }
  if (answer == -1) return Result(0);
  if (answer != 0) {
    errno = answer;
    return Result(-1);
  }
  const Result result = real();
  const int number = errno;
  {
    const Unseen quiet;
    hook->After(call, static_cast<long>(result));
  }
  errno = number;
  return result;
}

Call Simple(const char* name, Op op, int fd = -1, const char* path = nullptr) {
  Call call;
  call.name = name;
  call.op = op;
  call.fd = fd;
  call.path = path;
  return call;
}

Call Sized(const char* name, Op op, int fd, std::size_t& length) {
  Call call = Simple(name, op, fd);
  call.length = &length;
  return call;
}

Call Renaming(const char* name, Op op, int from, const char* path, int to, const char* to_path) {
  Call call = Simple(name, op, from, path);
  call.to_fd = to;
  call.to_path = to_path;
  return call;
}

}  // namespace

void Install(Hook* hook) {
  installed.store(hook, std::memory_order_release);
}
Unseen::Unseen() {
  ++unseen;
}
Unseen::~Unseen() {
  --unseen;
}

}  // namespace wclayer::crash

using wclayer::crash::Call;
using wclayer::crash::Op;
using wclayer::crash::Through;

// The linker gives the core's calls of x to __wrap_x, and __real_x is the C library's.
#define WCLAYER_REAL(RESULT, NAME, ...) \
  RESULT __real_##NAME(__VA_ARGS__);    \
  RESULT __wrap_##NAME(__VA_ARGS__)

extern "C" {

long __real_syscall(long number, ...);

static Call DescribeOpen(const char* path, int fd, unsigned long long flags) {
  return wclayer::crash::Simple(
      "open", (flags & (O_CREAT | O_TRUNC)) != 0 ? Op::kCreate : Op::kOther, fd, path);
}

static Call DescribeSyscall(long number, long a, long b, long c, long d, long e) {
  const auto text = [](long value) { return reinterpret_cast<const char*>(value); };
  switch (number) {
    case SYS_openat2:
      return DescribeOpen(text(b), static_cast<int>(a),
                          reinterpret_cast<const open_how*>(c)->flags);
    case SYS_renameat2:
      return wclayer::crash::Renaming("rename",
                                      (e & RENAME_EXCHANGE) != 0 ? Op::kExchange : Op::kRename,
                                      static_cast<int>(a), text(b), static_cast<int>(c), text(d));
    case SYS_getdents64:
      return wclayer::crash::Simple("getdents64", Op::kOther, static_cast<int>(a));
    case wclayer::crash::kSysFchmodat2:
      return wclayer::crash::Simple("fchmodat2", Op::kChange, static_cast<int>(a), text(b));
    case SYS_fsopen:
      return wclayer::crash::Simple("fsopen", Op::kOther);
    case SYS_fsconfig:
      return wclayer::crash::Simple("fsconfig", Op::kOther);
    case SYS_fsmount:
      return wclayer::crash::Simple("fsmount", Op::kOther);
    case SYS_move_mount:
      return wclayer::crash::Simple("move_mount", Op::kMount);
    default:
      return wclayer::crash::Simple("syscall", Op::kOther);
  }
}

long __wrap_syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& value : a) value = va_arg(list, long);
  va_end(list);
  const Call call = DescribeSyscall(number, a[0], a[1], a[2], a[3], a[4]);
  return Through(call, [&] { return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]); });
}

int __real_open(const char* path, int flags, ...);
int __wrap_open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(list, unsigned) : 0;
  va_end(list);
  return Through(DescribeOpen(path, AT_FDCWD, static_cast<unsigned>(flags)),
                 [&] { return __real_open(path, flags, mode); });
}

int __real_close(int fd);
int __wrap_close(int fd) {
  const int closed = __real_close(fd);  // whatever is answered, the descriptor is gone
  return Through(wclayer::crash::Simple("close", Op::kOther), [&] { return closed; });
}

WCLAYER_REAL(int, mkdir, const char* path, mode_t mode) {
  return Through(wclayer::crash::Simple("mkdir", Op::kMakeDir, AT_FDCWD, path),
                 [&] { return __real_mkdir(path, mode); });
}
WCLAYER_REAL(int, mkdirat, int fd, const char* path, mode_t mode) {
  return Through(wclayer::crash::Simple("mkdir", Op::kMakeDir, fd, path),
                 [&] { return __real_mkdirat(fd, path, mode); });
}
WCLAYER_REAL(int, symlinkat, const char* target, int fd, const char* path) {
  return Through(wclayer::crash::Simple("symlink", Op::kMakeLink, fd, path),
                 [&] { return __real_symlinkat(target, fd, path); });
}
WCLAYER_REAL(int, linkat, int fd, const char* path, int to, const char* to_path, int flags) {
  return Through(wclayer::crash::Simple("link", Op::kMakeLink, to, to_path),
                 [&] { return __real_linkat(fd, path, to, to_path, flags); });
}
WCLAYER_REAL(int, mknodat, int fd, const char* path, mode_t mode, dev_t device) {
  return Through(wclayer::crash::Simple("mknod", Op::kMakeLink, fd, path),
                 [&] { return __real_mknodat(fd, path, mode, device); });
}
WCLAYER_REAL(int, unlinkat, int fd, const char* path, int flags) {
  const Op op = (flags & AT_REMOVEDIR) != 0 ? Op::kRemoveDir : Op::kRemove;
  return Through(wclayer::crash::Simple("unlink", op, fd, path),
                 [&] { return __real_unlinkat(fd, path, flags); });
}
WCLAYER_REAL(int, renameat, int fd, const char* path, int to, const char* to_path) {
  return Through(wclayer::crash::Renaming("rename", Op::kRename, fd, path, to, to_path),
                 [&] { return __real_renameat(fd, path, to, to_path); });
}

WCLAYER_REAL(int, statx, int fd, const char* path, int flags, unsigned mask, struct statx* out) {
  return Through(wclayer::crash::Simple("stat", Op::kOther, fd, path),
                 [&] { return __real_statx(fd, path, flags, mask, out); });
}
WCLAYER_REAL(int, stat, const char* path, struct stat* out) {
  return Through(wclayer::crash::Simple("stat", Op::kOther, AT_FDCWD, path),
                 [&] { return __real_stat(path, out); });
}
WCLAYER_REAL(int, fstat, int fd, struct stat* out) {
  return Through(wclayer::crash::Simple("stat", Op::kOther, fd),
                 [&] { return __real_fstat(fd, out); });
}
WCLAYER_REAL(int, fstatat, int fd, const char* path, struct stat* out, int flags) {
  return Through(wclayer::crash::Simple("stat", Op::kOther, fd, path),
                 [&] { return __real_fstatat(fd, path, out, flags); });
}
WCLAYER_REAL(ssize_t, readlinkat, int fd, const char* path, char* buffer, size_t size) {
  return Through(wclayer::crash::Simple("readlink", Op::kOther, fd, path),
                 [&] { return __real_readlinkat(fd, path, buffer, size); });
}
WCLAYER_REAL(off_t, lseek, int fd, off_t offset, int whence) {
  return Through(wclayer::crash::Simple("lseek", Op::kOther, fd),
                 [&] { return __real_lseek(fd, offset, whence); });
}

WCLAYER_REAL(ssize_t, read, int fd, void* buffer, size_t size) {
  return Through(wclayer::crash::Sized("read", Op::kRead, fd, size),
                 [&] { return __real_read(fd, buffer, size); });
}
WCLAYER_REAL(ssize_t, pread, int fd, void* buffer, size_t size, off_t offset) {
  return Through(wclayer::crash::Sized("read", Op::kRead, fd, size),
                 [&] { return __real_pread(fd, buffer, size, offset); });
}
WCLAYER_REAL(ssize_t, preadv, int fd, const struct iovec* parts, int count, off_t offset) {
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  const size_t whole = size;
  return Through(wclayer::crash::Sized("read", Op::kRead, fd, size), [&]() -> ssize_t {
    if (size >= whole || size > parts[0].iov_len) return __real_preadv(fd, parts, count, offset);
    const struct iovec first = {parts[0].iov_base, size};
    return __real_preadv(fd, &first, 1, offset);
  });
}
WCLAYER_REAL(ssize_t, write, int fd, const void* buffer, size_t size) {
  return Through(wclayer::crash::Sized("write", Op::kWrite, fd, size),
                 [&] { return __real_write(fd, buffer, size); });
}
WCLAYER_REAL(ssize_t, pwrite, int fd, const void* buffer, size_t size, off_t offset) {
  return Through(wclayer::crash::Sized("write", Op::kWrite, fd, size),
                 [&] { return __real_pwrite(fd, buffer, size, offset); });
}
WCLAYER_REAL(ssize_t, copy_file_range, int from, off64_t* in, int to, off64_t* out, size_t size,
             unsigned flags) {
  return Through(wclayer::crash::Sized("copy_file_range", Op::kWrite, to, size),
                 [&] { return __real_copy_file_range(from, in, to, out, size, flags); });
}
WCLAYER_REAL(int, ftruncate, int fd, off_t size) {
  return Through(wclayer::crash::Simple("ftruncate", Op::kWrite, fd),
                 [&] { return __real_ftruncate(fd, size); });
}
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void* argument = va_arg(list, void*);
  va_end(list);
  return Through(wclayer::crash::Simple("ioctl", Op::kWrite, fd),
                 [&] { return __real_ioctl(fd, request, argument); });
}

WCLAYER_REAL(int, chmod, const char* path, mode_t mode) {
  return Through(wclayer::crash::Simple("chmod", Op::kChange, AT_FDCWD, path),
                 [&] { return __real_chmod(path, mode); });
}
WCLAYER_REAL(int, fchmod, int fd, mode_t mode) {
  return Through(wclayer::crash::Simple("chmod", Op::kChange, fd),
                 [&] { return __real_fchmod(fd, mode); });
}
WCLAYER_REAL(int, futimens, int fd, const struct timespec* times) {
  return Through(wclayer::crash::Simple("utimens", Op::kChange, fd),
                 [&] { return __real_futimens(fd, times); });
}
WCLAYER_REAL(int, utimensat, int fd, const char* path, const struct timespec* times, int flags) {
  return Through(wclayer::crash::Simple("utimens", Op::kChange, fd, path),
                 [&] { return __real_utimensat(fd, path, times, flags); });
}
WCLAYER_REAL(int, fsetxattr, int fd, const char* name, const void* value, size_t size, int flags) {
  return Through(wclayer::crash::Simple("setxattr", Op::kChange, fd),
                 [&] { return __real_fsetxattr(fd, name, value, size, flags); });
}
WCLAYER_REAL(int, lsetxattr, const char* path, const char* name, const void* value, size_t size,
             int flags) {
  return Through(wclayer::crash::Simple("setxattr", Op::kChange, AT_FDCWD, path),
                 [&] { return __real_lsetxattr(path, name, value, size, flags); });
}
WCLAYER_REAL(ssize_t, fgetxattr, int fd, const char* name, void* value, size_t size) {
  return Through(wclayer::crash::Simple("getxattr", Op::kOther, fd),
                 [&] { return __real_fgetxattr(fd, name, value, size); });
}
WCLAYER_REAL(ssize_t, lgetxattr, const char* path, const char* name, void* value, size_t size) {
  return Through(wclayer::crash::Simple("getxattr", Op::kOther, AT_FDCWD, path),
                 [&] { return __real_lgetxattr(path, name, value, size); });
}
WCLAYER_REAL(int, name_to_handle_at, int fd, const char* path, struct file_handle* handle,
             int* mount, int flags) {
  return Through(wclayer::crash::Simple("name_to_handle_at", Op::kOther, fd, path),
                 [&] { return __real_name_to_handle_at(fd, path, handle, mount, flags); });
}

WCLAYER_REAL(int, fdatasync, int fd) {
  return Through(wclayer::crash::Simple("fdatasync", Op::kSyncFile, fd),
                 [&] { return __real_fdatasync(fd); });
}
WCLAYER_REAL(int, fsync, int fd) {
  return Through(wclayer::crash::Simple("fsync", Op::kSyncFolder, fd),
                 [&] { return __real_fsync(fd); });
}
WCLAYER_REAL(int, syncfs, int fd) {
  return Through(wclayer::crash::Simple("syncfs", Op::kSyncAll, fd),
                 [&] { return __real_syncfs(fd); });
}

WCLAYER_REAL(int, flock, int fd, int operation) {
  return Through(wclayer::crash::Simple("flock", Op::kOther, fd),
                 [&] { return __real_flock(fd, operation); });
}
WCLAYER_REAL(int, mount, const char* source, const char* target, const char* type,
             unsigned long flags, const void* data) {
  return Through(wclayer::crash::Simple("mount", Op::kMount, AT_FDCWD, target),
                 [&] { return __real_mount(source, target, type, flags, data); });
}
WCLAYER_REAL(int, umount2, const char* target, int flags) {
  return Through(wclayer::crash::Simple("umount", Op::kMount, AT_FDCWD, target),
                 [&] { return __real_umount2(target, flags); });
}
WCLAYER_REAL(int, unshare, int flags) {
  return Through(wclayer::crash::Simple("unshare", Op::kOther),
                 [&] { return __real_unshare(flags); });
}
WCLAYER_REAL(int, fchdir, int fd) {
  return Through(wclayer::crash::Simple("fchdir", Op::kOther, fd),
                 [&] { return __real_fchdir(fd); });
}
WCLAYER_REAL(ssize_t, getrandom, void* buffer, size_t size, unsigned flags) {
  return Through(wclayer::crash::Simple("getrandom", Op::kOther),
                 [&] { return __real_getrandom(buffer, size, flags); });
}
WCLAYER_REAL(int, memfd_create, const char* name, unsigned flags) {
  return Through(wclayer::crash::Simple("memfd_create", Op::kOther),
                 [&] { return __real_memfd_create(name, flags); });
}

}  // extern "C"
