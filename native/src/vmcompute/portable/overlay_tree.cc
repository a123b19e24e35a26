// The tree of an overlay, read from its upper folder and the chain.
#include <cerrno>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "fs/system.h"
#include "portable/folder_opener.h"
#include "portable/list_ahead.h"
#include "portable/names.h"
#include "portable/overlay_origin.h"
#include "portable/writable_tree.h"

namespace wclayer::portable {
namespace {

bool IsWhiteout(const fs::Info& info) {
  return info.type == fs::Type::kCharDevice && info.rdev == 0;
}

bool SameFile(const fs::Info& a, const fs::Info& b) {
  return a.inode == b.inode && a.device == b.device;
}

bool SameFound(const Found& a, const Found& b) {
  return a.layer == b.layer && a.ordinal == b.ordinal;
}

class OverlayTree final : public UserTree {
 public:
  OverlayTree(fs::Dir upper, Chain& chain) : upper_(std::move(upper)), chain_(&chain) {}

  const fs::Dir& root() const override { return upper_; }

  Expected<TreeFolder> Root() override {
    TreeFolder root;
    root.own = static_cast<bool>(upper_);
    WCLAYER_ASSIGN(root.through, chain_->Enter(chain_->Top(), kFiles));
    return root;
  }

  Expected<TreeItem> RootItem() override {
    TreeItem item;
    item.own = static_cast<bool>(upper_);
    item.type = fs::Type::kDirectory;
    WCLAYER_ASSIGN(item.origin, chain_->Find(kFiles));
    if (item.own) {
      WCLAYER_ASSIGN(item.info, upper_.Stat(""));
    }
    return item;
  }

  Expected<std::vector<TreeItem>> List(const TreeFolder& folder) override {
    std::vector<TreeItem> items;
    std::unordered_set<std::string> names;
    if (folder.own) {
      WCLAYER_ASSIGN(const auto listed, names_.List(folder.path));
      if (!listed) return items;
      for (const ListedName& name : *listed) {
        names.insert(name.name);
        if (!IsWhiteout(name.info)) items.push_back(Own(name.name, name.info));
      }
    }
    if (folder.through.parts.empty()) return items;
    WCLAYER_ASSIGN(auto members, chain_->List(folder.through));
    for (auto& member : members)
      if (names.count(member.node.disk_name) == 0) items.push_back(Through(std::move(member)));
    return items;
  }

  Expected<std::optional<TreeItem>> Find(const TreeFolder& folder,
                                         const std::string& name) override {
    using Result = std::optional<TreeItem>;
    if (folder.own) {
      auto info = upper_.Stat(Join(folder.path, name));
      if (info) return IsWhiteout(*info) ? Result() : Result(Own(name, *info));
      if (!fs::IsGone(info.error())) return std::move(info).error();
    }
    WCLAYER_ASSIGN(auto member, MemberOnDisk(folder.through, name));
    if (!member) return Result();
    TreeItem item = Through(*std::move(member));
    // What a link of the chain is on disk, its short form does not tell.
    ChainLayer& layer = chain_->layer(item.origin->layer);
    WCLAYER_ASSIGN(const auto path, layer.metadata->DiskPathOf(item.origin->ordinal));
    WCLAYER_ASSIGN(const auto info, layer.dir.Stat(path));
    item.type = info.type;
    return Result(std::move(item));
  }

  Expected<TreeFolder> Enter(const TreeFolder& folder, const TreeItem& item) override {
    TreeFolder inner;
    inner.path = Join(folder.path, item.name);
    inner.own = item.own;
    if (!item.own) {
      WCLAYER_ASSIGN(inner.through, chain_->Enter(folder.through, item.node.name));
      return inner;
    }
    WCLAYER_ASSIGN(Below below, BelowOf(folder, item));
    inner.through = std::move(below.through);
    return inner;
  }

  Expected<std::optional<Found>> OriginOf(const TreeFolder& folder, const TreeItem& item,
                                          const std::optional<Found>& here) override {
    using Result = std::optional<Found>;
    if (!item.own) return item.origin;
    if (item.type == fs::Type::kDirectory) {
      WCLAYER_ASSIGN(const Below below, BelowOf(folder, item));
      return below.origin;
    }
    auto opened = folders_.Open(folder.path);
    if (!opened) return VanishedOr(std::move(opened).error());
    const fs::Dir& dir = **opened;
    auto handle = OriginHandleOf(dir, item.name);
    if (!handle) return VanishedOr(std::move(handle).error());
    if (!handle->empty()) return ByHandle(item, *handle, here);
    const auto mark = item.type == fs::Type::kFile ? ReadMark(dir, item.name) : std::nullopt;
    if (!mark) return Result();
    return ByMark(item, *mark, here);
  }

