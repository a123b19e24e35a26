// A committed layer's own content.
#include <algorithm>
#include <deque>

#include "portable/content.h"
#include "portable/hive.h"
#include "portable/metadata.h"
#include "portable/names.h"
#include "portable/read_ahead.h"

namespace wclayer::portable {
namespace {

constexpr std::size_t kEntriesAhead = 64;
constexpr std::uint32_t kOpenedBeforeAhead = 16;  // a few files are not worth a thread

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

  Expected<bool> Next(Entry& entry) override { return Named(NextInOrder(entry)); }
  Expected<ChangeKind> Compare() override { return Named(CompareCurrent()); }

  Status ResolveLink(Entry& entry) override {
    WCLAYER_ASSIGN(entry, FileOf(current_));
    return {};
  }

  // Whoever reads file after file will read the next ones too.
  Expected<int> OpenData() override {
    if (IsReadAhead(current_)) ++opened_;
    was_read_ = true;
    return OpenCurrent();
  }

  Expected<std::size_t> ReadStream(const StreamRecord& stream, std::uint64_t offset,
                                   MutableBytes buffer) override {
    return ReadLayerStream(own_, stream, offset, buffer);
  }

  bool HasAhead() const override { return ahead_left_ != 0; }

  Expected<std::size_t> ReadAhead(MutableBytes buffer) override {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(ahead_left_, buffer.size()));
    was_read_ = true;
    auto count = ahead_->Read(buffer.first(most));
    if (!count) return std::move(count).error().Of(own_.id);
    ahead_left_ -= *count;
    return count;
  }

