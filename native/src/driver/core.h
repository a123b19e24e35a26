// The one driver: its members live in life_cycle.cc (Create … Remove), diff.cc, apply.cc,
// changes.cc, inspect.cc and base_images.cc.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "driver/items.h"
#include "driver/mounts.h"
#include "driver/platform.h"
#include "driver/remembered.h"
#include "driver/store_home.h"
#include "io/helper.h"
#include "wclayer/driver.h"

namespace wclayer {

class LayerRead;
class TarSource;

class Core final : public Driver {
 public:
  Core(const vmcompute::Chosen& chosen, DriverOptions options, StoreHome home);
  ~Core() override;
  wclayer::Status Start();  // configures the table and recovers; before any other call

  std::string String() const override;
  Expected<std::vector<Pair>> Status() override;
  Expected<std::vector<Pair>> GetMetadata(const std::string& id) override;
  bool Exists(const std::string& id) override;
  wclayer::Status Create(const std::string& id, const std::string& parent,
                         std::uint64_t size_bytes) override;
  wclayer::Status CreateReadWrite(const std::string& id, const std::string& parent,
                                  std::uint64_t size_bytes) override;
  Expected<std::string> Get(const std::string& id, bool detached) override;
  wclayer::Status Put(const std::string& id) override;
  wclayer::Status Remove(const std::string& id, bool force) override;
  Expected<std::unique_ptr<ByteSource>> Diff(const std::string& id,
                                             const DiffOptions& options) override;
  Expected<std::unique_ptr<Cursor<Change>>> Changes(
      const std::string& id, const std::optional<std::string>& parent) override;
  Expected<std::int64_t> DiffSize(const std::string& id,
                                  const std::optional<std::string>& parent) override;
  Expected<std::unique_ptr<ApplyStream>> ApplyDiff(const std::string& id,
                                                   const ApplyOptions& options) override;
  Expected<std::string> DiffPath(const std::string& id) override;
  wclayer::Status ReleaseDiffPath(const std::string& path) override;
  wclayer::Status DiffPathTo(const std::string& id, const std::string& folder) override;
  Expected<std::vector<CustomImage>> GetCustomImageInfos() override;
  wclayer::Status AddBaseImage(const std::string& folder) override;
  Expected<std::vector<std::string>> Cleanup() override;
  Expected<std::vector<LayerSummary>> List() override;
  Expected<std::unique_ptr<Cursor<EntryInfo>>> Entries(const std::string& id,
                                                       const std::string& prefix) override;
  Expected<EntryDetails> Stat(const std::string& id, const std::string& path) override;
  Expected<std::unique_ptr<ByteSource>> OpenFile(const std::string& id, const std::string& path,
                                                 const std::string& stream) override;
  Expected<std::unique_ptr<ApplyStream>> Repair(const std::string& id,
                                                const ApplyOptions& options) override;
  Expected<std::vector<Problem>> Verify(const std::vector<std::string>& ids,
                                        VerifyDepth depth) override;
  Expected<std::vector<Garbage>> Gc(const GcOptions& options) override;
  Expected<std::vector<Problem>> Lint(const std::string& id) override;

  const Platform& platform() const { return platform_; }
  const StoreHome& home() const { return home_; }
  const DriverOptions& options() const { return options_; }
  io::Helper& helper() { return helper_; }
  // A fresh folder below .wclayer/tmp, with a lock that lives as long as this driver or the folder;
  // ReleaseDiffPath removes it.
  Expected<std::string> TemporaryFolder(const std::string& id);

 private:
  friend class LayerRead;
  friend class LayerFill;

  // A table without our extensions (store §1: one way to remove on every backend).
  bool removes_by_rename() const { return platform_.extensions() == nullptr; }
  std::string MountsText();
  struct VerifyRun {
    VerifyDepth depth = VerifyDepth::kFull;
    bool all =
        false;  // of the whole home: a layer that is gone or being made meanwhile is no error
    std::vector<Problem> problems;
  };
  wclayer::Status VerifyLayer(const std::string& id, VerifyRun& run);
  wclayer::Status VerifyTar(const std::string& id, const Record& record, VerifyRun& run);
  // What killed processes left in the home and Cleanup removes; nothing that anybody is at.
  Expected<std::vector<Garbage>> Leftovers();
  Expected<bool> InUse(const std::string& id);
  Expected<std::vector<Garbage>> GarbageLayers(const std::vector<std::string>& roots);
  // Takes a layer away if still nobody uses it: false if somebody does.
  Expected<bool> Retire(const std::string& id);

