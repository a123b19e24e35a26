// gzip (ISA-L), zstd and plain streams, in and out.
#pragma once

#include <cstdint>
#include <memory>

#include "base/limits.h"
#include "io/sink.h"

namespace wclayer::io {

enum class Compression { kNone = 0, kGzip = 1, kZstd = 2 };

// What the first bytes (4 are enough) of a stream say it is; kNone: neither gzip nor zstd.
Compression Recognise(Bytes head);

struct DecompressOptions {
  std::uint32_t max_zstd_window_log = kMaxZstdWindowLog;  // X5; 27 at most
  std::uint64_t max_output_bytes = 1ull << 44;
  std::uint64_t max_ratio = 4096;  // output ÷ input, looked at beyond the first 64 MiB of output
};

// Recognises gzip, zstd or neither (plain) from the first bytes, inflates, and passes on. Members
// and frames may follow one another; skippable frames are skipped. Finish: truncated input is an
// error, and so are trailing bytes behind a compressed stream that are not zero. A failure, also of
// the next stage, is final.
class Decompressor final : public ByteSink {
 public:
  explicit Decompressor(ByteSink& next, DecompressOptions options = {});
  ~Decompressor() override;
  Status Write(Bytes bytes) override;
  Expected<MutableBytes> Room() override;  // of a plain stream
  Status Filled(std::size_t bytes) override;
  Status Finish() override;
  Compression kind() const;  // kNone until recognised

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct CompressOptions {
  Compression kind = Compression::kNone;
  int level = 0;  // gzip: 1 fast (default), 2…12 small by libdeflate (6: no larger than zlib -6);
                  // zstd: 1…19, default 3; a level beyond the range is taken as its nearest
  int threads = 1;  // at most 4, and no more than fit into 48 MiB; bytes do not depend on it
};

// gzip fast: one member; gzip small: a member for each 2 MiB; zstd: a frame for each 4 or 2 MiB.
// Same input and options: same output, whatever the pieces, the threads and the time. (gzip fast:
// on every x86-64 with SSE4.1; ISA-L's code for other processors finds other matches.)
// A failure of the next stage is final.
std::unique_ptr<ByteSink> MakeCompressor(ByteSink& next, CompressOptions options);

}  // namespace wclayer::io
