#include "io/chunk_format.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#define ZSTD_STATIC_LINKING_ONLY  // for what a context will cost
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <new>
#include <string>
#include <vector>

namespace wclayer::io {
namespace {

constexpr std::size_t kGzipChunk = 1u << 20;
constexpr std::size_t kSmallGzipChunk = 2u << 20;
constexpr std::size_t kZstdChunk = 4u << 20;

// Levels from here on need tables as large as the chunk: a smaller chunk and a bound on the tables
// keep two threads within the memory of kMemoryBytes (compress.cc).
constexpr int kCostlyZstdLevel = 8;
constexpr std::size_t kCostlyZstdChunk = 2u << 20;
constexpr unsigned kMaxZstdTableLog = 21;

// Magic, deflate, no flags, no time, no extra flags, unknown system: nothing that could differ.
constexpr unsigned char kGzipHeader[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
constexpr unsigned char kEmptyFinalBlock[2] = {0x03, 0x00};

std::uint8_t* Raw(MutableBytes bytes) {
  return reinterpret_cast<std::uint8_t*>(bytes.data());
}

// ISA-L's interfaces take a pointer to mutable input, which they do not change.
std::uint8_t* RawInput(Bytes bytes) {
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

// How many tokens ISA-L gathers before it writes a block. Small blocks have Huffman codes that fit:
// 1 % less than its default makes, for 8 % more time.
constexpr std::size_t kIsalTokens = ISAL_DEF_LVL2_SMALL;

class IsalCodec final : public ChunkCodec {
 public:
  IsalCodec() : level_buffer_(kIsalTokens) {}

  Expected<std::size_t> Compress(Bytes in, MutableBytes out) override {
    isal_deflate_stateless_init(&stream_);
    stream_.level = 2;
    stream_.level_buf = level_buffer_.data();
    stream_.level_buf_size = static_cast<std::uint32_t>(level_buffer_.size());
    stream_.flush = FULL_FLUSH;
    stream_.end_of_stream = 0;
    stream_.gzip_flag = IGZIP_DEFLATE;
    stream_.next_in = RawInput(in);
    stream_.avail_in = static_cast<std::uint32_t>(in.size());
    stream_.next_out = Raw(out);
    stream_.avail_out = static_cast<std::uint32_t>(out.size());
    const int code = isal_deflate_stateless(&stream_);
    if (code != COMP_OK || stream_.avail_in != 0)
      return Error(Errc::kInternal, "ISA-L deflate gave " + std::to_string(code));
    return out.size() - stream_.avail_out;
  }

 private:
  std::vector<std::uint8_t> level_buffer_;
  // Zeros: isal_deflate_stateless_init leaves the size of the window as it finds it. (80 KiB: too
  // large for a Java thread's stack.)
  isal_zstream stream_{};
};

// Fast: one member. Its chunks are raw deflate that ends in a full flush, so that no chunk refers
// to the one before; an empty final block closes them.
class GzipFormat final : public ChunkFormat {
 public:
  std::size_t chunk_bytes() const override { return kGzipChunk; }
  std::size_t packed_bytes() const override {
    return kGzipChunk + kGzipChunk / 1000 + 1024;  // stored blocks: 5 bytes for each 64 KiB
  }
  std::size_t codec_bytes() const override { return kIsalTokens + sizeof(isal_zstream); }
  std::unique_ptr<ChunkCodec> NewCodec() const override { return std::make_unique<IsalCodec>(); }

  Buffer Start() override {
    const auto header = std::as_bytes(std::span(kGzipHeader));
    return Buffer(header.begin(), header.end());
  }
  void Saw(Bytes plain) override {
    crc_ = crc32_gzip_refl(crc_, RawInput(plain), plain.size());
    size_ += plain.size();
  }
  Expected<Buffer> End(bool) override {
    Buffer out;
    Append(out, std::as_bytes(std::span(kEmptyFinalBlock)));
    AppendLe(out, crc_);
    AppendLe(out, static_cast<std::uint32_t>(size_));
    return out;
  }

 private:
  std::uint32_t crc_ = 0;
  std::uint64_t size_ = 0;
};

class LibdeflateCodec final : public ChunkCodec {
 public:
  explicit LibdeflateCodec(int level) : compressor_(libdeflate_alloc_compressor(level)) {
    if (compressor_ == nullptr) throw std::bad_alloc();
  }
  ~LibdeflateCodec() override { libdeflate_free_compressor(compressor_); }
  LibdeflateCodec(const LibdeflateCodec&) = delete;
  LibdeflateCodec& operator=(const LibdeflateCodec&) = delete;

  Expected<std::size_t> Compress(Bytes in, MutableBytes out) override {
    const std::size_t size =
        libdeflate_gzip_compress(compressor_, in.data(), in.size(), out.data(), out.size());
    if (size == 0) return Error(Errc::kInternal, "libdeflate found its own bound too small");
    return size;
  }

 private:
  libdeflate_compressor* compressor_;
};

// A format whose chunks are complete streams of their own. Without any chunk, one of no bytes.
class IndependentChunks : public ChunkFormat {
 public:
  Expected<Buffer> End(bool empty) override {
    Buffer out;
    if (!empty) return out;
    out.resize(packed_bytes());
    WCLAYER_ASSIGN(const std::size_t size, NewCodec()->Compress({}, out));
    out.resize(size);
    return out;
  }
};

// Small: libdeflate ends every buffer with a final block, so that each chunk is a gzip member of
// its own: valid for every reader that follows RFC 1952 §2.2 (gzip, Go, Java, and so Docker).
class SmallGzipFormat final : public IndependentChunks {
 public:
  explicit SmallGzipFormat(int level) : level_(level) {}
  std::size_t chunk_bytes() const override { return kSmallGzipChunk; }
  std::size_t packed_bytes() const override {
    return libdeflate_gzip_compress_bound(nullptr, kSmallGzipChunk);
  }
  // Levels from 10 on parse near-optimally, with tables for it.
  std::size_t codec_bytes() const override { return level_ < 10 ? 1u << 20 : 9u << 20; }
  std::unique_ptr<ChunkCodec> NewCodec() const override {
    return std::make_unique<LibdeflateCodec>(level_);
  }

 private:
  int level_;
};

class ZstdCodec final : public ChunkCodec {
 public:
  ZstdCodec(int level, const ZSTD_compressionParameters& tables) : context_(ZSTD_createCCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    // Each of these values is within zstd's own range, so that none of the calls can fail.
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 0);  // the blob has a digest
    if (level < kCostlyZstdLevel) return;
    ZSTD_CCtx_setParameter(context_, ZSTD_c_chainLog, static_cast<int>(tables.chainLog));
    ZSTD_CCtx_setParameter(context_, ZSTD_c_hashLog, static_cast<int>(tables.hashLog));
  }
  ~ZstdCodec() override { ZSTD_freeCCtx(context_); }
  ZstdCodec(const ZstdCodec&) = delete;
  ZstdCodec& operator=(const ZstdCodec&) = delete;

  Expected<std::size_t> Compress(Bytes in, MutableBytes out) override {
    const std::size_t size = ZSTD_compress2(context_, out.data(), out.size(), in.data(), in.size());
    if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation) throw std::bad_alloc();
    if (ZSTD_isError(size) != 0)
      return Error(Errc::kInternal, std::string("zstd: ") + ZSTD_getErrorName(size));
    return size;
  }

 private:
  ZSTD_CCtx* context_;
};

// Each chunk is a frame. No window is larger than a chunk, so that every reader can take it (X5).
class ZstdFormat final : public IndependentChunks {
 public:
  explicit ZstdFormat(int level)
      : level_(level),
        chunk_(level < kCostlyZstdLevel ? kZstdChunk : kCostlyZstdChunk),
        tables_(ZSTD_getCParams(level, chunk_, 0)) {
    tables_.chainLog = std::min(tables_.chainLog, kMaxZstdTableLog);
    tables_.hashLog = std::min(tables_.hashLog, kMaxZstdTableLog);
  }
  std::size_t chunk_bytes() const override { return chunk_; }
  std::size_t packed_bytes() const override { return ZSTD_compressBound(chunk_); }
  std::size_t codec_bytes() const override { return ZSTD_estimateCCtxSize_usingCParams(tables_); }
  std::unique_ptr<ChunkCodec> NewCodec() const override {
    return std::make_unique<ZstdCodec>(level_, tables_);
  }

 private:
  int level_;
  std::size_t chunk_;
  ZSTD_compressionParameters tables_;
};

}  // namespace

std::unique_ptr<ChunkFormat> MakeChunkFormat(const CompressOptions& options) {
  switch (options.kind) {
    case Compression::kNone:
      break;
    case Compression::kGzip:
      if (options.level <= 1) return std::make_unique<GzipFormat>();
      return std::make_unique<SmallGzipFormat>(std::min(options.level, 12));
    case Compression::kZstd:
      return std::make_unique<ZstdFormat>(options.level == 0 ? 3
                                                             : std::clamp(options.level, 1, 19));
  }
  return nullptr;
}

}  // namespace wclayer::io
