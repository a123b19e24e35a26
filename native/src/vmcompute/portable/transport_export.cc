#include <algorithm>
#include <cerrno>

#include "base/filetime.h"
#include "portable/hive.h"
#include "portable/names.h"
#include "portable/transport.h"

namespace wclayer::portable {
namespace {

using fs::StoredTimes;

constexpr std::string_view kTombstonesHead = "\xEF\xBB\xBFVersion 1.0\n";
constexpr std::size_t kFlushTombstones = 64u << 10;

bool Below(std::string_view path, std::string_view top) {
  return path.size() > top.size() && path[top.size()] == '/' &&
         SamePath(path.substr(0, top.size()), top);
}

StoredTimes TimesOf(const Entry& entry) {
  StoredTimes stored;
  std::copy(std::begin(entry.times), std::end(entry.times), stored.times);
  std::copy(std::begin(entry.time_remainder), std::end(entry.time_remainder),
            stored.time_remainder);
  stored.time_absent = entry.time_absent;
  stored.attributes = entry.attributes;
  return stored;
}

class FolderWriter {
 public:
  static Expected<FolderWriter> Open(const std::string& path) {
    FolderWriter writer;
    WCLAYER_ASSIGN(writer.root_, fs::Dir::MakeAbsolute(path));
    WCLAYER_ASSIGN(writer.tombstones_, writer.root_.CreateFile(kTombstonesFile));
    writer.pending_ = kTombstonesHead;
    return writer;
  }

  Status Put(Export& source) {
    const Entry& entry = source.entry();
    if (entry.kind == Kind::kTombstone) return PutTombstone(entry.path);
    WCLAYER_TRY(EnterParent(entry.path));
    const std::string name(NameOf(entry.path));
    if (entry.directory()) {
      if (SamePath(entry.path, "Hives")) hives_ = true;
      if (SamePath(entry.path, "Files")) files_ = entry;
      WCLAYER_TRY(parent_.MakeDir(name));
      folders_.emplace_back(entry.path, entry.times[2]);
      return PutStored(source, name + std::string(kFolderSuffix));
    }
    if (Below(entry.path, "Hives")) {
      WCLAYER_ASSIGN(const auto file, parent_.CreateFile(name));
      WCLAYER_TRY(CopyPlain(source, file.get()));
      return fs::WriteStoredTimes(file.get(), TimesOf(entry));
    }
    return PutStored(source, name);
  }

  Status AddMissingHives() {
    if (hives_) return {};
    Entry folder;
    folder.path = "Hives";
    folder.kind = Kind::kDirectory;
    folder.attributes = 0x10;
    std::fill(std::begin(folder.times), std::end(folder.times), files_.times[2]);
    WCLAYER_TRY(EnterParent(folder.path));
    WCLAYER_TRY(parent_.MakeDir(folder.path));
    folders_.emplace_back(folder.path, folder.times[2]);
    {
      WCLAYER_ASSIGN(const auto file, parent_.CreateFile(folder.path + std::string(kFolderSuffix)));
      Buffer word;
      AppendLe(word, folder.attributes);
      WCLAYER_TRY(fs::WriteAt(file.get(), word, 0));
      WCLAYER_TRY(fs::WriteStoredTimes(file.get(), TimesOf(folder)));
    }
    const Buffer hive = MinimalHive();
    for (const auto name : kDeltaNames) {
      WCLAYER_TRY(EnterParent(Join(folder.path, name)));
      WCLAYER_ASSIGN(const auto file, parent_.CreateFile(name));
      WCLAYER_TRY(fs::WriteAt(file.get(), hive, 0));
      Entry entry = folder;
      entry.attributes = 0x20;
      WCLAYER_TRY(fs::WriteStoredTimes(file.get(), TimesOf(entry)));
    }
    return {};
  }

  // The times of what is not read back at all, so that two exports make the same tar (C6): of
  // folders once nothing is put into them any more, and of the tombstones.
  Status Finish() {
    WCLAYER_TRY(FlushTombstones());
    WCLAYER_TRY(SetWriteTime(kTombstonesFile, files_.times[2]));
    for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder)
      WCLAYER_TRY(SetWriteTime(folder->first, folder->second));
    return {};
  }

 private:
  FolderWriter() : piece_(kPiece) {}

  Status SetWriteTime(std::string_view path, std::int64_t filetime) {
    const UnixTime time = UnixOfFiletime(filetime);
    auto set = root_.SetTimes(path, time.seconds, static_cast<std::uint32_t>(time.nanos));
    const int error = set ? 0 : set.error().sys_errno;
    // Some file systems refuse a time that they cannot hold instead of cutting it.
    return error == EINVAL || error == EOVERFLOW ? Status() : set;
  }

  Status EnterParent(std::string_view path) {
    const auto folder = ParentOf(path);
    if (parent_ && folder == parent_path_) return {};
    WCLAYER_ASSIGN(parent_, root_.OpenDir(folder));
    parent_path_ = folder;
    return {};
  }

