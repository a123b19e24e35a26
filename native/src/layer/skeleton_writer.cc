#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <new>
#include <unordered_map>
#include <unordered_set>

#include "base/limits.h"
#include "fs/dir.h"
#include "io/digest.h"
#include "layer/skeleton.h"
#include "layer/skeleton_format.h"

namespace wclayer::layer {
namespace {

constexpr std::size_t kExtraBuffer = 64u << 10;
constexpr std::size_t kFirstBlock = 32u << 10;  // grows
constexpr std::size_t kRawHeadBytes = 5;        // RAW, u32 size
constexpr std::size_t kMaxSmallOp = 64;         // every other operation is shorter
constexpr std::size_t kFrameBytes = 64;     // beyond the bound: of a frame's beginning and a flush
constexpr std::size_t kLeastRawPiece = 64;  // no smaller piece at a block's end

}  // namespace

struct SkeletonWriter::State {
  ~State() { ZSTD_freeCCtx(zstd); }

  void MakePacker();
  Status FlushBlock();
  Status PackBlock(Bytes plain);
  Status MakeRoom(std::size_t bytes);
  Status WriteFile(Bytes bytes);
  Status FlushStart();
  Status WriteExtra(Bytes bytes);
  Status FlushExtra();
  Status AppendStored(std::uint64_t of, std::uint32_t number, std::uint64_t bytes,
                      std::uint64_t sum);
  void KeepRanges(std::span<const tar::SparseRange> ranges);
  Status MoveStream(std::uint32_t stream, ItemSink& read);
  Status MoveRange(std::uint32_t stream, std::uint64_t from, std::uint64_t size, ItemSink& read);

  fs::Dir folder;
  fs::UniqueFd file;
  std::uint64_t written = skeleton::kHeaderBytes;
  Buffer start;  // the header's room and the first block, until there is more: most have only these
  ZSTD_CCtx* zstd = nullptr;
  Buffer packed;
  Buffer block;            // plain operations
  std::size_t raw_at = 0;  // of the size of the RAW operation being built; 0: none

  fs::UniqueFd extra;
  Buffer extra_tail;             // what is not written yet
  std::uint64_t extra_size = 0;  // with the tail

  std::uint64_t entries = 0;
  std::uint64_t payloads = 0;
  bool in_extra = false;
  bool files_only = false;
  std::unordered_set<std::uint64_t> sparse_in_extra;  // ordinals whose main data is not stored
  std::uint64_t ordinal = 0;
  std::uint32_t stream = 0;
  std::uint64_t size = 0;
  std::uint64_t begin = 0;  // in "extra"
  io::StreamChecksum checksum;

  std::vector<skeleton::Move> moves;
  // What MoveToExtra has to know beyond the main data: seldom anything.
  std::unordered_map<std::uint64_t, std::uint32_t> alternates;  // ordinal → its last stream
  std::unordered_map<std::uint64_t, std::vector<tar::SparseRange>> sparse;
  std::size_t ranges_kept = 0;
  std::uint64_t moving = 0;  // the entry being moved
  Buffer chunk;
};

void SkeletonWriter::State::MakePacker() {
  zstd = ZSTD_createCCtx();
  if (zstd == nullptr) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, skeleton::kLevel);
  ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, skeleton::kWindowLog);
}

Status SkeletonWriter::State::WriteFile(Bytes bytes) {
  if (bytes.empty()) return {};
  if (written == skeleton::kHeaderBytes) {
    start.resize(skeleton::kHeaderBytes);
    Append(start, bytes);
  } else {
    WCLAYER_TRY(FlushStart());
    WCLAYER_TRY(fs::WriteAt(file.get(), bytes, written));
  }
  written += bytes.size();
  return {};
}

Status SkeletonWriter::State::FlushStart() {
  if (start.empty()) return {};
  if (!file) {
    WCLAYER_ASSIGN(file, folder.CreateFile(skeleton::kFile));
  }
  WCLAYER_TRY(fs::WriteAt(file.get(), start, 0));
  Buffer().swap(start);
  return {};
}

Status SkeletonWriter::State::FlushBlock() {
  raw_at = 0;
  if (block.empty()) return {};
  WCLAYER_TRY(PackBlock(block));
  block.clear();
  return {};
}

