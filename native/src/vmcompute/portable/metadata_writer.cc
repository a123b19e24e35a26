#include <algorithm>
#include <numeric>

#include "base/limits.h"
#include "io/digest.h"
#include "portable/metadata.h"
#include "portable/metadata_file.h"
#include "portable/metadata_record.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

constexpr std::size_t kKnownDescriptorBytes = 4u
                                              << 20;  // beyond it a descriptor may be stored again
constexpr std::size_t kReadBackBlocks = 16;

}  // namespace

// What is kept in memory: 20 bytes an entry and its slot in the table of names; everything else is
// read back from the file, which a well-ordered import never needs.
struct MetadataWriter::State {
  struct Slot {
    std::uint32_t record = 0;  // offset / 8
    std::uint32_t parent = kNoOrdinal;
    std::uint32_t hash = 0;
    std::uint32_t link =
        0;  // ordinal + 1 of the next name of the same file; a file: of its first link
    Kind kind = Kind::kFile;
    bool dead = false;
    bool children = false;
  };

  fs::UniqueFd file;
  std::deque<Slot> slots;
  std::vector<std::uint32_t> table;  // ordinal + 1; a power of two, at most 3/4 full
  std::size_t used = 0;              // slots of the table, dead entries' included
  std::uint32_t live = 0;
  std::unordered_map<std::string, std::uint64_t> descriptors;
  std::size_t descriptor_bytes = 0;
  std::unordered_map<std::uint32_t, std::uint32_t> holder_of;  // group -> file, where they differ
  std::unordered_map<std::uint32_t, std::uint32_t> group_of;   // and back

  // The block being filled, sums of those written, and a cache to read back what was written.
  Buffer block;
  std::uint64_t flushed = 0;
  std::vector<std::uint64_t> sums;
  std::unique_ptr<BlockCache> cache;

  std::uint64_t At() const { return flushed + block.size(); }

  Status Flush() {
    if (block.empty()) return {};
    WCLAYER_TRY(fs::WriteAt(file.get(), block, flushed));
    sums.push_back(io::Checksum(block));
    flushed += block.size();
    block.clear();
    return {};
  }

  Status Put(Bytes bytes) {
    while (!bytes.empty()) {
      const std::size_t piece = std::min(bytes.size(), kMetadataBlock - block.size());
      Append(block, bytes.first(piece));
      bytes = bytes.subspan(piece);
      if (block.size() == kMetadataBlock) WCLAYER_TRY(Flush());
    }
    return {};
  }

  Status Align() {
    static constexpr std::byte kZeros[8] = {};
    return Put(Bytes(kZeros, (8 - At() % 8) % 8));
  }

  // A copy, because the block being filled moves.
  Expected<Buffer> Get(std::uint64_t offset, std::size_t length) {
    Buffer bytes;
    bytes.reserve(length);
    if (offset < flushed) {
      const auto piece =
          static_cast<std::size_t>(std::min<std::uint64_t>(length, flushed - offset));
      cache->SetBody(flushed);
      WCLAYER_ASSIGN(const Bytes view, cache->View(offset, piece));
      Append(bytes, view);
    }
    if (bytes.size() < length) {
      const auto from = static_cast<std::size_t>(offset + bytes.size() - flushed);
      if (from + (length - bytes.size()) > block.size())
        return MetadataDamaged("a record was read beyond the end", offset);
      Append(bytes, Bytes(block).subspan(from, length - bytes.size()));
    }
    return bytes;
  }

  std::uint64_t OffsetOf(std::uint32_t ordinal) const {
    return std::uint64_t{slots[ordinal].record} * 8;
  }

  Status CheckLive(std::uint32_t ordinal) const {
    if (ordinal < slots.size() && !slots[ordinal].dead) return {};
    return Error(Errc::kInvalidArgument, "the layer has no entry " + std::to_string(ordinal));
  }

