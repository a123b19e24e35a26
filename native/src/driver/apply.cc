// ApplyDiff: a tar in, a layer out, all or nothing.
#include <cerrno>

#include "base/layer_id.h"
#include "base/page_buffer.h"
#include "base/quietly.h"
#include "driver/core.h"
#include "driver/folder_layer.h"
#include "driver/os_version.h"
#include "driver/tar_target.h"
#include "io/compression.h"
#include "io/digest.h"
#include "io/helper.h"
#include "io/stage.h"
#include "layer/importer.h"
#include "layer/skeleton.h"
#include "layer/transport.h"

namespace wclayer {
namespace {

// Up to here a tar is parsed on the caller's thread; beyond it there are threads for its stages.
constexpr std::uint64_t kThreadThreshold = 1u << 20;
// A slab fits a processor's second cache; all of them are what the stages may be apart.
constexpr io::StageOptions kSlabs = {.slab_bytes = 128u << 10, .slabs = 16};
constexpr std::size_t kHeadBytes = 64u << 10;  // what RecogniseTar looks at
// A tar that ends before that and is not smaller than this has a helper for its files.
constexpr std::size_t kLeastHelped = 16u << 10;
constexpr std::size_t kPieces = 4;  // that its files are sealed in
// Callers that give a digest share one unpack and wait for it however long it takes (S5).
constexpr std::chrono::milliseconds kShareWait = std::chrono::hours(2);

// Runs the next stage here until it is worth a thread; then beside it the watcher, and what the
// next stage puts off.
class AdaptiveSink final : public io::ByteSink {
 public:
  AdaptiveSink(io::ByteSink& next, io::DeferringSink* deferring, io::Watcher watcher)
      : next_(&next), deferring_(deferring), watcher_(std::move(watcher)) {}
  wclayer::Status Write(Bytes bytes) override {
    if (threaded_ == nullptr) {
      seen_ += bytes.size();
      if (seen_ < kThreadThreshold) {
        watcher_(bytes);
        return next_->Write(bytes);
      }
      threaded_ = std::make_unique<io::ThreadedSink>(*next_, kSlabs, watcher_, deferring_);
    }
    return threaded_->Write(bytes);
  }
  Expected<MutableBytes> Room() override {
    return threaded_ == nullptr ? MutableBytes() : threaded_->Room();
  }
  wclayer::Status Filled(std::size_t bytes) override {
    return threaded_ == nullptr ? ByteSink::Filled(bytes) : threaded_->Filled(bytes);
  }
  wclayer::Status Finish() override {
    return threaded_ == nullptr ? next_->Finish() : threaded_->Finish();
  }
  void Abandon() { threaded_.reset(); }  // waits for what is under way

 private:
  io::ByteSink* next_;
  io::DeferringSink* deferring_;
  io::Watcher watcher_;
  std::uint64_t seen_ = 0;
  std::unique_ptr<io::ThreadedSink> threaded_;
};

// The digest of the plain tar, looking at it on its way; it keeps the tar's head. What a small tar
// is, all of it, is left to the helper.
class TarDigest {
 public:
  explicit TarDigest(io::Helper& helper) : helper_(&helper) {}
  ~TarDigest() { helper_->Withdraw(small_); }
  void Look(Bytes bytes) {
    const std::uint64_t before = bytes_.fetch_add(bytes.size(), std::memory_order_relaxed);
    const bool keeps = before == kept_ && kept_ < kHeadBytes;
    if (!keeps || (before == 0 && bytes.size() >= kHeadBytes)) return sha_.Update(bytes);
    if (head_.empty()) head_ = PageBuffer(kHeadBytes);
    const std::size_t more = std::min(bytes.size(), kHeadBytes - kept_);
    std::copy_n(bytes.begin(), more, head_.begin() + kept_);
    kept_ += more;
    if (kept_ < kHeadBytes) return;
    sha_.Update(head());
    sha_.Update(bytes.subspan(more));
  }
  // The first kHeadBytes, or what there is of them yet. Empty: the first piece had all of them.
  Bytes head() const { return Bytes(head_).first(kept_); }
  // There is no more to look at.
  void GetHelp() { helper_->Ask(small_); }
  wclayer::Status LookHere() { return helper_->Finish(small_); }
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  Expected<std::string> Digest() {
    WCLAYER_TRY(helper_->Finish(small_));
    return sha_.FinishText();
  }

