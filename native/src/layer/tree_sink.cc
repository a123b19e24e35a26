#include "layer/tree_sink.h"

#include <algorithm>
#include <cerrno>

#include "backup/hive.h"
#include "base/page_buffer.h"
#include "fs/system.h"
#include "layer/folder_source.h"

namespace wclayer::layer {
namespace {

constexpr std::size_t kPieceBytes = 256u << 10;
constexpr char kUtilityVm[] = "UtilityVM";
constexpr char kUtilityFiles[] = "UtilityVM/Files";

}  // namespace

Expected<std::unique_ptr<TreeSink>> TreeSink::Open(const std::string& folder) {
  std::unique_ptr<TreeSink> sink(new TreeSink);
  WCLAYER_ASSIGN(sink->root_, fs::Dir::OpenAbsolute(folder));
  return sink;
}

// ---- the clone

Status TreeSink::CloneUtilityVm(const fs::Dir& parent) {
  WCLAYER_TRY(root_.MakeDirs(kUtilityVm));
  std::vector<std::string> folders = {kUtilityFiles};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    bool descend = false;
    WCLAYER_TRY(CopyOne(parent, folder, descend));
    if (!descend) continue;
    WCLAYER_ASSIGN(const fs::Dir theirs, parent.OpenDir(folder));
    WCLAYER_ASSIGN(const auto listed, theirs.List());
    for (const fs::Listed& entry : listed) {
      std::string path = folder + "/" + entry.name;
      if (entry.type == fs::Type::kDirectory) {
        folders.push_back(std::move(path));
      } else if (entry.type == fs::Type::kFile && SavedNameOf(path).empty()) {
        WCLAYER_TRY(LinkOrCopy(parent, path));
      } else {
        WCLAYER_TRY(CopyOne(parent, path, descend));
      }
    }
  }
  return {};
}

// With all that a backup stream holds. `descend`: it is a folder with entries of its own.
Status TreeSink::CopyOne(const fs::Dir& parent, const std::string& path, bool& descend) {
  WCLAYER_ASSIGN(const auto reader, fs::BackupReader::Open(parent, path, fs::Security::kTake));
  const fs::StoredTimes& times = reader->times();
  WCLAYER_ASSIGN(const auto writer, fs::BackupWriter::Open(root_, path, times, fs::Security::kTake,
                                                           fs::BackupWriter::Target::kNew));
  PageBuffer piece(kPieceBytes);
  for (;;) {
    WCLAYER_ASSIGN(const std::size_t got, reader->Read(piece));
    if (got == 0) break;
    WCLAYER_TRY(writer->Write(Bytes(piece).first(got)));
  }
  const bool folder = (times.attributes & kAttributeDirectory) != 0;
  descend = folder && (times.attributes & kAttributeReparsePoint) == 0;
  if (folder) folders_.emplace_back(path, times);
  return writer->Finish();
}

Status TreeSink::LinkOrCopy(const fs::Dir& parent, const std::string& path) {
  auto linked = root_.MakeHardLinkTo(parent, path, path);
  // Another volume, or a file of too many names.
  if (linked || (linked.error().sys_errno != EXDEV && linked.error().sys_errno != EMLINK))
    return linked;
  bool descend = false;
  return CopyOne(parent, path, descend);
}

// ---- entries

Status TreeSink::Begin(const Item& item, const std::string& path) {
  const bool plain_folder = item.directory() && item.reparse_tag == 0;
  auto there = root_.Stat(path);
  if (!there && !fs::IsAbsent(there.error())) return std::move(there).error();
  if (there && (!plain_folder || there->type != fs::Type::kDirectory))
    WCLAYER_TRY(root_.RemoveTree(path));
  const fs::StoredTimes times = TimesOf(item);
  WCLAYER_ASSIGN(writer_, fs::BackupWriter::Open(root_, path, times, fs::Security::kTake,
                                                 fs::BackupWriter::Target::kNewOrFolder));
  if (item.directory()) folders_.emplace_back(path, times);
  const std::string_view saved = SavedNameOf(path);
  if (saved.empty() || item.directory()) return {};
  WCLAYER_TRY(root_.RemoveTree(saved));
  WCLAYER_ASSIGN(saved_, fs::BackupWriter::Open(root_, saved, times, fs::Security::kLeave,
                                                fs::BackupWriter::Target::kNew));
  return {};
}

Status TreeSink::Write(Bytes stream) {
  if (writer_ == nullptr) return Error(Errc::kInternal, "this entry takes no stream");
  if (saved_ != nullptr) WCLAYER_TRY(saved_->Write(stream));
  return writer_->Write(stream);
}

Status TreeSink::End() {
  if (writer_ != nullptr) WCLAYER_TRY(writer_->Finish());
  if (saved_ != nullptr) WCLAYER_TRY(saved_->Finish());
  writer_.reset();
  saved_.reset();
  return {};
}

Status TreeSink::MakeFolder(const std::string& path) {
  return root_.MakeDirs(path);
}

Status TreeSink::Link(const std::string& target, const std::string& path) {
  WCLAYER_TRY(root_.RemoveTree(path));
  return root_.MakeHardLink(target, path);
}

Expected<std::vector<fs::Listed>> TreeSink::List(const std::string& path) const {
  auto folder = root_.OpenDir(path);
  if (!folder && fs::IsAbsent(folder.error())) return std::vector<fs::Listed>();
  if (!folder) return std::move(folder).error();
  return folder->List();
}

Expected<std::size_t> TreeSink::ReadBack(const std::string& path, std::uint64_t offset,
                                         MutableBytes buffer) const {
  WCLAYER_ASSIGN(const fs::UniqueFd file, fs::OpenItself(root_, path));
  WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(file.get()));
  if (info.type == fs::Type::kDirectory) return std::size_t{0};
  return fs::ReadAt(file.get(), buffer, offset);
}

Status CheckHiveOf(int file, const std::string& path) {
  WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(file));
  Buffer head(backup::kHiveHeadBytes);
  WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file, head, 0));
  head.resize(got);
  auto checked = backup::CheckHive(head, info.size);
  if (checked) return {};
  Error error = std::move(checked).error();
  error.code = Errc::kBadArchive;
  return std::move(error).At(path);
}

Status TreeSink::CheckHive(const std::string& path) const {
  WCLAYER_ASSIGN(const fs::UniqueFd file, fs::OpenItself(root_, path));
  return CheckHiveOf(file.get(), path);
}

Status TreeSink::Finish() {
  WCLAYER_TRY(End());
  for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) {
    auto set = fs::SetAllTimes(root_, folder->first, folder->second);
    if (!set && !fs::IsAbsent(set.error())) return set;
  }
  folders_.clear();
  return {};
}

}  // namespace wclayer::layer