  Expected<Node> ReadNode(std::uint32_t ordinal) {
    const std::uint64_t offset = OffsetOf(ordinal);
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(kRecordHeadBytes, At() - offset));
    WCLAYER_ASSIGN(const Buffer head, Get(offset, length));
    WCLAYER_ASSIGN(Node node, DecodeHead(head, offset));
    node.ordinal = ordinal;
    node.kind = slots[ordinal].kind;
    return node;
  }

  Status ReadRecord(std::uint32_t ordinal, Entry& entry, RecordLinks& links) {
    const std::uint64_t offset = OffsetOf(ordinal);
    WCLAYER_ASSIGN(const Buffer head, Get(offset, sizeof(std::uint32_t)));
    WCLAYER_ASSIGN(const auto length, RecordLength(head, offset));
    WCLAYER_ASSIGN(const Buffer record, Get(offset, length));
    WCLAYER_TRY(DecodeRecord(record, offset, entry, links));
    entry.ordinal = ordinal;
    if (links.security_offset != 0) {
      WCLAYER_ASSIGN(entry.security, Get(links.security_offset, links.security_bytes));
    }
    return {};
  }

  Expected<std::pair<std::string, std::string>> FolderPaths(std::uint32_t ordinal) {
    std::vector<Node> up;
    for (std::uint32_t at = ordinal; at != kNoOrdinal; at = slots[at].parent) {
      WCLAYER_ASSIGN(Node node, ReadNode(at));
      up.push_back(std::move(node));
    }
    std::pair<std::string, std::string> paths;
    for (auto node = up.rbegin(); node != up.rend(); ++node) {
      paths.first = Join(paths.first, node->name);
      paths.second = Join(paths.second, node->disk_name);
    }
    return paths;
  }

  std::uint32_t Holder(std::uint32_t group) const {
    const auto found = holder_of.find(group);
    return found == holder_of.end() ? group : found->second;
  }
  std::uint32_t Group(std::uint32_t file_ordinal) const {
    const auto found = group_of.find(file_ordinal);
    return found == group_of.end() ? file_ordinal : found->second;
  }

  Expected<std::uint64_t> StoreDescriptor(Bytes security) {
    std::string key(AsText(security));
    const auto known = descriptors.find(key);
    if (known != descriptors.end()) return known->second;
    const std::uint64_t offset = At();
    WCLAYER_TRY(Put(security));
    if (descriptor_bytes + key.size() <= kKnownDescriptorBytes) {
      descriptor_bytes += key.size();
      descriptors.emplace(std::move(key), offset);
    }
    return offset;
  }

  Expected<std::uint32_t> WriteRecord(const Entry& entry, RecordLinks links) {
    if (!entry.security.empty() && entry.kind != Kind::kTombstone) {
      WCLAYER_ASSIGN(links.security_offset, StoreDescriptor(entry.security));
      links.security_bytes = static_cast<std::uint32_t>(entry.security.size());
    }
    WCLAYER_ASSIGN(const Buffer record, EncodeRecord(entry, links));
    WCLAYER_TRY(Align());
    const std::uint64_t place = At() / 8;
    if (place > UINT32_MAX)
      return LimitError("kMaxMetadataBytes", std::uint64_t{UINT32_MAX} * 8, At());
    WCLAYER_TRY(Put(record));
    return static_cast<std::uint32_t>(place);
  }

  void PutInTable(std::uint32_t ordinal) {
    std::size_t slot = slots[ordinal].hash & (table.size() - 1);
    while (table[slot] != 0) slot = (slot + 1) & (table.size() - 1);
    table[slot] = ordinal + 1;
  }

  void Grow() {
    if ((used + 1) * 4 <= table.size() * 3) return;
    const std::size_t size = table.size() * 2;
    std::vector<std::uint32_t>().swap(table);
    table.resize(size);
    used = 0;
    for (std::uint32_t i = 0; i < slots.size(); ++i) {
      if (slots[i].dead) continue;
      PutInTable(i);
      ++used;
    }
  }

  Expected<std::uint32_t> FindFolded(std::uint32_t parent, std::string_view folded) {
    const std::uint32_t hash = HashOfName(parent, folded);
    for (std::size_t slot = hash & (table.size() - 1); table[slot] != 0;
         slot = (slot + 1) & (table.size() - 1)) {
      const std::uint32_t ordinal = table[slot] - 1;
      const Slot& candidate = slots[ordinal];
      if (candidate.hash != hash || candidate.parent != parent || candidate.dead) continue;
      WCLAYER_ASSIGN(const Node node, ReadNode(ordinal));
      if (Fold(node.name) == folded) return ordinal;
    }
    return kNoOrdinal;
  }

  // The file's data passes to another of its names, if it has one that is left.
  Status Promote(std::uint32_t file_ordinal) {
    std::uint32_t next = slots[file_ordinal].link;
    while (next != 0 && slots[next - 1].dead) next = slots[next - 1].link;
    if (next == 0) return {};
    const std::uint32_t heir = next - 1;
    Entry entry;
    RecordLinks links;
    WCLAYER_TRY(ReadRecord(file_ordinal, entry, links));
    WCLAYER_ASSIGN(const Node node, ReadNode(heir));
    entry.path = node.name;
    entry.disk_path = node.disk_name;
    links = RecordLinks();
    links.parent = node.parent;
    WCLAYER_ASSIGN(slots[heir].record, WriteRecord(entry, links));
    slots[heir].kind = Kind::kFile;
    const std::uint32_t group = Group(file_ordinal);
    holder_of[group] = heir;
    group_of.erase(file_ordinal);
    group_of[heir] = group;
    return {};
  }

  Status WriteSections(Footer& footer);
  Status Sort(std::vector<std::uint32_t>& children);
  Expected<std::vector<std::uint32_t>> MakeOrder(std::vector<std::uint32_t>& ends);
  std::vector<std::uint32_t> MakeLinks(const std::vector<std::uint32_t>& places) const;

  template <class T>
  Status PutSection(Footer& footer, SectionId id, const std::vector<T>& values) {
    WCLAYER_TRY(Align());
    footer.sections[id] = {At(), values.size() * sizeof(T)};
    return Put(std::as_bytes(std::span(values)));
  }
};

