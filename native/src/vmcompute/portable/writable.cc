#include "portable/writable.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <unordered_map>

#include "fs/system.h"
#include "io/digest.h"
#include "portable/checkout_table.h"
#include "portable/content.h"
#include "portable/hive.h"
#include "portable/names.h"
#include "portable/writable_entry.h"
#include "portable/writable_tree.h"

namespace wclayer::portable {
namespace {

constexpr std::string_view kHives = "Hives";
constexpr int kMaxLinkHops = 40;  // as Linux has it

bool Same(const std::optional<Found>& a, const std::optional<Found>& b) {
  if (!a || !b) return !a && !b;
  return a->layer == b->layer && a->ordinal == b->ordinal;
}

bool SameParts(const Folder& a, const Folder& b) {
  return std::equal(
      a.parts.begin(), a.parts.end(), b.parts.begin(), b.parts.end(),
      [](const Found& x, const Found& y) { return x.layer == y.layer && x.ordinal == y.ordinal; });
}

class WritableContent final : public Content {
 public:
  Status Open(const Home& home, const std::string& id) {
    WCLAYER_ASSIGN(const auto record, home.ReadWritable(id));
    WCLAYER_ASSIGN(layer_, home.OpenLayer(id));
    id_ = id;
    created_ = record.created;
    WCLAYER_ASSIGN(chain_, Chain::Open(home, record.parents));
    hives_ = !record.parents.empty();
    WCLAYER_ASSIGN(const bool laid_out, layer_.Exists(Join(kPrivate, kCheckout)));
    if (record.mode == "checkout" && laid_out) {
      WCLAYER_ASSIGN(tree_, OpenCheckoutTree(layer_, *chain_));
    } else {
      WCLAYER_ASSIGN(tree_, OpenOverlayTree(layer_, *chain_));
    }
    builder_ = std::make_unique<EntryBuilder>(
        *chain_, *tree_,
        [this](const Seen& seen, const std::string& text) { return PointsToFolder(seen, text); });
    return EnterRoot();
  }

  Expected<bool> Next(Entry& entry) override { return Named(NextEntry(entry)); }

  Expected<ChangeKind> Compare() override { return Named(CompareCurrent()); }

  Status ResolveLink(Entry& entry) override {
    entry = current_.file;
    return {};
  }

  Expected<int> OpenData() override { return Named(OpenCurrent()); }

  Expected<std::size_t> ReadStream(const StreamRecord& stream, std::uint64_t offset,
                                   MutableBytes buffer) override {
    if (!current_.place.base && stream.external)
      return Error(Errc::kInternal, "a stream of nothing").At(current_.file.path);
    return chain_->ReadStream(current_.place.base.value_or(Found()), stream, offset, buffer);
  }

  Expected<bool> SeekPath(const std::string& path, Entry& entry) override {
    const auto place = places_.find(Fold(path));
    if (place == places_.end()) return false;
    current_ = Ready();
    current_.place = place->second;
    WCLAYER_TRY(Named(Rebuild(path)));
    entry = current_.file;
    return true;
  }

  Expected<bool> SeekOrdinal(std::uint64_t, Entry&) override {
    return Error(Errc::kUnsupported, "changes of a writable layer have no lasting numbers");
  }

 private:
  // Where the data and the streams of an entry are.
  struct Place {
    std::string disk_path;      // below the root of the tree
    std::optional<Found> base;  // whose streams it has; its data too, unless own
    bool own = true;
    bool holds_names = false;  // of a folder
    bool made_up = false;      // a hive
  };
  struct Ready {
    Entry shown;
    Entry file;  // what a hard link is
    Place place;
  };
  struct Frame {
    Seen self;
    std::shared_ptr<const TreeFolder> folder;
    Folder here;  // what the parents have at this path
    std::vector<Seen> items;
    std::size_t next = 0;
    bool names_empty = true;
    bool shown = false;
  };

  template <class T>
  Expected<T> Named(Expected<T> result) const {
    if (!result) return std::move(result).error().Of(id_);
    return result;
  }

  // ---- The walk ----

  Expected<bool> NextEntry(Entry& entry) {
    while (ready_.empty()) {
      if (!frames_.empty()) {
        WCLAYER_TRY(Step());
      } else if (hives_) {
        hives_ = false;
        MakeUpHives();
      } else {
        return false;
      }
    }
    current_ = std::move(ready_.front());
    ready_.pop_front();
    current_.shown.ordinal = ordinal_++;
    entry = current_.shown;
    return true;
  }