  // A layer that exists: its folder name as spelled on disk, alias resolved.
  struct Found {
    std::string id;        // folder in the home
    std::string platform;  // what the table is called with
    std::uint32_t state = 0;
    bool writable() const { return (state & vmcompute::kStateWritable) != 0; }
    bool committed() const { return (state & vmcompute::kStateCommitted) != 0; }
    bool damaged() const { return (state & vmcompute::kStateDamaged) != 0; }
  };
  Expected<Found> Find(const std::string& id);  // kLayerNotFound
  Expected<std::optional<Found>> FindIfAny(const std::string& id, bool base_images = true);
  Expected<std::optional<Found>> Look(const std::string& id, const std::string& own);
  // The parent as a member of a new layer's chain: parent and its own parents. "" gives an empty
  // chain.
  Expected<ParentChain> ChainBelow(const std::string& parent);
  Expected<std::vector<std::string>> ChildrenOf(const std::string& id);
  // A layer as it lies there, whether anybody has it mounted or not.
  struct Lying {
    LayerSummary summary;
    std::string platform;
  };
  Expected<Lying> LookAt(const std::string& id);
  wclayer::Status CreateLayer(const std::string& id, const ParentChain& chain, bool writable,
                              std::uint64_t size_bytes);
  // What "against parent" means for a layer (design §4, Diff): the tail of its chain.
  struct Against {
    ParentChain chain;
    bool own =
        true;  // the layer's own content: against its direct parent, or a base against nothing
  };
  Expected<Against> ResolveAgainst(const Found& layer, const std::optional<std::string>& parent);
  wclayer::Status ClearTemporary(std::vector<std::string>& report);
  Expected<bool> RecoverImport(const fs::Dir& folders, const std::string& name,
                               std::vector<std::string>& report);
  Expected<std::uint32_t> StateOf(const std::string& id, const std::string& platform_id) const;
  // The layer's items, streamed or from a folder that the table exports to. `once`: each is read
  // but once, so that files of that folder can go as they have been read.
  Expected<std::unique_ptr<LayerItems>> OpenItems(const Found& layer, const LayerRead& read,
                                                  bool once);
  Expected<std::string> ExportedFolder(const Found& layer, const LayerRead& read);
  Expected<std::unique_ptr<ByteSource>> OpenDiff(const std::string& id, const DiffOptions& options);

  Expected<std::unique_ptr<TarSource>> OpenTar(const Found& layer, const LayerRead& read,
                                               bool replay);

  DriverOptions options_;
  vmcompute::Chosen chosen_;
  StoreHome home_;
  Platform platform_;
  Mounts mounts_;
  Remembered<Lying> lying_;
  Remembered<std::vector<std::string>> ancestors_;  // their ids
  std::mutex temporary_mutex_;
  std::map<std::string, fs::FileLock> temporary_;  // folder name → its lock
  io::Helper helper_;
};

// A layer held open for reading: shared locks on it and its ancestors, activated and not prepared
// for as long as it lives, and as before afterwards (L9).
class LayerRead {
 public:
  static Expected<std::unique_ptr<LayerRead>> Open(Core& core, const Core::Found& layer,
                                                   const ParentChain& against);
  // Whether Open failed because the layer is another one by now than `layer`.
  static bool WasReplaced(const Error& error);
  ~LayerRead();
  LayerRead(const LayerRead&) = delete;
  LayerRead& operator=(const LayerRead&) = delete;
  const Descriptors& against() const { return against_; }
  const ParentChain& against_chain() const { return against_chain_; }

 private:
  LayerRead(Core& core, Core::Found layer) : core_(&core), layer_(std::move(layer)) {}

  Core* core_;
  Core::Found layer_;
  PrivilegeHold privileges_;
  std::vector<fs::FileLock> locks_;
  ParentChain against_chain_;
  Descriptors against_;
  Descriptors parents_;
  bool reading_ = false;
};

}  // namespace wclayer
