// A transport tar unpacked into a folder, with what v1.10's untar does (spec layer-formats §f),
// made safe.
#include <atomic>
#include <cerrno>
#include <vector>

#include "base/upcase.h"
#include "base/utf16.h"
#include "fs/dir.h"
#include "layer/name_index.h"
#include "layer/names.h"
#include "layer/transport.h"
#include "tar/reader.h"

namespace wclayer::layer {
namespace {

constexpr std::string_view kAufsPrefix = ".wh..wh.";
constexpr std::string_view kStoreFolder = ".wclayer";

}  // namespace

struct FolderUntar::State final : tar::Sink {
  State() : reader(*this) {}

  Status OnRaw(Bytes) override { return {}; }
  Status OnEntry(const tar::Entry& entry) override;
  Status OnPayload(Bytes bytes) override;
  Status OnEntryEnd() override;

  Status Dispatch(const tar::Entry& entry);
  Status Folder(const std::string& path, UnixTime mtime);
  Status File(const tar::Entry& entry, const std::string& path);
  Status HardLink(const tar::Entry& entry, const std::string& path);
  Status Whiteout(std::string_view parent, std::string_view base);
  Status Opaque(std::string_view folder);
  bool IsOurs(std::string_view path) const {
    return unpacked.Find(NameIndex::KeyOf(path)).has_value();
  }
  void Remember(std::string_view path);
  Status SetFolderTimes();

  struct Timed {
    std::string path;
    UnixTime mtime;
  };