  Status EnterRoot() {
    Frame top;
    top.self.path = kFiles;
    WCLAYER_ASSIGN(top.self.item, tree_->RootItem());
    top.self.here = top.self.item.origin;
    WCLAYER_ASSIGN(TreeFolder root, tree_->Root());
    top.folder = std::make_shared<TreeFolder>(std::move(root));
    top.self.folder = std::make_shared<TreeFolder>();
    WCLAYER_ASSIGN(top.here, chain_->Enter(chain_->Top(), kFiles));
    WCLAYER_ASSIGN(const auto gone, Look(top));
    frames_.push_back(std::move(top));
    WCLAYER_TRY(ShowFolders());
    PushTombstones(kFiles, gone);
    return {};
  }

  Status Step() {
    Frame& frame = frames_.back();
    if (frame.next == frame.items.size()) {
      frames_.pop_back();
      return {};
    }
    Seen seen = std::move(frame.items[frame.next++]);
    const std::string path = seen.path;
    auto visited = IsFolder(seen) ? VisitFolder(std::move(seen)) : VisitFile(seen);
    if (visited || !visited.error().path.empty()) return visited;
    return std::move(visited).error().At(path);
  }

  static bool IsFolder(const Seen& seen) {
    if (seen.item.own) return seen.item.type == fs::Type::kDirectory;
    return seen.item.node.kind == Kind::kDirectory && !seen.item.node.reparse;
  }
  // A file that the user gave several names: nothing in a layer has that in an upper folder or a
  // checkout from the start.
  static bool IsLinked(const Seen& seen) {
    return seen.item.own && seen.item.type == fs::Type::kFile && seen.item.info.links > 1;
  }

  Status VisitFolder(Seen seen) {
    Frame frame;
    WCLAYER_ASSIGN(TreeFolder folder, tree_->Enter(*seen.folder, seen.item));
    frame.folder = std::make_shared<TreeFolder>(std::move(folder));
    WCLAYER_ASSIGN(frame.here, chain_->Enter(frames_.back().here, NameOf(seen.path)));
    const bool untouched = EntryBuilder::Untouched(seen);
    if (!seen.item.own && untouched && SameParts(frame.folder->through, frame.here)) return {};
    frame.self = std::move(seen);
    WCLAYER_ASSIGN(const auto gone, Look(frame));
    bool show = !gone.empty();
    if (!show && !untouched) {
      WCLAYER_ASSIGN(const Built built, builder_->Build(frame.self, HoldsNames(frame)));
      show = built.changed || !Same(built.base, frame.self.here) || !frame.self.same_name;
    }
    const std::string path = frame.self.path;
    frames_.push_back(std::move(frame));
    if (show) {
      WCLAYER_TRY(ShowFolders());
      PushTombstones(path, gone);
    }
    return {};
  }

  Status VisitFile(const Seen& seen) {
    const bool linked = IsLinked(seen);
    if (!linked && EntryBuilder::Untouched(seen)) return {};
    WCLAYER_ASSIGN(Built built, builder_->Build(seen, false));
    // Names of one file are written down together, or they would be parted.
    if (!linked && !built.changed && Same(built.base, seen.here) && seen.same_name) return {};
    WCLAYER_TRY(ShowFolders());
    Ready ready;
    ready.file = std::move(built.entry);
    ready.place = {seen.DiskPath(), built.base, seen.item.own, false, false};
    ready.shown = ready.file;
    if (linked) ShowLink(seen, ready.shown);
    Push(std::move(ready));
    return {};
  }

  // The first name in order is the file, the others are links to it.
  void ShowLink(const Seen& seen, Entry& entry) {
    const auto [first, fresh] = first_names_.try_emplace(
        {seen.item.info.device, seen.item.info.inode}, First{entry.path, ordinal_ + ready_.size()});
    if (fresh) return;
    entry.kind = Kind::kHardLink;
    entry.link_target = first->second.path;
    entry.first_name = first->second.ordinal;
    entry.size = 0;
    entry.sparse = false;
    entry.ranges.clear();
    entry.streams.clear();
    entry.security.clear();
    entry.reparse_tag = 0;
  }

