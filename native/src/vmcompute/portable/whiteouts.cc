#include "portable/whiteouts.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "portable/names.h"
#include "portable/staging.h"

namespace wclayer::portable {
namespace {

class Builder {
 public:
  Builder(Chain& chain, std::size_t layer, const fs::Dir& tree)
      : chain_(&chain), layer_(layer), own_(&chain.layer(layer)), tree_(&tree) {}

  Status Run() {
    MetadataReader& metadata = *own_->metadata;
    WCLAYER_ASSIGN(const auto files, metadata.FindChild(kNoOrdinal, kFiles));
    if (files == kNoOrdinal) return {};
    WCLAYER_ASSIGN(const auto first, metadata.PlaceOf(files));
    WCLAYER_ASSIGN(const auto end, metadata.EndOf(first));
    for (auto place = first; place < end; ++place) {
      while (!levels_.empty() && place >= levels_.back().end) levels_.pop_back();
      WCLAYER_ASSIGN(const auto ordinal, metadata.OrdinalAt(place));
      WCLAYER_ASSIGN(const Node node, metadata.ReadNode(ordinal));
      if (node.kind == Kind::kTombstone)
        WCLAYER_TRY(Put(levels_.back().disk_path, node.disk_name));
      else if (node.kind == Kind::kDirectory)
        WCLAYER_TRY(Enter(node, place));
    }
    return FinishFolders();
  }

 private:
  // A folder of the layer on the way to the current entry.
  struct Level {
    std::uint32_t end = 0;  // the place behind everything below it
    std::string path;       // "Files/…"
    std::string disk_path;  // below "Files"
    bool opaque = false;    // it, or a folder around it
  };

  Status Enter(const Node& node, std::uint32_t place) {
    Level level;
    WCLAYER_ASSIGN(level.end, own_->metadata->EndOf(place));
    if (levels_.empty()) {
      level.path = kFiles;
      level.opaque = node.opaque;
    } else {
      const Level& above = levels_.back();
      level.path = Join(above.path, node.name);
      level.disk_path = Join(above.disk_path, node.disk_name);
      level.opaque = above.opaque || node.opaque;
    }
    // A reparse point that is no link on disk hides as an opaque folder does.
    bool hides = level.opaque;
    if (node.reparse) {
      WCLAYER_ASSIGN(const auto info, own_->dir.Stat(Join(kFiles, level.disk_path)));
      hides = info.type == fs::Type::kDirectory;
    }
    levels_.push_back(std::move(level));
    return hides ? HideBelow(node.ordinal) : Status();
  }

  Status HideBelow(std::uint32_t folder) {
    WCLAYER_ASSIGN(const Folder* below, chain_->Resolve(levels_.back().path, layer_ + 1));
    if (below == nullptr) return {};
    WCLAYER_ASSIGN(const auto members, chain_->List(*below));
    for (const auto& member : members) {
      WCLAYER_ASSIGN(const auto own, own_->metadata->FindChild(folder, member.node.name));
      if (own == kNoOrdinal) WCLAYER_TRY(Put(levels_.back().disk_path, member.node.disk_name));
    }
    return {};
  }

  // The first whiteout is a node, the others are names of it, which costs a tenth of a new one.
  Status Put(const std::string& folder, const std::string& name) {
    WCLAYER_TRY(MakeFolders(folder));
    const std::string path = Join(folder, name);
    if (!node_.empty()) {
      auto linked = tree_->MakeHardLink(node_, path);
      if (linked) return {};
      if (linked.error().sys_errno != EMLINK) return linked;
    }
    WCLAYER_TRY(tree_->MakeWhiteout(path));
    node_ = path;
    return {};
  }

  Status MakeFolders(const std::string& folder) {
    if (folder.empty() || folders_.count(folder) != 0) return {};
    WCLAYER_TRY(MakeFolders(std::string(ParentOf(folder))));
    WCLAYER_TRY(tree_->MakeDir(folder));
    folders_.insert(folder);
    return {};
  }

  // A merged folder shows mode and time of the topmost layer that has it (spec mounting §1): where
  // that should ever be the tree, nobody sees a difference.
  Status FinishFolders() {
    for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) {
      WCLAYER_ASSIGN(const auto info, own_->dir.Stat(Join(kFiles, *folder)));
      WCLAYER_TRY(tree_->SetMode(*folder, info.mode));
      WCLAYER_TRY(tree_->SetTimes(*folder, info.mtime_seconds, info.mtime_nanos));
    }
    return {};
  }

  Chain* chain_;
  std::size_t layer_;
  ChainLayer* own_;
  const fs::Dir* tree_;
  std::vector<Level> levels_;
  std::set<std::string> folders_;
  std::string node_;  // the path of the node that new names are linked to
};

}  // namespace

Expected<bool> HasWhiteouts(const Home& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto folder, home.OpenMetadata(id));
  if (!folder) return true;  // a created layer deletes nothing
  return folder.Exists(kWhiteouts);
}

Status BuildWhiteouts(const std::shared_ptr<Home>& home, Chain& chain, std::size_t layer) {
  const std::string& id = chain.layer(layer).id;
  if (!chain.layer(layer).metadata) return {};
  auto built = [&]() -> Status {
    WCLAYER_ASSIGN(const auto staging, Staging::Begin(home));
    WCLAYER_TRY(staging->dir().MakeDir(kWhiteouts));
    WCLAYER_ASSIGN(const auto tree, staging->dir().OpenDir(kWhiteouts));
    WCLAYER_TRY(Builder(chain, layer, tree).Run());
    // After a power failure a published tree must be whole.
    if (home->durability() != fs::Durability::kNone) {
      WCLAYER_ASSIGN(const auto made, tree.List());
      if (!made.empty()) WCLAYER_TRY(tree.SyncFileSystem());
    }
    WCLAYER_ASSIGN(const auto folder, home->OpenMetadata(id));
    auto published =
        staging->dir().Rename(kWhiteouts, folder, kWhiteouts, fs::Dir::RenameMode::kNoReplace);
    if (!published && published.error().sys_errno == EEXIST) return {};
    return published;
  }();
  if (!built) return std::move(built).error().Of(id);
  return {};
}

Expected<fs::Dir> OpenWhiteouts(const Home& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto folder, home.OpenMetadata(id));
  if (!folder) return fs::Dir();
  auto tree = folder.OpenDir(kWhiteouts);
  if (!tree) {
    if (tree.error().sys_errno == ENOENT) return fs::Dir();
    return tree;
  }
  WCLAYER_ASSIGN(const auto members, tree->List());
  return members.empty() ? fs::Dir() : *std::move(tree);
}

}  // namespace wclayer::portable