  fs::Dir root;
  tar::Reader reader;
  fs::UniqueFd file;
  Timed current;
  std::uint64_t position = 0;
  NameIndex unpacked;    // what this tar put there: an opaque folder keeps it
  bool removed = false;  // a whiteout may have taken some of that away
  std::vector<Timed> folders;
  std::int64_t size = 0;
  std::atomic<std::uint64_t> entries{0};
};

Status FolderUntar::State::OnEntry(const tar::Entry& entry) {
  size += static_cast<std::int64_t>(entry.size);
  file.reset();
  auto done = Dispatch(entry);
  if (done) return {};
  Error error = std::move(done).error();
  error.message = "tar entry " + std::to_string(entry.index) + ", header at byte " +
                  std::to_string(entry.offset) + ": " + error.message;
  error.path = IsWtf8(entry.name) ? entry.name : "(a name that is not UTF-8)";
  return error;
}

Status FolderUntar::State::Dispatch(const tar::Entry& entry) {
  switch (entry.type) {
    case '0':
    case '1':
    case '5':
      break;
    case '2':
      return Error(Errc::kUnsafePath, "a symbolic link, which no transport tar holds");
    default:
      return {};  // devices, pipes and headers of others: v1.10 ignores them
  }
  WCLAYER_ASSIGN(const std::string_view name, StripName(entry.name));
  if (name.empty()) return {};
  // Where the operating system is Windows, such a file cannot be (spec layer-formats §f).
  if (name.find(':') != std::string_view::npos) return {};
  WCLAYER_TRY(CheckWindowsPath(name));
  if (UpcaseUtf8(name.substr(0, name.find('/'))) == UpcaseUtf8(kStoreFolder)) {
    return Error(Errc::kUnsafePath, "a name in the folder that the store keeps for itself");
  }
  const std::string path(name);
  const std::string_view base = BaseOf(path);
  if (base.starts_with(kWhiteoutPrefix)) return Whiteout(ParentOf(path), base);
  const std::string_view parent = ParentOf(path);
  const bool known = !removed && IsOurs(parent);
  if (!parent.empty() && !known) WCLAYER_TRY(root.MakeDirs(parent));
  if (entry.type == '5') return Folder(path, entry.mtime);
  return entry.type == '1' ? HardLink(entry, path) : File(entry, path);
}

// With the folders on the way.
void FolderUntar::State::Remember(std::string_view path) {
  for (; !path.empty(); path = ParentOf(path)) {
    const NameIndex::Key key = NameIndex::KeyOf(path);
    if (unpacked.Find(key)) return;
    unpacked.Set(key, Known());
  }
}

Status FolderUntar::State::Folder(const std::string& path, UnixTime mtime) {
  auto made = root.MakeDir(path);
  if (!made && made.error().sys_errno == EEXIST) {
    WCLAYER_ASSIGN(const fs::Info info, root.Stat(path));
    const bool folder = info.type == fs::Type::kDirectory;
    if (!folder) WCLAYER_TRY(root.RemoveTree(path));
    made = folder ? Status() : root.MakeDir(path);
  }
  WCLAYER_TRY(made);
  Remember(path);
  folders.push_back({path, mtime});
  return {};
}

Status FolderUntar::State::File(const tar::Entry& entry, const std::string& path) {
  if (entry.sparse) return Error(Errc::kBadArchive, "a sparse file in a transport tar");
  auto created = root.CreateFile(path);
  if (!created && created.error().sys_errno == EEXIST) {
    WCLAYER_TRY(root.RemoveTree(path));
    created = root.CreateFile(path);
  }
  WCLAYER_ASSIGN(file, std::move(created));
  Remember(path);
  current = {path, entry.mtime};
  position = 0;
  return {};
}

Status FolderUntar::State::HardLink(const tar::Entry& entry, const std::string& path) {
  WCLAYER_ASSIGN(const std::string_view target, StripName(entry.link_name));
  WCLAYER_TRY(CheckWindowsPath(target));
  if (!IsOurs(target)) {
    return Error(Errc::kBadArchive, "a hard link to what is no earlier file of this tar");
  }
  if (target == path) return {};
  WCLAYER_TRY(root.RemoveTree(path));
  WCLAYER_TRY(root.MakeHardLink(target, path));
  Remember(path);
  return {};
}

Status FolderUntar::State::Whiteout(std::string_view parent, std::string_view base) {
  removed = true;
  if (base == kOpaqueMarker) return Opaque(parent);
  if (base.starts_with(kAufsPrefix)) return {};
  const std::string_view gone = base.substr(kWhiteoutPrefix.size());
  if (gone.empty() || gone == "." || gone == "..") {
    return Error(Errc::kUnsafePath, "a whiteout of nothing: '.wh.' must be followed by a name");
  }
  std::string path(parent);
  if (!path.empty()) path += '/';
  path += gone;
  WCLAYER_TRY(CheckWindowsPath(path));
  if (UpcaseUtf8(path) == UpcaseUtf8(kStoreFolder)) {
    return Error(Errc::kUnsafePath, "a whiteout of the folder that the store keeps for itself");
  }
  return root.RemoveTree(path);
}

// Everything below the folder goes but what this tar has unpacked.
Status FolderUntar::State::Opaque(std::string_view folder) {
  std::vector<std::string> left = {std::string(folder)};
  while (!left.empty()) {
    const std::string at = std::move(left.back());
    left.pop_back();
    auto dir = root.OpenDir(at);
    if (!dir && dir.error().sys_errno == ENOENT) continue;
    if (!dir) return std::move(dir).error();
    WCLAYER_ASSIGN(const std::vector<fs::Listed> inside, dir->List());
    for (const fs::Listed& entry : inside) {
      if (at.empty() && UpcaseUtf8(entry.name) == UpcaseUtf8(kStoreFolder)) continue;
      const std::string path = at.empty() ? entry.name : at + "/" + entry.name;
      if (!IsOurs(path)) {
        WCLAYER_TRY(dir->RemoveTree(entry.name));
      } else if (entry.type == fs::Type::kDirectory) {
        left.push_back(path);
      }
    }
  }
  return {};
}

Status FolderUntar::State::OnPayload(Bytes bytes) {
  if (!file) return {};
  WCLAYER_TRY(fs::WriteAt(file.get(), bytes, position));
  position += bytes.size();
  return {};
}

Status FolderUntar::State::OnEntryEnd() {
  entries.fetch_add(1, std::memory_order_relaxed);
  if (!file) return {};
  file.reset();
  return root.SetTimes(current.path, current.mtime.seconds,
                       static_cast<std::uint32_t>(current.mtime.nanos));
}

// Last, and children first: making an entry changes its folder's time.
Status FolderUntar::State::SetFolderTimes() {
  for (auto at = folders.rbegin(); at != folders.rend(); ++at) {
    auto set =
        root.SetTimes(at->path, at->mtime.seconds, static_cast<std::uint32_t>(at->mtime.nanos));
    if (!set && set.error().sys_errno != ENOENT) return set;  // a whiteout took it away
  }
  return {};
}

FolderUntar::FolderUntar() : state_(std::make_unique<State>()) {}
FolderUntar::~FolderUntar() = default;

Expected<std::unique_ptr<FolderUntar>> FolderUntar::Open(const std::string& folder) {
  std::unique_ptr<FolderUntar> untar(new FolderUntar);
  WCLAYER_ASSIGN(untar->state_->root, fs::Dir::OpenAbsolute(folder));
  return untar;
}

Status FolderUntar::Write(Bytes bytes) {
  return state_->reader.Write(bytes);
}

Status FolderUntar::Finish() {
  WCLAYER_TRY(state_->reader.Finish());
  return state_->SetFolderTimes();
}

std::int64_t FolderUntar::size_bytes() const {
  return state_->size;
}

std::uint64_t FolderUntar::entries() const {
  return state_->entries.load(std::memory_order_relaxed);
}

}  // namespace wclayer::layer
