// Create, Get, Put, Remove, Exists and what surrounds them.
#include <algorithm>
#include <cstdio>
#include <random>

#include "driver/core.h"
#include "driver/ids.h"
#include "fs/mount.h"

namespace wclayer {
namespace {

constexpr const char* kTemporaryFolders = "tmp";

Error NotFound(const std::string& id) {
  return Error(Errc::kLayerNotFound, "no such layer").Of(id);
}

}  // namespace

Expected<std::unique_ptr<Driver>> Driver::Open(const vmcompute::Table& table,
                                               std::string_view backend, DriverOptions options) {
  const auto durability = static_cast<fs::Durability>(options.durability);
  auto home = StoreHome::Open(options.home, options.lock_wait, durability);
  if (!home) return std::move(home).error().In("Open");
  auto core =
      std::make_unique<Core>(table, std::string(backend), std::move(options), *std::move(home));
  if (auto started = core->Start(); !started) return std::move(started).error().In("Open");
  return std::unique_ptr<Driver>(std::move(core));
}

Core::Core(const vmcompute::Table& table, std::string backend, DriverOptions options,
           StoreHome home)
    : options_(std::move(options)),
      backend_(std::move(backend)),
      home_(std::move(home)),
      platform_(table, static_cast<std::int32_t>(options_.flavour), home_.path()),
      mounts_(platform_, home_) {}

wclayer::Status Core::Start() {
  vmcompute::StoreOptions store;
  store.force_checkout = options_.force_checkout;
  store.force_legacy_mount = options_.force_legacy_mount;
  store.durability = static_cast<std::uint32_t>(options_.durability);
  WCLAYER_TRY(platform_.Configure(store));
  auto report = Cleanup();
  if (!report) return std::move(report).error();
  return {};
}

std::string Core::String() const {
  switch (options_.flavour) {
    case Flavour::kDiff:
      return "windowsdiff";
    case Flavour::kFilter:
      return "windowsfilter";
  }
  return "Unknown driver flavour";
}

Expected<std::optional<Core::Found>> Core::FindIfAny(const std::string& id) {
  WCLAYER_TRY(CheckId(id));
  Found found;
  WCLAYER_ASSIGN(found.id, home_.FindId(id));
  if (found.id.empty()) {
    // A base image of the central store has no folder here but may be named (vmcompute-abi §5).
    WCLAYER_ASSIGN(const bool known, platform_.Exists(id));
    if (!known) return std::optional<Found>();
    found.id = id;
  }
  WCLAYER_ASSIGN(found.platform, home_.ResolveAlias(found.id));
  WCLAYER_ASSIGN(const bool exists, platform_.Exists(found.platform));
  if (!exists) return std::optional<Found>();
  WCLAYER_ASSIGN(found.state, platform_.State(found.platform));
  return std::optional<Found>(std::move(found));
}

Expected<Core::Found> Core::Find(const std::string& id) {
  WCLAYER_ASSIGN(std::optional<Found> found, FindIfAny(id));
  if (!found) return NotFound(id);
  return *std::move(found);
}

bool Core::Exists(const std::string& id) {
  auto found = FindIfAny(id);
  return found && found->has_value();
}

Expected<std::vector<Pair>> Core::GetMetadata(const std::string& id) {
  if (auto fit = CheckId(id); !fit) return std::move(fit).error().In("GetMetadata").Of(id);
  return std::vector<Pair>{{"dir", home_.LayerPath(id)}};
}

Expected<ParentChain> Core::ChainBelow(const std::string& parent) {
  ParentChain chain;
  if (parent.empty()) return chain;
  WCLAYER_ASSIGN(const std::optional<Found> found, FindIfAny(parent));
  if (!found) return Error(Errc::kParentNotFound, "the parent '" + parent + "' does not exist");
  if (found->writable()) {
    return Error(
        Errc::kParentNotFound,
        "'" + parent +
            "' is a writable layer and cannot be a parent; apply its Diff as a layer first");
  }
  if (found->damaged()) return Error(Errc::kLayerDamaged, "the parent '" + parent + "' is damaged");
  WCLAYER_ASSIGN(const std::string mounted, platform_.MountPath(found->platform));
  WCLAYER_ASSIGN(ParentChain rest, home_.ReadChain(found->id));
  chain.ids.push_back(found->platform);
  chain.paths.push_back(mounted.empty() ? home_.LayerPath(found->id) : mounted);
  chain.ids.insert(chain.ids.end(), rest.ids.begin(), rest.ids.end());
  chain.paths.insert(chain.paths.end(), rest.paths.begin(), rest.paths.end());
  return chain;
}

Expected<std::vector<std::string>> Core::ChildrenOf(const std::string& id) {
  WCLAYER_ASSIGN(const std::vector<std::string> ids, home_.LayerIds());
  std::vector<std::string> children;
  for (const std::string& other : ids) {
    auto chain = home_.ReadChain(other);
    if (!chain) continue;  // damaged: verify tells
    const bool child = std::any_of(chain->ids.begin(), chain->ids.end(),
                                   [&](const std::string& parent) { return SameId(parent, id); });
    if (child) children.push_back(other);
  }
  return children;
}

wclayer::Status Core::Create(const std::string& id, const std::string& parent,
                             std::uint64_t size_bytes) {
  const auto fail = [&](Error error) { return std::move(error).In("Create").Of(id); };
  if (auto ok = CheckId(id); !ok) return fail(std::move(ok).error());
  bool writable = false;
  ParentChain chain;
  if (LowerAscii(parent).ends_with("-init")) {
    auto init = FindIfAny(parent);
    if (!init) return fail(std::move(init).error());
    // Docker's way to ask for a writable layer; the -init layer itself never joins a chain
    // (driver-semantics §0).
    if (init->has_value() && !(*init)->committed() && !(*init)->writable()) {
      auto below = home_.ReadChain((*init)->id);
      if (!below) return fail(std::move(below).error());
      chain = *std::move(below);
      writable = true;
    }
  }
  if (!writable) {
    auto below = ChainBelow(parent);
    if (!below) return fail(std::move(below).error());
    chain = *std::move(below);
  }
  if (auto made = CreateLayer(id, chain, writable, size_bytes); !made)
    return fail(std::move(made).error());
  return {};
}

wclayer::Status Core::CreateReadWrite(const std::string& id, const std::string& parent,
                                      std::uint64_t size_bytes) {
  const auto fail = [&](Error error) { return std::move(error).In("CreateReadWrite").Of(id); };
  if (auto ok = CheckId(id); !ok) return fail(std::move(ok).error());
  auto chain = ChainBelow(parent);
  if (!chain) return fail(std::move(chain).error());
  if (auto made = CreateLayer(id, *chain, true, size_bytes); !made)
    return fail(std::move(made).error());
  return {};
}

wclayer::Status Core::CreateLayer(const std::string& id, const ParentChain& chain, bool writable,
                                  std::uint64_t size_bytes) {
  // Child before parent; the locks on the ancestors keep them from being removed meanwhile.
  WCLAYER_ASSIGN(auto lock, home_.LockLayer(id, fs::LockMode::kExclusive));
  WCLAYER_ASSIGN(auto ancestors, home_.LockChain(chain));
  for (const std::string& ancestor : chain.ids) {
    WCLAYER_ASSIGN(const bool there, platform_.Exists(ancestor));
    if (!there) return Error(Errc::kParentNotFound, "the parent '" + ancestor + "' does not exist");
  }
  WCLAYER_ASSIGN(const std::string taken, home_.FindId(id));
  if (!taken.empty()) {
    return Error(Errc::kLayerExists,
                 taken == id ? "a layer of this id exists"
                             : "the layer '" + taken + "' differs from this id by case only");
  }
  wclayer::Status made;
  if (writable) {
    WCLAYER_ASSIGN(const Descriptors parents, platform_.Describe(chain));
    made = platform_.CreateSandbox(id, chain.empty() ? "" : chain.paths.front(), parents);
    const std::uint64_t size = size_bytes != 0 ? size_bytes : options_.scratch_size_bytes;
    if (made && size != 0) made = platform_.Expand(id, size);
  } else {
    made = platform_.Create(id, chain.empty() ? "" : chain.ids.front());
  }
  if (made) made = home_.WriteChain(id, chain);
  if (made) return {};
  Error error = std::move(made).error();
  if (auto gone = platform_.Destroy(id); !gone)
    error.message += "; and then " + gone.error().ToString();
  return error;
}

Expected<std::string> Core::Get(const std::string& id, bool detached) {
  auto found = Find(id);
  if (!found) return std::move(found).error().In("Get");
  if (found->damaged())
    return Error(Errc::kLayerDamaged, "run verify to see what is wrong").In("Get").Of(id);
  auto path = mounts_.Get(found->platform, detached, found->writable());
  if (!path) return std::move(path).error().In("Get").Of(id);
  return path;
}

wclayer::Status Core::Put(const std::string& id) {
  auto found = Find(id);
  if (!found) return std::move(found).error().In("Put");
  if (auto put = mounts_.Put(found->platform, found->writable()); !put)
    return std::move(put).error().In("Put").Of(id);
  return {};
}

wclayer::Status Core::Remove(const std::string& id, bool force) {
  const auto fail = [&](Error error) { return std::move(error).In("Remove").Of(id); };
  auto found = Find(id);
  if (!found) return fail(std::move(found).error());
  if (mounts_.BeingRead(found->platform)) {
    return fail(Error(Errc::kLayerBusy, "a Diff of it is being read; close that first"));
  }
  // Held to the end, so that nobody mounts what is being removed.
  auto count_lock = home_.LockMountCount(found->platform);
  if (!count_lock) return fail(std::move(count_lock).error());
  auto count = mounts_.CountHeld(found->platform);
  if (!count) return fail(std::move(count).error());
  if (*count != 0 && !force) {
    return fail(Error(Errc::kLayerBusy, "it is mounted (" + std::to_string(*count) +
                                            (*count == 1 ? " reference" : " references") +
                                            "); put it first, or remove it by force"));
  }
  auto lock = home_.LockLayer(found->id, fs::LockMode::kExclusive);
  if (!lock) return fail(std::move(lock).error());
  auto children = ChildrenOf(found->id);
  if (!children) return fail(std::move(children).error());
  if (!children->empty()) {
    return fail(Error(Errc::kLayerBusy, std::to_string(children->size()) +
                                            " layer(s) are built on it, among them '" +
                                            children->front() + "'; remove those first"));
  }
  if (*count != 0) {
    // Only by force is a busy mount detached (store §5).
    vmcompute::StoreOptions store;
    store.force_checkout = options_.force_checkout;
    store.force_legacy_mount = options_.force_legacy_mount;
    store.durability = static_cast<std::uint32_t>(options_.durability);
    store.detach_on_unmount = true;
    auto status = platform_.Configure(store);
    if (status) status = mounts_.BreakHeld(found->platform);
    store.detach_on_unmount = false;
    auto restored = platform_.Configure(store);
    if (!status) return fail(std::move(status).error());
    if (!restored) return fail(std::move(restored).error());
  }
  // The stub of an aliased base image goes; the image itself belongs to the central store.
  if (auto gone = platform_.Destroy(found->id); !gone) return fail(std::move(gone).error());
  return {};
}

Expected<std::vector<std::string>> Core::Cleanup() {
  auto report = mounts_.Recover();
  if (!report) return std::move(report).error().In("Cleanup");
  WCLAYER_ASSIGN(const std::vector<fs::Listed> before, home_.dir().List());
  if (auto recovered = platform_.Recover(); !recovered)
    return std::move(recovered).error().In("Cleanup");
  for (const fs::Listed& item : before) {
    if (!item.name.ends_with("-removing")) continue;
    WCLAYER_ASSIGN(const bool left, home_.dir().Exists(item.name));
    if (!left) report->push_back("finished removing " + item.name.substr(0, item.name.size() - 9));
  }
  // Folders that DiffPath handed out and whose process is gone.
  auto folders = home_.private_dir().OpenDir(kTemporaryFolders);
  if (!folders) {
    if (folders.error().sys_errno == ENOENT) return report;
    return std::move(folders).error().In("Cleanup");
  }
  WCLAYER_ASSIGN(const std::vector<fs::Listed> temporary, folders->List());
  for (const fs::Listed& item : temporary) {
    auto owner =
        fs::FileLock::Acquire(home_.locks(), "tmp+" + item.name, fs::LockMode::kExclusive, {});
    if (!owner) continue;
    WCLAYER_TRY(folders->RemoveTree(item.name));
    WCLAYER_TRY(home_.locks().Remove("tmp+" + item.name));
    report->push_back("removed the temporary folder " + item.name);
  }
  return report;
}

Expected<std::vector<Pair>> Core::Status() {
  WCLAYER_ASSIGN(const std::vector<LayerSummary> layers, List());
  const auto mounted = std::count_if(layers.begin(), layers.end(), [](const LayerSummary& layer) {
    return layer.state == "mounted";
  });
  const auto writable = std::count_if(layers.begin(), layers.end(), [](const LayerSummary& layer) {
    return layer.kind == "writable";
  });
  std::string reason;
  const bool overlay =
      !options_.force_checkout && fs::CanMountOverlay(home_.path() + "/.wclayer", reason);
  return std::vector<Pair>{
      {"Windows", ""},
      {"Backend", backend_},
      {"Home", home_.path()},
      {"Layers", std::to_string(layers.size())},
      {"Writable layers", std::to_string(writable)},
      {"Mounted layers", std::to_string(mounted)},
      {"Mounts",
       overlay ? "overlayfs" : "checkout" + (reason.empty() ? std::string() : " (" + reason + ")")},
      {"Streaming", platform_.streams_export() && platform_.streams_import() ? "yes" : "no"},
  };
}

Expected<std::vector<LayerSummary>> Core::List() {
  WCLAYER_ASSIGN(const std::vector<std::string> ids, home_.LayerIds());
  std::vector<LayerSummary> layers;
  layers.reserve(ids.size());
  for (const std::string& id : ids) {
    LayerSummary layer;
    layer.id = id;
    WCLAYER_ASSIGN(const std::string platform_id, home_.ResolveAlias(id));
    auto state = platform_.State(platform_id);
    auto chain = home_.ReadChain(id);
    auto record = home_.ReadRecord(id);
    if (state && chain && record && (*state & vmcompute::kStateDamaged) == 0) {
      layer.parent = chain->empty() ? "" : chain->ids.front();
      const bool writable = (*state & vmcompute::kStateWritable) != 0;
      layer.kind = writable ? "writable" : chain->empty() ? "base" : "layer";
      layer.state = (*state & vmcompute::kStateCommitted) != 0 ? "committed" : "created";
      WCLAYER_ASSIGN(const std::int64_t count, mounts_.Count(platform_id));
      if (count != 0) layer.state = "mounted";
      if (record->has_value()) {
        layer.size_bytes = (*record)->size_bytes;
        layer.diff_id = (*record)->diff_id;
      }
    } else {
      layer.kind = chain && !chain->empty() ? "layer" : "base";
      if (chain && !chain->empty()) layer.parent = chain->ids.front();
      layer.state = "damaged";
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

Expected<std::string> Core::TemporaryFolder(const std::string& id) {
  std::random_device random;
  char suffix[9];
  std::snprintf(suffix, sizeof suffix, "%08x", random());
  const std::string name = id + "-" + suffix;
  WCLAYER_ASSIGN(auto lock,
                 fs::FileLock::Acquire(home_.locks(), "tmp+" + name, fs::LockMode::kExclusive, {}));
  WCLAYER_TRY(home_.private_dir().MakeDirs(std::string(kTemporaryFolders) + "/" + name));
  {
    const std::lock_guard guard(temporary_mutex_);
    temporary_.emplace(name, std::move(lock));
  }
  return home_.TemporaryPath(name);
}

}  // namespace wclayer
