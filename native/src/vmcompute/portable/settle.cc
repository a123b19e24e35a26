#include "portable/settle.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/upcase.h"
#include "io/digest.h"
#include "portable/chain.h"
#include "portable/metadata.h"
#include "portable/names.h"
#include "portable/overlay_origin.h"
#include "portable/scan.h"

namespace wclayer::portable {
namespace {

using RenameMode = fs::Dir::RenameMode;

constexpr char kNewMetadata[] = "metadata.settling";
constexpr char kCopy[] = "settling.copy";
constexpr std::chrono::seconds kSettleWait(10);

using FileId = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

// A name of a file that has several on disk.
struct SharedName {
  std::uint32_t folder = kNoOrdinal;  // in the new metadata
  bool known = false;                 // the import put a file there
  Entry entry;                        // that file, or path and disk path alone
  fs::Info info;
};

struct Level {
  std::string path;
  std::string disk_path;
  std::uint32_t before = kNoOrdinal;  // in the old metadata; kNoOrdinal: it has no such folder
  std::uint32_t after = kNoOrdinal;   // in the new one
  Folder parents;                     // what the parents have there
};

class Settler {
 public:
  Settler(std::string id, const fs::Dir& layer, const fs::Dir& own, Chain& parents,
          MetadataReader& before, MetadataWriter& after)
      : id_(std::move(id)),
        layer_(&layer),
        own_(&own),
        parents_(&parents),
        before_(&before),
        after_(&after),
        piece_(kPiece) {}

  Status Run() {
    Level top;
    top.parents = parents_->Top();
    WCLAYER_TRY(Visit(top, true));
    while (!levels_.empty()) {
      const Level level = std::move(levels_.back());
      levels_.pop_back();
      auto visited = Visit(level, false);
      if (!visited) return std::move(visited).error().At(level.path);
    }
    for (auto& [file, names] : shared_) WCLAYER_TRY(PutShared(names));
    return {};
  }

 private:
  // One folder: what the import put there, then what is there beyond it.
  Status Visit(const Level& level, bool top) {
    WCLAYER_ASSIGN(const auto dir, layer_->OpenDir(level.disk_path));
    WCLAYER_ASSIGN(const auto listed, dir.List());
    std::map<std::string, std::string> names;  // folded → on disk
    for (const auto& item : listed)
      if (!top || IsTop(item)) names.emplace(Fold(item.name), item.name);
    std::vector<Node> known;
    if (top || level.before != kNoOrdinal)
      WCLAYER_TRY(before_->Children(level.before, [&](Node& node) -> Status {
        known.push_back(std::move(node));
        return {};
      }));
    for (const Node& node : known) {
      const auto on_disk = names.find(Fold(node.disk_name));
      if (on_disk == names.end()) {
        WCLAYER_TRY(PutMissing(level, node));
        continue;
      }
      WCLAYER_ASSIGN(const bool kept, PutKnown(level, node, on_disk->second));
      if (kept) names.erase(on_disk);
    }
    for (const auto& [folded, name] : names) WCLAYER_TRY(PutNew(level, name));
    return {};
  }

  static bool IsTop(const fs::Listed& item) {
    return item.type == fs::Type::kDirectory &&
           (SamePath(item.name, "Files") || SamePath(item.name, "Hives") ||
            SamePath(item.name, "UtilityVM"));
  }

  // It was deleted after the import, or is a deletion itself.
  Status PutMissing(const Level& level, const Node& node) {
    bool hides = node.kind == Kind::kTombstone;
    if (!hides) {
      WCLAYER_ASSIGN(const auto theirs, parents_->FindIn(level.parents, node.name));
      hides = theirs.has_value();
    }
    if (!hides) return {};
    Entry entry;
    entry.kind = Kind::kTombstone;
    entry.path = Join(level.path, node.name);
    entry.disk_path = Join(level.disk_path, node.disk_name);
    WCLAYER_TRY(after_->Add(level.after, entry));
    return {};
  }

  // Whether what is there is what the import put there.
  Expected<bool> PutKnown(const Level& level, const Node& node, const std::string& name) {
    if (node.kind == Kind::kTombstone) return false;
    WCLAYER_ASSIGN(const auto info, layer_->Stat(Join(level.disk_path, name)));
    const bool folder = node.kind == Kind::kDirectory;
    if (!node.reparse && (info.type == fs::Type::kDirectory) != folder) return false;
    Entry entry;
    WCLAYER_TRY(before_->Read(node.ordinal, entry));
    if (entry.kind == Kind::kFile && info.type == fs::Type::kFile && info.links > 1) {
      shared_[{info.device, info.inode}].push_back({level.after, true, std::move(entry), info});
      return true;
    }
    WCLAYER_ASSIGN(const auto ordinal, after_->Add(level.after, entry));
    if (!folder || info.type != fs::Type::kDirectory) return true;
    WCLAYER_TRY(Enter(level, node.ordinal, ordinal, node.name, name));
    return true;
  }

