#include <algorithm>

#include "base/limits.h"
#include "io/digest.h"
#include "portable/metadata.h"
#include "portable/metadata_file.h"
#include "portable/metadata_record.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

constexpr std::size_t kMaxPathBytes = 4 * kMaxPathUnits;
constexpr std::size_t kKeptDescriptorBytes = 1u << 20;

}  // namespace

struct MetadataReader::State {
  State(fs::UniqueFd descriptor, const Footer& f, std::vector<std::uint64_t> s,
        std::size_t cache_blocks)
      : file(std::move(descriptor)),
        footer(f),
        sums(std::move(s)),
        blocks(file.get(), footer.body, cache_blocks, &sums) {}

  fs::UniqueFd file;
  Footer footer;
  std::vector<std::uint64_t> sums;
  BlockCache blocks;
  std::unordered_map<std::uint64_t, Buffer> descriptors;  // by offset; most layers have few
  std::size_t descriptor_bytes = 0;
  // Paths of the folder that held the entry read last: its siblings usually follow.
  std::uint32_t folder = kNoOrdinal;
  std::string folder_path;
  std::string folder_disk_path;

  template <class T>
  Expected<T> At(SectionId id, std::uint64_t index) {
    const Section& section = footer.sections[id];
    if (index >= section.length / sizeof(T))
      return MetadataDamaged("an index is out of its section", section.offset);
    WCLAYER_ASSIGN(const Bytes bytes, blocks.View(section.offset + index * sizeof(T), sizeof(T)));
    return LoadLe<T>(bytes.data());
  }

  Expected<std::uint64_t> OffsetOf(std::uint32_t ordinal) {
    if (ordinal >= footer.entries)
      return Error(Errc::kInvalidArgument, "the layer has no entry " + std::to_string(ordinal));
    WCLAYER_ASSIGN(const auto offset, At<std::uint64_t>(kOffsets, ordinal));
    if (offset == 0)
      return Error(Errc::kInvalidArgument,
                   "entry " + std::to_string(ordinal) + " was replaced by a later one");
    return offset;
  }

  Expected<Node> ReadNode(std::uint32_t ordinal) {
    WCLAYER_ASSIGN(const auto offset, OffsetOf(ordinal));
    if (offset >= footer.body) return MetadataDamaged("an entry lies beyond the data", offset);
    const auto head =
        static_cast<std::size_t>(std::min<std::uint64_t>(kRecordHeadBytes, footer.body - offset));
    // Most heads are short: a long view would often span two blocks for nothing.
    const auto first = std::min<std::size_t>(head, 160);
    WCLAYER_ASSIGN(Bytes bytes, blocks.View(offset, first));
    WCLAYER_ASSIGN(const auto length, RecordLength(bytes, offset));
    if (length > bytes.size() && head > first) {
      WCLAYER_ASSIGN(bytes, blocks.View(offset, std::min<std::size_t>(head, length)));
    }
    WCLAYER_ASSIGN(Node node,
                   DecodeHead(bytes.first(std::min<std::size_t>(bytes.size(), length)), offset));
    node.ordinal = ordinal;
    if (node.parent != kNoOrdinal && node.parent >= footer.entries)
      return MetadataDamaged("the folder of an entry does not exist", offset);
    return node;
  }

  Expected<std::uint32_t> FindFolded(std::uint32_t parent, std::string_view folded) {
    const std::uint32_t hash = HashOfName(parent, folded);
    const std::uint64_t slots = footer.sections[kIndex].length / 8;
    for (std::uint64_t i = 0, slot = hash & (slots - 1); i < slots;
         ++i, slot = (slot + 1) & (slots - 1)) {
      WCLAYER_ASSIGN(const auto value, At<std::uint64_t>(kIndex, slot));
      const auto ordinal = static_cast<std::uint32_t>(value);
      if (ordinal == 0) return kNoOrdinal;
      if (static_cast<std::uint32_t>(value >> 32) != hash) continue;
      WCLAYER_ASSIGN(const Node node, ReadNode(ordinal - 1));
      if (node.parent == parent && Fold(node.name) == folded) return node.ordinal;
    }
    return kNoOrdinal;
  }

