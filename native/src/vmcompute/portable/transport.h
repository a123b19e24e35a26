// Transport folders (spec layer-formats §a.2): what ExportLayer writes and ImportLayer reads.
//
// A stored file is its attribute word and its backup stream; its times are those of the stored
// file (fs/stored_times.h), as are the attributes of plain files (Hives), which have no word.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "fs/stored_times.h"
#include "portable/export.h"
#include "portable/home.h"
#include "portable/import.h"

namespace wclayer::portable {

inline constexpr std::string_view kFolderSuffix = ".$wcidirs$";
inline constexpr char kTombstonesFile[] = "tombstones.txt";

// Writes the layer into `folder` (absolute; made if absent, must be empty). A layer with parents
// and without hives gets the five empty deltas that clients require.
Status ExportToFolder(const std::shared_ptr<Home>& home, const std::string& id,
                      const std::vector<std::string>& against, const std::string& folder);

// Makes or fills the layer from a transport folder, with or without attribute words (TP4),
// tombstones.txt with or without BOM and CR. An existing folder stays the same one, and what the
// caller does in it until the layer's first use becomes part of the layer (settle.h).
Status ImportFromFolder(const std::shared_ptr<Home>& home, const std::string& id,
                        const std::vector<std::string>& parents, const std::string& folder);

// Puts everything an export yields into an import, links as links.
Status CopyEntries(Export& from, Import& to);

}  // namespace wclayer::portable
