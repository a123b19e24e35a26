// Diff and DiffPath: a layer held open, turned into a tar, digested and compressed on the way out.
#include <thread>

#include "base/layer_id.h"
#include "base/quietly.h"
#include "driver/core.h"
#include "io/pull.h"
#include "layer/exporter.h"
#include "layer/folder_source.h"
#include "layer/skeleton.h"
#include "layer/transport.h"

namespace wclayer {

// Where the plain tar comes from.
class TarSource {
 public:
  virtual ~TarSource() = default;
  virtual Expected<std::size_t> Fill(MutableBytes buffer) = 0;
  virtual std::uint64_t entries() const = 0;
};

namespace {

class RebuiltTar final : public TarSource {
 public:
  explicit RebuiltTar(std::unique_ptr<LayerItems> source)
      : source_(std::move(source)), exporter_(*source_, layer::WriterMode::kStore) {}
  Expected<std::size_t> Fill(MutableBytes buffer) override { return exporter_.Fill(buffer); }
  std::uint64_t entries() const override { return exporter_.entries(); }

 private:
  std::unique_ptr<LayerItems> source_;
  layer::TarExporter exporter_;
};

class ReplayedTar final : public TarSource {
 public:
  static Expected<std::unique_ptr<TarSource>> Open(const std::string& folder,
                                                   std::unique_ptr<layer::ItemSource> source) {
    std::unique_ptr<ReplayedTar> tar(new ReplayedTar(std::move(source)));
    WCLAYER_ASSIGN(tar->replay_, layer::SkeletonReplay::Open(folder, *tar->source_));
    return std::unique_ptr<TarSource>(std::move(tar));
  }
  Expected<std::size_t> Fill(MutableBytes buffer) override { return replay_->Fill(buffer); }
  std::uint64_t entries() const override { return replay_->entries(); }

 private:
  explicit ReplayedTar(std::unique_ptr<layer::ItemSource> source) : source_(std::move(source)) {}
  std::unique_ptr<layer::ItemSource> source_;
  std::unique_ptr<layer::SkeletonReplay> replay_;
};

// The tar of an exported transport folder, which goes with it.
class TransportTar final : public TarSource {
 public:
  static Expected<std::unique_ptr<TarSource>> Open(Core& core, std::string folder) {
    std::unique_ptr<TransportTar> tar(new TransportTar(core, std::move(folder)));
    WCLAYER_ASSIGN(tar->tar_,
                   layer::FolderTar::Open(tar->folder_, layer::FolderTar::Reading::kRemove));
    return std::unique_ptr<TarSource>(std::move(tar));
  }
  ~TransportTar() override {
    tar_.reset();
    Quietly([this] { return core_->ReleaseDiffPath(folder_); });
  }
  Expected<std::size_t> Fill(MutableBytes buffer) override { return tar_->Fill(buffer); }
  std::uint64_t entries() const override { return tar_->entries(); }

 private:
  TransportTar(Core& core, std::string folder) : core_(&core), folder_(std::move(folder)) {}
  Core* core_;
  std::string folder_;
  std::unique_ptr<layer::FolderTar> tar_;
};

class DiffSource final : public ByteSource {
 public:
  DiffSource(std::string id, std::unique_ptr<LayerRead> read, std::unique_ptr<TarSource> tar,
             const io::PullOptions& options)
      : id_(std::move(id)),
        read_(std::move(read)),
        tar_(std::move(tar)),
        stream_(std::make_unique<io::PullStream>(
            [this](MutableBytes buffer) { return FillTar(buffer); }, options)) {}
  ~DiffSource() override { stream_.reset(); }  // its threads use the rest

  Expected<std::size_t> Read(MutableBytes buffer) override {
    if (ended_ || buffer.empty()) return std::size_t{0};
    auto count = stream_->Read(buffer);
    if (!count) return std::move(count).error().In("Diff").Of(id_);
    if (*count == 0) End();
    return count;
  }

  StreamResult Result() const override { return result_; }
  Progress progress() const override {
    return {stream_->plain_bytes(), entries_.load(std::memory_order_relaxed)};
  }

 private:
  Expected<std::size_t> FillTar(MutableBytes buffer) {
    if (cancelled()) return Error(Errc::kCancelled, "cancelled by the caller");
    auto count = tar_->Fill(buffer);
    entries_.store(tar_->entries(), std::memory_order_relaxed);
    return count;
  }

  void End() {
    ended_ = true;
    result_.diff_id = stream_->plain_digest();
    result_.tar_bytes = stream_->plain_bytes();
    result_.blob_digest = stream_->packed_digest();
    result_.blob_bytes = stream_->packed_bytes();
    tar_.reset();
    read_.reset();  // the layer is as before from here on
  }

