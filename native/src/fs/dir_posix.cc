#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "fs/dir.h"
#include "fs/posix.h"

namespace wclayer::fs {

namespace {

// Room for the terminating NUL; a longer path is walked in pieces.
constexpr std::size_t kPieceBytes = 4000;
constexpr std::uint32_t kNanosPerSecond = 1'000'000'000;
constexpr std::size_t kMaxTemporaryPrefix = 200;  // a name has 255 bytes
constexpr long kSysFchmodat2 = 452;               // of every architecture, since Linux 6.6

Error Unsafe(std::string_view path, const char* why) {
  return Error(Errc::kUnsafePath, why).At(path);
}

Error Whole(Error error, std::string_view path) {
  error.path = path;
  return error;
}

}  // namespace

void CloseFd(int fd) {
  ::close(fd);
}

Status CheckPath(std::string_view path) {
  if (path.empty()) return {};
  if (path.front() == '/') return Unsafe(path, "an absolute path where a relative one is needed");
  if (path.find('\0') != std::string_view::npos) return Unsafe(path, "a NUL in a path");
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty()) return Unsafe(path, "an empty component");
    if (part == "." || part == "..") return Unsafe(path, "a component that is '.' or '..'");
    at = end + 1;
  }
  return {};
}

namespace {

// Opens folder `path` (checked) below `dir`, in pieces when it is long.
Expected<UniqueFd> Walk(int dir, std::string_view path, std::uint64_t flags) {
  const std::string_view whole = path;
  UniqueFd here;
  int at = dir;
  while (path.size() > kPieceBytes) {
    const std::size_t cut = path.rfind('/', kPieceBytes);
    if (cut == std::string_view::npos) return SystemError(ENAMETOOLONG, "openat2", whole);
    auto next = OpenAt(at, path.substr(0, cut), O_PATH | O_DIRECTORY, 0, kBeneath);
    if (!next) return Whole(std::move(next).error(), whole);
    here = *std::move(next);
    at = here.get();
    path.remove_prefix(cut + 1);
  }
  auto last = OpenAt(at, path, flags | O_DIRECTORY, 0, kBeneath);
  if (!last) return Whole(std::move(last).error(), whole);
  return last;
}

}  // namespace

Expected<Split> SplitPath(int dir, std::string_view path, std::uint64_t parent_flags) {
  WCLAYER_TRY(CheckPath(path));
  if (path.empty()) return Unsafe(path, "the folder itself cannot be meant here");
  Split split;
  split.fd = dir;
  const std::size_t cut = path.rfind('/');
  if (cut == std::string_view::npos) {
    split.name = path;
    return split;
  }
  auto parent = Walk(dir, path.substr(0, cut), parent_flags);
  if (!parent) return Whole(std::move(parent).error(), path);
  split.parent = *std::move(parent);
  split.fd = split.parent.get();
  split.name = path.substr(cut + 1);
  return split;
}

int ChmodNoFollow(int dir, const char* name, std::uint32_t mode) {
  if (::syscall(kSysFchmodat2, dir, name, mode, AT_SYMLINK_NOFOLLOW) == 0) return 0;
  // EPERM: old container runtimes answer so for every system call they do not know.
  if (errno != ENOSYS && errno != EPERM) return -1;
  auto file = OpenAt(dir, name, O_PATH | O_NOFOLLOW, 0, kBeneath);
  if (!file) {
    errno = file.error().sys_errno;
    return -1;
  }
  return ::chmod(("/proc/self/fd/" + std::to_string(file->get())).c_str(), mode);
}

namespace {

Expected<UniqueFd> OpenFileAt(int dir, std::string_view path, std::uint64_t flags,
                              std::uint32_t mode) {
  WCLAYER_TRY(CheckPath(path));
  if (path.size() <= kPieceBytes) return OpenAt(dir, path, flags, mode, kBeneath);
  WCLAYER_ASSIGN(const Split split, SplitPath(dir, path));
  auto opened = OpenAt(split.fd, split.name, flags, mode, kBeneath);
  if (!opened) return Whole(std::move(opened).error(), path);
  return opened;
}

Type TypeOf(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return Type::kFile;
    case S_IFDIR:
      return Type::kDirectory;
    case S_IFLNK:
      return Type::kSymlink;
    case S_IFCHR:
      return Type::kCharDevice;
    default:
      return Type::kOther;
  }
}

Type TypeOfDirent(unsigned char type) {
  switch (type) {
    case DT_REG:
      return Type::kFile;
    case DT_DIR:
      return Type::kDirectory;
    case DT_LNK:
      return Type::kSymlink;
    case DT_CHR:
      return Type::kCharDevice;
    default:
      return Type::kOther;
  }
}

