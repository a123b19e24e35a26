#include "portable/verify.h"

#include <algorithm>

#include "io/digest.h"
#include "portable/chain.h"
#include "portable/link_text.h"
#include "portable/metadata.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

class Verifier {
 public:
  Verifier(ChainLayer layer, bool payloads, const ReportProblem& report)
      : layer_(std::move(layer)),
        payloads_(payloads),
        report_(&report),
        piece_(payloads ? kPiece : 0) {}

  Status Run() {
    WCLAYER_TRY(layer_.metadata->CheckAll());
    std::vector<std::uint32_t> folders = {kNoOrdinal};
    while (!folders.empty()) {
      const std::uint32_t folder = folders.back();
      folders.pop_back();
      WCLAYER_TRY(CheckFolder(folder, folders));
    }
    return {};
  }

 private:
  void Report(std::string_view path, std::string_view problem) { (*report_)(path, problem); }

  // Everything of one folder, on disk and in the metadata.
  Status CheckFolder(std::uint32_t folder, std::vector<std::uint32_t>& deeper) {
    MetadataReader& metadata = *layer_.metadata;
    WCLAYER_ASSIGN(const std::string path, metadata.PathOf(folder));
    WCLAYER_ASSIGN(const std::string disk_path, metadata.DiskPathOf(folder));
    auto dir = layer_.dir.OpenDir(disk_path);
    if (!dir) {
      Report(path, "the folder cannot be opened: " + dir.error().message);
      return {};
    }
    WCLAYER_ASSIGN(const auto listed, dir->List());
    std::vector<bool> seen(listed.size());
    std::vector<Node> nodes;
    WCLAYER_TRY(metadata.Children(folder, [&](Node& node) -> Status {
      if (node.kind != Kind::kTombstone) nodes.push_back(std::move(node));
      return {};
    }));
    for (const auto& node : nodes) {
      const auto item = std::lower_bound(
          listed.begin(), listed.end(), node.disk_name,
          [](const fs::Listed& a, const std::string& name) { return a.name < name; });
      if (item == listed.end() || item->name != node.disk_name) {
        Report(Join(path, node.name), "it is missing");
        continue;
      }
      WCLAYER_TRY(CheckEntry(node, item->type, *dir));
      if (node.kind == Kind::kDirectory && item->type == fs::Type::kDirectory)
        deeper.push_back(node.ordinal);
      seen[static_cast<std::size_t>(item - listed.begin())] = true;
    }
    // Beside the layer's own folders lie files of the driver.
    if (folder == kNoOrdinal) return {};
    for (std::size_t i = 0; i < listed.size(); ++i)
      if (!seen[i]) Report(Join(path, listed[i].name), "it is not part of the layer");
    return {};
  }

  Status CheckEntry(const Node& node, fs::Type type, const fs::Dir& dir) {
    Entry entry;
    WCLAYER_TRY(layer_.metadata->Read(node.ordinal, entry));
    if (payloads_) {
      for (const auto& stream : entry.streams) WCLAYER_TRY(CheckStream(entry, stream));
    }
    if (const StreamRecord* reparse = entry.Reparse();
        reparse != nullptr && node.parent != kNoOrdinal) {
      const auto text = LinkText(entry.path, reparse->inline_data);
      if (!text) {
        Report(entry.path, text.error().message);
        return {};
      }
      if (*text && entry.size == 0) return CheckLink(entry, type, **text, dir);
    }
    if (entry.directory()) {
      if (type != fs::Type::kDirectory) Report(entry.path, "it is no folder on disk");
      return {};
    }
    if (entry.kind == Kind::kHardLink) {
      // The same file, or (beyond the links a file system allows) a copy of it.
      const std::string path = entry.path;
      const std::string disk_path = entry.disk_path;
      Entry file;
      WCLAYER_TRY(layer_.metadata->Read(static_cast<std::uint32_t>(entry.first_name), file));
      const auto own = layer_.dir.Stat(disk_path);
      const auto first = layer_.dir.Stat(file.disk_path);
      if (own && first && own->inode == first->inode && own->device == first->device) return {};
      if (const StreamRecord* reparse = file.Reparse(); reparse != nullptr && file.size == 0)
        return {};
      entry = std::move(file);
      entry.path = path;
      entry.disk_path = disk_path;
    }
    if (type != fs::Type::kFile) {
      Report(entry.path, "it is no file on disk");
      return {};
    }
    return CheckData(entry, dir);
  }

