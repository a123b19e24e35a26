#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "base/limits.h"
#include "fs/dir.h"
#include "io/digest.h"
#include "layer/skeleton.h"
#include "layer/skeleton_format.h"
#include "layer/stream_pull.h"

namespace wclayer::layer {
namespace {

constexpr std::size_t kMoveBytes = 4 * 10;  // the most that a move takes

Error SkeletonDamaged(const std::string& what) {
  return Error(Errc::kLayerDamaged, "the kept skeleton " + what).At(skeleton::kFile);
}

// The blocks of operations, one at a time.
class Blocks {
 public:
  Blocks() = default;
  ~Blocks() { ZSTD_freeDCtx(zstd_); }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  void Open(int fd, std::uint64_t from, std::uint64_t to) {
    fd_ = fd;
    at_ = from;
    end_ = to;
    zstd_ = ZSTD_createDCtx();
    if (zstd_ == nullptr) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(zstd_, ZSTD_d_windowLogMax, skeleton::kWindowLog);
  }

  // The next block, checked; empty: there is none.
  Expected<Bytes> Next() {
    if (at_ == end_) return Bytes();
    std::byte head[skeleton::kBlockHeaderBytes];
    WCLAYER_TRY(Read(head));
    const std::size_t plain = LoadLe<std::uint32_t>(head);
    const std::size_t packed = LoadLe<std::uint32_t>(head + 4);
    if (plain == 0 || plain > skeleton::kMaxBlockBytes || packed > skeleton::kMaxPackedBytes) {
      return SkeletonDamaged("has a block of an impossible size");
    }
    packed_.resize(packed);
    plain_.resize(plain);
    WCLAYER_TRY(Read(packed_));
    if (io::Checksum(packed_) != LoadLe<std::uint64_t>(head + 8)) {
      return SkeletonDamaged("has a block whose checksum is wrong");
    }
    ZSTD_inBuffer in{packed_.data(), packed_.size(), 0};
    ZSTD_outBuffer out{plain_.data(), plain_.size(), 0};
    while (in.pos < in.size) {
      const std::size_t before = in.pos + out.pos;
      const std::size_t code = ZSTD_decompressStream(zstd_, &out, &in);
      if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation) throw std::bad_alloc();
      if (ZSTD_isError(code) != 0) {
        return SkeletonDamaged(std::string("is not readable: ") + ZSTD_getErrorName(code));
      }
      if (in.pos + out.pos == before) break;
    }
    if (in.pos != in.size || out.pos != plain) {
      return SkeletonDamaged("has a block that is not of the size it says");
    }
    return Bytes(plain_);
  }

 private:
  Status Read(MutableBytes buffer) {
    if (buffer.size() > end_ - at_) return SkeletonDamaged("ends too early");
    WCLAYER_ASSIGN(const std::size_t count, fs::ReadAt(fd_, buffer, at_));
    if (count != buffer.size()) return SkeletonDamaged("ends too early");
    at_ += count;
    return {};
  }

  int fd_ = -1;
  std::uint64_t at_ = 0;
  std::uint64_t end_ = 0;
  ZSTD_DCtx* zstd_ = nullptr;
  Buffer packed_;
  Buffer plain_;
};

}  // namespace

struct SkeletonReplay::State {
  explicit State(ItemSource& from) : source(&from), pull(from) {}

  Status Open(const std::string& path);
  Status ReadMoves(std::uint64_t at, std::size_t size, std::uint64_t sum);
  Expected<std::size_t> Fill(MutableBytes buffer);
  Status Step();
  Status BeginRaw();
  Status BeginStored();
  Status BeginExtra();
  Status ReadPayloadHead();
  Status Enter(std::uint64_t ordinal, std::uint64_t stream);
  Expected<std::size_t> ReadSome(MutableBytes room);
  Expected<std::size_t> TakePayload(MutableBytes room, bool whole);
  Status CheckEnd();
  Status NextBlock();
  Expected<std::uint64_t> Number();
  Error Changed(const std::string& what) const {
    return Error(Errc::kLayerDamaged, what).At(from_extra ? skeleton::kExtraFile : item.path);
  }