  std::string id_;
  std::unique_ptr<LayerRead> read_;
  std::unique_ptr<TarSource> tar_;
  std::unique_ptr<io::PullStream> stream_;
  StreamResult result_;
  bool ended_ = false;
  std::atomic<std::uint64_t> entries_{0};
};

constexpr const char* kReplaced = "it was filled or replaced meanwhile; try again";
constexpr int kReadAttempts = 10;

}  // namespace

// The tar that was applied where that can be replayed, else one made of the layer's items. A layer
// that was imported from a folder tells its payloads by their paths.
Expected<std::unique_ptr<TarSource>> Core::OpenTar(const Found& layer, const LayerRead& read,
                                                   bool replay) {
  const std::string folder = home_.LayerPath(layer.id);
  const std::string own = folder + fs::kSeparator + ".wclayer";
  bool kept = false;
  if (replay && !layer.writable()) {
    WCLAYER_ASSIGN(kept, layer::SkeletonReplay::Exists(own));
  }
  if (kept) {
    WCLAYER_ASSIGN(const bool by_path,
                   home_.dir().Exists(layer.id + "/.wclayer/" + layer::kPathListFile));
    if (by_path) {
      WCLAYER_ASSIGN(auto source, layer::DiskSource::Open(folder, own));
      return ReplayedTar::Open(own, std::move(source));
    }
    if (platform_.extensions() != nullptr) {
      WCLAYER_ASSIGN(auto source, TableExport::Begin(platform_, layer.platform, read.against()));
      return ReplayedTar::Open(own, std::move(source));
    }
  }
  WCLAYER_ASSIGN(auto items, OpenItems(layer, read, true));
  return std::unique_ptr<TarSource>(std::make_unique<RebuiltTar>(std::move(items)));
}

Expected<Core::Against> Core::ResolveAgainst(const Found& layer,
                                             const std::optional<std::string>& parent) {
  Against against;
  WCLAYER_ASSIGN(ParentChain chain, home_.ReadChain(layer.id));
  if (!parent) {
    against.chain = std::move(chain);
    return against;
  }
  if (parent->empty()) {
    against.own = chain.empty();
    return against;
  }
  for (std::size_t i = 0; i < chain.ids.size(); ++i) {
    WCLAYER_ASSIGN(const std::string alias, home_.ResolveAlias(chain.ids[i]));
    if (!SameId(chain.ids[i], *parent) && alias != *parent) continue;
    against.own = i == 0;
    against.chain = chain.From(i);
    return against;
  }
  if (LowerAscii(*parent).ends_with("-init")) {
    // Docker names the -init layer, which is in no chain, as the parent of a container
    // (driver-semantics §0).
    WCLAYER_ASSIGN(const std::optional<Found> init, FindIfAny(*parent));
    if (init) {
      WCLAYER_ASSIGN(const ParentChain below, home_.ReadChain(init->id));
      if (below.ids == chain.ids) {
        against.chain = std::move(chain);
        return against;
      }
    }
  }
  return Error(Errc::kInvalidArgument,
               "'" + *parent + "' is neither its parent nor an ancestor of it");
}

Expected<std::unique_ptr<LayerRead>> LayerRead::Open(Core& core, const Core::Found& layer,
                                                     const ParentChain& against) {
  std::unique_ptr<LayerRead> read(new LayerRead(core, layer));
  WCLAYER_ASSIGN(read->privileges_, core.platform_.HoldToRead());
  WCLAYER_ASSIGN(const ParentChain chain, core.home_.ReadChain(layer.id));
  WCLAYER_ASSIGN(read->parents_, core.platform_.Describe(chain));
  WCLAYER_ASSIGN(read->against_, core.platform_.Describe(against));
  read->against_chain_ = against;
  WCLAYER_ASSIGN(auto lock, core.mounts_.BeginRead(layer.platform, read->parents_));
  read->reading_ = true;
  read->locks_.push_back(std::move(lock));
  // Until now it could be filled, removed and made anew: what the caller knows must still be so.
  WCLAYER_ASSIGN(const Core::Found now, core.Find(layer.id));
  WCLAYER_ASSIGN(const ParentChain still, core.home_.ReadChain(layer.id));
  if (now.committed() != layer.committed() || now.writable() != layer.writable() ||
      still.ids != chain.ids)
    return Error(Errc::kLayerBusy, kReplaced);
  WCLAYER_ASSIGN(auto ancestors, core.home_.LockChain(chain));
  for (auto& ancestor : ancestors) read->locks_.push_back(std::move(ancestor));
  return read;
}

bool LayerRead::WasReplaced(const Error& error) {
  return error.code == Errc::kLayerBusy && error.message == kReplaced;
}

LayerRead::~LayerRead() {
  // The layer's locks first: who waits for them may hold the lock that EndRead needs.
  locks_.clear();
  if (!reading_) return;
  // The next Get or Cleanup meets the same failure.
  Quietly([this] { return core_->mounts_.EndRead(layer_.platform, parents_); });
}

Expected<std::unique_ptr<ByteSource>> Core::Diff(const std::string& id,
                                                 const DiffOptions& options) {
  for (int attempt = 1;; ++attempt) {
    auto diff = OpenDiff(id, options);
    if (diff || attempt == kReadAttempts || !LayerRead::WasReplaced(diff.error())) return diff;
  }
}

Expected<std::unique_ptr<ByteSource>> Core::OpenDiff(const std::string& id,
                                                     const DiffOptions& options) {
  const auto fail = [&](Error error) { return std::move(error).In("Diff").Of(id); };
  auto found = Find(id);
  if (!found) return fail(std::move(found).error());
  if (found->damaged()) return fail(Error(Errc::kLayerDamaged, "run verify to see what is wrong"));
  auto against = ResolveAgainst(*found, options.parent);
  if (!against) return fail(std::move(against).error());
  auto read = LayerRead::Open(*this, *found, against->chain);
  if (!read) return fail(std::move(read).error());

  std::unique_ptr<TarSource> tar;
  if (options.format == ArchiveFormat::kTransport || options_.flavour == Flavour::kDiff) {
    auto folder = ExportedFolder(*found, **read);
    if (!folder) return fail(std::move(folder).error());
    auto opened = TransportTar::Open(*this, *std::move(folder));
    if (!opened) return fail(std::move(opened).error());
    tar = *std::move(opened);
  } else {
    auto opened = OpenTar(*found, **read, against->own && !options.rebuild);
    if (!opened) return fail(std::move(opened).error());
    tar = *std::move(opened);
  }
  io::PullOptions pull;
  pull.digest = options.digests;
  pull.compression.kind = static_cast<io::Compression>(options.compression);
  pull.compression.level = options.level;
  // One for each CPU; a compressor takes what fits (CompressOptions).
  pull.compression.threads = options.threads == 0
                                 ? static_cast<int>(std::thread::hardware_concurrency())
                                 : options.threads;
  return std::unique_ptr<ByteSource>(
      std::make_unique<DiffSource>(id, *std::move(read), std::move(tar), pull));
}

wclayer::Status Core::DiffPathTo(const std::string& id, const std::string& folder) {
  const auto fail = [&](Error error) { return std::move(error).In("DiffPath").Of(id); };
  auto found = Find(id);
  if (!found) return fail(std::move(found).error());
  auto chain = home_.ReadChain(found->id);
  if (!chain) return fail(std::move(chain).error());
  auto read = LayerRead::Open(*this, *found, *chain);
  if (!read) return fail(std::move(read).error());
  auto target = fs::Dir::MakeAbsolute(folder);
  if (!target) return fail(std::move(target).error());
  auto there = target->List();
  if (!there) return fail(std::move(there).error());
  if (!there->empty()) {
    return fail(
        Error(Errc::kInvalidArgument, "the folder for the export must be empty").At(folder));
  }
  if (auto done = platform_.Export(found->platform, folder, (*read)->against()); !done) {
    if (const auto left = target->List()) {
      for (const fs::Listed& item : *left) {
        auto gone = target->RemoveTree(item.name);
        (void)gone.has_value();
      }
    }
    return fail(std::move(done).error());
  }
  return {};
}

Expected<std::string> Core::DiffPath(const std::string& id) {
  const auto fail = [&](Error error) { return std::move(error).In("DiffPath").Of(id); };
  auto found = Find(id);
  if (!found) return fail(std::move(found).error());
  auto folder = TemporaryFolder(found->id);
  if (!folder) return fail(std::move(folder).error());
  if (auto exported = DiffPathTo(id, *folder); !exported) {
    auto gone = ReleaseDiffPath(*folder);
    (void)gone.has_value();
    return std::move(exported).error();
  }
  return folder;
}

wclayer::Status Core::ReleaseDiffPath(const std::string& path) {
  const std::string name(LastComponent(path));
  if (path != home_.TemporaryPath(name)) {
    return Error(Errc::kInvalidArgument, "not a folder that DiffPath made")
        .In("ReleaseDiffPath")
        .At(path);
  }
  if (auto gone = home_.private_dir().RemoveTree(std::string(kTemporaryFolders) + "/" + name);
      !gone) {
    return std::move(gone).error().In("ReleaseDiffPath");
  }
  const std::lock_guard lock(temporary_mutex_);
  temporary_.erase(name);
  auto removed = home_.locks().Remove(std::string(kTemporaryLock) + name);
  (void)removed.has_value();  // a Cleanup elsewhere was faster
  return {};
}

}  // namespace wclayer
