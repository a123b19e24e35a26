// Which path each entry of an import has, by ordinal, in a file beside the layer: a replay finds
// payloads by it where the table cannot seek, and millions of paths need no memory.
//
//   0   magic, entries (u64), where the offsets begin (u64), checksum of these 24 bytes (u64)
//   32  the paths, one behind the other
//       entries + 1 offsets (u64): where each path begins, and where the last one ends
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "fs/dir.h"

namespace wclayer::layer {

inline constexpr char kPathListFile[] = "paths";

class PathListWriter {
 public:
  static Expected<PathListWriter> Create(const fs::Dir& folder);
  Expected<std::uint64_t> Add(std::string_view path);  // its ordinal
  Expected<std::string> At(std::uint64_t ordinal);
  std::uint64_t size() const { return offsets_.size() - 1; }
  Status Finish();

 private:
  PathListWriter() = default;
  Status Flush();
  fs::UniqueFd file_;
  std::vector<std::uint64_t> offsets_;
  std::string tail_;  // not written yet
};

class PathList {
 public:
  static Expected<bool> Exists(const fs::Dir& folder);
  static Expected<PathList> Open(const fs::Dir& folder);  // kLayerDamaged
  Expected<std::string> At(std::uint64_t ordinal) const;  // kLayerNotFound: there is none

 private:
  PathList() = default;
  fs::UniqueFd file_;
  std::uint64_t size_ = 0;
  std::uint64_t offsets_at_ = 0;
};

}  // namespace wclayer::layer
