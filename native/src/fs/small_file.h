// Small files of a home that appear whole, or not at all, and leave nothing behind.
#pragma once

#include <string_view>

#include "fs/dir.h"

namespace wclayer::fs {

// How the files begin that are still being written; in the folder of locks, because each is the
// lock of whoever writes it. '+' cannot be in a layer's id.
inline constexpr std::string_view kSmallFileLock = "small+";

// Puts `bytes` in the place of `path` below `folder`: written and flushed (kFull) below `locks`,
// then renamed (kReplace, or kNoReplace: kLayerExists), and the folder flushed (kFull). What a
// process that ends in between leaves goes with RemoveFreeLocks(locks, kSmallFileLock). Both
// folders are on one file system.
Status PutSmallFile(const Dir& locks, const Dir& folder, std::string_view path,
                    std::string_view bytes, Durability durability,
                    Dir::RenameMode mode = Dir::RenameMode::kReplace);

}  // namespace wclayer::fs
