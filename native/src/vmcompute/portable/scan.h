// Metadata for a plain folder tree that nobody imported: registered base images, and base layers
// that a program wrote straight into a layer's folder (spec layer-formats §a.6).
#pragma once

#include "base/expected.h"
#include "fs/dir.h"

namespace wclayer::portable {

struct ScanResult {
  std::uint64_t size_bytes = 0;  // of all files, each hard-linked one once
};

// Describes Files, Hives and UtilityVM below `layer` in a new metadata file in `folder`: files and
// folders with the default descriptors (spec layer-formats §d) and the write times of the disk,
// symbolic links as such, hard links as such.
Expected<ScanResult> ScanTree(const fs::Dir& layer, const fs::Dir& folder);

}  // namespace wclayer::portable
