#include "layer/folder_sink.h"

#include <algorithm>
#include <cerrno>

#include "backup/hive.h"
#include "base/page_buffer.h"
#include "base/upcase.h"
#include "fs/backup.h"
#include "fs/system.h"
#include "layer/names.h"

namespace wclayer::layer {
namespace {

constexpr std::size_t kTailBytes = 256u << 10;
constexpr std::size_t kCopyBytes = 256u << 10;

bool IsBelow(std::string_view path, std::string_view top) {
  return path.size() > top.size() && path[top.size()] == '/' &&
         UpcaseUtf8(path.substr(0, top.size())) == UpcaseUtf8(top);
}

}  // namespace

// ---- links

void LinkGroups::Add(const std::string& name, const std::string& first) {
  const std::string holder = FirstOf(first);
  groups_[holder].insert(name);
  first_[name] = holder;
}

std::string LinkGroups::FirstOf(const std::string& name) const {
  const auto found = first_.find(name);
  return found == first_.end() ? name : found->second;
}

void LinkGroups::Drop(const std::string& name) {
  if (const auto link = first_.find(name); link != first_.end()) {
    auto group = groups_.find(link->second);
    group->second.erase(name);
    if (group->second.empty()) groups_.erase(group);
    first_.erase(link);
    return;
  }
  const auto group = groups_.find(name);
  if (group == groups_.end()) return;
  std::set<std::string> others = std::move(group->second);
  groups_.erase(group);
  const std::string next = *others.begin();
  others.erase(others.begin());
  first_.erase(next);
  for (const std::string& other : others) first_[other] = next;
  if (!others.empty()) groups_[next] = std::move(others);
}

// ---- parents

Expected<ParentFolders> ParentFolders::Open(const std::vector<std::string>& paths) {
  ParentFolders parents;
  for (const std::string& path : paths) {
    WCLAYER_ASSIGN(fs::Dir dir, fs::Dir::OpenAbsolute(path));
    parents.dirs_.push_back(std::move(dir));
  }
  return parents;
}

Expected<const fs::Dir*> ParentFolders::Find(std::string_view path, fs::Type type) const {
  const fs::Dir* none = nullptr;
  for (const fs::Dir& dir : dirs_) {
    auto info = dir.Stat(path);
    if (info) return info->type == type ? &dir : none;
    if (!fs::IsAbsent(info.error())) return std::move(info).error();
  }
  return none;
}

Expected<std::set<std::string>> ParentFolders::List(std::string_view path) const {
  std::set<std::string> names;
  for (const fs::Dir& dir : dirs_) {
    auto folder = dir.OpenDir(path);
    if (!folder && fs::IsAbsent(folder.error())) continue;
    if (!folder) return std::move(folder).error();
    WCLAYER_ASSIGN(const auto listed, folder->List());
    for (const fs::Listed& item : listed) names.insert(item.name);
  }
  return names;
}

// ---- the sink

Expected<std::unique_ptr<FolderSink>> FolderSink::Open(const Folders& folders) {
  std::unique_ptr<FolderSink> sink(new FolderSink);
  WCLAYER_ASSIGN(sink->root_, fs::Dir::OpenAbsolute(folders.transport));
  WCLAYER_ASSIGN(const fs::Dir beside, fs::Dir::OpenAbsolute(folders.own));
  if (!folders.tree.empty()) {
    WCLAYER_ASSIGN(sink->tree_, TreeSink::Open(folders.tree));
    sink->whole_tree_ = folders.parents.empty();
  }
  WCLAYER_ASSIGN(auto paths, PathListWriter::Create(beside));
  sink->paths_ = std::make_unique<PathListWriter>(std::move(paths));
  WCLAYER_ASSIGN(sink->parents_, ParentFolders::Open(folders.parents));
  return sink;
}

Expected<std::uint64_t> FolderSink::Begin(const Item& item) {
  WCLAYER_TRY(EndItem());
  if (item.deleted) {
    tombstones_.push_back({item.path, item.opaque});
    return paths_->Add(item.path);
  }
  in_tree_ = InTree(item.path);
  const bool file = item.link_target.empty() && !item.directory();
  if (file && backup::MustBeHive(item.path)) hive_ = item.path;
  if (in_tree_) WCLAYER_TRY(EnterTree());
  WCLAYER_TRY(Enter(ParentOf(item.path), item));
  const NameIndex::Key key = NameIndex::KeyOf(item.path);
  const std::optional<Known> known = index_.Find(key);
  const bool merges = known && known->kind == EntryKind::kFolder;
  std::string path = Joined(parent_stored_, BaseOf(item.path));
  if (known) {
    WCLAYER_ASSIGN(const std::string before, paths_->At(known->ordinal));
    if (merges) {
      path = before;
    } else {
      read_file_.reset();  // Windows keeps the name of an open file
      read_ordinal_ = UINT64_MAX;
      links_.Drop(before);
      WCLAYER_TRY(in_tree_ ? tree_->Remove(before) : root_.Remove(before));
    }
  }
  if (!in_tree_ && path.ends_with(kFolderSuffix)) {
    return Error(Errc::kUnsupported, "a name ending in '" + std::string(kFolderSuffix) +
                                         "', by which a transport folder knows its own files")
        .At(item.path);
  }
  const bool link = !item.link_target.empty();
  const EntryKind kind = link               ? EntryKind::kLink
                         : item.directory() ? EntryKind::kFolder
                                            : EntryKind::kFile;
  if (link) {
    WCLAYER_TRY(BeginLink(item, path));
    return Name(key, kind, path);
  }
  if (in_tree_) {
    WCLAYER_TRY(tree_->Begin(item, path));
    return Name(key, kind, path);
  }
  times_ = TimesOf(item);
  if (kind == EntryKind::kFolder) WCLAYER_TRY(BeginFolder(path, merges));
  if (kind == EntryKind::kFile) WCLAYER_TRY(BeginStored(path, times_));
  WCLAYER_ASSIGN(const std::uint64_t ordinal, Name(key, kind, path));
  if (kind == EntryKind::kFolder) folders_.emplace_back(ordinal, times_);
  return ordinal;
}

Expected<std::uint64_t> FolderSink::Name(const NameIndex::Key& key, EntryKind kind,
                                         const std::string& path) {
  WCLAYER_ASSIGN(const std::uint64_t ordinal, paths_->Add(path));
  index_.Set(key, {static_cast<std::uint32_t>(ordinal), kind});
  return ordinal;
}

bool FolderSink::InTree(std::string_view path) const {
  return tree_ != nullptr &&
         (whole_tree_ || UpcaseUtf8(path.substr(0, path.find('/'))) == "UTILITYVM");
}

// Before the first entry below UtilityVM.
Status FolderSink::EnterTree() {
  if (cloned_ || whole_tree_) return {};
  cloned_ = true;
  WCLAYER_ASSIGN(const fs::Dir* parent, parents_.Find("UtilityVM/Files", fs::Type::kDirectory));
  return parent == nullptr ? Status() : tree_->CloneUtilityVm(*parent);
}

// ---- folders

// Makes `path` the current folder.
Status FolderSink::Enter(std::string_view path, const Item& below) {
  if (path == parent_ && (parent_dir_ || path.empty() || InTree(path))) return {};
  std::string stored;
  for (std::size_t end = 0; end < path.size();) {
    const std::size_t begin = end == 0 ? 0 : end + 1;
    end = std::min(path.find('/', begin), path.size());
    const std::string_view at = path.substr(0, end);
    const NameIndex::Key key = NameIndex::KeyOf(at);
    if (const auto known = index_.Find(key)) {
      WCLAYER_ASSIGN(stored, paths_->At(known->ordinal));
      continue;
    }
    stored = Joined(stored, path.substr(begin, end - begin));
    WCLAYER_TRY(MakeImpliedFolder(stored, below));
    WCLAYER_ASSIGN(const std::uint64_t ordinal, Name(key, EntryKind::kFolder, stored));
    (void)ordinal;
  }
  if (InTree(path)) {
    parent_dir_ = fs::Dir();
  } else {
    WCLAYER_ASSIGN(parent_dir_, root_.OpenDir(stored));
  }
  parent_ = path;
  parent_stored_ = std::move(stored);
  return {};
}

Status FolderSink::MakeImpliedFolder(const std::string& path, const Item& below) {
  if (InTree(path)) return tree_->MakeFolder(path);
  WCLAYER_TRY(root_.MakeDir(path));
  if (!fs::HasBackupStreams()) return {};
  WCLAYER_ASSIGN(const fs::Dir* parent, parents_.Find(path, fs::Type::kDirectory));
  times_ = fs::StoredTimes();
  times_.attributes = kAttributeDirectory;
  times_.time_absent = fs::kAllButWriteTimeAbsent;
  std::fill(std::begin(times_.times), std::end(times_.times), below.times[kWrite]);
  std::unique_ptr<fs::BackupReader> reader;
  if (parent != nullptr) {
    WCLAYER_ASSIGN(reader, fs::BackupReader::Open(*parent, path, fs::Security::kTake));
    times_ = reader->times();
  }
  const fs::StoredTimes times = times_;
  WCLAYER_TRY(BeginStored(path + std::string(kFolderSuffix), times));
  PageBuffer piece(reader == nullptr ? 0 : kCopyBytes);
  while (reader != nullptr) {
    WCLAYER_ASSIGN(const std::size_t got, reader->Read(piece));
    if (got == 0) break;
    WCLAYER_TRY(Put(Bytes(piece).first(got)));
  }
  return EndItem();
}

// What a reparse folder's data leads to is nobody's business here: it stays a plain folder, and the
// importer lets nothing be put below it.
Status FolderSink::BeginFolder(const std::string& path, bool known) {
  const std::string metadata = path + std::string(kFolderSuffix);
  if (known) {
    auto gone = root_.Remove(metadata);
    if (!gone && !fs::IsAbsent(gone.error())) return gone;
  } else {
    WCLAYER_TRY(root_.MakeDir(path));
  }
  return BeginStored(metadata, times_);
}

// ---- files

Status FolderSink::BeginStored(const std::string& path, const fs::StoredTimes& times) {
  times_ = times;
  if (parent_dir_ && ParentOf(path) == parent_stored_) {
    WCLAYER_ASSIGN(file_, parent_dir_.CreateFile(BaseOf(path)));
  } else {
    WCLAYER_ASSIGN(file_, root_.CreateFile(path));
  }
  written_ = 0;
  is_plain_ = IsBelow(path, "Hives") && !path.ends_with(kFolderSuffix);
  decoder_.Reset();
  if (is_plain_) return {};
  std::byte word[kAttributeWordBytes];
  StoreLe(word, times.attributes);
  return Put(word);
}

Status FolderSink::BeginLink(const Item& item, const std::string& path) {
  const auto known = index_.Find(NameIndex::KeyOf(item.link_target));
  if (in_tree_ != InTree(item.link_target)) {
    return Error(Errc::kBadArchive, "a hard link from or into UtilityVM").At(item.path);
  }
  if (in_tree_ && !known) {
    WCLAYER_ASSIGN(const bool cloned, tree_->Has(item.link_target));
    if (cloned) return tree_->Link(item.link_target, path);
  }
  if (!known) return CopyFromParent(item, path);
  if (known->kind == EntryKind::kFolder) {
    return Error(Errc::kBadArchive, "a hard link to the folder '" + item.link_target + "'")
        .At(item.path);
  }
  WCLAYER_ASSIGN(const std::string target, paths_->At(known->ordinal));
  if (in_tree_) return tree_->Link(target, path);
  auto linked = root_.MakeHardLink(target, path);
  if (!linked && linked.error().sys_errno == EMLINK) {
    // A file system allows so many names of one file (ext4: 65,000).
    WCLAYER_ASSIGN(const fs::UniqueFd from, root_.OpenFile(target));
    WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(from.get()));
    WCLAYER_ASSIGN(const fs::StoredTimes times,
                   fs::ReadStoredTimes(from.get(), info, kPlainFileAttributes));
    WCLAYER_ASSIGN(const fs::UniqueFd to, root_.CreateFile(path));
    WCLAYER_TRY(fs::CopyContent(from.get(), to.get(), info.size));
    linked = fs::WriteStoredTimes(to.get(), times);
  }
  if (!linked) return std::move(linked).error().At(item.path);
  links_.Add(path, target);
  return {};
}

