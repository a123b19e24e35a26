#include "io/helper.h"

#include <new>
#include <system_error>

#include "io/thread_error.h"

namespace wclayer::io {

Helper::~Helper() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  asked_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Helper::Ask(Errand& errand) noexcept {
  // With one processor it would only take turns with who asks.
  static const bool alone = std::thread::hardware_concurrency() < 2;
  if (alone) return;
  try {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
    errands_.push_back(&errand);
    errand.state_ = Errand::State::kAsked;
  } catch (const std::bad_alloc&) {
    return;
  } catch (const std::system_error&) {
    return;
  }
  asked_.notify_one();
}

// Whether nobody has begun it, and nobody will. Else it is done when this returns.
bool Helper::TakeBack(Errand& errand, std::unique_lock<std::mutex>& lock) {
  if (errand.state_ == Errand::State::kAsked) {
    std::erase(errands_, &errand);
    errand.state_ = Errand::State::kNobodys;
  }
  done_.wait(lock, [&] { return errand.state_ != Errand::State::kBegun; });
  return errand.state_ == Errand::State::kNobodys;
}

Status Helper::Finish(Errand& errand) {
  {
    std::unique_lock lock(mutex_);
    if (!TakeBack(errand, lock)) return errand.result_;
    errand.state_ = Errand::State::kDone;
  }
  return errand.result_ = Guarded(errand.work_);
}

bool Helper::IsAt(const Errand& errand) const {
  const std::lock_guard lock(mutex_);
  return errand.state_ == Errand::State::kBegun;
}

void Helper::Withdraw(Errand& errand) noexcept {
  std::unique_lock lock(mutex_);
  TakeBack(errand, lock);
}

void Helper::Run() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    asked_.wait(lock, [&] { return over_ || !errands_.empty(); });
    if (over_) return;
    Errand& errand = *errands_.front();
    errands_.pop_front();
    errand.state_ = Errand::State::kBegun;
    lock.unlock();
    errand.result_ = Guarded(errand.work_);
    lock.lock();
    errand.state_ = Errand::State::kDone;  // its owner may let it go from here on
    lock.unlock();
    done_.notify_all();
    lock.lock();
  }
}

}  // namespace wclayer::io