 private:
  io::Helper* helper_;
  PageBuffer head_;
  std::size_t kept_ = 0;
  io::Sha256 sha_;
  io::Helper::Errand small_{[this]() -> wclayer::Status {
    if (kept_ < kHeadBytes) sha_.Update(head());
    return {};
  }};
  std::atomic<std::uint64_t> bytes_{0};
};

// Looks at the first bytes, then lets `choose` say where they and the rest go. `digest` has seen
// all that it gets, and keeps the head: what the target puts off may need it later.
class RecognisingSink final : public io::DeferringSink {
 public:
  using Choose = std::function<Expected<std::unique_ptr<TarTarget>>(layer::TarKind)>;
  RecognisingSink(Choose choose, std::function<bool()> busy, TarDigest& digest, io::Helper& helper)
      : choose_(std::move(choose)), busy_(std::move(busy)), digest_(&digest), helper_(&helper) {}

  wclayer::Status Write(Bytes bytes) override {
    if (target_ != nullptr) return Forward(bytes);
    seen_ += bytes.size();
    const Bytes head = digest_->head();
    if (head.empty()) return Start(bytes);
    if (head.size() < kHeadBytes) return {};
    WCLAYER_TRY(Start(head));
    return Forward(bytes.last(seen_ - head.size()));
  }
  wclayer::Status Finish() override {
    if (target_ == nullptr) WCLAYER_TRY(TakeWhole());
    return target_->Finish();
  }
  // Called on while another thread may run what is sealed: of a target that was there before.
  wclayer::Status Defer() override {
    deferred_ = true;
    return target_ == nullptr ? wclayer::Status() : target_->Defer();
  }
  wclayer::Status Seal() override {
    if (target_ == nullptr) return {};
    sealed_.store(true, std::memory_order_release);
    return target_->Seal();
  }
  wclayer::Status RunSealed() override {
    return sealed_.load(std::memory_order_acquire) ? target_->RunSealed() : wclayer::Status();
  }
  TarTarget* target() { return target_.get(); }
  std::uint64_t entries() const {
    return entries_.load(std::memory_order_relaxed);
  }  // from any thread

 private:
  wclayer::Status Forward(Bytes bytes) {
    WCLAYER_TRY(target_->Write(bytes));
    entries_.store(target_->entries(), std::memory_order_relaxed);
    return {};
  }
  wclayer::Status Start(Bytes bytes) {
    WCLAYER_TRY(OpenTarget(bytes));
    return Forward(bytes);
  }
  wclayer::Status OpenTarget(Bytes head) {
    WCLAYER_ASSIGN(target_, choose_(layer::RecogniseTar(head)));
    return deferred_ ? target_->Defer() : wclayer::Status();
  }
  // All of a small tar is in the head: while the rest of it is parsed, somebody else can make the
  // files of what was.
  wclayer::Status TakeWhole() {
    const Bytes all = digest_->head();
    if (all.size() < kLeastHelped) return Start(all);
    deferred_ = true;
    // Waking the helper costs as much as one file does, and being woken by it more: for the digest
    // while the target is made, unless it makes that, and for the first piece's files; it makes
    // those of each further piece while the next is parsed.
    const std::size_t piece = all.size() / kPieces;
    if (busy_()) {
      WCLAYER_TRY(digest_->LookHere());
    } else {
      digest_->GetHelp();
    }
    WCLAYER_TRY(OpenTarget(all));
    for (Bytes rest = all; !rest.empty();) {
      const Bytes next = rest.first(rest.size() < 2 * piece ? rest.size() : piece);
      WCLAYER_TRY(Forward(next));
      WCLAYER_TRY(target_->Seal());
      if (rest.size() == all.size()) target_->GetHelp(*helper_);
      rest = rest.subspan(next.size());
    }
    return {};
  }

