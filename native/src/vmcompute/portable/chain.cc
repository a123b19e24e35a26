#include "portable/chain.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "base/limits.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

constexpr std::size_t kKeptFolders = 4096;
constexpr std::size_t kCacheBlocks = 256;  // of all layers together: 16 MiB at most

// Files and folders that are links show nothing of what parents have below them.
bool Merges(const Node& node) {
  return node.kind == Kind::kDirectory && !node.reparse;
}

std::vector<const StreamRecord*> SortedStreams(const Entry& entry) {
  std::vector<const StreamRecord*> sorted;
  for (const auto& stream : entry.streams) sorted.push_back(&stream);
  std::sort(sorted.begin(), sorted.end(), [](const StreamRecord* a, const StreamRecord* b) {
    return std::tie(a->header.id, a->header.name) < std::tie(b->header.id, b->header.name);
  });
  return sorted;
}

bool StreamsDiffer(const Entry& a, const Entry& b) {
  if (a.streams.size() != b.streams.size()) return true;
  const auto left = SortedStreams(a);
  const auto right = SortedStreams(b);
  for (std::size_t i = 0; i < left.size(); ++i) {
    const StreamRecord& x = *left[i];
    const StreamRecord& y = *right[i];
    if (x.header.id != y.header.id || x.header.name != y.header.name ||
        x.header.size != y.header.size || x.checksum != y.checksum)
      return true;
    if (!x.external && !y.external && x.inline_data != y.inline_data) return true;
  }
  return false;
}

bool SameRanges(const Entry& a, const Entry& b) {
  return std::equal(a.ranges.begin(), a.ranges.end(), b.ranges.begin(), b.ranges.end(),
                    [](const DataRange& x, const DataRange& y) {
                      return x.offset == y.offset && x.size == y.size;
                    });
}

}  // namespace

Expected<std::unique_ptr<Chain>> Chain::Open(const Home& home,
                                             const std::vector<std::string>& ids) {
  if (ids.size() > kMaxChain) return LimitError("kMaxChain", kMaxChain, ids.size());
  auto chain = std::make_unique<Chain>();
  const std::size_t blocks =
      std::clamp<std::size_t>(kCacheBlocks / std::max<std::size_t>(ids.size(), 1), 3, 32);
  for (const auto& id : ids) {
    ChainLayer layer;
    layer.id = id;
    WCLAYER_ASSIGN(layer.dir, home.OpenLayer(id));
    WCLAYER_ASSIGN(const auto folder, home.OpenMetadata(id));
    if (folder) {
      auto reader = MetadataReader::Open(folder, blocks);
      if (!reader) return std::move(reader).error().Of(id);
      layer.metadata = *std::move(reader);
    }
    chain->layers_.push_back(std::move(layer));
  }
  return chain;
}

void Chain::PushFront(ChainLayer layer) {
  layers_.insert(layers_.begin(), std::move(layer));
  folders_.clear();
}

Folder Chain::Top(std::size_t from) const {
  Folder top;
  for (std::size_t i = from; i < layers_.size(); ++i)
    if (layers_[i].metadata) top.parts.push_back({static_cast<std::uint32_t>(i), kNoOrdinal});
  return top;
}

Expected<Folder> Chain::Enter(const Folder& folder, std::string_view name) {
  Folder inner;
  const std::string folded = Fold(name);
  for (const auto& part : folder.parts) {
    MetadataReader& metadata = *layers_[part.layer].metadata;
    WCLAYER_ASSIGN(const auto ordinal, metadata.FindChildFolded(part.ordinal, folded));
    if (ordinal == kNoOrdinal) continue;
    WCLAYER_ASSIGN(const Node node, metadata.ReadNode(ordinal));
    if (!Merges(node)) break;
    inner.parts.push_back({part.layer, ordinal});
    if (node.opaque) break;
  }
  return inner;
}

Expected<const Folder*> Chain::Resolve(std::string_view path, std::size_t from) {
  const std::string folded = Fold(path);
  const auto key = [from](std::string_view folder) {
    return std::to_string(from) + ':' + std::string(folder);
  };
  const auto result = [](const Folder& folder) { return folder.parts.empty() ? nullptr : &folder; };
  if (const auto known = folders_.find(key(folded)); known != folders_.end())
    return result(known->second);
  if (folders_.size() >= kKeptFolders) folders_.clear();
  Folder folder;
  const auto parent = folded.empty() ? folders_.end() : folders_.find(key(ParentOf(folded)));
  if (parent != folders_.end()) {
    WCLAYER_ASSIGN(folder, Enter(parent->second, NameOf(folded)));
  } else {
    folder = Top(from);
    for (const auto name : Components(folded)) {
      if (folder.parts.empty()) break;
      WCLAYER_ASSIGN(folder, Enter(folder, name));
    }
  }
  return result(folders_.emplace(key(folded), std::move(folder)).first->second);
}

Expected<std::optional<Found>> Chain::FindIn(const Folder& folder, std::string_view name) {
  const std::string folded = Fold(name);
  for (const auto& part : folder.parts) {
    MetadataReader& metadata = *layers_[part.layer].metadata;
    WCLAYER_ASSIGN(const auto ordinal, metadata.FindChildFolded(part.ordinal, folded));
    if (ordinal == kNoOrdinal) continue;
    WCLAYER_ASSIGN(const Node node, metadata.ReadNode(ordinal));
    if (node.kind == Kind::kTombstone) break;
    return std::optional<Found>(Found{part.layer, ordinal});
  }
  return std::optional<Found>();
}

Expected<std::optional<Found>> Chain::Find(std::string_view path, std::size_t from) {
  WCLAYER_ASSIGN(const Folder* folder, Resolve(ParentOf(path), from));
  if (folder == nullptr) return std::optional<Found>();
  return FindIn(*folder, NameOf(path));
}