Expected<Stamp> StampAt(int dir, const std::string& path) {
  struct statx info {};
  if (::statx(dir, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_STATX_SYNC_AS_STAT,
              STATX_INO | STATX_SIZE | STATX_CTIME, &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Stamp();
    return SystemError(errno, "statx", path);
  }
  return Stamp{info.stx_ino, info.stx_size, info.stx_ctime.tv_sec, info.stx_ctime.tv_nsec};
}

Expected<Info> StatAt(int dir, const char* name, int flags, std::string_view path) {
  struct statx info {};
  if (::statx(dir, name, flags | AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS | STATX_BTIME, &info) !=
      0) {
    return SystemError(errno, "statx", path);
  }
  Info out;
  out.type = TypeOf(info.stx_mode);
  out.mode = info.stx_mode & 07777u;
  out.size = info.stx_size;
  out.inode = info.stx_ino;
  out.device = makedev(info.stx_dev_major, info.stx_dev_minor);
  out.rdev = makedev(info.stx_rdev_major, info.stx_rdev_minor);
  out.links = info.stx_nlink;
  out.mtime_seconds = info.stx_mtime.tv_sec;
  out.mtime_nanos = info.stx_mtime.tv_nsec;
  out.ctime_seconds = info.stx_ctime.tv_sec;
  out.ctime_nanos = info.stx_ctime.tv_nsec;
  if ((info.stx_mask & STATX_BTIME) != 0) {
    out.btime_seconds = info.stx_btime.tv_sec;
    out.btime_nanos = info.stx_btime.tv_nsec;
  }
  return out;
}

Status CheckAbsolute(const std::string& path) {
  if (path.empty() || path.front() != '/')
    return Error(Errc::kInvalidArgument, "an absolute path is needed").At(path);
  if (path.find('\0') != std::string::npos) return Unsafe(path, "a NUL in a path");
  return {};
}

// What utimensat takes to set the write time alone.
Expected<std::array<timespec, 2>> WriteTime(std::int64_t seconds, std::uint32_t nanos,
                                            std::string_view path) {
  // Larger values would mean "now" and "leave it" to the kernel.
  if (nanos >= kNanosPerSecond) {
    return Error(Errc::kInvalidArgument,
                 std::to_string(nanos) + " ns are a second or more, in a write time")
        .At(path);
  }
  std::array<timespec, 2> times = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = seconds;
  times[1].tv_nsec = nanos;
  return times;
}

Status Answer(int result, const char* call, std::string_view path) {
  if (result == 0) return {};
  return SystemError(errno, call, path);
}

}  // namespace

Expected<Dir> Dir::OpenAbsolute(const std::string& path) {
  WCLAYER_TRY(CheckAbsolute(path));
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(errno, "open", path);
  return Dir(UniqueFd(fd));
}

Expected<Dir> Dir::MakeAbsolute(const std::string& path, std::uint32_t mode) {
  auto there = OpenAbsolute(path);
  if (there || there.error().sys_errno != ENOENT) return there;
  for (std::size_t end = 1; end <= path.size(); ++end) {
    if (end != path.size() && path[end] != '/') continue;
    if (::mkdir(path.substr(0, end).c_str(), mode) != 0 && errno != EEXIST)
      return SystemError(errno, "mkdir", path);
  }
  return OpenAbsolute(path);
}

Expected<Dir> Dir::Clone() const {
  return OpenDir("");
}

Expected<Dir> Dir::OpenDir(std::string_view path) const {
  WCLAYER_TRY(CheckPath(path));
  WCLAYER_ASSIGN(UniqueFd opened, Walk(fd(), path, O_RDONLY));
  return Dir(std::move(opened));
}

