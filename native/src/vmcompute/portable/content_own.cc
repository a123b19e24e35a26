// A committed layer's own content.
#include <algorithm>
#include <deque>

#include "portable/content.h"
#include "portable/hive.h"
#include "portable/metadata.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

class OwnContent final : public Content {
 public:
  OwnContent(std::shared_ptr<Home> home, std::vector<std::string> parents)
      : home_(std::move(home)), parent_ids_(std::move(parents)) {}

  Status Open(const std::string& id) {
    own_.id = id;
    WCLAYER_ASSIGN(own_.dir, home_->OpenLayer(id));
    WCLAYER_ASSIGN(const auto folder, home_->OpenMetadata(id));
    if (!folder) return {};
    WCLAYER_ASSIGN(own_.metadata, MetadataReader::Open(folder));
    return {};
  }

  Expected<bool> Next(Entry& entry) override { return Named(NextEntry(entry)); }
  Expected<ChangeKind> Compare() override { return Named(CompareCurrent()); }

  Status ResolveLink(Entry& entry) override {
    WCLAYER_ASSIGN(entry, FileOf(current_));
    return {};
  }

  Expected<int> OpenData() override {
    const auto folder = ParentOf(current_.disk_path);
    if (!folder_ || folder != folder_path_) {
      WCLAYER_ASSIGN(folder_, own_.dir.OpenDir(folder));
      folder_path_ = folder;
    }
    auto file = folder_.OpenFile(NameOf(current_.disk_path));
    if (!file) return std::move(file).error().At(current_.path).Of(own_.id);
    return file->release();
  }

  Expected<std::size_t> ReadStream(const StreamRecord& stream, std::uint64_t offset,
                                   MutableBytes buffer) override {
    return ReadLayerStream(own_, stream, offset, buffer);
  }

  Expected<bool> SeekPath(const std::string& path, Entry& entry) override {
    if (!own_.metadata) return false;
    WCLAYER_ASSIGN(const auto ordinal, own_.metadata->FindPath(path));
    if (ordinal == kNoOrdinal) return false;
    WCLAYER_ASSIGN(place_, own_.metadata->PlaceOf(ordinal));
    queue_.clear();
    opaque_end_ = 0;
    WCLAYER_ASSIGN(const Node node, own_.metadata->ReadNode(ordinal));
    if (node.kind == Kind::kTombstone) return false;
    return NextEntry(entry);
  }

  // Unlike by path, the entry is what was imported: the holder of a file's data has it, whichever
  // of its names comes first.
  Expected<bool> SeekOrdinal(std::uint64_t ordinal, Entry& entry) override {
    if (!own_.metadata || ordinal >= own_.metadata->entries()) return false;
    const auto number = static_cast<std::uint32_t>(ordinal);
    WCLAYER_ASSIGN(const auto place, own_.metadata->PlaceOf(number));
    if (place == kNoOrdinal) return false;
    queue_.clear();
    opaque_end_ = 0;
    place_ = place + 1;
    WCLAYER_TRY(own_.metadata->Read(number, entry));
    current_ = entry;
    return true;
  }

 private:
  template <class T>
  Expected<T> Named(Expected<T> result) {
    if (!result) return std::move(result).error().Of(own_.id);
    return result;
  }

  Expected<Chain*> Parents() {
    if (!parents_) {
      WCLAYER_ASSIGN(parents_, Chain::Open(*home_, parent_ids_));
    }
    return parents_.get();
  }

  Expected<bool> NextEntry(Entry& entry) {
    if (!queue_.empty()) {
      entry = Entry();
      entry.kind = Kind::kTombstone;
      entry.path = std::move(queue_.front());
      queue_.pop_front();
      current_ = entry;
      return true;
    }
    if (!own_.metadata || place_ >= own_.metadata->size()) return false;
    MetadataReader& metadata = *own_.metadata;
    const std::uint32_t place = place_++;
    WCLAYER_ASSIGN(const auto ordinal, metadata.OrdinalAt(place));
    WCLAYER_TRY(metadata.Read(ordinal, entry));
    if (entry.kind == Kind::kFile || entry.kind == Kind::kHardLink)
      WCLAYER_TRY(ShowLink(ordinal, entry));
    if (entry.directory() && !parent_ids_.empty() && (entry.opaque || place < opaque_end_) &&
        entry.Reparse() == nullptr)
      WCLAYER_TRY(ExpandOpaque(place, ordinal, entry));
    current_ = entry;
    return true;
  }

  // Of a file's names the first in this order is the file, the others are links to it (C8),
  // whatever their order of import was.
  Status ShowLink(std::uint32_t ordinal, Entry& entry) {
    MetadataReader& metadata = *own_.metadata;
    WCLAYER_ASSIGN(const auto group, metadata.GroupOf(ordinal));
    if (!group) return {};
    if (group->leader == ordinal) {
      if (entry.kind == Kind::kFile) return {};
      Entry holder;
      WCLAYER_TRY(metadata.Read(group->file, holder));
      holder.path = std::move(entry.path);
      holder.disk_path = std::move(entry.disk_path);
      entry = std::move(holder);
      return {};
    }
    entry.kind = Kind::kHardLink;
    entry.first_name = group->leader;
    WCLAYER_ASSIGN(entry.link_target, metadata.PathOf(group->leader));
    entry.size = 0;
    entry.sparse = false;
    entry.ranges.clear();
    entry.streams.clear();
    entry.security.clear();
    entry.reparse_tag = 0;
    return {};
  }

