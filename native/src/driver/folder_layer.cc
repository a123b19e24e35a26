#include "driver/folder_layer.h"

#include "base/json.h"
#include "base/layer_id.h"
#include "base/limits.h"
#include "base/quietly.h"
#include "fs/backup.h"
#include "layer/folder_sink.h"
#include "layer/importer.h"
#include "layer/skeleton.h"

namespace wclayer {
namespace {

constexpr const char* kMarkFile = "begun.json";
constexpr const char* kTransport = "layer";
constexpr const char* kOwn = "own";
constexpr const char* kTree = "tree";
constexpr const char* kPrivate = ".wclayer";

class FolderLayer final : public TarTarget {
 public:
  static Expected<std::unique_ptr<TarTarget>> Open(Core& core, const std::string& id,
                                                   const ParentChain& chain, bool existed) {
    WCLAYER_ASSIGN(std::string temporary, core.TemporaryFolder(id));
    std::unique_ptr<FolderLayer> target(
        new FolderLayer(core, id, chain, existed, std::move(temporary)));
    WCLAYER_ASSIGN(const fs::Dir dir, fs::Dir::OpenAbsolute(target->temporary_));
    WCLAYER_TRY(dir.MakeDir(kTransport));
    WCLAYER_TRY(dir.MakeDir(kOwn));
    const std::string own = target->Below(kOwn);
    layer::FolderSink::Folders folders;
    folders.transport = target->Below(kTransport);
    folders.own = own;
    WCLAYER_ASSIGN(folders.parents, core.platform().Folders(chain));
    if (fs::HasBackupStreams()) {
      WCLAYER_TRY(dir.MakeDir(kTree));
      folders.tree = target->Below(kTree);
    }
    WCLAYER_ASSIGN(target->sink_, layer::FolderSink::Open(folders));
    WCLAYER_ASSIGN(fs::Dir own_dir, dir.OpenDir(kOwn));
    target->skeleton_ = std::make_unique<layer::SkeletonWriter>(
        std::move(own_dir), layer::SkeletonWriter::Kept::kFilesOnly);
    layer::ImportOptions options;
    options.strict_tar = core.options().strict_tar;
    options.base_layer = chain.empty();
    target->importer_ =
        std::make_unique<layer::TarImporter>(*target->sink_, target->skeleton_.get(), options);
    return std::unique_ptr<TarTarget>(std::move(target));
  }
  ~FolderLayer() override {
    importer_.reset();
    skeleton_.reset();
    sink_.reset();
    Quietly([this] { return core_->ReleaseDiffPath(temporary_); });
  }

  wclayer::Status Write(Bytes bytes) override { return importer_->Write(bytes); }
  wclayer::Status Finish() override {
    WCLAYER_TRY(importer_->Finish());
    WCLAYER_TRY(skeleton_->Finish());
    utility_vm_ = fs::HasBackupStreams() && importer_->summary().has_utility_vm;
    return sink_->Finish();
  }
  std::uint64_t entries() const override { return importer_->entries(); }
  std::int64_t size_bytes() const override { return importer_->summary().size_bytes; }
  std::vector<std::string> warnings() const override { return importer_->summary().warnings; }

  wclayer::Status Commit(const Record& record) override {
    skeleton_.reset();  // Windows moves no open file
    return place_.Run(record, [this] { return Import(); });
  }

 private:
  FolderLayer(Core& core, const std::string& id, const ParentChain& chain, bool existed,
              std::string temporary)
      : core_(&core),
        id_(id),
        temporary_(std::move(temporary)),
        place_(core, id, chain, existed, temporary_) {}
  std::string Below(const char* name) const { return temporary_ + fs::kSeparator + name; }

  wclayer::Status Import() {
    const bool base = sink_->whole_tree();
    if (!base) {
      WCLAYER_ASSIGN(const Descriptors parents, core_->platform().Describe(place_.chain()));
      WCLAYER_TRY(core_->platform().Import(id_, Below(kTransport), parents));
    }
    WCLAYER_ASSIGN(const fs::Dir layer, core_->home().dir().OpenDir(id_));
    WCLAYER_TRY(sink_->Settle(layer));
    sink_.reset();
    WCLAYER_TRY(layer.MakeDirs(kPrivate));
    WCLAYER_ASSIGN(const fs::Dir own, layer.OpenDir(kPrivate));
    WCLAYER_TRY(MoveInto(own, kOwn));
    if (fs::HasBackupStreams()) WCLAYER_TRY(MoveInto(layer, kTree));
    const std::string path = core_->home().LayerPath(id_);
    if (base && fs::HasBackupStreams()) WCLAYER_TRY(core_->platform().ProcessBase(id_, path));
    return ProcessUtilityVm(layer, path);
  }