  Status CheckLink(const Entry& entry, fs::Type type, const std::string& text, const fs::Dir& dir) {
    if (type != fs::Type::kSymlink) {
      Report(entry.path, "it is no link on disk");
      return {};
    }
    const auto target = dir.ReadLink(NameOf(entry.disk_path));
    if (!target || *target != text) Report(entry.path, "the link on disk leads elsewhere");
    return {};
  }

  Status CheckStream(const Entry& entry, const StreamRecord& stream) {
    io::StreamChecksum sum;
    for (std::uint64_t at = 0; at < stream.header.size;) {
      const auto got = ReadLayerStream(layer_, stream, at, piece_);
      if (!got || *got == 0) {
        Report(entry.path, "a stored stream is cut short");
        return {};
      }
      sum.Update(Bytes(piece_).first(*got));
      at += *got;
    }
    if (sum.Value() != stream.checksum)
      Report(entry.path, "the checksum of a stored stream is wrong");
    return {};
  }

  Status CheckData(const Entry& entry, const fs::Dir& dir) {
    auto file = dir.OpenFile(NameOf(entry.disk_path));
    if (!file) {
      Report(entry.path, "the file cannot be opened: " + file.error().message);
      return {};
    }
    WCLAYER_ASSIGN(const auto info, fs::StatFd(file->get()));
    if (info.size != entry.size) {
      Report(entry.path, "the file has " + std::to_string(info.size) + " bytes, not " +
                             std::to_string(entry.size));
      return {};
    }
    if (!payloads_ || !entry.has_checksum) return {};
    io::StreamChecksum sum;
    const auto add = [&](std::uint64_t offset, std::uint64_t size) -> Status {
      for (std::uint64_t at = 0; at < size;) {
        const auto want =
            static_cast<std::size_t>(std::min<std::uint64_t>(piece_.size(), size - at));
        WCLAYER_ASSIGN(const std::size_t got,
                       fs::ReadAt(file->get(), MutableBytes(piece_).first(want), offset + at));
        if (got == 0) return Error(Errc::kIo, "the file ended early");
        sum.Update(Bytes(piece_).first(got));
        at += got;
      }
      return {};
    };
    Status read;
    if (entry.sparse) {
      for (const auto& range : entry.ranges)
        if (read) read = add(range.offset, range.size);
    } else {
      read = add(0, entry.size);
    }
    if (!read)
      Report(entry.path, "the file cannot be read: " + read.error().message);
    else if (sum.Value() != entry.checksum)
      Report(entry.path, "the checksum of the file is wrong");
    return {};
  }

  ChainLayer layer_;
  bool payloads_;
  const ReportProblem* report_;
  Buffer piece_;
};

}  // namespace

Status VerifyLayer(const Home& home, const std::string& id, bool payloads,
                   const ReportProblem& report) {
  WCLAYER_ASSIGN(const auto kind, home.KindOf(id));
  if (kind == LayerKind::kNone)
    return Error(Errc::kLayerNotFound, "there is no layer of this id").Of(id);
  if (kind != LayerKind::kCommitted) return {};
  const auto parents = home.ParentsOf(id);
  if (!parents) {
    report("", parents.error().ToString());
  } else {
    for (const auto& parent : *parents) {
      WCLAYER_ASSIGN(const auto parent_kind, home.KindOf(parent));
      if (parent_kind == LayerKind::kNone) report("", "its parent '" + parent + "' is missing");
    }
  }
  ChainLayer layer;
  layer.id = id;
  WCLAYER_ASSIGN(layer.dir, home.OpenLayer(id));
  WCLAYER_ASSIGN(const auto folder, home.OpenMetadata(id));
  auto reader = MetadataReader::Open(folder);
  if (!reader) {
    report("", reader.error().ToString());
    return {};
  }
  layer.metadata = *std::move(reader);
  Verifier verifier(std::move(layer), payloads, report);
  auto checked = verifier.Run();
  if (!checked && checked.error().code == Errc::kLayerDamaged) {
    report(checked.error().path, checked.error().message);
    return {};
  }
  return checked;
}

Expected<bool> LooksDamaged(const Home& home, const std::string& id) {
  auto folder = home.OpenMetadata(id);
  if (!folder) return std::move(folder).error();
  if (!*folder) return false;
  auto reader = MetadataReader::Open(*folder, 2);
  if (reader) return false;
  if (reader.error().code == Errc::kAccessDenied) return std::move(reader).error();
  return true;
}

}  // namespace wclayer::portable
