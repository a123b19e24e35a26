// A folder that nobody sees yet: <home>/.wclayer/staging/<name>, whole before it appears (store
// §1).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "fs/dir.h"
#include "fs/lock.h"
#include "portable/home.h"

namespace wclayer::portable {

class Staging {
 public:
  static Expected<std::unique_ptr<Staging>> Begin(std::shared_ptr<Home> home);
  ~Staging();  // what was not published goes

  const fs::Dir& dir() const { return dir_; }
  const fs::Dir& root() const { return lock_.root; }  // the home
  const std::string& path() const { return path_; }   // absolute

  // Flushes (one syncfs at most) and makes the folder the layer `id` by one rename. A created layer
  // of that id is exchanged for it; its own small files (layerchain.json, layerId) are kept unless
  // the new folder has them. kLayerExists if the id holds content.
  // `flush` false: a folder of which nothing would be missed after a power failure.
  Status Publish(const std::string& id, bool flush = true);
  // Fills the created layer `id` where it lies, as callers of the plain ABI need it: they keep the
  // folder open, go on working in it, and what they put there before (UtilityVM) stays. The
  // metadata comes last. If there is no such layer: as Publish.
  Status PublishInto(const std::string& id);
  // Flushes and takes the place of the layer `id`, whatever that holds but for its own small files,
  // by one rename; the old content goes with this object.
  Status Replace(const std::string& id);

 private:
  Staging() = default;
  Status Lock();
  Status KeepFilesOf(const fs::Dir& stub) const;
  Status MoveInto(const fs::Dir& layer) const;

  std::shared_ptr<Home> home_;
  StagingLock lock_;  // with the folder that ours is in
  std::string path_;
  fs::Dir dir_;
  bool moved_ = false;  // nothing is left of it there
};

// Removes the staging folders whose lock nobody holds, and the lock files of those that are gone.
Status RecoverStaging(Home& home);

// Renames the layer's folder to "<folder>-removing" and deletes it (store §8); a name that ends so
// is deleted as it is. Nothing of that name: fine.
Status RemoveLayer(Home& home, const std::string& id);
// Finishes the removals that nobody is at.
Status RecoverRemovals(Home& home);

}  // namespace wclayer::portable
