// Cuts the input into independent chunks and compresses them, here or in threads, with an ordered
// drain. Chunk borders come from the input alone, so the bytes do not depend on the threads.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/page_buffer.h"
#include "io/chunk_format.h"
#include "io/thread_error.h"

namespace wclayer::io {
namespace {

constexpr std::size_t kMaxThreads = 4;
// Of chunks and codecs together (design §5: 64 MiB for all that a diff needs). Fewer threads run
// than asked for where more would not fit.
constexpr std::size_t kMemoryBytes = 48u << 20;

// A chunk on its way through the ring.
struct Job {
  PageBuffer plain;
  std::size_t used = 0;
  PageBuffer packed;
  Expected<std::size_t> packed_size{std::size_t{0}};
  bool done = false;
};

std::size_t ThreadsThatFit(const ChunkFormat& format, int asked) {
  const std::size_t job = format.chunk_bytes() + format.packed_bytes();
  std::size_t threads =
      std::clamp<std::size_t>(asked < 1 ? 1 : static_cast<std::size_t>(asked), 1, kMaxThreads);
  while (threads > 1 && threads * format.codec_bytes() + (threads + 1) * job > kMemoryBytes)
    --threads;
  return threads;
}

// One job more than threads is filled while they work. The rest, as far as they fit, wait for the
// thread that is ready first, and keep all of them busy while the writing thread does something
// else: with one such job two threads had work for 86 % of the time, with three times their number
// for 89 %.
std::size_t JobsThatFit(const ChunkFormat& format, std::size_t threads) {
  constexpr std::size_t kJobsOfAThread = 3;
  constexpr std::size_t kQueueBytes = 32u << 20;  // more of zstd's large chunks is slower
  if (threads == 1) return 1;
  const std::size_t job = format.chunk_bytes() + format.packed_bytes();
  const std::size_t rest = kMemoryBytes - threads * format.codec_bytes();
  const std::size_t fit = std::min(rest, kQueueBytes) / job;
  return std::clamp(fit, threads + 1, threads * kJobsOfAThread);
}

class ChunkCompressor final : public ByteSink {
 public:
  ChunkCompressor(ByteSink& next, std::unique_ptr<ChunkFormat> format, int threads)
      : next_(&next),
        format_(std::move(format)),
        threads_(ThreadsThatFit(*format_, threads)),
        jobs_(JobsThatFit(*format_, threads_)) {}

  ~ChunkCompressor() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      changed_.notify_all();
    }
    for (std::thread& worker : workers_) worker.join();
  }

  Status Write(Bytes bytes) override {
    if (failure_) return *failure_;
    return Noting(Take(bytes));
  }

  Status Finish() override {
    if (failure_) return *failure_;
    return Noting(Complete());
  }

 private:
  // Positions count chunks from the start of the input: chunk n is in job n % jobs_.size(), and
  // passed_ ≤ taken_ ≤ filled_ ≤ passed_ + jobs_.size().
  Job& JobOf(std::uint64_t chunk) { return jobs_[chunk % jobs_.size()]; }

  // A failure is final: the chunks behind it would not fit what the next stage has.
  Status Noting(Status status) {
    if (!status) failure_ = status.error();
    return status;
  }

  Status Take(Bytes bytes) {
    while (!bytes.empty()) {
      if (filled_ - passed_ == jobs_.size()) WCLAYER_TRY(PassOldest());
      Job& job = JobOf(filled_);
      if (job.plain.empty()) job.plain = PageBuffer(format_->chunk_bytes());
      const std::size_t count = std::min(bytes.size(), job.plain.size() - job.used);
      std::copy_n(bytes.begin(), count, job.plain.begin() + job.used);
      job.used += count;
      bytes = bytes.subspan(count);
      if (job.used == job.plain.size()) WCLAYER_TRY(Submit(job));
    }
    return {};
  }