Status SkeletonWriter::State::PackBlock(Bytes plain) {
  if (zstd == nullptr) MakePacker();
  // As much room as this block may need: most layers are small, and touching fresh memory is most
  // of what a small one costs.
  packed.resize(std::max(
      packed.size(), skeleton::kBlockHeaderBytes + kFrameBytes + ZSTD_compressBound(plain.size())));
  ZSTD_inBuffer in{plain.data(), plain.size(), 0};
  ZSTD_outBuffer out{packed.data(), packed.size(), skeleton::kBlockHeaderBytes};
  const std::size_t left = ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_flush);
  if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) throw std::bad_alloc();
  if (ZSTD_isError(left) != 0 || left != 0 || in.pos != in.size) {
    return Error(Errc::kInternal, "the skeleton's block does not fit its buffer");
  }
  StoreLe(packed.data(), static_cast<std::uint32_t>(plain.size()));
  StoreLe(packed.data() + 4, static_cast<std::uint32_t>(out.pos - skeleton::kBlockHeaderBytes));
  StoreLe(packed.data() + 8,
          io::Checksum(Bytes(packed).first(out.pos).subspan(skeleton::kBlockHeaderBytes)));
  return WriteFile(Bytes(packed).first(out.pos));
}

// Room for an operation of `bytes` bytes, which also ends the RAW one being built.
Status SkeletonWriter::State::MakeRoom(std::size_t bytes) {
  raw_at = 0;
  return block.size() + bytes <= skeleton::kMaxBlockBytes ? Status() : FlushBlock();
}

Status SkeletonWriter::State::WriteExtra(Bytes bytes) {
  if (bytes.size() > kMaxExtraBytes - extra_size) {
    return LimitError("kMaxExtraBytes", kMaxExtraBytes, extra_size + bytes.size());
  }
  if (!extra) {
    WCLAYER_ASSIGN(extra, folder.CreateFile(skeleton::kExtraFile));
  }
  extra_size += bytes.size();
  Append(extra_tail, bytes);
  return extra_tail.size() < kExtraBuffer ? Status() : FlushExtra();
}

Status SkeletonWriter::State::FlushExtra() {
  if (extra_tail.empty()) return {};
  WCLAYER_TRY(fs::WriteAt(extra.get(), extra_tail, extra_size - extra_tail.size()));
  extra_tail.clear();
  return {};
}

Status SkeletonWriter::State::AppendStored(std::uint64_t of, std::uint32_t number,
                                           std::uint64_t bytes, std::uint64_t sum) {
  WCLAYER_TRY(MakeRoom(kMaxSmallOp));
  block.push_back(std::byte{skeleton::kStored});
  skeleton::AppendNumber(block, of);
  skeleton::AppendNumber(block, number);
  skeleton::AppendNumber(block, bytes);
  AppendLe(block, sum);
  ++payloads;
  return {};
}

// The payload of a sparse file is its ranges one after another, not what the file reads as.
void SkeletonWriter::State::KeepRanges(std::span<const tar::SparseRange> ranges) {
  const bool fits = ranges.size() <= kMaxSparseRanges - ranges_kept;
  auto& kept = sparse[ordinal];
  kept.clear();
  if (!fits) return;  // MoveToExtra will say so, should it come to that
  kept.assign(ranges.begin(), ranges.end());
  ranges_kept += ranges.size();
}

Status SkeletonWriter::State::MoveRange(std::uint32_t number, std::uint64_t from,
                                        std::uint64_t bytes, ItemSink& read) {
  chunk.resize(kExtraBuffer);
  while (bytes != 0) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, chunk.size()));
    WCLAYER_ASSIGN(const std::size_t count,
                   read.ReadBack(moving, number, from, MutableBytes(chunk).first(most)));
    if (count == 0) return {};  // its end
    WCLAYER_TRY(WriteExtra(Bytes(chunk).first(count)));
    from += count;
    bytes -= count;
  }
  return {};
}

Status SkeletonWriter::State::MoveStream(std::uint32_t number, ItemSink& read) {
  const std::uint64_t at = extra_size;
  const auto ranges = number == 0 ? sparse.find(moving) : sparse.end();
  if (ranges == sparse.end()) {
    WCLAYER_TRY(MoveRange(number, 0, kMaxFileBytes, read));
  } else if (ranges->second.empty()) {
    return LimitError("kMaxSparseRanges", kMaxSparseRanges, kMaxSparseRanges + 1);
  } else {
    for (const tar::SparseRange& range : ranges->second) {
      WCLAYER_TRY(MoveRange(number, range.offset, range.size, read));
    }
  }
  if (extra_size == at) return {};  // no such payload
  if (moves.size() == skeleton::kMaxMovedPayloads) {
    return LimitError("kMaxMovedPayloads", skeleton::kMaxMovedPayloads, moves.size() + 1);
  }
  moves.push_back({moving, number, payloads, at});
  return {};
}

SkeletonWriter::SkeletonWriter(fs::Dir folder, Kept kept) : state_(std::make_unique<State>()) {
  state_->folder = std::move(folder);
  state_->files_only = kept == Kept::kFilesOnly;
  state_->block.reserve(kFirstBlock);
}
SkeletonWriter::~SkeletonWriter() = default;

