// What a committed layer deletes, in the form overlayfs understands: a tree of whiteouts beside the
// layer's files (store §5).
#pragma once

#include <cstddef>
#include <memory>

#include "base/expected.h"
#include "fs/dir.h"
#include "portable/chain.h"
#include "portable/home.h"

namespace wclayer::portable {

inline constexpr char kWhiteouts[] = "wh";  // in the folder that holds the layer's metadata

// Whether the layer's tree of whiteouts is there already.
Expected<bool> HasWhiteouts(const Home& home, const std::string& id);

// Builds the tree of layer number `layer` of the chain in staging and publishes it: a character
// device 0:0 for each tombstone and for each name that an opaque folder hides. A layer that deletes
// nothing gets an empty folder, so that it is not looked through again. Someone else may build it
// at the same time; one of the two stays.
Status BuildWhiteouts(const std::shared_ptr<Home>& home, Chain& chain, std::size_t layer);

// Opens the tree; no handle: it is empty.
Expected<fs::Dir> OpenWhiteouts(const Home& home, const std::string& id);

}  // namespace wclayer::portable
