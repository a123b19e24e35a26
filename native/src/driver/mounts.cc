#include "driver/mounts.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/json.h"
#include "base/layer_id.h"
#include "base/limits.h"
#include "base/quietly.h"
#include "fs/mount.h"

namespace wclayer {
namespace {

constexpr const char* kFolder = "mounts";
constexpr const char* kDetached = "detached";
constexpr std::string_view kOwnerLock = "owner+";
constexpr std::string_view kStateEnd = ".json";
// For a lock that is ours alone: a recovery elsewhere may just be looking whether it is free.
constexpr std::chrono::seconds kOwnLockWait{10};

std::string FileOf(const std::string& id) {
  return std::string(kFolder) + "/" + LowerAscii(id) + ".json";
}

}  // namespace

std::int64_t Mounts::State::Total() const {
  std::int64_t total = 0;
  for (const auto& [owner, count] : references) total += count;
  return total;
}

Mounts::~Mounts() {
  // What stays is recovered at the next open.
  Quietly([this] { return DropOwn(); });
  if (owner_lock_) Quietly([this] { return home_->locks().Remove(owner_); });
}

Status Mounts::DropOwn() {
  std::map<std::string, std::int64_t> own;
  {
    const std::lock_guard lock(mutex_);
    own = own_;
  }
  Status first;
  for (const auto& [id, count] : own) {
    WCLAYER_ASSIGN(const std::uint32_t state, platform_->State(id));
    for (std::int64_t i = 0; i < count; ++i) {
      if (auto put = Put(id, (state & vmcompute::kStateWritable) != 0); !put && first)
        first = std::move(put);
    }
  }
  return first;
}

Expected<std::string> Mounts::Owner() {
  const std::lock_guard lock(mutex_);
  if (owner_lock_) return owner_;
  WCLAYER_ASSIGN(const std::string fresh, fs::FreshName());
  const std::string name = std::string(kOwnerLock) + fresh;
  WCLAYER_ASSIGN(owner_lock_, fs::FileLock::Acquire(home_->locks(), name, fs::LockMode::kExclusive,
                                                    kOwnLockWait));
  owner_ = name;
  return owner_;
}

std::string Mounts::OwnerIfAny() const {
  const std::lock_guard lock(mutex_);
  return owner_;
}

Expected<Mounts::State> Mounts::Load(const std::string& id) {
  State state;
  auto text = home_->private_dir().ReadSmall(FileOf(id), kMaxJsonBytes);
  if (!text) {
    if (text.error().sys_errno == ENOENT) return state;
    return std::move(text).error().Of(id);
  }
  WCLAYER_ASSIGN(const std::string boot_id, fs::BootId());
  auto json = ParseJson(*text);
  // Unreadable: written by nobody that lives, since the file is replaced whole. Another boot: all
  // mounts are gone.
  if (!json || json->StringOr("bootId", "") != boot_id) return state;
  if (const Json* references = json->Find("references"))
    WCLAYER_TRY(LoadOwners(*references, state.references));
  if (const Json* readers = json->Find("readers")) WCLAYER_TRY(LoadOwners(*readers, state.readers));
  state.unsettled = json->Find("unsettled") != nullptr;
  return state;
}

Status Mounts::LoadOwners(const Json& owners, std::map<std::string, std::int64_t>& counts) {
  const std::string me = OwnerIfAny();
  for (const auto& [owner, count] : owners.object) {
    if (count.kind != Json::Kind::kInt || count.integer <= 0) continue;
    if (owner != kDetached && owner != me) {
      auto dead = fs::FileLock::Acquire(home_->locks(), owner, fs::LockMode::kExclusive, {});
      if (dead) {
        auto removed = home_->locks().Remove(owner);
        (void)removed.has_value();  // another recovery was faster
        continue;
      }
    }
    counts[owner] = count.integer;
  }
  return {};
}

Status Mounts::Save(const std::string& id, const State& state) {
  if (state.Empty()) {
    auto removed = home_->private_dir().Remove(FileOf(id));
    if (!removed && removed.error().sys_errno != ENOENT) return std::move(removed).error().Of(id);
    return {};
  }
  WCLAYER_ASSIGN(const std::string boot_id, fs::BootId());
  Json references = Json::Object();
  for (const auto& [owner, count] : state.references) references.Add(owner, Json::Of(count));
  Json json = Json::Object();
  json.Add("bootId", Json::Of(boot_id)).Add("references", std::move(references));
  if (!state.readers.empty()) {
    Json readers = Json::Object();
    for (const auto& [owner, count] : state.readers) readers.Add(owner, Json::Of(count));
    json.Add("readers", std::move(readers));
  }
  if (state.unsettled) json.Add("unsettled", Json::Of(std::int64_t{1}));
  WCLAYER_TRY(home_->private_dir().MakeDirs(kFolder));
  // Not flushed: after a crash of the machine the boot id differs and the file means nothing.
  return home_->PutFile(".wclayer/" + FileOf(id), WriteJson(json), fs::Durability::kNone);
}

// Brings a layer to what its count says, when an earlier call could not.
Status Mounts::Settle(const std::string& id, State& state, const Descriptors& parents) {
  if (!state.unsettled) return {};
  WCLAYER_TRY(state.Total() == 0 ? platform_->Unmount(id, parents, true)
                                 : platform_->Reprepare(id, parents));
  state.unsettled = false;
  return {};
}

// Written down for tables of Windows alone: there a reader that dies leaves something behind.
Status Mounts::CountReader(const std::string& id, State& state, std::int64_t change) {
  if (platform_->direct()) return {};
  WCLAYER_ASSIGN(const std::string owner, Owner());
  if ((state.readers[owner] += change) <= 0) state.readers.erase(owner);
  return Save(id, state);
}

Status Mounts::Mount(const std::string& id, State& state, bool writable) {
  fs::FileLock lock;
  if (BeingRead(id)) {
    // The reader holds the layer's lock in this process; mounting takes nothing from it (store §7:
    // while a Diff is open Get changes the count alone, and the first Get mounts beside the
    // reader).
  } else {
    WCLAYER_ASSIGN(
        lock, home_->LockLayer(id, writable ? fs::LockMode::kExclusive : fs::LockMode::kShared));
  }
  WCLAYER_ASSIGN(const ParentChain chain, home_->ReadChain(id));
  // So that no ancestor is repaired between the making of the mount and its showing in the count.
  WCLAYER_ASSIGN(const auto ancestors, home_->LockChain(chain));
  WCLAYER_ASSIGN(const Descriptors parents, platform_->Describe(chain));
  return platform_->Mount(id, parents, state.unsettled);
}

Status Mounts::Unmount(const std::string& id, bool writable, bool undo) {
  if (BeingRead(id)) {
    return Error(Errc::kLayerBusy, "a Diff of it is being read; close that first").Of(id);
  }
  WCLAYER_ASSIGN(auto lock,
                 home_->LockLayer(id, writable ? fs::LockMode::kExclusive : fs::LockMode::kShared));
  WCLAYER_ASSIGN(const ParentChain chain, home_->ReadChain(id));
  WCLAYER_ASSIGN(const Descriptors parents, platform_->Describe(chain));
  return platform_->Unmount(id, parents, undo);
}

Expected<std::string> Mounts::Get(const std::string& id, bool detached, bool writable) {
  WCLAYER_ASSIGN(const std::string owner, Owner());
  WCLAYER_ASSIGN(auto count_lock, home_->LockMountCount(id));
  WCLAYER_ASSIGN(State state, Load(id));
  const std::string key = detached ? kDetached : owner;
  const bool first = state.Total() == 0;
  if (state.unsettled && state.readers.empty()) {
    WCLAYER_ASSIGN(const ParentChain chain, home_->ReadChain(id));
    WCLAYER_ASSIGN(const Descriptors parents, platform_->Describe(chain));
    WCLAYER_TRY(Settle(id, state, parents));
  }
  ++state.references[key];
  // Written before the mount is made: a process killed in between leaves a count that recovery
  // finds.
  WCLAYER_TRY(Save(id, state));
  const auto undo = [&](Error error) -> Error {
    if (--state.references[key] == 0) state.references.erase(key);
    if (auto saved = Save(id, state); !saved)
      error.message += "; and then " + saved.error().ToString();
    return error;
  };
  // A layer that is being read is active, and its last reader prepares it for whoever has it by
  // then (on Windows: elsewhere a mount is made beside the reader).
  const bool read = !platform_->direct() && !state.readers.empty();
  if (first && !read) {
    if (auto mounted = Mount(id, state, writable); !mounted)
      return undo(std::move(mounted).error());
  }
  auto path = platform_->MountPath(id);
  if (!path) {
    Error error = std::move(path).error();
    if (first && !read) {
      auto unmounted = Unmount(id, writable, true);
      if (!unmounted) {
        state.unsettled = true;
        error.message += "; and then " + unmounted.error().ToString();
      }
    }
    return undo(std::move(error));
  }
  if (!detached) {
    const std::lock_guard lock(mutex_);
    ++own_[id];
  }
  return path->empty() ? home_->LayerPath(id) : *std::move(path);
}

Status Mounts::Put(const std::string& id, bool writable) {
  WCLAYER_ASSIGN(auto count_lock, home_->LockMountCount(id));
  WCLAYER_ASSIGN(State state, Load(id));
  const std::string me = OwnerIfAny();
  auto held = me.empty() ? state.references.end() : state.references.find(me);
  if (held == state.references.end()) held = state.references.find(kDetached);
  if (held == state.references.end()) return {};  // unmatched: a no-op (design §4)
  const bool own = held->first != kDetached;
  if (state.Total() == 1 && !state.readers.empty()) {
    return Error(Errc::kLayerBusy, "a Diff of it is being read; close that first").Of(id);
  }
  if (state.Total() == 1) WCLAYER_TRY(Unmount(id, writable, false));
  if (--held->second == 0) state.references.erase(held);
  if (state.references.empty()) state.unsettled = false;
  WCLAYER_TRY(Save(id, state));
  if (own) {
    const std::lock_guard lock(mutex_);
    if (const auto at = own_.find(id); at != own_.end() && --at->second == 0) own_.erase(at);
  }
  return {};
}

Expected<std::int64_t> Mounts::CountHeld(const std::string& id) {
  WCLAYER_ASSIGN(const State state, Load(id));
  return state.Total();
}

Status Mounts::BreakHeld(const std::string& id) {
  WCLAYER_TRY(platform_->Unmount(id, Descriptors(), true));
  WCLAYER_TRY(Save(id, State{}));
  const std::lock_guard lock(mutex_);
  own_.erase(id);
  return {};
}

Expected<std::set<std::string>> Mounts::Noted() const {
  std::set<std::string> noted;
  const auto folder = home_->private_dir().OpenDir(kFolder);
  if (!folder && fs::IsGone(folder.error())) return noted;
  if (!folder) return folder.error();
  WCLAYER_TRY(folder->Visit([&](std::string_view name, fs::Type) -> wclayer::Status {
    if (name.ends_with(kStateEnd)) noted.emplace(name.substr(0, name.size() - kStateEnd.size()));
    return {};
  }));
  return noted;
}

Expected<std::vector<std::string>> Mounts::Recover() {
  std::vector<std::string> done;
  auto folder = home_->private_dir().OpenDir(kFolder);
  if (!folder && folder.error().sys_errno != ENOENT) return std::move(folder).error();
  if (folder) {
    WCLAYER_ASSIGN(const std::vector<fs::Listed> files, folder->List());
    for (const fs::Listed& file : files) {
      const std::size_t end = file.name.rfind(kStateEnd);
      if (end == std::string::npos || !CheckId(file.name.substr(0, end))) continue;
      const std::string lower = file.name.substr(0, end);
      auto count_lock = home_->LockMountCount(lower, std::chrono::milliseconds(0));
      if (!count_lock) continue;  // somebody works on it: then it is not a left-over
      if (file.name.size() == end + kStateEnd.size()) {
        WCLAYER_TRY(RecoverHeld(lower, done));
      } else if (auto gone = folder->Remove(file.name); !gone && !fs::IsGone(gone.error())) {
        return std::move(gone).error();  // a count that was never finished
      }
    }
  }
  // Of owners that are gone, whether or not a count names them.
  WCLAYER_TRY(fs::RemoveFreeLocks(home_->locks(), kOwnerLock));
  return done;
}

Status Mounts::RecoverHeld(const std::string& lower, std::vector<std::string>& done) {
  WCLAYER_ASSIGN(const std::string id, home_->FindId(lower));
  WCLAYER_ASSIGN(const State state, Load(lower));
  if (state.Total() != 0 || !state.readers.empty()) return {};
  if (!id.empty()) {
    if (auto unmounted = platform_->Unmount(id, Descriptors(), true); !unmounted) {
      done.push_back("left mounted, still in use: " + unmounted.error().ToString());
      return {};
    }
  }
  WCLAYER_TRY(Save(lower, State{}));
  done.push_back("unmounted " + lower + ": whoever mounted it is gone");
  return {};
}

Status Mounts::StartRead(const std::string& id, const Descriptors& parents) {
  WCLAYER_ASSIGN(State state, Load(id));
  // On Windows the layer's state is that of the first reader; others read beside it.
  const bool first = platform_->direct() || state.readers.empty();
  if (first && state.Total() == 0) WCLAYER_TRY(Settle(id, state, parents));
  WCLAYER_TRY(CountReader(id, state, 1));
  Status started;
  if (first) {
    bool left = false;
    started =
        state.Total() == 0 ? platform_->Activate(id, left) : platform_->Unprepare(id, parents);
    if (left) state.unsettled = true;
  }
  if (started) return {};
  if (auto saved = CountReader(id, state, -1); !saved)
    started.error().message += "; and then " + saved.error().ToString();
  return started;
}

Expected<fs::FileLock> Mounts::BeginRead(const std::string& id, const Descriptors& parents) {
  const auto deadline = std::chrono::steady_clock::now() + home_->lock_wait();
  for (auto pause = std::chrono::milliseconds(1);;
       pause = std::min(pause * 2, std::chrono::milliseconds(50))) {
    {
      // Under the count's lock nobody mounts or unmounts between the look and the deed. Whoever
      // fills or mounts the layer is waited for without it, since that may take long.
      WCLAYER_ASSIGN(auto count_lock, home_->LockMountCount(id));
      auto layer_lock = home_->LockLayer(id, fs::LockMode::kShared, std::chrono::milliseconds(0));
      if (layer_lock) {
        WCLAYER_TRY(StartRead(id, parents));
        const std::lock_guard lock(mutex_);
        ++readers_[LowerAscii(id)];
        return layer_lock;
      }
      if (layer_lock.error().code != Errc::kLayerBusy ||
          std::chrono::steady_clock::now() >= deadline) {
        return layer_lock;
      }
    }
    std::this_thread::sleep_for(pause);
  }
}

Status Mounts::EndRead(const std::string& id, const Descriptors& parents) {
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    const auto at = readers_.find(LowerAscii(id));
    last = at == readers_.end() || --at->second == 0;
    if (last) readers_.erase(LowerAscii(id));
  }
  if (platform_->direct() && !last) return {};
  WCLAYER_ASSIGN(auto count_lock, home_->LockMountCount(id));
  WCLAYER_ASSIGN(State state, Load(id));
  WCLAYER_TRY(CountReader(id, state, -1));
  if (!state.readers.empty()) return {};  // the last reader restores
  auto restored =
      state.Total() == 0 ? platform_->Deactivate(id) : platform_->Reprepare(id, parents);
  if (restored.has_value() != state.unsettled) return restored;
  state.unsettled = !restored;
  if (auto saved = Save(id, state); !saved && restored) return saved;
  return restored;
}

bool Mounts::BeingRead(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return readers_.count(LowerAscii(id)) != 0;
}

}  // namespace wclayer
