// Transport folders (spec layer-formats §a.2): what ExportLayer writes and ImportLayer reads.
//
// A stored file is its attribute word and its backup stream; its times are those of the stored
// file. Linux keeps only two of the four, so an extended attribute "user.wclayer.times" carries all
// of them, with the attributes of plain files (Hives) that have no word for them. It counts only
// while the file's own time of modification is the one it names, and its absence costs nothing but
// precision.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "portable/export.h"
#include "portable/home.h"
#include "portable/import.h"

namespace wclayer::portable {

// Writes the layer into `folder` (absolute; made if absent, must be empty). A layer with parents
// and without hives gets the five empty deltas that clients require.
Status ExportToFolder(const std::shared_ptr<Home>& home, const std::string& id,
                      const std::vector<std::string>& against, const std::string& folder);

// Makes or fills the layer from a transport folder, with or without attribute words (TP4),
// tombstones.txt with or without BOM and CR.
Status ImportFromFolder(const std::shared_ptr<Home>& home, const std::string& id,
                        const std::vector<std::string>& parents, const std::string& folder);

// Puts everything an export yields into an import, links as links.
Status CopyEntries(Export& from, Import& to);

// The extended attribute.
struct StoredTimes {
  std::int64_t times[4] = {};
  std::uint8_t time_absent = 0;
  std::uint8_t time_remainder[4] = {};
  std::uint32_t attributes = 0;
};
Status WriteStoredTimes(int file, const StoredTimes& stored);
Expected<StoredTimes> ReadStoredTimes(int file, const fs::Info& info,
                                      std::uint32_t default_attributes);

}  // namespace wclayer::portable