MetadataWriter::MetadataWriter() : state_(std::make_unique<State>()) {}
MetadataWriter::~MetadataWriter() = default;

Expected<std::unique_ptr<MetadataWriter>> MetadataWriter::Create(const fs::Dir& folder,
                                                                 std::string_view name) {
  std::unique_ptr<MetadataWriter> writer(new MetadataWriter());
  State& state = *writer->state_;
  WCLAYER_ASSIGN(state.file, folder.CreateFile(name));
  state.cache = std::make_unique<BlockCache>(state.file.get(), 0, kReadBackBlocks, nullptr);
  state.block.reserve(kMetadataBlock);
  state.table.resize(64);
  WCLAYER_TRY(state.Put(AsBytes(kMetadataMagic)));
  return writer;
}

Expected<std::uint32_t> MetadataWriter::Add(std::uint32_t parent, const Entry& entry) {
  State& state = *state_;
  if (state.slots.size() >= kMaxEntries)
    return LimitError("kMaxEntries", kMaxEntries, state.slots.size() + 1).At(entry.path);
  if (parent != kNoOrdinal) {
    WCLAYER_TRY(state.CheckLive(parent));
    if (state.slots[parent].kind != Kind::kDirectory)
      return Error(Errc::kInternal, "an entry was put below something that is no folder")
          .At(entry.path);
  }
  RecordLinks links;
  links.parent = parent;
  std::uint32_t holder = kNoOrdinal;
  if (entry.kind == Kind::kHardLink) {
    const auto first =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(entry.first_name, kNoOrdinal));
    WCLAYER_TRY(state.CheckLive(first));
    if (state.slots[first].kind == Kind::kHardLink) {
      Entry link;
      RecordLinks of_link;
      WCLAYER_TRY(state.ReadRecord(first, link, of_link));
      holder = state.Holder(of_link.group);
    } else {
      holder = first;
    }
    if (state.slots[holder].kind != Kind::kFile)
      return Error(Errc::kInternal, "a hard link names something that is no file").At(entry.path);
    links.group = state.Group(holder);
  }
  State::Slot slot;
  WCLAYER_ASSIGN(slot.record, state.WriteRecord(entry, links));
  slot.parent = parent;
  slot.hash = HashOfName(parent, Fold(NameOf(entry.path)));
  slot.kind = entry.kind;
  const auto ordinal = static_cast<std::uint32_t>(state.slots.size());
  if (holder != kNoOrdinal) {
    slot.link = state.slots[holder].link;
    state.slots[holder].link = ordinal + 1;
  }
  state.Grow();
  state.slots.push_back(slot);
  state.PutInTable(ordinal);
  ++state.used;
  ++state.live;
  if (parent != kNoOrdinal) state.slots[parent].children = true;
  return ordinal;
}

