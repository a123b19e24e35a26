#include "portable/checkout.h"

#include <cerrno>
#include <vector>

#include "portable/checkout_table.h"
#include "portable/folder_opener.h"
#include "portable/names.h"
#include "portable/overlay_origin.h"

namespace wclayer::portable {
namespace {

constexpr char kUnfinished[] = "checkout.new";
constexpr std::uint32_t kPermissions = 0777;  // no setuid, setgid, sticky bit

class Copier {
 public:
  Copier(Chain& chain, const fs::Dir& root, CheckoutTableWriter& table)
      : chain_(&chain), root_(&root), table_(&table), folders_(root) {}

  Status Run() {
    WCLAYER_ASSIGN(const auto found, chain_->Find(kFiles));
    if (!found) return {};
    WCLAYER_ASSIGN(Folder folder, chain_->Enter(chain_->Top(), kFiles));
    WCLAYER_TRY(Enter(std::move(folder), *found, ""));
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.next == level.members.size()) {
        WCLAYER_TRY(FinishFolder(level));
        levels_.pop_back();
        continue;
      }
      const Member member = std::move(level.members[level.next++]);
      auto copied = Copy(level, member);
      if (!copied) return std::move(copied).error().At(Join(level.path, member.node.disk_name));
    }
    return {};
  }

 private:
  struct Level {
    std::string path;  // on disk, below the root
    Found at;
    Folder folder;
    std::vector<Member> members;
    std::size_t next = 0;
  };

  Status Enter(Folder folder, const Found& at, std::string path) {
    Level level;
    level.path = std::move(path);
    level.at = at;
    level.folder = std::move(folder);
    WCLAYER_ASSIGN(level.members, chain_->List(level.folder));
    levels_.push_back(std::move(level));
    return {};
  }

  // Every entry of the chain in its place on its own disk.
  struct Source {
    fs::Dir* layer;
    std::string path;
    fs::Info info;
  };
  Expected<Source> SourceOf(const Found& at) {
    ChainLayer& layer = chain_->layer(at.layer);
    Source source;
    source.layer = &layer.dir;
    WCLAYER_ASSIGN(source.path, layer.metadata->DiskPathOf(at.ordinal));
    auto info = layer.dir.Stat(source.path);
    if (!info) return std::move(info).error().Of(layer.id);
    source.info = *info;
    return source;
  }

  Status Copy(const Level& level, const Member& member) {
    WCLAYER_ASSIGN(const Source source, SourceOf(member.at));
    const std::string& name = member.node.disk_name;
    const std::string path = Join(level.path, name);
    if (source.info.type == fs::Type::kDirectory) {
      WCLAYER_ASSIGN(const fs::Dir* dir, folders_.Open(level.path));
      WCLAYER_TRY(dir->MakeDir(name));
      WCLAYER_ASSIGN(Folder inner, chain_->Enter(level.folder, member.node.name));
      return Enter(std::move(inner), member.at, path);
    }
    WCLAYER_ASSIGN(const fs::Dir* dir, folders_.Open(level.path));
    if (source.info.type == fs::Type::kSymlink) {
      WCLAYER_ASSIGN(const auto text, source.layer->ReadLink(source.path));
      WCLAYER_TRY(dir->MakeSymlink(text, name));
      WCLAYER_TRY(dir->SetTimes(name, source.info.mtime_seconds, source.info.mtime_nanos));
    } else if (source.info.type == fs::Type::kFile) {
      WCLAYER_TRY(CopyFile(source, *dir, name));
    } else {
      return Error(Errc::kLayerDamaged, "neither a file, a folder nor a link").At(source.path);
    }
    return Record(*dir, name, path, member.at);
  }

  static Status CopyFile(const Source& source, const fs::Dir& dir, const std::string& name) {
    WCLAYER_ASSIGN(const auto from, source.layer->OpenFile(source.path));
    WCLAYER_ASSIGN(const auto to, dir.CreateFile(name));
    WCLAYER_TRY(fs::CopyContent(from.get(), to.get(), source.info.size));
    WCLAYER_TRY(fs::SetFileMode(to.get(), source.info.mode & kPermissions));
    return fs::SetFileTimes(to.get(), source.info.mtime_seconds, source.info.mtime_nanos);
  }

  // Its members are in it: what they did to its time is undone.
  Status FinishFolder(const Level& level) {
    WCLAYER_ASSIGN(const Source source, SourceOf(level.at));
    if (level.path.empty()) {
      WCLAYER_TRY(root_->SetTimes("", source.info.mtime_seconds, source.info.mtime_nanos));
      return Record(*root_, "", "", level.at);
    }
    const std::string name(NameOf(level.path));
    WCLAYER_ASSIGN(const fs::Dir* dir, folders_.Open(ParentOf(level.path)));
    WCLAYER_TRY(dir->SetMode(name, source.info.mode & kPermissions));
    WCLAYER_TRY(dir->SetTimes(name, source.info.mtime_seconds, source.info.mtime_nanos));
    return Record(*dir, name, level.path, level.at);
  }

  Status Record(const fs::Dir& dir, const std::string& name, const std::string& path,
                const Found& at) {
    CheckoutRow row;
    row.path = path;
    row.origin = at;
    WCLAYER_ASSIGN(row.handle, HandleOf(dir, name));
    if (row.handle.empty() && !name.empty()) {
      WCLAYER_TRY(WriteMark(dir, name, {at.ordinal, MarkOfLayer(chain_->layer(at.layer).id)}));
      row.marked = ReadMark(dir, name).has_value();
    }
    WCLAYER_ASSIGN(row.info, dir.Stat(name));
    return table_->Add(row);
  }

  Chain* chain_;
  const fs::Dir* root_;
  CheckoutTableWriter* table_;
  std::vector<Level> levels_;
  FolderOpener folders_;
};

Status RemoveIfThere(const fs::Dir& folder, const char* name) {
  auto removed = folder.Remove(name);
  if (!removed && removed.error().sys_errno == ENOENT) return {};
  return removed;
}

}  // namespace

Status MakeCheckout(const Home& home, const fs::Dir& layer, Chain& chain) {
  WCLAYER_ASSIGN(const auto folder, layer.OpenDir(kPrivate));
  WCLAYER_ASSIGN(const bool there, folder.Exists(kCheckout));
  if (there) return {};
  WCLAYER_TRY(folder.RemoveTree(kUnfinished));
  WCLAYER_TRY(RemoveIfThere(folder, kCheckoutTable));
  WCLAYER_TRY(folder.MakeDir(kUnfinished));
  WCLAYER_ASSIGN(const auto root, folder.OpenDir(kUnfinished));
  WCLAYER_ASSIGN(auto table, CheckoutTableWriter::Create(folder, kCheckoutTable));
  auto copied = Copier(chain, root, table).Run();
  if (copied) copied = table.Finish();
  if (copied && home.durability() != fs::Durability::kNone) copied = root.SyncFileSystem();
  if (copied)
    copied = folder.Rename(kUnfinished, folder, kCheckout, fs::Dir::RenameMode::kNoReplace);
  if (copied) return {};
  // Half a copy may fill the disk: it goes at once.
  const auto gone = folder.RemoveTree(kUnfinished);
  (void)gone.has_value();
  return copied;
}

}  // namespace wclayer::portable
