#include "io/pull.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "io/digest.h"
#include "io/stage_thread.h"

namespace wclayer::io {
namespace {

// Of so many bytes the reader's share of the time is taken; what comes first tells little.
constexpr std::uint64_t kShareWindow = 8u << 20;
constexpr std::size_t kRead = 1;  // stage of the ring that hands compressed bytes over

// What share of the time somebody takes between Leave and the next Enter.
class ShareOfTime {
 public:
  void Enter() {
    const auto now = Clock::now();
    if (left_ != Clock::time_point()) outside_ += now - left_;
    entered_ = now;
  }
  void Leave() {
    left_ = Clock::now();
    inside_ += left_ - entered_;
  }
  bool IsAtLeast(double share) const { return outside_ >= share * (outside_ + inside_); }
  void StartAgain() { inside_ = outside_ = {}; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point entered_;
  Clock::time_point left_;
  std::chrono::duration<double> inside_{};
  std::chrono::duration<double> outside_{};
};

// Takes what a compressor passes on: into a queue while all is one thread, then into a ring.
class Outlet final : public ByteSink {
 public:
  explicit Outlet(const StageOptions& slabs) : ring_(slabs.slabs, slabs.slab_bytes, kRead + 1) {}

  Status Write(Bytes bytes) override {
    bytes_ += bytes.size();
    if (!threaded_) {
      Append(queue_, bytes);
      return {};
    }
    while (!bytes.empty()) {
      if (slab_ == nullptr) {
        WCLAYER_ASSIGN(slab_, ring_.Next(0));
      }
      const std::size_t count = std::min(bytes.size(), slab_->bytes.size() - slab_->used);
      std::copy_n(bytes.begin(), count,
                  slab_->bytes.begin() + static_cast<std::ptrdiff_t>(slab_->used));
      slab_->used += count;
      bytes = bytes.subspan(count);
      if (slab_->used == slab_->bytes.size()) PassOn();
    }
    return {};
  }
  Status Finish() override {
    if (slab_ != nullptr && slab_->used != 0) PassOn();
    return {};
  }

  void BeginThreads() { threaded_ = true; }
  SlabRing& ring() { return ring_; }

  std::uint64_t bytes() const { return bytes_; }
  bool queued() const { return at_ != queue_.size(); }
  std::size_t Take(MutableBytes buffer) {
    const std::size_t count = std::min(buffer.size(), queue_.size() - at_);
    std::copy_n(queue_.begin() + static_cast<std::ptrdiff_t>(at_), count, buffer.begin());
    at_ += count;
    if (queued()) return count;
    queue_.clear();
    at_ = 0;
    return count;
  }

 private:
  void PassOn() {
    slab_ = nullptr;
    ring_.Pass(0);
  }

  SlabRing ring_;
  SlabRing::Slab* slab_ = nullptr;
  std::uint64_t bytes_ = 0;
  bool threaded_ = false;
  Buffer queue_;
  std::size_t at_ = 0;
};

}  // namespace

struct PullStream::State {
  State(Generate from, PullOptions with)
      : generate(std::move(from)),
        options(with),
        packed(with.compression.kind != Compression::kNone),
        outlet(with.slabs),
        packed_sha(&outlet),
        ring(with.slabs.slabs, std::max(with.slabs.slab_bytes, kLeastFill),
             !packed && with.digest ? 3 : 2) {
    ByteSink& after = with.digest ? static_cast<ByteSink&>(packed_sha) : outlet;
    if (packed) compressor = MakeCompressor(after, with.compression);
  }
  ~State() {
    ring.Abandon();
    outlet.ring().Abandon();
  }

  Expected<std::size_t> Read(MutableBytes buffer);
  bool ThreadsPay();
  Expected<std::size_t> Generated(MutableBytes buffer);
  Expected<std::size_t> ReadHere(MutableBytes buffer);
  Status PackHere();
  Expected<std::size_t> ReadRing(SlabRing& from, std::size_t stage, MutableBytes buffer);
  Status StartThreads();
  Status GenerateAll();
  Status Look(Bytes plain);
  void End();

  Generate generate;
  const PullOptions options;
  const bool packed;
  std::atomic<std::uint64_t> generated{0};

  Sha256 plain_sha;
  Outlet outlet;
  DigestSink packed_sha;
  std::unique_ptr<ByteSink> compressor;
  PageBuffer slab;  // of the reader's thread

  SlabRing
      ring;  // generate | digest, compress; or generate | digest | hand over; or without digest
  SlabRing::Slab* in_hand = nullptr;  // the reader's
  std::size_t in_hand_at = 0;

  ShareOfTime reader;
  std::uint64_t window_end = 0;
  bool threaded = false;
  bool ended = false;
  std::optional<Error> failure;
  std::string plain_digest;
  std::string packed_digest;
  std::uint64_t packed_bytes = 0;