  ItemSource* source;
  StreamPull pull;
  Item item;
  fs::Dir folder;
  fs::UniqueFd file;
  fs::UniqueFd extra;
  Blocks blocks;
  Bytes block;  // what is left of the current one
  std::vector<skeleton::Move> moves;
  std::uint64_t payloads = 0;
  std::uint64_t entries = 0;
  std::uint64_t all_entries = 0;

  Bytes raw;  // what is left to hand on
  std::uint64_t payload_size = 0;
  std::uint64_t payload_left = 0;
  std::uint64_t expected = 0;
  io::StreamChecksum checksum;
  bool summed = false;  // by the source, which checks what it gives
  bool from_extra = false;
  std::uint64_t extra_at = 0;
  bool at_entry = false;
  std::uint64_t current = 0;
  std::int64_t reached = -1;    // the stream the pull stands at: 0 main data, n the n-th alternate
  std::int64_t alternates = 0;  // passed so far
  bool ended = false;
};

// ---- opening

Status SkeletonReplay::State::Open(const std::string& path) {
  WCLAYER_ASSIGN(folder, fs::Dir::OpenAbsolute(path));
  WCLAYER_ASSIGN(file, folder.OpenFile(skeleton::kFile));
  WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(file.get()));
  std::byte header[skeleton::kHeaderBytes];
  WCLAYER_ASSIGN(const std::size_t count, fs::ReadAt(file.get(), header, 0));
  if (count != sizeof header ||
      std::memcmp(header, skeleton::kMagic, sizeof skeleton::kMagic) != 0 ||
      io::Checksum(Bytes(header).first(skeleton::kHeaderSumAt)) !=
          LoadLe<std::uint64_t>(header + skeleton::kHeaderSumAt)) {
    return SkeletonDamaged("has no header of ours");
  }
  const auto moves_at = LoadLe<std::uint64_t>(header + 8);
  const auto moves_size = LoadLe<std::uint64_t>(header + 16);
  all_entries = LoadLe<std::uint64_t>(header + 32);
  if (moves_at < sizeof header || moves_at > info.size || moves_size != info.size - moves_at ||
      moves_size > skeleton::kMaxMovedPayloads * kMoveBytes) {
    return SkeletonDamaged("has lengths that do not fit");
  }
  WCLAYER_TRY(ReadMoves(moves_at, static_cast<std::size_t>(moves_size),
                        LoadLe<std::uint64_t>(header + 24)));
  blocks.Open(file.get(), sizeof header, moves_at);
  return {};
}

Status SkeletonReplay::State::ReadMoves(std::uint64_t at, std::size_t size, std::uint64_t sum) {
  const auto damaged = [] { return SkeletonDamaged("has a damaged list of moved payloads"); };
  Buffer list(size);
  WCLAYER_ASSIGN(const std::size_t count, fs::ReadAt(file.get(), list, at));
  if (count != size || io::Checksum(list) != sum) return damaged();
  for (Bytes rest = list; !rest.empty();) {
    skeleton::Move move;
    if (!skeleton::TakeNumber(rest, move.ordinal) || !skeleton::TakeNumber(rest, move.stream) ||
        !skeleton::TakeNumber(rest, move.before) || !skeleton::TakeNumber(rest, move.offset) ||
        (!moves.empty() && move < moves.back()) || moves.size() == skeleton::kMaxMovedPayloads) {
      return damaged();
    }
    moves.push_back(move);
  }
  return {};
}

// ---- handing on

