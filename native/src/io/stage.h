// A stage that works beside its writer: what is written to it is handed over, in reused slabs
// through a bounded ring, to the next stage, for which there are threads of its own.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "io/sink.h"

namespace wclayer::io {

struct StageOptions {
  std::size_t slab_bytes = 256u << 10;
  std::size_t slabs = 4;  // memory: slab_bytes × slabs; the writer waits when all are full
};

// Looks at bytes on their way, as a digest does.
using Watcher = std::function<void(Bytes)>;

// Write copies into the slab in hand, Room is in it; a failure of the next stage is returned by a
// later Write and by Finish (whatever the stage threw is such a failure too). Bytes reach the next
// stage when a slab is full, or by Finish. Finish waits until the next stage has finished.
// Destroyed without Finish: the next stage is abandoned (its Finish is never called) and the
// threads joined.
//
// A watcher sees every byte before the next stage does, in the same slab. `deferring`, the next
// sink itself: what it puts off is done behind it. The three are called side by side, each by one
// thread at a time: one of this stage's, or the writer's where that would only wait (io/ring.h).
class ThreadedSink final : public ByteSink {
 public:
  explicit ThreadedSink(ByteSink& next, StageOptions options = {}, Watcher watcher = {},
                        DeferringSink* deferring = nullptr);
  ~ThreadedSink() override;
  Status Write(Bytes bytes) override;
  Expected<MutableBytes> Room() override;  // what is left of the slab in hand
  Status Filled(std::size_t bytes) override;
  Status Finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wclayer::io