Status FolderSink::CopyFromParent(const Item& item, const std::string& path) {
  WCLAYER_ASSIGN(const fs::Dir* parent, parents_.Find(item.link_target, fs::Type::kFile));
  if (parent == nullptr || in_tree_) {
    return Error(Errc::kBadArchive,
                 "the hard link's target '" + item.link_target +
                     "' is neither an earlier file of this layer nor a file of a parent")
        .At(item.path);
  }
  WCLAYER_ASSIGN(const auto reader,
                 fs::BackupReader::Open(*parent, item.link_target, fs::Security::kTake));
  WCLAYER_TRY(BeginStored(path, reader->times()));
  PageBuffer piece(kCopyBytes);
  for (;;) {
    WCLAYER_ASSIGN(const std::size_t got, reader->Read(piece));
    if (got == 0) break;
    WCLAYER_TRY(Put(Bytes(piece).first(got)));
  }
  return EndItem();
}

Status FolderSink::Write(Bytes stream) {
  if (in_tree_) return tree_->Write(stream);
  if (!file_) return Error(Errc::kInternal, "this entry takes no stream");
  return is_plain_ ? decoder_.Write(stream) : Put(stream);
}

Status FolderSink::PlainData::OnStream(const backup::StreamHeader& header,
                                       std::uint64_t sparse_offset) {
  const bool block = header.id == backup::StreamId::kSparseBlock;
  main_ = header.id == backup::StreamId::kData || (main_ && block);
  if (!main_ || !block) return {};
  WCLAYER_TRY(to_->Flush());
  to_->written_ = sparse_offset;
  return fs::Resize(to_->file_.get(), sparse_offset);
}