Expected<UniqueFd> Dir::OpenFile(std::string_view path) const {
  return OpenFileAt(fd(), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
}

Expected<UniqueFd> Dir::OpenForUpdate(std::string_view path) const {
  return OpenFileAt(fd(), path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
}

Expected<UniqueFd> Dir::CreateFile(std::string_view path, std::uint32_t mode) const {
  return OpenFileAt(fd(), path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

Expected<Stamp> Dir::StampOf(std::string_view path) const {
  WCLAYER_TRY(CheckPath(path));
  return StampAt(fd(), std::string(path));
}

Expected<Stamp> Dir::StampOfAbsolute(const std::string& path) {
  return StampAt(AT_FDCWD, path);
}

Expected<Info> Dir::Stat(std::string_view path) const {
  if (path.empty()) return StatFd(fd());
  if (path.find('/') == std::string_view::npos) {
    WCLAYER_TRY(CheckPath(path));
    return StatAt(fd(), std::string(path).c_str(), AT_SYMLINK_NOFOLLOW, path);
  }
  // What is not there, as most that is asked for is not, costs one system call.
  WCLAYER_ASSIGN(const UniqueFd entry, OpenFileAt(fd(), path, O_PATH | O_NOFOLLOW, 0));
  return StatAt(entry.get(), "", AT_EMPTY_PATH, path);
}

Expected<std::string> Dir::ReadLink(std::string_view path) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(fd(), path));
  std::string target(256, '\0');
  for (;;) {
    const ssize_t length = ::readlinkat(split.fd, split.name.c_str(), target.data(), target.size());
    if (length < 0) return SystemError(errno, "readlinkat", path);
    if (static_cast<std::size_t>(length) < target.size()) {
      target.resize(static_cast<std::size_t>(length));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

Status Dir::Visit(const std::function<Status(std::string_view, Type)>& visit) const {
  // A descriptor of its own: the position of a folder is shared by all users of one.
  WCLAYER_ASSIGN(UniqueFd own, OpenAt(fd(), "", O_RDONLY | O_DIRECTORY, 0, kBeneath));
  return ReadEntries(own.get(), [&](const char* name, unsigned char type) -> Status {
    if (type != DT_UNKNOWN) return visit(name, TypeOfDirent(type));
    WCLAYER_ASSIGN(const Info info, StatAt(own.get(), name, AT_SYMLINK_NOFOLLOW, name));
    return visit(name, info.type);
  });
}

Status ReadEntries(int dir, const std::function<Status(const char*, unsigned char)>& visit) {
  alignas(8) char buffer[32768];
  for (;;) {
    const long count = ::syscall(SYS_getdents64, dir, buffer, sizeof buffer);
    if (count < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "getdents64", "");
    }
    if (count == 0) return {};
    for (long at = 0; at < count;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      WCLAYER_TRY(visit(entry->d_name, entry->d_type));
    }
  }
}

Status Dir::MakeDir(std::string_view path, std::uint32_t mode) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(fd(), path));
  return Answer(::mkdirat(split.fd, split.name.c_str(), mode), "mkdirat", path);
}

Status Dir::MakeDirs(std::string_view path, std::uint32_t mode) const {
  auto there = OpenDir(path);
  if (there) return {};
  if (there.error().sys_errno != ENOENT) return std::move(there).error();
  UniqueFd here;
  int parent = fd();
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string name(path.substr(at, end - at));
    if (::mkdirat(parent, name.c_str(), mode) != 0 && errno != EEXIST)
      return SystemError(errno, "mkdirat", path.substr(0, end));
    auto next = OpenAt(parent, name, O_PATH | O_DIRECTORY, 0, kBeneath);
    if (!next) return Whole(std::move(next).error(), path.substr(0, end));
    here = *std::move(next);
    parent = here.get();
    at = end + 1;
  }
  return {};
}

Status Dir::MakeSymlink(std::string_view target, std::string_view path) const {
  if (target.find('\0') != std::string_view::npos) return Unsafe(path, "a NUL in a link's target");
  WCLAYER_ASSIGN(const Split split, SplitPath(fd(), path));
  return Answer(::symlinkat(std::string(target).c_str(), split.fd, split.name.c_str()), "symlinkat",
                path);
}

Status Dir::MakeHardLinkTo(const Dir& from, std::string_view existing,
                           std::string_view path) const {
  WCLAYER_ASSIGN(const Split old, SplitPath(from.fd(), existing));
  WCLAYER_ASSIGN(const Split to, SplitPath(fd(), path));
  return Answer(::linkat(old.fd, old.name.c_str(), to.fd, to.name.c_str(), 0), "linkat", path);
}

Status Dir::MakeWhiteout(std::string_view path) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(fd(), path));
  return Answer(::mknodat(split.fd, split.name.c_str(), S_IFCHR, makedev(0, 0)), "mknodat", path);
}

Status Dir::Remove(std::string_view path) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(fd(), path));
  if (::unlinkat(split.fd, split.name.c_str(), 0) == 0) return {};
  // Linux says EISDIR for a folder; POSIX's EPERM means an immutable entry here.
  if (errno != EISDIR) return SystemError(errno, "unlinkat", path);
  return Answer(::unlinkat(split.fd, split.name.c_str(), AT_REMOVEDIR), "unlinkat", path);
}

Status Dir::SetMode(std::string_view path, std::uint32_t mode) const {
  if (path.empty()) return Answer(::fchmod(fd(), mode), "fchmod", path);
  WCLAYER_ASSIGN(const Split split, SplitPath(fd(), path));
  return Answer(ChmodNoFollow(split.fd, split.name.c_str(), mode), "fchmodat2", path);
}

