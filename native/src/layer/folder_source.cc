#include "layer/folder_source.h"

#include <algorithm>
#include <array>

#include "base/upcase.h"
#include "fs/backup.h"
#include "fs/system.h"
#include "layer/names.h"

namespace wclayer::layer {
namespace {

using backup::StreamId;

constexpr std::size_t kMaxTombstonesBytes = 64u << 20;
constexpr char kTimesOfTops[] = "Hives/System_Delta";

Error BadFolder(std::string what) {
  return Error(Errc::kBadArchive, std::move(what));
}

void TakeTimes(const fs::StoredTimes& stored, Item& item) {
  std::copy(std::begin(stored.times), std::end(stored.times), item.times);
  std::copy(std::begin(stored.time_remainder), std::end(stored.time_remainder),
            item.time_remainder);
  item.time_absent = stored.time_absent;
  item.attributes = stored.attributes;
}

// Metadata, main data, alternate streams: what a tar header needs comes before the payload.
int RankOf(const StoredStream& stream) {
  switch (stream.header.id) {
    case StreamId::kData:
    case StreamId::kSparseBlock:
      return 1;
    case StreamId::kAlternateData:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

// ---- ranges

void RangeReader::Begin(Buffer head, int file) {
  head_ = std::move(head);
  head_at_ = 0;
  file_ = file;
  ranges_.clear();
  next_ = 0;
}

void RangeReader::Add(std::uint64_t at, std::uint64_t size) {
  if (size == 0) return;
  if (!ranges_.empty() && ranges_.back().at + ranges_.back().size == at) {
    ranges_.back().size += size;
  } else {
    ranges_.push_back({at, size});
  }
}

Expected<std::size_t> RangeReader::Read(MutableBytes buffer) {
  if (buffer.empty()) return std::size_t{0};
  if (head_at_ < head_.size()) {
    const std::size_t count = std::min(head_.size() - head_at_, buffer.size());
    std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(head_at_), count, buffer.begin());
    head_at_ += count;
    return count;
  }
  while (next_ < ranges_.size() && ranges_[next_].size == 0) ++next_;
  if (next_ == ranges_.size()) return std::size_t{0};
  Range& range = ranges_[next_];
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(range.size, buffer.size()));
  WCLAYER_ASSIGN(const std::size_t count, fs::ReadAt(file_, buffer.first(most), range.at));
  if (count == 0) return Error(Errc::kIo, "the file became shorter while it was read");
  range.at += count;
  range.size -= count;
  return count;
}

Status RangeReader::Skip(std::uint64_t bytes) {
  const std::uint64_t own = std::min<std::uint64_t>(bytes, head_.size() - head_at_);
  head_at_ += static_cast<std::size_t>(own);
  bytes -= own;
  for (; bytes != 0 && next_ < ranges_.size(); ++next_) {
    Range& range = ranges_[next_];
    const std::uint64_t step = std::min(bytes, range.size);
    range.at += step;
    range.size -= step;
    bytes -= step;
    if (range.size != 0) break;
  }
  return bytes == 0 ? Status() : Error(Errc::kLayerDamaged, "a backup stream ends too early");
}

// ---- the folder

Expected<std::unique_ptr<FolderSource>> FolderSource::Open(const std::string& folder,
                                                           Reading reading) {
  std::unique_ptr<FolderSource> source(new FolderSource);
  source->reading_ = reading;
  WCLAYER_ASSIGN(source->root_, fs::Dir::OpenAbsolute(folder));
  WCLAYER_TRY(source->ReadTombstones());
  WCLAYER_ASSIGN(fs::Dir top, source->root_.Clone());
  WCLAYER_TRY(source->Push(std::move(top), ""));
  std::erase_if(source->levels_.back().entries, [](const fs::Listed& entry) {
    return entry.type != fs::Type::kDirectory && !entry.name.ends_with(kFolderSuffix);
  });
  return source;
}

Status FolderSource::ReadTombstones() {
  auto read = root_.ReadSmall(kTombstonesFile, kMaxTombstonesBytes);
  if (!read && fs::IsAbsent(read.error())) return {};  // a base layer's export has none
  WCLAYER_ASSIGN(const std::string text, std::move(read));
  std::string_view rest = text;
  if (rest.starts_with(kTombstonesMark)) rest.remove_prefix(kTombstonesMark.size());
  for (bool head = true; head || !rest.empty(); head = false) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (head) {
      if (line != kTombstonesVersion)
        return BadFolder("its first line is not 'Version 1.0'").At(kTombstonesFile);
      continue;
    }
    if (line.empty()) continue;
    if (line.front() != '\\')
      return BadFolder("a line does not begin with '\\'").At(kTombstonesFile);
    std::string path = "Files" + std::string(line);
    std::replace(path.begin(), path.end(), '\\', '/');
    tombstones_[UpcaseUtf8(ParentOf(path))].push_back(std::move(path));
  }
  for (auto& [folder, paths] : tombstones_) std::sort(paths.begin(), paths.end());
  return {};
}

std::vector<std::string> FolderSource::DeletedIn(const std::string& folder) {
  auto found = tombstones_.extract(UpcaseUtf8(folder));
  return found.empty() ? std::vector<std::string>() : std::move(found.mapped());
}

Status FolderSource::Push(fs::Dir dir, std::string path) {
  Level level;
  WCLAYER_ASSIGN(level.entries, dir.List());
  // The metadata of a folder is read with it.
  std::erase_if(level.entries, [](const fs::Listed& entry) {
    return entry.type != fs::Type::kDirectory && entry.name.ends_with(kFolderSuffix);
  });
  level.deleted = DeletedIn(path);
  level.dir = std::move(dir);
  level.path = std::move(path);
  levels_.push_back(std::move(level));
  if (levels_.size() > fs::kOpenLevels + 1)
    levels_[levels_.size() - fs::kOpenLevels - 1].dir = fs::Dir();
  return {};
}

Status FolderSource::OpenLevel(Level& level) {
  if (level.dir) return {};
  WCLAYER_ASSIGN(level.dir, root_.OpenDir(level.path));
  return {};
}

Expected<bool> FolderSource::Next(Item& item) {
  file_.reset();
  if (!read_.empty()) WCLAYER_TRY(root_.Remove(std::exchange(read_, {})));
  item = Item();
  item.ordinal = ordinal_++;
  stream_.Begin({}, -1);
  for (;;) {
    if (levels_.empty()) {
      // Deletions in folders that are not here themselves.
      if (tombstones_.empty()) return false;
      Level rest;
      rest.deleted = std::move(tombstones_.begin()->second);
      tombstones_.erase(tombstones_.begin());
      levels_.push_back(std::move(rest));
    }
    Level& level = levels_.back();
    if (level.next_deleted < level.deleted.size()) {
      item.path = std::move(level.deleted[level.next_deleted++]);
      item.deleted = true;
      return true;
    }
    if (level.next == level.entries.size()) {
      levels_.pop_back();
      continue;
    }
    const fs::Listed entry = level.entries[level.next++];
    item.path = Joined(level.path, entry.name);
    auto opened = OpenLevel(level);
    if (opened) opened = OpenEntry(level, entry, item);
    if (!opened) return std::move(opened).error().At(item.path);
    return true;
  }
}

Status FolderSource::OpenEntry(Level& level, const fs::Listed& entry, Item& item) {
  if (entry.type == fs::Type::kDirectory) return OpenFolder(level, entry.name, item);
  if (entry.type != fs::Type::kFile)
    return BadFolder("neither a file nor a folder; a transport folder holds no such thing");
  if (UpcaseUtf8(level.path.substr(0, level.path.find('/'))) == "HIVES")
    return OpenPlain(level, entry.name, item);
  return OpenStored(level, entry.name, 0, item);
}

Status FolderSource::OpenFolder(Level& level, const std::string& name, Item& item) {
  const std::string metadata = name + std::string(kFolderSuffix);
  WCLAYER_ASSIGN(const bool stored, level.dir.Exists(metadata));
  if (stored) {
    WCLAYER_TRY(OpenStored(level, metadata, kAttributeDirectory, item));
  } else {
    WCLAYER_TRY(FolderTimes(level, name, item));
  }
  item.attributes |= kAttributeDirectory;
  WCLAYER_ASSIGN(fs::Dir child, level.dir.OpenDir(name));
  return Push(std::move(child), item.path);  // `level` is gone from here on
}

// Of a folder that has no metadata: those of the hives for "Files" and "Hives", as the reference
// does it, or its own.
Status FolderSource::FolderTimes(Level& level, const std::string& name, Item& item) {
  const std::string top = UpcaseUtf8(item.path);
  if (top == "FILES" || top == "HIVES") {
    auto hive = root_.OpenFile(kTimesOfTops);
    if (!hive && !fs::IsAbsent(hive.error())) return std::move(hive).error();
    if (hive) {
      WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(hive->get()));
      WCLAYER_ASSIGN(fs::StoredTimes stored,
                     fs::ReadStoredTimes(hive->get(), info, kAttributeDirectory));
      stored.times[kCreation] = stored.times[kAccess] = stored.times[kWrite];
      stored.attributes = kAttributeDirectory;
      TakeTimes(stored, item);
      return {};
    }
  }
  WCLAYER_ASSIGN(const fs::Info info, level.dir.Stat(name));
  WCLAYER_ASSIGN(const fs::StoredTimes stored, fs::ReadStoredTimes(-1, info, kAttributeDirectory));
  TakeTimes(stored, item);
  return {};
}

