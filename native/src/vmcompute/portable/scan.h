// Metadata for a plain folder tree that nobody imported: registered base images, and base layers
// that a program wrote straight into a layer's folder (spec layer-formats §a.6).
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/expected.h"
#include "fs/dir.h"
#include "portable/entry.h"

namespace wclayer::portable {

struct ScanResult {
  std::uint64_t size_bytes = 0;  // of all files, each hard-linked one once
};

// Describes Files, Hives and UtilityVM below `layer` in a new metadata file in `folder`: files and
// folders with the default descriptors (spec layer-formats §d) and the write times of the disk,
// symbolic links as such, hard links as such.
Expected<ScanResult> ScanTree(const fs::Dir& layer, const fs::Dir& folder);

// The entry of one file, folder or link as ScanTree describes it, but that it is a file even if it
// has other names. `piece`: room to read in.
Expected<Entry> ScanEntry(const fs::Dir& layer, const std::string& path, const fs::Info& info,
                          Buffer& piece);

}  // namespace wclayer::portable
