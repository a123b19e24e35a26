// Entries of a layer as files themselves, restored from backup streams: base layers, and what is
// below UtilityVM in every layer (spec layer-formats §a.5, §a.6).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fs/backup.h"
#include "fs/dir.h"
#include "layer/item.h"

namespace wclayer::layer {

class TreeSink {
 public:
  // `folder`: absolute, empty; what stands there when all is done belongs into the layer's folder.
  static Expected<std::unique_ptr<TreeSink>> Open(const std::string& folder);

  // The utility VM of a parent, as Windows wants it whole in each layer that changes it: folders,
  // links and the four files that ProcessUtilityImage changes are copied, all else are further
  // names of the parent's files.
  Status CloneUtilityVm(const fs::Dir& parent);

  // A folder merges with the one that is there; everything else takes the place of what is.
  Status Begin(const Item& item, const std::string& path);
  Status Write(Bytes stream);
  Status End();
  Status MakeFolder(const std::string& path);  // that the tar does not list; may exist
  Status Link(const std::string& target, const std::string& path);
  Status Remove(const std::string& path) { return root_.RemoveTree(path); }
  Expected<bool> Has(const std::string& path) const { return root_.Exists(path); }
  Expected<std::vector<fs::Listed>> List(const std::string& path) const;
  // Main data as it reads, holes included.
  Expected<std::size_t> ReadBack(const std::string& path, std::uint64_t offset,
                                 MutableBytes buffer) const;
  Status CheckHive(const std::string& path) const;  // C15
  Status Finish();  // times of folders, which their children have changed

 private:
  TreeSink() = default;
  Status CopyOne(const fs::Dir& parent, const std::string& path, bool& descend);
  Status LinkOrCopy(const fs::Dir& parent, const std::string& path);

  fs::Dir root_;
  std::unique_ptr<fs::BackupWriter> writer_;  // of the current entry
  std::unique_ptr<fs::BackupWriter> saved_;   // its bytes beside the tree (SavedNameOf)
  std::vector<std::pair<std::string, fs::StoredTimes>> folders_;
};

// Refuses a broken registry hive, which would only be met by the container that does not start.
Status CheckHiveOf(int file, const std::string& path);

}  // namespace wclayer::layer
