// The overlay of a writable layer on its chain (store §5).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "fs/dir.h"
#include "portable/home.h"

namespace wclayer::portable {

// What marks our mounts in mountinfo: "wclayer:<store id>:<layer>".
Expected<std::string> MountSource(Home& home, const std::string& id);
std::string MountTarget(const Home& home, const std::string& id);

// Whether the overlay of the layer is mounted, seen from this process. kLayerBusy: something else
// is mounted in its place.
Expected<bool> OverlayIsMounted(Home& home, const std::string& id);

// Mounts upper <layer>/Files on the parents' files with their whiteouts between them.
// kUnsupported: more lower folders than this way of mounting takes.
Status MountOverlayOf(const std::shared_ptr<Home>& home, const std::string& id,
                      const fs::Dir& layer, const std::vector<std::string>& parents);
Status UnmountOverlayOf(Home& home, const std::string& id);

// Ids of all layers of this home whose overlay is mounted, sorted: those of dead processes too.
Expected<std::vector<std::string>> ListOurMounts(Home& home);

}  // namespace wclayer::portable