Status SkeletonWriter::Raw(Bytes bytes) {
  State& state = *state_;
  while (!bytes.empty()) {
    if (state.raw_at == 0) {
      if (state.block.size() + kRawHeadBytes + kLeastRawPiece > skeleton::kMaxBlockBytes) {
        WCLAYER_TRY(state.FlushBlock());
      }
      state.block.push_back(std::byte{skeleton::kRaw});
      state.raw_at = state.block.size();
      AppendLe(state.block, std::uint32_t{0});
    }
    const std::size_t size = std::min(bytes.size(), skeleton::kMaxBlockBytes - state.block.size());
    Append(state.block, bytes.first(size));
    bytes = bytes.subspan(size);
    StoreLe(state.block.data() + state.raw_at,
            static_cast<std::uint32_t>(state.block.size() - state.raw_at - sizeof(std::uint32_t)));
    if (state.block.size() == skeleton::kMaxBlockBytes) WCLAYER_TRY(state.FlushBlock());
  }
  return {};
}

Status SkeletonWriter::CountEntry() {
  State& state = *state_;
  ++state.entries;
  WCLAYER_TRY(state.MakeRoom(kMaxSmallOp));
  state.block.push_back(std::byte{skeleton::kEntry});
  return {};
}

Status SkeletonWriter::BeginStored(std::uint64_t ordinal, std::uint32_t stream,
                                   std::span<const tar::SparseRange> ranges) {
  State& state = *state_;
  if (state.files_only && (stream != 0 || !ranges.empty())) {
    if (stream == 0) state.sparse_in_extra.insert(ordinal);
    return BeginExtra();
  }
  state.in_extra = false;
  state.ordinal = ordinal;
  state.stream = stream;
  state.size = 0;
  state.checksum.Reset();
  if (stream != 0) {
    std::uint32_t& last = state.alternates[ordinal];
    last = std::max(last, stream);
  }
  if (stream == 0 && !ranges.empty()) state.KeepRanges(ranges);
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
  if (!state.in_extra) {
    return state.AppendStored(state.ordinal, state.stream, state.size, state.checksum.Value());
  }
  WCLAYER_TRY(state.MakeRoom(kMaxSmallOp));
  state.block.push_back(std::byte{skeleton::kExtra});
  skeleton::AppendNumber(state.block, state.begin);
  skeleton::AppendNumber(state.block, state.size);
  AppendLe(state.block, state.checksum.Value());
  ++state.payloads;
  return {};
}

Status SkeletonWriter::Stored(std::uint64_t ordinal, std::uint64_t size, std::uint64_t checksum) {
  return state_->AppendStored(ordinal, 0, size, checksum);
}

Status SkeletonWriter::MoveToExtra(std::uint64_t ordinal, ItemSink& read) {
  State& state = *state_;
  if (state.sparse_in_extra.erase(ordinal) != 0) return {};
  state.moving = ordinal;
  std::uint32_t last = 0;
  if (const auto found = state.alternates.find(ordinal); found != state.alternates.end()) {
    last = found->second;
    state.alternates.erase(found);
  }
  for (std::uint32_t stream = 0; stream <= last; ++stream) {
    WCLAYER_TRY(state.MoveStream(stream, read));
  }
  return {};
}

Status SkeletonWriter::Finish() {
  State& state = *state_;
  WCLAYER_TRY(state.MakeRoom(kMaxSmallOp));
  state.block.push_back(std::byte{skeleton::kEnd});
  WCLAYER_TRY(state.FlushBlock());
  WCLAYER_TRY(state.FlushExtra());
  Buffer moves;
  std::sort(state.moves.begin(), state.moves.end());
  for (const skeleton::Move& move : state.moves) {
    skeleton::AppendNumber(moves, move.ordinal);
    skeleton::AppendNumber(moves, move.stream);
    skeleton::AppendNumber(moves, move.before);
    skeleton::AppendNumber(moves, move.offset);
  }
  Buffer header;
  Append(header, std::as_bytes(std::span(skeleton::kMagic)));
  AppendLe(header, state.written);
  AppendLe(header, static_cast<std::uint64_t>(moves.size()));
  AppendLe(header, io::Checksum(moves));
  AppendLe(header, state.entries);
  AppendLe(header, io::Checksum(header));
  header.resize(skeleton::kHeaderBytes);
  WCLAYER_TRY(state.WriteFile(moves));
  Buffer& start = state.start;
  if (start.empty()) start.resize(skeleton::kHeaderBytes);
  std::copy(header.begin(), header.end(), start.begin());
  WCLAYER_TRY(state.FlushStart());
  // Windows moves no folder that holds an open file.
  state.file.reset();
  state.extra.reset();
  state.folder = fs::Dir();
  return {};
}

}  // namespace wclayer::layer