Expected<std::optional<Found>> Chain::FindDisk(std::string_view disk_path, std::size_t from) {
  Folder folder = Top(from);
  std::optional<Found> found;
  const auto names = Components(disk_path);
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string name(names[i]);
    if (IsShortened(name)) {
      WCLAYER_ASSIGN(const auto members, List(folder, true));
      const auto member =
          std::find_if(members.begin(), members.end(),
                       [&](const Member& candidate) { return candidate.node.disk_name == name; });
      if (member != members.end()) name = member->node.name;
    }
    WCLAYER_ASSIGN(found, FindIn(folder, name));
    if (!found) break;
    if (i + 1 < names.size()) {
      WCLAYER_ASSIGN(folder, Enter(folder, name));
    }
  }
  return found;
}

Expected<std::vector<Member>> Chain::List(const Folder& folder, bool tombstones) {
  std::vector<Member> members;
  std::unordered_set<std::string> seen;
  const bool merged = folder.parts.size() > 1;
  for (const auto& part : folder.parts) {
    MetadataReader& metadata = *layers_[part.layer].metadata;
    WCLAYER_TRY(metadata.Children(part.ordinal, [&](Node& node) -> Status {
      if (merged && !seen.insert(Fold(node.name)).second) return {};
      const Found at{part.layer, node.ordinal};
      members.push_back({at, std::move(node)});
      return {};
    }));
  }
  if (!tombstones)
    std::erase_if(members,
                  [](const Member& member) { return member.node.kind == Kind::kTombstone; });
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.node.name < b.node.name; });
  return members;
}

Expected<std::string> Chain::DiskSpelling(const Folder& folder, std::string_view name) {
  const std::string folded = Fold(name);
  for (const auto& part : folder.parts) {
    MetadataReader& metadata = *layers_[part.layer].metadata;
    WCLAYER_ASSIGN(const auto ordinal, metadata.FindChildFolded(part.ordinal, folded));
    if (ordinal == kNoOrdinal) continue;
    WCLAYER_ASSIGN(Node node, metadata.ReadNode(ordinal));
    return std::move(node.disk_name);
  }
  return std::string();
}

Status Chain::Load(const Found& found, Entry& entry, bool resolve) {
  ChainLayer& layer = layers_[found.layer];
  auto status = [&]() -> Status {
    WCLAYER_TRY(layer.metadata->Read(found.ordinal, entry));
    if (!resolve || entry.kind != Kind::kHardLink) return {};
    Entry holder;
    WCLAYER_TRY(layer.metadata->Read(static_cast<std::uint32_t>(entry.first_name), holder));
    holder.path = std::move(entry.path);
    holder.disk_path = std::move(entry.disk_path);
    entry = std::move(holder);
    return {};
  }();
  if (!status) return std::move(status).error().Of(layer.id);
  return {};
}

Expected<fs::UniqueFd> Chain::OpenData(const Found& found, const Entry& entry) {
  ChainLayer& layer = layers_[found.layer];
  if (layer.source) {
    Entry there;
    WCLAYER_ASSIGN(const bool seen, layer.source->SeekPath(entry.path, there));
    if (!seen)
      return Error(Errc::kLayerDamaged, "the file has vanished").At(entry.path).Of(layer.id);
    WCLAYER_ASSIGN(const int fd, layer.source->OpenData());
    return fs::UniqueFd(fd);
  }
  auto file = layer.dir.OpenFile(entry.disk_path);
  if (!file) return std::move(file).error().Of(layer.id);
  return file;
}

Expected<std::size_t> Chain::ReadStream(const Found& found, const StreamRecord& stream,
                                        std::uint64_t offset, MutableBytes buffer) {
  ChainLayer& layer = layers_[found.layer];
  if (layer.source && stream.external) return layer.source->ReadStream(stream, offset, buffer);
  return ReadLayerStream(layer, stream, offset, buffer);
}

Expected<std::size_t> ReadLayerStream(ChainLayer& layer, const StreamRecord& stream,
                                      std::uint64_t offset, MutableBytes buffer) {
  if (offset >= stream.header.size) return std::size_t{0};
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), stream.header.size - offset));
  if (!stream.external) {
    const Bytes from = Bytes(stream.inline_data).subspan(static_cast<std::size_t>(offset), size);
    std::copy(from.begin(), from.end(), buffer.begin());
    return size;
  }
  if (!layer.streams) {
    auto file = layer.dir.OpenFile(Join(kPrivate, kStreamsFile));
    if (!file) return std::move(file).error().Of(layer.id);
    layer.streams = *std::move(file);
  }
  WCLAYER_ASSIGN(const std::size_t got,
                 fs::ReadAt(layer.streams.get(), buffer.first(size), stream.offset + offset));
  if (got != size)
    return Error(Errc::kLayerDamaged, "a stored stream is cut short").At(kStreamsFile).Of(layer.id);
  return got;
}

Expected<bool> Differs(const Entry& a, const Entry& b,
                       const std::function<Expected<bool>()>& same_bytes) {
  if (a.kind != b.kind || a.attributes != b.attributes || a.times[2] != b.times[2] ||
      a.time_remainder[2] != b.time_remainder[2] || a.reparse_tag != b.reparse_tag ||
      a.security != b.security || StreamsDiffer(a, b))
    return true;
  if (a.kind != Kind::kFile) return false;
  if (a.size != b.size) return true;
  if (a.size == 0) return false;
  const bool comparable =
      a.has_checksum && b.has_checksum && a.sparse == b.sparse && SameRanges(a, b);
  if (comparable) return a.checksum != b.checksum;
  WCLAYER_ASSIGN(const bool same, same_bytes());
  return !same;
}

}  // namespace wclayer::portable
