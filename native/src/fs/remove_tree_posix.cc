// Removing a tree of any depth with two descriptors: down into a child, back up by "..". Never
// through a link, never across a mount (bind mounts have the same st_dev; only RESOLVE_NO_XDEV sees
// them).
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fs/posix.h"

namespace wclayer::fs {
namespace {

constexpr std::uint64_t kResolve =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

Error CannotRemove(int number, const char* call, std::string_view where) {
  Error error = SystemError(number, call, where);
  if (number == EPERM)
    error.message += "; the entry may be immutable (lsattr shows it, chattr -i helps)";
  return error;
}

Expected<UniqueFd> EnterFolder(int dir, const std::string& name) {
  auto child = OpenAt(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, kResolve);
  if (!child && child.error().sys_errno == EACCES && ::fchmodat(dir, name.c_str(), 0700, 0) == 0) {
    child = OpenAt(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, kResolve);
  }
  if (!child && child.error().sys_errno == EXDEV) {
    child.error().code = Errc::kLayerBusy;
    child.error().message = "a file system is mounted here; unmount it first";
  }
  return child;
}

// Removes what is not a folder; tells the name of one folder that is left, or "".
Expected<std::string> RemoveFiles(int dir) {
  std::string folder;
  WCLAYER_TRY(ReadEntries(dir, [&](const char* name, unsigned char type) -> Status {
    if (type == DT_DIR) {
      if (::unlinkat(dir, name, AT_REMOVEDIR) == 0) return {};  // it was empty
      folder = name;
      return {};
    }
    if (::unlinkat(dir, name, 0) == 0 || errno == ENOENT) return {};
    const int number = errno;
    if (number == EISDIR) {
      folder = name;
      return {};
    }
    if (number == EACCES || number == EPERM) {
      // A folder without write permission refuses its entries.
      if (::fchmod(dir, 0700) == 0 && ::unlinkat(dir, name, 0) == 0) return {};
    }
    return CannotRemove(number, "unlinkat", name);
  }));
  return folder;
}

}  // namespace

Status Dir::RemoveTree(std::string_view path) const {
  WCLAYER_TRY(CheckPath(path));
  if (path.empty())
    return Error(Errc::kUnsafePath, "the folder itself cannot be removed through its own handle");
  const std::size_t cut = path.rfind('/');
  Dir parent;
  int top = fd();
  std::string name(path);
  if (cut != std::string_view::npos) {
    auto opened = OpenDir(path.substr(0, cut));
    if (!opened) {
      if (opened.error().sys_errno == ENOENT) return {};
      return std::move(opened).error();
    }
    parent = *std::move(opened);
    top = parent.fd();
    name = path.substr(cut + 1);
  }
  if (::unlinkat(top, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return CannotRemove(errno, "unlinkat", path);

  const auto at_path = [&](Error error) { return std::move(error).At(path); };
  auto entered = EnterFolder(top, name);
  if (!entered) {
    entered.error().path = path;
    return std::move(entered).error();
  }
  UniqueFd here = *std::move(entered);
  std::vector<std::string> names = {name};  // from the top to `here`
  while (!names.empty()) {
    if (::lseek(here.get(), 0, SEEK_SET) < 0) return at_path(SystemError(errno, "lseek", path));
    auto folder = RemoveFiles(here.get());
    if (!folder) {
      folder.error().path = std::string(path) + "/…/" + folder.error().path;
      return std::move(folder).error();
    }
    if (!folder->empty()) {
      auto child = EnterFolder(here.get(), *folder);
      if (!child) {
        child.error().path = std::string(path) + "/…/" + *folder;
        return std::move(child).error();
      }
      names.push_back(*std::move(folder));
      here = *std::move(child);
      continue;
    }
    // Empty: back up, and remove it from there. ".." of a folder that somebody moved is checked by
    // the removal itself, which then finds no such name.
    const std::string done = std::move(names.back());
    names.pop_back();
    if (names.empty()) {
      if (::unlinkat(top, done.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
      return CannotRemove(errno, "unlinkat", path);
    }
    const int up = ::openat(here.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (up < 0) return at_path(SystemError(errno, "openat", path));
    here.reset(up);
    if (::unlinkat(here.get(), done.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT &&
        errno != ENOTEMPTY) {
      return CannotRemove(errno, "unlinkat", std::string(path) + "/…/" + done);
    }
  }
  return {};
}

}  // namespace wclayer::fs