Status FolderSource::OpenPlain(Level& level, const std::string& name, Item& item) {
  WCLAYER_ASSIGN(file_, level.dir.OpenFile(name));
  WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(file_.get()));
  WCLAYER_ASSIGN(const fs::StoredTimes stored,
                 fs::ReadStoredTimes(file_.get(), info, kPlainFileAttributes));
  TakeTimes(stored, item);
  item.size = info.size;
  backup::StreamHeader header;
  header.size = info.size;
  Buffer head;
  backup::AppendHeader(head, header);
  stream_.Begin(std::move(head), file_.get());
  stream_.Add(0, info.size);
  // The times of the tops may be asked for later.
  if (reading_ == Reading::kRemove && UpcaseUtf8(item.path) != UpcaseUtf8(kTimesOfTops))
    read_ = item.path;
  return {};
}

Status FolderSource::OpenStored(Level& level, const std::string& name, std::uint32_t attributes,
                                Item& item) {
  WCLAYER_ASSIGN(file_, level.dir.OpenFile(name));
  WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(file_.get()));
  WCLAYER_ASSIGN(fs::StoredTimes stored, fs::ReadStoredTimes(file_.get(), info, attributes));
  std::byte word[kAttributeWordBytes] = {};
  WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file_.get(), word, 0));
  auto streams = ReadStoredStreams(file_.get(), kAttributeWordBytes);
  stored.attributes = attributes;
  if (got == sizeof word && streams) {
    stored.attributes = LoadLe<std::uint32_t>(word);
  } else {
    streams = ReadStoredStreams(file_.get(), 0);  // TP4 wrote no attribute word
    if (!streams) return std::move(streams).error();
  }
  TakeTimes(stored, item);
  if (attributes == 0) item.attributes &= ~kAttributeDirectory;
  item.size = MainSize(*streams);
  item.has_data_stream = false;
  stream_.Begin({}, file_.get());
  for (int rank = 0; rank <= 2; ++rank) {
    for (const StoredStream& stream : *streams) {
      if (RankOf(stream) != rank) continue;
      stream_.Add(stream.head_at, stream.data_at + stream.data_size - stream.head_at);
      if (stream.header.id == StreamId::kData) item.has_data_stream = true;
      if (stream.header.id != StreamId::kReparse || stream.data_size < sizeof item.reparse_tag)
        continue;
      std::byte tag[sizeof item.reparse_tag];
      WCLAYER_ASSIGN(const std::size_t read, fs::ReadAt(file_.get(), tag, stream.data_at));
      if (read == sizeof tag) item.reparse_tag = LoadLe<std::uint32_t>(tag);
    }
  }
  if (reading_ == Reading::kRemove) read_ = Joined(level.path, name);
  return {};
}