Expected<std::size_t> SkeletonReplay::State::Fill(MutableBytes buffer) {
  std::size_t used = 0;
  while (used < buffer.size() && !ended) {
    const MutableBytes room = buffer.subspan(used);
    if (!raw.empty()) {
      const std::size_t count = std::min(raw.size(), room.size());
      std::copy_n(raw.begin(), count, room.begin());
      raw = raw.subspan(count);
      used += count;
    } else if (payload_left != 0) {
      const bool whole = payload_left == payload_size && payload_size <= buffer.size();
      // One that fits a buffer is checked before anything of it is handed on: so it starts a new
      // one when this has no room for it.
      if (whole && payload_size > room.size()) return used;
      WCLAYER_ASSIGN(const std::size_t count, TakePayload(room, whole));
      used += count;
    } else {
      WCLAYER_TRY(Step());
    }
  }
  return used;
}

Status SkeletonReplay::State::NextBlock() {
  WCLAYER_ASSIGN(block, blocks.Next());
  return block.empty() ? Status(SkeletonDamaged("ends too early")) : Status();
}

Expected<std::uint64_t> SkeletonReplay::State::Number() {
  std::uint64_t value = 0;
  if (!skeleton::TakeNumber(block, value)) return SkeletonDamaged("holds a number that cannot be");
  return value;
}

Status SkeletonReplay::State::Step() {
  if (block.empty()) WCLAYER_TRY(NextBlock());
  const auto op = static_cast<std::uint8_t>(block.front());
  block = block.subspan(1);
  switch (op) {
    case skeleton::kRaw:
      return BeginRaw();
    case skeleton::kStored:
      return BeginStored();
    case skeleton::kExtra:
      return BeginExtra();
    case skeleton::kEntry:
      ++entries;
      return {};
    case skeleton::kEnd:
      return CheckEnd();
    default:
      return SkeletonDamaged("holds an unknown operation");
  }
}

Status SkeletonReplay::State::BeginRaw() {
  if (block.size() < sizeof(std::uint32_t)) return SkeletonDamaged("holds a cut operation");
  const std::size_t size = LoadLe<std::uint32_t>(block.data());
  block = block.subspan(sizeof(std::uint32_t));
  if (size > block.size()) return SkeletonDamaged("holds a cut operation");
  raw = block.first(size);
  block = block.subspan(size);
  return {};
}

Status SkeletonReplay::State::BeginStored() {
  WCLAYER_ASSIGN(const std::uint64_t ordinal, Number());
  WCLAYER_ASSIGN(const std::uint64_t stream, Number());
  WCLAYER_TRY(ReadPayloadHead());
  const std::uint64_t number = payloads++;
  if (stream > kMaxStreamsPerFile) return SkeletonDamaged("names a stream that cannot be");
  const auto move =
      std::lower_bound(moves.begin(), moves.end(), skeleton::Move{ordinal, stream, number + 1, 0});
  from_extra = move != moves.end() && move->ordinal == ordinal && move->stream == stream;
  if (from_extra) {
    extra_at = move->offset;
    return {};
  }
  WCLAYER_TRY(Enter(ordinal, stream));
  summed = stream == 0 && item.has_checksum;
  return {};
}

Status SkeletonReplay::State::BeginExtra() {
  WCLAYER_ASSIGN(extra_at, Number());
  from_extra = true;
  ++payloads;
  return ReadPayloadHead();
}

Status SkeletonReplay::State::ReadPayloadHead() {
  WCLAYER_ASSIGN(payload_size, Number());
  if (block.size() < sizeof expected) return SkeletonDamaged("holds a cut operation");
  expected = LoadLe<std::uint64_t>(block.data());
  block = block.subspan(sizeof expected);
  if (payload_size == 0 || payload_size > kMaxFileBytes) {
    return SkeletonDamaged("holds a payload of an impossible size");
  }
  payload_left = payload_size;
  summed = false;
  checksum.Reset();
  return {};
}

Status SkeletonReplay::State::CheckEnd() {
  if (!block.empty()) return SkeletonDamaged("goes on behind its end");
  WCLAYER_ASSIGN(const Bytes more, blocks.Next());
  if (!more.empty() || entries != all_entries) return SkeletonDamaged("goes on behind its end");
  ended = true;
  return {};
}

// ---- payloads

