// A base layer read from its own folder (spec layer-formats §a.4): Files, and below UtilityVM the
// files that came with the layer; not the hives and disks that Windows made of it.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fs/backup.h"
#include "fs/dir.h"
#include "layer/item.h"

namespace wclayer::layer {

// Unlike the reference it keeps extended attributes, which BackupRead has behind the data, and what
// lies in $Recycle.Bin.
class BaseSource final : public ItemSource {
 public:
  static Expected<std::unique_ptr<BaseSource>> Open(const std::string& layer);
  Expected<bool> Next(Item& item) override;
  Expected<std::size_t> Read(MutableBytes buffer) override;
  Status Seek(std::uint64_t ordinal, Item& item) override;  // kUnsupported

 private:
  struct Level {
    fs::Dir dir;
    std::string path;  // "" at the top
    std::vector<std::string> names;
    std::size_t next = 0;
  };
  BaseSource() = default;
  Status Push(fs::Dir dir, std::string path);
  Status OpenLevel(Level& level);
  Status OpenEntry(Level& level, const std::string& name, Item& item);

  fs::Dir root_;
  std::vector<Level> levels_;
  std::map<std::array<std::uint64_t, 2>, std::string> first_names_;  // of files with several
  std::uint64_t ordinal_ = 0;
  std::unique_ptr<fs::BackupReader> reader_;
  Buffer head_;  // goes before what the reader gives
  std::size_t head_at_ = 0;
};

}  // namespace wclayer::layer
