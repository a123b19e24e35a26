#include <zstd.h>

#include <algorithm>
#include <cerrno>

#include "base/limits.h"
#include "fs/dir.h"
#include "io/digest.h"
#include "layer/skeleton.h"
#include "layer/skeleton_format.h"
#include "layer/stream_pull.h"

namespace wclayer::layer {
namespace {

constexpr std::size_t kMaxMoved = 1u << 20;
constexpr std::size_t kInputBytes = 64u << 10;

Error Damaged(const std::string& what) {
  return Error(Errc::kLayerDamaged, "the kept skeleton " + what).At("skeleton");
}

// The body, inflated as it is asked for.
class Body {
 public:
  Body() = default;
  ~Body() { ZSTD_freeDCtx(zstd_); }
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  void Open(int fd, std::uint64_t from, std::uint64_t to) {
    fd_ = fd;
    at_ = from;
    end_ = to;
    zstd_ = ZSTD_createDCtx();
    if (zstd_ == nullptr) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(zstd_, ZSTD_d_windowLogMax, skeleton::kWindowLog + 1);
    input_.resize(kInputBytes);
    ahead_.resize(kInputBytes);
  }

  // Up to buffer.size() bytes, at least one.
  Expected<std::size_t> Some(MutableBytes buffer) {
    if (ahead_at_ == ahead_used_) {
      if (buffer.size() >= ahead_.size()) return Inflate(buffer);
      WCLAYER_ASSIGN(ahead_used_, Inflate(ahead_));
      ahead_at_ = 0;
    }
    const std::size_t count = std::min(buffer.size(), ahead_used_ - ahead_at_);
    std::copy_n(ahead_.begin() + static_cast<std::ptrdiff_t>(ahead_at_), count, buffer.begin());
    ahead_at_ += count;
    return count;
  }

  Status Exactly(MutableBytes buffer) {
    while (!buffer.empty()) {
      WCLAYER_ASSIGN(const std::size_t count, Some(buffer));
      buffer = buffer.subspan(count);
    }
    return {};
  }

  Expected<std::uint64_t> Number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::byte byte{};
      WCLAYER_TRY(Exactly(MutableBytes(&byte, 1)));
      const auto bits = static_cast<std::uint64_t>(byte & std::byte{0x7F});
      if (shift == 63 && bits > 1) break;
      value |= bits << shift;
      if ((byte & std::byte{0x80}) == std::byte{0}) return value;
    }
    return Damaged("holds a number that is too large");
  }

 private:
  Expected<std::size_t> Inflate(MutableBytes buffer) {
    for (;;) {
      ZSTD_inBuffer in{input_.data(), input_used_, input_at_};
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      const std::size_t code = ZSTD_decompressStream(zstd_, &out, &in);
      input_at_ = in.pos;
      if (ZSTD_isError(code) != 0)
        return Damaged(std::string("is not readable: ") + ZSTD_getErrorName(code));
      if (out.pos != 0) return out.pos;
      if (code == 0 || (at_ == end_ && input_at_ == input_used_)) return Damaged("ends too early");
      if (input_at_ == input_used_) {
        const auto most =
            static_cast<std::size_t>(std::min<std::uint64_t>(input_.size(), end_ - at_));
        WCLAYER_ASSIGN(input_used_, fs::ReadAt(fd_, MutableBytes(input_).first(most), at_));
        if (input_used_ == 0) return Damaged("ends too early");
        at_ += input_used_;
        input_at_ = 0;
      }
    }
  }

  int fd_ = -1;
  std::uint64_t at_ = 0;
  std::uint64_t end_ = 0;
  ZSTD_DCtx* zstd_ = nullptr;
  Buffer input_;
  std::size_t input_used_ = 0;
  std::size_t input_at_ = 0;
  Buffer ahead_;
  std::size_t ahead_used_ = 0;
  std::size_t ahead_at_ = 0;
};

}  // namespace

struct SkeletonReplay::State {
  explicit State(ItemSource& from) : source(&from), pull(from) {}