  StageThread generating;
  StageThread looking;
};

Expected<std::size_t> PullStream::State::Read(MutableBytes buffer) {
  if (buffer.empty()) return std::size_t{0};
  if (outlet.queued()) return outlet.Take(buffer);
  if (ended) return std::size_t{0};
  if (!threaded && ThreadsPay()) WCLAYER_TRY(StartThreads());
  if (!threaded) {
    reader.Enter();
    auto count = ReadHere(buffer);
    reader.Leave();
    return count;
  }
  return packed ? ReadRing(outlet.ring(), kRead, buffer)
                : ReadRing(ring, options.digest ? 2 : 1, buffer);
}

bool PullStream::State::ThreadsPay() {
  const std::uint64_t bytes = generated.load(std::memory_order_relaxed);
  if (bytes < options.threads_from) return false;
  if (packed || options.digest || options.least_reader_share == 0) return true;
  if (bytes < window_end) return false;
  const bool first = window_end == 0;
  window_end = bytes + kShareWindow;
  const bool pay = !first && reader.IsAtLeast(options.least_reader_share);
  reader.StartAgain();
  return pay;
}

Expected<std::size_t> PullStream::State::Generated(MutableBytes buffer) {
  WCLAYER_ASSIGN(const std::size_t count, generate(buffer));
  generated.fetch_add(count, std::memory_order_relaxed);
  return count;
}

// ---- all in one thread

Expected<std::size_t> PullStream::State::ReadHere(MutableBytes buffer) {
  if (!packed && buffer.size() >= kLeastFill) {
    WCLAYER_ASSIGN(const std::size_t count, Generated(buffer));
    if (options.digest) plain_sha.Update(buffer.first(count));
    if (count == 0) End();
    return count;
  }
  while (!outlet.queued() && !ended) WCLAYER_TRY(PackHere());
  return outlet.Take(buffer);
}

Status PullStream::State::PackHere() {
  if (slab.empty()) slab = PageBuffer(std::max(options.slabs.slab_bytes, kLeastFill));
  WCLAYER_ASSIGN(const std::size_t count, Generated(slab));
  if (count != 0) return Look(Bytes(slab).first(count));
  if (packed) WCLAYER_TRY(compressor->Finish());
  End();
  return {};
}

Status PullStream::State::Look(Bytes plain) {
  if (options.digest) plain_sha.Update(plain);
  if (packed) return compressor->Write(plain);
  return threaded ? Status() : outlet.Write(plain);
}

// ---- in threads

Status PullStream::State::StartThreads() {
  slab = PageBuffer();
  outlet.BeginThreads();
  threaded = true;
  if (packed || options.digest) {
    WCLAYER_TRY(looking.Start(ring, 1, [this]() -> Status {
      Status looked = Guarded([this] {
        return ForEachSlab(
            ring, 1, [this](SlabRing::Slab& filled) { return Look(filled.filled()); },
            [this] { return packed ? compressor->Finish() : Status(); });
      });
      if (!looked) outlet.ring().Fail(0, looked.error());  // the reader may wait there
      outlet.ring().End();
      return looked;
    }));
  }
  return generating.Start(ring, 0, [this] { return GenerateAll(); });
}

Status PullStream::State::GenerateAll() {
  for (;;) {
    WCLAYER_ASSIGN(SlabRing::Slab * next, ring.Next(0));
    WCLAYER_ASSIGN(next->used, Generated(next->bytes));
    if (next->used == 0) break;
    ring.Pass(0);
  }
  ring.End();
  return {};
}

// What is there without waiting, at least one byte.
Expected<std::size_t> PullStream::State::ReadRing(SlabRing& from, std::size_t stage,
                                                  MutableBytes buffer) {
  std::size_t used = 0;
  while (used != buffer.size()) {
    if (in_hand == nullptr) {
      auto next = used == 0 ? from.Next(stage) : from.NextIfThere(stage);
      if (!next && used != 0) break;  // it comes again
      WCLAYER_ASSIGN(in_hand, std::move(next));
      if (in_hand == nullptr) {
        if (used == 0) End();
        break;
      }
      in_hand_at = 0;
    }
    const std::size_t count = std::min(buffer.size() - used, in_hand->used - in_hand_at);
    std::copy_n(in_hand->bytes.begin() + in_hand_at, count,
                buffer.begin() + static_cast<std::ptrdiff_t>(used));
    used += count;
    in_hand_at += count;
    if (in_hand_at != in_hand->used) continue;
    in_hand = nullptr;
    from.Pass(stage);
  }
  return used;
}

void PullStream::State::End() {
  ended = true;
  generating.Join();
  looking.Join();
  const std::uint64_t plain = generated.load(std::memory_order_relaxed);
  packed_bytes = packed ? outlet.bytes() : plain;
  if (!options.digest) return;
  plain_digest = plain_sha.FinishText();
  packed_digest = packed ? packed_sha.Digest() : plain_digest;
}

// ---- PullStream

PullStream::PullStream(Generate generate, PullOptions options)
    : state_(std::make_unique<State>(std::move(generate), options)) {}
PullStream::~PullStream() = default;

Expected<std::size_t> PullStream::Read(MutableBytes buffer) {
  State& state = *state_;
  if (state.failure) return *state.failure;
  auto count = state.Read(buffer);
  if (!count) state.failure = count.error();
  return count;
}

std::uint64_t PullStream::plain_bytes() const {
  return state_->generated.load(std::memory_order_relaxed);
}
const std::string& PullStream::plain_digest() const {
  return state_->plain_digest;
}
const std::string& PullStream::packed_digest() const {
  return state_->packed_digest;
}
std::uint64_t PullStream::packed_bytes() const {
  return state_->packed_bytes;
}

}  // namespace wclayer::io