  Choose choose_;
  std::function<bool()> busy_;  // whether the helper makes the target
  TarDigest* digest_;
  io::Helper* helper_;
  std::size_t seen_ = 0;  // until there is a target
  bool deferred_ = false;
  std::atomic<bool> sealed_{false};
  std::unique_ptr<TarTarget> target_;
  std::atomic<std::uint64_t> entries_{0};
};

// An OCI layer tar, streamed into the table.
class StreamedLayer final : public TarTarget {
 public:
  static Expected<std::unique_ptr<TarTarget>> Open(Core& core, const std::string& platform_id,
                                                   const ParentChain& chain, bool replace) {
    std::unique_ptr<StreamedLayer> target(new StreamedLayer(chain));
    WCLAYER_ASSIGN(const Descriptors parents, core.platform().Describe(chain));
    WCLAYER_ASSIGN(target->import_,
                   TableImport::Begin(core.platform(), platform_id, parents, replace));
    WCLAYER_ASSIGN(const std::string folder, target->import_->Folder());
    target->own_ = LastComponent(folder);
    WCLAYER_ASSIGN(target->layer_,
                   fs::Dir::OpenAbsolute(folder.substr(0, folder.size() - target->own_.size())));
    WCLAYER_ASSIGN(fs::Dir own, target->layer_.OpenDir(target->own_));
    target->skeleton_ = std::make_unique<layer::SkeletonWriter>(std::move(own));
    layer::ImportOptions options;
    options.strict_tar = core.options().strict_tar;
    options.base_layer = chain.empty();
    target->importer_ =
        std::make_unique<layer::TarImporter>(*target->import_, target->skeleton_.get(), options);
    return std::unique_ptr<TarTarget>(std::move(target));
  }
  wclayer::Status Write(Bytes bytes) override { return importer_->Write(bytes); }
  wclayer::Status Finish() override {
    WCLAYER_TRY(importer_->Finish());
    if (helper_ == nullptr) return skeleton_->Finish();
    helper_->Ask(rest_);
    helper_->Ask(skeleton_end_);
    return {};
  }
  wclayer::Status Defer() override { return import_->Defer(); }
  wclayer::Status Seal() override { return import_->Seal(); }
  wclayer::Status RunSealed() override { return import_->RunSealed(); }
  void GetHelp(io::Helper& helper) override {
    helper_ = &helper;
    helper.Ask(files_);
    helper.Ask(chain_file_);
  }
  std::uint64_t entries() const override { return importer_->entries(); }
  std::int64_t size_bytes() const override { return importer_->summary().size_bytes; }
  std::vector<std::string> warnings() const override { return importer_->summary().warnings; }
  wclayer::Status Commit(const Record& record) override {
    // Into the layer's folder as it is being built: it appears with the rest, as the chain does.
    WCLAYER_TRY(layer_.MakeSmall(own_ + "/record.json", StoreHome::RecordText(record)));
    if (helper_ == nullptr) {
      WCLAYER_TRY(WriteChain());
    } else {
      WCLAYER_TRY(helper_->Finish(chain_file_));
      WCLAYER_TRY(helper_->Finish(skeleton_end_));
      WCLAYER_TRY(helper_->Finish(files_));
      WCLAYER_TRY(helper_->Finish(rest_));
    }
    layer_ = fs::Dir();  // Windows moves none that is open
    return import_->End();
  }
  ~StreamedLayer() override {
    if (helper_ == nullptr) return;
    helper_->Withdraw(chain_file_);
    helper_->Withdraw(skeleton_end_);
    helper_->Withdraw(files_);
    helper_->Withdraw(rest_);
  }

