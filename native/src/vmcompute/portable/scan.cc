#include "portable/scan.h"

#include <algorithm>
#include <map>
#include <vector>

#include "backup/reparse.h"
#include "backup/security.h"
#include "base/filetime.h"
#include "base/utf16.h"
#include "io/digest.h"
#include "portable/metadata.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

constexpr std::uint8_t kAllButWriteTimeAbsent = 0b1011;
constexpr std::size_t kPiece = 256u << 10;

class Scanner {
 public:
  Scanner(const fs::Dir& layer, MetadataWriter& writer)
      : layer_(&layer), writer_(&writer), piece_(kPiece) {}

  Expected<ScanResult> Run() {
    for (const std::string_view top : {"Files", "Hives", "UtilityVM"}) {
      WCLAYER_ASSIGN(const bool there, layer_->Exists(top));
      if (there) WCLAYER_TRY(Put("", kNoOrdinal, std::string(top)));
    }
    while (!folders_.empty()) {
      const Pending folder = std::move(folders_.back());
      folders_.pop_back();
      WCLAYER_ASSIGN(const auto dir, layer_->OpenDir(folder.path));
      WCLAYER_ASSIGN(const auto listed, dir.List());
      for (const auto& item : listed) WCLAYER_TRY(Put(folder.path, folder.ordinal, item.name));
    }
    return result_;
  }

 private:
  struct Pending {
    std::string path;
    std::uint32_t ordinal;
  };

  Status Put(const std::string& folder, std::uint32_t parent, const std::string& name) {
    const std::string path = Join(folder, name);
    WCLAYER_TRY(CheckPath(path));
    WCLAYER_ASSIGN(const auto info, layer_->Stat(path));
    Entry entry;
    entry.path = path;
    entry.disk_path = path;
    const UnixTime written{info.mtime_seconds, static_cast<std::int32_t>(info.mtime_nanos)};
    if (!FiletimeOfUnix(written, entry.times[2], entry.time_remainder[2]))
      entry.times[2] = kFiletimeOfUnixEpoch;
    for (const int i : {0, 1, 3}) entry.times[i] = entry.times[2];
    entry.time_absent = kAllButWriteTimeAbsent;
    const bool folder_entry = info.type == fs::Type::kDirectory;
    const Bytes descriptor =
        folder_entry ? backup::DefaultDirectoryDescriptor() : backup::DefaultFileDescriptor();
    entry.security.assign(descriptor.begin(), descriptor.end());
    entry.attributes = folder_entry ? 0x10 : 0x20;
    if (folder_entry) {
      entry.kind = Kind::kDirectory;
    } else if (info.type == fs::Type::kSymlink) {
      WCLAYER_TRY(AddTarget(path, entry));
    } else if (info.type == fs::Type::kFile) {
      WCLAYER_TRY(AddData(path, info, entry));
    } else {
      return Error(Errc::kUnsupported, "only files, folders and links can be part of a layer")
          .At(path);
    }
    WCLAYER_ASSIGN(const auto taken, writer_->Find(parent, name));
    if (taken != kNoOrdinal)
      return Error(Errc::kUnsafePath, "another name in this folder differs by case only").At(path);
    WCLAYER_ASSIGN(const auto ordinal, writer_->Add(parent, entry));
    if (folder_entry) folders_.push_back({path, ordinal});
    if (entry.kind == Kind::kFile && info.links > 1)
      first_names_.try_emplace({info.device, info.inode}, ordinal);
    return {};
  }

  Status AddTarget(const std::string& path, Entry& entry) {
    WCLAYER_ASSIGN(std::string target, layer_->ReadLink(path));
    std::replace(target.begin(), target.end(), '/', '\\');
    WCLAYER_ASSIGN(const auto wide, ToUtf16(target));
    StreamRecord record;
    record.header.id = backup::StreamId::kReparse;
    record.inline_data = backup::BuildReparse(wide, false);
    record.header.size = record.inline_data.size();
    record.checksum = io::Checksum(record.inline_data);
    entry.streams.push_back(std::move(record));
    entry.reparse_tag = backup::kTagSymlink;
    entry.attributes = 0x420;
    entry.has_data_stream = false;
    entry.checksum = io::Checksum({});
    entry.has_checksum = true;
    return {};
  }

  Status AddData(const std::string& path, const fs::Info& info, Entry& entry) {
    const auto first = first_names_.find({info.device, info.inode});
    if (first != first_names_.end()) {
      entry.kind = Kind::kHardLink;
      entry.first_name = first->second;
      entry.security.clear();
      return {};
    }
    WCLAYER_ASSIGN(const auto file, layer_->OpenFile(path));
    io::StreamChecksum sum;
    while (true) {
      WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file.get(), piece_, entry.size));
      if (got == 0) break;
      sum.Update(Bytes(piece_).first(got));
      entry.size += got;
    }
    entry.checksum = sum.Value();
    entry.has_checksum = true;
    result_.size_bytes += entry.size;
    return {};
  }

  const fs::Dir* layer_;
  MetadataWriter* writer_;
  Buffer piece_;
  std::vector<Pending> folders_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t> first_names_;
  ScanResult result_;
};

}  // namespace

Expected<ScanResult> ScanTree(const fs::Dir& layer, const fs::Dir& folder) {
  WCLAYER_ASSIGN(const auto writer, MetadataWriter::Create(folder));
  Scanner scanner(layer, *writer);
  WCLAYER_ASSIGN(const auto result, scanner.Run());
  WCLAYER_TRY(writer->Finish());
  return result;
}

}  // namespace wclayer::portable