  Expected<std::string> ReadLink(const TreeFolder& folder, const TreeItem& item) override {
    if (item.own) return upper_.ReadLink(Join(folder.path, item.name));
    ChainLayer& layer = chain_->layer(item.origin->layer);
    WCLAYER_ASSIGN(const auto path, layer.metadata->DiskPathOf(item.origin->ordinal));
    return layer.dir.ReadLink(path);
  }

 private:
  // What lies below a folder of the upper.
  struct Below {
    Folder through;
    std::optional<Found> origin;
  };

  static TreeItem Own(std::string name, const fs::Info& info) {
    TreeItem item;
    item.name = std::move(name);
    item.type = info.type;
    item.info = info;
    return item;
  }
  static TreeItem Through(Member member) {
    TreeItem item;
    item.own = false;
    item.name = member.node.disk_name;
    item.type = member.node.kind == Kind::kDirectory ? fs::Type::kDirectory : fs::Type::kFile;
    item.origin = member.at;
    item.node = std::move(member.node);
    return item;
  }

  static Expected<std::optional<Found>> VanishedOr(Error error) {
    if (fs::IsGone(error)) return std::optional<Found>();
    return error;
  }

  // The member of a merged folder that has this very name on disk, as overlayfs compares names.
  Expected<std::optional<Member>> MemberOnDisk(const Folder& folder, const std::string& name) {
    using Result = std::optional<Member>;
    if (folder.parts.empty()) return Result();
    if (IsShortened(name)) {
      WCLAYER_ASSIGN(auto members, chain_->List(folder));
      for (auto& member : members)
        if (member.node.disk_name == name) return Result(std::move(member));
      return Result();
    }
    WCLAYER_ASSIGN(const auto found, chain_->FindIn(folder, name));
    if (!found) return Result();
    WCLAYER_ASSIGN(Node node, chain_->layer(found->layer).metadata->ReadNode(found->ordinal));
    if (node.disk_name != name) return Result();
    return Result(Member{*found, std::move(node)});
  }

  Expected<Below> Locate(const Folder& folder, const std::string& name) {
    Below below;
    WCLAYER_ASSIGN(const auto member, MemberOnDisk(folder, name));
    if (!member || member->node.kind != Kind::kDirectory) return below;
    below.origin = member->at;
    WCLAYER_ASSIGN(below.through, chain_->Enter(folder, member->node.name));
    return below;
  }

  Expected<Below> BelowOf(const TreeFolder& folder, const TreeItem& item) {
    auto dir = upper_.OpenDir(Join(folder.path, item.name));
    if (!dir) {
      if (fs::IsGone(dir.error())) return Below();
      return std::move(dir).error();
    }
    WCLAYER_ASSIGN(const auto opaque, OverlayAttribute(*dir, "opaque"));
    if (opaque && *opaque == "y") return Below();
    WCLAYER_ASSIGN(const auto redirect, OverlayAttribute(*dir, "redirect"));
    if (!redirect || redirect->empty()) return Locate(folder.through, item.name);
    if (redirect->front() != '/') return Locate(folder.through, *redirect);
    // From the root of the lower layers.
    Below below;
    WCLAYER_ASSIGN(below.through, chain_->Enter(chain_->Top(), kFiles));
    for (const auto name : Components(std::string_view(*redirect).substr(1))) {
      WCLAYER_ASSIGN(below, Locate(Folder(below.through), std::string(name)));
    }
    return below;
  }

  // ---- Origins ----

  Expected<std::optional<Found>> ByHandle(const TreeItem& item, const std::string& handle,
                                          const std::optional<Found>& here) {
    using Result = std::optional<Found>;
    if (here) {
      WCLAYER_ASSIGN(const auto theirs, HandleOfEntry(*here));
      if (theirs == handle) return here;
    }
    WCLAYER_TRY(ReadHandles());
    const auto [first, last] = by_handle_.equal_range(handle);
    for (auto at = first; at != last; ++at) {
      WCLAYER_ASSIGN(const bool moved, MovedAway(at->second, item));
      if (moved) return Result(at->second);
    }
    return Result();
  }

  Expected<std::optional<Found>> ByMark(const TreeItem& item, const EntryMark& mark,
                                        const std::optional<Found>& here) {
    using Result = std::optional<Found>;
    for (std::uint32_t i = 0; i < chain_->size(); ++i) {
      if (MarkOfLayer(chain_->layer(i).id) != mark.layer) continue;
      WCLAYER_TRY(ReadHandles());
      const auto names = names_of_.find({i, mark.ordinal});
      if (names == names_of_.end()) return Result();
      for (const Found& name : names->second)
        if (here && SameFound(name, *here)) return here;
      for (const Found& name : names->second) {
        WCLAYER_ASSIGN(const bool moved, MovedAway(name, item));
        if (moved) return Result(name);
      }
    }
    return Result();
  }

