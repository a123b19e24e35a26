#include "portable/writable_entry.h"

#include <algorithm>
#include <cerrno>

#include "backup/reparse.h"
#include "backup/security.h"
#include "base/filetime.h"
#include "base/limits.h"
#include "base/utf16.h"
#include "io/digest.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

constexpr std::uint32_t kArchive = 0x20;
constexpr std::uint32_t kReparsePoint = 0x400;
constexpr std::uint32_t kWriteBits = 0222;

bool Writable(const fs::Info& info) {
  return (info.mode & kWriteBits) != 0;
}

bool SameTime(const fs::Info& a, const fs::Info& b) {
  return a.mtime_seconds == b.mtime_seconds && a.mtime_nanos == b.mtime_nanos;
}

// The file's time of modification as write time.
void TakeWriteTime(const fs::Info& info, Entry& entry) {
  const UnixTime written{info.mtime_seconds, static_cast<std::int32_t>(info.mtime_nanos)};
  if (!FiletimeOfUnix(written, entry.times[2], entry.time_remainder[2])) {
    entry.times[2] = kFiletimeOfUnixEpoch;
    entry.time_remainder[2] = 0;
  }
}

// A file that was written to: its change time moves with it. Times that were absent stood for the
// old write time and keep that.
void MoveWriteTime(const fs::Info& info, Entry& entry) {
  TakeWriteTime(info, entry);
  entry.times[3] = entry.times[2];
  entry.time_remainder[3] = entry.time_remainder[2];
  entry.time_absent = 0;
}

void DropReparse(Entry& entry) {
  std::erase_if(entry.streams, [](const StreamRecord& stream) {
    return stream.header.id == backup::StreamId::kReparse;
  });
  entry.reparse_tag = 0;
  entry.attributes &= ~kReparsePoint;
}

void SetDefaults(const Seen& seen, Kind kind, Entry& entry) {
  entry.kind = kind;
  const bool folder = kind == Kind::kDirectory;
  const Bytes descriptor =
      folder ? backup::DefaultDirectoryDescriptor() : backup::DefaultFileDescriptor();
  entry.security.assign(descriptor.begin(), descriptor.end());
  entry.attributes = folder ? kDirectoryAttribute : kArchive;
  TakeWriteTime(seen.item.info, entry);
  for (const int i : {0, 1, 3}) {
    entry.times[i] = entry.times[2];
    entry.time_remainder[i] = entry.time_remainder[2];
  }
}

void SetNames(const Seen& seen, Entry& entry) {
  if (NameOf(entry.path) != NameOf(seen.path)) entry.short_name.clear();  // was of the old name
  entry.path = seen.path;
  entry.disk_path = seen.DiskPath();
  entry.opaque = false;
}

bool Vanished(const Error& error) {
  return error.sys_errno == ENOENT || error.sys_errno == ENOTDIR;
}

}  // namespace

std::string Seen::DiskPath() const {
  return item.name.empty() ? folder->path : Join(folder->path, item.name);
}

bool EntryBuilder::Untouched(const Seen& seen) {
  const auto& origin = seen.item.origin;
  if (!origin || !seen.here || origin->layer != seen.here->layer ||
      origin->ordinal != seen.here->ordinal || !seen.same_name)
    return false;
  if (!seen.item.own) return true;
  if (seen.item.type == fs::Type::kDirectory)
    return seen.item.made && SameTime(*seen.item.made, seen.item.info);
  return seen.item.untouched;
}

Expected<Built> EntryBuilder::Build(const Seen& seen, bool holds_names) {
  Built built;
  if (!seen.item.own) {
    built.base = seen.item.origin;
    WCLAYER_TRY(chain_->Load(*built.base, built.entry, true));
    SetNames(seen, built.entry);
    return built;
  }
  WCLAYER_ASSIGN(const auto found, LowerOf(seen));
  const Lower* lower = found ? &*found : nullptr;
  if (lower != nullptr) {
    built.base = lower->at;
    built.entry = lower->entry;
  }
  built.changed = lower == nullptr;
  switch (seen.item.type) {
    case fs::Type::kFile:
      WCLAYER_TRY(BuildFile(seen, lower, built));
      break;
    case fs::Type::kSymlink:
      WCLAYER_TRY(BuildLink(seen, lower, built));
      break;
    case fs::Type::kDirectory:
      if (lower == nullptr) {
        SetDefaults(seen, Kind::kDirectory, built.entry);
      } else if (!SameTime(seen.item.info, lower->info)) {
        MoveWriteTime(seen.item.info, built.entry);
        built.changed = true;
      }
      if (holds_names && built.entry.Reparse() != nullptr) {
        DropReparse(built.entry);
        built.changed = true;
      }
      break;
    case fs::Type::kCharDevice:
    case fs::Type::kOther:
      return Error(Errc::kUnsupported,
                   "a FIFO, socket or device cannot be part of a Windows layer; remove it")
          .At(seen.path);
  }
  SetNames(seen, built.entry);
  return built;
}

