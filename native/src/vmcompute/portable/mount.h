// Mounted layers: what the table's Activate, Prepare, Unprepare, Deactivate and GetLayerMountPath
// do (store §5).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "portable/home.h"

namespace wclayer::portable {

// Of layers that are not writable: success, and nothing is done.
Status ActivateLayer(const std::shared_ptr<Home>& home, const std::string& id);
Status PrepareLayer(const std::shared_ptr<Home>& home, const std::string& id,
                    const std::vector<std::string>& parents);
Status UnprepareLayer(const std::shared_ptr<Home>& home, const std::string& id);
Status DeactivateLayer(const std::shared_ptr<Home>& home, const std::string& id);
// A read-only layer: its folder.
Expected<std::string> GetLayerMountPath(const std::shared_ptr<Home>& home, const std::string& id);
Expected<bool> IsMounted(const std::shared_ptr<Home>& home, const std::string& id);

}  // namespace wclayer::portable