Status FolderSource::Seek(std::uint64_t ordinal, Item& item) {
  (void)ordinal;
  (void)item;
  return Error(Errc::kUnsupported, "a transport folder is read in order only");
}

// ---- payloads where they lie

std::string_view SavedNameOf(std::string_view path) {
  constexpr std::string_view kBoot = "UtilityVM/Files/EFI/Microsoft/Boot/";
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kSaved = {
      {{"BCD", "bcd.bak"},
       {"BCD.LOG", "bcd.log.bak"},
       {"BCD.LOG1", "bcd.log1.bak"},
       {"BCD.LOG2", "bcd.log2.bak"}}};
  const std::string upper = UpcaseUtf8(path);
  const std::string boot = UpcaseUtf8(kBoot);
  if (!upper.starts_with(boot)) return {};
  for (const auto& [name, saved] : kSaved) {
    if (std::string_view(upper).substr(boot.size()) == name) return saved;
  }
  return {};
}

Expected<std::unique_ptr<DiskSource>> DiskSource::Open(const std::string& layer,
                                                       const std::string& own) {
  WCLAYER_ASSIGN(const fs::Dir beside, fs::Dir::OpenAbsolute(own));
  WCLAYER_ASSIGN(PathList paths, PathList::Open(beside));
  std::unique_ptr<DiskSource> source(new DiskSource(std::move(paths)));
  WCLAYER_ASSIGN(source->root_, fs::Dir::OpenAbsolute(layer));
  return source;
}

