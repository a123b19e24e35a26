// A bounded ring of reused slabs that pass through stages.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"
#include "base/page_buffer.h"

namespace wclayer::io {

// Stage 0 fills the slabs, the ones behind it look at them in order, and the last one's become free
// again. A stage is somebody's who takes and passes its slabs (Next, Pass), one thread at a time;
// or it has work, which is done by whoever is free: a thread of the ring's own, or somebody who
// would only wait for a slab. So a few threads keep as many processors busy, however the time is
// spread over the stages, and a slab goes through them while it is in a processor's cache.
//
// Who has nothing to do sleeps; who fills slabs until half of them are free, for a thread that is
// woken for each slab costs more than it does.
class SlabRing {
 public:
  struct Slab {
    PageBuffer bytes;
    std::size_t used = 0;
    Bytes filled() const { return Bytes(bytes).first(used); }
  };
  // Called by one thread at a time, not always the same. What it throws is a failure too.
  struct Work {
    std::function<Status(Slab&)> use;  // for each slab, in order
    std::function<Status()> end = {};  // then, once, at the stream's end; not after a failure
  };

  // Memory: slabs × slab_bytes, made when first needed. At least one slab of one byte, two stages.
  SlabRing(std::size_t slabs, std::size_t slab_bytes, std::size_t stages);
  ~SlabRing() { Stop(); }
  SlabRing(const SlabRing&) = delete;
  SlabRing& operator=(const SlabRing&) = delete;

  // Gives a stage behind the first its work; before the first Next.
  void Employ(std::size_t stage, Work work);
  // Starts threads for the work: one for each stage that has some, but no more than there are
  // processors beside the one of whoever uses the ring, and fewer if the system gives no more. A
  // failure, of all stages, if it gives none.
  Status StartThreads();

  // The slab that is next for `stage`; works or waits until it is there. Null: the stream has
  // ended.
  Expected<Slab*> Next(std::size_t stage);
  // The same at once; null also if there is none now.
  Expected<Slab*> NextIfThere(std::size_t stage);
  // Hands the slab that Next gave to the stage behind.
  void Pass(std::size_t stage);
  void End();  // by stage 0: nothing more comes
  // By a stage that cannot go on: the stages before it learn it at once, those behind when they
  // have had what it passed on. The first failure stays.
  void Fail(std::size_t stage, Error error);
  void Abandon();  // by anybody: nobody gets anything any more
  // Works until all the work is done, to the end of the stream or as far as a failure lets it.
  Status Complete();
  void Stop();  // Abandon; when this returns, nobody is at work any more

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Stage {
    std::optional<Work> work;
    bool busy = false;             // somebody does its work
    bool ended = false;            // Work::end has been called
    std::uint64_t passed = 0;      // slabs that it has passed on
    bool asleep = false;           // who takes its slabs waits
    std::condition_variable wake;  // … for this
  };

  bool IsThere(std::size_t stage) const;
  bool AtEnd(std::size_t stage) const;
  bool Stopped(std::size_t stage) const;
  bool Ready(std::size_t stage) const;
  bool Finished(std::size_t stage) const;
  bool HasWork(std::size_t stage) const;
  std::optional<std::size_t> FindWork() const;
  bool AllDone() const;
  void DoWork(std::size_t stage, Lock& lock);
  void RunThread() noexcept;
  void Join();
  void Passed(std::size_t stage);
  void Failed(std::size_t stage, Error error);
  void WakeForWork();
  void WakeAll();
  Expected<Slab*> Take(std::size_t stage);

  const std::size_t slab_bytes_;
  std::vector<Slab> ring_;  // slab n of the stream is ring_[n % size]

  std::mutex mutex_;
  std::deque<Stage> stages_;
  std::condition_variable work_;  // the ring's own threads
  std::size_t idle_ = 0;          // of them
  std::optional<Error> failure_;
  std::size_t failed_stage_ = 0;
  bool ended_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace wclayer::io
