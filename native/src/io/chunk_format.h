// What a compressor makes of its input: how it is cut into chunks, what each chunk becomes, and
// what stands around them. Nothing here depends on threads.
#pragma once

#include <cstdint>
#include <memory>

#include "io/compression.h"

namespace wclayer::io {

// Compresses chunks one by one; each thread has its own.
class ChunkCodec {
 public:
  virtual ~ChunkCodec() = default;
  // Writes `in` compressed to `out`, which has room for ChunkFormat::packed_bytes(); gives the
  // size.
  virtual Expected<std::size_t> Compress(Bytes in, MutableBytes out) = 0;
};

// Used by the writing thread alone, except for NewCodec.
class ChunkFormat {
 public:
  virtual ~ChunkFormat() = default;
  virtual std::size_t chunk_bytes() const = 0;   // all chunks but the last have this size
  virtual std::size_t packed_bytes() const = 0;  // of a chunk, at worst
  virtual std::size_t codec_bytes() const = 0;   // memory of one codec, roughly
  virtual std::unique_ptr<ChunkCodec> NewCodec() const = 0;

  virtual Buffer Start() { return {}; }           // before the first chunk
  virtual void Saw(Bytes plain) { (void)plain; }  // every chunk, in order
  virtual Expected<Buffer> End(bool empty) = 0;   // behind the last; empty: there was no chunk
};

// Null for kNone.
std::unique_ptr<ChunkFormat> MakeChunkFormat(const CompressOptions& options);

}  // namespace wclayer::io