Status FolderSink::PlainData::OnData(Bytes bytes) {
  return main_ ? to_->Put(bytes) : Status();
}

Status FolderSink::Put(Bytes bytes) {
  if (tail_.size() + bytes.size() <= kTailBytes) {
    Append(tail_, bytes);
    return {};
  }
  WCLAYER_TRY(Flush());
  WCLAYER_TRY(fs::WriteAt(file_.get(), bytes, written_));
  written_ += bytes.size();
  return {};
}

Status FolderSink::Flush() {
  if (tail_.empty()) return {};
  WCLAYER_TRY(fs::WriteAt(file_.get(), tail_, written_));
  written_ += tail_.size();
  tail_.clear();
  return {};
}

Status FolderSink::EndItem() {
  if (tree_ != nullptr) {
    WCLAYER_TRY(tree_->End());
    if (!hive_.empty()) WCLAYER_TRY(tree_->CheckHive(std::exchange(hive_, {})));
  }
  if (!file_) return {};
  if (is_plain_) WCLAYER_TRY(decoder_.Finish());
  WCLAYER_TRY(Flush());
  if (is_plain_ && !hive_.empty()) WCLAYER_TRY(CheckHiveOf(file_.get(), hive_));
  hive_.clear();
  WCLAYER_TRY(fs::WriteStoredTimes(file_.get(), times_));
  file_.reset();
  read_ordinal_ = UINT64_MAX;
  return {};
}

