#include "io/ring.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "io/thread_error.h"

namespace wclayer::io {

SlabRing::SlabRing(std::size_t slabs, std::size_t slab_bytes, std::size_t stages)
    : slab_bytes_(std::max<std::size_t>(slab_bytes, 1)),
      ring_(std::max<std::size_t>(slabs, 1)),
      stages_(std::max<std::size_t>(stages, 2)) {}

void SlabRing::Employ(std::size_t stage, Work work) {
  stages_[stage].work = std::move(work);
}

Status SlabRing::StartThreads() {
  const auto working = static_cast<std::size_t>(std::count_if(
      stages_.begin(), stages_.end(), [](const Stage& stage) { return stage.work.has_value(); }));
  const std::size_t others = std::max(std::thread::hardware_concurrency(), 2u) - 1;
  const std::size_t wanted = std::min(working, others);
  const Status started = Guarded([&]() -> Status {
    threads_.reserve(wanted);
    while (threads_.size() < wanted) {
      std::thread thread;
      WCLAYER_TRY(StartThread(thread, [this] { RunThread(); }));
      threads_.push_back(std::move(thread));
    }
    return {};
  });
  if (started || !threads_.empty()) return {};
  Fail(stages_.size() - 1, started.error());
  return started;
}

// ---- what there is to do; with the mutex held

bool SlabRing::IsThere(std::size_t stage) const {
  if (stage == 0) return stages_.front().passed - stages_.back().passed < ring_.size();
  return stages_[stage].passed != stages_[stage - 1].passed;
}

bool SlabRing::AtEnd(std::size_t stage) const {
  return ended_ && stages_[stage].passed == stages_.front().passed;
}

// Whether `stage` has nothing more to get but the failure.
bool SlabRing::Stopped(std::size_t stage) const {
  return failure_ &&
         (stage <= failed_stage_ || stages_[stage].passed == stages_[failed_stage_].passed);
}

// Whether who takes the slabs of `stage`, and sleeps, has something to take.
bool SlabRing::Ready(std::size_t stage) const {
  if (Stopped(stage)) return true;
  if (stage == 0) return stages_.front().passed - stages_.back().passed <= ring_.size() / 2;
  // At the end, a slab may still be with a stage between.
  return IsThere(stage) || AtEnd(stage);
}

// Whether nothing of its work is left, or will come.
bool SlabRing::Finished(std::size_t stage) const {
  const Stage& one = stages_[stage];
  if (!one.work || one.ended || Stopped(stage)) return true;
  return !one.work->end && AtEnd(stage);
}

// Whether somebody can begin with it now.
bool SlabRing::HasWork(std::size_t stage) const {
  return !stages_[stage].busy && !Finished(stage) && (IsThere(stage) || AtEnd(stage));
}

// The last stage's first: whoever has just done the one before has the slab in the processor's
// cache. The first's first, which keeps more in front of the slowest stage, takes a fifth longer.
std::optional<std::size_t> SlabRing::FindWork() const {
  for (std::size_t stage = stages_.size() - 1; stage != 0; --stage)
    if (HasWork(stage)) return stage;
  return std::nullopt;
}

bool SlabRing::AllDone() const {
  for (std::size_t stage = 0; stage != stages_.size(); ++stage)
    if (stages_[stage].busy || !Finished(stage)) return false;
  return true;
}

// ---- doing it

// Lets the lock go while it works.
void SlabRing::DoWork(std::size_t stage, Lock& lock) {
  Stage& one = stages_[stage];
  const Work& work = *one.work;
  one.busy = true;
  Slab* const slab = IsThere(stage) ? &ring_[one.passed % ring_.size()] : nullptr;
  if (slab == nullptr) one.ended = true;
  WakeForWork();
  lock.unlock();
  Status done = Guarded([&] { return slab == nullptr ? work.end() : work.use(*slab); });
  lock.lock();
  one.busy = false;
  if (!done) return Failed(stage, std::move(done).error());
  if (slab != nullptr) Passed(stage);
  if (ended_ || failure_) WakeAll();  // it may be what was waited for
}

void SlabRing::RunThread() noexcept {
  Lock lock(mutex_);
  while (!AllDone()) {
    if (const auto stage = FindWork()) {
      DoWork(*stage, lock);
      continue;
    }
    ++idle_;
    work_.wait(lock);
    --idle_;
  }
}

// ---- with the mutex held

void SlabRing::Passed(std::size_t stage) {
  ++stages_[stage].passed;
  const std::size_t next = (stage + 1) % stages_.size();
  if (stages_[next].asleep && Ready(next)) stages_[next].wake.notify_one();
}

void SlabRing::Failed(std::size_t stage, Error error) {
  if (!failure_) failure_ = std::move(error);
  failed_stage_ = std::max(failed_stage_, stage);  // what this one has cannot come any more
  WakeAll();
}

// Somebody who sleeps, if there is something to do. Not all: who is woken wakes the next.
void SlabRing::WakeForWork() {
  if (!FindWork()) return;
  if (idle_ != 0) return work_.notify_one();
  for (Stage& stage : stages_)
    if (stage.asleep) return stage.wake.notify_one();
}

void SlabRing::WakeAll() {
  work_.notify_all();
  for (Stage& stage : stages_) stage.wake.notify_all();
}

Expected<SlabRing::Slab*> SlabRing::Take(std::size_t stage) {
  if (Stopped(stage)) return *failure_;
  if (!IsThere(stage)) return nullptr;
  Slab& slab = ring_[stages_[stage].passed % ring_.size()];
  if (stage == 0) slab.used = 0;
  return &slab;
}

// ---- for whom the ring is

Expected<SlabRing::Slab*> SlabRing::Next(std::size_t stage) {
  Lock lock(mutex_);
  Stage& own = stages_[stage];
  bool worked = false;
  while (!IsThere(stage) && !AtEnd(stage) && !Stopped(stage)) {
    if (const auto other = FindWork()) {
      DoWork(*other, lock);
      worked = true;
      continue;
    }
    own.asleep = true;
    own.wake.wait(lock, [&] { return Ready(stage) || FindWork(); });
    own.asleep = false;
  }
  if (worked) WakeForWork();  // what this thread leaves undone
  WCLAYER_ASSIGN(Slab * slab, Take(stage));
  lock.unlock();
  // It is this stage's alone until it is passed on.
  if (stage == 0 && slab->bytes.empty()) slab->bytes = PageBuffer(slab_bytes_);
  return slab;
}

Expected<SlabRing::Slab*> SlabRing::NextIfThere(std::size_t stage) {
  const Lock lock(mutex_);
  return Take(stage);
}

void SlabRing::Pass(std::size_t stage) {
  const Lock lock(mutex_);
  Passed(stage);
  WakeForWork();
}

void SlabRing::End() {
  const Lock lock(mutex_);
  ended_ = true;
  WakeAll();
}

void SlabRing::Fail(std::size_t stage, Error error) {
  const Lock lock(mutex_);
  Failed(stage, std::move(error));
}

void SlabRing::Abandon() {
  Lock lock(mutex_);
  Failed(std::numeric_limits<std::size_t>::max(), Error(Errc::kCancelled, "abandoned"));
}

Status SlabRing::Complete() {
  RunThread();
  Join();
  const Lock lock(mutex_);
  return failure_ ? Status(*failure_) : Status();
}

void SlabRing::Stop() {
  Abandon();
  Join();
}

void SlabRing::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace wclayer::io
