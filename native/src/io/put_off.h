// Work that one thread puts off and another does later, in order.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/expected.h"

namespace wclayer::io {

// Batch: default-constructible, with empty() and clear(), which keeps its memory.
//
// One thread fills current() and seals it. RunSealed and Drain may come from any thread: who is
// first does the work, who comes later waits and finds it done. A batch runs once; after the first
// failure none does any more, and every call gives that failure.
template <class Batch>
class PutOff {
 public:
  using Run = std::function<Status(Batch&)>;
  explicit PutOff(Run run) : run_(std::move(run)) {}

  // What is being put off; of the thread that puts off.
  Batch& current() { return current_; }
  // What was put off so far may be done from now on.
  void Seal() {
    if (current_.empty()) return;
    const std::lock_guard lock(mutex_);
    sealed_.push_back(std::move(current_));
    current_ = Batch();
    if (spare_.empty()) return;
    current_ = std::move(spare_.back());
    spare_.pop_back();
  }

  Status RunSealed() {
    const std::lock_guard running(run_mutex_);
    while (!failure_) {
      Batch batch;
      {
        const std::lock_guard lock(mutex_);
        if (sealed_.empty()) return {};
        batch = std::move(sealed_.front());
        sealed_.pop_front();
      }
      if (Status done = run_(batch); !done) failure_ = std::move(done).error();
      batch.clear();
      const std::lock_guard lock(mutex_);
      spare_.push_back(std::move(batch));
    }
    return *failure_;
  }

  // Does all that has been put off, now; by the thread that puts off.
  Status Drain() {
    Seal();
    return RunSealed();
  }

 private:
  Run run_;
  Batch current_;

  std::mutex mutex_;
  std::deque<Batch> sealed_;
  std::vector<Batch> spare_;

  std::mutex run_mutex_;  // taken before mutex_
  std::optional<Error> failure_;
};

}  // namespace wclayer::io
