// Compressors that cut the input into independent chunks, so that several threads can work and the
// bytes do not depend on how many: chunk borders come from the input alone.
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <zstd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "io/compression.h"

namespace wclayer::io {
namespace {

constexpr std::size_t kGzipChunk = 1u << 20;
constexpr std::size_t kSmallGzipChunk = 2u << 20;
constexpr std::size_t kZstdChunk = 4u << 20;
constexpr int kMaxThreads = 4;
// Magic, deflate, no flags, no time, no extra flags, unknown system.
constexpr unsigned char kGzipHeader[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
constexpr unsigned char kEmptyFinalBlock[2] = {0x03, 0x00};

// One chunk in, one piece of the output out. Each worker has its own.
class Codec {
 public:
  virtual ~Codec() = default;
  virtual Status Compress(Bytes in, Buffer& out) = 0;
};

// What stands before, between and behind the chunks; used by the writing thread alone.
class Frame {
 public:
  virtual ~Frame() = default;
  virtual std::size_t chunk_bytes() const = 0;
  virtual std::unique_ptr<Codec> NewCodec() const = 0;
  virtual void Start(Buffer& out) { (void)out; }
  virtual void Saw(Bytes plain) { (void)plain; }
  virtual Status End(Buffer& out, bool empty) = 0;
};

class IsalCodec final : public Codec {
 public:
  IsalCodec() : level_buffer_(ISAL_DEF_LVL1_DEFAULT) {}
  Status Compress(Bytes in, Buffer& out) override {
    isal_zstream stream;
    isal_deflate_stateless_init(&stream);
    stream.level = 1;
    stream.level_buf = level_buffer_.data();
    stream.level_buf_size = static_cast<std::uint32_t>(level_buffer_.size());
    stream.flush = FULL_FLUSH;
    stream.end_of_stream = 0;
    stream.gzip_flag = IGZIP_DEFLATE;
    // Stored blocks at worst: 5 bytes for each 64 KiB, and the flush.
    out.resize(in.size() + in.size() / 1000 + 1024);
    stream.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(in.data()));
    stream.avail_in = static_cast<std::uint32_t>(in.size());
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream.avail_out = static_cast<std::uint32_t>(out.size());
    const int code = isal_deflate_stateless(&stream);
    if (code != COMP_OK || stream.avail_in != 0) {
      return Error(Errc::kInternal, "ISA-L deflate gave " + std::to_string(code));
    }
    out.resize(out.size() - stream.avail_out);
    return {};
  }

 private:
  std::vector<std::uint8_t> level_buffer_;
};

// One member: raw deflate chunks that each end in a full flush, then an empty final block.
class GzipFrame final : public Frame {
 public:
  std::size_t chunk_bytes() const override { return kGzipChunk; }
  std::unique_ptr<Codec> NewCodec() const override { return std::make_unique<IsalCodec>(); }
  void Start(Buffer& out) override { Append(out, std::as_bytes(std::span(kGzipHeader))); }
  void Saw(Bytes plain) override {
    crc_ =
        crc32_gzip_refl(crc_, reinterpret_cast<const unsigned char*>(plain.data()), plain.size());
    size_ += plain.size();
  }
  Status End(Buffer& out, bool) override {
    Append(out, std::as_bytes(std::span(kEmptyFinalBlock)));
    AppendLe(out, crc_);
    AppendLe(out, static_cast<std::uint32_t>(size_));
    return {};
  }

 private:
  std::uint32_t crc_ = 0;
  std::uint64_t size_ = 0;
};

class LibdeflateCodec final : public Codec {
 public:
  explicit LibdeflateCodec(int level) : compressor_(libdeflate_alloc_compressor(level)) {
    if (compressor_ == nullptr) throw std::bad_alloc();
  }
  ~LibdeflateCodec() override { libdeflate_free_compressor(compressor_); }
  LibdeflateCodec(const LibdeflateCodec&) = delete;
  LibdeflateCodec& operator=(const LibdeflateCodec&) = delete;
  Status Compress(Bytes in, Buffer& out) override {
    out.resize(libdeflate_gzip_compress_bound(compressor_, in.size()));
    const std::size_t size =
        libdeflate_gzip_compress(compressor_, in.data(), in.size(), out.data(), out.size());
    if (size == 0) return Error(Errc::kInternal, "libdeflate found its own bound too small");
    out.resize(size);
    return {};
  }

