#include "portable/staging.h"

#include <algorithm>
#include <cerrno>

#include "base/limits.h"
#include "portable/metadata.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

using RenameMode = fs::Dir::RenameMode;

constexpr char kStaging[] = "staging";
constexpr char kLocks[] = "locks";
// '+' cannot be in an id, so these never meet the lock of a layer.
constexpr std::string_view kStagingLock = "staging+";
constexpr std::string_view kRemovalLock = "removing+";
constexpr std::size_t kMaxKeptFile = 4u << 20;

std::string Below(std::string_view folder, std::string_view name) {
  return Join(folder, name);
}

bool IsRemoval(std::string_view name) {
  constexpr std::string_view kEnd = kRemoving;
  return name.size() > kEnd.size() && name.substr(name.size() - kEnd.size()) == kEnd;
}

std::string LowerAscii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

bool Busy(const Error& error) {
  return error.code == Errc::kLayerBusy;
}

}  // namespace

Expected<std::unique_ptr<Staging>> Staging::Begin(std::shared_ptr<Home> home) {
  std::unique_ptr<Staging> staging(new Staging());
  staging->home_ = std::move(home);
  WCLAYER_ASSIGN(staging->private_, staging->home_->Private());
  WCLAYER_ASSIGN(staging->locks_, staging->private_.OpenDir(kLocks));
  WCLAYER_ASSIGN(staging->name_, FreshName());
  // The lock first: a folder without one is anybody's to clear.
  WCLAYER_ASSIGN(staging->lock_,
                 fs::FileLock::Acquire(staging->locks_, std::string(kStagingLock) + staging->name_,
                                       fs::LockMode::kExclusive, {}));
  const std::string below = Below(kStaging, staging->name_);
  WCLAYER_TRY(staging->private_.MakeDir(below));
  WCLAYER_ASSIGN(staging->dir_, staging->private_.OpenDir(below));
  WCLAYER_TRY(staging->dir_.MakeDir(kPrivate));
  staging->path_ = staging->home_->PrivatePath(below);
  return staging;
}

Staging::~Staging() {
  if (!private_) return;
  dir_ = fs::Dir();
  // What cannot be removed now is removed by the next Recover.
  const auto gone = private_.RemoveTree(Below(kStaging, name_));
  if (gone && lock_) {
    const auto unlocked = locks_.Remove(std::string(kStagingLock) + name_);
    (void)unlocked.has_value();
  }
}

Status Staging::KeepFilesOf(const fs::Dir& stub) const {
  WCLAYER_ASSIGN(const auto listed, stub.List());
  for (const auto& item : listed) {
    if (item.type != fs::Type::kFile) continue;
    WCLAYER_ASSIGN(const bool there, dir_.Exists(item.name));
    if (there) continue;
    WCLAYER_ASSIGN(const auto text, stub.ReadSmall(item.name, kMaxKeptFile));
    WCLAYER_TRY(dir_.ReplaceSmall(item.name, text, fs::Durability::kNone));
  }
  return {};
}

Status Staging::Publish(const std::string& id, bool flush) {
  WCLAYER_ASSIGN(const auto root, home_->MakeRoot());
  const auto durability = flush ? home_->durability() : fs::Durability::kNone;
  WCLAYER_ASSIGN(const auto stub_name, home_->FolderOf(id));
  const Error filled = Error(Errc::kLayerExists, "the layer is filled already").Of(id);
  if (stub_name) {
    WCLAYER_ASSIGN(const auto kind, home_->KindOf(id));
    if (kind != LayerKind::kCreated) return filled;
    WCLAYER_ASSIGN(const auto stub, root.OpenDir(*stub_name));
    WCLAYER_TRY(KeepFilesOf(stub));
  }
  if (durability != fs::Durability::kNone) WCLAYER_TRY(dir_.SyncFileSystem());
  WCLAYER_ASSIGN(const auto staging, private_.OpenDir(kStaging));
  const std::string& target = stub_name ? *stub_name : id;
  if (!stub_name) {
    auto renamed = staging.Rename(name_, root, target, RenameMode::kNoReplace);
    if (!renamed) return renamed.error().sys_errno == EEXIST ? filled : std::move(renamed).error();
  } else {
    WCLAYER_TRY(staging.Rename(name_, root, target, RenameMode::kExchange));
    // Someone may have filled the stub meanwhile: then theirs stays.
    WCLAYER_ASSIGN(const auto out, staging.OpenDir(name_));
    WCLAYER_ASSIGN(const bool was_filled, out.Exists(Below(kPrivate, kMetadataFile)));
    if (was_filled) {
      WCLAYER_TRY(staging.Rename(name_, root, target, RenameMode::kExchange));
      return filled;
    }
  }
  if (durability == fs::Durability::kFull) WCLAYER_TRY(root.Sync());
  return {};
}

