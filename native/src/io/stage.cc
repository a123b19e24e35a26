#include "io/stage.h"

#include <algorithm>

#include "io/stage_thread.h"

namespace wclayer::io {

struct ThreadedSink::State {
  State(ByteSink& sink, StageOptions options, Watcher watch, DeferringSink* behind)
      : next(&sink),
        watcher(std::move(watch)),
        deferring(behind),
        writer(watcher ? 2 : 1),
        ring(options.slabs, options.slab_bytes, writer + (deferring == nullptr ? 1 : 2)) {}

  ~State() { ring.Abandon(); }

  Status Start() {
    if (const auto failed = ring.failure()) return *failed;
    started = true;
    Status status = StartThreads();
    if (!status) ring.Fail(0, status.error());
    return status;
  }

  Status StartThreads() {
    if (watcher) {
      WCLAYER_TRY(watching.Start(ring, 1, [this] {
        const auto watch = [this](SlabRing::Slab& filled) -> Status {
          watcher(filled.filled());
          return {};
        };
        return ForEachSlab(ring, 1, watch, [] { return Status(); });
      }));
    }
    if (deferring != nullptr) {
      WCLAYER_TRY(deferring->Defer());
      WCLAYER_TRY(finishing.Start(ring, writer + 1, [this] {
        const auto run = [this](SlabRing::Slab&) { return deferring->RunSealed(); };
        return ForEachSlab(ring, writer + 1, run, [] { return Status(); });
      }));
    }
    return writing.Start(ring, writer, [this] {
      const auto write = [this](SlabRing::Slab& filled) -> Status {
        WCLAYER_TRY(next->Write(filled.filled()));
        return deferring == nullptr ? Status() : deferring->Seal();
      };
      return ForEachSlab(ring, writer, write, [this] { return next->Finish(); });
    });
  }

  ByteSink* next;
  Watcher watcher;
  DeferringSink* deferring;
  const std::size_t writer;  // the stage that writes to `next`
  SlabRing ring;
  SlabRing::Slab* slab = nullptr;  // in hand
  bool started = false;
  bool finished = false;
  StageThread watching;
  StageThread writing;
  StageThread finishing;
};

ThreadedSink::ThreadedSink(ByteSink& next, StageOptions options, Watcher watcher,
                           DeferringSink* deferring)
    : state_(std::make_unique<State>(next, options, std::move(watcher), deferring)) {}

ThreadedSink::~ThreadedSink() = default;

Expected<MutableBytes> ThreadedSink::Room() {
  State& state = *state_;
  if (state.finished) return Error(Errc::kInternal, "bytes written to a stage that has finished");
  if (!state.started) WCLAYER_TRY(state.Start());
  if (state.slab == nullptr) {
    WCLAYER_ASSIGN(state.slab, state.ring.Next(0));
  }
  return MutableBytes(state.slab->bytes).subspan(state.slab->used);
}

Status ThreadedSink::Filled(std::size_t bytes) {
  State& state = *state_;
  if (state.slab == nullptr || bytes > state.slab->bytes.size() - state.slab->used)
    return Error(Errc::kInternal, "more bytes came than there was room for");
  state.slab->used += bytes;
  if (state.slab->used != state.slab->bytes.size()) return {};
  state.slab = nullptr;
  state.ring.Pass(0);
  return {};
}

Status ThreadedSink::Write(Bytes bytes) {
  while (!bytes.empty()) {
    WCLAYER_ASSIGN(const MutableBytes room, Room());
    const std::size_t count = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), count, room.begin());
    WCLAYER_TRY(Filled(count));
    bytes = bytes.subspan(count);
  }
  return {};
}

Status ThreadedSink::Finish() {
  State& state = *state_;
  if (!state.started) return state.next->Finish();  // nothing was written
  if (!state.finished) {
    state.finished = true;
    if (state.slab != nullptr && state.slab->used != 0) state.ring.Pass(0);
    state.slab = nullptr;
    state.ring.End();
    state.watching.Join();
    state.writing.Join();
    state.finishing.Join();
  }
  if (const auto failure = state.ring.failure()) return *failure;
  return {};
}

}  // namespace wclayer::io
