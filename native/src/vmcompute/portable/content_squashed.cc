// Several layers as one (store §6): the tree that they make together, against the tree that stays
// below.
#include <algorithm>
#include <cerrno>
#include <map>

#include "fs/system.h"
#include "io/digest.h"
#include "portable/content.h"
#include "portable/hive.h"
#include "portable/metadata.h"
#include "portable/names.h"
#include "portable/staging.h"

namespace wclayer::portable {
namespace {

class SquashedContent final : public Content {
 public:
  explicit SquashedContent(std::shared_ptr<Home> home) : home_(std::move(home)) {}

  Status Open(const std::vector<std::string>& upper, const std::vector<std::string>& tail,
              std::unique_ptr<Content> writable, const std::string& id) {
    std::vector<std::string> all = upper;
    all.insert(all.end(), tail.begin(), tail.end());
    WCLAYER_ASSIGN(chain_, Chain::Open(*home_, all));
    upper_ = upper.size();
    has_tail_ = !tail.empty();
    if (writable) WCLAYER_TRY(PutWritableOnTop(std::move(writable), id));
    WCLAYER_TRY(ChooseHives());
    Frame top;
    top.upper = Part(chain_->Top(), true);
    top.below = chain_->Top(upper_);
    return Enter(std::move(top), "");
  }

  Expected<bool> Next(Entry& entry) override {
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      if (frame.gone < frame.tombstones.size()) {
        entry = Entry();
        entry.kind = Kind::kTombstone;
        entry.path = Join(frame.path, frame.tombstones[frame.gone++]);
        made_up_ = false;
        resolved_ = entry;
        current_ = entry;
        return true;
      }
      if (frame.next == frame.members.size()) {
        frames_.pop_back();
        continue;
      }
      const Member member = std::move(frame.members[frame.next++]);
      if (frames_.size() == 1 && SamePath(member.node.name, "Hives"))
        WCLAYER_TRY(ShowHives(member, entry));
      else if (member.at.ordinal == kNoOrdinal)
        MakeUp(Join(frame.path, member.node.name), Kind::kFile, entry);
      else
        WCLAYER_TRY(Show(member, entry));
      return true;
    }
    return false;
  }

  Expected<ChangeKind> Compare() override {
    if (made_up_) return has_tail_ ? ChangeKind::kUnchanged : ChangeKind::kAdded;
    if (has_tail_ && SamePath(current_.path.substr(0, current_.path.find('/')), "Hives")) {
      WCLAYER_ASSIGN(const bool minimal, MinimalHives());
      if (minimal) return ChangeKind::kUnchanged;
    }
    return CompareWith(*chain_, upper_, resolved_, [this] { return OpenData(); });
  }

  Status ResolveLink(Entry& entry) override {
    entry = resolved_;
    return {};
  }

  Expected<int> OpenData() override {
    if (made_up_) return OpenMinimalHive();
    WCLAYER_ASSIGN(auto file, chain_->OpenData(at_, resolved_));
    return file.release();
  }

  Expected<std::size_t> ReadStream(const StreamRecord& stream, std::uint64_t offset,
                                   MutableBytes buffer) override {
    if (auto& source = chain_->layer(at_.layer).source; source && stream.external) {
      Entry there;
      WCLAYER_ASSIGN(const bool seen, source->SeekPath(resolved_.path, there));
      if (!seen) return Error(Errc::kLayerDamaged, "the file has vanished").At(resolved_.path);
    }
    return chain_->ReadStream(at_, stream, offset, buffer);
  }

  Expected<bool> SeekPath(const std::string&, Entry&) override { return NoSeek(); }
  Expected<bool> SeekOrdinal(std::uint64_t, Entry&) override { return NoSeek(); }

 private:
  struct Frame {
    std::string path;
    Folder upper;  // parts among the squashed layers
    Folder below;  // what stays below shows here
    std::vector<std::string> tombstones;
    std::size_t gone = 0;
    std::vector<Member> members;
    std::size_t next = 0;
  };

