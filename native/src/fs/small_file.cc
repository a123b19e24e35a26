#include "fs/small_file.h"

#include <chrono>
#include <string>

#include "fs/lock.h"
#include "fs/system.h"

namespace wclayer::fs {
namespace {

// For a lock that is ours alone: a recovery elsewhere may just be looking whether it is free.
constexpr std::chrono::seconds kOwnLockWait{10};

Status SyncParent(const Dir& folder, std::string_view path) {
  const std::size_t cut = path.rfind('/');
  if (cut == std::string_view::npos) return folder.Sync();
  WCLAYER_ASSIGN(const Dir parent, folder.OpenDir(path.substr(0, cut)));
  return parent.Sync();
}

}  // namespace

Status PutSmallFile(const Dir& locks, const Dir& folder, std::string_view path,
                    std::string_view bytes, Durability durability, Dir::RenameMode mode) {
  WCLAYER_ASSIGN(const std::string fresh, FreshName());
  const std::string name = std::string(kSmallFileLock) + fresh;
  const auto put = [&]() -> Status {
    WCLAYER_ASSIGN(const FileLock file,
                   FileLock::Acquire(locks, name, LockMode::kExclusive, kOwnLockWait));
    WCLAYER_TRY(Resize(file.fd(), 0));  // without the lock's own text
    WCLAYER_TRY(WriteAt(file.fd(), AsBytes(bytes), 0));
    WCLAYER_TRY(SettleFile(file.fd(), durability == Durability::kFull));
    return locks.Rename(name, folder, path, mode);
  };
  if (auto done = put(); !done) {
    const auto removed = locks.Remove(name);
    (void)removed.has_value();  // the next recovery does
    Error error = std::move(done).error();
    error.path = path;
    return error;
  }
  return durability == Durability::kFull ? SyncParent(folder, path) : Status();
}

}  // namespace wclayer::fs