Status Dir::SetTimes(std::string_view path, std::int64_t mtime_seconds,
                     std::uint32_t mtime_nanos) const {
  WCLAYER_ASSIGN(const auto times, WriteTime(mtime_seconds, mtime_nanos, path));
  if (path.empty()) return Answer(::futimens(fd(), times.data()), "futimens", path);
  WCLAYER_ASSIGN(const Split split, SplitPath(fd(), path));
  return Answer(::utimensat(split.fd, split.name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW),
                "utimensat", path);
}

Status Dir::Rename(std::string_view from, const Dir& to_dir, std::string_view to,
                   RenameMode mode) const {
  WCLAYER_ASSIGN(const Split source, SplitPath(fd(), from));
  WCLAYER_ASSIGN(const Split target, SplitPath(to_dir.fd(), to));
  unsigned flags = 0;
  if (mode == RenameMode::kNoReplace) flags = RENAME_NOREPLACE;
  if (mode == RenameMode::kExchange) flags = RENAME_EXCHANGE;
  const long result = ::syscall(SYS_renameat2, source.fd, source.name.c_str(), target.fd,
                                target.name.c_str(), flags);
  if (result == 0) return {};
  const int number = errno;
  Error error = SystemError(number, "renameat2", number == EEXIST ? to : from);
  error.message += ", renaming '" + std::string(from) + "' to '" + std::string(to) + "'";
  if (number == EEXIST) error.code = Errc::kLayerExists;
  return error;
}

namespace {

// A new file beside `name`, whose own name (returned in `temporary`) nobody has.
Expected<UniqueFd> CreateTemporary(int dir, const std::string& name, std::string& temporary) {
  for (;;) {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != sizeof random)
      return SystemError(errno, "getrandom", name);
    char suffix[24];
    std::snprintf(suffix, sizeof suffix, ".%016llx.tmp", static_cast<unsigned long long>(random));
    temporary = name.substr(0, kMaxTemporaryPrefix) + suffix;
    auto file = OpenAt(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, kBeneath);
    if (file || file.error().sys_errno != EEXIST) return file;
  }
}

}  // namespace

Status Dir::ReplaceSmall(std::string_view path, std::string_view bytes,
                         Durability durability) const {
  // O_RDONLY: the parent is flushed as well, which an O_PATH handle cannot.
  WCLAYER_ASSIGN(const Split split, SplitPath(fd(), path, O_RDONLY));
  std::string temporary;
  auto file = CreateTemporary(split.fd, split.name, temporary);
  if (!file) return Whole(std::move(file).error(), path);
  const auto replace = [&]() -> Status {
    WCLAYER_TRY(WriteAt(file->get(), AsBytes(bytes), 0));
    if (durability == Durability::kFull && ::fdatasync(file->get()) != 0)
      return SystemError(errno, "fdatasync", path);
    // Tells of a full disk or quota that a network file system reports no sooner.
    if (::close(file->release()) != 0) return SystemError(errno, "close", path);
    return Answer(::renameat(split.fd, temporary.c_str(), split.fd, split.name.c_str()), "renameat",
                  path);
  };
  auto done = replace();
  if (!done) {
    ::unlinkat(split.fd, temporary.c_str(), 0);
    return std::move(done).error().At(path);
  }
  if (durability != Durability::kFull) return {};
  return Answer(::fsync(split.fd), "fsync", path);
}

Status Dir::SyncFileSystem() const {
  return Answer(::syncfs(fd()), "syncfs", "");
}
Status Dir::Sync() const {
  return Answer(::fsync(fd()), "fsync", "");
}

Expected<Info> StatFd(int fd) {
  return StatAt(fd, "", AT_EMPTY_PATH, "");
}

Status SetFileMode(int fd, std::uint32_t mode) {
  return Answer(::fchmod(fd, mode), "fchmod", "");
}

Status SetFileTimes(int fd, std::int64_t mtime_seconds, std::uint32_t mtime_nanos) {
  WCLAYER_ASSIGN(const auto times, WriteTime(mtime_seconds, mtime_nanos, ""));
  return Answer(::futimens(fd, times.data()), "futimens", "");
}

Status CloseWritten(UniqueFd file) {
  return Answer(::close(file.release()), "close", "");
}

Status SettleFile(int fd, bool flush) {
  if (flush && ::fdatasync(fd) != 0) return SystemError(errno, "fdatasync", "");
  // Network file systems speak up at every close, also that of a duplicate.
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return SystemError(errno, "fcntl", "");
  return Answer(::close(copy), "close", "");
}

Status Resize(int fd, std::uint64_t size) {
  return Answer(::ftruncate(fd, static_cast<off_t>(size)), "ftruncate", "");
}

}  // namespace wclayer::fs