  static Error NoSeek() {
    return Error(Errc::kUnsupported, "only a layer's own content can be read out of order");
  }

  // The parts of a merged folder that the squashed layers have, or those of the layers below.
  Folder Part(const Folder& folder, bool upper) const {
    Folder part;
    for (const auto& found : folder.parts)
      if ((found.layer < upper_) == upper) part.parts.push_back(found);
    return part;
  }

  // The changes of a writable layer become a layer of the chain: a copy of their metadata in a
  // temporary file, the data where it is.
  Status PutWritableOnTop(std::unique_ptr<Content> writable, const std::string& id) {
    WCLAYER_ASSIGN(scratch_, Staging::Begin(home_));
    WCLAYER_ASSIGN(const auto folder, scratch_->dir().OpenDir(kPrivate));
    WCLAYER_ASSIGN(const auto writer, MetadataWriter::Create(folder));
    Entry entry;
    std::string parent_path;
    std::uint32_t parent = kNoOrdinal;
    while (true) {
      WCLAYER_ASSIGN(const bool more, writable->Next(entry));
      if (!more) break;
      if (ParentOf(entry.path) != parent_path) {
        parent_path = ParentOf(entry.path);
        WCLAYER_ASSIGN(parent, writer->FindPath(parent_path));
        if (parent == kNoOrdinal && !parent_path.empty())
          return Error(Errc::kInternal, "a change comes without its folder").At(entry.path);
      }
      if (entry.kind == Kind::kHardLink) {
        WCLAYER_ASSIGN(const auto first, writer->FindPath(entry.link_target));
        entry.first_name = first;
      }
      WCLAYER_ASSIGN(const auto ordinal, writer->Add(parent, entry));
      (void)ordinal;
    }
    WCLAYER_TRY(writer->Finish());
    ChainLayer layer;
    layer.id = id;
    WCLAYER_ASSIGN(layer.dir, home_->OpenLayer(id));
    WCLAYER_ASSIGN(layer.metadata, MetadataReader::Open(folder));
    layer.source = std::move(writable);
    chain_->PushFront(std::move(layer));
    ++upper_;
    return {};
  }

  // ---- The walk ----

  Status Enter(Frame frame, std::string path) {
    frame.path = std::move(path);
    WCLAYER_ASSIGN(auto members, chain_->List(frame.upper, true));
    // What the squashed layers show here in isolation; is what lies below still to be seen through
    // it?
    bool through = frame.path.empty();
    if (!through) {
      WCLAYER_ASSIGN(const Folder* merged, chain_->Resolve(frame.path));
      through = merged != nullptr && !Part(*merged, false).parts.empty();
    }
    for (auto& member : members) {
      if (member.node.kind != Kind::kTombstone) {
        frame.members.push_back(std::move(member));
        continue;
      }
      WCLAYER_ASSIGN(const auto hidden, chain_->FindIn(frame.below, member.node.name));
      if (hidden) frame.tombstones.push_back(std::move(member.node.name));
    }
    if (!through && !frame.below.parts.empty()) WCLAYER_TRY(HideEverythingBelow(frame));
    if (frame.path.empty()) AddHives(frame);
    std::sort(frame.tombstones.begin(), frame.tombstones.end());
    frames_.push_back(std::move(frame));
    return {};
  }

  // An opaque folder: one tombstone for each name below that has not come again.
  Status HideEverythingBelow(Frame& frame) {
    WCLAYER_ASSIGN(const auto below, chain_->List(frame.below));
    std::vector<std::string> shown;
    for (const auto& member : frame.members) shown.push_back(Fold(member.node.name));
    for (const auto& name : frame.tombstones) shown.push_back(Fold(name));
    std::sort(shown.begin(), shown.end());
    for (const auto& member : below)
      if (!std::binary_search(shown.begin(), shown.end(), Fold(member.node.name)))
        frame.tombstones.push_back(member.node.name);
    return {};
  }