 private:
  explicit StreamedLayer(ParentChain chain) : chain_(std::move(chain)) {}
  wclayer::Status WriteChain() const {
    return layer_.MakeSmall("layerchain.json", StoreHome::ChainText(chain_));
  }
  ParentChain chain_;
  io::Helper* helper_ = nullptr;
  io::Helper::Errand chain_file_{[this] { return WriteChain(); }};
  io::Helper::Errand files_{[this] { return import_->RunSealed(); }};
  io::Helper::Errand rest_{[this] { return import_->RunSealed(); }};
  io::Helper::Errand skeleton_end_{[this] { return skeleton_->Finish(); }};
  std::unique_ptr<TableImport> import_;
  fs::Dir layer_;    // being built; its private folder is
  std::string own_;  // of this name
  std::unique_ptr<layer::SkeletonWriter> skeleton_;
  std::unique_ptr<layer::TarImporter> importer_;
};

// A v1.10 transport tar, unpacked into a folder and imported from there.
class TransportLayer final : public TarTarget {
 public:
  static Expected<std::unique_ptr<TarTarget>> Open(Core& core, const std::string& id,
                                                   const ParentChain& chain, bool existed) {
    WCLAYER_ASSIGN(std::string temporary, core.TemporaryFolder(id));
    std::unique_ptr<TransportLayer> target(
        new TransportLayer(core, id, chain, existed, std::move(temporary)));
    WCLAYER_ASSIGN(const fs::Dir dir, fs::Dir::OpenAbsolute(target->temporary_));
    WCLAYER_TRY(dir.MakeDir(kFolder));
    WCLAYER_ASSIGN(target->untar_, layer::FolderUntar::Open(target->Folder()));
    return std::unique_ptr<TarTarget>(std::move(target));
  }
  ~TransportLayer() override {
    untar_.reset();
    Quietly([this] { return core_->ReleaseDiffPath(temporary_); });
  }
  wclayer::Status Write(Bytes bytes) override { return untar_->Write(bytes); }
  wclayer::Status Finish() override { return untar_->Finish(); }
  std::uint64_t entries() const override { return untar_->entries(); }
  std::int64_t size_bytes() const override { return untar_->size_bytes(); }
  wclayer::Status Commit(const Record& record) override {
    return place_.Run(record, [this]() -> wclayer::Status {
      WCLAYER_ASSIGN(const Descriptors parents, core_->platform().Describe(place_.chain()));
      return core_->platform().Import(id_, Folder(), parents);
    });
  }

 private:
  static constexpr const char* kFolder = "layer";
  TransportLayer(Core& core, const std::string& id, const ParentChain& chain, bool existed,
                 std::string temporary)
      : core_(&core),
        id_(id),
        temporary_(std::move(temporary)),
        place_(core, id, chain, existed, temporary_) {}
  std::string Folder() const { return temporary_ + fs::kSeparator + kFolder; }

  Core* core_;
  std::string id_;
  std::string temporary_;
  InPlace place_;
  std::unique_ptr<layer::FolderUntar> untar_;
};

// windowsdiff of v1.10: the tar goes into the home itself (driver-semantics §1, ApplyDiff).
class HomeTarget final : public TarTarget {
 public:
  static Expected<std::unique_ptr<TarTarget>> Open(const std::string& home) {
    std::unique_ptr<HomeTarget> target(new HomeTarget);
    WCLAYER_ASSIGN(target->untar_, layer::FolderUntar::Open(home));
    return std::unique_ptr<TarTarget>(std::move(target));
  }
  wclayer::Status Write(Bytes bytes) override { return untar_->Write(bytes); }
  wclayer::Status Finish() override { return untar_->Finish(); }
  std::uint64_t entries() const override { return untar_->entries(); }
  std::int64_t size_bytes() const override { return untar_->size_bytes(); }
  wclayer::Status Commit(const Record&) override { return {}; }

