// Items of a layer on a table that cannot stream: from the transport folder that it exports to, or
// of a base layer from its own, where files carry what a backup stream does.
#include "backup/hive.h"
#include "base/quietly.h"
#include "driver/core.h"
#include "fs/backup.h"
#include "layer/base_source.h"
#include "layer/folder_sink.h"
#include "layer/folder_source.h"

namespace wclayer {
namespace {

class FolderItems final : public LayerItems {
 public:
  static Expected<std::unique_ptr<LayerItems>> Open(Core& core, std::string folder,
                                                    const std::vector<std::string>& against,
                                                    layer::FolderSource::Reading reading) {
    std::unique_ptr<FolderItems> items(new FolderItems(core, std::move(folder)));
    WCLAYER_ASSIGN(items->parents_, layer::ParentFolders::Open(against));
    WCLAYER_ASSIGN(items->source_, layer::FolderSource::Open(items->folder_, reading));
    return std::unique_ptr<LayerItems>(std::move(items));
  }
  ~FolderItems() override {
    source_.reset();
    Quietly([this] { return core_->ReleaseDiffPath(folder_); });
  }

  Expected<bool> Next(layer::Item& item) override {
    WCLAYER_ASSIGN(const bool more, source_->Next(item));
    if (more) current_ = item;
    return more;
  }
  Expected<std::size_t> Read(MutableBytes buffer) override {
    auto count = source_->Read(buffer);
    if (!count) return std::move(count).error().At(current_.path);
    return count;
  }
  Status Skip(std::uint64_t bytes) override { return source_->Skip(bytes); }
  Status Seek(std::uint64_t ordinal, layer::Item& item) override {
    return source_->Seek(ordinal, item);
  }
  bool can_seek() const override { return false; }
  Status SeekPath(const std::string&, layer::Item& item) override { return Seek(0, item); }

  // As far as the names that the parents have can tell (docs/windows.md).
  Expected<vmcompute::ChangeKind> Change() override {
    if (current_.path == "Hives" || current_.path.starts_with("Hives/")) return ChangeOfHive();
    bool there = false;
    for (const fs::Type type : {fs::Type::kFile, fs::Type::kDirectory, fs::Type::kSymlink}) {
      WCLAYER_ASSIGN(const fs::Dir* parent, parents_.Find(current_.path, type));
      there = there || parent != nullptr;
    }
    if (current_.deleted)
      return there ? vmcompute::ChangeKind::kDeleted : vmcompute::ChangeKind::kUnchanged;
    if (!there) return vmcompute::ChangeKind::kAdded;
    return current_.directory() ? vmcompute::ChangeKind::kUnchanged
                                : vmcompute::ChangeKind::kModified;
  }

 private:
  FolderItems(Core& core, std::string folder) : core_(&core), folder_(std::move(folder)) {}

  Expected<vmcompute::ChangeKind> ChangeOfHive() {
    if (parents_.empty()) return vmcompute::ChangeKind::kAdded;
    if (current_.directory()) return vmcompute::ChangeKind::kUnchanged;
    Buffer hive(backup::kMinimalHiveLimit + 1);
    WCLAYER_TRY(Skip(backup::kStreamHeaderBytes));
    std::size_t have = 0;
    while (have < hive.size()) {
      WCLAYER_ASSIGN(const std::size_t got, Read(MutableBytes(hive).subspan(have)));
      if (got == 0) break;
      have += got;
    }
    hive.resize(have);
    if (backup::IsMinimalHive(hive)) return vmcompute::ChangeKind::kUnchanged;
    WCLAYER_ASSIGN(const fs::Dir* parent, parents_.Find(current_.path, fs::Type::kFile));
    return parent == nullptr ? vmcompute::ChangeKind::kAdded : vmcompute::ChangeKind::kModified;
  }

  Core* core_;
  std::string folder_;
  layer::ParentFolders parents_;
  std::unique_ptr<layer::FolderSource> source_;
  layer::Item current_;
};

// A base layer where its files lie.
class BaseItems final : public LayerItems {
 public:
  static Expected<std::unique_ptr<LayerItems>> Open(const std::string& folder) {
    std::unique_ptr<BaseItems> items(new BaseItems);
    WCLAYER_ASSIGN(items->source_, layer::BaseSource::Open(folder));
    return std::unique_ptr<LayerItems>(std::move(items));
  }
  Expected<bool> Next(layer::Item& item) override {
    WCLAYER_ASSIGN(const bool more, source_->Next(item));
    if (more) current_ = item.path;
    return more;
  }
  Expected<std::size_t> Read(MutableBytes buffer) override {
    auto count = source_->Read(buffer);
    if (!count) return std::move(count).error().At(current_);
    return count;
  }
  Status Seek(std::uint64_t ordinal, layer::Item& item) override {
    return source_->Seek(ordinal, item);
  }
  bool can_seek() const override { return false; }
  Status SeekPath(const std::string&, layer::Item& item) override { return Seek(0, item); }
  Expected<vmcompute::ChangeKind> Change() override { return vmcompute::ChangeKind::kAdded; }

 private:
  BaseItems() = default;
  std::unique_ptr<layer::BaseSource> source_;
  std::string current_;
};

}  // namespace

Expected<std::unique_ptr<LayerItems>> Core::OpenItems(const Found& layer, const LayerRead& read,
                                                      bool once) {
  if (platform_.streams_export()) {
    WCLAYER_ASSIGN(auto items, TableExport::Begin(platform_, layer.platform, read.against()));
    return std::unique_ptr<LayerItems>(std::move(items));
  }
  WCLAYER_ASSIGN(const ParentChain chain, home_.ReadChain(layer.id));
  if (chain.empty() && !layer.writable() && fs::HasBackupStreams()) {
    ParentChain own;
    own.ids = {layer.platform};
    own.paths = {home_.LayerPath(layer.id)};
    WCLAYER_ASSIGN(const auto folders, platform_.Folders(own));
    return BaseItems::Open(folders.front());
  }
  WCLAYER_ASSIGN(const auto parents, platform_.Folders(read.against_chain()));
  WCLAYER_ASSIGN(std::string folder, ExportedFolder(layer, read));
  return FolderItems::Open(
      *this, std::move(folder), parents,
      once ? layer::FolderSource::Reading::kRemove : layer::FolderSource::Reading::kKeep);
}

// A temporary folder with the layer in transport format; ReleaseDiffPath removes it.
Expected<std::string> Core::ExportedFolder(const Found& layer, const LayerRead& read) {
  WCLAYER_ASSIGN(std::string folder, TemporaryFolder(layer.id));
  auto exported = platform_.Export(layer.platform, folder, read.against());
  if (exported) return folder;
  auto gone = ReleaseDiffPath(folder);
  (void)gone.has_value();
  return std::move(exported).error();
}

}  // namespace wclayer