Status MetadataWriter::Update(std::uint32_t ordinal, const Entry& entry) {
  State& state = *state_;
  WCLAYER_TRY(state.CheckLive(ordinal));
  if (entry.kind != state.slots[ordinal].kind && state.slots[ordinal].link != 0)
    return Error(Errc::kInternal, "a file with several names cannot change its kind")
        .At(entry.path);
  Entry old;
  RecordLinks links;
  WCLAYER_TRY(state.ReadRecord(ordinal, old, links));
  RecordLinks fresh;
  fresh.parent = links.parent;
  fresh.group = links.group;
  if (!SamePath(NameOf(entry.path), old.path))
    return Error(Errc::kInternal, "an entry cannot change its name").At(entry.path);
  WCLAYER_ASSIGN(state.slots[ordinal].record, state.WriteRecord(entry, fresh));
  state.slots[ordinal].kind = entry.kind;
  return {};
}

Status MetadataWriter::Remove(std::uint32_t ordinal) {
  State& state = *state_;
  WCLAYER_TRY(state.CheckLive(ordinal));
  State::Slot& slot = state.slots[ordinal];
  if (slot.kind == Kind::kDirectory && slot.children)
    return Error(Errc::kInternal, "a folder that holds entries cannot be taken away");
  if (slot.kind == Kind::kFile && slot.link != 0) WCLAYER_TRY(state.Promote(ordinal));
  slot.dead = true;
  --state.live;
  return {};
}

Expected<std::uint32_t> MetadataWriter::Find(std::uint32_t parent, std::string_view name) const {
  return state_->FindFolded(parent, Fold(name));
}

Expected<std::uint32_t> MetadataWriter::FindPath(std::string_view path) const {
  std::uint32_t at = kNoOrdinal;
  const std::string folded = Fold(path);
  for (const auto name : Components(folded)) {
    WCLAYER_ASSIGN(at, state_->FindFolded(at, name));
    if (at == kNoOrdinal) break;
  }
  return at;
}

Expected<Node> MetadataWriter::ReadNode(std::uint32_t ordinal) const {
  WCLAYER_TRY(state_->CheckLive(ordinal));
  return state_->ReadNode(ordinal);
}

Status MetadataWriter::Read(std::uint32_t ordinal, Entry& entry) const {
  State& state = *state_;
  WCLAYER_TRY(state.CheckLive(ordinal));
  RecordLinks links;
  WCLAYER_TRY(state.ReadRecord(ordinal, entry, links));
  WCLAYER_ASSIGN(const auto paths, state.FolderPaths(links.parent));
  entry.path = Join(paths.first, entry.path);
  entry.disk_path = Join(paths.second, entry.disk_path);
  if (entry.kind == Kind::kHardLink) {
    const std::uint32_t holder = state.Holder(links.group);
    WCLAYER_ASSIGN(const Node node, state.ReadNode(holder));
    WCLAYER_ASSIGN(const auto folder, state.FolderPaths(node.parent));
    entry.first_name = holder;
    entry.link_target = Join(folder.first, node.name);
  }
  return {};
}

