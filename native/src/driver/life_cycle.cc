// Create, Get, Put, Remove, Exists and what surrounds them.
#include <algorithm>

#include "base/layer_id.h"
#include "base/quietly.h"
#include "driver/core.h"
#include "driver/folder_layer.h"
#include "driver/removal.h"
#include "fs/folder_names.h"
#include "fs/mount.h"
#include "fs/small_file.h"
#include "fs/system.h"

namespace wclayer {
namespace {

Error NotFound(const std::string& id) {
  return Error(Errc::kLayerNotFound, "no such layer").Of(id);
}

// The filter of Windows does not work on ReFS (docker since 1.13).
wclayer::Status CheckFileSystem(vmcompute::Host& host, const std::string& home) {
  WCLAYER_ASSIGN(const std::string name, host.FileSystemOf(home));
  if (LowerAscii(name) != "refs") return {};
  return Error(
             Errc::kUnsupported,
             "the home is on a ReFS volume, on which Windows cannot mount layers; take a folder on "
             "an NTFS volume, or backend=portable")
      .At(home);
}

WindowsAccess AccessTo(const vmcompute::Chosen& chosen, const DriverOptions& options) {
  WindowsAccess access;
  access.gate = chosen.gate;
  access.host = chosen.host;
  access.rules.limit = options.call_limit;
  access.rules.deadline = options.call_timeout;
  access.busy_wait = options.busy_wait;
  access.whole_paths = options.layer_names == LayerNames::kWholePaths;
  return access;
}

}  // namespace

Expected<std::unique_ptr<Driver>> Driver::Open(const vmcompute::Table& table,
                                               std::string_view backend, DriverOptions options) {
  return Open({&table, std::string(backend), ""}, std::move(options));
}

Expected<std::unique_ptr<Driver>> Driver::Open(const vmcompute::Chosen& chosen,
                                               DriverOptions options) {
  const auto durability = static_cast<fs::Durability>(options.durability);
  auto home = StoreHome::Open(options.home, options.lock_wait, durability);
  if (!home) return std::move(home).error().In("Open");
  if (chosen.host != nullptr) {
    if (auto fit = CheckFileSystem(*chosen.host, home->path()); !fit)
      return std::move(fit).error().In("Open");
  }
  auto core = std::make_unique<Core>(chosen, std::move(options), *std::move(home));
  if (auto started = core->Start(); !started) return std::move(started).error().In("Open");
  return std::unique_ptr<Driver>(std::move(core));
}

Core::Core(const vmcompute::Chosen& chosen, DriverOptions options, StoreHome home)
    : options_(std::move(options)),
      chosen_(chosen),
      home_(std::move(home)),
      platform_(*chosen.table, static_cast<std::int32_t>(options_.flavour), home_.path(),
                AccessTo(chosen, options_)),
      mounts_(platform_, home_) {}

Core::~Core() {
  Quietly([this] { return platform_.Leave(); });
}

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

Expected<std::optional<Core::Found>> Core::FindIfAny(const std::string& id, bool base_images) {
  WCLAYER_TRY(CheckId(id));
  constexpr int kLooks = 3;
  for (int look = 1;; ++look) {
    WCLAYER_ASSIGN(const std::string own, home_.FindId(id));
    if (own.empty() && !base_images) return std::optional<Found>();
    auto found = Look(id, own);
    if (found || own.empty()) return found;
    // A Remove beside us may have taken the layer from between two looks: then it is not there, or
    // there anew, and nothing is wrong with it.
    WCLAYER_ASSIGN(const std::string still, home_.FindId(id));
    if (!still.empty() && (look == kLooks || !fs::IsGone(found.error()))) return found;
  }
}

// own: the layer's name in the home; empty: it has none there.
Expected<std::optional<Core::Found>> Core::Look(const std::string& id, const std::string& own) {
  Found found;
  found.id = own;
  if (own.empty()) {
    // A base image of the central store has no folder here but may be named (vmcompute-abi §5).
    WCLAYER_ASSIGN(const bool known, platform_.Exists(id));
    if (!known) return std::optional<Found>();
    found.id = id;
  }
  WCLAYER_ASSIGN(found.platform, home_.ResolveAlias(found.id));
  if (platform_.extensions() == nullptr) {
    WCLAYER_ASSIGN(const bool exists, platform_.Exists(found.platform));
    if (!exists) return std::optional<Found>();
  }
  auto state = StateOf(found.id, found.platform);
  if (!state && state.error().code == Errc::kLayerNotFound) return std::optional<Found>();
  WCLAYER_ASSIGN(found.state, std::move(state));
  return std::optional<Found>(std::move(found));
}

// Tables without our extensions do not tell: then the layer's folder does.
Expected<std::uint32_t> Core::StateOf(const std::string& id, const std::string& platform_id) const {
  if (platform_.extensions() != nullptr) return platform_.State(platform_id);
  const auto has = [&](const char* name) { return home_.dir().Exists(id + "/" + name); };
  WCLAYER_ASSIGN(const bool ours, home_.dir().Exists(id));
  if (!ours || platform_id != id) return vmcompute::kStateCommitted;  // a central base image
  WCLAYER_ASSIGN(const bool disk, has("sandbox.vhdx"));
  WCLAYER_ASSIGN(const bool recorded, has(".wclayer/writable.json"));
  if (disk || recorded) return vmcompute::kStateWritable;
  WCLAYER_ASSIGN(const bool files, has("Files"));
  return files ? vmcompute::kStateCommitted : 0;
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
  ancestors_.Keep(ids);
  std::vector<std::string> children;
  for (const std::string& other : ids) {
    using Ids = std::vector<std::string>;
    const auto ancestors =
        ancestors_.Get(home_.dir(), other, [&]() -> Expected<std::optional<Ids>> {
          WCLAYER_ASSIGN(ParentChain chain, home_.ReadChain(other));
          return std::optional<Ids>(std::move(chain.ids));
        });
    if (!ancestors) continue;  // damaged: verify tells
    const bool child = std::any_of((*ancestors)->begin(), (*ancestors)->end(),
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
  WCLAYER_ASSIGN(const auto store_lock, home_.LockStore(fs::LockMode::kShared));
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
  WCLAYER_TRY(fs::NoteCapitals(home_.dir(), id));
  wclayer::Status made;
  if (writable) {
    WCLAYER_ASSIGN(const Descriptors parents, platform_.Describe(chain));
    made = platform_.CreateSandbox(id, chain.empty() ? "" : chain.paths.front(), parents);
    const std::uint64_t size = size_bytes != 0 ? size_bytes : options_.scratch_size_bytes;
    if (made && size != 0) made = platform_.Expand(id, size);
  } else {
    made = platform_.Create(id, chain.parent());
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
  if (!path) {
    // Removed while it was waited for: that is why.
    if (auto still = Find(id); !still) return std::move(still).error().In("Get");
  }
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
  if (!found) {
    if (found.error().code == Errc::kLayerNotFound && removes_by_rename()) {
      // An earlier Remove of it got no further than the rename.
      const Removal removal(platform_, home_);
      auto pending = removal.Pending(id);
      if (pending && *pending) {
        auto lock = home_.LockLayer(id, fs::LockMode::kExclusive);
        if (!lock) return fail(std::move(lock).error());
        if (auto done = removal.Finish(id); !done) return fail(std::move(done).error());
        return {};
      }
    }
    return fail(std::move(found).error());
  }
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
  // Whoever held the locks until now may have removed it.
  if (auto still = Find(id); !still) return fail(std::move(still).error());
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
  auto gone = removes_by_rename() ? Removal(platform_, home_).Remove(found->id)
                                  : platform_.Destroy(found->id, false);
  if (!gone) return fail(std::move(gone).error());
  return {};
}

Expected<bool> Core::RecoverImport(const fs::Dir& folders, const std::string& name,
                                   std::vector<std::string>& report) {
  auto folder = folders.OpenDir(name);
  if (!folder && fs::IsGone(folder.error())) return false;  // somebody else is faster
  if (!folder) return std::move(folder).error();
  return InPlace::Recover(*this, *folder, report);
}

Expected<std::vector<std::string>> Core::Cleanup() {
  auto report = mounts_.Recover();
  if (!report) return std::move(report).error().In("Cleanup");
  WCLAYER_ASSIGN(const std::vector<fs::Listed> before, home_.dir().List());
  if (auto recovered = platform_.Recover(); !recovered)
    return std::move(recovered).error().In("Cleanup");
  if (removes_by_rename()) {
    auto removals = Removal(platform_, home_).FinishAll();
    if (!removals) return std::move(removals).error().In("Cleanup");
    report->insert(report->end(), removals->begin(), removals->end());
  }
  for (const fs::Listed& item : before) {
    if (removes_by_rename() || !item.name.ends_with(kRemoving)) continue;
    WCLAYER_ASSIGN(const bool left, home_.dir().Exists(item.name));
    if (!left)
      report->push_back("finished removing " +
                        item.name.substr(0, item.name.size() - kRemoving.size()));
  }
  if (auto cleared = ClearTemporary(*report); !cleared)
    return std::move(cleared).error().In("Cleanup");
  return report;
}

// Folders that DiffPath handed out, imports that were under way and small files that were being
// written, of processes that are gone.
wclayer::Status Core::ClearTemporary(std::vector<std::string>& report) {
  WCLAYER_TRY(fs::RemoveFreeLocks(home_.locks(), fs::kSmallFileLock));
  auto folders = home_.private_dir().OpenDir(kTemporaryFolders);
  if (!folders && folders.error().sys_errno != ENOENT) return std::move(folders).error();
  if (!folders) return fs::RemoveFreeLocks(home_.locks(), kTemporaryLock);
  WCLAYER_ASSIGN(const std::vector<fs::Listed> temporary, folders->List());
  for (const fs::Listed& item : temporary) {
    const std::string lock = std::string(kTemporaryLock) + item.name;
    auto owner = fs::FileLock::Acquire(home_.locks(), lock, fs::LockMode::kExclusive, {});
    if (!owner) continue;
    WCLAYER_ASSIGN(const bool settled, RecoverImport(*folders, item.name, report));
    if (!settled) continue;
    WCLAYER_TRY(fs::EndTrials(home_.TemporaryPath(item.name)));
    WCLAYER_TRY(folders->RemoveTree(item.name));
    WCLAYER_TRY(home_.locks().Remove(lock));
    report.push_back("removed the temporary folder " + item.name);
  }
  return fs::RemoveFreeLocks(home_.locks(), kTemporaryLock);
}

Expected<std::vector<Pair>> Core::Status() {
  WCLAYER_ASSIGN(const std::vector<LayerSummary> layers, List());
  const auto mounted = std::count_if(layers.begin(), layers.end(), [](const LayerSummary& layer) {
    return layer.state == "mounted";
  });
  const auto writable = std::count_if(layers.begin(), layers.end(), [](const LayerSummary& layer) {
    return layer.kind == "writable";
  });
  std::vector<Pair> status = {
      {"Windows", ""},
      {"Backend", chosen_.name},
      {"Home", home_.path()},
      {"Layers", std::to_string(layers.size())},
      {"Writable layers", std::to_string(writable)},
      {"Mounted layers", std::to_string(mounted)},
      {"Mounts", MountsText()},
      {"Streaming", platform_.streams_export() && platform_.streams_import() ? "yes" : "no"},
  };
  if (platform_.direct()) return status;
  status.push_back(
      {"API", options_.api == vmcompute::Api::kVmcompute ? "vmcompute" : "computestorage"});
  const auto version = chosen_.host->OsVersion();
  status.push_back({"Host version", version ? *version : version.error().message});
  status.push_back({"Not available", chosen_.disabled.empty() ? "nothing" : chosen_.disabled});
  for (const vmcompute::Suspect& suspect : chosen_.gate->Suspects()) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(suspect.elapsed).count();
    status.push_back({"Not returned", suspect.call + " on '" +
                                          std::string(LastComponent(suspect.layer)) + "' for " +
                                          std::to_string(seconds) + " s"});
  }
  return status;
}

std::string Core::MountsText() {
  if (!platform_.direct()) return chosen_.name;
  std::string reason;
  if (!options_.force_checkout) {
    const auto folder = TemporaryFolder("trial");
    if (!folder) return "unknown (" + folder.error().ToString() + ")";
    const bool overlay = fs::CanMountOverlay(*folder, reason);
    if (const auto gone = ReleaseDiffPath(*folder); !gone) reason = gone.error().ToString();
    if (overlay) return "overlayfs";
  }
  return "checkout" + (reason.empty() ? std::string() : " (" + reason + ")");
}

Expected<Core::Lying> Core::LookAt(const std::string& id) {
  Lying layer;
  LayerSummary& summary = layer.summary;
  summary.id = id;
  WCLAYER_ASSIGN(layer.platform, home_.ResolveAlias(id));
  auto state = StateOf(id, layer.platform);
  auto chain = home_.ReadChain(id);
  auto record = home_.ReadRecord(id);
  if (chain) summary.parent = chain->parent();
  summary.kind = summary.parent.empty() ? "base" : "layer";
  if (!state || !chain || !record || (*state & vmcompute::kStateDamaged) != 0) {
    summary.state = "damaged";
    return layer;
  }
  if ((*state & vmcompute::kStateWritable) != 0) summary.kind = "writable";
  summary.state = (*state & vmcompute::kStateCommitted) != 0 ? "committed" : "created";
  if (record->has_value()) {
    summary.size_bytes = (*record)->size_bytes;
    summary.diff_id = (*record)->diff_id;
  }
  return layer;
}

Expected<std::vector<LayerSummary>> Core::List() {
  WCLAYER_ASSIGN(const std::vector<std::string> ids, home_.LayerIds());
  lying_.Keep(ids);
  WCLAYER_ASSIGN(const std::set<std::string> noted, mounts_.Noted());
  std::vector<LayerSummary> layers;
  layers.reserve(ids.size());
  for (const std::string& id : ids) {
    Lying layer;
    WCLAYER_ASSIGN(const auto known,
                   lying_.Get(home_.dir(), id, [&]() -> Expected<std::optional<Lying>> {
                     WCLAYER_ASSIGN(layer, LookAt(id));
                     return layer.summary.state == "damaged" ? std::optional<Lying>() : layer;
                   }));
    if (known) layer = *known;
    if (layer.summary.state != "damaged" && noted.contains(LowerAscii(layer.platform))) {
      WCLAYER_ASSIGN(const std::int64_t count, mounts_.CountAtMost(layer.platform));
      if (count != 0) layer.summary.state = "mounted";
    }
    layers.push_back(std::move(layer.summary));
  }
  return layers;
}

Expected<std::string> Core::TemporaryFolder(const std::string& id) {
  WCLAYER_ASSIGN(const std::string fresh, fs::FreshName());
  const std::string name = id + "-" + fresh.substr(0, 8);
  WCLAYER_ASSIGN(auto lock, fs::FileLock::Acquire(home_.locks(), std::string(kTemporaryLock) + name,
                                                  fs::LockMode::kExclusive, {}));
  WCLAYER_TRY(home_.private_dir().MakeDirs(std::string(kTemporaryFolders) + "/" + name));
  {
    const std::lock_guard guard(temporary_mutex_);
    temporary_.emplace(name, std::move(lock));
  }
  return home_.TemporaryPath(name);
}

}  // namespace wclayer