  Status Complete() {
    // With the ring full there is no chunk in hand.
    const bool in_hand = filled_ - passed_ < jobs_.size() && JobOf(filled_).used != 0;
    if (in_hand) WCLAYER_TRY(Submit(JobOf(filled_)));
    while (passed_ != filled_) WCLAYER_TRY(PassOldest());
    const bool empty = filled_ == 0;
    if (empty) WCLAYER_TRY(PassOn(format_->Start()));
    WCLAYER_ASSIGN(const Buffer tail, format_->End(empty));
    WCLAYER_TRY(PassOn(tail));
    return next_->Finish();
  }

  Status PassOn(Bytes bytes) { return bytes.empty() ? Status() : next_->Write(bytes); }

  Status Submit(Job& job) {
    if (filled_ == 0) WCLAYER_TRY(PassOn(format_->Start()));
    if (job.packed.empty()) job.packed = PageBuffer(format_->packed_bytes());
    format_->Saw(Bytes(job.plain).first(job.used));
    if (threads_ > 1) StartWorker();
    if (workers_.empty()) {
      if (codec_ == nullptr) codec_ = format_->NewCodec();
      Compress(*codec_, job);
      job.done = true;
      ++filled_;
      return PassOldest();
    }
    const std::lock_guard lock(mutex_);
    ++filled_;
    changed_.notify_all();
    return {};
  }

  // One more per chunk, so that a small layer starts few. Without any the chunks are compressed
  // here.
  void StartWorker() {
    if (workers_.size() == threads_) return;
    workers_.reserve(threads_);
    try {
      workers_.emplace_back([this] { Work(); });
    } catch (const std::system_error&) {
      threads_ = std::max<std::size_t>(workers_.size(), 1);  // the system gives no more
    }
  }

  // Waits for the oldest chunk and passes it on; its job is free then.
  Status PassOldest() {
    Job& job = JobOf(passed_);
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return job.done; });
    }
    WCLAYER_ASSIGN(const std::size_t size, std::move(job.packed_size));
    WCLAYER_TRY(next_->Write(Bytes(job.packed).first(size)));
    job.used = 0;
    job.done = false;
    ++passed_;
    return {};
  }

  static void Compress(ChunkCodec& codec, Job& job) {
    job.packed_size = codec.Compress(Bytes(job.plain).first(job.used), job.packed);
  }

  void Work() {
    std::unique_ptr<ChunkCodec> codec;
    for (;;) {
      Job* job = nullptr;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || taken_ != filled_; });
        if (stop_) return;
        job = &JobOf(taken_++);
      }
      Status status = Guarded([&]() -> Status {
        if (codec == nullptr) codec = format_->NewCodec();
        Compress(*codec, *job);
        return {};
      });
      if (!status) job->packed_size = std::move(status).error();
      const std::lock_guard lock(mutex_);
      job->done = true;
      changed_.notify_all();
    }
  }

  ByteSink* next_;
  std::unique_ptr<ChunkFormat> format_;
  std::size_t threads_;
  std::vector<Job> jobs_;
  std::unique_ptr<ChunkCodec> codec_;  // of the writing thread, if it compresses itself
  std::optional<Error> failure_;
  std::uint64_t passed_ = 0;  // the writing thread's alone

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t filled_ = 0;  // changed by the writing thread, under the mutex if there are workers
  std::uint64_t taken_ = 0;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

class PassThrough final : public ByteSink {
 public:
  explicit PassThrough(ByteSink& next) : next_(&next) {}
  Status Write(Bytes bytes) override { return next_->Write(bytes); }
  Status Finish() override { return next_->Finish(); }

 private:
  ByteSink* next_;
};

}  // namespace

std::unique_ptr<ByteSink> MakeCompressor(ByteSink& next, CompressOptions options) {
  auto format = MakeChunkFormat(options);
  if (format == nullptr) return std::make_unique<PassThrough>(next);
  return std::make_unique<ChunkCompressor>(next, std::move(format), options.threads);
}

}  // namespace wclayer::io
