// Recognises a stream by its first bytes and sends it through the unpacker of its format.
#include <algorithm>
#include <optional>
#include <string>

#include "base/limits.h"
#include "io/unpacker.h"

namespace wclayer::io {
namespace {

constexpr std::size_t kSlabBytes = 256u << 10;
constexpr std::size_t kHeadBytes = 4;                  // decide what the stream is
constexpr std::uint64_t kRatioFrom = 64u << 20;        // small streams may be as dense as they like
constexpr std::uint32_t kZstdMagic = 0xFD2FB528;       // RFC 8878 §3.1.1
constexpr std::uint32_t kSkippableMagic = 0x184D2A50;  // …0 to …F, §3.1.2
constexpr std::uint32_t kSkippableMask = 0xFFFFFFF0;

bool IsGzip(Bytes head) {
  return head.size() >= 2 && head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b};
}

bool IsZstd(Bytes head) {
  if (head.size() < kHeadBytes) return false;
  const auto magic = LoadLe<std::uint32_t>(head.data());
  return magic == kZstdMagic || (magic & kSkippableMask) == kSkippableMagic;
}

}  // namespace

Compression Recognise(Bytes head) {
  if (IsGzip(head)) return Compression::kGzip;
  if (IsZstd(head)) return Compression::kZstd;
  return Compression::kNone;
}

Expected<MutableBytes> UnpackedOutput::NextRoom() {
  in_slab_ = false;
  return next_->Room();
}

Expected<MutableBytes> UnpackedOutput::Room() {
  WCLAYER_ASSIGN(const MutableBytes room, NextRoom());
  if (!room.empty()) return room;
  in_slab_ = true;
  if (slab_.empty()) slab_ = PageBuffer(kSlabBytes);
  return MutableBytes(slab_);
}

Status UnpackedOutput::Filled(std::size_t bytes) {
  if (bytes == 0) return {};
  if (in_slab_) return Pass(Bytes(slab_).first(bytes));
  WCLAYER_TRY(Count(bytes));
  return next_->Filled(bytes);
}

Status UnpackedOutput::Pass(Bytes bytes) {
  if (bytes.empty()) return {};
  WCLAYER_TRY(Count(bytes.size()));
  return next_->Write(bytes);
}

Status UnpackedOutput::Count(std::uint64_t bytes) {
  produced_ += bytes;
  if (produced_ > options_.max_output_bytes)
    return LimitError("max_output_bytes", options_.max_output_bytes, produced_);
  const std::uint64_t ratio = std::max<std::uint64_t>(options_.max_ratio, 1);
  if (produced_ > kRatioFrom && produced_ / ratio > consumed_) {
    return Error(Errc::kLimitExceeded, std::to_string(consumed_) + " bytes of input make " +
                                           std::to_string(produced_) +
                                           ": over the limit max_ratio = " + std::to_string(ratio));
  }
  return {};
}

Error UnpackedOutput::Bad(const char* format, const std::string& what) const {
  return Error(Errc::kBadArchive,
               std::string(format) + ": " + what + " near input byte " + std::to_string(consumed_));
}

struct Decompressor::State {
  State(ByteSink& sink, const DecompressOptions& given)
      : next(&sink), options(given), output(sink, given) {}

  Status Take(Bytes bytes) {
    if (recognised) return Unpack(bytes);
    if (head.empty() && bytes.size() >= kHeadBytes) return Start(bytes);
    Append(head, bytes);  // the first bytes may come one by one
    return head.size() < kHeadBytes ? Status() : Start(head);
  }

  // `bytes` begin the stream.
  Status Start(Bytes bytes) {
    recognised = true;
    kind = Recognise(bytes);
    if (kind == Compression::kGzip) unpacker = MakeGzipUnpacker(output);
    if (kind == Compression::kZstd)
      unpacker = MakeZstdUnpacker(output, options.max_zstd_window_log);
    return Unpack(bytes);
  }

  Status Unpack(Bytes bytes) {
    if (unpacker != nullptr) return unpacker->Write(bytes);
    output.Consumed(bytes.size());
    return output.Pass(bytes);
  }

  Status Complete() {
    if (!recognised) WCLAYER_TRY(Start(head));  // shorter than any head
    if (unpacker != nullptr) WCLAYER_TRY(unpacker->CheckEnd());
    return next->Finish();
  }

  // A failure is final: the unpackers' state is of no use any more.
  Status Noting(Status status) {
    if (!status) failure = status.error();
    return status;
  }

  ByteSink* next;
  DecompressOptions options;
  UnpackedOutput output;
  Compression kind = Compression::kNone;
  bool recognised = false;
  Buffer head;
  std::unique_ptr<Unpacker> unpacker;
  std::optional<Error> failure;
};

Decompressor::Decompressor(ByteSink& next, DecompressOptions options)
    : state_(std::make_unique<State>(next, options)) {}

Decompressor::~Decompressor() = default;

Compression Decompressor::kind() const {
  return state_->kind;
}

Status Decompressor::Write(Bytes bytes) {
  if (state_->failure) return *state_->failure;
  return state_->Noting(state_->Take(bytes));
}

// A plain stream only passes through.
Expected<MutableBytes> Decompressor::Room() {
  State& state = *state_;
  if (state.failure) return *state.failure;
  if (!state.recognised || state.unpacker != nullptr) return MutableBytes();
  auto room = state.output.NextRoom();
  if (!room) state.failure = room.error();
  return room;
}

Status Decompressor::Filled(std::size_t bytes) {
  if (state_->failure) return *state_->failure;
  state_->output.Consumed(bytes);
  return state_->Noting(state_->output.Filled(bytes));
}

Status Decompressor::Finish() {
  if (state_->failure) return *state_->failure;
  return state_->Noting(state_->Complete());
}

}  // namespace wclayer::io
