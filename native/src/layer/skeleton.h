// The skeleton of a tar: every byte of it that is not the payload of a stored stream, and for each
// payload its length and checksum and where it is stored (design §3, store §4). Kept compressed
// beside the layer; with the payloads it gives the same tar again, byte for byte.
//
// Files in the layer's private folder: "skeleton" and, when payloads exist that are not stored with
// the layer (overwritten duplicates, unknown types), "extra". Format: skeleton_format.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/expected.h"
#include "fs/dir.h"
#include "layer/item.h"
#include "tar/entry.h"

namespace wclayer::layer {

class SkeletonWriter {
 public:
  // What a store that is not ours keeps for a replay: files. Alternate streams and the ranges of
  // sparse files are then kept here too, in "extra".
  enum class Kept { kStreams, kFilesOnly };
  // `folder`: the private folder of the layer being built. Its files are made when there is
  // something to be written.
  explicit SkeletonWriter(fs::Dir folder, Kept kept = Kept::kStreams);
  ~SkeletonWriter();

  Status Raw(Bytes bytes);
  Status CountEntry();  // a tar entry begins (what SkeletonReplay::entries counts)
  // A payload that the store keeps: stream `stream` of entry `ordinal`. Its bytes follow by
  // Payload. `ranges`: where they belong in a sparse file.
  Status BeginStored(std::uint64_t ordinal, std::uint32_t stream,
                     std::span<const tar::SparseRange> ranges = {});
  // A payload kept for replay alone: its bytes go to "extra" (kMaxExtraBytes in all).
  Status BeginExtra();
  Status Payload(Bytes bytes);
  Status EndPayload();
  // All of that for the main data of a file that is not sparse, whose checksum the store tells.
  Status Stored(std::uint64_t ordinal, std::uint64_t size, std::uint64_t checksum);
  // The stored payloads of an entry will be replaced by a later duplicate: from now on they are in
  // "extra"; `read` gives their bytes (as ItemSink::ReadBack).
  Status MoveToExtra(std::uint64_t ordinal, ItemSink& read);
  Status Finish();  // writes the table of moved payloads and the checksums; the files are complete

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Replays a tar. `source` gives the stored payloads (Seek, Read); it outlives the replay.
class SkeletonReplay {
 public:
  static Expected<bool> Exists(const std::string& folder);
  // kLayerDamaged: the files are not what was written.
  static Expected<std::unique_ptr<SkeletonReplay>> Open(const std::string& folder,
                                                        ItemSource& source);
  ~SkeletonReplay();
  // As TarExporter::Fill. A payload whose size or checksum differs: kLayerDamaged naming its path,
  // before anything of it is handed on if it fits `buffer`, before the stream's end otherwise.
  Expected<std::size_t> Fill(MutableBytes buffer);
  std::uint64_t entries() const;

 private:
  SkeletonReplay();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wclayer::layer
