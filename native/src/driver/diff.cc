// Diff and DiffPath: a layer held open, turned into a tar, digested and compressed on the way out.
#include <thread>

#include "driver/core.h"
#include "driver/ids.h"
#include "io/pull.h"
#include "layer/exporter.h"
#include "layer/skeleton.h"
#include "layer/transport.h"

namespace wclayer {
namespace {

// Where the plain tar comes from.
class TarSource {
 public:
  virtual ~TarSource() = default;
  virtual Expected<std::size_t> Fill(MutableBytes buffer) = 0;
  virtual std::uint64_t entries() const = 0;
};

class RebuiltTar final : public TarSource {
 public:
  explicit RebuiltTar(std::unique_ptr<TableExport> source)
      : source_(std::move(source)), exporter_(*source_, layer::WriterMode::kStore) {}
  Expected<std::size_t> Fill(MutableBytes buffer) override { return exporter_.Fill(buffer); }
  std::uint64_t entries() const override { return exporter_.entries(); }

 private:
  std::unique_ptr<TableExport> source_;
  layer::TarExporter exporter_;
};

class ReplayedTar final : public TarSource {
 public:
  static Expected<std::unique_ptr<TarSource>> Open(const std::string& folder,
                                                   std::unique_ptr<TableExport> source) {
    std::unique_ptr<ReplayedTar> tar(new ReplayedTar(std::move(source)));
    WCLAYER_ASSIGN(tar->replay_, layer::SkeletonReplay::Open(folder, *tar->source_));
    return std::unique_ptr<TarSource>(std::move(tar));
  }
  Expected<std::size_t> Fill(MutableBytes buffer) override { return replay_->Fill(buffer); }
  std::uint64_t entries() const override { return replay_->entries(); }

 private:
  explicit ReplayedTar(std::unique_ptr<TableExport> source) : source_(std::move(source)) {}
  std::unique_ptr<TableExport> source_;
  std::unique_ptr<layer::SkeletonReplay> replay_;
};

// The tar of an exported transport folder, which goes with it.
class TransportTar final : public TarSource {
 public:
  static Expected<std::unique_ptr<TarSource>> Open(Core& core, std::string folder) {
    std::unique_ptr<TransportTar> tar(new TransportTar(core, std::move(folder)));
    WCLAYER_ASSIGN(tar->tar_, layer::FolderTar::Open(tar->folder_));
    return std::unique_ptr<TarSource>(std::move(tar));
  }
  ~TransportTar() override {
    tar_.reset();
    auto gone = core_->ReleaseDiffPath(folder_);
    (void)gone.has_value();  // Cleanup finds what could not be removed
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

}  // namespace

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
  WCLAYER_ASSIGN(auto lock, core.mounts_.BeginRead(layer.platform));
  read->reading_ = true;
  read->locks_.push_back(std::move(lock));
  WCLAYER_ASSIGN(const ParentChain chain, core.home_.ReadChain(layer.id));
  WCLAYER_ASSIGN(read->parents_, core.platform_.Describe(chain));
  WCLAYER_ASSIGN(read->against_, core.platform_.Describe(against));
  WCLAYER_ASSIGN(auto ancestors, core.home_.LockChain(chain));
  for (auto& ancestor : ancestors) read->locks_.push_back(std::move(ancestor));
  return read;
}

LayerRead::~LayerRead() {
  // The layer's locks first: who waits for them may hold the lock that EndRead needs.
  locks_.clear();
  if (!reading_) return;
  auto restored = core_->mounts_.EndRead(layer_.platform, parents_);
  (void)restored
      .has_value();  // nobody is left to hear of it; the next Get or Cleanup meets the same failure
}

Expected<std::unique_ptr<ByteSource>> Core::Diff(const std::string& id,
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
    auto folder = TemporaryFolder(found->id);
    if (!folder) return fail(std::move(folder).error());
    if (auto exported = platform_.Export(found->platform, *folder, (*read)->against()); !exported) {
      auto gone = ReleaseDiffPath(*folder);
      (void)gone.has_value();
      return fail(std::move(exported).error());
    }
    auto opened = TransportTar::Open(*this, *std::move(folder));
    if (!opened) return fail(std::move(opened).error());
    tar = *std::move(opened);
  } else {
    auto source = TableExport::Begin(platform_, found->platform, (*read)->against());
    if (!source) return fail(std::move(source).error());
    const std::string folder = home_.LayerPath(found->id) + "/.wclayer";
    bool replay =
        against->own && !options.rebuild && !found->writable() && platform_.extensions() != nullptr;
    if (replay) {
      auto kept = layer::SkeletonReplay::Exists(folder);
      if (!kept) return fail(std::move(kept).error());
      replay = *kept;
    }
    if (replay) {
      auto opened = ReplayedTar::Open(folder, *std::move(source));
      if (!opened) return fail(std::move(opened).error());
      tar = *std::move(opened);
    } else {
      tar = std::make_unique<RebuiltTar>(*std::move(source));
    }
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
  if (auto gone = home_.private_dir().RemoveTree("tmp/" + name); !gone) {
    return std::move(gone).error().In("ReleaseDiffPath");
  }
  const std::lock_guard lock(temporary_mutex_);
  temporary_.erase(name);
  auto removed = home_.locks().Remove("tmp+" + name);
  (void)removed.has_value();  // a Cleanup elsewhere was faster
  return {};
}

}  // namespace wclayer
