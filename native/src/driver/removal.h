// Removing a layer of a table of Windows: renamed to "<id>-removing", so that it is gone for
// everybody, then destroyed (docker since 1.13; L2). What could not be destroyed yet is pending,
// with the reason, until a Cleanup or another Remove finishes it. (The portable table does the same
// inside its DestroyLayer.)
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "driver/platform.h"
#include "driver/store_home.h"

namespace wclayer {

class Removal {
 public:
  using Rename = std::function<Status(const std::string& from, const std::string& to)>;
  Removal(const Platform& platform, const StoreHome& home);
  // With another way to rename folders of the home.
  Removal(const Platform& platform, const StoreHome& home, Rename rename);

  // The layer is gone for everybody when this succeeds, and when it fails with kLayerBusy after the
  // rename: the error says which.
  Status Remove(const std::string& id) const;
  // Whether a removal of this layer is pending.
  Expected<bool> Pending(const std::string& id) const;
  Status Finish(const std::string& id) const;
  // Every pending one; a line for each.
  Expected<std::vector<std::string>> FinishAll() const;

 private:
  Status RenameAway(const std::string& id) const;
  Status RenameOnce(const std::string& id) const;
  Status DetachDisk(const std::string& id) const;
  void WriteReason(const std::string& id, const Error& error) const;

  const Platform* platform_;
  const StoreHome* home_;
  Rename rename_;
};

}  // namespace wclayer
