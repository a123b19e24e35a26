// Layers as folders of a home: made, taken away, copied, looked at.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "portable/home.h"
#include "vmcompute/abi.h"

namespace wclayer::portable {

// An empty layer. Repeatable: an existing one stays as it is, unless it is writable.
Status CreateLayer(const std::shared_ptr<Home>& home, const std::string& id,
                   const std::string& parent);
// A writable layer on the parents (ids, immediate one first; none: on nothing).
Status CreateWritableLayer(const std::shared_ptr<Home>& home, const std::string& id,
                           const std::vector<std::string>& parents);
// At least `size_bytes`; recorded, not enforced.
Status ExpandWritableLayer(Home& home, const std::string& id, std::uint64_t size_bytes);
// A new committed layer `target` with what `source` holds on top of `parents`.
Status CopyLayer(const std::shared_ptr<Home>& home, const std::string& source,
                 const std::string& target, const std::vector<std::string>& parents);
// kState… bits, but for kStateMounted.
Expected<std::uint32_t> StateOf(const Home& home, const std::string& id);
Expected<bool> LayerExists(const Home& home, const std::string& id);

// A version-5 GUID of the folder name, whatever its spelling. The scheme is ours (a hash of a
// namespace of our own and the upcased UTF-8 name): Microsoft's is not public (spec vmcompute-abi
// §6), so layers of this store and of Windows must not be mixed in one chain.
vmcompute::Guid GuidOfName(std::string_view name);

}  // namespace wclayer::portable