  // Makes folder_path and folder_disk_path those of `ordinal`.
  Status EnterFolder(std::uint32_t ordinal) {
    if (ordinal == folder) return {};
    std::vector<Node> up;
    std::size_t bytes = 0;
    std::uint32_t at = ordinal;
    while (at != kNoOrdinal && at != folder) {
      WCLAYER_ASSIGN(Node node, ReadNode(at));
      if (node.kind != Kind::kDirectory)
        return MetadataDamaged("an entry lies below something that is no folder", 0);
      at = node.parent;
      bytes += node.name.size() + 1;
      if (bytes > kMaxPathBytes) return MetadataDamaged("folders contain each other", 0);
      up.push_back(std::move(node));
    }
    if (at == kNoOrdinal) {
      folder_path.clear();
      folder_disk_path.clear();
    }
    for (auto node = up.rbegin(); node != up.rend(); ++node) {
      if (!folder_path.empty()) {
        folder_path += '/';
        folder_disk_path += '/';
      }
      folder_path += node->name;
      folder_disk_path += node->disk_name;
    }
    folder = ordinal;
    if (folder_path.size() > kMaxPathBytes)
      return MetadataDamaged("a path is over kMaxPathUnits", 0);
    return {};
  }

  Status Security(const RecordLinks& links, Entry& entry) {
    if (links.security_offset == 0) return {};
    const auto kept = descriptors.find(links.security_offset);
    if (kept != descriptors.end() && kept->second.size() == links.security_bytes) {
      entry.security = kept->second;
      return {};
    }
    WCLAYER_ASSIGN(const Bytes bytes, blocks.View(links.security_offset, links.security_bytes));
    entry.security.assign(bytes.begin(), bytes.end());
    if (descriptor_bytes + bytes.size() > kKeptDescriptorBytes) {
      descriptors.clear();
      descriptor_bytes = 0;
    }
    descriptor_bytes += bytes.size();
    descriptors[links.security_offset] = entry.security;
    return {};
  }

  // Single components as paths, no security descriptor yet.
  Status ReadRecord(std::uint32_t ordinal, Entry& entry, RecordLinks& links) {
    WCLAYER_ASSIGN(const auto offset, OffsetOf(ordinal));
    WCLAYER_ASSIGN(const Bytes head, blocks.View(offset, sizeof(std::uint32_t)));
    WCLAYER_ASSIGN(const auto length, RecordLength(head, offset));
    WCLAYER_ASSIGN(const Bytes bytes, blocks.View(offset, length));
    WCLAYER_TRY(DecodeRecord(bytes, offset, entry, links));
    entry.ordinal = ordinal;
    if (links.parent != kNoOrdinal && links.parent >= footer.entries)
      return MetadataDamaged("the folder of an entry does not exist", offset);
    return {};
  }

  Expected<std::optional<LinkGroup>> GroupById(std::uint32_t group) {
    const Section& section = footer.sections[kLinks];
    std::uint64_t low = 0;
    std::uint64_t high = section.length / 12;
    while (low < high) {
      const std::uint64_t middle = low + (high - low) / 2;
      WCLAYER_ASSIGN(const Bytes bytes, blocks.View(section.offset + middle * 12, 12));
      const auto key = LoadLe<std::uint32_t>(bytes.data());
      if (key == group) {
        const LinkGroup found{LoadLe<std::uint32_t>(bytes.data() + 4),
                              LoadLe<std::uint32_t>(bytes.data() + 8)};
        if (found.file >= footer.entries || found.leader >= footer.entries)
          return MetadataDamaged("a hard link names an entry that does not exist", section.offset);
        return std::optional<LinkGroup>(found);
      }
      if (key < group)
        low = middle + 1;
      else
        high = middle;
    }
    return std::optional<LinkGroup>();
  }

  Status ResolveLink(const RecordLinks& links, Entry& entry) {
    WCLAYER_ASSIGN(const auto group, GroupById(links.group));
    if (!group) return MetadataDamaged("a hard link has no first name", 0);
    WCLAYER_ASSIGN(const Node holder, ReadNode(group->file));
    if (holder.kind != Kind::kFile) return MetadataDamaged("a hard link names no file", 0);
    entry.first_name = group->file;
    WCLAYER_TRY(EnterFolder(holder.parent));
    entry.link_target = Join(folder_path, holder.name);
    return {};
  }
};