  // Attribute word and backup stream.
  Status PutStored(Export& source, const std::string& name) {
    WCLAYER_ASSIGN(const auto file, parent_.CreateFile(name));
    StoreLe(piece_.data(), source.entry().attributes);
    std::size_t have = sizeof(std::uint32_t);
    std::uint64_t at = 0;
    while (true) {
      WCLAYER_ASSIGN(const std::size_t got, source.Read(MutableBytes(piece_).subspan(have)));
      have += got;
      WCLAYER_TRY(fs::WriteAt(file.get(), Bytes(piece_).first(have), at));
      at += have;
      have = 0;
      if (got == 0) break;
    }
    return fs::WriteStoredTimes(file.get(), TimesOf(source.entry()));
  }

  // The main data alone.
  Status CopyPlain(Export& source, int file) {
    struct MainData final : backup::Sink {
      explicit MainData(int to) : to_(to) {}
      Status OnStream(const backup::StreamHeader& header, std::uint64_t sparse_offset) override {
        main_ = header.id == backup::StreamId::kData ||
                (main_ && header.id == backup::StreamId::kSparseBlock);
        if (header.id == backup::StreamId::kSparseBlock) at_ = sparse_offset;
        return {};
      }
      Status OnData(Bytes bytes) override {
        if (!main_) return {};
        WCLAYER_TRY(fs::WriteAt(to_, bytes, at_));
        at_ += bytes.size();
        return {};
      }
      Status OnStreamEnd() override { return {}; }
      int to_;
      bool main_ = false;
      std::uint64_t at_ = 0;
    } sink(file);
    backup::Decoder decoder(sink);
    while (true) {
      WCLAYER_ASSIGN(const std::size_t got, source.Read(piece_));
      if (got == 0) break;
      WCLAYER_TRY(decoder.Write(Bytes(piece_).first(got)));
    }
    return decoder.Finish();
  }

  // The file knows paths below "Files" alone.
  Status PutTombstone(std::string_view path) {
    if (!Below(path, "Files"))
      return Error(Errc::kUnsupported, "a transport folder cannot hold a deletion outside Files")
          .At(path);
    std::string line(path.substr(path.find('/')));
    std::replace(line.begin(), line.end(), '/', '\\');
    pending_ += line + '\n';
    return pending_.size() < kFlushTombstones ? Status() : FlushTombstones();
  }

  Status FlushTombstones() {
    WCLAYER_TRY(fs::WriteAt(tombstones_.get(), AsBytes(pending_), written_));
    written_ += pending_.size();
    pending_.clear();
    return {};
  }

  fs::Dir root_;
  fs::Dir parent_;
  std::string parent_path_;
  fs::UniqueFd tombstones_;
  std::string pending_;
  std::uint64_t written_ = 0;
  Buffer piece_;
  bool hives_ = false;
  Entry files_;
  std::vector<std::pair<std::string, std::int64_t>> folders_;  // and their write times
};

}  // namespace

Status ExportToFolder(const std::shared_ptr<Home>& home, const std::string& id,
                      const std::vector<std::string>& against, const std::string& folder) {
  WCLAYER_ASSIGN(const auto source, Export::Begin(home, id, against));
  WCLAYER_ASSIGN(auto writer, FolderWriter::Open(folder));
  while (true) {
    WCLAYER_ASSIGN(const bool more, source->Next());
    if (!more) break;
    auto put = writer.Put(*source);
    if (!put) return std::move(put).error().At(source->entry().path);
  }
  if (!against.empty()) WCLAYER_TRY(writer.AddMissingHives());
  return writer.Finish();
}

Status CopyEntries(Export& from, Import& to) {
  Buffer piece(kPiece);
  while (true) {
    WCLAYER_ASSIGN(const bool more, from.Next());
    if (!more) return {};
    const Entry& entry = from.entry();
    ImportedEntry given;
    given.path = entry.path;
    given.tombstone = entry.kind == Kind::kTombstone;
    given.opaque = given.tombstone && entry.opaque;
    if (entry.kind == Kind::kHardLink) given.link_target = entry.link_target;
    std::copy(std::begin(entry.times), std::end(entry.times), given.times);
    std::copy(std::begin(entry.time_remainder), std::end(entry.time_remainder),
              given.time_remainder);
    given.time_absent = entry.time_absent;
    given.attributes = entry.attributes;
    WCLAYER_ASSIGN(const auto ordinal, to.Add(given));
    (void)ordinal;
    if (entry.kind == Kind::kTombstone || entry.kind == Kind::kHardLink) continue;
    while (true) {
      WCLAYER_ASSIGN(const std::size_t got, from.Read(piece));
      if (got == 0) break;
      WCLAYER_TRY(to.Write(Bytes(piece).first(got)));
    }
  }
}

}  // namespace wclayer::portable