  // Every folder on the way that has not been given yet.
  Status ShowFolders() {
    for (Frame& frame : frames_) {
      if (frame.shown) continue;
      frame.shown = true;
      Ready ready;
      WCLAYER_ASSIGN(Built built, BuildFolder(frame));
      ready.file = std::move(built.entry);
      ready.place = {frame.self.DiskPath(), built.base, frame.self.item.own, HoldsNames(frame),
                     false};
      ready.shown = ready.file;
      Push(std::move(ready));
    }
    return {};
  }

  static bool HoldsNames(const Frame& frame) { return !frame.names_empty; }

  Expected<Built> BuildFolder(const Frame& frame) {
    if (frame.self.item.own || frame.self.item.origin)
      return builder_->Build(frame.self, HoldsNames(frame));
    // A root that neither the parents nor the layer have on disk.
    Built built;
    MakeUp(frame.self.path, Kind::kDirectory, built.entry);
    built.changed = true;
    return built;
  }

  void PushTombstones(std::string_view folder, const std::vector<std::string>& names) {
    for (const auto& name : names) {
      Ready ready;
      ready.shown.kind = Kind::kTombstone;
      ready.shown.path = Join(folder, name);
      ready.file = ready.shown;
      ready_.push_back(std::move(ready));
    }
  }

  void Push(Ready ready) {
    places_.insert_or_assign(Fold(ready.shown.path), ready.place);
    ready_.push_back(std::move(ready));
  }

  // ---- A folder's names ----

  // The members of the parents' folder, and which names of ours are theirs.
  class Members {
   public:
    explicit Members(std::vector<Member> members)
        : members_(std::move(members)), claimed_(members_.size()) {}

    const Member* OnDisk(const std::string& name) {
      // Mostly they come in the same order.
      for (; next_ < members_.size() && members_[next_].node.disk_name <= name; ++next_)
        if (members_[next_].node.disk_name == name) return &members_[next_++];
      if (by_disk_name_.empty())
        for (const Member& member : members_) by_disk_name_.emplace(member.node.disk_name, &member);
      const auto at = by_disk_name_.find(name);
      return at == by_disk_name_.end() ? nullptr : at->second;
    }
    const Member* Folded(const std::string& folded) {
      if (by_name_.empty())
        for (const Member& member : members_) by_name_.emplace(Fold(member.node.name), &member);
      const auto at = by_name_.find(folded);
      return at == by_name_.end() ? nullptr : at->second;
    }
    // `name` on disk shows this member. The name that did before, if one did.
    std::optional<std::string> Claim(const Member& member, const std::string& name) {
      const auto at = static_cast<std::size_t>(&member - members_.data());
      if (claimed_[at]) {
        const auto other = claims_.find(&member);
        return other == claims_.end() ? member.node.disk_name : other->second;
      }
      claimed_[at] = true;
      if (name != member.node.disk_name) claims_.emplace(&member, name);
      return std::nullopt;
    }
    std::vector<std::string> Unclaimed() const {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < members_.size(); ++i)
        if (!claimed_[i]) names.push_back(members_[i].node.name);
      return names;
    }

   private:
    std::vector<Member> members_;
    std::vector<bool> claimed_;
    std::map<const Member*, std::string> claims_;  // where the name on disk is another
    std::size_t next_ = 0;
    std::unordered_map<std::string_view, const Member*> by_disk_name_;  // once needed
    std::unordered_map<std::string, const Member*> by_name_;
  };

  // An own file or link that is known to be what the parents have there, under its one name.
  static bool IsTheirs(const TreeItem& item, const Member& member) {
    const bool linked = item.type == fs::Type::kFile && item.info.links > 1;
    return item.own && item.untouched && item.type != fs::Type::kDirectory && !linked &&
           Same(item.origin, member.at);
  }

