#include "io/helper.h"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

namespace wclayer::io {

Helper::~Helper() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  asked_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Helper::Ask(const void* owner, std::function<void()> work) noexcept {
  // With one processor it would only take turns with who asks.
  static const bool alone = std::thread::hardware_concurrency() < 2;
  if (alone) return;
  try {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
    errands_.push_back({owner, std::move(work)});
  } catch (const std::bad_alloc&) {
    return;
  } catch (const std::system_error&) {
    return;
  }
  asked_.notify_one();
}

void Helper::Withdraw(const void* owner) noexcept {
  std::unique_lock lock(mutex_);
  std::erase_if(errands_, [&](const Errand& errand) { return errand.owner == owner; });
  done_.wait(lock, [&] { return at_work_for_ != owner; });
}

void Helper::Run() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    asked_.wait(lock, [&] { return over_ || !errands_.empty(); });
    if (over_) return;
    const Errand errand = std::move(errands_.front());
    errands_.pop_front();
    at_work_for_ = errand.owner;
    lock.unlock();
    errand.work();
    lock.lock();
    at_work_for_ = nullptr;
    lock.unlock();
    done_.notify_all();
    lock.lock();
  }
}

}  // namespace wclayer::io
