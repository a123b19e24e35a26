// One home: where its layers and its own files lie (store §1). Threads may share a Home.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "base/json.h"
#include "fs/dir.h"
#include "fs/lock.h"
#include "vmcompute/abi.h"

namespace wclayer::portable {

// The private folder of a home and of a layer.
inline constexpr char kPrivate[] = ".wclayer";
inline constexpr char kLocks[] = "locks";  // a folder in that of a home
// The driver's record of what a layer was filled with, and on which parents (store §3).
inline constexpr char kCommitRecord[] = ".wclayer/record.json";
inline constexpr char kCommitRecordName[] = "record.json";  // in the private folder

// What CreateSandboxLayer recorded (".wclayer/writable.json" of the layer).
struct WritableRecord {
  std::vector<std::string> parents;  // ids, immediate parent first
  std::uint64_t size_bytes = 0;      // 0: the default; shown, not enforced
  std::int64_t created = 0;          // FILETIME; 0 when written: now
  std::string mode;                  // "overlay" or "checkout", from the first mount on (store §5)
};

Error NoLayer(std::string_view id);  // kLayerNotFound

enum class LayerKind { kNone, kCreated, kCommitted, kWritable };

struct BaseImage {
  std::string name;  // folder name: an id of this home
  std::string path;  // absolute
  std::string version;
  std::int64_t size_bytes = 0;
  std::string created_time;  // RFC 3339
};

// As GetBaseImages lists it (spec vmcompute-abi §5).
Json BaseImageJson(const BaseImage& image);

// A lock of a staging folder (staging.h).
struct StagingLock {
  std::string name;  // of the folder
  std::string file;  // of the lock, in the private folder
  fs::FileLock lock;
  fs::Stamp stamp;            // of that file while it is this lock's
  std::uint64_t process = 0;  // that made it: one that it forked has the lock as well
  fs::Dir root;               // of the home
  fs::Dir all;                // the folder of staging folders
};

class Home {
 public:
  explicit Home(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }  // canonical, absolute
  Expected<fs::Dir> Root() const;                    // the home's folder; must exist
  Expected<fs::Dir> MakeRoot() const;                // made (0700) if absent
  // <home>/.wclayer with locks, staging, mnt and store.json in it: made when first asked for.
  // Cached.
  Expected<fs::Dir> Private();
  Expected<std::string> StoreId();                        // of store.json, 32 hex digits
  std::string PathOf(std::string_view folder) const;      // "<home>/<folder>"
  std::string PrivatePath(std::string_view below) const;  // "<home>/.wclayer/<below>"

  vmcompute::StoreOptions options() const;
  void SetOptions(const vmcompute::StoreOptions& options);
  fs::Durability durability() const;

  // A small file of a folder of the home, in the place of what is there.
  Status PutFile(const fs::Dir& folder, std::string_view path, std::string_view bytes,
                 fs::Durability durability) const;

  // The folder name that `id` has in this home (ids compare without case), or nothing. Base images
  // that are registered are not in it.
  Expected<std::optional<std::string>> FolderOf(std::string_view id) const;
  // The layer's own folder, a base image's included: kLayerNotFound if there is none.
  Expected<fs::Dir> OpenLayer(std::string_view id) const;
  Expected<std::string> LayerPath(std::string_view id) const;  // its absolute path; it must exist
  // `own`: becomes its private folder, if it has one in this home.
  Expected<LayerKind> KindOf(std::string_view id, fs::Dir* own = nullptr) const;
  // For who has the home's folder open.
  Expected<LayerKind> KindIn(const fs::Dir& root, std::string_view id,
                             fs::Dir* own = nullptr) const;
  Expected<WritableRecord> ReadWritable(std::string_view id) const;
  Status WriteWritable(const fs::Dir& layer, const WritableRecord& record) const;
  // Ids of the parents, immediate one first, as recorded by import or CreateSandboxLayer, else by
  // layerchain.json (of which only last components count), else by the driver's record. Empty: a
  // base layer.
  Expected<std::vector<std::string>> ParentsOf(std::string_view id) const;
  // Records the parents of a layer that is being made, in its private folder, which is there.
  Status WriteParents(const fs::Dir& layer, const std::vector<std::string>& parents,
                      fs::Durability durability) const;
  // layerchain.json as drivers write it, who may be killed before they do.
  Status WriteChain(const fs::Dir& layer, const std::vector<std::string>& parents) const;
  // The parents that descriptors name: each must be a created or committed layer of this home or a
  // base image of it (kParentNotFound), none twice, at most kMaxChain.
  Expected<std::vector<std::string>> ParentsFrom(const vmcompute::LayerDescriptor* descriptors,
                                                 std::uint32_t count) const;

  // A lock whose staging folder is gone serves the next one: to make a lock file and to remove it
  // takes as long as two files of a layer do. Nothing if none is kept.
  std::optional<StagingLock> TakeStagingLock();
  // Keeps it; or removes its file if there are enough, or nobody will come to Leave.
  void KeepStagingLock(StagingLock lock);
  // Whoever set options has no more calls to make: what is kept for further ones goes.
  void Leave();

  Expected<std::vector<BaseImage>> BaseImages() const;
  Status WriteBaseImages(const std::vector<BaseImage>& images);
  // The folder that holds the layer's metadata: its private folder, or, for a base image without
  // one, ours (".wclayer/base-images/<name>" of the home). No handle: a layer without content. A
  // layer that has not settled does so here (settle.h).
  Expected<fs::Dir> OpenMetadata(std::string_view id) const;
  // kLayerDamaged for a layer whose files nobody imported: nothing describes them, so that it would
  // pass for an empty parent.
  Status CheckImported(std::string_view id) const;

 private:
  // Where a layer may be.
  struct Place {
    fs::Dir root;        // no handle: there is no home
    std::string folder;  // as spelled in it; "": it has none there
  };
  Expected<Place> Locate(std::string_view id) const;
  Expected<std::string> FolderIn(const fs::Dir& root, std::string_view id) const;
  Status RemoveLockFile(const StagingLock& lock) const;
  Expected<std::vector<BaseImage>> BaseImagesIn(const fs::Dir& root) const;
  Expected<std::optional<BaseImage>> FindBaseImage(const fs::Dir& root,
                                                   std::string_view name) const;

  std::string path_;
  mutable std::mutex mutex_;
  vmcompute::StoreOptions options_;
  bool private_ready_ = false;
  bool in_use_ = false;  // from SetOptions to Leave
  std::vector<StagingLock> staging_locks_;
  mutable std::atomic<bool> names_noted_ = false;
};

// A layer as an ABI call names it.
struct Address {
  std::shared_ptr<Home> home;
  std::string id;
};

// The homes that this process uses, and what Configure said about each.
class Homes {
 public:
  Expected<std::shared_ptr<Home>> Get(const std::string& path);
  Expected<std::shared_ptr<Home>> Get(const vmcompute::DriverInfo* info);
  // Both forms of the ABI: driver root + folder name, or "" + full path. Only the last component of
  // `id` counts when there is a driver root. Windows separators are accepted.
  Expected<Address> Resolve(const vmcompute::DriverInfo* info, vmcompute::Utf16 id,
                            bool removal = false);
  std::vector<std::shared_ptr<Home>> All();

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Home>> homes_;
  std::map<std::string, std::shared_ptr<Home>, std::less<>> spellings_;  // of homes that were there
};

}  // namespace wclayer::portable
