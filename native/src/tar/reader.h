// Push parser: bytes in, entries out. Never seeks, holds one header at a time, copies no payload.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/expected.h"
#include "tar/entry.h"

namespace wclayer::tar {

// Receives a tar. Every byte of the input arrives exactly once and in order, either as OnRaw
// (header blocks, sparse maps, padding, end blocks, whatever trails) or as OnPayload. An error
// stops the reader for good; raw bytes just before it may not have been handed on. Spans live
// during the call only. A global extended header is an entry of type 'g'. Two zero blocks end the
// archive.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Status OnRaw(Bytes bytes) = 0;
  virtual Status OnEntry(
      const Entry& entry) = 0;                // after its header's raw bytes, before its payload
  virtual Status OnPayload(Bytes bytes) = 0;  // stored_size bytes in all; never called with none
  virtual Status OnEntryEnd() = 0;            // after the payload, before the padding's raw bytes
};

struct ReaderOptions {
  bool strict_end =
      false;  // refuse a tar without padding of the last file or without end blocks (C14)
};

class Reader {
 public:
  explicit Reader(Sink& sink, ReaderOptions options = {});
  ~Reader();

  Status Write(Bytes bytes);  // any pieces
  Status Finish();            // end of input: truncated data or headers are errors

  std::uint64_t offset() const;  // bytes consumed
  // After Finish: an extended header came last, and neither its entry nor the end blocks did. That
  // is a clean end of a tar (oracle-cases §12), yet an entry is missing.
  bool ends_in_extended() const;
  std::uint64_t entries() const;  // logical entries seen

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wclayer::tar
