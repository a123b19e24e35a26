// zstd by libzstd: frames and skippable frames one after another, then nothing but zeros.
#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_getFrameHeader
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <new>
#include <string>

#include "io/unpacker.h"
#include "io/zeros.h"

namespace wclayer::io {
namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::uint32_t kLeastWindowLog = 10;  // the format's smallest window (RFC 8878 §3.1.1.1.2)
constexpr std::uint32_t kMostWindowLog = 27;   // X5: 128 MiB

class ZstdUnpacker final : public Unpacker {
 public:
  ZstdUnpacker(UnpackedOutput& output, std::uint32_t max_window_log)
      : output_(&output),
        context_(ZSTD_createDCtx()),
        window_log_(std::clamp(max_window_log, kLeastWindowLog, kMostWindowLog)) {
    if (context_ == nullptr) throw std::bad_alloc();
    // In zstd's range, so that it cannot fail.
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, static_cast<int>(window_log_));
  }
  ~ZstdUnpacker() override { ZSTD_freeDCtx(context_); }
  ZstdUnpacker(const ZstdUnpacker&) = delete;
  ZstdUnpacker& operator=(const ZstdUnpacker&) = delete;

  Status Write(Bytes in) override {
    while (!in.empty()) {
      if (in_frame_) {
        WCLAYER_ASSIGN(const std::size_t used, Decode(in));
        in = in.subspan(used);
      } else if (head_size_ != 0 ||
                 (!padded_ && in[0] != std::byte{0})) {  // no magic begins with 0
        WCLAYER_TRY(TakeHeader(in));
      } else {
        const std::size_t zeros = LeadingZeros(in);
        output_->Consumed(zeros);
        padded_ = true;
        in = in.subspan(zeros);
        if (!in.empty())
          return output_->Bad("zstd", "bytes that are no zstd frame behind the compressed data");
      }
    }
    return {};
  }

  Status CheckEnd() override {
    if (!in_frame_ && head_size_ == 0) return {};
    return output_->Bad("zstd", "the stream ends in the middle of a frame,");
  }

 private:
  // Takes from `in` what is missing of the next frame's header, and decodes it when it is whole.
  // ZSTD_decompressStream must see a header in one piece: having loaded half of one, it takes the
  // rest of the input for the start of a frame (1.5.4). And it would also take frames from before
  // RFC 8878, whose decoders know no window limit.
  Status TakeHeader(Bytes& in) {
    for (;;) {
      const std::size_t count = std::min(in.size(), head_wanted_ - head_size_);
      std::copy_n(in.begin(), count, head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
      head_size_ += count;
      in = in.subspan(count);
      if (head_size_ < head_wanted_) return {};
      if (Recognise(head_) != Compression::kZstd)
        return output_->Bad("zstd", "bytes that are no zstd frame behind the compressed data");
      ZSTD_frameHeader header;
      const std::size_t wanted = ZSTD_getFrameHeader(&header, head_.data(), head_size_);
      if (ZSTD_isError(wanted) != 0) return ErrorOf(wanted);
      if (wanted == 0) return Begin(header);
      head_wanted_ = std::clamp(wanted, head_size_ + 1, head_.size());
    }
  }

  Status Begin(const ZSTD_frameHeader& header) {
    if (header.windowSize > 1ull << window_log_) return WindowError();
    const Bytes head = Bytes(head_).first(head_size_);
    head_size_ = 0;
    head_wanted_ = kMagicBytes;
    in_frame_ = true;
    WCLAYER_TRY(Decode(head));
    return {};
  }

  // Passes on what `in` gives; returns how much of it was used: all, or up to the frame's end.
  Expected<std::size_t> Decode(Bytes in) {
    ZSTD_inBuffer source{in.data(), in.size(), 0};
    for (;;) {
      WCLAYER_ASSIGN(const MutableBytes room, output_->Room());
      ZSTD_outBuffer out{room.data(), room.size(), 0};
      const std::size_t before = source.pos;
      const std::size_t hint = ZSTD_decompressStream(context_, &out, &source);
      output_->Consumed(source.pos - before);
      if (ZSTD_isError(hint) != 0) return ErrorOf(hint);
      WCLAYER_TRY(output_->Filled(out.pos));
      in_frame_ = hint != 0;
      // With a full slab the decoder may hold more of what it has read.
      if (!in_frame_ || (source.pos == source.size && out.pos < out.size)) return source.pos;
    }
  }

  Error WindowError() const {
    return Error(Errc::kLimitExceeded,
                 "zstd: a frame needs a window of over 2^" + std::to_string(window_log_) +
                     " bytes (limit zstdWindowLog = " + std::to_string(window_log_) +
                     "; the option can be raised to " + std::to_string(kMostWindowLog) + ")");
  }

  Error ErrorOf(std::size_t code) const {
    switch (ZSTD_getErrorCode(code)) {
      case ZSTD_error_frameParameter_windowTooLarge:
        return WindowError();
      case ZSTD_error_memory_allocation:
        throw std::bad_alloc();
      default:
        return output_->Bad("zstd", ZSTD_getErrorName(code));
    }
  }

  UnpackedOutput* output_;
  ZSTD_DCtx* context_;
  std::uint32_t window_log_;
  std::array<std::byte, ZSTD_FRAMEHEADERSIZE_MAX> head_{};  // a header that is not complete yet
  std::size_t head_size_ = 0;
  std::size_t head_wanted_ = kMagicBytes;
  bool in_frame_ = false;
  bool padded_ = false;  // nothing but zeros may follow
};

}  // namespace

std::unique_ptr<Unpacker> MakeZstdUnpacker(UnpackedOutput& output, std::uint32_t max_window_log) {
  return std::make_unique<ZstdUnpacker>(output, max_window_log);
}

}  // namespace wclayer::io