 private:
  std::unique_ptr<layer::FolderUntar> untar_;
};

bool Matches(const Record& record, const ApplyOptions& options, const ParentChain& chain) {
  const bool asked = !options.expected_diff_id.empty() || !options.expected_blob_digest.empty();
  return asked &&
         (options.expected_diff_id.empty() || options.expected_diff_id == record.diff_id) &&
         (options.expected_blob_digest.empty() ||
          options.expected_blob_digest == record.blob_digest) &&
         SameId(record.parent(), chain.parent());
}

}  // namespace

// One ApplyDiff under way. Stages, in order: | blob digest | inflate | diffID | parse | write
// files, where each | is a thread's border once what comes is large. A plain tar begins at its
// diffID.
class LayerFill final : public ApplyStream {
 public:
  static Expected<std::unique_ptr<ApplyStream>> Open(Core& core, const std::string& id,
                                                     const ApplyOptions& options);
  static Expected<std::unique_ptr<ApplyStream>> OpenRepair(Core& core, const std::string& id,
                                                           const ApplyOptions& options);
  ~LayerFill() override {
    core_->helper().Withdraw(opening_);
    to_inflate_.Abandon();
    to_target_.Abandon();
  }

  wclayer::Status Write(Bytes bytes) override {
    if (already_) return {};
    if (failed_) return *failed_;
    if (cancelled()) return Fail(Error(Errc::kCancelled, "cancelled by the caller"));
    if (bytes.empty()) return {};
    // A plain tar is its own blob: one digest serves for both.
    if (blob_bytes_ == 0)
      plain_ = bytes.size() >= 4 && io::Recognise(bytes) == io::Compression::kNone;
    blob_bytes_ += bytes.size();
    auto written = First().Write(bytes);
    if (!written) return Fail(std::move(written).error());
    return {};
  }

  // Once it is known what the stream is; whatever is wrong, Write says.
  Expected<MutableBytes> Room() override {
    if (already_ || failed_ || cancelled() || blob_bytes_ == 0) return MutableBytes();
    auto room = First().Room();
    if (!room) return Fail(std::move(room).error());
    return room;
  }
  wclayer::Status Filled(std::size_t bytes) override {
    if (failed_) return *failed_;
    blob_bytes_ += bytes;
    auto filled = First().Filled(bytes);
    if (!filled) return Fail(std::move(filled).error());
    return {};
  }

  Expected<ApplyResult> Finish() override {
    if (already_) return *already_;
    if (failed_) return *failed_;
    if (cancelled()) return Fail(Error(Errc::kCancelled, "cancelled by the caller"));
    auto result = Commit();
    if (!result) return Fail(std::move(result).error());
    return result;
  }

  bool already_there() const override { return already_.has_value(); }
  Progress progress() const override { return {tar_digest_.bytes(), target_.entries()}; }

 private:
  LayerFill(Core& core, std::string id, ApplyOptions options)
      : core_(&core),
        id_(std::move(id)),
        options_(std::move(options)),
        tar_digest_(core.helper()),
        target_([this](layer::TarKind kind) { return Choose(kind); },
                [this] { return core_->helper().IsAt(opening_); }, tar_digest_, core.helper()),
        to_target_(target_, &target_, [this](Bytes bytes) { tar_digest_.Look(bytes); }),
        inflate_(to_target_, {.max_zstd_window_log = core.options().max_zstd_window_log}),
        to_inflate_(inflate_, nullptr, [this](Bytes bytes) { blob_sha_.Update(bytes); }) {}

  // Nothing to inflate, no digest of its own: no stage before the next.
  io::ByteSink& First() { return plain_ ? static_cast<io::ByteSink&>(inflate_) : to_inflate_; }

  Expected<std::unique_ptr<TarTarget>> Choose(layer::TarKind kind) {
    if (core_->options().flavour == Flavour::kDiff) return HomeTarget::Open(core_->home().path());
    if (kind == layer::TarKind::kTransport && repairs_) {
      return Error(
          Errc::kUnsupported,
          "a layer of a transport tar is not repaired in place; remove it and apply the tar "
          "again");
    }
    if (kind == layer::TarKind::kTransport) {
      format_ = "transport";
      return TransportLayer::Open(*core_, id_, chain_, existed_);
    }
    // Microsoft's streaming calls take neither hard links nor what a replay needs, folders do.
    if (core_->platform().extensions() == nullptr)
      return OpenFolderLayer(*core_, id_, chain_, existed_);
    if (ahead_id_ == id_) {
      const auto opened = core_->helper().Finish(opening_);
      if (opened) return std::move(opened_);
      // It may have met a layer that was gone when this thread had its lock.
      if (opened.error().code != Errc::kLayerExists) return opened.error();
    }
    return StreamedLayer::Open(*core_, id_, chain_, repairs_);
  }
  // Nearly every tar is one for the table: the layer begins to be built while this thread locks,
  // looks and reads. One without parents, for nobody else's lock is needed for it.
  void OpenBaseAhead() {
    if (core_->platform().extensions() == nullptr) return;
    ahead_id_ = id_;
    core_->helper().Ask(opening_);
  }