  // Queues the tombstones of an opaque folder: its own and one for each name of the parents that is
  // gone.
  Status ExpandOpaque(std::uint32_t place, std::uint32_t ordinal, const Entry& folder) {
    MetadataReader& metadata = *own_.metadata;
    WCLAYER_ASSIGN(const auto end, metadata.EndOf(place));
    opaque_end_ = std::max(opaque_end_, end);
    WCLAYER_ASSIGN(Chain * parents, Parents());
    WCLAYER_ASSIGN(const Folder* theirs, parents->Resolve(folder.path));
    if (theirs == nullptr) return {};
    std::vector<std::string> names;
    while (place_ < end) {
      WCLAYER_ASSIGN(const auto next, metadata.OrdinalAt(place_));
      WCLAYER_ASSIGN(Node node, metadata.ReadNode(next));
      if (node.kind != Kind::kTombstone || node.parent != ordinal) break;
      names.push_back(std::move(node.name));
      ++place_;
    }
    WCLAYER_ASSIGN(const auto hidden, parents->List(*theirs));
    for (const auto& member : hidden) {
      WCLAYER_ASSIGN(const auto own, metadata.FindChild(ordinal, member.node.name));
      if (own == kNoOrdinal) names.push_back(member.node.name);
    }
    std::sort(names.begin(), names.end());
    for (const auto& name : names) queue_.push_back(Join(folder.path, name));
    return {};
  }

  Expected<ChangeKind> CompareCurrent() {
    if (parent_ids_.empty())
      return current_.kind == Kind::kTombstone ? ChangeKind::kUnchanged : ChangeKind::kAdded;
    WCLAYER_ASSIGN(Chain * parents, Parents());
    WCLAYER_ASSIGN(const bool made_up, MadeUpHives());
    if (made_up) return ChangeKind::kUnchanged;
    if (current_.kind != Kind::kHardLink)
      return CompareWith(*parents, 0, current_, [this] { return OpenData(); });
    WCLAYER_ASSIGN(const Entry file, FileOf(current_));
    return CompareWith(*parents, 0, file, [this] { return OpenData(); });
  }

  // A hard link with everything that the holder of its data has.
  Expected<Entry> FileOf(const Entry& link) {
    WCLAYER_ASSIGN(const auto group,
                   own_.metadata->GroupOf(static_cast<std::uint32_t>(link.ordinal)));
    if (!group) return Error(Errc::kLayerDamaged, "a hard link has no first name").At(link.path);
    Entry file;
    WCLAYER_TRY(own_.metadata->Read(group->file, file));
    file.path = link.path;
    file.disk_path = link.disk_path;
    return file;
  }

  // "Hives" and the empty deltas in it, which every Diff of a container carries, are no changes
  // (store §6).
  Expected<bool> MadeUpHives() {
    const auto parts = Components(current_.path);
    if (parts.empty() || !SamePath(parts[0], "Hives")) return false;
    if (parts.size() == 1) return AllMinimal();
    if (parts.size() != 2 || current_.kind != Kind::kFile || !IsDeltaName(parts[1])) return false;
    return Minimal(current_);
  }

  Expected<bool> Minimal(const Entry& hive) {
    WCLAYER_ASSIGN(const auto file, own_.dir.OpenFile(hive.disk_path));
    return HoldsMinimalHive(file.get(), hive.size);
  }

  Expected<bool> AllMinimal() {
    WCLAYER_ASSIGN(const auto hives, own_.metadata->FindChild(kNoOrdinal, "Hives"));
    if (hives == kNoOrdinal) return false;
    std::vector<std::uint32_t> children;
    WCLAYER_TRY(own_.metadata->Children(hives, [&](Node& node) -> Status {
      children.push_back(node.ordinal);
      return {};
    }));
    for (const auto ordinal : children) {
      Entry entry;
      WCLAYER_TRY(own_.metadata->Read(ordinal, entry));
      if (entry.kind != Kind::kFile || !IsDeltaName(NameOf(entry.path))) return false;
      WCLAYER_ASSIGN(const bool minimal, Minimal(entry));
      if (!minimal) return false;
    }
    return true;
  }

  std::shared_ptr<Home> home_;
  std::vector<std::string> parent_ids_;
  std::unique_ptr<Chain> parents_;  // opened when first needed
  ChainLayer own_;
  std::uint32_t place_ = 0;
  std::uint32_t opaque_end_ = 0;   // everything before this place lies in an opaque folder
  std::deque<std::string> queue_;  // tombstones that come next
  Entry current_;
  fs::Dir folder_;  // of the file opened last
  std::string folder_path_;
};

}  // namespace

Expected<std::unique_ptr<Content>> OpenOwn(const std::shared_ptr<Home>& home, const std::string& id,
                                           const std::vector<std::string>& parents) {
  auto content = std::make_unique<OwnContent>(home, parents);
  if (auto opened = content->Open(id); !opened) return std::move(opened).error().Of(id);
  return std::unique_ptr<Content>(std::move(content));
}

}  // namespace wclayer::portable
