// A transport folder read as a layer (spec layer-formats §a.3), and the payloads of a layer read
// where they lie.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fs/dir.h"
#include "fs/stored_times.h"
#include "layer/item.h"
#include "layer/path_list.h"
#include "layer/stored_file.h"

namespace wclayer::layer {

// Hands on the bytes of several ranges of a file as one stream, after some bytes of its own.
class RangeReader {
 public:
  void Begin(Buffer head, int file);
  void Add(std::uint64_t at, std::uint64_t size);
  Expected<std::size_t> Read(MutableBytes buffer);
  Status Skip(std::uint64_t bytes);  // kLayerDamaged: fewer are left

 private:
  struct Range {
    std::uint64_t at;
    std::uint64_t size;
  };
  Buffer head_;
  std::size_t head_at_ = 0;
  int file_ = -1;
  std::vector<Range> ranges_;
  std::size_t next_ = 0;
};

// Unlike the reference it keeps the descriptors of "Files" and "Hives" where the folder has them,
// brings metadata that stands behind the data to its front, and drops nothing of a folder that is
// called $Recycle.Bin.
class FolderSource final : public ItemSource {
 public:
  enum class Reading { kKeep, kRemove };  // kRemove: files go as soon as they have been read
  static Expected<std::unique_ptr<FolderSource>> Open(const std::string& folder, Reading reading);

  Expected<bool> Next(Item& item) override;
  Expected<std::size_t> Read(MutableBytes buffer) override { return stream_.Read(buffer); }
  Status Skip(std::uint64_t bytes) override { return stream_.Skip(bytes); }
  Status Seek(std::uint64_t ordinal, Item& item) override;  // kUnsupported

 private:
  // One folder on the way down.
  struct Level {
    fs::Dir dir;
    std::string path;  // "" at the top
    std::vector<fs::Listed> entries;
    std::size_t next = 0;
    std::vector<std::string> deleted;  // in it
    std::size_t next_deleted = 0;
  };

  FolderSource() = default;
  Status ReadTombstones();
  std::vector<std::string> DeletedIn(const std::string& folder);
  Status Push(fs::Dir dir, std::string path);
  Status OpenLevel(Level& level);
  Status OpenEntry(Level& level, const fs::Listed& entry, Item& item);
  Status OpenFolder(Level& level, const std::string& name, Item& item);
  Status OpenPlain(Level& level, const std::string& name, Item& item);
  Status OpenStored(Level& level, const std::string& name, std::uint32_t attributes, Item& item);
  Status FolderTimes(Level& level, const std::string& name, Item& item);

  fs::Dir root_;
  Reading reading_ = Reading::kKeep;
  std::vector<Level> levels_;
  std::map<std::string, std::vector<std::string>> tombstones_;  // by folder, in upper case
  std::uint64_t ordinal_ = 0;
  fs::UniqueFd file_;
  std::string read_;  // goes when the next item comes
  RangeReader stream_;
};

// Payloads by ordinal (PathList), for the replay of a skeleton: the main data of files alone.
// UtilityVM's boot files are the saved ones, if there are any: Windows changes those in place.
class DiskSource final : public ItemSource {
 public:
  // `layer`: its folder; `own`: where PathList is.
  static Expected<std::unique_ptr<DiskSource>> Open(const std::string& layer,
                                                    const std::string& own);
  Expected<bool> Next(Item&) override { return false; }
  Expected<std::size_t> Read(MutableBytes buffer) override { return stream_.Read(buffer); }
  Status Skip(std::uint64_t bytes) override { return stream_.Skip(bytes); }
  Status Seek(std::uint64_t ordinal, Item& item) override;

 private:
  explicit DiskSource(PathList paths) : paths_(std::move(paths)) {}
  Expected<fs::UniqueFd> Find(const std::string& path) const;
  fs::Dir root_;
  PathList paths_;
  fs::UniqueFd file_;
  RangeReader stream_;
};

// Where the bytes of a file that Windows changes in place are saved in the layer's folder; empty:
// it is none of the four (spec driver-semantics §3).
std::string_view SavedNameOf(std::string_view path);

}  // namespace wclayer::layer
