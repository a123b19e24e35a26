// The formats that a Decompressor knows, each behind one interface.
#pragma once

#include <cstdint>
#include <memory>

#include "base/page_buffer.h"
#include "io/compression.h"

namespace wclayer::io {

// Where unpacked bytes go: the next stage's own memory if it has room there. Counts them, holds
// them against the limits, and says where in the input a fault was found.
class UnpackedOutput {
 public:
  UnpackedOutput(ByteSink& next, const DecompressOptions& options)
      : next_(&next), options_(options) {}

  void Consumed(std::uint64_t bytes) { consumed_ += bytes; }
  Expected<MutableBytes> NextRoom();  // the next stage's, or empty
  Expected<MutableBytes> Room();      // never empty
  Status Filled(std::size_t bytes);   // of the room, 0 too
  Status Pass(Bytes bytes);           // that lie elsewhere
  Error Bad(const char* format, const std::string& what) const;

 private:
  Status Count(std::uint64_t bytes);

  ByteSink* next_;
  PageBuffer slab_;
  bool in_slab_ = false;  // the room is
  DecompressOptions options_;
  std::uint64_t consumed_ = 0;
  std::uint64_t produced_ = 0;
};

class Unpacker {
 public:
  virtual ~Unpacker() = default;
  virtual Status Write(Bytes packed) = 0;
  virtual Status CheckEnd() = 0;  // an error where the input must not end here
};

std::unique_ptr<Unpacker> MakeGzipUnpacker(UnpackedOutput& output);
std::unique_ptr<Unpacker> MakeZstdUnpacker(UnpackedOutput& output, std::uint32_t max_window_log);

}  // namespace wclayer::io