 private:
  libdeflate_compressor* compressor_;
};

// libdeflate ends every buffer with a final block, so each chunk is a gzip member of its own: valid
// for every reader that follows RFC 1952 (zcat, Go, Java, Docker).
class SmallGzipFrame final : public Frame {
 public:
  explicit SmallGzipFrame(int level) : level_(level) {}
  std::size_t chunk_bytes() const override { return kSmallGzipChunk; }
  std::unique_ptr<Codec> NewCodec() const override {
    return std::make_unique<LibdeflateCodec>(level_);
  }
  Status End(Buffer& out, bool empty) override {
    return empty ? NewCodec()->Compress({}, out) : Status();
  }

 private:
  int level_;
};

class ZstdCodec final : public Codec {
 public:
  explicit ZstdCodec(int level) : context_(ZSTD_createCCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
    // Every reader can take 8 MiB (X5); chunks are smaller anyway.
    ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 0);
  }
  ~ZstdCodec() override { ZSTD_freeCCtx(context_); }
  ZstdCodec(const ZstdCodec&) = delete;
  ZstdCodec& operator=(const ZstdCodec&) = delete;
  Status Compress(Bytes in, Buffer& out) override {
    out.resize(ZSTD_compressBound(in.size()));
    const std::size_t size = ZSTD_compress2(context_, out.data(), out.size(), in.data(), in.size());
    if (ZSTD_isError(size) != 0)
      return Error(Errc::kInternal, std::string("zstd: ") + ZSTD_getErrorName(size));
    out.resize(size);
    return {};
  }

 private:
  ZSTD_CCtx* context_;
};

class ZstdFrame final : public Frame {
 public:
  explicit ZstdFrame(int level) : level_(level) {}
  std::size_t chunk_bytes() const override { return kZstdChunk; }
  std::unique_ptr<Codec> NewCodec() const override { return std::make_unique<ZstdCodec>(level_); }
  Status End(Buffer& out, bool empty) override {
    return empty ? NewCodec()->Compress({}, out) : Status();
  }

 private:
  int level_;
};

struct Job {
  Buffer plain;
  std::size_t used = 0;
  Buffer packed;
  Status result;
  bool done = false;
};

// Cuts into chunks, has them compressed (here, or by workers with an ordered drain), passes them
// on.
class ChunkCompressor final : public ByteSink {
 public:
  ChunkCompressor(ByteSink& next, std::unique_ptr<Frame> frame, int threads)
      : next_(&next), frame_(std::move(frame)), threads_(std::clamp(threads, 1, kMaxThreads)) {}

