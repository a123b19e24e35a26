// A file's backup stream read on demand from an ItemSource: headers one by one, data where the
// caller wants it.
#pragma once

#include "backup/stream.h"
#include "layer/item.h"

namespace wclayer::layer {

class StreamPull {
 public:
  explicit StreamPull(ItemSource& source) : source_(&source) {}

  void Restart() { left_ = 0; }  // the source stands at another item
  // The next stream's header; what is left of the data before is skipped. False: the stream's end.
  Expected<bool> Next();
  const backup::StreamHeader& header() const { return header_; }
  std::uint64_t sparse_offset() const { return sparse_offset_; }
  std::uint64_t left() const { return left_; }  // data bytes of this stream not read yet

  // Reads some of the current stream's data straight into `buffer`; 0 only when none is left.
  Expected<std::size_t> Read(MutableBytes buffer);
  Expected<Buffer> ReadAll(std::size_t limit, const char* limit_name);

 private:
  // Exactly buffer.size() bytes; false: nothing at all was left.
  Expected<bool> Exactly(MutableBytes buffer);

  ItemSource* source_;
  backup::StreamHeader header_;
  std::uint64_t sparse_offset_ = 0;
  std::uint64_t left_ = 0;
};

}  // namespace wclayer::layer
