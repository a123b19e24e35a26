// gzip by ISA-L, zstd by libzstd, recognised from the first bytes.
#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/limits.h"
#include "io/compression.h"

namespace wclayer::io {
namespace {

constexpr std::size_t kSlabBytes = 256u << 10;
constexpr std::uint64_t kRatioFrom = 64u << 20;

bool IsGzip(Bytes head) {
  return head.size() >= 2 && head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b};
}

bool IsZstdFrame(Bytes head) {
  if (head.size() < 4) return false;
  const auto magic = LoadLe<std::uint32_t>(head.data());
  return magic == ZSTD_MAGICNUMBER ||
         (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

const char* InflateProblem(int code) {
  switch (code) {
    case ISAL_INVALID_BLOCK:
      return "an invalid block";
    case ISAL_INVALID_SYMBOL:
      return "an invalid symbol";
    case ISAL_INVALID_LOOKBACK:
      return "a reference before the beginning";
    case ISAL_INVALID_WRAPPER:
      return "an invalid header";
    case ISAL_UNSUPPORTED_METHOD:
      return "an unknown compression method";
    case ISAL_INCORRECT_CHECKSUM:
      return "a wrong checksum (CRC) or length";
    default:
      return "an error";
  }
}

}  // namespace

Compression Recognise(Bytes head) {
  if (IsGzip(head)) return Compression::kGzip;
  if (IsZstdFrame(head)) return Compression::kZstd;
  return Compression::kNone;
}

struct Decompressor::State {
  State(ByteSink& sink, DecompressOptions given) : next(&sink), options(given) {}

  Status Pass(Bytes out) {
    if (out.empty()) return {};
    produced += out.size();
    if (produced > options.max_output_bytes)
      return LimitError("max_output_bytes", options.max_output_bytes, produced);
    if (produced > kRatioFrom && produced / options.max_ratio > consumed) {
      return Error(Errc::kLimitExceeded,
                   "the stream inflates to more than " + std::to_string(options.max_ratio) +
                       " times its size (limit max_ratio); it looks like a bomb");
    }
    return next->Write(out);
  }

  Error Bad(const char* format, const std::string& what) const {
    return Error(Errc::kBadArchive, std::string(format) + ": " + what + " near input byte " +
                                        std::to_string(consumed));
  }

  // ---- gzip: members one after another, then nothing but zeros ----

  void StartMember() {
    isal_inflate_init(&inflate);
    inflate.crc_flag = ISAL_GZIP;
    in_member = true;
  }

  Status Gzip(Bytes in) {
    while (!in.empty()) {
      if (!in_member) {
        WCLAYER_ASSIGN(const bool another, NextMember(in));
        if (!another) continue;
      }
      const auto piece = static_cast<std::uint32_t>(std::min<std::size_t>(in.size(), 1u << 30));
      inflate.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(in.data()));
      inflate.avail_in = piece;
      WCLAYER_TRY(Inflate());
      const std::size_t used = piece - inflate.avail_in;
      in = in.subspan(used);
    }
    return {};
  }

  Status Inflate() {
    for (;;) {
      inflate.next_out = reinterpret_cast<std::uint8_t*>(slab.data());
      inflate.avail_out = static_cast<std::uint32_t>(slab.size());
      const std::uint32_t before = inflate.avail_in;
      const int code = isal_inflate(&inflate);
      consumed += before - inflate.avail_in;
      if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT)
        return Bad("gzip", InflateProblem(code));
      const std::size_t count = slab.size() - inflate.avail_out;
      WCLAYER_TRY(Pass(Bytes(slab).first(count)));
      if (inflate.block_state == ISAL_BLOCK_FINISH) {
        in_member = false;
        return {};
      }
      if (inflate.avail_in == 0 && inflate.avail_out != 0) return {};
    }
  }

  // Behind a member: another one, or zero padding. Takes what it looks at; false: look again.
  Expected<bool> NextMember(Bytes& in) {
    if (behind == 0 && in[0] == std::byte{0x1f}) {
      StartMember();
      return true;
    }
    // Zeros to a block's end are written by tape programs and do no harm.
    const auto other =
        std::find_if(in.begin(), in.end(), [](std::byte byte) { return byte != std::byte{0}; });
    const auto zeros = static_cast<std::size_t>(other - in.begin());
    behind += zeros;
    consumed += zeros;
    in = in.subspan(zeros);
    if (!in.empty()) return Bad("gzip", "bytes that are no gzip member follow the compressed data");
    return false;
  }

  // ---- zstd: frames and skippable frames one after another ----

