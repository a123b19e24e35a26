#include "portable/import.h"

#include <algorithm>
#include <cerrno>

#include "base/filetime.h"
#include "base/limits.h"
#include "base/utf16.h"
#include "fs/stored_times.h"
#include "fs/system.h"
#include "portable/hive.h"
#include "portable/link_text.h"
#include "portable/names.h"
#include "portable/overlay_origin.h"

namespace wclayer::portable {
namespace {

Error Clash(std::string_view path) {
  Error error(Errc::kBadArchive, "the path is there already as another kind of entry");
  error.hresult = vmcompute::kAlreadyExists;
  error.path = path;
  return error;
}

Error Refused(std::string_view path, std::string_view why) {
  return Error(Errc::kUnsafePath, std::string(why)).At(path);
}

// The top folders; on disk they have these spellings, so that a mount finds them.
std::string_view TopName(std::string_view name) {
  for (const std::string_view top : {"Files", "Hives", "UtilityVM"})
    if (SamePath(top, name)) return top;
  return {};
}

}  // namespace

Import::Import(std::shared_ptr<Home> home, std::string id, std::vector<std::string> parents)
    : home_(std::move(home)), id_(std::move(id)), parent_ids_(std::move(parents)) {}

Import::~Import() = default;

Expected<std::unique_ptr<Import>> Import::Begin(std::shared_ptr<Home> home, std::string id,
                                                std::vector<std::string> parents) {
  std::unique_ptr<Import> import(new Import(std::move(home), std::move(id), std::move(parents)));
  WCLAYER_ASSIGN(import->staging_, Staging::Begin(import->home_));
  // By the handle that the staging folder has anyway.
  WCLAYER_ASSIGN(const auto kind, import->home_->KindIn(import->staging_->root(), import->id_));
  if (kind == LayerKind::kCommitted)
    return Error(Errc::kLayerExists, "the layer is filled already").Of(import->id_);
  if (kind == LayerKind::kWritable)
    return Error(Errc::kLayerExists, "a writable layer of this id exists").Of(import->id_);
  return Start(std::move(import));
}

Expected<std::unique_ptr<Import>> Import::Replace(std::shared_ptr<Home> home, std::string id,
                                                  std::vector<std::string> parents) {
  WCLAYER_ASSIGN(const auto folder, home->FolderOf(id));
  if (!folder)
    return Error(Errc::kLayerNotFound, "there is no layer of this id in the home").Of(id);
  WCLAYER_ASSIGN(const auto kind, home->KindOf(id));
  if (kind == LayerKind::kWritable)
    return Error(Errc::kInvalidArgument, "the content of a writable layer cannot be replaced")
        .Of(id);
  std::unique_ptr<Import> import(new Import(std::move(home), std::move(id), std::move(parents)));
  import->replaces_ = true;
  WCLAYER_ASSIGN(import->staging_, Staging::Begin(import->home_));
  return Start(std::move(import));
}

Expected<std::unique_ptr<Import>> Import::Start(std::unique_ptr<Import> import) {
  WCLAYER_ASSIGN(import->chain_, Chain::Open(*import->home_, import->parent_ids_));
  WCLAYER_ASSIGN(import->private_, import->staging_->dir().OpenDir(kPrivate));
  WCLAYER_ASSIGN(import->folder_, ToUtf16(import->staging_->path() + fs::kSeparator + kPrivate));
  WCLAYER_ASSIGN(import->metadata_, MetadataWriter::Create(import->private_));
  import->streams_ = std::make_unique<StreamsWriter>(import->private_);
  import->payload_ = std::make_unique<PayloadWriter>(*import->streams_, import->files_);
  import->decoder_ = std::make_unique<backup::Decoder>(*import->payload_);
  Level top;
  top.parents = import->chain_->Top();
  import->levels_.push_back(std::move(top));
  return import;
}

// Remembers the first failure.
template <class T, class Call>
Expected<T> Import::Guard(Call&& call) {
  if (failed_) return *failed_;
  Expected<T> result = call();
  if (!result) return Fail(std::move(result).error());
  return result;
}

Error Import::Fail(Error error) {
  if (!failed_) failed_ = std::move(error).Of(id_);
  return *failed_;
}

Expected<std::uint64_t> Import::Add(const ImportedEntry& given) {
  return Guard<std::uint64_t>([&]() -> Expected<std::uint64_t> {
    WCLAYER_TRY(FinishEntry());
    return AddChecked(given);
  });
}

Status Import::Write(Bytes stream) {
  return Guard<void>([&]() -> Status {
    if (stream.empty()) return {};
    if (!open_) return Error(Errc::kInvalidArgument, "this entry takes no stream");
    auto written = decoder_->Write(stream);
    if (!written) return std::move(written).error().At(entry_.path);
    return {};
  });
}

Expected<std::uint64_t> Import::Checksum() {
  return Guard<std::uint64_t>([&]() -> Expected<std::uint64_t> {
    if (!open_) return Error(Errc::kInvalidArgument, "this entry takes no stream");
    return payload_->Checksum();
  });
}

Status Import::FinishStaging() {
  WCLAYER_TRY(FinishEntry());
  WCLAYER_TRY(files_.Drain());
  read_file_.reset();
  WCLAYER_TRY(metadata_->Finish());
  metadata_.reset();
  // The record that a driver puts there says them too: one file less for each layer.
  WCLAYER_ASSIGN(const bool recorded, private_.Exists(kCommitRecordName));
  if (!recorded)
    WCLAYER_TRY(home_->WriteParents(staging_->dir(), parent_ids_, fs::Durability::kNone));
  // Windows renames no folder with an open file in it.
  levels_.clear();
  payload_.reset();
  streams_.reset();
  return {};
}

Status Import::EndUnsettled() {
  return Guard<void>([&]() -> Status {
    WCLAYER_TRY(FinishStaging());
    WCLAYER_TRY(
        private_.Rename(kMetadataFile, private_, kUnsettledFile, fs::Dir::RenameMode::kNoReplace));
    return staging_->PublishInto(id_);
  });
}

Status Import::End() {
  return Guard<void>([&]() -> Status {
    WCLAYER_TRY(FinishStaging());
    return replaces_ ? staging_->Replace(id_) : staging_->Publish(id_);
  });
}

Status Import::RunSealed() {
  Status run = files_.RunSealed();
  if (!run) return std::move(run).error().Of(id_);
  return run;
}

Expected<Import::Existing> Import::Find(std::uint32_t parent, std::string_view name) const {
  Existing existing;
  WCLAYER_ASSIGN(existing.ordinal, metadata_->Find(parent, name));
  if (existing.ordinal != kNoOrdinal) {
    WCLAYER_ASSIGN(existing.node, metadata_->ReadNode(existing.ordinal));
  }
  return existing;
}

Expected<std::uint64_t> Import::AddChecked(const ImportedEntry& given) {
  WCLAYER_TRY(CheckPath(given.path));
  const auto name = NameOf(given.path);
  const auto parent = ParentOf(given.path);
  if (parent.empty()) {
    if (TopName(name).empty())
      return Refused(given.path, "the top folders of a layer are Files, Hives and UtilityVM");
    const bool folder = given.tombstone ? given.opaque
                                        : given.link_target.empty() &&
                                              (given.attributes & kDirectoryAttribute) != 0;
    if (!folder) return Refused(given.path, "a top folder of a layer must be a folder");
  }
  WCLAYER_TRY(Enter(parent, given));
  WCLAYER_ASSIGN(const Existing existing, Find(levels_.back().ordinal, name));
  if (given.tombstone) return AddTombstone(given, existing);
  if (!given.link_target.empty()) return AddLink(given, existing);
  if ((given.attributes & kDirectoryAttribute) != 0) return AddFolder(given, existing);
  return AddFile(given, existing);
}

// ---- Folders on the way
// ---------------------------------------------------------------------------

Status Import::Enter(std::string_view path, const ImportedEntry& for_entry) {
  std::size_t depth = 1;
  std::string_view rest = path;
  while (depth < levels_.size() && !rest.empty()) {
    const auto name = rest.substr(0, rest.find('/'));
    if (levels_[depth].name != name) break;
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    ++depth;
  }
  levels_.resize(depth);
  while (!rest.empty()) {
    const auto name = rest.substr(0, rest.find('/'));
    WCLAYER_TRY(Descend(name, for_entry));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
  }
  return {};
}

Status Import::Descend(std::string_view name, const ImportedEntry& for_entry) {
  const Level& above = levels_.back();
  WCLAYER_ASSIGN(Existing existing, Find(above.ordinal, name));
  if (existing.ordinal == kNoOrdinal || existing.node.kind == Kind::kTombstone) {
    // Below a deleted folder: it is there again, and nothing of the old one shows.
    const bool again = existing.ordinal != kNoOrdinal;
    if (again) WCLAYER_TRY(metadata_->Remove(existing.ordinal));
    if (levels_.size() == 1 && TopName(name).empty())
      return Refused(for_entry.path, "the top folders of a layer are Files, Hives and UtilityVM");
    WCLAYER_ASSIGN(existing.ordinal, MakeImplicitFolder(name, again, for_entry));
    WCLAYER_ASSIGN(existing.node, metadata_->ReadNode(existing.ordinal));
  }
  if (existing.node.kind != Kind::kDirectory)
    return Refused(for_entry.path, "'" + existing.node.name + "' on the way to it is no folder");
  if (existing.node.reparse)
    return Refused(for_entry.path,
                   "'" + existing.node.name + "' on the way to it is a reparse point");
  Level level;
  level.name = name;
  level.ordinal = existing.ordinal;
  level.path = Join(above.path, existing.node.name);
  level.disk_path = Join(above.disk_path, existing.node.disk_name);
  WCLAYER_ASSIGN(level.parents, chain_->Enter(above.parents, name));
  levels_.push_back(std::move(level));
  if (levels_.size() > fs::kOpenLevels) levels_[levels_.size() - 2].dir.reset();
  return {};
}

Expected<const fs::Dir*> Import::OpenLevel() {
  Level& level = levels_.back();
  if (level.dir) return level.dir.get();
  const Level* above = levels_.size() > 1 ? &levels_[levels_.size() - 2] : nullptr;
  if (above == nullptr) {
    level.dir = std::shared_ptr<const fs::Dir>(std::shared_ptr<void>(), &staging_->dir());
    return level.dir.get();
  }
  fs::Dir dir;
  if (above->dir) {
    WCLAYER_ASSIGN(dir, above->dir->OpenDir(NameOf(level.disk_path)));
  } else {
    WCLAYER_ASSIGN(dir, staging_->dir().OpenDir(level.disk_path));
  }
  level.dir = std::make_shared<const fs::Dir>(std::move(dir));
  return level.dir.get();
}

Expected<std::string> Import::SpellOnDisk(std::string_view name) {
  if (levels_.size() == 1) return std::string(TopName(name));
  WCLAYER_ASSIGN(auto spelling, chain_->DiskSpelling(levels_.back().parents, name));
  return spelling.empty() ? DiskName(name) : spelling;
}

// A folder that the caller left out (C16): as the nearest parent has it, else with plain defaults.
Expected<std::uint32_t> Import::MakeImplicitFolder(std::string_view name, bool opaque,
                                                   const ImportedEntry& for_entry) {
  ImportedEntry given;
  given.path = Join(levels_.back().path, name);
  given.attributes = kDirectoryAttribute;
  given.time_absent = fs::kAllButWriteTimeAbsent;
  const std::int64_t time = for_entry.tombstone ? kFiletimeOfUnixEpoch : for_entry.times[2];
  std::fill(std::begin(given.times), std::end(given.times), time);
  WCLAYER_ASSIGN(Entry entry, NewEntry(given, Kind::kDirectory));
  WCLAYER_ASSIGN(const auto found, chain_->FindIn(levels_.back().parents, name));
  if (found) {
    Entry theirs;
    WCLAYER_TRY(chain_->Load(*found, theirs, true));
    if (theirs.directory() && theirs.Reparse() == nullptr) {
      theirs.path = std::move(entry.path);
      theirs.disk_path = std::move(entry.disk_path);
      std::erase_if(theirs.streams, [](const StreamRecord& stream) { return stream.external; });
      entry = std::move(theirs);
    }
  }
  entry.opaque = opaque;
  WCLAYER_ASSIGN(const auto ordinal, metadata_->Add(levels_.back().ordinal, entry));
  WCLAYER_ASSIGN(const fs::Dir* dir, OpenLevel());
  WCLAYER_TRY(dir->MakeDir(NameOf(entry.disk_path)));
  return ordinal;
}

Expected<Entry> Import::NewEntry(const ImportedEntry& given, Kind kind) {
  const Level& level = levels_.back();
  Entry entry;
  entry.kind = kind;
  entry.path = Join(level.path, NameOf(given.path));
  WCLAYER_ASSIGN(const auto disk, SpellOnDisk(NameOf(given.path)));
  entry.disk_path = Join(level.disk_path, disk);
  std::copy(std::begin(given.times), std::end(given.times), entry.times);
  std::copy(std::begin(given.time_remainder), std::end(given.time_remainder), entry.time_remainder);
  entry.time_absent = given.time_absent;
  entry.attributes = given.attributes;
  entry.short_name = given.short_name;
  return entry;
}

// ---- Entries
// --------------------------------------------------------------------------------------

Expected<std::uint64_t> Import::AddTombstone(const ImportedEntry& given, const Existing& existing) {
  const bool there = existing.ordinal != kNoOrdinal;
  if (!there || existing.node.kind == Kind::kTombstone) {
    if (!given.opaque) {
      if (there) return std::uint64_t{existing.ordinal};
      WCLAYER_ASSIGN(const Entry entry, NewEntry(given, Kind::kTombstone));
      WCLAYER_ASSIGN(const auto ordinal, metadata_->Add(levels_.back().ordinal, entry));
      return std::uint64_t{ordinal};
    }
    if (there) WCLAYER_TRY(metadata_->Remove(existing.ordinal));
    WCLAYER_ASSIGN(const auto ordinal, MakeImplicitFolder(NameOf(given.path), true, given));
    return std::uint64_t{ordinal};
  }
  // A deletion and the thing itself in one layer: the thing stays (C13), and hides what was there.
  if (existing.node.kind == Kind::kDirectory)
    WCLAYER_TRY(SetOpaque(existing));
  else if (given.opaque)
    return Clash(given.path);
  return std::uint64_t{existing.ordinal};
}

Status Import::SetOpaque(const Existing& folder) {
  if (folder.node.opaque) return {};
  Entry entry;
  WCLAYER_TRY(metadata_->Read(folder.ordinal, entry));
  entry.opaque = true;
  return metadata_->Update(folder.ordinal, entry);
}

Expected<std::uint64_t> Import::AddFolder(const ImportedEntry& given, const Existing& existing) {
  const bool there = existing.ordinal != kNoOrdinal;
  const bool deleted = there && existing.node.kind == Kind::kTombstone;
  if (there && !deleted && existing.node.kind != Kind::kDirectory) return Clash(given.path);
  WCLAYER_ASSIGN(entry_, NewEntry(given, Kind::kDirectory));
  merging_ = kNoOrdinal;
  if (deleted) {
    WCLAYER_TRY(metadata_->Remove(existing.ordinal));
    entry_.opaque = true;
  } else if (there) {
    entry_.opaque = existing.node.opaque;
    entry_.path = Join(ParentOf(entry_.path), existing.node.name);
    entry_.disk_path = Join(ParentOf(entry_.disk_path), existing.node.disk_name);
    merging_ = existing.ordinal;
  }
  BeginPayload();
  return std::uint64_t{there && !deleted ? existing.ordinal : metadata_->entries()};
}

Expected<std::uint64_t> Import::AddFile(const ImportedEntry& given, const Existing& existing) {
  WCLAYER_TRY(ReplaceExisting(existing));
  WCLAYER_ASSIGN(entry_, NewEntry(given, Kind::kFile));
  merging_ = kNoOrdinal;
  BeginPayload();
  return std::uint64_t{metadata_->entries()};
}

Status Import::ReplaceExisting(const Existing& existing) {
  if (existing.ordinal == kNoOrdinal) return {};
  if (existing.node.kind == Kind::kDirectory)
    return Clash(Join(levels_.back().path, existing.node.name));
  WCLAYER_TRY(metadata_->Remove(existing.ordinal));
  if (existing.node.kind == Kind::kTombstone) return {};
  read_ordinal_ = UINT64_MAX;  // whatever was read back may have another path now
  read_file_.reset();          // Windows keeps the name of an open file
  WCLAYER_TRY(files_.Drain());
  WCLAYER_ASSIGN(const fs::Dir* dir, OpenLevel());
  return dir->Remove(existing.node.disk_name);
}

Expected<std::uint64_t> Import::AddLink(const ImportedEntry& given, const Existing& existing) {
  WCLAYER_TRY(CheckPath(given.link_target));
  const std::string& target = given.link_target;
  if (SamePath(target, given.path))
    return Error(Errc::kBadArchive, "a hard link to itself").At(given.path);
  WCLAYER_TRY(ReplaceExisting(existing));
  WCLAYER_ASSIGN(const auto ordinal, metadata_->FindPath(target));
  if (ordinal != kNoOrdinal) {
    Entry first;
    WCLAYER_TRY(metadata_->Read(ordinal, first));
    if (first.directory())
      return Error(Errc::kBadArchive, "a hard link to the folder '" + target + "'").At(given.path);
    if (first.kind != Kind::kTombstone) {
      WCLAYER_ASSIGN(Entry link, NewEntry(given, Kind::kHardLink));
      link.first_name = ordinal;
      WCLAYER_TRY(LinkOnDisk(first, link));
      WCLAYER_ASSIGN(const auto made, metadata_->Add(levels_.back().ordinal, link));
      return std::uint64_t{made};
    }
  }
  WCLAYER_TRY(FillFromParent(given, target));
  return std::uint64_t{metadata_->entries() - 1};
}

Status Import::LinkOnDisk(const Entry& first, const Entry& link) {
  WCLAYER_TRY(files_.Drain());
  auto linked = staging_->dir().MakeHardLink(first.disk_path, link.disk_path);
  if (linked) {
    // A copy that an overlay makes of a file of several names does not tell where it came from.
    const auto holder = first.kind == Kind::kHardLink ? first.first_name : first.ordinal;
    return WriteMark(staging_->dir(), first.disk_path,
                     {static_cast<std::uint32_t>(holder), MarkOfLayer(id_)});
  }
  // A file system allows so many names of one file (ext4: 65,000); the next one is a copy on disk
  // and a link in the metadata all the same.
  if (linked.error().sys_errno != EMLINK) return std::move(linked).error().At(link.path);
  WCLAYER_ASSIGN(const auto from, staging_->dir().OpenFile(first.disk_path));
  WCLAYER_ASSIGN(const auto info, fs::StatFd(from.get()));
  WCLAYER_ASSIGN(const auto to, staging_->dir().CreateFile(link.disk_path, info.mode));
  return fs::CopyContent(from.get(), to.get(), info.size);
}

// A link to a file of a parent: links do not cross layers, so a copy is stored (C8).
Status Import::FillFromParent(const ImportedEntry& given, const std::string& target) {
  WCLAYER_ASSIGN(const auto found, chain_->Find(target));
  Entry theirs;
  if (found) WCLAYER_TRY(chain_->Load(*found, theirs, true));
  if (!found || theirs.kind != Kind::kFile)
    return Error(Errc::kBadArchive,
                 "the hard link's target '" + target +
                     "' is neither an earlier file of this layer nor a file of a parent")
        .At(given.path);
  WCLAYER_ASSIGN(Entry own, NewEntry(given, Kind::kFile));
  const Entry source = theirs;
  theirs.path = std::move(own.path);
  theirs.disk_path = std::move(own.disk_path);
  theirs.opaque = false;
  theirs.short_name = std::move(own.short_name);
  entry_ = std::move(theirs);
  entry_parent_ = levels_.back().ordinal;
  merging_ = kNoOrdinal;
  return CopyPayload(*found, source);
}

Status Import::CopyPayload(const Found& found, const Entry& from) {
  for (auto& stream : entry_.streams) {
    if (!stream.external) continue;
    const StreamRecord source = stream;
    WCLAYER_ASSIGN(stream.offset, streams_->Begin());
    Buffer piece(256u << 10);
    for (std::uint64_t at = 0; at < source.header.size;) {
      WCLAYER_ASSIGN(const std::size_t got, chain_->ReadStream(found, source, at, piece));
      WCLAYER_TRY(streams_->Write(Bytes(piece).first(got)));
      at += got;
    }
  }
  if (entry_.size != 0) {
    WCLAYER_ASSIGN(const auto data, chain_->OpenData(found, from));
    WCLAYER_ASSIGN(const fs::Dir* dir, OpenLevel());
    WCLAYER_ASSIGN(const auto file,
                   dir->CreateFile(NameOf(entry_.disk_path),
                                   (entry_.attributes & kReadOnly) != 0 ? 0400 : 0600));
    WCLAYER_TRY(fs::CopyContent(data.get(), file.get(), entry_.size));
  } else {
    WCLAYER_TRY(PutWithoutData());
  }
  WCLAYER_ASSIGN(const auto ordinal, metadata_->Add(entry_parent_, entry_));
  (void)ordinal;
  return {};
}

// ---- The stream of an entry
// -----------------------------------------------------------------------

void Import::BeginPayload() {
  open_ = true;
  entry_parent_ = levels_.back().ordinal;
  decoder_->Reset();
  payload_->Begin(entry_, [this] { return CreateFile(); });
}

Status Import::CreateFile() {
  WCLAYER_TRY(OpenLevel());
  return files_.Create(levels_.back().dir, NameOf(entry_.disk_path), entry_.path,
                       (entry_.attributes & kReadOnly) != 0);
}

Status Import::FinishEntry() {
  if (!open_) return {};
  open_ = false;
  auto whole = decoder_->Finish();
  if (!whole) return std::move(whole).error().At(entry_.path);
  WCLAYER_ASSIGN(const bool made, payload_->Finish());
  if (entry_.directory()) return PutFolderOnDisk();
  if (!made) WCLAYER_TRY(PutWithoutData());
  if (MustBeHive(entry_.path)) WCLAYER_TRY(CheckStoredHive());
  WCLAYER_ASSIGN(const auto ordinal, metadata_->Add(entry_parent_, entry_));
  (void)ordinal;
  return {};
}

// A broken one would only be met by the container that does not start (C15).
Status Import::CheckStoredHive() {
  WCLAYER_TRY(files_.Drain());
  WCLAYER_ASSIGN(const fs::Dir* dir, OpenLevel());
  WCLAYER_ASSIGN(const fs::UniqueFd file, dir->OpenFile(NameOf(entry_.disk_path)));
  auto checked = CheckHiveFile(file.get(), entry_.path, false);
  if (checked) return {};
  Error error = std::move(checked).error();
  error.code = Errc::kBadArchive;
  return error;
}

// A symbolic link or an empty file.
Status Import::PutWithoutData() {
  if (const StreamRecord* reparse = entry_.Reparse()) {
    WCLAYER_ASSIGN(const auto text, LinkText(entry_.path, reparse->inline_data));
    if (text) {
      WCLAYER_ASSIGN(const fs::Dir* dir, OpenLevel());
      return dir->MakeSymlink(*text, NameOf(entry_.disk_path));
    }
  }
  WCLAYER_TRY(CreateFile());
  return files_.Close();
}

Status Import::PutFolderOnDisk() {
  const StreamRecord* reparse = entry_.Reparse();
  std::optional<std::string> text;
  if (reparse != nullptr && entry_parent_ != kNoOrdinal) {
    WCLAYER_ASSIGN(text, LinkText(entry_.path, reparse->inline_data));
  }
  WCLAYER_ASSIGN(const fs::Dir* dir, OpenLevel());
  const auto name = NameOf(entry_.disk_path);
  if (merging_ == kNoOrdinal) {
    WCLAYER_TRY(text ? dir->MakeSymlink(*text, name) : dir->MakeDir(name));
    WCLAYER_ASSIGN(const auto ordinal, metadata_->Add(entry_parent_, entry_));
    (void)ordinal;
    return {};
  }
  // The last metadata wins; what the repetition does not bring stays (C12).
  Entry before;
  WCLAYER_TRY(metadata_->Read(merging_, before));
  if (entry_.security.empty()) {
    entry_.security = before.security;
    entry_.security_attributes = before.security_attributes;
  }
  if (entry_.streams.empty()) {
    entry_.streams = before.streams;
    entry_.reparse_tag = before.reparse_tag;
  } else if (reparse != nullptr || before.Reparse() != nullptr) {
    if (metadata_->HasChildren(merging_))
      return Refused(entry_.path, "a folder that holds entries cannot become a reparse point");
    WCLAYER_TRY(dir->Remove(before.disk_path.empty() ? name : NameOf(before.disk_path)));
    WCLAYER_TRY(text ? dir->MakeSymlink(*text, name) : dir->MakeDir(name));
  }
  return metadata_->Update(merging_, entry_);
}

Expected<std::size_t> Import::ReadBack(std::uint64_t ordinal, std::uint32_t stream,
                                       std::uint64_t offset, MutableBytes buffer) {
  return Guard<std::size_t>([&]() -> Expected<std::size_t> {
    WCLAYER_TRY(FinishEntry());
    WCLAYER_TRY(files_.Drain());
    if (ordinal != read_ordinal_) {
      read_ordinal_ = UINT64_MAX;
      read_file_.reset();
      const auto number =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(ordinal, std::uint64_t{kNoOrdinal}));
      WCLAYER_TRY(metadata_->Read(number, read_entry_));
      read_ordinal_ = ordinal;
    }
    if (stream == 0) {
      if (read_entry_.kind != Kind::kFile || offset >= read_entry_.size) return std::size_t{0};
      if (!read_file_) {
        WCLAYER_ASSIGN(read_file_, staging_->dir().OpenFile(read_entry_.disk_path));
      }
      const auto want = static_cast<std::size_t>(
          std::min<std::uint64_t>(buffer.size(), read_entry_.size - offset));
      return fs::ReadAt(read_file_.get(), buffer.first(want), offset);
    }
    std::uint32_t number = 0;
    for (const auto& record : read_entry_.streams) {
      if (record.header.id != backup::StreamId::kAlternateData || ++number != stream) continue;
      if (offset >= record.header.size) return std::size_t{0};
      const auto want = static_cast<std::size_t>(
          std::min<std::uint64_t>(buffer.size(), record.header.size - offset));
      if (record.external) return streams_->Read(record.offset + offset, buffer.first(want));
      const Bytes from = Bytes(record.inline_data).subspan(static_cast<std::size_t>(offset), want);
      std::copy(from.begin(), from.end(), buffer.begin());
      return want;
    }
    return std::size_t{0};
  });
}

}  // namespace wclayer::portable