  // Fills `items` in order; gives the names of the parents that are gone.
  Expected<std::vector<std::string>> Look(Frame& frame) {
    WCLAYER_ASSIGN(auto theirs, chain_->List(frame.here));
    Members members(std::move(theirs));
    WCLAYER_ASSIGN(auto listed, tree_->List(*frame.folder));
    frame.names_empty = listed.empty();
    const bool in_place = SameParts(frame.folder->through, frame.here);
    std::map<std::string, std::string> taken;  // names that no member has: folded → on disk
    for (auto& item : listed) {
      const Member* member = members.OnDisk(item.name);
      if (item.own) {
        WCLAYER_ASSIGN(item.origin,
                       tree_->OriginOf(*frame.folder, item,
                                       member == nullptr ? std::optional<Found>() : member->at));
      }
      Seen seen;
      std::optional<std::string> other;
      if (member != nullptr) {
        other = members.Claim(*member, item.name);
        seen.here = member->at;
        seen.same_name = item.own || item.node.name == member->node.name;
        // What shows through where it always was is no news, nor is an untouched file.
        if (!other && (item.own ? IsTheirs(item, *member) : in_place)) continue;
      }
      WCLAYER_ASSIGN(const auto name, NameOfItem(item, member));
      seen.folder = frame.folder;
      seen.path = Join(frame.self.path, name);
      if (auto valid = CheckComponent(name); !valid) {
        Error error = std::move(valid).error();
        error.path = seen.path;
        return error;
      }
      if (member == nullptr) {
        std::string folded = Fold(name);
        if (const Member* spelled = members.Folded(folded)) {
          other = members.Claim(*spelled, item.name);
          seen.here = spelled->at;
          seen.same_name = spelled->node.name == name;
        } else {
          const auto [at, fresh] = taken.try_emplace(std::move(folded), item.name);
          if (!fresh) other = at->second;
        }
      }
      if (other)
        return Error(Errc::kUnsafePath, "'" + *other + "' and '" + item.name +
                                            "' differ by case only, which Windows cannot tell "
                                            "apart; rename one of them")
            .At(frame.self.path);
      if (!item.own && in_place) continue;
      seen.item = std::move(item);
      if (seen.item.own && !IsFolder(seen) && !IsLinked(seen) && EntryBuilder::Untouched(seen))
        continue;
      frame.items.push_back(std::move(seen));
    }
    std::sort(frame.items.begin(), frame.items.end(),
              [](const Seen& a, const Seen& b) { return NameOf(a.path) < NameOf(b.path); });
    return members.Unclaimed();
  }

  // As the layers spell it: on disk a name has the spelling of the layer that had it first, and an
  // over-long one is shortened (store §2).
  Expected<std::string> NameOfItem(const TreeItem& item, const Member* member) {
    if (!item.own) return item.node.name;
    if (member != nullptr) return member->node.name;
    if (!item.origin) return item.name;
    WCLAYER_ASSIGN(Node node,
                   chain_->layer(item.origin->layer).metadata->ReadNode(item.origin->ordinal));
    return node.disk_name == item.name ? std::move(node.name) : item.name;
  }

  // ---- Links ----

  // Whether a link's text leads to a folder of the same tree. What it cannot name is no folder.
  Expected<bool> PointsToFolder(const Seen& seen, const std::string& text) {
    WCLAYER_ASSIGN(TreeFolder root, tree_->Root());
    std::vector<TreeFolder> way;
    way.push_back(std::move(root));
    std::deque<std::string> names;
    for (const auto part : Components(seen.folder->path)) names.emplace_back(part);
    const auto append = [&](std::string_view target) {
      if (target.starts_with('/')) names.clear();
      for (const auto part : Components(target)) names.emplace_back(part);
    };
    append(text);
    int hops = 0;
    while (!names.empty()) {
      const std::string name = std::move(names.front());
      names.pop_front();
      if (name.empty() || name == ".") continue;
      if (name == "..") {
        if (way.size() > 1) way.pop_back();
        continue;
      }
      if (name.size() > kMaxDiskNameBytes) return false;
      WCLAYER_ASSIGN(const auto item, tree_->Find(way.back(), name));
      if (!item) return false;
      if (item->type == fs::Type::kDirectory) {
        WCLAYER_ASSIGN(TreeFolder inner, tree_->Enter(way.back(), *item));
        way.push_back(std::move(inner));
      } else if (item->type == fs::Type::kSymlink) {
        if (++hops > kMaxLinkHops) return false;
        WCLAYER_ASSIGN(const std::string target, tree_->ReadLink(way.back(), *item));
        if (target.starts_with('/')) way.resize(1);
        const auto parts = Components(target);
        names.insert(names.begin(), parts.begin(), parts.end());
      } else {
        return false;
      }
    }
    return true;
  }

  // ---- Hives ----

  void MakeUp(std::string_view path, Kind kind, Entry& entry) const {
    entry = Entry();
    entry.kind = kind;
    entry.path = path;
    entry.attributes = kind == Kind::kDirectory ? 0x10 : 0x20;
    std::fill(std::begin(entry.times), std::end(entry.times), created_);
  }

