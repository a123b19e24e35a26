// The tree that the user of a writable layer sees, whichever way it came about: an overlay's upper
// folder with what shows through it, or a checkout (store §5, §6). Read from below the mount, so it
// works whether the layer is mounted or not, and while it is being changed: names that vanish on
// the way are left out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"
#include "fs/dir.h"
#include "portable/chain.h"
#include "portable/home.h"

namespace wclayer::portable {

// One name of a folder.
struct TreeItem {
  std::string name;  // on disk
  fs::Type type = fs::Type::kOther;
  bool own = true;               // false: it shows through from the chain
  fs::Info info;                 // if own
  std::optional<Found> origin;   // what it is, or was copied up from; see OriginOf
  bool untouched = false;        // known to be just as it was made from its origin
  std::optional<fs::Info> made;  // what it was like when it was made, where that is on record
  Node node;                     // if it shows through
};

struct TreeFolder {
  std::string path;  // on disk, below the root
  bool own = true;   // there is such a folder in the writable layer itself
  Folder through;    // the parts of the chain that show through
};

class UserTree {
 public:
  virtual ~UserTree() = default;
  virtual Expected<TreeFolder> Root() = 0;
  // The root as an item, its info only if the folder is there.
  virtual Expected<TreeItem> RootItem() = 0;
  virtual Expected<std::vector<TreeItem>> List(const TreeFolder& folder) = 0;
  virtual Expected<std::optional<TreeItem>> Find(const TreeFolder& folder,
                                                 const std::string& name) = 0;
  virtual Expected<TreeFolder> Enter(const TreeFolder& folder, const TreeItem& item) = 0;
  // The entry that an own item was copied up from. `here`: what the parents have at this path.
  virtual Expected<std::optional<Found>> OriginOf(const TreeFolder& folder, const TreeItem& item,
                                                  const std::optional<Found>& here) = 0;
  // The text of a link, of this layer's own or one that shows through.
  virtual Expected<std::string> ReadLink(const TreeFolder& folder, const TreeItem& item) = 0;
  virtual const fs::Dir& root() const = 0;  // no handle: the layer has nothing of its own yet
};

Expected<std::unique_ptr<UserTree>> OpenOverlayTree(const fs::Dir& layer, Chain& chain);
Expected<std::unique_ptr<UserTree>> OpenCheckoutTree(const fs::Dir& layer, Chain& chain);

}  // namespace wclayer::portable