  // What was written as itself, and what a replay needs.
  wclayer::Status MoveInto(const fs::Dir& to, const char* name) const {
    WCLAYER_ASSIGN(const fs::Dir from, fs::Dir::OpenAbsolute(Below(name)));
    WCLAYER_ASSIGN(const auto listed, from.List());
    for (const fs::Listed& entry : listed) {
      WCLAYER_TRY(to.RemoveTree(entry.name));
      WCLAYER_TRY(from.Rename(entry.name, to, entry.name, fs::Dir::RenameMode::kNoReplace));
    }
    return {};
  }

  wclayer::Status ProcessUtilityVm(const fs::Dir& layer, const std::string& path) const {
    if (!utility_vm_) return {};
    WCLAYER_ASSIGN(const fs::Info info, layer.Stat("UtilityVM"));
    if (info.type != fs::Type::kDirectory)
      return Error(Errc::kUnsafePath, "the utility VM is no folder").At("UtilityVM");
    return core_->platform().ProcessUtility(id_, path + fs::kSeparator + "UtilityVM");
  }

  Core* core_;
  std::string id_;
  std::string temporary_;
  InPlace place_;
  std::unique_ptr<layer::FolderSink> sink_;
  std::unique_ptr<layer::SkeletonWriter> skeleton_;
  std::unique_ptr<layer::TarImporter> importer_;
  bool utility_vm_ = false;  // and Windows has to prepare it
};

}  // namespace

wclayer::Status InPlace::Run(const Record& record,
                             const std::function<wclayer::Status()>& fill) const {
  const auto work = [&]() -> wclayer::Status {
    if (!existed_) {
      WCLAYER_TRY(core_->platform().Create(id_, chain_.parent()));
    }
    WCLAYER_TRY(fill());
    const StoreHome& home = core_->home();
    WCLAYER_TRY(home.WriteChain(id_, chain_));
    WCLAYER_TRY(home.dir().MakeDirs(id_ + "/" + kPrivate));
    if (home.durability() != fs::Durability::kNone) WCLAYER_TRY(home.dir().SyncFileSystem());
    return home.PutFile(id_ + "/" + kPrivate + "/record.json", StoreHome::RecordText(record),
                        home.durability());
  };
  const std::string mark =
      WriteJson(Json::Object().Add("id", Json::Of(id_)).Add("existed", Json::Of(existed_)));
  WCLAYER_ASSIGN(const fs::Dir temporary, fs::Dir::OpenAbsolute(temporary_));
  WCLAYER_TRY(temporary.ReplaceSmall(kMarkFile, mark, core_->home().durability()));
  auto done = work();
  if (done) {
    auto gone = temporary.Remove(kMarkFile);
    (void)gone.has_value();  // it goes with its folder, and says nothing against a record
    return {};
  }
  if (auto undone = Undo(*core_, id_, existed_); !undone)
    done.error().message += "; and then " + undone.error().ToString();
  return done;
}

// A layer that was there, created and empty, is so again.
wclayer::Status InPlace::Undo(const Core& core, const std::string& id, bool existed) {
  ParentChain chain;
  if (existed) {
    WCLAYER_ASSIGN(chain, core.home().ReadChain(id));
  }
  WCLAYER_TRY(core.platform().Destroy(id));
  if (!existed) return {};
  WCLAYER_TRY(core.platform().Create(id, chain.parent()));
  return core.home().WriteChain(id, chain);
}

Expected<bool> InPlace::Recover(Core& core, const fs::Dir& temporary,
                                std::vector<std::string>& report) {
  auto text = temporary.ReadSmall(kMarkFile, kMaxJsonBytes);
  if (!text && text.error().sys_errno == ENOENT) return true;
  if (!text) return std::move(text).error();
  const auto mark = ParseJson(*text);
  if (!mark || !CheckId(mark->StringOr("id", ""))) return true;  // not written by us
  const std::string id = mark->StringOr("id", "");
  const auto lock =
      core.home().LockLayer(id, fs::LockMode::kExclusive, std::chrono::milliseconds(0));
  if (!lock && lock.error().code == Errc::kLayerBusy) return false;
  if (!lock) return Error(lock.error());
  WCLAYER_ASSIGN(const bool there, core.home().dir().Exists(id));
  WCLAYER_ASSIGN(const std::optional<Record> record, core.home().ReadRecord(id));
  if (!there || record) return true;
  WCLAYER_TRY(Undo(core, id, mark->BoolOr("existed", false)));
  report.push_back("undid the half import of " + id);
  return true;
}

Expected<std::unique_ptr<TarTarget>> OpenFolderLayer(Core& core, const std::string& id,
                                                     const ParentChain& chain, bool existed) {
  return FolderLayer::Open(core, id, chain, existed);
}

}  // namespace wclayer
