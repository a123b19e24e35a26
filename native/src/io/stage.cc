#include "io/stage.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "io/thread_error.h"

namespace wclayer::io {

struct ThreadedSink::State {
  struct Slab {
    Buffer bytes;
    std::size_t used = 0;
  };

  State(ByteSink& sink, StageOptions given)
      : next(&sink),
        slab_bytes(std::max<std::size_t>(given.slab_bytes, 1)),
        ring(std::max<std::size_t>(given.slabs, 1)) {}

  // Slab n of the stream is in ring[n % size]; drained ≤ filled ≤ drained + size. The writer owns
  // slab `filled` while that place is free, the stage's thread the slabs from `drained` on.
  Slab& SlabOf(std::uint64_t number) { return ring[number % ring.size()]; }

  // ---- the stage's own thread ----

  void Run() {
    Status result = Guarded([this] { return Drain(); });
    const std::lock_guard lock(mutex);
    if (!result) failure = std::move(result).error();
    done = true;
    changed.notify_all();
  }

  Status Drain() {
    for (;;) {
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return abandoned || ended || drained != filled; });
        if (abandoned) return {};
        if (drained == filled) break;
      }
      Slab& slab = SlabOf(drained);
      WCLAYER_TRY(next->Write(Bytes(slab.bytes).first(slab.used)));
      slab.used = 0;
      const std::lock_guard lock(mutex);
      ++drained;
      changed.notify_all();
    }
    return next->Finish();
  }

  // ---- the writer's thread ----

  Status StartThread() {
    try {
      thread = std::thread([this] { Run(); });
    } catch (const std::system_error& failed) {
      return SystemError(failed.code().value(), "pthread_create", "");
    }
    return {};
  }

  // Waits until there is a slab to write into, unless the stage has failed.
  Status WaitForSlab() {
    if (!thread.joinable()) WCLAYER_TRY(StartThread());
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done || filled - drained < ring.size(); });
    if (failure) return *failure;
    if (done) return Error(Errc::kInternal, "bytes written to a stage that has finished");
    return {};
  }

  void HandOver() {
    in_hand = false;
    const std::lock_guard lock(mutex);
    ++filled;
    changed.notify_all();
  }

  ByteSink* next;
  std::size_t slab_bytes;
  std::vector<Slab> ring;
  bool in_hand = false;  // the writer's: slab `filled` is being written into
  std::thread thread;

  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t filled = 0;   // changed by the writer alone
  std::uint64_t drained = 0;  // changed by the stage's thread alone
  std::optional<Error> failure;
  bool ended = false;
  bool abandoned = false;
  bool done = false;
};

ThreadedSink::ThreadedSink(ByteSink& next, StageOptions options)
    : state_(std::make_unique<State>(next, options)) {}

ThreadedSink::~ThreadedSink() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->abandoned = true;
    state_->changed.notify_all();
  }
  if (state_->thread.joinable()) state_->thread.join();
}

Expected<MutableBytes> ThreadedSink::Reserve() {
  State& state = *state_;
  if (!state.in_hand) WCLAYER_TRY(state.WaitForSlab());
  state.in_hand = true;
  State::Slab& slab = state.SlabOf(state.filled);
  if (slab.bytes.empty()) slab.bytes.resize(state.slab_bytes);
  return MutableBytes(slab.bytes).subspan(slab.used);
}

Status ThreadedSink::Commit(std::size_t bytes) {
  State& state = *state_;
  State::Slab& slab = state.SlabOf(state.filled);
  if (!state.in_hand || bytes > slab.bytes.size() - slab.used)
    return Error(Errc::kInternal, "more bytes committed than were reserved");
  slab.used += bytes;
  if (slab.used == slab.bytes.size()) state.HandOver();
  return {};
}

Status ThreadedSink::Write(Bytes bytes) {
  while (!bytes.empty()) {
    WCLAYER_ASSIGN(const MutableBytes room, Reserve());
    const std::size_t count = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), count, room.begin());
    WCLAYER_TRY(Commit(count));
    bytes = bytes.subspan(count);
  }
  return {};
}

Status ThreadedSink::Finish() {
  State& state = *state_;
  if (!state.thread.joinable()) return state.next->Finish();  // nothing was written
  if (state.in_hand && state.SlabOf(state.filled).used != 0) state.HandOver();
  state.in_hand = false;
  std::unique_lock lock(state.mutex);
  state.ended = true;
  state.changed.notify_all();
  state.changed.wait(lock, [&] { return state.done; });
  if (state.failure) return *state.failure;
  return {};
}

}  // namespace wclayer::io