MetadataReader::MetadataReader() = default;
MetadataReader::~MetadataReader() = default;

Expected<std::unique_ptr<MetadataReader>> MetadataReader::Open(const fs::Dir& folder,
                                                               std::size_t cache_blocks,
                                                               std::string_view name) {
  WCLAYER_ASSIGN(auto file, folder.OpenFile(name));
  return OpenFd(std::move(file), cache_blocks);
}

Expected<std::unique_ptr<MetadataReader>> MetadataReader::OpenFd(fs::UniqueFd file,
                                                                 std::size_t cache_blocks) {
  WCLAYER_ASSIGN(const auto info, fs::StatFd(file.get()));
  if (info.type != fs::Type::kFile || info.size < kFooterBytes + 16)
    return MetadataDamaged("the file is too short", info.size);
  Buffer tail(kFooterBytes);
  WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file.get(), tail, info.size - kFooterBytes));
  tail.resize(got);
  WCLAYER_ASSIGN(const Footer footer, DecodeFooter(tail, info.size));
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(BlocksOf(footer.body)));
  const MutableBytes raw = std::as_writable_bytes(std::span(sums));
  WCLAYER_ASSIGN(const std::size_t read, fs::ReadAt(file.get(), raw, footer.body));
  if (read != raw.size() || io::Checksum(raw) != footer.sums_sum)
    return MetadataDamaged("the checksum of the block sums is wrong", footer.body);
  std::unique_ptr<MetadataReader> reader(new MetadataReader());
  reader->state_ = std::make_unique<State>(std::move(file), footer, std::move(sums), cache_blocks);
  return reader;
}

std::uint32_t MetadataReader::entries() const {
  return state_->footer.entries;
}
std::uint32_t MetadataReader::size() const {
  return state_->footer.live;
}

Expected<std::uint32_t> MetadataReader::OrdinalAt(std::uint32_t place) {
  return state_->At<std::uint32_t>(kOrder, place);
}

Expected<std::uint32_t> MetadataReader::PlaceOf(std::uint32_t ordinal) {
  return state_->At<std::uint32_t>(kPlaces, ordinal);
}

Expected<std::uint32_t> MetadataReader::EndOf(std::uint32_t place) {
  WCLAYER_ASSIGN(const auto end, state_->At<std::uint32_t>(kEnds, place));
  if (end <= place || end > size())
    return MetadataDamaged("the end of a folder is out of place", place);
  return end;
}

Status MetadataReader::Read(std::uint32_t ordinal, Entry& entry) {
  RecordLinks links;
  WCLAYER_TRY(state_->ReadRecord(ordinal, entry, links));
  WCLAYER_TRY(state_->Security(links, entry));
  if (entry.kind == Kind::kHardLink) WCLAYER_TRY(state_->ResolveLink(links, entry));
  WCLAYER_TRY(state_->EnterFolder(links.parent));
  entry.path = Join(state_->folder_path, entry.path);
  entry.disk_path = Join(state_->folder_disk_path, entry.disk_path);
  return {};
}

Expected<Node> MetadataReader::ReadNode(std::uint32_t ordinal) {
  return state_->ReadNode(ordinal);
}

Expected<std::uint32_t> MetadataReader::FindChild(std::uint32_t parent, std::string_view name) {
  return state_->FindFolded(parent, Fold(name));
}

Expected<std::uint32_t> MetadataReader::FindChildFolded(std::uint32_t parent,
                                                        std::string_view folded_name) {
  return state_->FindFolded(parent, folded_name);
}

Expected<std::uint32_t> MetadataReader::FindPath(std::string_view path) {
  std::uint32_t at = kNoOrdinal;
  const std::string folded = Fold(path);
  for (const auto name : Components(folded)) {
    WCLAYER_ASSIGN(at, state_->FindFolded(at, name));
    if (at == kNoOrdinal) break;
  }
  return at;
}