bool MetadataWriter::HasChildren(std::uint32_t ordinal) const {
  return state_->slots[ordinal].children;
}

std::uint32_t MetadataWriter::entries() const {
  return static_cast<std::uint32_t>(state_->slots.size());
}

// Sorts the children of one folder: tombstones first, then by the bytes of their names. An import
// in the reference order finds them sorted, and no list of names is built.
Status MetadataWriter::State::Sort(std::vector<std::uint32_t>& children) {
  const auto before = [this](std::uint32_t a, std::string_view a_name, std::uint32_t b,
                             std::string_view b_name) {
    const bool a_gone = slots[a].kind == Kind::kTombstone;
    const bool b_gone = slots[b].kind == Kind::kTombstone;
    return a_gone != b_gone ? a_gone : a_name < b_name;
  };
  struct Key {
    std::uint32_t ordinal;
    std::uint32_t length;
    std::size_t at;
  };
  std::string arena;
  std::vector<Key> keys;
  bool sorted = true;
  std::string last;
  std::uint32_t last_ordinal = 0;
  for (std::size_t i = 0; i < children.size() && sorted; ++i) {
    WCLAYER_ASSIGN(Node node, ReadNode(children[i]));
    sorted = i == 0 || before(last_ordinal, last, children[i], node.name);
    last = std::move(node.name);
    last_ordinal = children[i];
  }
  if (sorted) return {};
  keys.reserve(children.size());
  for (const auto ordinal : children) {
    WCLAYER_ASSIGN(const Node node, ReadNode(ordinal));
    keys.push_back({ordinal, static_cast<std::uint32_t>(node.name.size()), arena.size()});
    arena += node.name;
  }
  const auto name = [&](const Key& key) {
    return std::string_view(arena).substr(key.at, key.length);
  };
  std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
    return before(a.ordinal, name(a), b.ordinal, name(b));
  });
  for (std::size_t i = 0; i < keys.size(); ++i) children[i] = keys[i].ordinal;
  return {};
}

