// A private copy of a merged chain, for where overlayfs may not be mounted (store §5).
#pragma once

#include "base/expected.h"
#include "fs/dir.h"
#include "portable/chain.h"
#include "portable/home.h"

namespace wclayer::portable {

// Lays out the chain's "Files" as <layer>/.wclayer/checkout with its table, unless it is there. All
// files are copies, by reflink where the file system can; every name of a hard-linked file gets its
// own, because a write through an overlay parts them as well. Complete, or not there.
Status MakeCheckout(const Home& home, const fs::Dir& layer, Chain& chain);

}  // namespace wclayer::portable