Status MetadataReader::Children(std::uint32_t folder, const std::function<Status(Node&)>& each) {
  std::uint32_t place = 0;
  std::uint32_t end = size();
  if (folder != kNoOrdinal) {
    WCLAYER_ASSIGN(place, PlaceOf(folder));
    if (place == kNoOrdinal) return MetadataDamaged("a folder was replaced", 0);
    WCLAYER_ASSIGN(end, EndOf(place));
    ++place;
  }
  while (place < end) {
    WCLAYER_ASSIGN(const auto ordinal, OrdinalAt(place));
    WCLAYER_ASSIGN(Node node, ReadNode(ordinal));
    if (node.parent != folder) return MetadataDamaged("an entry is listed in the wrong folder", 0);
    WCLAYER_TRY(each(node));
    WCLAYER_ASSIGN(place, EndOf(place));
  }
  return {};
}

Expected<std::string> MetadataReader::PathOf(std::uint32_t ordinal) {
  if (ordinal == kNoOrdinal) return std::string();
  WCLAYER_ASSIGN(const Node node, ReadNode(ordinal));
  WCLAYER_TRY(state_->EnterFolder(node.parent));
  return Join(state_->folder_path, node.name);
}

Expected<std::string> MetadataReader::DiskPathOf(std::uint32_t ordinal) {
  if (ordinal == kNoOrdinal) return std::string();
  WCLAYER_ASSIGN(const Node node, ReadNode(ordinal));
  WCLAYER_TRY(state_->EnterFolder(node.parent));
  return Join(state_->folder_disk_path, node.disk_name);
}

Expected<std::optional<MetadataReader::LinkGroup>> MetadataReader::GroupOf(std::uint32_t ordinal) {
  if (state_->footer.sections[kLinks].length == 0) return std::optional<LinkGroup>();
  WCLAYER_ASSIGN(const Node node, ReadNode(ordinal));
  if (node.kind == Kind::kFile) return state_->GroupById(ordinal);
  if (node.kind != Kind::kHardLink) return std::optional<LinkGroup>();
  Entry entry;
  RecordLinks links;
  WCLAYER_TRY(state_->ReadRecord(ordinal, entry, links));
  return state_->GroupById(links.group);
}

Status MetadataReader::CheckAll() {
  const Footer& footer = state_->footer;
  WCLAYER_ASSIGN(const Bytes magic, state_->blocks.View(0, kMetadataMagic.size()));
  if (AsText(magic) != kMetadataMagic) return MetadataDamaged("this is no metadata file", 0);
  for (std::uint64_t at = 0; at < footer.body; at += kMetadataBlock)
    WCLAYER_TRY(state_->blocks.View(at, 1));
  Entry entry;
  for (std::uint32_t place = 0; place < size(); ++place) {
    WCLAYER_ASSIGN(const auto ordinal, OrdinalAt(place));
    if (ordinal >= entries())
      return MetadataDamaged("the order names an entry that does not exist", place);
    WCLAYER_ASSIGN(const auto back, PlaceOf(ordinal));
    if (back != place) return MetadataDamaged("an entry is in two places", place);
    WCLAYER_TRY(Read(ordinal, entry));
    WCLAYER_ASSIGN(const Node node, ReadNode(ordinal));
    if (node.parent != kNoOrdinal) {
      WCLAYER_ASSIGN(const auto folder, PlaceOf(node.parent));
      if (folder >= place) return MetadataDamaged("an entry comes before its folder", place);
      WCLAYER_ASSIGN(const auto end, EndOf(folder));
      if (end <= place) return MetadataDamaged("an entry lies outside its folder", place);
    }
    WCLAYER_ASSIGN(const auto found, FindChild(node.parent, node.name));
    if (found != ordinal) return MetadataDamaged("the index does not lead to an entry", place);
  }
  return CheckIndex();
}

// Every entry is found by it (above); and it names nothing else.
Status MetadataReader::CheckIndex() {
  const std::uint64_t slots = state_->footer.sections[kIndex].length / sizeof(std::uint64_t);
  std::uint64_t named = 0;
  for (std::uint64_t slot = 0; slot < slots; ++slot) {
    WCLAYER_ASSIGN(const auto value, state_->At<std::uint64_t>(kIndex, slot));
    const auto number = static_cast<std::uint32_t>(value);
    if (number == 0) continue;
    WCLAYER_ASSIGN(const auto place, PlaceOf(number - 1));
    if (place == kNoOrdinal)
      return MetadataDamaged("the index names an entry that was replaced", slot);
    ++named;
  }
  if (named != size()) return MetadataDamaged("the index names an entry twice", named);
  return {};
}

}  // namespace wclayer::portable