// Moves the source to stream `stream` of entry `ordinal`: on from where it stands when that is
// before it.
Status SkeletonReplay::State::Enter(std::uint64_t ordinal, std::uint64_t stream) {
  const auto wanted = static_cast<std::int64_t>(stream);
  if (!at_entry || ordinal != current || reached >= wanted) {
    at_entry = false;
    if (auto sought = source->Seek(ordinal, item); !sought) {
      Error error = std::move(sought).error();
      if (error.code != Errc::kLayerNotFound) return error;
      return SkeletonDamaged("names entry " + std::to_string(ordinal) +
                             ", which the layer does not have");
    }
    pull.Restart();
    at_entry = true;
    current = ordinal;
    reached = -1;
    alternates = 0;
  }
  while (reached != wanted) {
    auto next = pull.Next();
    if (!next) return std::move(next).error().At(item.path);
    if (!*next) {
      at_entry = false;
      return Changed("the stored stream " + std::to_string(stream) + " is missing");
    }
    if (pull.header().id == backup::StreamId::kData) reached = 0;
    if (pull.header().id == backup::StreamId::kAlternateData) reached = ++alternates;
  }
  return {};
}

Expected<std::size_t> SkeletonReplay::State::ReadSome(MutableBytes room) {
  if (from_extra) {
    if (!extra) {
      auto opened = folder.OpenFile(skeleton::kExtraFile);
      if (!opened && opened.error().sys_errno == ENOENT) return Changed("the file is missing");
      WCLAYER_ASSIGN(extra, std::move(opened));
    }
    WCLAYER_ASSIGN(const std::size_t count, fs::ReadAt(extra.get(), room, extra_at));
    extra_at += count;
    return count;
  }
  // A sparse file: the archived ranges one after another.
  while (pull.left() == 0 && reached == 0) {
    WCLAYER_ASSIGN(const bool more, pull.Next());
    if (more && pull.header().id == backup::StreamId::kSparseBlock) continue;
    at_entry = false;  // the pull is beyond the data
    return std::size_t{0};
  }
  return pull.Read(room);
}

Expected<std::size_t> SkeletonReplay::State::TakePayload(MutableBytes room, bool whole) {
  std::size_t used = 0;
  do {
    const auto most =
        static_cast<std::size_t>(std::min<std::uint64_t>(payload_left, room.size() - used));
    auto got = ReadSome(room.subspan(used, most));
    if (!got) return std::move(got).error().At(item.path);
    const std::size_t count = *got;
    if (count == 0) {
      return Changed("the stored data is " + std::to_string(payload_left) +
                     " bytes shorter than it was");
    }
    if (!summed) checksum.Update(room.subspan(used, count));
    payload_left -= count;
    used += count;
  } while (whole && payload_left != 0);
  if (payload_left != 0) return used;
  if (!from_extra && pull.left() != 0) return Changed("the stored data is longer than it was");
  if ((summed ? item.checksum : checksum.Value()) != expected) {
    return Changed("the stored data is not what the tar held: its checksum is wrong");
  }
  return used;
}

// ---- the replay

SkeletonReplay::SkeletonReplay() = default;
SkeletonReplay::~SkeletonReplay() = default;

Expected<bool> SkeletonReplay::Exists(const std::string& folder) {
  auto opened = fs::Dir::OpenAbsolute(folder);
  if (!opened) {
    if (opened.error().sys_errno == ENOENT) return false;
    return std::move(opened).error();
  }
  return opened->Exists(skeleton::kFile);
}

Expected<std::unique_ptr<SkeletonReplay>> SkeletonReplay::Open(const std::string& folder,
                                                               ItemSource& source) {
  std::unique_ptr<SkeletonReplay> replay(new SkeletonReplay);
  replay->state_ = std::make_unique<State>(source);
  WCLAYER_TRY(replay->state_->Open(folder));
  return replay;
}

Expected<std::size_t> SkeletonReplay::Fill(MutableBytes buffer) {
  return state_->Fill(buffer);
}

std::uint64_t SkeletonReplay::entries() const {
  return state_->entries;
}

}  // namespace wclayer::layer
