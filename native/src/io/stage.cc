#include "io/stage.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace wclayer::io {

struct ThreadedSink::State {
  struct Slab {
    Buffer bytes;
    std::size_t used = 0;
  };

  State(ByteSink& sink, StageOptions given) : next(&sink), options(given), slabs(given.slabs) {
    for (Slab& slab : slabs) free.push_back(&slab);
  }

  // The stage's own thread: hands slabs on until the end, a failure or abandonment.
  void Run() {
    Status result;
    try {
      result = Drain();
    } catch (const std::bad_alloc&) {
      result = Error(Errc::kInternal, "native allocation failed");
    }
    const std::lock_guard lock(mutex);
    if (!result) failure = std::move(result).error();
    done = true;
    changed.notify_all();
  }

  Status Drain() {
    for (;;) {
      Slab* slab = nullptr;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return abandoned || ended || !full.empty(); });
        if (abandoned) return {};
        if (full.empty()) break;
        slab = full.front();
        full.pop_front();
      }
      WCLAYER_TRY(next->Write(Bytes(slab->bytes).first(slab->used)));
      const std::lock_guard lock(mutex);
      slab->used = 0;
      free.push_back(slab);
      changed.notify_all();
    }
    return next->Finish();
  }

  // Waits for a free slab, unless the stage has failed.
  Status TakeSlab() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done || !free.empty(); });
    if (failure) return *failure;
    if (done) return Error(Errc::kInternal, "the stage has ended");
    hand = free.front();
    free.pop_front();
    lock.unlock();
    if (hand->bytes.empty()) hand->bytes.resize(options.slab_bytes);
    if (!thread.joinable()) thread = std::thread([this] { Run(); });
    return {};
  }

  void HandOver() {
    const std::lock_guard lock(mutex);
    full.push_back(hand);
    hand = nullptr;
    changed.notify_all();
  }

  ByteSink* next;
  StageOptions options;
  std::vector<Slab> slabs;
  Slab* hand = nullptr;  // the writer's
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Slab*> free;
  std::deque<Slab*> full;
  std::optional<Error> failure;
  bool ended = false;
  bool abandoned = false;
  bool done = false;
  std::thread thread;
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
  if (state_->hand == nullptr) WCLAYER_TRY(state_->TakeSlab());
  return MutableBytes(state_->hand->bytes).subspan(state_->hand->used);
}

Status ThreadedSink::Commit(std::size_t bytes) {
  state_->hand->used += bytes;
  if (state_->hand->used == state_->hand->bytes.size()) state_->HandOver();
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
  if (!state_->thread.joinable()) return state_->next->Finish();  // nothing was written
  if (state_->hand != nullptr && state_->hand->used != 0) state_->HandOver();
  std::unique_lock lock(state_->mutex);
  state_->ended = true;
  state_->changed.notify_all();
  state_->changed.wait(lock, [&] { return state_->done; });
  if (state_->failure) return *state_->failure;
  return {};
}

}  // namespace wclayer::io
