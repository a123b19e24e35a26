#include "portable/staging.h"

#include <algorithm>
#include <cerrno>

#include "base/layer_id.h"
#include "base/limits.h"
#include "base/quietly.h"
#include "base/upcase.h"
#include "fs/folder_names.h"
#include "fs/mount.h"
#include "fs/system.h"
#include "portable/metadata.h"
#include "portable/names.h"
#include "portable/settle.h"

namespace wclayer::portable {
namespace {

using RenameMode = fs::Dir::RenameMode;

constexpr char kStaging[] = "staging";
// '+' cannot be in an id, so these never meet the lock of a layer.
constexpr std::string_view kStagingLock = "staging+";
constexpr std::string_view kRemovalLock = "removing+";
// For a lock that is ours alone: a recovery elsewhere may just be looking whether it is free.
constexpr std::chrono::seconds kOwnLockWait{10};
constexpr std::size_t kMaxKeptFile = 4u << 20;

bool IsRemoval(std::string_view name) {
  return name.size() > kRemoving.size() && name.ends_with(kRemoving);
}

// A stub holds neither a record nor a top folder: this one was filled, and lost its metadata.
Expected<bool> StubWasFilled(const fs::Dir& layer) {
  for (const char* trace : {kCommitRecord, "Files", "Hives", "UtilityVM"}) {
    WCLAYER_ASSIGN(const bool there, layer.Exists(trace));
    if (there) return true;
  }
  return false;
}

Error LostMetadata(const std::string& id) {
  return Error(Errc::kLayerDamaged, "the layer was filled and lost its metadata; repair it").Of(id);
}

bool Busy(const Error& error) {
  return error.code == Errc::kLayerBusy;
}

}  // namespace

Expected<std::unique_ptr<Staging>> Staging::Begin(std::shared_ptr<Home> home) {
  std::unique_ptr<Staging> staging(new Staging());
  staging->home_ = std::move(home);
  // The lock first: a folder without one is anybody's to clear.
  WCLAYER_TRY(staging->Lock());
  WCLAYER_TRY(staging->lock_.all.MakeDir(staging->lock_.name));
  WCLAYER_ASSIGN(staging->dir_, staging->lock_.all.OpenDir(staging->lock_.name));
  WCLAYER_TRY(staging->dir_.MakeDir(kPrivate));
  staging->path_ = staging->home_->PrivatePath(Join(kStaging, staging->lock_.name));
  return staging;
}

Status Staging::Lock() {
  if (auto kept = home_->TakeStagingLock()) {
    // A home that was removed meanwhile took the lock's file with it.
    const auto stamp = fs::Dir::StampOfAbsolute(home_->PrivatePath(kept->file));
    if (stamp && *stamp == kept->stamp) {
      lock_ = *std::move(kept);
      return {};
    }
  }
  WCLAYER_ASSIGN(const auto own, home_->Private());
  StagingLock fresh;
  WCLAYER_ASSIGN(fresh.root, home_->MakeRoot());
  WCLAYER_ASSIGN(fresh.all, own.OpenDir(kStaging));
  WCLAYER_ASSIGN(fresh.name, fs::FreshName());
  fresh.file = Join(kLocks, std::string(kStagingLock) + fresh.name);
  fresh.process = fs::ProcessId();
  WCLAYER_ASSIGN(fresh.lock,
                 fs::FileLock::Acquire(own, fresh.file, fs::LockMode::kExclusive, kOwnLockWait));
  auto stamp = own.StampOf(fresh.file);
  if (!stamp) {
    Quietly([&] { return own.Remove(fresh.file); });
    return std::move(stamp).error();
  }
  fresh.stamp = *stamp;
  lock_ = std::move(fresh);
  return {};
}

Staging::~Staging() {
  if (!lock_.lock) return;
  dir_ = fs::Dir();
  // What cannot be removed now is removed by the next Recover.
  Quietly([this]() -> Status {
    if (lock_.all && !moved_) WCLAYER_TRY(lock_.all.RemoveTree(lock_.name));
    home_->KeepStagingLock(std::move(lock_));
    return {};
  });
}

Status Staging::KeepFilesOf(const fs::Dir& stub) const {
  WCLAYER_ASSIGN(const auto listed, stub.List());
  for (const auto& item : listed) {
    if (item.type != fs::Type::kFile) continue;
    WCLAYER_ASSIGN(const bool there, dir_.Exists(item.name));
    if (there) continue;
    WCLAYER_ASSIGN(const auto text, stub.ReadSmall(item.name, kMaxKeptFile));
    WCLAYER_TRY(dir_.MakeSmall(item.name, text));
  }
  return {};
}

Status Staging::Publish(const std::string& id, bool flush) {
  const fs::Dir& root = lock_.root;
  const auto durability = flush ? home_->durability() : fs::Durability::kNone;
  WCLAYER_ASSIGN(const std::string stub_name, fs::FindFolder(root, id));
  const Error filled = Error(Errc::kLayerExists, "the layer is filled already").Of(id);
  if (!stub_name.empty()) {
    WCLAYER_ASSIGN(const auto kind, home_->KindOf(id));
    if (kind != LayerKind::kCreated) return filled;
    WCLAYER_ASSIGN(const auto stub, root.OpenDir(stub_name));
    WCLAYER_ASSIGN(const bool damaged, StubWasFilled(stub));
    if (damaged) return LostMetadata(id);
    WCLAYER_TRY(KeepFilesOf(stub));
  }
  if (durability != fs::Durability::kNone) WCLAYER_TRY(dir_.SyncFileSystem());
  if (stub_name.empty()) {
    WCLAYER_TRY(fs::NoteCapitals(root, id));
    auto renamed = lock_.all.Rename(lock_.name, root, id, RenameMode::kNoReplace);
    if (!renamed) return renamed.error().sys_errno == EEXIST ? filled : std::move(renamed).error();
    moved_ = true;
  } else {
    WCLAYER_TRY(lock_.all.Rename(lock_.name, root, stub_name, RenameMode::kExchange));
    // Someone may have filled the stub meanwhile: then theirs stays.
    WCLAYER_ASSIGN(const auto out, lock_.all.OpenDir(lock_.name));
    WCLAYER_ASSIGN(const bool was_filled, HoldsContent(out));
    if (was_filled) {
      WCLAYER_TRY(lock_.all.Rename(lock_.name, root, stub_name, RenameMode::kExchange));
      return filled;
    }
  }
  if (durability == fs::Durability::kFull) WCLAYER_TRY(root.Sync());
  return {};
}

Status Staging::PublishInto(const std::string& id) {
  WCLAYER_ASSIGN(const auto folder, home_->FolderOf(id));
  if (!folder) return Publish(id);
  WCLAYER_ASSIGN(const auto lock, LockContent(*home_, id));
  WCLAYER_ASSIGN(const auto kind, home_->KindOf(id));
  if (kind != LayerKind::kCreated)
    return Error(Errc::kLayerExists, "the layer is filled already").Of(id);
  WCLAYER_ASSIGN(const auto root, home_->Root());
  WCLAYER_ASSIGN(const auto layer, root.OpenDir(*folder));
  // Top folders tell nothing here: an import that was broken off leaves them.
  WCLAYER_ASSIGN(const bool recorded, layer.Exists(kCommitRecord));
  if (recorded) return LostMetadata(id);
  const auto durability = home_->durability();
  if (durability != fs::Durability::kNone) WCLAYER_TRY(dir_.SyncFileSystem());
  WCLAYER_TRY(MoveInto(layer));
  return durability == fs::Durability::kFull ? layer.SyncFileSystem() : Status();
}

// What an import that was broken off left there is replaced.
Status Staging::MoveInto(const fs::Dir& layer) const {
  WCLAYER_ASSIGN(const auto listed, dir_.List());
  for (const auto& item : listed) {
    if (item.name == kPrivate) continue;
    WCLAYER_TRY(layer.RemoveTree(item.name));
    WCLAYER_TRY(dir_.Rename(item.name, layer, item.name, RenameMode::kNoReplace));
  }
  WCLAYER_TRY(layer.MakeDirs(kPrivate));
  WCLAYER_ASSIGN(const auto from, dir_.OpenDir(kPrivate));
  WCLAYER_ASSIGN(const auto to, layer.OpenDir(kPrivate));
  WCLAYER_ASSIGN(const auto own, from.List());
  for (const auto& item : own)
    if (item.name != kUnsettledFile)
      WCLAYER_TRY(from.Rename(item.name, to, item.name, RenameMode::kReplace));
  return from.Rename(kUnsettledFile, to, kUnsettledFile, RenameMode::kNoReplace);
}

Status Staging::Replace(const std::string& id) {
  WCLAYER_ASSIGN(const auto root, home_->Root());
  WCLAYER_ASSIGN(const auto folder, home_->FolderOf(id));
  if (!folder) return Error(Errc::kLayerNotFound, "the layer is gone").Of(id);
  {
    WCLAYER_ASSIGN(const auto old, root.OpenDir(*folder));
    WCLAYER_TRY(KeepFilesOf(old));
  }
  const auto durability = home_->durability();
  if (durability != fs::Durability::kNone) WCLAYER_TRY(dir_.SyncFileSystem());
  WCLAYER_TRY(lock_.all.Rename(lock_.name, root, *folder, RenameMode::kExchange));
  return durability == fs::Durability::kFull ? root.Sync() : Status();
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
    WCLAYER_TRY(fs::EndTrials(home.PrivatePath(Join(kStaging, item.name))));
    WCLAYER_TRY(staging.RemoveTree(item.name));
    WCLAYER_TRY(locks_dir.Remove(lock_name));
  }
  return fs::RemoveFreeLocks(locks_dir, kStagingLock);
}

Status RemoveLayer(Home& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto folder, home.FolderOf(id));
  if (!folder) return {};
  WCLAYER_ASSIGN(const auto own, home.Private());
  WCLAYER_ASSIGN(const auto locks, own.OpenDir(kLocks));
  WCLAYER_ASSIGN(const auto root, home.Root());
  const std::string removal = IsRemoval(*folder) ? *folder : *folder + std::string(kRemoving);
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
    if (item.type != fs::Type::kDirectory || !IsRemoval(item.name) || !CheckIdOrRemoval(item.name))
      continue;
    const std::string lock_name = std::string(kRemovalLock) + LowerAscii(item.name);
    auto lock = fs::FileLock::Acquire(locks, lock_name, fs::LockMode::kExclusive, {});
    if (!lock && Busy(lock.error())) continue;
    if (!lock) return std::move(lock).error();
    WCLAYER_TRY(root.RemoveTree(item.name));
    WCLAYER_TRY(locks.Remove(lock_name));
  }
  return fs::RemoveFreeLocks(locks, kRemovalLock);
}

}  // namespace wclayer::portable
