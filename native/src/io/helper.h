// A thread that waits for small pieces of work, for which starting one would cost more than they do.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace wclayer::io {

// Any thread may call it. Its thread starts with the first piece of work and ends with the object;
// between two pieces it sleeps.
class Helper {
 public:
  Helper() = default;
  ~Helper();  // of nobody's work may any be left
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  // Asks for `work`, which must not throw, in the name of `owner`. It may never come to it: without
  // a second processor, a thread or memory, or because Withdraw comes first. So it has to be
  // something that the owner does itself where nobody else has done it.
  void Ask(const void* owner, std::function<void()> work) noexcept;
  // Afterwards none of the owner's work is being done, or will be.
  void Withdraw(const void* owner) noexcept;

 private:
  struct Errand {
    const void* owner = nullptr;
    std::function<void()> work;
  };
  void Run() noexcept;

  std::mutex mutex_;
  std::condition_variable asked_;
  std::condition_variable done_;
  std::deque<Errand> errands_;
  const void* at_work_for_ = nullptr;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace wclayer::io
