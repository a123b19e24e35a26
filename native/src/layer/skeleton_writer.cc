#include <zstd.h>

#include <algorithm>

#include "base/limits.h"
#include "fs/dir.h"
#include "io/digest.h"
#include "layer/skeleton.h"
#include "layer/skeleton_format.h"

namespace wclayer::layer {

struct SkeletonWriter::State {
  struct Moved {
    std::uint64_t payload = 0;
    std::uint64_t offset = 0;
  };

  ~State() { ZSTD_freeCCtx(zstd); }

  Status Open(const std::string& path) {
    WCLAYER_ASSIGN(folder, fs::Dir::OpenAbsolute(path));
    WCLAYER_ASSIGN(file, folder.CreateFile(skeleton::kFile));
    zstd = ZSTD_createCCtx();
    if (zstd == nullptr) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, skeleton::kLevel);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, skeleton::kWindowLog);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    packed.resize(ZSTD_CStreamOutSize());
    written = skeleton::kHeaderBytes;
    return {};
  }

  Status Compress(Bytes bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{packed.data(), packed.size(), 0};
      const std::size_t left = ZSTD_compressStream2(zstd, &out, &in, directive);
      if (ZSTD_isError(left) != 0)
        return Error(Errc::kInternal, std::string("zstd: ") + ZSTD_getErrorName(left));
      WCLAYER_TRY(fs::WriteAt(file.get(), Bytes(packed).first(out.pos), written));
      written += out.pos;
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  Status Emit(const Buffer& operation) { return Compress(operation, ZSTD_e_continue); }

  Status WriteExtra(Bytes bytes) {
    if (!extra) {
      WCLAYER_ASSIGN(extra, folder.CreateFile(skeleton::kExtraFile));
    }
    if (bytes.size() > kMaxExtraBytes - std::min(extra_size, kMaxExtraBytes)) {
      return LimitError("kMaxExtraBytes", kMaxExtraBytes, extra_size + bytes.size());
    }
    WCLAYER_TRY(fs::WriteAt(extra.get(), bytes, extra_size));
    extra_size += bytes.size();
    return {};
  }

  fs::Dir folder;
  fs::UniqueFd file;
  fs::UniqueFd extra;
  std::uint64_t extra_size = 0;
  std::uint64_t written = 0;
  ZSTD_CCtx* zstd = nullptr;
  Buffer packed;
  Buffer op;

  bool in_extra = false;
  std::uint64_t ordinal = 0;
  std::uint32_t stream = 0;
  std::uint64_t size = 0;
  std::uint64_t begin = 0;  // in "extra"
  io::StreamChecksum checksum;
  // Every payload so far: ordinal << 16 | stream, ascending for stored ones (kNotStored otherwise).
  std::vector<std::uint64_t> payloads;
  std::vector<Moved> moved;
};

namespace {

std::uint64_t Tag(std::uint64_t ordinal, std::uint32_t stream) {
  return ordinal << 16 | (stream & 0xFFFF);
}

}  // namespace

SkeletonWriter::SkeletonWriter() : state_(std::make_unique<State>()) {}
SkeletonWriter::~SkeletonWriter() = default;

Expected<std::unique_ptr<SkeletonWriter>> SkeletonWriter::Create(const std::string& folder) {
  std::unique_ptr<SkeletonWriter> writer(new SkeletonWriter);
  WCLAYER_TRY(writer->state_->Open(folder));
  return writer;
}

Status SkeletonWriter::Raw(Bytes bytes) {
  State& state = *state_;
  state.op.clear();
  state.op.push_back(std::byte{skeleton::kRaw});
  skeleton::AppendNumber(state.op, bytes.size());
  WCLAYER_TRY(state.Emit(state.op));
  return state.Compress(bytes, ZSTD_e_continue);
}

Status SkeletonWriter::BeginStored(std::uint64_t ordinal, std::uint32_t stream) {
  State& state = *state_;
  state.in_extra = false;
  state.ordinal = ordinal;
  state.stream = stream;
  state.size = 0;
  state.checksum.Reset();
  return {};
}

Status SkeletonWriter::BeginExtra() {
  State& state = *state_;
  state.in_extra = true;
  state.begin = state.extra_size;
  state.size = 0;
  state.checksum.Reset();
  return {};
}

Status SkeletonWriter::Payload(Bytes bytes) {
  State& state = *state_;
  state.checksum.Update(bytes);
  state.size += bytes.size();
  return state.in_extra ? state.WriteExtra(bytes) : Status();
}

Status SkeletonWriter::EndPayload() {
  State& state = *state_;
  state.op.clear();
  if (state.in_extra) {
    state.op.push_back(std::byte{skeleton::kExtra});
    skeleton::AppendNumber(state.op, state.begin);
    // Keeps the list ascending; no stored payload has this tag.
    state.payloads.push_back(state.payloads.empty() ? 0 : state.payloads.back() | 0xFFFF);
  } else {
    state.op.push_back(std::byte{skeleton::kStored});
    skeleton::AppendNumber(state.op, state.ordinal);
    skeleton::AppendNumber(state.op, state.stream);
    state.payloads.push_back(Tag(state.ordinal, state.stream));
  }
  skeleton::AppendNumber(state.op, state.size);
  AppendLe(state.op, state.checksum.Value());
  return state.Emit(state.op);
}

Status SkeletonWriter::MoveToExtra(std::uint64_t ordinal, ItemSink& read) {
  State& state = *state_;
  auto at = std::lower_bound(state.payloads.begin(), state.payloads.end(), Tag(ordinal, 0));
  for (; at != state.payloads.end() && *at >> 16 == ordinal; ++at) {
    const auto stream = static_cast<std::uint32_t>(*at & 0xFFFF);
    if (stream == 0xFFFF) continue;  // an extra payload between
    state.moved.push_back(
        {static_cast<std::uint64_t>(at - state.payloads.begin()), state.extra_size});
    Buffer chunk(65536);
    for (std::uint64_t offset = 0;;) {
      WCLAYER_ASSIGN(const std::size_t count, read.ReadBack(ordinal, stream, offset, chunk));
      if (count == 0) break;
      WCLAYER_TRY(state.WriteExtra(Bytes(chunk).first(count)));
      offset += count;
    }
  }
  return {};
}

Status SkeletonWriter::Finish() {
  State& state = *state_;
  state.op.assign(1, std::byte{skeleton::kEnd});
  WCLAYER_TRY(state.Compress(state.op, ZSTD_e_end));
  Buffer moved;
  for (const State::Moved& each : state.moved) {
    skeleton::AppendNumber(moved, each.payload);
    skeleton::AppendNumber(moved, each.offset);
  }
  const std::uint64_t moved_at = state.written;
  WCLAYER_TRY(fs::WriteAt(state.file.get(), moved, moved_at));
  Buffer header;
  Append(header, std::as_bytes(std::span(skeleton::kMagic)));
  AppendLe(header, moved_at);
  AppendLe(header, static_cast<std::uint64_t>(moved.size()));
  AppendLe(header, io::Checksum(moved));
  header.resize(skeleton::kHeaderBytes);
  return fs::WriteAt(state.file.get(), header, 0);
}

}  // namespace wclayer::layer
