#include "portable/scan.h"

#include <algorithm>
#include <map>
#include <vector>

#include "backup/reparse.h"
#include "backup/security.h"
#include "backup/stream.h"
#include "base/filetime.h"
#include "base/limits.h"
#include "base/utf16.h"
#include "fs/backup.h"
#include "fs/stored_times.h"
#include "io/digest.h"
#include "portable/metadata.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

// What the disk says of an entry without reading it.
Entry Unread(const std::string& path, const fs::Info& info) {
  Entry entry;
  entry.path = path;
  entry.disk_path = path;
  const UnixTime written{info.mtime_seconds, static_cast<std::int32_t>(info.mtime_nanos)};
  if (!FiletimeOfUnix(written, entry.times[2], entry.time_remainder[2]))
    entry.times[2] = kFiletimeOfUnixEpoch;
  for (const int i : {0, 1, 3}) entry.times[i] = entry.times[2];
  entry.time_absent = fs::kAllButWriteTimeAbsent;
  const bool folder = info.type == fs::Type::kDirectory;
  const Bytes descriptor =
      folder ? backup::DefaultDirectoryDescriptor() : backup::DefaultFileDescriptor();
  entry.security.assign(descriptor.begin(), descriptor.end());
  entry.attributes = folder ? 0x10 : 0x20;
  if (folder) entry.kind = Kind::kDirectory;
  return entry;
}

// The reparse data in a backup stream.
class ReparseSink final : public backup::Sink {
 public:
  Status OnStream(const backup::StreamHeader& header, std::uint64_t) override {
    taking_ = header.id == backup::StreamId::kReparse;
    if (taking_ && header.size > kMaxReparseBytes)
      return LimitError("kMaxReparseBytes", kMaxReparseBytes, header.size);
    return {};
  }
  Status OnData(Bytes bytes) override {
    if (taking_) Append(data, bytes);
    return {};
  }
  Status OnStreamEnd() override { return {}; }
  Buffer data;

 private:
  bool taking_ = false;
};

// A link of Windows is a file or folder with reparse data.
Status ReadReparse(const fs::Dir& layer, Entry& entry, Buffer& data, Buffer& piece) {
  WCLAYER_ASSIGN(const auto reader,
                 fs::BackupReader::Open(layer, entry.disk_path, fs::Security::kLeave));
  ReparseSink sink;
  backup::Decoder decoder(sink);
  for (;;) {
    WCLAYER_ASSIGN(const std::size_t got, reader->Read(piece));
    if (got == 0) break;
    WCLAYER_TRY(decoder.Write(Bytes(piece).first(got)));
  }
  WCLAYER_TRY(decoder.Finish());
  data = std::move(sink.data);
  entry.attributes = reader->times().attributes;
  if ((entry.attributes & 0x10) != 0) entry.kind = Kind::kDirectory;
  return {};
}

Status AddTarget(const fs::Dir& layer, Entry& entry, Buffer& piece) {
  Buffer data;
  if (fs::HasBackupStreams()) {
    WCLAYER_TRY(ReadReparse(layer, entry, data, piece));
  } else {
    WCLAYER_ASSIGN(std::string target, layer.ReadLink(entry.disk_path));
    std::replace(target.begin(), target.end(), '/', '\\');
    WCLAYER_ASSIGN(const auto wide, ToUtf16(target));
    data = backup::BuildReparse(wide, false);
    entry.attributes = 0x420;
  }
  entry.reparse_tag = backup::ReparseTag(data);
  if (entry.reparse_tag == 0)
    return Error(Errc::kLayerDamaged, "a reparse point without data").At(entry.path);
  StreamRecord record;
  record.header.id = backup::StreamId::kReparse;
  record.inline_data = std::move(data);
  record.header.size = record.inline_data.size();
  record.checksum = io::Checksum(record.inline_data);
  entry.streams.push_back(std::move(record));
  entry.has_data_stream = false;
  if (entry.kind == Kind::kDirectory) return {};
  entry.checksum = io::Checksum({});
  entry.has_checksum = true;
  return {};
}

Status AddData(const fs::Dir& layer, Entry& entry, Buffer& piece) {
  WCLAYER_ASSIGN(const auto file, layer.OpenFile(entry.disk_path));
  io::StreamChecksum sum;
  while (true) {
    WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file.get(), piece, entry.size));
    if (got == 0) break;
    sum.Update(Bytes(piece).first(got));
    entry.size += got;
  }
  entry.checksum = sum.Value();
  entry.has_checksum = true;
  return {};
}

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
    const std::pair<std::uint64_t, std::uint64_t> file{info.device, info.inode};
    const auto first = first_names_.find(file);
    Entry entry;
    if (first != first_names_.end()) {
      entry = Unread(path, info);
      entry.kind = Kind::kHardLink;
      entry.first_name = first->second;
      entry.security.clear();
    } else {
      WCLAYER_ASSIGN(entry, ScanEntry(*layer_, path, info, piece_));
      result_.size_bytes += entry.size;
    }
    WCLAYER_ASSIGN(const auto taken, writer_->Find(parent, name));
    if (taken != kNoOrdinal)
      return Error(Errc::kUnsafePath, "another name in this folder differs by case only").At(path);
    WCLAYER_ASSIGN(const auto ordinal, writer_->Add(parent, entry));
    if (entry.directory()) folders_.push_back({path, ordinal});
    if (entry.kind == Kind::kFile && info.type == fs::Type::kFile && info.links > 1)
      first_names_.try_emplace(file, ordinal);
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

Expected<Entry> ScanEntry(const fs::Dir& layer, const std::string& path, const fs::Info& info,
                          Buffer& piece) {
  Entry entry = Unread(path, info);
  if (info.type == fs::Type::kSymlink)
    WCLAYER_TRY(AddTarget(layer, entry, piece));
  else if (info.type == fs::Type::kFile)
    WCLAYER_TRY(AddData(layer, entry, piece));
  else if (!entry.directory())
    return Error(Errc::kUnsupported, "only files, folders and links can be part of a layer")
        .At(path);
  return entry;
}

Expected<ScanResult> ScanTree(const fs::Dir& layer, const fs::Dir& folder) {
  WCLAYER_ASSIGN(const auto writer, MetadataWriter::Create(folder));
  Scanner scanner(layer, *writer);
  WCLAYER_ASSIGN(const auto result, scanner.Run());
  WCLAYER_TRY(writer->Finish());
  return result;
}

}  // namespace wclayer::portable