  Expected<bool> SeekPath(const std::string& path, Entry& entry) override {
    StopAhead();
    if (!own_.metadata) return false;
    WCLAYER_ASSIGN(const auto ordinal, own_.metadata->FindPath(path));
    if (ordinal == kNoOrdinal) return false;
    WCLAYER_ASSIGN(place_, own_.metadata->PlaceOf(ordinal));
    queue_.clear();
    opaque_end_ = 0;
    WCLAYER_ASSIGN(const Node node, own_.metadata->ReadNode(ordinal));
    if (node.kind == Kind::kTombstone) return false;
    WCLAYER_ASSIGN(const bool there, NextEntry(entry));
    current_ = entry;
    return there;
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
    WCLAYER_TRY(Named(GoTo(number)));
    entry = current_;
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

  // ---- reading ahead
  //
  // In the order of the export (Next) or of the import (SeekOrdinal, as a replay goes): entries are
  // decoded some way ahead, and the files among them are given to the reading thread.

  static bool IsReadAhead(const Entry& entry) {
    return entry.kind == Kind::kFile && entry.has_data_stream && !entry.sparse && entry.size != 0;
  }

  // The entries ahead stay: they will not come again.
  void StopThread() {
    ahead_.reset();
    ahead_left_ = 0;
    opened_ = 0;
  }

  void StopAhead() {
    StopThread();
    entries_ahead_.clear();
  }

  Expected<bool> NextInOrder(Entry& entry) {
    if (by_ordinal_) StopAhead();
    by_ordinal_ = false;
    if (IsReadAhead(current_) && !was_read_) StopThread();  // nobody wants the data
    WCLAYER_TRY(LeaveCurrent());
    if (opened_ >= kOpenedBeforeAhead) WCLAYER_TRY(LookAhead());
    if (entries_ahead_.empty()) {
      WCLAYER_ASSIGN(const bool there, NextEntry(entry));
      if (there) current_ = entry;
      return there;
    }
    TakeNext();
    entry = current_;
    return true;
  }

  Status LeaveCurrent() {
    was_read_ = false;
    return ahead_left_ == 0 ? Status() : ahead_->Skip(std::exchange(ahead_left_, 0));
  }

  void TakeNext() {
    current_ = std::move(entries_ahead_.front());
    entries_ahead_.pop_front();
    if (ahead_ != nullptr && IsReadAhead(current_)) ahead_left_ = current_.size;
  }

  // Makes entry `number` the current one.
  Status GoTo(std::uint32_t number) {
    if (!by_ordinal_) StopAhead();
    by_ordinal_ = true;
    WCLAYER_TRY(LeaveCurrent());
    if (!entries_ahead_.empty() && number > entries_ahead_.back().ordinal) StopAhead();
    while (!entries_ahead_.empty() && entries_ahead_.front().ordinal < number) {
      TakeNext();
      WCLAYER_TRY(LeaveCurrent());
    }
    if (!entries_ahead_.empty() && entries_ahead_.front().ordinal == number) {
      TakeNext();
    } else {
      WCLAYER_TRY(own_.metadata->Read(number, current_));
    }
    if (opened_ < kOpenedBeforeAhead) return {};
    if (entries_ahead_.empty()) next_ordinal_ = number + 1;
    return LookAhead();
  }

  Status LookAhead() {
    if (entries_ahead_.size() > kEntriesAhead / 2) return {};
    if (ahead_ == nullptr && !entries_ahead_.empty())
      return {};  // a new thread would not have these
    std::vector<portable::ReadAhead::File> files;
    while (entries_ahead_.size() < kEntriesAhead) {
      Entry entry;
      WCLAYER_ASSIGN(const bool there, by_ordinal_ ? NextFile(entry) : NextEntry(entry));
      if (!there) break;
      if (IsReadAhead(entry)) files.push_back({entry.path, entry.disk_path, entry.size});
      entries_ahead_.push_back(std::move(entry));
    }
    if (files.empty()) return {};
    if (ahead_ == nullptr) ahead_ = std::make_unique<portable::ReadAhead>(own_.dir);
    return ahead_->Add(std::move(files));
  }

  // The next file in the order of the import.
  Expected<bool> NextFile(Entry& entry) {
    MetadataReader& metadata = *own_.metadata;
    while (next_ordinal_ < metadata.entries()) {
      const std::uint32_t number = next_ordinal_++;
      WCLAYER_ASSIGN(const auto place, metadata.PlaceOf(number));
      if (place == kNoOrdinal) continue;  // replaced by a later one
      WCLAYER_TRY(metadata.Read(number, entry));
      if (IsReadAhead(entry)) return true;
    }
    return false;
  }

  // ---- entries

  Expected<int> OpenCurrent() {
    auto file = opener_.Open(current_.disk_path);
    if (file) return file->release();
    Error error = std::move(file).error().Of(own_.id);
    error.path = current_.path;
    return error;
  }

  Expected<bool> NextEntry(Entry& entry) {
    if (!queue_.empty()) {
      entry = Entry();
      entry.kind = Kind::kTombstone;
      entry.path = std::move(queue_.front());
      queue_.pop_front();
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
      return CompareWith(*parents, 0, current_, [this] { return OpenCurrent(); });
    WCLAYER_ASSIGN(const Entry file, FileOf(current_));
    return CompareWith(*parents, 0, file, [this] { return OpenCurrent(); });
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
  FileOpener opener_{own_.dir};

  std::deque<Entry> entries_ahead_;  // decoded, and their files given to the thread
  bool by_ordinal_ = false;          // their order
  std::uint32_t next_ordinal_ = 0;   // in that order, the first that is not among them
  std::uint64_t ahead_left_ = 0;     // bytes of the current entry that the thread still gives
  std::uint32_t opened_ = 0;         // files read one after another
  bool was_read_ = false;            // the current entry's data
  std::unique_ptr<portable::ReadAhead> ahead_;
};

}  // namespace

Expected<std::unique_ptr<Content>> OpenOwn(const std::shared_ptr<Home>& home, const std::string& id,
                                           const std::vector<std::string>& parents) {
  auto content = std::make_unique<OwnContent>(home, parents);
  if (auto opened = content->Open(id); !opened) return std::move(opened).error().Of(id);
  return std::unique_ptr<Content>(std::move(content));
}

}  // namespace wclayer::portable