Status DiskSource::Seek(std::uint64_t ordinal, Item& item) {
  WCLAYER_ASSIGN(item.path, paths_.At(ordinal));
  WCLAYER_ASSIGN(file_, Find(item.path));
  WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(file_.get()));
  if (info.type == fs::Type::kDirectory) {
    return Error(Errc::kLayerDamaged, "the file of the layer is no file any more").At(item.path);
  }
  item.ordinal = ordinal;
  item.size = info.size;
  backup::StreamHeader header;
  header.size = info.size;
  Buffer head;
  backup::AppendHeader(head, header);
  stream_.Begin(std::move(head), file_.get());
  stream_.Add(0, info.size);
  return {};
}

Expected<fs::UniqueFd> DiskSource::Find(const std::string& path) const {
  const std::string_view saved = SavedNameOf(path);
  if (!saved.empty()) {
    auto file = fs::OpenItself(root_, saved);
    if (file || !fs::IsAbsent(file.error())) return file;
  }
  auto file = fs::OpenItself(root_, path);
  if (file || !fs::IsAbsent(file.error())) return file;
  // A store may spell a name as a parent does.
  std::string spelled;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string wanted = UpcaseUtf8(std::string_view(path).substr(begin, end - begin));
    WCLAYER_ASSIGN(const fs::Dir folder, root_.OpenDir(spelled));
    WCLAYER_ASSIGN(const auto listed, folder.List());
    const auto found = std::find_if(listed.begin(), listed.end(), [&](const fs::Listed& candidate) {
      return UpcaseUtf8(candidate.name) == wanted;
    });
    if (found == listed.end())
      return Error(Errc::kLayerDamaged, "a file of the layer is missing").At(path);
    spelled = Joined(spelled, found->name);
    begin = end + 1;
  }
  return fs::OpenItself(root_, spelled);
}

}  // namespace wclayer::layer
