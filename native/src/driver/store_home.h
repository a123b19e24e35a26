// The driver's own files in a home: layer chains, aliases, commit records, locks and counted
// mounts. They are the same on every backend.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/expected.h"
#include "driver/platform.h"
#include "fs/dir.h"
#include "fs/lock.h"
#include "fs/system.h"
#include "wclayer/driver.h"

namespace wclayer {

// Below the home's private folder: folders in use by one process, and the lock of each beside
// others.
inline constexpr const char* kTemporaryFolders = "tmp";
inline constexpr const char* kTemporaryLock = "tmp+";

// Of a record: a tar as the reference writer makes it; the other is "transport".
inline constexpr char kOciFormat[] = "oci";

// What ApplyDiff promised about a layer (".wclayer/record.json"): written last, before the layer
// appears.
struct Record {
  std::string diff_id;
  std::string blob_digest;
  std::vector<std::string> parents;  // ids, immediate parent first; none: a base layer
  std::string parent() const { return parents.empty() ? std::string() : parents.front(); }
  std::string format = kOciFormat;
  std::int64_t size_bytes = 0;
  std::uint64_t tar_bytes = 0;
  std::uint64_t blob_bytes = 0;
  std::uint64_t entries = 0;
};

class StoreHome {
 public:
  static Expected<StoreHome> Open(const std::string& home, std::chrono::milliseconds lock_wait,
                                  fs::Durability durability);

  const std::string& path() const { return path_; }
  const fs::Dir& dir() const { return dir_; }
  // Of the folder that DiffPath fills.
  std::string TemporaryPath(std::string_view name) const {
    const std::string between(1, fs::kSeparator);
    return path_ + between + ".wclayer" + between + "tmp" + between + std::string(name);
  }
  std::string LayerPath(std::string_view id) const {
    return path_ + fs::kSeparator + std::string(id);
  }

  // A small file of the home, in the place of what is there.
  Status PutFile(std::string_view path, std::string_view bytes, fs::Durability durability) const;

  // Folder names of the home that can be layers, sorted; and those of interrupted removals.
  Expected<std::vector<std::string>> LayerIds() const;
  // The folder that holds `id`, found without case; "" if there is none.
  Expected<std::string> FindId(const std::string& id) const;

  // The alias of a central base image, or `id` itself (driver-semantics §0 resolveID).
  Expected<std::string> ResolveAlias(const std::string& id) const;
  Status WriteAlias(const std::string& id, const std::string& alias) const;

  // Direct parents as recorded; every id checked, cycles and more than kMaxChain refused (store
  // §1).
  Expected<ParentChain> ReadChain(const std::string& id) const;
  Status WriteChain(const std::string& id, const ParentChain& chain) const;
  static std::string ChainText(const ParentChain& chain);

  Expected<std::optional<Record>> ReadRecord(const std::string& id) const;
  static std::string RecordText(const Record& record);

  // store §7. Exclusive: fill, mount, unmount, remove. Shared: read it, be its descendant.
  Expected<fs::FileLock> LockLayer(const std::string& id, fs::LockMode mode,
                                   std::optional<std::chrono::milliseconds> wait = {},
                                   const std::function<bool()>& keep_waiting = {}) const;
  Expected<std::vector<fs::FileLock>> LockChain(
      const ParentChain& chain) const;  // shared, child before parent
  Expected<fs::FileLock> LockMountCount(const std::string& id,
                                        std::optional<std::chrono::milliseconds> wait = {}) const;
  // Shared while a new layer is linked to its chain, exclusive while gc takes one out of sight.
  // Never while data is copied. Taken after the locks of layers, except by gc, which waits for none
  // of those.
  Expected<fs::FileLock> LockStore(fs::LockMode mode) const;
  const fs::Dir& locks() const { return locks_; }
  const fs::Dir& private_dir() const { return private_; }
  std::chrono::milliseconds lock_wait() const { return lock_wait_; }
  fs::Durability durability() const { return durability_; }

 private:
  Expected<ParentChain> RecordedChain(const std::string& id) const;
  std::string path_;
  fs::Dir dir_;
  fs::Dir private_;  // .wclayer
  fs::Dir locks_;
  std::chrono::milliseconds lock_wait_{};
  fs::Durability durability_ = fs::Durability::kFull;
};

}  // namespace wclayer
