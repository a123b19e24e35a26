#include "portable/overlay.h"

#include <algorithm>
#include <cerrno>

#include "fs/mount.h"
#include "portable/chain.h"
#include "portable/names.h"
#include "portable/whiteouts.h"

namespace wclayer::portable {
namespace {

constexpr char kMountPoints[] = "mnt";
constexpr char kWork[] = "work";         // in the private folder of the layer
constexpr char kEmpty[] = "empty";       // a lower folder for a layer on nothing
constexpr char kShortNames[] = "links";  // short names for mount(2)
constexpr char kSourcePrefix[] = "wclayer:";
constexpr std::size_t kMaxLowers = 500;  // of overlayfs (spec mounting §2)

Expected<std::string> SourcePrefix(Home& home) {
  WCLAYER_ASSIGN(const auto store, home.StoreId());
  return kSourcePrefix + store + ':';
}

Status MakeIfAbsent(const fs::Dir& folder, const std::string& name) {
  auto made = folder.MakeDir(name);
  if (!made && made.error().sys_errno == EEXIST) return {};
  return made;
}

// The root of the mount shows mode and time of the upper folder: those of the layer below.
Status MakeUpper(const fs::Dir& layer, const fs::Dir* below) {
  WCLAYER_ASSIGN(const bool there, layer.Exists(kFiles));
  if (there) return {};
  WCLAYER_TRY(layer.MakeDir(kFiles));
  if (below == nullptr) return {};
  WCLAYER_ASSIGN(const auto info, below->Stat(""));
  return layer.SetTimes(kFiles, info.mtime_seconds, info.mtime_nanos);
}

// The base layer has nothing below it to hide.
Status BuildMissingWhiteouts(const std::shared_ptr<Home>& home,
                             const std::vector<std::string>& parents) {
  std::unique_ptr<Chain> chain;
  for (std::size_t i = 0; i + 1 < parents.size(); ++i) {
    WCLAYER_ASSIGN(const bool there, HasWhiteouts(*home, parents[i]));
    if (there) continue;
    if (!chain) {
      WCLAYER_ASSIGN(chain, Chain::Open(*home, parents));
    }
    WCLAYER_TRY(BuildWhiteouts(home, *chain, i));
  }
  return {};
}

Expected<std::vector<fs::Dir>> OpenLowers(const Home& home,
                                          const std::vector<std::string>& parents) {
  std::vector<fs::Dir> lowers;
  for (std::size_t i = 0; i < parents.size(); ++i) {
    WCLAYER_ASSIGN(const auto layer, home.OpenLayer(parents[i]));
    auto files = layer.OpenDir(kFiles);
    if (files)
      lowers.push_back(*std::move(files));
    else if (files.error().sys_errno != ENOENT)
      return std::move(files).error().Of(parents[i]);
    if (i + 1 == parents.size()) break;
    WCLAYER_ASSIGN(auto whiteouts, OpenWhiteouts(home, parents[i]));
    if (whiteouts) lowers.push_back(std::move(whiteouts));
  }
  return lowers;
}

}  // namespace

Expected<std::string> MountSource(Home& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto prefix, SourcePrefix(home));
  return prefix + id;
}

std::string MountTarget(const Home& home, const std::string& id) {
  return home.PrivatePath(Join(kMountPoints, id));
}

Expected<bool> OverlayIsMounted(Home& home, const std::string& id) {
  const std::string target = MountTarget(home, id);
  WCLAYER_ASSIGN(const auto mounts, fs::ListMounts());
  // The last one on a mount point is the one that shows.
  const auto mount = std::find_if(mounts.rbegin(), mounts.rend(),
                                  [&](const fs::MountInfo& info) { return info.target == target; });
  if (mount == mounts.rend()) return false;
  WCLAYER_ASSIGN(const auto source, MountSource(home, id));
  if (mount->type == "overlay" && mount->source == source) return true;
  return Error(Errc::kLayerBusy,
               "the mount point is taken by a " + mount->type + " mount of '" + mount->source + "'")
      .At(target)
      .Of(id);
}

Status MountOverlayOf(const std::shared_ptr<Home>& home, const std::string& id,
                      const fs::Dir& layer, const std::vector<std::string>& parents) {
  WCLAYER_TRY(BuildMissingWhiteouts(home, parents));
  WCLAYER_ASSIGN(auto lowers, OpenLowers(*home, parents));
  if (lowers.size() > kMaxLowers)
    return Error(Errc::kUnsupported, std::to_string(lowers.size()) +
                                         " folders lie below the layer, overlayfs takes " +
                                         std::to_string(kMaxLowers));
  WCLAYER_TRY(MakeUpper(layer, lowers.empty() ? nullptr : &lowers.front()));
  WCLAYER_TRY(layer.MakeDirs(kPrivate));
  WCLAYER_ASSIGN(const auto own, layer.OpenDir(kPrivate));
  WCLAYER_TRY(MakeIfAbsent(own, kWork));
  WCLAYER_TRY(MakeIfAbsent(own, kShortNames));
  if (lowers.empty()) {
    WCLAYER_TRY(MakeIfAbsent(own, kEmpty));
    WCLAYER_ASSIGN(auto empty, own.OpenDir(kEmpty));
    lowers.push_back(std::move(empty));
  }
  WCLAYER_ASSIGN(const auto upper, layer.OpenDir(kFiles));
  WCLAYER_ASSIGN(const auto work, own.OpenDir(kWork));
  WCLAYER_ASSIGN(const auto folder, home->Private());
  WCLAYER_TRY(MakeIfAbsent(folder, Join(kMountPoints, id)));
  WCLAYER_ASSIGN(const auto path, home->LayerPath(id));
  fs::OverlayRequest request;
  for (const auto& lower : lowers) request.lowers.push_back(lower.fd());
  request.upper = upper.fd();
  request.work = work.fd();
  request.target = MountTarget(*home, id);
  WCLAYER_ASSIGN(request.source, MountSource(*home, id));
  request.legacy = home->options().force_legacy_mount;
  request.legacy_folder = path + '/' + kPrivate + '/' + kShortNames;
  return fs::MountOverlay(request);
}

Status UnmountOverlayOf(Home& home, const std::string& id) {
  const std::string target = MountTarget(home, id);
  auto unmounted = fs::Unmount(target, home.options().detach_on_unmount);
  if (!unmounted) return std::move(unmounted).error().Of(id);
  WCLAYER_ASSIGN(const auto folder, home.Private());
  auto removed = folder.Remove(Join(kMountPoints, id));
  // Who mounted it in another namespace keeps the mount point; it does no harm.
  if (!removed && removed.error().sys_errno != ENOENT && removed.error().sys_errno != EBUSY)
    return removed;
  return {};
}

Expected<std::vector<std::string>> ListOurMounts(Home& home) {
  WCLAYER_ASSIGN(const auto prefix, SourcePrefix(home));
  WCLAYER_ASSIGN(const auto mounts, fs::ListMounts());
  std::vector<std::string> ids;
  for (const auto& mount : mounts) {
    if (mount.type != "overlay" || !mount.source.starts_with(prefix)) continue;
    std::string id = mount.source.substr(prefix.size());
    if (mount.target == MountTarget(home, id)) ids.push_back(std::move(id));
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace wclayer::portable
