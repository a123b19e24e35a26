// What a writable layer changed, as the content of a layer (store §6).
#pragma once

#include <memory>
#include <string>

#include "base/expected.h"
#include "portable/entry.h"
#include "portable/home.h"

namespace wclayer::portable {

// The changes of the writable layer against its own parents, with all ancestor folders, then Hives
// and the empty deltas (portable/hive.h). SeekPath works for what Next has given.
Expected<std::unique_ptr<Content>> OpenWritable(const std::shared_ptr<Home>& home,
                                                const std::string& id);

}  // namespace wclayer::portable
