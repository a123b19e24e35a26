// References to mounted layers, counted per layer over threads, drivers and processes (store §5).
//
// The count is on disk (".wclayer/mounts/<id>.json"): boot id and, for each owner, its lock file
// and number of references. An owner lives while its lock is held; "detached" references belong to
// nobody and end with Put, Remove or a reboot.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/json.h"
#include "driver/platform.h"
#include "driver/store_home.h"

namespace wclayer {

class Mounts {
 public:
  Mounts(const Platform& platform, const StoreHome& home) : platform_(&platform), home_(&home) {}
  ~Mounts();  // gives up what this owner still holds

  // Adds a reference; the first one activates and prepares. Any failure leaves everything as
  // before.
  Expected<std::string> Get(const std::string& id, bool detached, bool writable);
  // Drops one of this owner's references, else a detached one; the last one unmounts. Without
  // either: no-op.
  Status Put(const std::string& id, bool writable);
  // References that live (of every owner), for a caller that holds StoreHome::LockMountCount of the
  // layer.
  Expected<std::int64_t> CountHeld(const std::string& id);
  // A look without a lock: sees every mount that is made, and those that are being made or undone.
  Expected<std::int64_t> CountAtMost(const std::string& id) { return CountHeld(id); }
  // The layers, in lower case, of which there is a count, maybe by owners that are dead: all others
  // have none.
  Expected<std::set<std::string>> Noted() const;
  // Unmounts whatever holds it (Remove with force); the caller holds LockMountCount of the layer.
  Status BreakHeld(const std::string& id);
  // Drops the references of dead owners and of other boots, and unmounts what nobody holds any
  // more. Gives a line for each.
  Expected<std::vector<std::string>> Recover();

  // A Diff that is being read: while there is one, the layer is neither unmounted, removed nor
  // filled. Export wants the layer activated and not prepared (vmcompute-abi §7): BeginRead brings
  // it there, and EndRead back to what it is to be by then (L9).
  // Gives the layer's own lock, shared. The lock of the count is always taken before it.
  Expected<fs::FileLock> BeginRead(const std::string& id, const Descriptors& parents);
  Status EndRead(const std::string& id, const Descriptors& parents);
  bool BeingRead(const std::string& id) const;

 private:
  struct State {
    std::map<std::string, std::int64_t>
        references;  // owner's lock file name, or "detached" → count
    // Owners that read the layer (Diff): Windows keeps it activated if they die.
    std::map<std::string, std::int64_t> readers;
    // What was to be undone could not be: activated although nobody has it mounted, or not prepared
    // although somebody has. Whoever comes next mends it first.
    bool unsettled = false;
    std::int64_t Total() const;
    bool Empty() const { return references.empty() && readers.empty() && !unsettled; }
  };

  Expected<State> Load(const std::string& id);  // without dead owners
  Status Save(const std::string& id, const State& state);
  Expected<std::string> Owner();  // this owner's lock file, made at first use
  std::string OwnerIfAny() const;
  Status RecoverHeld(const std::string& lower, std::vector<std::string>& done);
  Status LoadOwners(const Json& owners, std::map<std::string, std::int64_t>& counts);
  Status Settle(const std::string& id, State& state, const Descriptors& parents);
  Status CountReader(const std::string& id, State& state, std::int64_t change);
  Status Mount(const std::string& id, State& state, bool writable);
  Status Unmount(const std::string& id, bool writable, bool undo);
  Status StartRead(const std::string& id, const Descriptors& parents);
  Status DropOwn();

  const Platform* platform_;
  const StoreHome* home_;
  mutable std::mutex mutex_;
  std::string owner_;
  fs::FileLock owner_lock_;
  std::map<std::string, std::int64_t> own_;  // layer → references of this owner
  std::map<std::string, int> readers_;       // layer (lower case) → open reads
};

}  // namespace wclayer