  Status PutNew(const Level& level, const std::string& name) {
    const std::string disk_path = Join(level.disk_path, name);
    WCLAYER_TRY(CheckPath(Join(level.path, name)));
    WCLAYER_ASSIGN(const auto info, layer_->Stat(disk_path));
    if (info.type == fs::Type::kFile && info.links > 1) {
      SharedName shared;
      shared.folder = level.after;
      shared.entry.path = Join(level.path, name);
      shared.entry.disk_path = disk_path;
      shared.info = info;
      shared_[{info.device, info.inode}].push_back(std::move(shared));
      return {};
    }
    WCLAYER_ASSIGN(Entry entry, ScanEntry(*layer_, disk_path, info, piece_));
    entry.path = Join(level.path, name);
    if (entry.directory()) {
      WCLAYER_TRY(TakeParentsMetadata(level, name, entry));
    }
    WCLAYER_ASSIGN(const auto ordinal, after_->Add(level.after, entry));
    return entry.directory() ? Enter(level, kNoOrdinal, ordinal, name, name) : Status();
  }

  // A folder on the way to something new is as the nearest parent has it (C16).
  Status TakeParentsMetadata(const Level& level, const std::string& name, Entry& entry) {
    WCLAYER_ASSIGN(const auto found, parents_->FindIn(level.parents, name));
    if (!found) return {};
    Entry theirs;
    WCLAYER_TRY(parents_->Load(*found, theirs, true));
    if (!theirs.directory() || theirs.Reparse() != nullptr) return {};
    theirs.path = std::move(entry.path);
    theirs.disk_path = std::move(entry.disk_path);
    theirs.opaque = false;
    std::erase_if(theirs.streams, [](const StreamRecord& stream) { return stream.external; });
    entry = std::move(theirs);
    return {};
  }

  Status Enter(const Level& level, std::uint32_t before, std::uint32_t after,
               const std::string& name, const std::string& disk_name) {
    Level inner;
    inner.path = Join(level.path, name);
    inner.disk_path = Join(level.disk_path, disk_name);
    inner.before = before;
    inner.after = after;
    WCLAYER_ASSIGN(inner.parents, parents_->Enter(level.parents, name));
    levels_.push_back(std::move(inner));
    return {};
  }

  // All names of one file: the entry that describes it, the others as links to that.
  Status PutShared(std::vector<SharedName>& names) {
    WCLAYER_ASSIGN(const std::size_t holder, DescribeShared(names));
    const SharedName& first = names[holder];
    WCLAYER_ASSIGN(const auto ordinal, after_->Add(first.folder, first.entry));
    if (names.size() == 1) return {};
    WCLAYER_TRY(WriteMark(*layer_, first.entry.disk_path, {ordinal, MarkOfLayer(id_)}));
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i == holder) continue;
      Entry link = first.entry;
      link.path = names[i].entry.path;
      link.disk_path = names[i].entry.disk_path;
      link.kind = Kind::kHardLink;
      link.first_name = ordinal;
      WCLAYER_TRY(after_->Add(names[i].folder, link));
    }
    return {};
  }

