#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>

#include "fs/dir.h"
#include "fs/posix.h"

namespace wclayer::fs {

namespace {

constexpr std::uint64_t kResolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
// Room for the terminating NUL; a longer path is walked in pieces.
constexpr std::size_t kPieceBytes = 4000;

Error Unsafe(std::string_view path, const char* why) {
  return Error(Errc::kUnsafePath, why).At(path);
}

// A parent folder and the last component of a path.
struct Split {
  Dir parent;   // empty handle: the folder itself is the parent
  int fd = -1;  // of the parent
  std::string name;
};

}  // namespace

void CloseFd(int fd) {
  ::close(fd);
}

Expected<UniqueFd> OpenAt(int dir, std::string_view path, std::uint64_t flags, std::uint32_t mode,
                          std::uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = resolve;
  const std::string name(path.empty() ? std::string_view(".") : path);
  for (;;) {
    const long fd = ::syscall(SYS_openat2, dir, name.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // EAGAIN: a rename elsewhere raced with the walk (openat2(2)).
    if (errno == EINTR || errno == EAGAIN) continue;
    if (errno == ELOOP || errno == EXDEV) {
      Error error = SystemError(errno, "openat2", path);
      error.code = Errc::kUnsafePath;
      error.message = "a symbolic link or a mount is in the way";
      return error;
    }
    return SystemError(errno, "openat2", path);
  }
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
Expected<UniqueFd> Walk(int dir, std::string_view path) {
  UniqueFd here;
  int at = dir;
  while (path.size() > kPieceBytes) {
    const std::size_t cut = path.rfind('/', kPieceBytes);
    if (cut == std::string_view::npos || cut == 0)
      return SystemError(ENAMETOOLONG, "openat2", path);
    WCLAYER_ASSIGN(UniqueFd next,
                   OpenAt(at, path.substr(0, cut), O_PATH | O_DIRECTORY, 0, kResolve));
    here = std::move(next);
    at = here.get();
    path.remove_prefix(cut + 1);
  }
  return OpenAt(at, path, O_RDONLY | O_DIRECTORY, 0, kResolve);
}

Expected<Split> SplitPath(const Dir& dir, std::string_view path) {
  WCLAYER_TRY(CheckPath(path));
  if (path.empty()) return Unsafe(path, "the folder itself cannot be meant here");
  Split split;
  const std::size_t cut = path.rfind('/');
  if (cut == std::string_view::npos) {
    split.fd = dir.fd();
    split.name = path;
    return split;
  }
  WCLAYER_ASSIGN(UniqueFd parent, Walk(dir.fd(), path.substr(0, cut)));
  split.parent = Dir(std::move(parent));
  split.fd = split.parent.fd();
  split.name = path.substr(cut + 1);
  return split;
}

Expected<UniqueFd> OpenFileAt(const Dir& dir, std::string_view path, std::uint64_t flags,
                              std::uint32_t mode) {
  WCLAYER_TRY(CheckPath(path));
  auto opened = [&]() -> Expected<UniqueFd> {
    if (path.size() <= kPieceBytes) return OpenAt(dir.fd(), path, flags, mode, kResolve);
    WCLAYER_ASSIGN(const Split split, SplitPath(dir, path));
    return OpenAt(split.fd, split.name, flags, mode, kResolve);
  }();
  if (!opened) {
    opened.error().path = path;
    return opened;
  }
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

Status Answer(int result, const char* call, std::string_view path) {
  if (result == 0) return {};
  return SystemError(errno, call, path);
}

}  // namespace

Expected<Dir> Dir::OpenAbsolute(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(errno, "open", path);
  return Dir(UniqueFd(fd));
}

Expected<Dir> Dir::MakeAbsolute(const std::string& path, std::uint32_t mode) {
  if (path.empty() || path.front() != '/') {
    return Error(Errc::kInvalidArgument, "an absolute path is needed").At(path);
  }
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
  auto opened = Walk(fd(), path);
  if (!opened) {
    opened.error().path = path;
    return std::move(opened).error();
  }
  return Dir(*std::move(opened));
}

Expected<UniqueFd> Dir::OpenFile(std::string_view path) const {
  return OpenFileAt(*this, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
}

Expected<UniqueFd> Dir::OpenForUpdate(std::string_view path) const {
  return OpenFileAt(*this, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
}

Expected<UniqueFd> Dir::CreateFile(std::string_view path, std::uint32_t mode) const {
  return OpenFileAt(*this, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

Expected<Info> Dir::Stat(std::string_view path) const {
  if (path.empty()) return StatFd(fd());
  WCLAYER_ASSIGN(const Split split, SplitPath(*this, path));
  return StatAt(split.fd, split.name.c_str(), AT_SYMLINK_NOFOLLOW, path);
}

Expected<bool> Dir::Exists(std::string_view path) const {
  auto info = Stat(path);
  if (info) return true;
  if (info.error().sys_errno == ENOENT || info.error().sys_errno == ENOTDIR) return false;
  return std::move(info).error();
}

Expected<std::string> Dir::ReadLink(std::string_view path) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(*this, path));
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

Expected<std::vector<Listed>> Dir::List() const {
  // A descriptor of its own: the position of a folder is shared by all users of one.
  WCLAYER_ASSIGN(UniqueFd own, OpenAt(fd(), "", O_RDONLY | O_DIRECTORY, 0, kResolve));
  std::vector<Listed> all;
  WCLAYER_TRY(ReadEntries(own.get(), [&](const char* name, unsigned char type) -> Status {
    Listed item{name, TypeOfDirent(type)};
    if (type == DT_UNKNOWN) {
      WCLAYER_ASSIGN(const Info info, StatAt(own.get(), name, AT_SYMLINK_NOFOLLOW, name));
      item.type = info.type;
    }
    all.push_back(std::move(item));
    return {};
  }));
  std::sort(all.begin(), all.end(),
            [](const Listed& a, const Listed& b) { return a.name < b.name; });
  return all;
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
  WCLAYER_ASSIGN(const Split split, SplitPath(*this, path));
  return Answer(::mkdirat(split.fd, split.name.c_str(), mode), "mkdirat", path);
}

Status Dir::MakeDirs(std::string_view path, std::uint32_t mode) const {
  WCLAYER_TRY(CheckPath(path));
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    auto made = MakeDir(path.substr(0, end), mode);
    if (!made && made.error().sys_errno != EEXIST) return made;
    at = end + 1;
  }
  if (path.empty()) return {};
  // What was there already must be a folder.
  WCLAYER_ASSIGN(const Dir opened, OpenDir(path));
  (void)opened;
  return {};
}

Status Dir::MakeSymlink(std::string_view target, std::string_view path) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(*this, path));
  return Answer(::symlinkat(std::string(target).c_str(), split.fd, split.name.c_str()), "symlinkat",
                path);
}

Status Dir::MakeHardLink(std::string_view existing, std::string_view path) const {
  WCLAYER_ASSIGN(const Split from, SplitPath(*this, existing));
  WCLAYER_ASSIGN(const Split to, SplitPath(*this, path));
  return Answer(::linkat(from.fd, from.name.c_str(), to.fd, to.name.c_str(), 0), "linkat", path);
}

Status Dir::MakeWhiteout(std::string_view path) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(*this, path));
  return Answer(::mknodat(split.fd, split.name.c_str(), S_IFCHR, makedev(0, 0)), "mknodat", path);
}

Status Dir::Remove(std::string_view path) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(*this, path));
  if (::unlinkat(split.fd, split.name.c_str(), 0) == 0) return {};
  if (errno != EISDIR && errno != EPERM) return SystemError(errno, "unlinkat", path);
  return Answer(::unlinkat(split.fd, split.name.c_str(), AT_REMOVEDIR), "unlinkat", path);
}

