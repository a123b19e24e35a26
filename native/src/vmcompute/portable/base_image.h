// Base images: registered folders, and the checks on a base layer before it counts as one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "portable/home.h"

namespace wclayer::portable {

// Registers `folder` (absolute) with the home; its last component becomes an id there. A folder
// that no import of ours made is read once and described in the home.
Status AddBaseImage(const std::shared_ptr<Home>& home, const std::string& folder);

// The registry hives of a base layer, those that are there and not empty (C15): kLayerDamaged names
// the first that is corrupt. A layer folder with plain files and no metadata gets its metadata
// here.
Status ProcessBaseImage(const std::string& layer_path);
// The same for the boot store of a utility VM, which must be there.
Status ProcessUtilityImage(const std::string& utility_vm_path);

// The JSON of GetBaseImages over several homes.
std::string BaseImagesJson(const std::vector<BaseImage>& images);

}  // namespace wclayer::portable
