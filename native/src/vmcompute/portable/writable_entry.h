// What an edited file carries (store §6): the entry for one name of a writable layer, out of the
// entry it came from and the file that is there now.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/expected.h"
#include "portable/chain.h"
#include "portable/entry.h"
#include "portable/writable_tree.h"

namespace wclayer::portable {

// A name of the user's tree with everything that is to be known about it.
struct Seen {
  std::string path;                          // as the layer spells it: "Files/…"
  std::shared_ptr<const TreeFolder> folder;  // that it is in
  TreeItem item;                             // origin filled in
  std::optional<Found> here;                 // what the parents have at this path
  bool same_name = true;                     // … in this very spelling

  std::string DiskPath() const;  // below the root of the tree
};

struct Built {
  Entry entry;                // never a hard link
  std::optional<Found> base;  // the entry whose metadata it has
  bool changed = false;       // against `base`; without one: true
};

// Whether a link's target is a folder.
using PointsToFolder = std::function<Expected<bool>(const Seen& seen, const std::string& text)>;

class EntryBuilder {
 public:
  EntryBuilder(Chain& chain, UserTree& tree, PointsToFolder points_to_folder)
      : chain_(&chain), tree_(&tree), points_to_folder_(std::move(points_to_folder)) {}

  // `holds_names`: of a folder that is not empty (which cannot be a reparse point).
  Expected<Built> Build(const Seen& seen, bool holds_names);
  // Whether it is certainly what the parents have here, without a look at any entry.
  static bool Untouched(const Seen& seen);

 private:
  struct Lower {
    Found at;
    Entry entry;    // hard links resolved
    fs::Info info;  // of the file it came from, as that was then
  };
  Expected<std::optional<Lower>> LowerOf(const Seen& seen);
  Expected<std::optional<Lower>> Load(const Seen& seen, const Found& at);
  Status BuildFile(const Seen& seen, const Lower* lower, Built& built);
  Status BuildLink(const Seen& seen, const Lower* lower, Built& built);
  Expected<bool> SameBytes(const Seen& seen, const Lower& lower);

  Chain* chain_;
  UserTree* tree_;
  PointsToFolder points_to_folder_;
  Buffer left_;
  Buffer right_;
};

}  // namespace wclayer::portable
