// Removing a tree of any depth without recursion on the stack. A reparse point of any kind, a mount
// point too, is removed as such: nothing is opened through one (L1, L4).
#include <cerrno>

#include "fs/nt.h"

namespace wclayer::fs {
namespace {

constexpr ACCESS_MASK kDeleteAccess = DELETE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES;
// How often a folder may be found filled again before somebody else is at work.
constexpr int kMaxRefills = 100;
constexpr std::size_t kMaxShownBytes = 4096;

class TreeRemover {
 public:
  TreeRemover(int top, std::string_view path) : top_(top), path_(path) {}

  Status Run() {
    WCLAYER_TRY(Take(top_, std::string(path_), Type::kDirectory));
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (!level.folders.empty()) {
        const std::string next = std::move(level.folders.back());
        level.folders.pop_back();
        WCLAYER_TRY(Take(level.handle.get(), next, Type::kDirectory));
        continue;
      }
      WCLAYER_TRY(Leave());
    }
    return {};
  }

 private:
  // A folder on the way from the top to the one that is emptied.
  struct Level {
    UniqueFd handle;
    std::string name;
    std::vector<std::string> folders;  // still to be removed in it
    int refills = 0;
  };

  // Removes an entry; of a folder, first what is in it.
  Status Take(int dir, const std::string& name, Type type) {
    if (type != Type::kDirectory) return Delete(dir, name);
    auto entry = OpenEntry(dir, name, kDeleteAccess | FILE_LIST_DIRECTORY | FILE_TRAVERSE);
    if (!entry) return Missing(entry.error()) ? Status() : Fail(std::move(entry).error(), name);
    WCLAYER_ASSIGN(const Info info, StatFd(entry->get()));
    // Somebody put a file or a link in the folder's place, or it was one from the start.
    if (info.type != Type::kDirectory) {
      entry->reset();
      return Delete(dir, name);
    }
    Level level;
    level.handle = *std::move(entry);
    level.name = name;
    levels_.push_back(std::move(level));
    return RemoveFiles();
  }

  Status RemoveFiles() {
    // Collected first: a listing need not survive that its folder changes.
    std::vector<Found> found;
    auto read = ReadEntries(levels_.back().handle.get(), [&](Found entry) -> Status {
      found.push_back(std::move(entry));
      return {};
    });
    if (!read) return Fail(std::move(read).error(), ".");
    for (Found& entry : found) {
      if (entry.type == Type::kDirectory)
        levels_.back().folders.push_back(std::move(entry.name));
      else
        WCLAYER_TRY(Delete(levels_.back().handle.get(), entry.name));
    }
    return {};
  }

  Status Delete(int dir, const std::string& name) {
    auto removed = Patiently([&]() -> Status {
      auto entry = OpenEntry(dir, name, kDeleteAccess);
      if (!entry) return Missing(entry.error()) ? Status() : std::move(entry).error();
      return DeleteOpen(entry->get(), name);
    });
    return removed ? Status() : Fail(std::move(removed).error(), name);
  }

  // Removes the open folder, which is done. While its handle is open nobody can move it away.
  Status Leave() {
    Level& level = levels_.back();
    auto removed = DeleteOpen(level.handle.get(), level.name);
    if (removed) {
      levels_.pop_back();
      return {};
    }
    if (removed.error().sys_errno != ENOTEMPTY || ++level.refills > kMaxRefills)
      return Fail(std::move(removed).error(), "");
    // Filled again, or what was removed is still held by somebody.
    return Patiently([&]() -> Status {
      WCLAYER_TRY(RemoveFiles());
      return {};
    });
  }

  static bool Missing(const Error& error) { return error.sys_errno == ENOENT; }

  // The error with the path of `name` in the open folder, its middle left out when it is very long.
  Error Fail(Error error, const std::string& name) const {
    std::string path;
    for (const Level& level : levels_) path += (path.empty() ? "" : "/") + level.name;
    if (path.empty() || !name.empty()) path += (path.empty() ? "" : "/") + name;
    if (path.size() > kMaxShownBytes)
      path = path.substr(0, kMaxShownBytes / 2) + "/…/" +
             path.substr(path.size() - kMaxShownBytes / 2);
    error.path = path;
    return error;
  }

  int top_;
  std::string_view path_;
  std::vector<Level> levels_;
};

}  // namespace

Status Dir::RemoveTree(std::string_view path) const {
  WCLAYER_TRY(CheckName(path));
  return TreeRemover(fd(), path).Run();
}

}  // namespace wclayer::fs
