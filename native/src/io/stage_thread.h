// The thread of one stage of a SlabRing.
#pragma once

#include <thread>
#include <utility>

#include "io/ring.h"
#include "io/thread_error.h"

namespace wclayer::io {

// Joins when destroyed: give the ring a reason to end first (End, Fail, Abandon).
class StageThread {
 public:
  StageThread() = default;
  ~StageThread() { Join(); }
  StageThread(const StageThread&) = delete;
  StageThread& operator=(const StageThread&) = delete;

  // Runs `body`, which gives a Status; its failure, or what it throws, becomes the stage's.
  template <class Body>
  Status Start(SlabRing& ring, std::size_t stage, Body body) {
    return StartThread(thread_, [&ring, stage, body = std::move(body)]() mutable {
      if (Status result = Guarded(body); !result) ring.Fail(stage, std::move(result).error());
    });
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

// Calls `use` for every slab that comes to `stage`, then `end`.
template <class Use, class End>
Status ForEachSlab(SlabRing& ring, std::size_t stage, Use&& use, End&& end) {
  for (;;) {
    WCLAYER_ASSIGN(SlabRing::Slab * slab, ring.Next(stage));
    if (slab == nullptr) return end();
    WCLAYER_TRY(use(*slab));
    ring.Pass(stage);
  }
}

}  // namespace wclayer::io
