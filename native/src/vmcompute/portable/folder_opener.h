// Folders below a root, opened one after the other: who works on a folder's names one by one opens
// it once.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.h"
#include "fs/dir.h"

namespace wclayer::portable {

// The root outlives it. One thread at a time.
class FolderOpener {
 public:
  explicit FolderOpener(const fs::Dir& root) : root_(&root) {}

  // Valid until the next call.
  Expected<const fs::Dir*> Open(std::string_view path) {
    if (!folder_ || path_ != path) {
      WCLAYER_ASSIGN(folder_, root_->OpenDir(path));
      path_ = path;
    }
    return &folder_;
  }

 private:
  const fs::Dir* root_;
  fs::Dir folder_;  // opened last
  std::string path_;
};

}  // namespace wclayer::portable