  Expected<ApplyResult> Commit() {
    WCLAYER_TRY(First().Finish());
    ApplyResult result;
    WCLAYER_ASSIGN(result.diff_id, tar_digest_.Digest());
    result.blob_digest = plain_ ? result.diff_id : blob_sha_.FinishText();
    result.blob_bytes = blob_bytes_;
    result.tar_bytes = tar_digest_.bytes();
    if (!options_.expected_blob_digest.empty() &&
        options_.expected_blob_digest != result.blob_digest) {
      return Error(Errc::kDigestMismatch, "the blob is " + result.blob_digest + ", expected was " +
                                              options_.expected_blob_digest);
    }
    if (!options_.expected_diff_id.empty() && options_.expected_diff_id != result.diff_id) {
      return Error(Errc::kDigestMismatch, "the diffID is " + result.diff_id + ", expected was " +
                                              options_.expected_diff_id);
    }
    if (recorded_) WCLAYER_TRY(CheckRecorded(result));
    TarTarget& target = *target_.target();
    result.size_bytes = target.size_bytes();
    result.warnings = target.warnings();
    Record record;
    record.diff_id = result.diff_id;
    record.blob_digest = result.blob_digest;
    record.parents = chain_.ids;
    record.format = format_;
    record.size_bytes = result.size_bytes;
    record.tar_bytes = result.tar_bytes;
    record.blob_bytes = result.blob_bytes;
    record.entries = target.entries();
    WCLAYER_TRY(target.Commit(record));
    locks_.clear();
    return result;
  }

  // The same tar, however packed.
  wclayer::Status CheckRecorded(const ApplyResult& result) const {
    if (result.diff_id == recorded_->diff_id) return {};
    return Error(Errc::kDigestMismatch,
                 "the tar is " + result.diff_id + ", the layer was made of " + recorded_->diff_id);
  }

  Error Fail(Error error) {
    failed_ = std::move(error).In(repairs_ ? "Repair" : "ApplyDiff").Of(id_);
    return *failed_;
  }

