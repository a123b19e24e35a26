#include "io/stage.h"

#include <algorithm>

#include "io/ring.h"

namespace wclayer::io {

struct ThreadedSink::State {
  using Slab = SlabRing::Slab;
  State(ByteSink& sink, StageOptions options, Watcher watch, DeferringSink* behind)
      : next(&sink),
        watcher(std::move(watch)),
        deferring(behind),
        writer(watcher ? 2 : 1),
        ring(options.slabs, options.slab_bytes, writer + (deferring == nullptr ? 1 : 2)) {}

  Status Start() {
    started = true;
    if (deferring != nullptr) {
      if (Status deferred = deferring->Defer(); !deferred) {
        ring.Fail(0, deferred.error());
        return deferred;
      }
      ring.Employ(writer + 1, {[this](Slab&) { return deferring->RunSealed(); }});
    }
    if (watcher) ring.Employ(1, {[this](Slab& filled) { return Watch(filled.filled()); }});
    ring.Employ(writer, {[this](Slab& filled) { return WriteNext(filled.filled()); },
                         [this] { return next->Finish(); }});
    return ring.StartThreads();
  }

  Status Watch(Bytes bytes) {
    watcher(bytes);
    return {};
  }
  Status WriteNext(Bytes bytes) {
    WCLAYER_TRY(next->Write(bytes));
    return deferring == nullptr ? Status() : deferring->Seal();
  }

  ByteSink* next;
  Watcher watcher;
  DeferringSink* deferring;
  const std::size_t writer;  // the stage that writes to `next`
  SlabRing ring;             // ends, with its threads, before the rest
  Slab* slab = nullptr;      // in hand
  bool started = false;
  bool finished = false;
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
  }
  return state.ring.Complete();
}

}  // namespace wclayer::io