  Status Open(const std::string& path) {
    WCLAYER_ASSIGN(folder, fs::Dir::OpenAbsolute(path));
    WCLAYER_ASSIGN(file, folder.OpenFile(skeleton::kFile));
    WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(file.get()));
    std::byte header[skeleton::kHeaderBytes];
    WCLAYER_ASSIGN(const std::size_t count, fs::ReadAt(file.get(), header, 0));
    if (count != sizeof header ||
        std::memcmp(header, skeleton::kMagic, sizeof skeleton::kMagic) != 0) {
      return Damaged("has no header of ours");
    }
    const auto moved_at = LoadLe<std::uint64_t>(header + 8);
    const auto moved_size = LoadLe<std::uint64_t>(header + 16);
    if (moved_at < sizeof header || moved_at > info.size || moved_size != info.size - moved_at ||
        moved_size > kMaxMoved * 20) {
      return Damaged("has lengths that do not fit");
    }
    WCLAYER_TRY(ReadMoved(moved_at, static_cast<std::size_t>(moved_size),
                          LoadLe<std::uint64_t>(header + 24)));
    body.Open(file.get(), sizeof header, moved_at);
    return {};
  }

  Status ReadMoved(std::uint64_t at, std::size_t size, std::uint64_t expected_sum) {
    Buffer raw(size);
    WCLAYER_ASSIGN(const std::size_t count, fs::ReadAt(file.get(), raw, at));
    if (count != size || io::Checksum(raw) != expected_sum)
      return Damaged("has a damaged list of moved payloads");
    std::vector<std::uint64_t> numbers;
    std::uint64_t value = 0;
    unsigned shift = 0;
    for (const std::byte byte : raw) {
      if (shift > 56) return Damaged("holds a number that is too large");
      value |= static_cast<std::uint64_t>(byte & std::byte{0x7F}) << shift;
      shift += 7;
      if ((byte & std::byte{0x80}) != std::byte{0}) continue;
      numbers.push_back(value);
      value = 0;
      shift = 0;
    }
    if (numbers.size() % 2 != 0 || shift != 0)
      return Damaged("has a damaged list of moved payloads");
    for (std::size_t i = 0; i < numbers.size(); i += 2)
      moved.push_back({numbers[i], numbers[i + 1]});
    std::sort(moved.begin(), moved.end());
    return {};
  }

  // ---- Handing over ----

  Expected<std::size_t> Fill(MutableBytes buffer) {
    std::size_t used = 0;
    while (used < buffer.size() && !ended) {
      const MutableBytes room = buffer.subspan(used);
      if (raw_left != 0) {
        const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(raw_left, room.size()));
        WCLAYER_ASSIGN(const std::size_t count, body.Some(room.first(most)));
        raw_left -= count;
        used += count;
        continue;
      }
      if (payload_left != 0) {
        const bool whole = payload_left == payload_size && payload_size <= buffer.size();
        // One that fits a buffer is checked before anything of it is handed on: so it starts a new
        // one when this has no room for it.
        if (whole && payload_size > room.size()) return used;
        WCLAYER_ASSIGN(const std::size_t count, TakePayload(room, whole));
        used += count;
        continue;
      }
      WCLAYER_TRY(Step());
    }
    return used;
  }

  Status Step() {
    std::byte op{};
    WCLAYER_TRY(body.Exactly(MutableBytes(&op, 1)));
    switch (static_cast<std::uint8_t>(op)) {
      case skeleton::kRaw: {
        WCLAYER_ASSIGN(raw_left, body.Number());
        return {};
      }
      case skeleton::kStored: {
        WCLAYER_ASSIGN(const std::uint64_t ordinal, body.Number());
        WCLAYER_ASSIGN(const std::uint64_t stream, body.Number());
        WCLAYER_TRY(ReadPayloadHead());
        const std::uint64_t number = payloads++;
        const auto found = std::lower_bound(moved.begin(), moved.end(), Moved{number, 0});
        if (found != moved.end() && found->payload == number) {
          from_extra = true;
          extra_at = found->offset;
          return {};
        }
        from_extra = false;
        if (stream > kMaxStreamsPerFile) return Damaged("names a stream that cannot be");
        return Enter(ordinal, static_cast<std::uint32_t>(stream));
      }
      case skeleton::kExtra: {
        WCLAYER_ASSIGN(extra_at, body.Number());
        WCLAYER_TRY(ReadPayloadHead());
        ++payloads;
        from_extra = true;
        return {};
      }
      case skeleton::kEnd:
        ended = true;
        return {};
      default:
        return Damaged("holds an unknown operation");
    }
  }

  Status ReadPayloadHead() {
    WCLAYER_ASSIGN(payload_size, body.Number());
    std::byte raw[8];
    WCLAYER_TRY(body.Exactly(raw));
    expected = LoadLe<std::uint64_t>(raw);
    if (payload_size > kMaxFileBytes) return Damaged("holds a payload that is too large");
    payload_left = payload_size;
    checksum.Reset();
    ++entries;
    return {};
  }

  // Moves the source to stream `stream` of entry `ordinal`: on from where it stands when that is
  // before it.
  Status Enter(std::uint64_t ordinal, std::uint32_t stream) {
    if (!at_entry || ordinal != current || reached >= static_cast<std::int64_t>(stream)) {
      auto sought = source->Seek(ordinal, item);
      if (!sought) return std::move(sought).error();
      pull.Restart();
      at_entry = true;
      current = ordinal;
      reached = -1;
      alternates = 0;
    }
    while (reached != static_cast<std::int64_t>(stream)) {
      WCLAYER_ASSIGN(const bool more, pull.Next());
      if (!more) return Missing("the stored stream " + std::to_string(stream) + " is missing");
      if (pull.header().id == backup::StreamId::kData) reached = 0;
      if (pull.header().id == backup::StreamId::kAlternateData) reached = ++alternates;
    }
    return {};
  }

  Error Missing(const std::string& what) const {
    return Error(Errc::kLayerDamaged, what).At(item.path);
  }

  Expected<std::size_t> ReadSome(MutableBytes room) {
    if (from_extra) {
      if (!extra) {
        WCLAYER_ASSIGN(extra, folder.OpenFile(skeleton::kExtraFile));
      }
      WCLAYER_ASSIGN(const std::size_t count, fs::ReadAt(extra.get(), room, extra_at));
      extra_at += count;
      return count;
    }
    // A sparse file: the archived ranges one after another.
    while (pull.left() == 0 && reached == 0) {
      WCLAYER_ASSIGN(const bool more, pull.Next());
      if (!more || pull.header().id != backup::StreamId::kSparseBlock) return std::size_t{0};
    }
    return pull.Read(room);
  }

  Expected<std::size_t> TakePayload(MutableBytes room, bool whole) {
    std::size_t used = 0;
    do {
      const auto most =
          static_cast<std::size_t>(std::min<std::uint64_t>(payload_left, room.size() - used));
      WCLAYER_ASSIGN(const std::size_t count, ReadSome(room.subspan(used, most)));
      if (count == 0) {
        return Missing("the stored data is " + std::to_string(payload_left) +
                       " bytes shorter than it was");
      }
      checksum.Update(room.subspan(used, count));
      payload_left -= count;
      used += count;
    } while (whole && payload_left != 0);
    if (payload_left == 0) {
      if (!from_extra && pull.left() != 0) return Missing("the stored data is longer than it was");
      if (checksum.Value() != expected)
        return Missing("the stored data has changed (its checksum differs)");
    }
    return used;
  }

  struct Moved {
    std::uint64_t payload = 0;
    std::uint64_t offset = 0;
    bool operator<(const Moved& other) const { return payload < other.payload; }
  };

  ItemSource* source;
  StreamPull pull;
  Item item;
  fs::Dir folder;
  fs::UniqueFd file;
  fs::UniqueFd extra;
  Body body;
  std::vector<Moved> moved;
  std::uint64_t payloads = 0;
  std::uint64_t entries = 0;

  std::uint64_t raw_left = 0;
  std::uint64_t payload_size = 0;
  std::uint64_t payload_left = 0;
  std::uint64_t expected = 0;
  io::StreamChecksum checksum;
  bool from_extra = false;
  std::uint64_t extra_at = 0;
  bool at_entry = false;
  std::uint64_t current = 0;
  std::int64_t reached = -1;    // the stream the pull stands at: 0 main data, n the n-th alternate
  std::int64_t alternates = 0;  // passed so far
  bool ended = false;
};

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
