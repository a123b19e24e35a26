// What an export yields: a layer's own content, or several layers squashed into one (store §6).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "portable/chain.h"
#include "portable/entry.h"
#include "portable/home.h"

namespace wclayer::portable {

// The content of the layer `id` against the parents `against` (ids, nearest first): the parents
// that it has, a shorter tail of them, or none.
Expected<std::unique_ptr<Content>> OpenContent(const std::shared_ptr<Home>& home,
                                               const std::string& id,
                                               const std::vector<std::string>& against);

// What the layer itself holds, as imported. An opaque folder is shown as a folder and one tombstone
// for each name of the parents that it hides, so that Windows, which knows nothing opaque, ends
// with the same.
Expected<std::unique_ptr<Content>> OpenOwn(const std::shared_ptr<Home>& home, const std::string& id,
                                           const std::vector<std::string>& parents);

// The layers `upper` as one layer on top of `tail`. `writable`: the changes of a writable layer
// above `upper`, or null; `id` is its id.
Expected<std::unique_ptr<Content>> OpenSquashed(const std::shared_ptr<Home>& home,
                                                const std::vector<std::string>& upper,
                                                const std::vector<std::string>& tail,
                                                std::unique_ptr<Content> writable,
                                                const std::string& id);

// How `entry` (links resolved by the caller) differs from what the layers `from`, … show at its
// path. `open` gives its main data.
Expected<ChangeKind> CompareWith(Chain& chain, std::size_t from, const Entry& entry,
                                 const std::function<Expected<int>()>& open);
// Whether `data` (an open file of `size` bytes) holds a hive without keys and values.
Expected<bool> HoldsMinimalHive(int data, std::uint64_t size);

}  // namespace wclayer::portable
