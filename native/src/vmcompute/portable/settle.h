// Layers that came through the plain ABI's ImportLayer settle at their first use.
//
// hcsshim goes on working in the layer's folder after that call: it deletes what the layer hides of
// its parents, links further names of files, and of UtilityVM it wrote everything itself before
// (spec layer-formats §a.5). Nothing tells when it is done. So the import leaves its metadata under
// another name, and who first wants to know what is in the layer compares that with the disk:
//
// - A name that is gone was deleted: it hides what the parents have there.
// - A further name of one of the layer's files is a hard link. A name of a parent's file is a file
//   of the layer with that file's content and metadata, its data a copy (C8).
// - Any other name is described as ScanTree does.
// - A file that is still there is what was imported: other content in it counts as damage.
//
// What cannot be seen is a deletion of a name that the layer does not hold itself: such a caller
// has to give tombstones.txt (Docker 1.10 and hcsshim before 0.6.10 do).
#pragma once

#include <string>
#include <string_view>

#include "base/expected.h"
#include "fs/lock.h"
#include "portable/home.h"

namespace wclayer::portable {

// Whether the folder of a layer holds content, settled or not.
Expected<bool> HoldsContent(const fs::Dir& layer);

// Held while a layer's content is put into its folder or settles.
Expected<fs::FileLock> LockContent(const Home& home, std::string_view id);

// Nothing happens to a layer that has settled.
Status SettleLayer(const Home& home, std::string_view id);

}  // namespace wclayer::portable