  void MakeUpHives() {
    const auto push = [&](std::string_view path, Kind kind) {
      Ready ready;
      MakeUp(path, kind, ready.shown);
      if (kind == Kind::kFile) {
        const Buffer hive = MinimalHive();
        ready.shown.size = hive.size();
        ready.shown.checksum = io::Checksum(hive);
        ready.shown.has_checksum = true;
      }
      ready.file = ready.shown;
      ready.place.made_up = true;
      Push(std::move(ready));
    };
    push(kHives, Kind::kDirectory);
    for (const auto name : kDeltaNames) push(Join(kHives, name), Kind::kFile);
  }

  // ---- The current entry ----

  Expected<int> OpenCurrent() {
    const Place& place = current_.place;
    if (place.made_up) {
      WCLAYER_ASSIGN(fs::UniqueFd file, fs::UnnamedFile());
      WCLAYER_TRY(fs::WriteAt(file.get(), MinimalHive(), 0));
      return file.release();
    }
    if (!place.own) {
      WCLAYER_ASSIGN(Entry theirs, EntryOfBase());
      WCLAYER_ASSIGN(auto file, chain_->OpenData(*place.base, theirs));
      return file.release();
    }
    auto file = tree_->root().OpenFile(place.disk_path);
    if (!file) {
      Error error = std::move(file).error();
      if (error.sys_errno == ENOENT || error.sys_errno == ENOTDIR)
        error.message = "the file was removed while the layer was being read";
      error.path = current_.file.path;
      return error;
    }
    WCLAYER_ASSIGN(const auto info, fs::StatFd(file->get()));
    if (info.size < current_.file.size)
      return Error(Errc::kLayerBusy, "the file became shorter while the layer was being read")
          .At(current_.file.path);
    return file->release();
  }

  Expected<Entry> EntryOfBase() {
    Entry theirs;
    WCLAYER_TRY(chain_->Load(*current_.place.base, theirs, true));
    return theirs;
  }

  Expected<ChangeKind> CompareCurrent() {
    if (current_.place.made_up) return ChangeKind::kUnchanged;
    return CompareWith(*chain_, 0, current_.file, [this] { return OpenCurrent(); });
  }

  // The entry of a path given before, as it is now.
  Status Rebuild(const std::string& path) {
    const Place& place = current_.place;
    Entry& entry = current_.file;
    if (place.made_up) {
      const bool file = path.find('/') != std::string::npos;
      MakeUp(path, file ? Kind::kFile : Kind::kDirectory, entry);
      if (file) entry.size = MinimalHive().size();
    } else {
      Seen seen;
      seen.path = path;
      auto folder = std::make_shared<TreeFolder>();
      folder->path = ParentOf(place.disk_path);
      seen.folder = std::move(folder);
      seen.item.name = NameOf(place.disk_path);
      seen.item.own = place.own;
      seen.item.origin = place.base;
      if (place.own && tree_->root()) {
        auto info = tree_->root().Stat(place.disk_path);
        if (!info) {
          Error error = std::move(info).error();
          error.message = "the file was removed while the layer was being read";
          error.path = path;
          return error;
        }
        seen.item.info = *info;
        seen.item.type = info->type;
      }
      WCLAYER_ASSIGN(Built built, builder_->Build(seen, place.holds_names));
      entry = std::move(built.entry);
    }
    current_.shown = entry;
    return {};
  }

  struct First {
    std::string path;
    std::uint64_t ordinal = 0;
  };

  std::string id_;
  fs::Dir layer_;
  std::int64_t created_ = 0;
  std::unique_ptr<Chain> chain_;
  std::unique_ptr<UserTree> tree_;
  std::unique_ptr<EntryBuilder> builder_;
  std::vector<Frame> frames_;
  std::deque<Ready> ready_;
  bool hives_ = false;  // still to come
  std::uint64_t ordinal_ = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, First> first_names_;
  std::unordered_map<std::string, Place> places_;
  Ready current_;
};

}  // namespace

Expected<std::unique_ptr<Content>> OpenWritable(const std::shared_ptr<Home>& home,
                                                const std::string& id) {
  auto content = std::make_unique<WritableContent>();
  if (auto opened = content->Open(*home, id); !opened) return std::move(opened).error().Of(id);
  return std::unique_ptr<Content>(std::move(content));
}

}  // namespace wclayer::portable