  Core* core_;
  std::string id_;
  ApplyOptions options_;
  ParentChain chain_;
  bool existed_ = false;
  bool repairs_ = false;
  std::optional<Record> recorded_;  // repair: what the tar must be
  std::string format_ = kOciFormat;
  PrivilegeHold privileges_;
  std::vector<fs::FileLock> locks_;
  std::optional<ApplyResult> already_;
  std::optional<Error> failed_;
  std::string ahead_id_;  // what the helper was asked to open; "": nothing
  std::unique_ptr<TarTarget> opened_;
  io::Helper::Errand opening_{[this]() -> wclayer::Status {
    WCLAYER_ASSIGN(opened_, StreamedLayer::Open(*core_, ahead_id_, ParentChain(), false));
    return {};
  }};
  io::Sha256 blob_sha_;
  std::uint64_t blob_bytes_ = 0;
  bool plain_ = false;
  TarDigest tar_digest_;
  RecognisingSink target_;
  AdaptiveSink to_target_;
  io::Decompressor inflate_;
  AdaptiveSink to_inflate_;
};

Expected<std::unique_ptr<ApplyStream>> LayerFill::Open(Core& core, const std::string& id,
                                                       const ApplyOptions& options) {
  WCLAYER_TRY(CheckId(id));
  if (!options.expected_diff_id.empty()) WCLAYER_TRY(io::CheckDigestText(options.expected_diff_id));
  if (!options.expected_blob_digest.empty())
    WCLAYER_TRY(io::CheckDigestText(options.expected_blob_digest));
  const bool asked = !options.expected_diff_id.empty() || !options.expected_blob_digest.empty();

  std::unique_ptr<LayerFill> fill(new LayerFill(core, id, options));
  if (core.options().flavour == Flavour::kDiff)
    return std::unique_ptr<ApplyStream>(std::move(fill));
  if (!options.os_version.empty() && !core.platform_.direct()) {
    WCLAYER_ASSIGN(const std::string host, core.platform_.windows().host->OsVersion());
    WCLAYER_TRY(CheckOsVersion(options.os_version, host));
  }
  WCLAYER_ASSIGN(fill->privileges_, core.platform_.HoldToWrite());
  if (core.mounts_.BeingRead(id))
    return Error(Errc::kLayerBusy, "a Diff of it is being read; close that first");
  // Who gives a digest may have the layer already, and then nothing is written (S8).
  const bool base = options.parent && options.parent->empty();
  if (base && !asked) fill->OpenBaseAhead();
  {
    WCLAYER_ASSIGN(auto lock, core.home_.LockLayer(id, fs::LockMode::kExclusive,
                                                   asked ? std::optional(kShareWait) : std::nullopt,
                                                   options.keep_waiting));
    fill->locks_.push_back(std::move(lock));
  }
  // Our table refuses by itself to make a layer beside a base image of that name.
  const bool base_images = core.platform_.extensions() == nullptr;
  WCLAYER_ASSIGN(const std::optional<Core::Found> found, core.FindIfAny(id, base_images));
  if (base && asked && !found) fill->OpenBaseAhead();
  std::optional<ParentChain> recorded;
  if (found) {
    WCLAYER_ASSIGN(recorded, core.home_.ReadChain(found->id));
    fill->id_ = found->id;
    fill->existed_ = true;
  }
  if (options.parent) {
    WCLAYER_ASSIGN(fill->chain_, core.ChainBelow(*options.parent));
  } else if (recorded) {
    fill->chain_ = *recorded;
  }
  if (found) {
    if (found->damaged()) {
      return Error(Errc::kLayerDamaged,
                   "it exists and is damaged; remove it, or repair it from a blob");
    }
    if (found->writable()) return Error(Errc::kLayerExists, "a writable layer of this id exists");
    if (found->committed()) {
      WCLAYER_ASSIGN(const std::optional<Record> record, core.home_.ReadRecord(found->id));
      if (!record || !Matches(*record, options, fill->chain_)) {
        return Error(Errc::kLayerExists, "the layer is filled already");
      }
      ApplyResult result;
      result.size_bytes = record->size_bytes;
      result.diff_id = record->diff_id;
      result.blob_digest = record->blob_digest;
      result.blob_bytes = record->blob_bytes;
      result.tar_bytes = record->tar_bytes;
      result.already_there = true;
      fill->already_ = std::move(result);
      fill->locks_.clear();
      return std::unique_ptr<ApplyStream>(std::move(fill));
    }
    if (recorded->ids != fill->chain_.ids) {
      return Error(Errc::kInvalidArgument, "it was created on '" + recorded->parent() +
                                               "', not on '" + fill->chain_.parent() + "'");
    }
    // Without the count's lock, which comes before the layer's: who mounts it now waits for that.
    WCLAYER_ASSIGN(const std::int64_t count, core.mounts_.CountAtMost(found->platform));
    if (count != 0) return Error(Errc::kLayerBusy, "it is mounted; put it first");
    WCLAYER_ASSIGN(const std::vector<std::string> children, core.ChildrenOf(found->id));
    if (!children.empty()) {
      return Error(Errc::kLayerBusy,
                   "it is the parent of '" + children.front() + "' and cannot be filled any more");
    }
  }
  WCLAYER_ASSIGN(auto ancestors, core.home_.LockChain(fill->chain_));
  for (auto& lock : ancestors) fill->locks_.push_back(std::move(lock));
  for (const std::string& ancestor : fill->chain_.ids) {
    WCLAYER_ASSIGN(const bool there, core.platform_.Exists(ancestor));
    if (!there) return Error(Errc::kParentNotFound, "the parent '" + ancestor + "' does not exist");
  }
  return std::unique_ptr<ApplyStream>(std::move(fill));
}

Expected<std::unique_ptr<ApplyStream>> LayerFill::OpenRepair(Core& core, const std::string& id,
                                                             const ApplyOptions& options) {
  WCLAYER_TRY(CheckId(id));
  if (!options.expected_diff_id.empty()) WCLAYER_TRY(io::CheckDigestText(options.expected_diff_id));
  if (!options.expected_blob_digest.empty())
    WCLAYER_TRY(io::CheckDigestText(options.expected_blob_digest));
  const auto* ours = core.platform().extensions();
  if (core.options().flavour == Flavour::kDiff || ours == nullptr ||
      ours->ImportLayerReplace == nullptr)
    return Error(Errc::kUnsupported, "this driver and backend cannot repair a layer in place");
  if (core.mounts_.BeingRead(id))
    return Error(Errc::kLayerBusy, "a Diff of it is being read; close that first");
  std::unique_ptr<LayerFill> fill(new LayerFill(core, id, options));
  fill->repairs_ = true;
  WCLAYER_ASSIGN(auto lock, core.home_.LockLayer(id, fs::LockMode::kExclusive));
  fill->locks_.push_back(std::move(lock));
  WCLAYER_ASSIGN(const Core::Found found, core.Find(id));
  if (found.platform != found.id)
    return Error(Errc::kUnsupported, "it stands for a base image, which is not ours to change");
  if (found.writable()) return Error(Errc::kInvalidArgument, "a writable layer has no blob");
  fill->id_ = found.id;
  fill->existed_ = true;
  const bool asked = !options.expected_diff_id.empty() || !options.expected_blob_digest.empty();
  auto record = core.home_.ReadRecord(found.id);
  if (record && record->has_value() && io::CheckDigestText((*record)->diff_id)) {
    fill->recorded_ = *std::move(*record);
  } else if (!asked) {
    return Error(Errc::kLayerDamaged,
                 "there is no record of what it was made of; give the expected digest of its tar");
  }
  auto chain = core.home_.ReadChain(found.id);
  // The record says what the chain file should.
  if (fill->recorded_) {
    const std::string parent = fill->recorded_->parent();
    if (!chain || !SameId(chain->parent(), parent)) chain = core.ChainBelow(parent);
  }
  if (!chain) return std::move(chain).error();
  fill->chain_ = *std::move(chain);
  WCLAYER_ASSIGN(const std::vector<std::string> children, core.ChildrenOf(found.id));
  for (const std::string& child : children) {
    WCLAYER_ASSIGN(const std::int64_t count, core.mounts_.CountAtMost(child));
    if (count != 0)
      return Error(Errc::kLayerBusy,
                   "'" + child + "', which is built on it, is mounted; put that first");
  }
  WCLAYER_ASSIGN(auto ancestors, core.home_.LockChain(fill->chain_));
  for (auto& ancestor : ancestors) fill->locks_.push_back(std::move(ancestor));
  return std::unique_ptr<ApplyStream>(std::move(fill));
}

Expected<std::unique_ptr<ApplyStream>> Core::Repair(const std::string& id,
                                                    const ApplyOptions& options) {
  auto fill = LayerFill::OpenRepair(*this, id, options);
  if (!fill) return std::move(fill).error().In("Repair").Of(id);
  return fill;
}

Expected<std::unique_ptr<ApplyStream>> Core::ApplyDiff(const std::string& id,
                                                       const ApplyOptions& options) {
  auto fill = LayerFill::Open(*this, id, options);
  if (!fill) return std::move(fill).error().In("ApplyDiff").Of(id);
  return fill;
}

}  // namespace wclayer