  ~ChunkCompressor() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      changed_.notify_all();
    }
    for (std::thread& worker : workers_) worker.join();
  }

  Status Write(Bytes bytes) override {
    while (!bytes.empty()) {
      if (hand_ == nullptr) WCLAYER_TRY(TakeJob());
      const std::size_t count = std::min(bytes.size(), hand_->plain.size() - hand_->used);
      std::copy_n(bytes.begin(), count,
                  hand_->plain.begin() + static_cast<std::ptrdiff_t>(hand_->used));
      hand_->used += count;
      bytes = bytes.subspan(count);
      if (hand_->used == hand_->plain.size()) WCLAYER_TRY(Submit());
    }
    return {};
  }

  Status Finish() override {
    const bool empty = !started_;
    if (hand_ != nullptr && hand_->used != 0) WCLAYER_TRY(Submit());
    while (!queue_.empty()) WCLAYER_TRY(PassOldest());
    WCLAYER_TRY(StartOnce());
    Buffer tail;
    WCLAYER_TRY(frame_->End(tail, empty));
    if (!tail.empty()) WCLAYER_TRY(next_->Write(tail));
    return next_->Finish();
  }

 private:
  Status StartOnce() {
    if (started_) return {};
    started_ = true;
    Buffer head;
    frame_->Start(head);
    return head.empty() ? Status() : next_->Write(head);
  }

  // An idle job to fill; with all of them under way, the oldest is passed on first.
  Status TakeJob() {
    const std::size_t most = threads_ == 1 ? 1 : static_cast<std::size_t>(threads_) + 1;
    if (jobs_.size() == most && idle_.empty()) WCLAYER_TRY(PassOldest());
    if (idle_.empty()) {
      jobs_.push_back(std::make_unique<Job>());
      jobs_.back()->plain.resize(frame_->chunk_bytes());
      idle_.push_back(jobs_.back().get());
    }
    hand_ = idle_.back();
    idle_.pop_back();
    hand_->used = 0;
    return {};
  }

  Status Submit() {
    WCLAYER_TRY(StartOnce());
    frame_->Saw(Bytes(hand_->plain).first(hand_->used));
    Job* job = std::exchange(hand_, nullptr);
    job->done = false;
    queue_.push_back(job);
    if (threads_ == 1) {
      if (codec_ == nullptr) codec_ = frame_->NewCodec();
      job->result = codec_->Compress(Bytes(job->plain).first(job->used), job->packed);
      job->done = true;
      return PassOldest();
    }
    if (workers_.size() < static_cast<std::size_t>(threads_))
      workers_.emplace_back([this] { Work(); });
    const std::lock_guard lock(mutex_);
    waiting_.push_back(job);
    changed_.notify_all();
    return {};
  }

  Status PassOldest() {
    Job* job = queue_.front();
    queue_.pop_front();
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return job->done; });
    }
    WCLAYER_TRY(std::move(job->result));
    job->result = {};
    WCLAYER_TRY(next_->Write(job->packed));
    idle_.push_back(job);
    return {};
  }

  void Work() {
    std::unique_ptr<Codec> codec;
    for (;;) {
      Job* job = nullptr;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
        if (stop_) return;
        job = waiting_.front();
        waiting_.pop_front();
      }
      Status result;
      try {
        if (codec == nullptr) codec = frame_->NewCodec();
        result = codec->Compress(Bytes(job->plain).first(job->used), job->packed);
      } catch (const std::bad_alloc&) {
        result = Error(Errc::kInternal, "native allocation failed");
      }
      const std::lock_guard lock(mutex_);
      job->result = std::move(result);
      job->done = true;
      changed_.notify_all();
    }
  }

  ByteSink* next_;
  std::unique_ptr<Frame> frame_;
  int threads_;
  std::unique_ptr<Codec> codec_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<Job*> idle_;
  Job* hand_ = nullptr;
  std::deque<Job*> queue_;  // submitted, oldest first
  bool started_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job*> waiting_;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

class Passing final : public ByteSink {
 public:
  explicit Passing(ByteSink& next) : next_(&next) {}
  Status Write(Bytes bytes) override { return next_->Write(bytes); }
  Status Finish() override { return next_->Finish(); }

 private:
  ByteSink* next_;
};

}  // namespace

std::unique_ptr<ByteSink> MakeCompressor(ByteSink& next, CompressOptions options) {
  std::unique_ptr<Frame> frame;
  switch (options.kind) {
    case Compression::kNone:
      return std::make_unique<Passing>(next);
    case Compression::kGzip:
      if (options.level <= 1) {
        frame = std::make_unique<GzipFrame>();
      } else {
        frame = std::make_unique<SmallGzipFrame>(std::min(options.level, 12));
      }
      break;
    case Compression::kZstd:
      frame =
          std::make_unique<ZstdFrame>(options.level == 0 ? 3 : std::clamp(options.level, 1, 19));
      break;
  }
  return std::make_unique<ChunkCompressor>(next, std::move(frame), options.threads);
}

}  // namespace wclayer::io
