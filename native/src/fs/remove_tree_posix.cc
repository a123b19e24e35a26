// Removing a tree of any depth with two descriptors: down into a child, back up by "..". Never
// through a link, never across a mount (bind mounts have the same st_dev; only RESOLVE_NO_XDEV sees
// them: spec mounting §7–8).
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fs/posix.h"

namespace wclayer::fs {
namespace {

constexpr std::uint64_t kResolveDown = kBeneath | RESOLVE_NO_XDEV;
constexpr std::uint64_t kResolveUp = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr std::uint64_t kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
constexpr std::uint32_t kOwnerAll = 0700;
// How often folders of one folder may be found filled again before somebody else is at work.
constexpr int kMaxRefills = 100;
constexpr std::size_t kMaxShownBytes = 4096;

class TreeRemover {
 public:
  TreeRemover(int top, std::string_view path) : top_(top), path_(path) {}
  Status Run(const std::string& name);

 private:
  // A folder on the way from the top to the one that is open.
  struct Level {
    std::string name;
    dev_t device = 0;
    ino_t inode = 0;
    std::vector<std::string> folders;  // still to be removed in it
    int refills = 0;
  };

  Status Enter(int dir, const std::string& name);
  Status RemoveFiles();
  Status Leave();
  Error Fail(int number, const std::string& call, int dir, const std::string& name) const;
  std::string PathOf(const std::string& name) const;

  int top_;
  std::string_view path_;
  UniqueFd here_;  // the last level's folder
  std::vector<Level> levels_;
};

// What keeps `name` from being removed, as far as the entry itself tells.
const char* AdviceFor(int number, int dir, const std::string& name) {
  if (number == EBUSY || number == EXDEV) return "a file system is mounted here; unmount it first";
  if (number != EPERM) return nullptr;
  struct statx entry {};
  struct statx folder {};
  constexpr std::uint64_t kFixed = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
  if (::statx(dir, name.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &entry) == 0 &&
      (entry.stx_attributes & kFixed) != 0)
    return "the entry is immutable or append-only; chattr -ia frees it";
  if (::statx(dir, "", AT_EMPTY_PATH, STATX_TYPE, &folder) == 0 &&
      (folder.stx_attributes & kFixed) != 0)
    return "its folder is immutable or append-only; chattr -ia frees it";
  return nullptr;
}

Error TreeRemover::Fail(int number, const std::string& call, int dir,
                        const std::string& name) const {
  Error error = SystemError(number, call, PathOf(name));
  if (number == EXDEV) error.code = Errc::kLayerBusy;
  if (const char* advice = AdviceFor(number, dir, name)) error.message = advice;
  return error;
}

// The path of `name` in the open folder, its middle left out when it is very long.
std::string TreeRemover::PathOf(const std::string& name) const {
  std::string path(path_);
  for (std::size_t i = 1; i < levels_.size(); ++i) path += "/" + levels_[i].name;
  if (!levels_.empty()) path += "/" + name;
  if (path.size() <= kMaxShownBytes) return path;
  return path.substr(0, kMaxShownBytes / 2) + "/…/" + path.substr(path.size() - kMaxShownBytes / 2);
}

// Opens folder `name` of `dir` as the new last level.
Status TreeRemover::Enter(int dir, const std::string& name) {
  auto child = OpenAt(dir, name, kFolder, 0, kResolveDown);
  if (!child && child.error().sys_errno == EACCES &&
      ChmodNoFollow(dir, name.c_str(), kOwnerAll) == 0)
    child = OpenAt(dir, name, kFolder, 0, kResolveDown);
  if (!child) {
    const int number = child.error().sys_errno;
    if (number == ENOENT) return {};
    // Somebody put a file or a link in the folder's place.
    if (number == ENOTDIR || number == ELOOP) {
      if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return {};
      return Fail(errno, "unlinkat", dir, name);
    }
    return Fail(number, child.error().operation, dir, name);
  }
  struct stat info {};
  if (::fstat(child->get(), &info) != 0) return Fail(errno, "fstat", dir, name);
  // Entries can be removed only from a folder that its owner may write and search. What a foreign
  // owner's folder refuses shows when it does.
  if ((info.st_mode & kOwnerAll) != kOwnerAll) (void)::fchmod(child->get(), kOwnerAll);
  Level level;
  level.name = name;
  level.device = info.st_dev;
  level.inode = info.st_ino;
  levels_.push_back(std::move(level));
  here_ = *std::move(child);
  return RemoveFiles();
}

// Removes what is not a folder from the open one, and notes the folders.
Status TreeRemover::RemoveFiles() {
  std::vector<std::string>& folders = levels_.back().folders;
  auto read = ReadEntries(here_.get(), [&](const char* name, unsigned char type) -> Status {
    if (type != DT_DIR) {
      if (::unlinkat(here_.get(), name, 0) == 0 || errno == ENOENT) return {};
      if (errno != EISDIR) return Fail(errno, "unlinkat", here_.get(), name);
    }
    folders.emplace_back(name);
    return {};
  });
  if (!read && read.error().operation == "getdents64") {
    if (read.error().sys_errno == ENOENT) return {};  // removed by somebody else meanwhile
    return Fail(read.error().sys_errno, "getdents64", here_.get(), ".");
  }
  return read;
}

// Goes back to the parent of the open folder, which is done, and removes it from there.
Status TreeRemover::Leave() {
  const Level done = std::move(levels_.back());
  levels_.pop_back();
  int parent = top_;
  if (levels_.empty()) {
    here_.reset();
  } else {
    auto up = OpenAt(here_.get(), "..", kFolder, 0, kResolveUp);
    if (!up) return Fail(up.error().sys_errno, up.error().operation, here_.get(), "..");
    struct stat info {};
    if (::fstat(up->get(), &info) != 0) return Fail(errno, "fstat", here_.get(), "..");
    if (info.st_dev != levels_.back().device || info.st_ino != levels_.back().inode) {
      // Its ".." is a folder that nobody asked to empty.
      return Error(Errc::kLayerBusy, "the folder was moved while it was being removed")
          .At(PathOf(done.name));
    }
    here_ = *std::move(up);
    parent = here_.get();
  }
  if (::unlinkat(parent, done.name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  const int number = errno;
  if (number != ENOTEMPTY && number != EEXIST) return Fail(number, "unlinkat", parent, done.name);
  // Filled again, or the listing missed an entry while others were being removed.
  if (levels_.empty()) return Enter(top_, done.name);
  if (++levels_.back().refills > kMaxRefills) return Fail(number, "unlinkat", parent, done.name);
  levels_.back().folders.push_back(done.name);
  return {};
}

Status TreeRemover::Run(const std::string& name) {
  if (::unlinkat(top_, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR) return Fail(errno, "unlinkat", top_, name);
  WCLAYER_TRY(Enter(top_, name));
  int refills = 0;
  while (!levels_.empty()) {
    std::vector<std::string>& folders = levels_.back().folders;
    if (!folders.empty()) {
      const std::string next = std::move(folders.back());
      folders.pop_back();
      WCLAYER_TRY(Enter(here_.get(), next));
      continue;
    }
    if (levels_.size() == 1 && ++refills > kMaxRefills)
      return Fail(ENOTEMPTY, "unlinkat", top_, name);
    WCLAYER_TRY(Leave());
  }
  return {};
}

}  // namespace

Status Dir::RemoveTree(std::string_view path) const {
  auto split = SplitPath(fd(), path);
  if (!split) {
    if (split.error().sys_errno == ENOENT) return {};
    return std::move(split).error();
  }
  return TreeRemover(split->fd, path).Run(split->name);
}

}  // namespace wclayer::fs