Status RecoverStaging(Home& home) {
  WCLAYER_ASSIGN(const auto folder, home.Private());
  WCLAYER_ASSIGN(const auto staging, folder.OpenDir(kStaging));
  WCLAYER_ASSIGN(const auto locks_dir, folder.OpenDir(kLocks));
  WCLAYER_ASSIGN(const auto left, staging.List());
  for (const auto& item : left) {
    const std::string lock_name = std::string(kStagingLock) + item.name;
    auto lock = fs::FileLock::Acquire(locks_dir, lock_name, fs::LockMode::kExclusive, {});
    if (!lock && Busy(lock.error())) continue;
    if (!lock) return std::move(lock).error();
    WCLAYER_TRY(staging.RemoveTree(item.name));
    WCLAYER_TRY(locks_dir.Remove(lock_name));
  }
  WCLAYER_ASSIGN(const auto locks, locks_dir.List());
  for (const auto& item : locks) {
    if (!item.name.starts_with(kStagingLock)) continue;
    auto lock = fs::FileLock::Acquire(locks_dir, item.name, fs::LockMode::kExclusive, {});
    if (!lock) continue;  // in use
    WCLAYER_ASSIGN(const bool there, staging.Exists(item.name.substr(kStagingLock.size())));
    if (!there) WCLAYER_TRY(locks_dir.Remove(item.name));
  }
  return {};
}

Status RemoveLayer(Home& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto folder, home.FolderOf(id));
  if (!folder) return {};
  WCLAYER_ASSIGN(const auto own, home.Private());
  WCLAYER_ASSIGN(const auto locks, own.OpenDir(kLocks));
  WCLAYER_ASSIGN(const auto root, home.Root());
  const std::string removal = IsRemoval(*folder) ? *folder : *folder + kRemoving;
  const std::string lock_name = std::string(kRemovalLock) + LowerAscii(removal);
  WCLAYER_ASSIGN(const auto lock, fs::FileLock::Acquire(locks, lock_name, fs::LockMode::kExclusive,
                                                        std::chrono::seconds(10)));
  if (removal != *folder) {
    WCLAYER_TRY(root.RemoveTree(removal));  // an older removal that was not finished
    WCLAYER_TRY(root.Rename(*folder, root, removal, RenameMode::kNoReplace));
  }
  WCLAYER_TRY(root.RemoveTree(removal));
  return locks.Remove(lock_name);
}

Status RecoverRemovals(Home& home) {
  WCLAYER_ASSIGN(const auto own, home.Private());
  WCLAYER_ASSIGN(const auto locks, own.OpenDir(kLocks));
  WCLAYER_ASSIGN(const auto root, home.Root());
  WCLAYER_ASSIGN(const auto listed, root.List());
  for (const auto& item : listed) {
    if (item.type != fs::Type::kDirectory || !IsRemoval(item.name) || !CheckId(item.name, true))
      continue;
    const std::string lock_name = std::string(kRemovalLock) + LowerAscii(item.name);
    auto lock = fs::FileLock::Acquire(locks, lock_name, fs::LockMode::kExclusive, {});
    if (!lock && Busy(lock.error())) continue;
    if (!lock) return std::move(lock).error();
    WCLAYER_TRY(root.RemoveTree(item.name));
    WCLAYER_TRY(locks.Remove(lock_name));
  }
  return {};
}

}  // namespace wclayer::portable