  Expected<std::string> HandleOfEntry(const Found& found) {
    ChainLayer& layer = chain_->layer(found.layer);
    WCLAYER_ASSIGN(const auto path, layer.metadata->DiskPathOf(found.ordinal));
    auto dir = layer.dir.OpenDir(ParentOf(path));
    if (!dir) return std::string();
    auto handle = HandleOf(*dir, std::string(NameOf(path)));
    return handle ? *std::move(handle) : std::string();
  }

  // A copy is what was copied up only if the old name is gone, or is a name of the same file still:
  // marks, and handles of restored folders, can be copied (store §6).
  Expected<bool> MovedAway(const Found& found, const TreeItem& item) {
    ChainLayer& layer = chain_->layer(found.layer);
    WCLAYER_ASSIGN(const auto path, layer.metadata->DiskPathOf(found.ordinal));
    auto names = Components(path);
    WCLAYER_ASSIGN(TreeFolder folder, Root());
    for (std::size_t i = 1; i < names.size(); ++i) {
      WCLAYER_ASSIGN(const auto there, Find(folder, std::string(names[i])));
      if (!there) return true;
      if (i + 1 < names.size()) {
        if (there->type != fs::Type::kDirectory) return true;
        WCLAYER_ASSIGN(folder, Enter(folder, *there));
        continue;
      }
      if (!there->own) return !SameFound(*there->origin, found);
      if (SameFile(there->info, item.info)) return true;
      auto dir = folders_.Open(folder.path);
      if (!dir) return true;
      auto handle = OriginHandleOf(**dir, there->name);
      if (!handle || handle->empty()) return true;
      WCLAYER_ASSIGN(const auto theirs, HandleOfEntry(found));
      return *handle != theirs;
    }
    return false;
  }

  // Handles of all files and links of the chain: needed once something was renamed.
  Status ReadHandles() {
    if (handles_read_) return {};
    handles_read_ = true;
    for (std::uint32_t i = 0; i < chain_->size(); ++i)
      if (chain_->layer(i).metadata) WCLAYER_TRY(ReadHandlesOf(i));
    return {};
  }

  Status ReadHandlesOf(std::uint32_t number) {
    ChainLayer& layer = chain_->layer(number);
    MetadataReader& metadata = *layer.metadata;
    WCLAYER_ASSIGN(const auto files, metadata.FindChild(kNoOrdinal, kFiles));
    if (files == kNoOrdinal) return {};
    WCLAYER_ASSIGN(const auto first, metadata.PlaceOf(files));
    WCLAYER_ASSIGN(const auto end, metadata.EndOf(first));
    fs::Dir dir;
    std::string dir_path;
    for (auto place = first; place < end; ++place) {
      WCLAYER_ASSIGN(const auto ordinal, metadata.OrdinalAt(place));
      WCLAYER_ASSIGN(const Node node, metadata.ReadNode(ordinal));
      if (node.kind == Kind::kTombstone || (node.kind == Kind::kDirectory && !node.reparse))
        continue;
      const Found found{number, ordinal};
      WCLAYER_ASSIGN(const auto group, metadata.GroupOf(ordinal));
      if (group) names_of_[{number, group->file}].push_back(found);
      WCLAYER_ASSIGN(const auto path, metadata.DiskPathOf(ordinal));
      if (!dir || dir_path != ParentOf(path)) {
        dir_path = ParentOf(path);
        WCLAYER_ASSIGN(dir, layer.dir.OpenDir(dir_path));
      }
      auto handle = HandleOf(dir, node.disk_name);
      if (handle && !handle->empty()) by_handle_.emplace(*std::move(handle), found);
    }
    return {};
  }

  fs::Dir upper_;
  Chain* chain_;
  FolderOpener folders_{upper_};
  ListAhead names_{upper_};
  bool handles_read_ = false;
  std::unordered_multimap<std::string, Found> by_handle_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<Found>> names_of_;
};

}  // namespace

Expected<std::unique_ptr<UserTree>> OpenOverlayTree(const fs::Dir& layer, Chain& chain) {
  auto upper = layer.OpenDir(kFiles);
  if (!upper && upper.error().sys_errno != ENOENT) return std::move(upper).error();
  fs::Dir root = upper ? *std::move(upper) : fs::Dir();
  return std::unique_ptr<UserTree>(std::make_unique<OverlayTree>(std::move(root), chain));
}

}  // namespace wclayer::portable