  // Fills in the entry of one of the names and says which.
  Expected<std::size_t> DescribeShared(std::vector<SharedName>& names) {
    const fs::Info& info = names.front().info;
    WCLAYER_ASSIGN(Entry scanned, ScanEntry(*layer_, names.front().entry.disk_path, info, piece_));
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Entry& known = names[i].entry;
      const bool same = names[i].known && known.size == scanned.size &&
                        (known.sparse || known.checksum == scanned.checksum);
      if (same) return i;
    }
    WCLAYER_ASSIGN(const auto theirs, FindAtParents(info));
    Entry& own = names.front().entry;
    scanned.path = own.path;
    own = std::move(scanned);
    if (theirs) WCLAYER_TRY(CopyFromParent(*theirs, names));
    return std::size_t{0};
  }

  // The parents' entry that is this very file on disk.
  Expected<std::optional<Found>> FindAtParents(const fs::Info& info) {
    Entry entry;
    for (std::uint32_t i = 0; i < parents_->size(); ++i) {
      ChainLayer& layer = parents_->layer(i);
      if (!layer.metadata) continue;
      for (std::uint32_t place = 0; place < layer.metadata->size(); ++place) {
        WCLAYER_ASSIGN(const auto ordinal, layer.metadata->OrdinalAt(place));
        WCLAYER_TRY(layer.metadata->Read(ordinal, entry));
        if (entry.kind != Kind::kFile || entry.size != info.size) continue;
        const auto there = layer.dir.Stat(entry.disk_path);
        if (there && there->device == info.device && there->inode == info.inode)
          return std::optional<Found>(Found{i, ordinal});
      }
    }
    return std::optional<Found>();
  }

  // Links do not cross layers: the content is copied, and all names here lead to the copy.
  Status CopyFromParent(const Found& found, std::vector<SharedName>& names) {
    Entry& own = names.front().entry;
    Entry theirs;
    WCLAYER_TRY(parents_->Load(found, theirs, true));
    for (auto& stream : theirs.streams)
      if (stream.external) WCLAYER_TRY(CopyStream(found, stream));
    theirs.path = std::move(own.path);
    theirs.disk_path = std::move(own.disk_path);
    theirs.short_name.clear();
    own = std::move(theirs);
    {
      WCLAYER_TRY(own_->RemoveTree(kCopy));
      WCLAYER_ASSIGN(const auto from, layer_->OpenFile(own.disk_path));
      WCLAYER_ASSIGN(const auto to,
                     own_->CreateFile(kCopy, (own.attributes & kReadOnly) != 0 ? 0400 : 0600));
      WCLAYER_TRY(fs::CopyContent(from.get(), to.get(), own.size));
    }
    for (const SharedName& name : names) {
      WCLAYER_TRY(layer_->Remove(name.entry.disk_path));
      WCLAYER_TRY(layer_->MakeHardLinkTo(*own_, kCopy, name.entry.disk_path));
    }
    return own_->Remove(kCopy);
  }

  // Behind what the layer's own file of streams holds.
  Status CopyStream(const Found& found, StreamRecord& stream) {
    WCLAYER_ASSIGN(const bool there, own_->Exists(kStreamsFile));
    if (!there) WCLAYER_TRY(own_->CreateFile(kStreamsFile));
    WCLAYER_ASSIGN(const auto file, own_->OpenForUpdate(kStreamsFile));
    WCLAYER_ASSIGN(const auto info, fs::StatFd(file.get()));
    const StreamRecord source = stream;
    stream.offset = info.size;
    for (std::uint64_t at = 0; at < source.header.size;) {
      WCLAYER_ASSIGN(const std::size_t got, parents_->ReadStream(found, source, at, piece_));
      WCLAYER_TRY(fs::WriteAt(file.get(), Bytes(piece_).first(got), stream.offset + at));
      at += got;
    }
    return {};
  }

  std::string id_;
  const fs::Dir* layer_;
  const fs::Dir* own_;  // ".wclayer" in it
  Chain* parents_;
  MetadataReader* before_;
  MetadataWriter* after_;
  Buffer piece_;
  std::vector<Level> levels_;
  std::map<FileId, std::vector<SharedName>> shared_;
};

Status Settle(const Home& home, const std::string& id, const fs::Dir& layer, const fs::Dir& own) {
  WCLAYER_ASSIGN(const auto ids, home.ParentsOf(id));
  WCLAYER_ASSIGN(const auto parents, Chain::Open(home, ids));
  WCLAYER_TRY(own.RemoveTree(kNewMetadata));
  {
    WCLAYER_ASSIGN(const auto before, MetadataReader::Open(own, 32, kUnsettledFile));
    WCLAYER_ASSIGN(const auto after, MetadataWriter::Create(own, kNewMetadata));
    WCLAYER_TRY(Settler(id, layer, own, *parents, *before, *after).Run());
    WCLAYER_TRY(after->Finish());
  }
  if (home.durability() != fs::Durability::kNone) WCLAYER_TRY(layer.SyncFileSystem());
  WCLAYER_TRY(own.Rename(kNewMetadata, own, kMetadataFile, RenameMode::kNoReplace));
  return own.Remove(kUnsettledFile);
}

}  // namespace

Expected<bool> HoldsContent(const fs::Dir& layer) {
  WCLAYER_ASSIGN(const bool settled, layer.Exists(Join(kPrivate, kMetadataFile)));
  if (settled) return true;
  return layer.Exists(Join(kPrivate, kUnsettledFile));
}

Expected<fs::FileLock> LockContent(const Home& home, std::string_view id) {
  WCLAYER_ASSIGN(const auto root, home.Root());
  WCLAYER_ASSIGN(const auto locks, root.OpenDir(Join(kPrivate, kLocks)));
  auto lock = fs::FileLock::Acquire(locks, LowerAscii(id) + "+content", fs::LockMode::kExclusive,
                                    kSettleWait);
  if (!lock) return std::move(lock).error().Of(id);
  return lock;
}

Status SettleLayer(const Home& home, std::string_view id) {
  WCLAYER_ASSIGN(const auto lock, LockContent(home, id));
  WCLAYER_ASSIGN(const auto layer, home.OpenLayer(id));
  WCLAYER_ASSIGN(const auto own, layer.OpenDir(kPrivate));
  WCLAYER_ASSIGN(const bool settled, own.Exists(kMetadataFile));
  if (settled) return {};  // by another, while we waited
  auto done = Settle(home, std::string(id), layer, own);
  if (!done) return std::move(done).error().Of(id);
  return {};
}

}  // namespace wclayer::portable