// The reference order, without recursion: folders may be nested thousands deep.
Expected<std::vector<std::uint32_t>> MetadataWriter::State::MakeOrder(
    std::vector<std::uint32_t>& ends) {
  const std::size_t count = slots.size();
  // starts[p + 1]: where the children of p begin in `children`; index 0 stands for the top.
  std::vector<std::uint32_t> starts(count + 2, 0);
  const auto index = [](std::uint32_t parent) -> std::size_t {
    return parent == kNoOrdinal ? 0 : std::size_t{parent} + 1;
  };
  for (const auto& slot : slots)
    if (!slot.dead) ++starts[index(slot.parent) + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<std::uint32_t> children(live);
  {
    std::vector<std::uint32_t> fill(starts.begin(), starts.end() - 1);
    for (std::uint32_t i = 0; i < count; ++i)
      if (!slots[i].dead) children[fill[index(slots[i].parent)]++] = i;
  }
  struct Level {
    std::uint32_t next;
    std::uint32_t end;
    std::uint32_t place;  // of the folder itself
  };
  const auto enter = [&](std::uint32_t folder, std::uint32_t place) -> Expected<Level> {
    const Level level{starts[index(folder)], starts[index(folder) + 1], place};
    std::vector<std::uint32_t> own(children.begin() + level.next, children.begin() + level.end);
    WCLAYER_TRY(Sort(own));
    std::copy(own.begin(), own.end(), children.begin() + level.next);
    return level;
  };
  std::vector<std::uint32_t> order;
  order.reserve(live);
  ends.resize(live);
  std::vector<Level> stack;
  WCLAYER_ASSIGN(const Level top, enter(kNoOrdinal, 0));
  stack.push_back(top);
  while (!stack.empty()) {
    Level& level = stack.back();
    if (level.next == level.end) {
      if (stack.size() > 1) ends[level.place] = static_cast<std::uint32_t>(order.size());
      stack.pop_back();
      continue;
    }
    const std::uint32_t ordinal = children[level.next++];
    const auto place = static_cast<std::uint32_t>(order.size());
    order.push_back(ordinal);
    ends[place] = place + 1;
    if (slots[ordinal].kind == Kind::kDirectory && slots[ordinal].children) {
      WCLAYER_ASSIGN(const Level deeper, enter(ordinal, place));
      stack.push_back(deeper);
    }
  }
  if (order.size() != live) return Error(Errc::kInternal, "an entry has no folder that is left");
  return order;
}

std::vector<std::uint32_t> MetadataWriter::State::MakeLinks(
    const std::vector<std::uint32_t>& places) const {
  struct Link {
    std::uint32_t group;
    std::uint32_t file;
    std::uint32_t leader;
  };
  std::vector<Link> links;
  for (std::uint32_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    if (slot.dead || slot.kind != Kind::kFile || slot.link == 0) continue;
    std::uint32_t leader = i;
    bool several = false;
    for (std::uint32_t next = slot.link; next != 0; next = slots[next - 1].link) {
      if (slots[next - 1].dead) continue;
      several = true;
      if (places[next - 1] < places[leader]) leader = next - 1;
    }
    if (!several) continue;
    const std::uint32_t group = Group(i);
    links.push_back({group, i, leader});
    if (group != i) links.push_back({i, i, leader});
  }
  std::sort(links.begin(), links.end(),
            [](const Link& a, const Link& b) { return a.group < b.group; });
  std::vector<std::uint32_t> words;
  words.reserve(links.size() * 3);
  for (const auto& link : links) words.insert(words.end(), {link.group, link.file, link.leader});
  return words;
}

Status MetadataWriter::State::WriteSections(Footer& footer) {
  footer.entries = static_cast<std::uint32_t>(slots.size());
  footer.live = live;
  std::vector<std::uint32_t>().swap(table);
  {
    std::vector<std::uint32_t> ends;
    WCLAYER_ASSIGN(const auto order, MakeOrder(ends));
    WCLAYER_TRY(PutSection(footer, kOrder, order));
    WCLAYER_TRY(PutSection(footer, kEnds, ends));
    std::vector<std::uint32_t>().swap(ends);
    std::vector<std::uint32_t> places(slots.size(), kNoOrdinal);
    for (std::uint32_t i = 0; i < order.size(); ++i) places[order[i]] = i;
    WCLAYER_TRY(PutSection(footer, kPlaces, places));
    WCLAYER_TRY(PutSection(footer, kLinks, MakeLinks(places)));
  }
  WCLAYER_TRY(Align());
  footer.sections[kOffsets] = {At(), slots.size() * 8};
  for (std::uint32_t i = 0; i < slots.size(); ++i) {
    const std::uint64_t offset = slots[i].dead ? 0 : OffsetOf(i);
    WCLAYER_TRY(Put(std::as_bytes(std::span(&offset, 1))));
  }
  std::size_t size = 16;
  while (size * 3 < (std::size_t{live} + 1) * 4) size *= 2;
  table.resize(size);
  for (std::uint32_t i = 0; i < slots.size(); ++i)
    if (!slots[i].dead) PutInTable(i);
  footer.sections[kIndex] = {At(), table.size() * 8};
  for (const auto value : table) {
    const std::uint64_t slot = value == 0 ? 0 : value | std::uint64_t{slots[value - 1].hash} << 32;
    WCLAYER_TRY(Put(std::as_bytes(std::span(&slot, 1))));
  }
  return Align();
}

Status MetadataWriter::Finish() {
  State& state = *state_;
  Footer footer;
  WCLAYER_TRY(state.WriteSections(footer));
  footer.body = state.At();
  // The last block and what comes behind it, in one write.
  if (!state.block.empty()) state.sums.push_back(io::Checksum(state.block));
  const Bytes sums = std::as_bytes(std::span(state.sums));
  footer.sums_sum = io::Checksum(sums);
  Append(state.block, sums);
  Append(state.block, EncodeFooter(footer));
  return fs::WriteAt(state.file.get(), state.block, state.flushed);
}

}  // namespace wclayer::portable