  Status Show(const Member& member, Entry& entry) {
    made_up_ = false;
    at_ = member.at;
    WCLAYER_TRY(chain_->Load(member.at, resolved_, true));
    const Frame& frame = frames_.back();
    resolved_.path = Join(frame.path, member.node.name);
    resolved_.opaque = false;
    entry = resolved_;
    if (entry.kind == Kind::kFile) WCLAYER_TRY(ShowLink(member, entry));
    current_ = entry;
    if (!entry.directory() || entry.Reparse() != nullptr) return {};
    Frame inner;
    if (frame.upper.parts.size() == 1 && frame.below.parts.empty()) {
      inner.upper.parts = {member.at};  // nothing to merge with
    } else {
      WCLAYER_ASSIGN(inner.upper, chain_->Enter(frame.upper, member.node.name));
    }
    WCLAYER_ASSIGN(inner.below, chain_->Enter(frame.below, member.node.name));
    return Enter(std::move(inner), entry.path);
  }

  // Names of one file of one layer stay names of one file.
  Status ShowLink(const Member& member, Entry& entry) {
    WCLAYER_ASSIGN(const auto group,
                   chain_->layer(member.at.layer).metadata->GroupOf(member.at.ordinal));
    if (!group) return {};
    const auto [first, fresh] =
        first_names_.try_emplace(std::make_pair(member.at.layer, group->file), entry.path);
    if (fresh) return {};
    entry.kind = Kind::kHardLink;
    entry.link_target = first->second;
    entry.size = 0;
    entry.sparse = false;
    entry.ranges.clear();
    entry.streams.clear();
    entry.security.clear();
    entry.reparse_tag = 0;
    return {};
  }

  // ---- Hives ----

  // The layer whose hives are carried: see store §6. Several with content cannot be merged.
  Status ChooseHives() {
    std::vector<std::string> with_content;
    const std::size_t base = has_tail_ ? SIZE_MAX : upper_ - 1;
    for (std::size_t i = 0; i < upper_; ++i) {
      if (!chain_->layer(i).metadata) continue;
      MetadataReader& metadata = *chain_->layer(i).metadata;
      WCLAYER_ASSIGN(const auto folder, metadata.FindChild(kNoOrdinal, "Hives"));
      if (folder == kNoOrdinal) continue;
      const Found at{static_cast<std::uint32_t>(i), folder};
      if (i == base) {
        hives_ = at;
        break;
      }
      WCLAYER_ASSIGN(const bool content, HasHiveContent(at));
      if (content) with_content.push_back(chain_->layer(i).id);
      if (has_tail_ && ((content && with_content.size() == 1) || !hives_)) hives_ = at;
    }
    if (with_content.size() <= (has_tail_ ? 1u : 0u)) return {};
    std::string names;
    for (const auto& id : with_content) names += (names.empty() ? "'" : ", '") + id + "'";
    return Error(Errc::kHivesNotMergeable,
                 has_tail_
                     ? "registry changes of several layers cannot be squashed: " + names
                     : "registry changes cannot be put into the hives of the base layer: " + names);
  }

  Expected<bool> HasHiveContent(const Found& hives) {
    bool content = false;
    std::vector<std::uint32_t> files;
    WCLAYER_TRY(
        chain_->layer(hives.layer).metadata->Children(hives.ordinal, [&](Node& node) -> Status {
          if (IsDeltaName(node.name) && (node.kind == Kind::kFile || node.kind == Kind::kHardLink))
            files.push_back(node.ordinal);
          return {};
        }));
    for (const auto ordinal : files) {
      const Found at{hives.layer, ordinal};
      Entry entry;
      WCLAYER_TRY(chain_->Load(at, entry, true));
      WCLAYER_ASSIGN(const auto file, chain_->OpenData(at, entry));
      WCLAYER_ASSIGN(const bool minimal, HoldsMinimalHive(file.get(), entry.size));
      content = content || !minimal;
    }
    return content;
  }

