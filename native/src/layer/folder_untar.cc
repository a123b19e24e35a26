// A transport tar unpacked into a folder, with what v1.10's untar does (spec layer-formats §f),
// made safe.
#include <atomic>
#include <cerrno>
#include <vector>

#include "fs/dir.h"
#include "layer/names.h"
#include "layer/transport.h"
#include "tar/reader.h"

namespace wclayer::layer {
namespace {

constexpr std::size_t kMaxEntriesLookedAt = 64;

}  // namespace

struct FolderUntar::State final : tar::Sink {
  State() : reader(*this) {}

  Status OnRaw(Bytes) override { return {}; }

  Status OnEntry(const tar::Entry& entry) override {
    size += static_cast<std::int64_t>(entry.size);
    auto done = Dispatch(entry);
    if (done) return {};
    Error error = std::move(done).error();
    error.message += " (entry " + std::to_string(entry.index) + " at offset " +
                     std::to_string(entry.offset) + ")";
    error.path = entry.name;
    return error;
  }

  Status Dispatch(const tar::Entry& entry) {
    file.reset();
    std::string_view name = entry.name;
    while (name.starts_with("./")) name.remove_prefix(2);
    while (name.ends_with('/')) name.remove_suffix(1);
    // v1.10 ignores devices, pipes and global headers; a name with a colon cannot be a Windows
    // file.
    if (name.empty() || name == "." || entry.type == 'g' || entry.type == '3' ||
        entry.type == '4' || entry.type == '6')
      return {};
    if (name.find('\\') != std::string_view::npos || name.find(':') != std::string_view::npos) {
      return Error(Errc::kUnsafePath, "a backslash or a colon in a name");
    }
    const std::string_view base = BaseOf(name);
    if (base.starts_with(kWhiteoutPrefix)) return Whiteout(name, base);
    const std::string_view parent = ParentOf(name);
    if (!parent.empty()) WCLAYER_TRY(root.MakeDirs(parent));
    if (entry.type == '5') {
      times.push_back({std::string(name), entry.mtime});
      auto made = root.MakeDir(name);
      if (made || made.error().sys_errno != EEXIST) return made;
      WCLAYER_ASSIGN(const fs::Info info, root.Stat(name));
      if (info.type == fs::Type::kDirectory) return {};
      WCLAYER_TRY(root.Remove(name));
      return root.MakeDir(name);
    }
    if (entry.type != '0') {
      return Error(Errc::kBadArchive, std::string("an entry of type '") + entry.type +
                                          "': a transport tar holds files and folders alone");
    }
    if (entry.sparse) return Error(Errc::kBadArchive, "a sparse file in a transport tar");
    auto created = root.CreateFile(name);
    if (!created && created.error().sys_errno == EEXIST) {
      WCLAYER_TRY(root.RemoveTree(name));
      created = root.CreateFile(name);
    }
    if (!created) return std::move(created).error();
    file = *std::move(created);
    position = 0;
    times.push_back({std::string(name), entry.mtime});
    return {};
  }

  // Whiteouts act on what this very tar has put there.
  Status Whiteout(std::string_view name, std::string_view base) {
    const std::string_view parent = ParentOf(name);
    if (base == kOpaqueMarker) {
      auto folder = root.OpenDir(parent);
      if (!folder) return {};
      WCLAYER_ASSIGN(const std::vector<fs::Listed> inside, folder->List());
      for (const fs::Listed& entry : inside) WCLAYER_TRY(folder->RemoveTree(entry.name));
      return {};
    }
    const std::string_view gone = base.substr(kWhiteoutPrefix.size());
    if (gone.empty() || gone == "." || gone == "..")
      return Error(Errc::kUnsafePath, "a whiteout of nothing");
    return root.RemoveTree(std::string(name.substr(0, name.size() - base.size())) +
                           std::string(gone));
  }

  Status OnPayload(Bytes bytes) override {
    if (!file) return {};
    WCLAYER_TRY(fs::WriteAt(file.get(), bytes, position));
    position += bytes.size();
    return {};
  }

  Status OnEntryEnd() override {
    entries.fetch_add(1, std::memory_order_relaxed);
    file.reset();
    return {};
  }

  // Times last and children first: making an entry changes its folder's.
  Status SetTimes() {
    for (auto at = times.rbegin(); at != times.rend(); ++at) {
      auto set =
          root.SetTimes(at->path, at->mtime.seconds, static_cast<std::uint32_t>(at->mtime.nanos));
      if (!set && set.error().sys_errno != ENOENT) return set;
    }
    return {};
  }

  struct Timed {
    std::string path;
    UnixTime mtime;
  };

  fs::Dir root;
  tar::Reader reader;
  fs::UniqueFd file;
  std::uint64_t position = 0;
  std::vector<Timed> times;
  std::int64_t size = 0;
  std::atomic<std::uint64_t> entries{0};
};

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
  return state_->SetTimes();
}

std::int64_t FolderUntar::size_bytes() const {
  return state_->size;
}
std::uint64_t FolderUntar::entries() const {
  return state_->entries.load(std::memory_order_relaxed);
}

namespace {

// Looks at entries until it knows, or has seen enough.
class Recogniser final : public tar::Sink {
 public:
  Status OnRaw(Bytes) override { return {}; }
  Status OnEntry(const tar::Entry& entry) override {
    if (kind_ == TarKind::kUnknown) kind_ = TarKind::kOci;
    const bool transport = entry.name == "tombstones.txt" || entry.name == "./tombstones.txt" ||
                           entry.name.ends_with(".$wcidirs$");
    if (transport) kind_ = TarKind::kTransport;
    if (transport || ++seen_ == kMaxEntriesLookedAt) return Error(Errc::kCancelled, "seen enough");
    return {};
  }
  Status OnPayload(Bytes) override { return {}; }
  Status OnEntryEnd() override { return {}; }
  TarKind kind() const { return kind_; }

 private:
  TarKind kind_ = TarKind::kUnknown;
  std::size_t seen_ = 0;
};

}  // namespace

TarKind RecogniseTar(Bytes head) {
  Recogniser recogniser;
  tar::Reader reader(recogniser);
  auto looked = reader.Write(head);
  (void)looked.has_value();  // cut off, or not a tar: whoever reads it properly will say so
  return recogniser.kind();
}

}  // namespace wclayer::layer
