#include "driver/mounts.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <random>
#include <thread>

#include "base/json.h"
#include "base/limits.h"
#include "driver/ids.h"
#include "fs/mount.h"

namespace wclayer {
namespace {

constexpr const char* kFolder = "mounts";
constexpr const char* kDetached = "detached";

std::string FileOf(const std::string& id) {
  return std::string(kFolder) + "/" + LowerAscii(id) + ".json";
}

std::string NewOwnerName() {
  std::random_device random;
  std::string name = "owner+";
  for (int i = 0; i < 4; ++i) {
    char part[9];
    std::snprintf(part, sizeof part, "%08x", random());
    name += part;
  }
  return name;
}

}  // namespace

std::int64_t Mounts::State::Total() const {
  std::int64_t total = 0;
  for (const auto& [owner, count] : references) total += count;
  return total;
}

Mounts::~Mounts() {
  // Nobody is left to hear of a failure; what stays is recovered at the next open.
  auto dropped = DropOwn();
  (void)dropped.has_value();
  if (owner_lock_) {
    auto removed = home_->locks().Remove(owner_);
    (void)removed.has_value();
  }
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
  const std::string name = NewOwnerName();
  WCLAYER_ASSIGN(owner_lock_,
                 fs::FileLock::Acquire(home_->locks(), name, fs::LockMode::kExclusive, {}));
  owner_ = name;
  return owner_;
}

std::string Mounts::OwnerIfAny() const {
  const std::lock_guard lock(mutex_);
  return owner_;
}

Expected<Mounts::State> Mounts::Load(const std::string& id) {
  State state;
  const std::string me = OwnerIfAny();
  WCLAYER_ASSIGN(const std::string boot_id, fs::BootId());
  auto text = home_->private_dir().ReadSmall(FileOf(id), kMaxJsonBytes);
  if (!text) {
    if (text.error().sys_errno == ENOENT) return state;
    return std::move(text).error().Of(id);
  }
  auto json = ParseJson(*text);
  // Unreadable: written by nobody that lives, since the file is replaced whole. Another boot: all
  // mounts are gone.
  if (!json || json->StringOr("bootId", "") != boot_id) return state;
  const Json* references = json->Find("references");
  if (references == nullptr) return state;
  for (const auto& [owner, count] : references->object) {
    if (count.kind != Json::Kind::kInt || count.integer <= 0) continue;
    if (owner != kDetached && owner != me) {
      auto dead = fs::FileLock::Acquire(home_->locks(), owner, fs::LockMode::kExclusive, {});
      if (dead) {
        auto removed = home_->locks().Remove(owner);
        (void)removed.has_value();  // another recovery was faster
        continue;
      }
    }
    state.references[owner] = count.integer;
  }
  return state;
}

Status Mounts::Save(const std::string& id, const State& state) {
  if (state.Total() == 0) {
    auto removed = home_->private_dir().Remove(FileOf(id));
    if (!removed && removed.error().sys_errno != ENOENT) return std::move(removed).error().Of(id);
    return {};
  }
  WCLAYER_ASSIGN(const std::string boot_id, fs::BootId());
  Json references = Json::Object();
  for (const auto& [owner, count] : state.references) references.Add(owner, Json::Of(count));
  Json json = Json::Object();
  json.Add("bootId", Json::Of(boot_id)).Add("references", std::move(references));
  WCLAYER_TRY(home_->private_dir().MakeDirs(kFolder));
  // Not flushed: after a crash of the machine the boot id differs and the file means nothing.
  return home_->private_dir().ReplaceSmall(FileOf(id), WriteJson(json), fs::Durability::kNone);
}

Status Mounts::Mount(const std::string& id, bool writable) {
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
  WCLAYER_ASSIGN(const Descriptors parents, platform_->Describe(chain));
  WCLAYER_TRY(platform_->Activate(id));
  if (auto prepared = platform_->Prepare(id, parents); !prepared) {
    auto undone = platform_->Deactivate(id);
    Error error = std::move(prepared).error();
    if (!undone) error.message += "; and then " + undone.error().ToString();
    return error;
  }
  return {};
}

Status Mounts::Unmount(const std::string& id, bool writable) {
  if (BeingRead(id)) {
    return Error(Errc::kLayerBusy, "a Diff of it is being read; close that first").Of(id);
  }
  WCLAYER_ASSIGN(auto lock,
                 home_->LockLayer(id, writable ? fs::LockMode::kExclusive : fs::LockMode::kShared));
  WCLAYER_TRY(platform_->Unprepare(id));
  if (auto done = platform_->Deactivate(id); !done) {
    // Prepared again, so that who still holds the layer sees it whole.
    auto chain = home_->ReadChain(id);
    if (chain) {
      if (auto parents = platform_->Describe(*chain)) {
        auto restored = platform_->Prepare(id, *parents);
        (void)restored.has_value();
      }
    }
    return done;
  }
  return {};
}

Expected<std::string> Mounts::Get(const std::string& id, bool detached, bool writable) {
  WCLAYER_ASSIGN(const std::string owner, Owner());
  WCLAYER_ASSIGN(auto count_lock, home_->LockMountCount(id));
  WCLAYER_ASSIGN(State state, Load(id));
  const std::string key = detached ? kDetached : owner;
  const bool first = state.Total() == 0;
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
  if (first) {
    if (auto mounted = Mount(id, writable); !mounted) return undo(std::move(mounted).error());
  }
  auto path = platform_->MountPath(id);
  if (!path) {
    Error error = std::move(path).error();
    if (first) {
      auto unmounted = Unmount(id, writable);
      if (!unmounted) error.message += "; and then " + unmounted.error().ToString();
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
  if (state.Total() == 1) WCLAYER_TRY(Unmount(id, writable));
  if (--held->second == 0) state.references.erase(held);
  WCLAYER_TRY(Save(id, state));
  if (own) {
    const std::lock_guard lock(mutex_);
    if (const auto at = own_.find(id); at != own_.end() && --at->second == 0) own_.erase(at);
  }
  return {};
}

Expected<std::int64_t> Mounts::Count(const std::string& id) {
  WCLAYER_ASSIGN(auto count_lock, home_->LockMountCount(id));
  return CountHeld(id);
}

Expected<std::int64_t> Mounts::CountHeld(const std::string& id) {
  WCLAYER_ASSIGN(const State state, Load(id));
  return state.Total();
}

Status Mounts::BreakHeld(const std::string& id) {
  WCLAYER_TRY(platform_->Unprepare(id));
  WCLAYER_TRY(platform_->Deactivate(id));
  WCLAYER_TRY(Save(id, State{}));
  const std::lock_guard lock(mutex_);
  own_.erase(id);
  return {};
}

Expected<std::vector<std::string>> Mounts::Recover() {
  std::vector<std::string> done;
  auto folder = home_->private_dir().OpenDir(kFolder);
  if (!folder) {
    if (folder.error().sys_errno == ENOENT) return done;
    return std::move(folder).error();
  }
  WCLAYER_ASSIGN(const std::vector<fs::Listed> files, folder->List());
  for (const fs::Listed& file : files) {
    if (!file.name.ends_with(".json")) continue;
    const std::string lower = file.name.substr(0, file.name.size() - 5);
    if (!CheckId(lower)) continue;
    WCLAYER_ASSIGN(const std::string id, home_->FindId(lower));
    auto count_lock = home_->LockMountCount(lower);
    if (!count_lock) continue;  // somebody works on it: then it is not a left-over
    WCLAYER_ASSIGN(const State state, Load(lower));
    if (state.Total() != 0) continue;
    if (!id.empty()) {
      WCLAYER_TRY(platform_->Unprepare(id));
      if (auto unmounted = platform_->Deactivate(id); !unmounted) {
        done.push_back("left mounted, still in use: " + unmounted.error().ToString());
        continue;
      }
    }
    WCLAYER_TRY(Save(lower, State{}));
    done.push_back("unmounted " + lower + ": whoever mounted it is gone");
  }
  return done;
}

Expected<fs::FileLock> Mounts::BeginRead(const std::string& id) {
  const auto deadline = std::chrono::steady_clock::now() + home_->lock_wait();
  for (auto pause = std::chrono::milliseconds(1);;
       pause = std::min(pause * 2, std::chrono::milliseconds(50))) {
    {
      // Under the count's lock nobody mounts or unmounts between the look and the deed. Whoever
      // fills or mounts the layer is waited for without it, since that may take long.
      WCLAYER_ASSIGN(auto count_lock, home_->LockMountCount(id));
      auto layer_lock = home_->LockLayer(id, fs::LockMode::kShared, std::chrono::milliseconds(0));
      if (layer_lock) {
        WCLAYER_ASSIGN(const State state, Load(id));
        WCLAYER_TRY(state.Total() == 0 ? platform_->Activate(id) : platform_->Unprepare(id));
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
  {
    const std::lock_guard lock(mutex_);
    const auto at = readers_.find(LowerAscii(id));
    if (at != readers_.end() && --at->second > 0) return {};  // the last reader restores
    readers_.erase(at);
  }
  WCLAYER_ASSIGN(auto count_lock, home_->LockMountCount(id));
  WCLAYER_ASSIGN(const State state, Load(id));
  return state.Total() == 0 ? platform_->Deactivate(id) : platform_->Prepare(id, parents);
}

bool Mounts::BeingRead(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return readers_.count(LowerAscii(id)) != 0;
}

}  // namespace wclayer