Status Dir::SetMode(std::string_view path, std::uint32_t mode) const {
  WCLAYER_ASSIGN(UniqueFd file, OpenFileAt(*this, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0));
  return Answer(::fchmod(file.get(), mode), "fchmod", path);
}

Status Dir::SetTimes(std::string_view path, std::int64_t mtime_seconds,
                     std::uint32_t mtime_nanos) const {
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = mtime_seconds;
  times[1].tv_nsec = mtime_nanos;
  if (path.empty()) return Answer(::futimens(fd(), times), "futimens", path);
  WCLAYER_ASSIGN(const Split split, SplitPath(*this, path));
  return Answer(::utimensat(split.fd, split.name.c_str(), times, AT_SYMLINK_NOFOLLOW), "utimensat",
                path);
}

Status Dir::Rename(std::string_view from, const Dir& to_dir, std::string_view to,
                   RenameMode mode) const {
  WCLAYER_ASSIGN(const Split source, SplitPath(*this, from));
  WCLAYER_ASSIGN(const Split target, SplitPath(to_dir, to));
  unsigned flags = 0;
  if (mode == RenameMode::kNoReplace) flags = RENAME_NOREPLACE;
  if (mode == RenameMode::kExchange) flags = RENAME_EXCHANGE;
  const long result = ::syscall(SYS_renameat2, source.fd, source.name.c_str(), target.fd,
                                target.name.c_str(), flags);
  if (result == 0) return {};
  Error error = SystemError(errno, "renameat2", to);
  if (errno == EEXIST) error.code = Errc::kLayerExists;
  return error;
}

