// A thread that waits for small pieces of work, for which starting one would cost more than they
// do.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "base/expected.h"

namespace wclayer::io {

// Any thread may call it. Its thread starts with the first piece of work and ends with the object;
// between two pieces it sleeps.
class Helper {
 public:
  // One piece of work. Lives until Finish or Withdraw has returned.
  class Errand {
   public:
    explicit Errand(std::function<Status()> work) : work_(std::move(work)) {}

   private:
    friend class Helper;
    enum class State : std::uint8_t { kNobodys, kAsked, kBegun, kDone };
    std::function<Status()> work_;
    State state_ = State::kNobodys;
    Status result_;
  };

  Helper() = default;
  ~Helper();  // every errand has ended
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  // The work may begin now. Without a second processor, a thread or memory it does not: Finish sees
  // to it.
  void Ask(Errand& errand) noexcept;
  // What the work gave; done here if nobody has begun it.
  Status Finish(Errand& errand);
  // Whether it is being done.
  bool IsAt(const Errand& errand) const;
  // It is not being done, and will not be.
  void Withdraw(Errand& errand) noexcept;

 private:
  void Run() noexcept;
  bool TakeBack(Errand& errand, std::unique_lock<std::mutex>& lock);

  mutable std::mutex mutex_;
  std::condition_variable asked_;
  std::condition_variable done_;
  std::deque<Errand*> errands_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace wclayer::io