Expected<std::size_t> FolderSink::ReadBack(std::uint64_t ordinal, std::uint32_t stream,
                                           std::uint64_t offset, MutableBytes buffer) {
  if (read_ordinal_ != ordinal) {
    WCLAYER_TRY(Flush());
    read_ordinal_ = UINT64_MAX;
    WCLAYER_ASSIGN(const std::string path, paths_->At(ordinal));
    if (InTree(path)) {
      if (stream != 0) return std::size_t{0};  // kept in "extra"
      return tree_->ReadBack(path, offset, buffer);
    }
    WCLAYER_ASSIGN(read_file_, root_.OpenFile(path));
    WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(read_file_.get()));
    if (info.type == fs::Type::kDirectory) return std::size_t{0};
    if (IsBelow(path, "Hives")) {
      StoredStream whole;
      whole.data_size = info.size;
      read_streams_ = {whole};
    } else {
      WCLAYER_ASSIGN(read_streams_, ReadStoredStreams(read_file_.get(), kAttributeWordBytes));
    }
    read_ordinal_ = ordinal;
  }
  return ReadStoredData(read_file_.get(), read_streams_, stream, offset, buffer);
}

// ---- the end

Status FolderSink::Finish() {
  WCLAYER_TRY(EndItem());
  read_file_.reset();
  parent_dir_ = fs::Dir();
  for (const Tombstone& tombstone : tombstones_) {
    const auto held = index_.Find(NameIndex::KeyOf(tombstone.path));
    const bool folder = tombstone.opaque || (held && held->kind == EntryKind::kFolder);
    if (InTree(tombstone.path)) {
      if (!held || folder) WCLAYER_TRY(RemoveFromTree(tombstone, folder));
    } else if (folder) {
      WCLAYER_TRY(Hide({tombstone.path}));
    } else if (!held) {
      deleted_.push_back(tombstone.path);
    }
  }
  if (tree_ != nullptr) WCLAYER_TRY(tree_->Finish());
  if (!whole_tree_) {
    // Every ImportLayer wants these two (spec vmcompute-abi §8).
    for (const char* top : {"Files", "Hives"}) {
      if (!index_.Find(NameIndex::KeyOf(top))) WCLAYER_TRY(root_.MakeDir(top));
    }
    WCLAYER_TRY(WriteTombstones());
  }
  return paths_->Finish();
}

