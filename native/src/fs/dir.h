// Files below a folder handle, never through a link: every name is resolved component by component
// beneath the handle (openat2 BENEATH | NO_SYMLINKS | NO_MAGICLINKS), so neither "..", an absolute
// path nor a planted link leaves it (X1). Paths beyond PATH_MAX are walked in pieces. A path of one
// component costs one system call: who works on many files of a folder holds its Dir.
//
// On Windows the same by NtCreateFile relative to the handle, where reparse points of any kind
// count as links. Permission bits come down to READONLY there: a file without 0200 has it; folders
// have none. Links and whiteouts of Linux cannot be made (kUnsupported).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"
#include "base/unique.h"

namespace wclayer::fs {

void CloseFd(int fd);
using UniqueFd = Unique<int, CloseFd, -1>;  // on Windows a handle: see base/windows.h

enum class Type : std::uint8_t { kFile, kDirectory, kSymlink, kCharDevice, kOther };

struct Info {
  Type type = Type::kOther;
  std::uint32_t mode = 0;  // permission bits
  std::uint64_t size = 0;
  std::uint64_t inode = 0;
  std::uint64_t device = 0;  // of the file system
  std::uint64_t rdev = 0;    // of a device node: 0 is an overlayfs whiteout
  std::uint32_t links = 0;
  std::uint32_t reparse_tag = 0;  // on Windows alone; 0: it is no reparse point
  std::int64_t mtime_seconds = 0;
  std::uint32_t mtime_nanos = 0;
  std::int64_t ctime_seconds = 0;
  std::uint32_t ctime_nanos = 0;
  std::int64_t btime_seconds = 0;  // 0, 0: the file system has none
  std::uint32_t btime_nanos = 0;
};

// What tells whether a path still leads to the same file with the same content, or to the same
// folder with the same names in it. All zero: there is nothing.
struct Stamp {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t ctime_seconds = 0;
  std::uint32_t ctime_nanos = 0;

  bool operator==(const Stamp&) const = default;
};

struct Listed {
  std::string name;
  Type type = Type::kOther;
};

enum class Durability : std::uint32_t { kNone = 0, kData = 1, kFull = 2 };

// Who walks down a tree keeps no open handle of deeper levels: a path may have 16,000 of them.
inline constexpr std::size_t kOpenLevels = 64;

class Dir {
 public:
  Dir() = default;
  explicit Dir(UniqueFd fd) : fd_(std::move(fd)) {}
  // Opens an absolute path (links on the way are the caller's own business: this is the home).
  static Expected<Dir> OpenAbsolute(const std::string& path);
  static Expected<Dir> MakeAbsolute(const std::string& path,
                                    std::uint32_t mode = 0700);  // with parents

  int fd() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  Expected<Dir> Clone() const;

  // `path` below: relative, '/'-separated, no empty, "." or ".." components (kUnsafePath); "" is
  // the folder itself.
  Expected<Dir> OpenDir(std::string_view path) const;
  Expected<UniqueFd> OpenFile(std::string_view path) const;       // read only
  Expected<UniqueFd> OpenForUpdate(std::string_view path) const;  // read and write, must exist
  Expected<UniqueFd> CreateFile(std::string_view path,
                                std::uint32_t mode = 0600) const;  // must not exist
  Expected<Info> Stat(std::string_view path) const;                // of a link: the link itself
  Expected<bool> Exists(std::string_view path) const;
  // One system call however long the path, which follows links on the way: to compare with an
  // earlier one, and for nothing else.
  Expected<Stamp> StampOf(std::string_view path) const;
  static Expected<Stamp> StampOfAbsolute(const std::string& path);
  Expected<std::string> ReadLink(std::string_view path) const;
  // Every entry but . and .., in no order.
  Status Visit(const std::function<Status(std::string_view name, Type type)>& visit) const;
  Expected<std::vector<Listed>> List() const;  // sorted by bytes, without . and ..

  Status MakeDir(std::string_view path, std::uint32_t mode = 0700) const;  // must not exist
  Status MakeDirs(std::string_view path,
                  std::uint32_t mode = 0700) const;  // parents too; may exist
  Status MakeSymlink(std::string_view target, std::string_view path) const;
  Status MakeHardLink(std::string_view existing, std::string_view path) const;
  // A name below this folder for a file below another one.
  Status MakeHardLinkTo(const Dir& from, std::string_view existing, std::string_view path) const;
  Status MakeWhiteout(std::string_view path) const;  // character device 0:0
  Status Remove(std::string_view path) const;        // file, link or empty folder
  Status RemoveTree(std::string_view path) const;    // everything, however deep; absent: fine.
                                                     // never follows a link or crosses a mount
  // Never through a link: a link's own mode cannot be set.
  Status SetMode(std::string_view path, std::uint32_t mode) const;
  Status SetTimes(std::string_view path, std::int64_t mtime_seconds,
                  std::uint32_t mtime_nanos) const;

  // renameat2 below this folder or into another. kNoReplace: kLayerExists with EEXIST if `to` is
  // there. kExchange takes three steps on Windows, which has no such call.
  enum class RenameMode { kReplace, kNoReplace, kExchange };
  Status Rename(std::string_view from, const Dir& to_dir, std::string_view to,
                RenameMode mode) const;

  // Whole small files. Replace: temporary beside it, flush (kFull), rename, flush folder (kFull).
  Expected<std::string> ReadSmall(std::string_view path, std::size_t limit) const;
  // A new one in a folder that nobody else looks into; not flushed. EEXIST: it is there already.
  Status MakeSmall(std::string_view path, std::string_view bytes) const;
  Status ReplaceSmall(std::string_view path, std::string_view bytes, Durability durability) const;

  Status SyncFileSystem() const;  // syncfs
  Status Sync() const;            // fsync of the folder

 private:
  UniqueFd fd_;
};

// pread/pwrite that go on after EINTR and short counts. ReadAt: fewer bytes only at the end of the
// file.
Expected<std::size_t> ReadAt(int fd, MutableBytes buffer, std::uint64_t offset);
// The same for the end of a file, with a look beyond it in the same call: one more than
// buffer.size() means that the file goes on.
Expected<std::size_t> ReadLast(int fd, MutableBytes buffer, std::uint64_t offset);
Status WriteAt(int fd, Bytes bytes, std::uint64_t offset);
// Copies the first `size` bytes of `from` to `to`, a new and empty file, by reflink where the file
// system can; holes stay holes. kLayerDamaged: `from` is shorter.
Status CopyContent(int from, int to, std::uint64_t size);
Expected<Info> StatFd(int fd);
Status SetFileMode(int fd, std::uint32_t mode);
Status SetFileTimes(int fd, std::int64_t mtime_seconds, std::uint32_t mtime_nanos);
// Before holes are left in a new file: Windows fills them with zeros unless told so.
Status MakeSparse(int fd);
// The last word on a file that was written: tells of a full disk or quota that a network file
// system reports no sooner. `flush`: and puts it on the disk.
Status SettleFile(int fd, bool flush);
Status CloseWritten(UniqueFd file);  // the same, unflushed, of a file that nobody needs any more
Status Resize(int fd, std::uint64_t size);  // the end of the file; what is new reads as zeros

}  // namespace wclayer::fs
