#include "io/ring.h"

#include <algorithm>
#include <limits>

namespace wclayer::io {

SlabRing::SlabRing(std::size_t slabs, std::size_t slab_bytes, std::size_t stages)
    : slab_bytes_(std::max<std::size_t>(slab_bytes, 1)),
      ring_(std::max<std::size_t>(slabs, 1)),
      wake_(std::max<std::size_t>(stages, 2)),
      passed_(wake_.size()) {}

bool SlabRing::IsThere(std::size_t stage) const {
  if (stage == 0) return passed_.front() - passed_.back() < ring_.size();
  return passed_[stage] != passed_[stage - 1];
}

// Whether `stage` has nothing more to get but the failure.
bool SlabRing::Stopped(std::size_t stage) const {
  return failure_ && (stage <= failed_stage_ || passed_[stage] == passed_[failed_stage_]);
}

// Whether a stage that sleeps has something to do.
bool SlabRing::Ready(std::size_t stage) const {
  if (Stopped(stage)) return true;
  if (stage == 0) return passed_.front() - passed_.back() <= ring_.size() / 2;
  // At the end, a slab may still be with a stage between.
  return IsThere(stage) || (ended_ && passed_[stage] == passed_.front());
}

void SlabRing::WakeAll() {
  for (auto& stage : wake_) stage.notify_one();
}

// With the mutex held.
Expected<SlabRing::Slab*> SlabRing::Take(std::size_t stage) {
  if (Stopped(stage)) return *failure_;
  if (!IsThere(stage)) return nullptr;
  Slab& slab = ring_[passed_[stage] % ring_.size()];
  if (stage == 0) slab.used = 0;
  return &slab;
}

Expected<SlabRing::Slab*> SlabRing::Next(std::size_t stage) {
  std::unique_lock lock(mutex_);
  if (!IsThere(stage)) wake_[stage].wait(lock, [&] { return Ready(stage); });
  WCLAYER_ASSIGN(Slab * slab, Take(stage));
  lock.unlock();
  // It is this stage's alone until it is passed on.
  if (stage == 0 && slab->bytes.empty()) slab->bytes = PageBuffer(slab_bytes_);
  return slab;
}

Expected<SlabRing::Slab*> SlabRing::NextIfThere(std::size_t stage) {
  const std::lock_guard lock(mutex_);
  return Take(stage);
}

void SlabRing::Pass(std::size_t stage) {
  const std::lock_guard lock(mutex_);
  ++passed_[stage];
  const std::size_t next = (stage + 1) % passed_.size();
  if (Ready(next)) wake_[next].notify_one();
}

void SlabRing::End() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  WakeAll();
}

void SlabRing::Fail(std::size_t stage, Error error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(error);
  failed_stage_ = std::max(failed_stage_, stage);  // what this one has cannot come any more
  WakeAll();
}

void SlabRing::Abandon() {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = Error(Errc::kCancelled, "abandoned");
  failed_stage_ = std::numeric_limits<std::size_t>::max();
  WakeAll();
}

std::optional<Error> SlabRing::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace wclayer::io
