// Layers on a table that cannot stream: they are written as files and imported by ImportLayer, in
// place, since a layer's GUID comes from its folder's name (design §6).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "driver/core.h"
#include "driver/tar_target.h"

namespace wclayer {

// Fills the folder of a layer in place, all or nothing: a mark in the temporary folder says so
// until the record is there, and who finds the mark of a dead process without a record undoes the
// layer.
class InPlace {
 public:
  InPlace(Core& core, std::string id, ParentChain chain, bool existed, std::string temporary)
      : core_(&core),
        id_(std::move(id)),
        chain_(std::move(chain)),
        existed_(existed),
        temporary_(std::move(temporary)) {}

  // Creates the layer if need be, lets `fill` fill it and records it; undoes it after a failure.
  wclayer::Status Run(const Record& record, const std::function<wclayer::Status()>& fill) const;
  // What Cleanup does with a temporary folder whose owner is dead. False: somebody is at work on
  // the layer now; the folder has to wait. A line about what was done goes to `report`.
  static Expected<bool> Recover(Core& core, const fs::Dir& temporary,
                                std::vector<std::string>& report);

  const ParentChain& chain() const { return chain_; }

 private:
  static wclayer::Status Undo(const Core& core, const std::string& id, bool existed);
  Core* core_;
  std::string id_;
  ParentChain chain_;
  bool existed_;
  std::string temporary_;
};

// An OCI layer tar, written as a transport folder and imported from there.
Expected<std::unique_ptr<TarTarget>> OpenFolderLayer(Core& core, const std::string& id,
                                                     const ParentChain& chain, bool existed);

}  // namespace wclayer