Expected<std::string> Dir::ReadSmall(std::string_view path, std::size_t limit) const {
  WCLAYER_ASSIGN(UniqueFd file, OpenFile(path));
  WCLAYER_ASSIGN(const Info info, StatFd(file.get()));
  if (info.type != Type::kFile) return Error(Errc::kLayerDamaged, "not a regular file").At(path);
  if (info.size > limit) {
    return Error(Errc::kLimitExceeded, std::to_string(info.size) + " bytes, at most " +
                                           std::to_string(limit) + " are read of such a file")
        .At(path);
  }
  std::string text(info.size, '\0');
  WCLAYER_ASSIGN(const std::size_t count,
                 ReadAt(file.get(), std::as_writable_bytes(std::span(text)), 0));
  text.resize(count);
  return text;
}

Status Dir::ReplaceSmall(std::string_view path, std::string_view bytes,
                         Durability durability) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(*this, path));
  thread_local std::minstd_rand random{std::random_device{}()};
  char suffix[16];
  std::snprintf(suffix, sizeof suffix, ".%08x.tmp", static_cast<unsigned>(random()));
  const std::string temporary = split.name + suffix;
  WCLAYER_ASSIGN(UniqueFd file,
                 OpenAt(split.fd, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600, kResolve));
  const auto write = [&]() -> Status {
    WCLAYER_TRY(WriteAt(file.get(), AsBytes(bytes), 0));
    if (durability == Durability::kFull && ::fdatasync(file.get()) != 0)
      return SystemError(errno, "fdatasync", path);
    if (::renameat(split.fd, temporary.c_str(), split.fd, split.name.c_str()) != 0) {
      return SystemError(errno, "renameat", path);
    }
    if (durability == Durability::kFull && ::fsync(split.fd) != 0)
      return SystemError(errno, "fsync", path);
    return {};
  };
  auto done = write();
  if (!done) ::unlinkat(split.fd, temporary.c_str(), 0);
  return done;
}

Status Dir::SyncFileSystem() const {
  return Answer(::syncfs(fd()), "syncfs", "");
}
Status Dir::Sync() const {
  return Answer(::fsync(fd()), "fsync", "");
}

Expected<std::size_t> ReadAt(int fd, MutableBytes buffer, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count =
        ::pread(fd, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
    if (count < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "pread", "");
    }
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Status WriteAt(int fd, Bytes bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "pwrite", "");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Expected<Info> StatFd(int fd) {
  return StatAt(fd, "", AT_EMPTY_PATH, "");
}

namespace {

// One range that holds data. False: the kernel cannot copy between these files.
Expected<bool> CopyRange(int from, int to, std::uint64_t offset, std::uint64_t size) {
  auto in = static_cast<off64_t>(offset);
  auto out = in;
  while (size != 0) {
    const ssize_t count = ::copy_file_range(from, &in, to, &out, size, 0);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS) return false;
      return SystemError(errno, "copy_file_range", "");
    }
    if (count == 0) return true;
    size -= static_cast<std::uint64_t>(count);
  }
  return true;
}

Status CopyByHand(int from, int to, std::uint64_t offset, std::uint64_t size) {
  Buffer slab(std::min<std::uint64_t>(size, 1u << 20));
  while (size != 0) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(size, slab.size()));
    WCLAYER_ASSIGN(const std::size_t count, ReadAt(from, MutableBytes(slab).first(piece), offset));
    if (count == 0) return {};
    WCLAYER_TRY(WriteAt(to, Bytes(slab).first(count), offset));
    offset += count;
    size -= count;
  }
  return {};
}

}  // namespace

Status CopyContent(int from, int to, std::uint64_t size) {
  if (size == 0) return {};
  if (::ioctl(to, FICLONE, from) == 0) return {};
  if (::ftruncate(to, static_cast<off_t>(size)) != 0) return SystemError(errno, "ftruncate", "");
  std::uint64_t at = 0;
  while (at < size) {
    const off_t data = ::lseek(from, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) {
      if (errno == ENXIO) return {};  // nothing but a hole follows
      return SystemError(errno, "lseek", "");
    }
    const off_t hole = ::lseek(from, data, SEEK_HOLE);
    if (hole < 0) return SystemError(errno, "lseek", "");
    const auto begin = static_cast<std::uint64_t>(data);
    const std::uint64_t end = std::min(static_cast<std::uint64_t>(hole), size);
    if (begin >= end) return {};
    WCLAYER_ASSIGN(const bool copied, CopyRange(from, to, begin, end - begin));
    if (!copied) WCLAYER_TRY(CopyByHand(from, to, begin, end - begin));
    at = end;
  }
  return {};
}

}  // namespace wclayer::fs
