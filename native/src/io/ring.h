// A bounded ring of reused slabs that pass through stages, each in a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"
#include "base/page_buffer.h"

namespace wclayer::io {

// Stage 0 fills the slabs, the ones behind it look at them in order, and the last one's become free
// again. Each stage is one thread. Who waits sleeps; who fills them sleeps until half of them are
// free, for a thread that is woken for each slab costs more than it does.
class SlabRing {
 public:
  struct Slab {
    PageBuffer bytes;
    std::size_t used = 0;
    Bytes filled() const { return Bytes(bytes).first(used); }
  };

  // Memory: slabs × slab_bytes, made when first needed. At least one slab of one byte, two stages.
  SlabRing(std::size_t slabs, std::size_t slab_bytes, std::size_t stages);

  // The slab that is next for `stage`; waits for it. Null: the stream has ended.
  Expected<Slab*> Next(std::size_t stage);
  // The same without waiting; null also if there is none now.
  Expected<Slab*> NextIfThere(std::size_t stage);
  // Hands the slab that Next gave to the stage behind.
  void Pass(std::size_t stage);
  void End();  // by stage 0: nothing more comes
  // By a stage that cannot go on: the stages before it learn it at once, those behind when they
  // have had what it passed on. The first failure stays.
  void Fail(std::size_t stage, Error error);
  void Abandon();  // by anybody: nobody gets anything any more
  std::optional<Error> failure() const;

 private:
  bool IsThere(std::size_t stage) const;
  bool Stopped(std::size_t stage) const;
  bool Ready(std::size_t stage) const;
  void WakeAll();
  Expected<Slab*> Take(std::size_t stage);

  const std::size_t slab_bytes_;
  std::vector<Slab> ring_;  // slab n of the stream is ring_[n % size]

  mutable std::mutex mutex_;
  std::deque<std::condition_variable> wake_;  // one for each stage
  std::vector<std::uint64_t> passed_;         // slabs that each stage has passed on
  std::optional<Error> failure_;
  std::size_t failed_stage_ = 0;
  bool ended_ = false;
};

}  // namespace wclayer::io
