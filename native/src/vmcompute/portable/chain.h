// A chain of layers opened for reading, nearest layer first, and the folder tree they make
// together: a name of a child hides the same name of its parents (compared as NTFS does), folders
// merge unless the child's is opaque or a reparse point, a tombstone hides.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "portable/home.h"
#include "portable/metadata.h"

namespace wclayer::portable {

struct ChainLayer {
  std::string id;
  fs::Dir dir;  // the layer's folder; disk paths of its entries are below it
  std::unique_ptr<MetadataReader> metadata;  // null: a created layer, which holds nothing
  fs::UniqueFd streams;                      // ".wclayer/streams", opened when first needed
  // A writable layer's changes: data and streams come from here, the metadata is a copy of its
  // entries.
  std::unique_ptr<Content> source;
};

// Where an entry is.
struct Found {
  std::uint32_t layer = 0;  // place in the chain
  std::uint32_t ordinal = kNoOrdinal;
};

// One name of a merged folder.
struct Member {
  Found at;  // the layer that decides; its own entry (maybe a tombstone, if those were asked for)
  Node node;
};

// A merged folder: the layers that have a part in it, nearest first; never empty for a folder that
// is there.
struct Folder {
  std::vector<Found> parts;  // ordinal kNoOrdinal: the top
};

// One thread at a time.
class Chain {
 public:
  // `ids`: nearest layer first; each is a created or committed layer or a base image of the home.
  static Expected<std::unique_ptr<Chain>> Open(const Home& home,
                                               const std::vector<std::string>& ids);

  // Puts a layer before all others.
  void PushFront(ChainLayer layer);

  std::size_t size() const { return layers_.size(); }
  ChainLayer& layer(std::size_t i) { return layers_[i]; }

  // What the layers `from`, `from`+1, … together show at `path`; nothing if it is not there.
  Expected<std::optional<Found>> Find(std::string_view path, std::size_t from = 0);
  Expected<std::optional<Found>> FindIn(const Folder& folder, std::string_view name);
  // The name as a path on disk (a mount shows those): spelt as Find takes it but for shortened
  // names.
  Expected<std::optional<Found>> FindDisk(std::string_view disk_path, std::size_t from = 0);
  // The merged folder; nothing if there is no folder of that path ("" is the top). Lives until the
  // next call.
  Expected<const Folder*> Resolve(std::string_view path, std::size_t from = 0);
  // The merged folder `name` in `folder`; no parts: none.
  Expected<Folder> Enter(const Folder& folder, std::string_view name);
  Folder Top(std::size_t from = 0) const;
  // The names of a merged folder, sorted by bytes. Hidden names are left out, tombstones too unless
  // `tombstones`: then one that nothing nearer overrides is there.
  Expected<std::vector<Member>> List(const Folder& folder, bool tombstones = false);
  // The spelling on disk that the nearest layer has for the name (a tombstone's included); "" if
  // none has it.
  Expected<std::string> DiskSpelling(const Folder& folder, std::string_view name);

  // Everything of an entry. `resolve`: a hard link becomes a file with what its first name holds
  // (its own path and disk path are kept, link_target and first_name cleared).
  Status Load(const Found& found, Entry& entry, bool resolve);
  // The main data of a file or hard link.
  Expected<fs::UniqueFd> OpenData(const Found& found, const Entry& entry);
  Expected<std::size_t> ReadStream(const Found& found, const StreamRecord& stream,
                                   std::uint64_t offset, MutableBytes buffer);

 private:
  std::vector<ChainLayer> layers_;
  // Merged folders by "from" and folded path; emptied when it grows beyond a bound.
  std::unordered_map<std::string, Folder> folders_;
};

// Reads from an external stream of an opened layer (opens `streams` when needed).
Expected<std::size_t> ReadLayerStream(ChainLayer& layer, const StreamRecord& stream,
                                      std::uint64_t offset, MutableBytes buffer);

// Whether two entries (hard links resolved) differ in anything that Changes counts (store §6).
// `same_bytes` is asked only when sizes are equal and a checksum is missing.
Expected<bool> Differs(const Entry& a, const Entry& b,
                       const std::function<Expected<bool>()>& same_bytes);

}  // namespace wclayer::portable
