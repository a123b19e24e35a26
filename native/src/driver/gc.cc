// What nothing uses goes; what anybody might miss stays, unless the caller names all that matters.
#include <algorithm>
#include <set>

#include "base/layer_id.h"
#include "driver/core.h"
#include "driver/removal.h"

namespace wclayer {

Expected<bool> Core::InUse(const std::string& id) {
  if (mounts_.BeingRead(id)) return true;
  WCLAYER_ASSIGN(const std::int64_t count, mounts_.CountAtMost(id));
  if (count != 0) return true;
  auto state = platform_.State(id);
  return state && (*state & vmcompute::kStateMounted) != 0;
}

// Children before their parents, each with its reason.
Expected<std::vector<Garbage>> Core::GarbageLayers(const std::vector<std::string>& roots) {
  struct Layer {
    std::string id;
    ParentChain chain;
    bool readable = true;
    std::string reason;  // "" : it stays
  };
  std::set<std::string> kept;  // lower case
  const auto keep = [&](const std::string& id, const ParentChain& chain) {
    kept.insert(LowerAscii(id));
    for (const std::string& ancestor : chain.ids) kept.insert(LowerAscii(ancestor));
  };
  for (const std::string& root : roots) {
    WCLAYER_ASSIGN(const Found found, Find(root));
    WCLAYER_ASSIGN(const ParentChain chain, home_.ReadChain(found.id));
    keep(found.id, chain);
  }
  WCLAYER_ASSIGN(const std::vector<std::string> ids, home_.LayerIds());
  std::vector<Layer> layers;
  for (const std::string& id : ids) {
    Layer layer;
    layer.id = id;
    auto chain = home_.ReadChain(id);
    layer.readable = chain.has_value();
    if (chain) layer.chain = *std::move(chain);
    WCLAYER_ASSIGN(const bool used, InUse(id));
    if (used) keep(id, layer.chain);
    layers.push_back(std::move(layer));
  }
  for (Layer& layer : layers) {
    if (kept.contains(LowerAscii(layer.id))) continue;
    if (!roots.empty()) {
      layer.reason = "no root is built on it";
      continue;
    }
    auto state = platform_.State(layer.id);
    auto record = home_.ReadRecord(layer.id);
    const bool empty = state && *state == 0 && record && !record->has_value();
    if (!empty || !layer.readable) continue;
    for (const std::string& ancestor : layer.chain.ids) {
      WCLAYER_ASSIGN(const bool there, platform_.Exists(ancestor));
      if (!there && layer.reason.empty())
        layer.reason = "it was never filled, and its ancestor '" + ancestor + "' is missing";
    }
  }
  std::stable_sort(layers.begin(), layers.end(), [](const Layer& a, const Layer& b) {
    return a.chain.ids.size() > b.chain.ids.size();
  });
  std::vector<Garbage> garbage;
  std::set<std::string> needed;  // by layers that stay
  for (const Layer& layer : layers) {
    if (!layer.reason.empty() && !needed.contains(LowerAscii(layer.id))) {
      garbage.push_back({layer.id, layer.reason});
      continue;
    }
    for (const std::string& ancestor : layer.chain.ids) needed.insert(LowerAscii(ancestor));
  }
  return garbage;
}

Expected<bool> Core::Retire(const std::string& id) {
  const auto busy = [](const Error& error) { return error.code == Errc::kLayerBusy; };
  constexpr std::chrono::milliseconds kAtOnce{0};
  const std::string removal = id + std::string(kRemoving);
  fs::FileLock count_lock;
  fs::FileLock layer_lock;
  {
    WCLAYER_ASSIGN(const auto store_lock, home_.LockStore(fs::LockMode::kExclusive));
    auto counted = home_.LockMountCount(id, kAtOnce);
    if (!counted && busy(counted.error())) return false;
    WCLAYER_ASSIGN(count_lock, std::move(counted));
    auto locked = home_.LockLayer(id, fs::LockMode::kExclusive, kAtOnce);
    if (!locked && busy(locked.error())) return false;
    WCLAYER_ASSIGN(layer_lock, std::move(locked));
    WCLAYER_ASSIGN(const bool used, InUse(id));
    WCLAYER_ASSIGN(const std::vector<std::string> children, ChildrenOf(id));
    WCLAYER_ASSIGN(const bool there, home_.dir().Exists(id));
    if (used || !children.empty() || !there) return false;
    if (!removes_by_rename()) {
      WCLAYER_TRY(home_.dir().Rename(id, home_.dir(), removal, fs::Dir::RenameMode::kNoReplace));
    }
  }
  // Out of sight: the deleting, which may take long, keeps nobody else waiting.
  WCLAYER_TRY(removes_by_rename() ? Removal(platform_, home_).Remove(id)
                                  : platform_.Destroy(removal, false));
  return true;
}

Expected<std::vector<Garbage>> Core::Gc(const GcOptions& options) {
  const auto collect = [&]() -> Expected<std::vector<Garbage>> {
    WCLAYER_ASSIGN(std::vector<Garbage> layers, GarbageLayers(options.roots));
    WCLAYER_ASSIGN(std::vector<Garbage> gone, Leftovers());
    if (options.dry_run) {
      gone.insert(gone.end(), layers.begin(), layers.end());
      return gone;
    }
    WCLAYER_ASSIGN(const std::vector<std::string> cleaned, Cleanup());
    (void)cleaned;
    for (Garbage& layer : layers) {
      auto retired = Retire(layer.id);
      if (!retired) return std::move(retired).error().Of(layer.id);
      if (*retired) gone.push_back(std::move(layer));
    }
    return gone;
  };
  auto gone = collect();
  if (!gone) return std::move(gone).error().In("Gc");
  return gone;
}

}  // namespace wclayer