// The entry it was copied up from, else what the parents have at its path, if that is of its kind.
Expected<std::optional<EntryBuilder::Lower>> EntryBuilder::LowerOf(const Seen& seen) {
  if (seen.item.origin) {
    WCLAYER_ASSIGN(auto lower, Load(seen, *seen.item.origin));
    if (lower) {
      if (seen.item.made) lower->info = *seen.item.made;
      return lower;
    }
  }
  if (!seen.here) return std::optional<Lower>();
  return Load(seen, *seen.here);
}

Expected<std::optional<EntryBuilder::Lower>> EntryBuilder::Load(const Seen& seen, const Found& at) {
  Lower lower;
  lower.at = at;
  WCLAYER_TRY(chain_->Load(at, lower.entry, true));
  ChainLayer& layer = chain_->layer(at.layer);
  auto info = layer.dir.Stat(lower.entry.disk_path);
  if (!info)
    return Error(Errc::kLayerDamaged, "the layer's own file is gone: " + info.error().message)
        .At(lower.entry.disk_path)
        .Of(layer.id);
  if (info->type != seen.item.type) return std::optional<Lower>();
  lower.info = *info;
  return std::optional<Lower>(std::move(lower));
}

Status EntryBuilder::BuildFile(const Seen& seen, const Lower* lower, Built& built) {
  Entry& entry = built.entry;
  const fs::Info& info = seen.item.info;
  bool other_bytes = true;
  if (lower == nullptr) {
    SetDefaults(seen, Kind::kFile, entry);
    if (!Writable(info)) entry.attributes |= kReadOnly;
  } else {
    if (Writable(info) != Writable(lower->info)) {
      entry.attributes =
          Writable(info) ? entry.attributes & ~kReadOnly : entry.attributes | kReadOnly;
      built.changed = true;
    }
    if (!SameTime(info, lower->info)) {
      MoveWriteTime(info, entry);
    } else if (seen.item.untouched) {
      other_bytes = false;
    } else if (info.size == lower->entry.size) {
      WCLAYER_ASSIGN(const bool same, SameBytes(seen, *lower));
      other_bytes = !same;
    }
  }
  if (!other_bytes) return {};
  built.changed = true;
  entry.size = info.size;
  entry.has_data_stream = info.size != 0 || lower == nullptr || entry.has_data_stream;
  entry.data_attributes &= ~backup::kAttributeSparse;
  entry.sparse = false;
  entry.ranges.clear();
  entry.checksum = 0;
  entry.has_checksum = false;
  DropReparse(entry);
  return {};
}

Expected<bool> EntryBuilder::SameBytes(const Seen& seen, const Lower& lower) {
  const std::uint64_t size = lower.entry.size;
  if (size == 0) return true;
  auto ours = tree_->root().OpenFile(seen.DiskPath());
  if (!ours) {
    if (Vanished(ours.error())) return false;
    return std::move(ours).error();
  }
  WCLAYER_ASSIGN(const auto theirs, chain_->OpenData(lower.at, lower.entry));
  left_.resize(kPiece);
  right_.resize(kPiece);
  for (std::uint64_t at = 0; at < size;) {
    WCLAYER_ASSIGN(const std::size_t a, fs::ReadAt(ours->get(), left_, at));
    WCLAYER_ASSIGN(const std::size_t b, fs::ReadAt(theirs.get(), right_, at));
    if (a != b || a == 0) return false;
    if (!std::equal(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(a), right_.begin()))
      return false;
    at += a;
  }
  return true;
}

Status EntryBuilder::BuildLink(const Seen& seen, const Lower* lower, Built& built) {
  Entry& entry = built.entry;
  WCLAYER_ASSIGN(const std::string text, tree_->ReadLink(*seen.folder, seen.item));
  if (lower != nullptr) {
    WCLAYER_ASSIGN(const auto theirs,
                   chain_->layer(lower->at.layer).dir.ReadLink(lower->entry.disk_path));
    if (!SameTime(seen.item.info, lower->info)) {
      MoveWriteTime(seen.item.info, entry);
      built.changed = true;
    }
    if (theirs == text) return {};
  }
  WCLAYER_ASSIGN(const bool folder, points_to_folder_(seen, text));
  const Kind kind = folder ? Kind::kDirectory : Kind::kFile;
  if (lower == nullptr || entry.kind != kind) {
    entry = Entry();
    built.base.reset();
    SetDefaults(seen, kind, entry);
  }
  built.changed = true;
  DropReparse(entry);
  std::string target = text;
  std::replace(target.begin(), target.end(), '/', '\\');
  auto wide = ToUtf16(target);
  if (!wide) return Error(Errc::kUnsafePath, "the link's target is not UTF-8").At(seen.path);
  StreamRecord record;
  record.header.id = backup::StreamId::kReparse;
  record.inline_data = backup::BuildReparse(*wide, false);
  if (record.inline_data.size() > kMaxReparseBytes)
    return LimitError("kMaxReparseBytes", kMaxReparseBytes, record.inline_data.size())
        .At(seen.path);
  record.header.size = record.inline_data.size();
  record.checksum = io::Checksum(record.inline_data);
  entry.streams.insert(entry.streams.begin(), std::move(record));
  entry.reparse_tag = backup::kTagSymlink;
  entry.attributes |= kReparsePoint;
  entry.size = 0;
  entry.has_data_stream = false;
  entry.checksum = io::Checksum({});
  entry.has_checksum = true;
  return {};
}

}  // namespace wclayer::portable