  Status StartZstd() {
    zstd = ZSTD_createDCtx();
    if (zstd == nullptr) throw std::bad_alloc();
    const std::uint32_t log = std::min(options.max_zstd_window_log, 27u);
    ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, static_cast<int>(log));
    return {};
  }

  Status Zstd(Bytes in) {
    while (!in.empty()) {
      if (frame_ended) {
        const auto other =
            std::find_if(in.begin(), in.end(), [](std::byte byte) { return byte != std::byte{0}; });
        if (other != in.begin()) {
          const auto zeros = static_cast<std::size_t>(other - in.begin());
          behind += zeros;
          consumed += zeros;
          in = in.subspan(zeros);
          continue;
        }
        if (behind != 0)
          return Bad("zstd", "bytes that are no zstd frame follow the compressed data");
      }
      ZSTD_inBuffer source{in.data(), in.size(), 0};
      ZSTD_outBuffer out{slab.data(), slab.size(), 0};
      const std::size_t code = ZSTD_decompressStream(zstd, &out, &source);
      consumed += source.pos;
      if (ZSTD_isError(code) != 0) return ZstdError(code);
      frame_ended = code == 0;
      in = in.subspan(source.pos);
      WCLAYER_TRY(Pass(Bytes(slab).first(out.pos)));
      // A full slab: the decoder may hold more of what it has read.
      while (out.pos == slab.size() && !frame_ended) {
        ZSTD_inBuffer none{nullptr, 0, 0};
        out.pos = 0;
        const std::size_t more = ZSTD_decompressStream(zstd, &out, &none);
        if (ZSTD_isError(more) != 0) return ZstdError(more);
        frame_ended = more == 0;
        WCLAYER_TRY(Pass(Bytes(slab).first(out.pos)));
      }
    }
    return {};
  }

  Error ZstdError(std::size_t code) const {
    const std::string what = ZSTD_getErrorName(code);
    if (what.find("too much memory") != std::string::npos) {
      return Error(Errc::kLimitExceeded, "zstd: the frame needs a window over 2^" +
                                             std::to_string(options.max_zstd_window_log) +
                                             " bytes; option zstdWindowLog allows up to 27");
    }
    return Bad("zstd", what);
  }

  ByteSink* next;
  DecompressOptions options;
  Compression kind = Compression::kNone;
  bool recognised = false;
  Buffer head;
  Buffer slab;
  std::uint64_t consumed = 0;
  std::uint64_t produced = 0;
  std::uint64_t behind = 0;  // zero bytes seen behind the compressed data
  inflate_state inflate{};
  bool in_member = false;
  ZSTD_DCtx* zstd = nullptr;
  bool frame_ended = false;
};

Decompressor::Decompressor(ByteSink& next, DecompressOptions options)
    : state_(std::make_unique<State>(next, options)) {}

Decompressor::~Decompressor() {
  ZSTD_freeDCtx(state_->zstd);
}

Compression Decompressor::kind() const {
  return state_->kind;
}

Status Decompressor::Write(Bytes bytes) {
  State& state = *state_;
  if (!state.recognised) {
    // Four bytes decide; they may come one by one.
    Buffer joined;
    if (!state.head.empty() || bytes.size() < 4) {
      Append(state.head, bytes);
      if (state.head.size() < 4) return {};
      joined = std::move(state.head);
      state.head = {};
      bytes = joined;
    }
    state.recognised = true;
    state.kind = Recognise(bytes);
    if (state.kind != Compression::kNone) state.slab.resize(kSlabBytes);
    if (state.kind == Compression::kGzip) state.StartMember();
    if (state.kind == Compression::kZstd) WCLAYER_TRY(state.StartZstd());
    return Write(bytes);
  }
  switch (state.kind) {
    case Compression::kGzip:
      return state.Gzip(bytes);
    case Compression::kZstd:
      return state.Zstd(bytes);
    case Compression::kNone:
      state.consumed += bytes.size();
      return state.next->Write(bytes);
  }
  return {};
}

Status Decompressor::Finish() {
  State& state = *state_;
  if (!state.recognised) {
    if (IsGzip(state.head)) return state.Bad("gzip", "the stream ends in its header");
    state.recognised = true;
    if (!state.head.empty()) WCLAYER_TRY(state.next->Write(state.head));
  }
  if (state.kind == Compression::kGzip && state.in_member) {
    return state.Bad("gzip", "the stream ends in the middle of a member");
  }
  if (state.kind == Compression::kZstd && !state.frame_ended) {
    return state.Bad("zstd", "the stream ends in the middle of a frame");
  }
  return state.next->Finish();
}

}  // namespace wclayer::io