// What the clone brought there goes. `inside`: what of a folder this layer has itself stays.
Status FolderSink::RemoveFromTree(const Tombstone& tombstone, bool inside) {
  if (whole_tree_) return {};  // a base layer hides nothing
  WCLAYER_TRY(EnterTree());
  if (!inside) return tree_->Remove(tombstone.path);
  std::vector<std::string> folders = {tombstone.path};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    WCLAYER_ASSIGN(const auto listed, tree_->List(folder));
    for (const fs::Listed& entry : listed) {
      std::string path = Joined(folder, entry.name);
      const auto held = index_.Find(NameIndex::KeyOf(path));
      if (!held) {
        WCLAYER_TRY(tree_->Remove(path));
      } else if (held->kind == EntryKind::kFolder) {
        folders.push_back(std::move(path));
      }
    }
  }
  return {};
}

// What the parents have in a folder that hides it, without what this layer has there itself.
Status FolderSink::Hide(std::vector<std::string> folders) {
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    WCLAYER_ASSIGN(const auto names, parents_.List(folder));
    for (const std::string& name : names) {
      std::string path = Joined(folder, name);
      const auto held = index_.Find(NameIndex::KeyOf(path));
      if (!held) {
        deleted_.push_back(std::move(path));
      } else if (held->kind == EntryKind::kFolder) {
        folders.push_back(std::move(path));
      }
    }
  }
  return {};
}

Status FolderSink::WriteTombstones() {
  std::string text(kTombstonesMark);
  text += kTombstonesVersion;
  text += '\n';
  for (const std::string& path : deleted_) {
    if (!IsBelow(path, "Files")) {
      return Error(Errc::kUnsupported, "a transport folder cannot hold a deletion outside Files")
          .At(path);
    }
    std::string line = path.substr(path.find('/'));
    std::replace(line.begin(), line.end(), '/', '\\');
    text += line + '\n';
  }
  WCLAYER_ASSIGN(const fs::UniqueFd file, root_.CreateFile(kTombstonesFile));
  return fs::WriteAt(file.get(), AsBytes(text), 0);
}

Status FolderSink::Settle(const fs::Dir& layer) const {
  for (const std::string& path : deleted_) WCLAYER_TRY(layer.RemoveTree(path));
  for (const auto& [first, others] : links_.groups()) {
    for (const std::string& name : others) {
      WCLAYER_ASSIGN(const bool here, layer.Exists(name));
      WCLAYER_ASSIGN(const bool there, layer.Exists(first));
      // Under another name on disk: the whole file that the table made of it stays.
      if (!here || !there) continue;
      WCLAYER_TRY(layer.Remove(name));
      WCLAYER_TRY(layer.MakeHardLink(first, name));
    }
  }
  // Children first: what is done to them changes the times of their folders.
  for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) {
    WCLAYER_ASSIGN(const std::string path, paths_->At(folder->first));
    auto set = fs::SetAllTimes(layer, path, folder->second);
    if (!set && !fs::IsAbsent(set.error())) return set;
  }
  return {};
}

}  // namespace wclayer::layer