  // "Hives" is among the members of the top whenever something is to be shown for it.
  void AddHives(Frame& top) {
    std::erase_if(top.members,
                  [](const Member& member) { return SamePath(member.node.name, "Hives"); });
    if (!hives_ && !has_tail_) return;
    Member member;
    member.node.name = "Hives";
    member.node.kind = Kind::kDirectory;
    if (hives_) member.at = *hives_;
    const auto place = std::find_if(top.members.begin(), top.members.end(),
                                    [](const Member& other) { return other.node.name > "Hives"; });
    top.members.insert(place, std::move(member));
  }

  Status ShowHives(const Member& member, Entry& entry) {
    if (member.at.ordinal == kNoOrdinal) return MakeUpHives(entry);
    made_up_ = false;
    at_ = member.at;
    WCLAYER_TRY(chain_->Load(member.at, resolved_, true));
    entry = resolved_;
    current_ = entry;
    Frame inner;
    inner.upper.parts = {member.at};
    return Enter(std::move(inner), entry.path);
  }

  // A folder and five empty deltas, with the times of the topmost "Files".
  Status MakeUpHives(Entry& entry) {
    if (made_times_ == 0) {
      WCLAYER_ASSIGN(const auto files, chain_->Find("Files"));
      if (files) {
        Entry folder;
        WCLAYER_TRY(chain_->Load(*files, folder, true));
        made_times_ = folder.times[2];
      }
    }
    Frame inner;
    for (const auto name : kDeltaNames) {
      Member member;
      member.node.name = name;
      member.node.kind = Kind::kFile;
      inner.members.push_back(std::move(member));
    }
    inner.path = "Hives";
    frames_.push_back(std::move(inner));
    MakeUp("Hives", Kind::kDirectory, entry);
    return {};
  }

  void MakeUp(std::string path, Kind kind, Entry& entry) {
    entry = Entry();
    entry.kind = kind;
    entry.path = std::move(path);
    entry.attributes = kind == Kind::kDirectory ? 0x10 : 0x20;
    std::fill(std::begin(entry.times), std::end(entry.times), made_times_);
    if (kind == Kind::kFile) {
      const Buffer hive = MinimalHive();
      entry.size = hive.size();
      entry.checksum = io::Checksum(hive);
      entry.has_checksum = true;
    }
    made_up_ = true;
    resolved_ = entry;
    current_ = entry;
  }

  Expected<int> OpenMinimalHive() {
    WCLAYER_ASSIGN(fs::UniqueFd file, fs::UnnamedFile());
    WCLAYER_TRY(fs::WriteAt(file.get(), MinimalHive(), 0));
    return file.release();
  }

  Expected<bool> MinimalHives() {
    const bool folder = current_.path.find('/') == std::string::npos;
    if (folder && hives_) {
      WCLAYER_ASSIGN(const bool content, HasHiveContent(*hives_));
      return !content;
    }
    if (!IsDeltaName(NameOf(current_.path)) || resolved_.kind != Kind::kFile) return false;
    WCLAYER_ASSIGN(const int data, OpenData());
    const fs::UniqueFd file(data);
    return HoldsMinimalHive(file.get(), resolved_.size);
  }

  std::shared_ptr<Home> home_;
  std::unique_ptr<Staging> scratch_;  // outlives the metadata in it
  std::unique_ptr<Chain> chain_;      // the squashed layers, then those below
  std::size_t upper_ = 0;             // how many are squashed
  bool has_tail_ = false;
  std::optional<Found> hives_;
  std::vector<Frame> frames_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> first_names_;
  Found at_;
  Entry resolved_;  // the current entry, a hard link as the file it is
  Entry current_;
  bool made_up_ = false;
  std::int64_t made_times_ = 0;
};

}  // namespace

Expected<std::unique_ptr<Content>> OpenSquashed(const std::shared_ptr<Home>& home,
                                                const std::vector<std::string>& upper,
                                                const std::vector<std::string>& tail,
                                                std::unique_ptr<Content> writable,
                                                const std::string& id) {
  auto content = std::make_unique<SquashedContent>(home);
  auto opened = content->Open(upper, tail, std::move(writable), id);
  if (!opened) return std::move(opened).error().Of(id);
  return std::unique_ptr<Content>(std::move(content));
}

}  // namespace wclayer::portable
