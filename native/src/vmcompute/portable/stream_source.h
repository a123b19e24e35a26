// The backup stream of one entry on its way out (spec layer-formats §b): SECURITY, then every other
// stream but alternate ones, then DATA with its sparse blocks, then alternate streams, each kind in
// its own order.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"
#include "fs/dir.h"
#include "io/digest.h"
#include "portable/entry.h"

namespace wclayer::portable {

class StreamSource {
 public:
  // Both must outlive the reading. The file is opened when its first byte is asked for.
  void Begin(Content& content, const Entry& entry);
  // Fills the buffer as far as the stream goes; 0: its end. A payload that is not the one that was
  // stored (size, checksum) fails before the stream ends.
  Expected<std::size_t> Read(MutableBytes buffer);
  // Passes over bytes of the stream without reading or checking them.
  Status Skip(std::uint64_t bytes);
  bool complete() const { return piece_ == pieces_.size(); }

 private:
  // A run of bytes of the stream: built here, of the file, or of a stored stream.
  struct Piece {
    enum class From { kBuilt, kFile, kStored };
    From from = From::kBuilt;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    const StreamRecord* stream = nullptr;
    bool last_of_file = false;
  };
  void AddBuilt(std::size_t from);
  void AddStream(const StreamRecord& stream);
  void AddMain();
  Status EndPiece();
  Expected<std::size_t> ReadPiece(const Piece& piece, MutableBytes buffer);
  Error Damaged(std::string_view what) const;

  Content* content_ = nullptr;
  const Entry* entry_ = nullptr;
  Buffer built_;
  std::vector<Piece> pieces_;
  std::size_t piece_ = 0;
  std::uint64_t done_ = 0;  // of the current piece
  fs::UniqueFd file_;
  io::StreamChecksum sum_;
  bool skipped_ = false;  // some of the file, which has no checksum then
};

}  // namespace wclayer::portable
