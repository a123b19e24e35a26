#include "vmcompute/call_gate.h"

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>

#include "vmcompute/guarded_call.h"

namespace wclayer::vmcompute {
namespace {

using Clock = std::chrono::steady_clock;

struct Job {
  GateCall call;
  Hresult result = 0;
  std::uint32_t exception = 0;
  std::thread::id thread;  // that took it up
  bool done = false;
  bool given_up = false;
};

// What a call does, where an exception of Windows ends no more than the call.
void Execute(Job& job) {
  job.exception = GuardedCall(
      [](void* context) {
        Job& running = *static_cast<Job*>(context);
        running.result = running.call.run();
      },
      &job);
}

// Calls about no layer are told apart by their name: a second one of the same kind would hang too.
std::string KeyOf(const GateCall& call) {
  return call.layer.empty() ? std::string("?") + call.name : call.layer;
}

std::string Seconds(std::chrono::milliseconds time) {
  const auto tenths = time.count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

Error Exception(const GateCall& call, std::uint32_t code) {
  char text[12];
  std::snprintf(text, sizeof text, "0x%08x", code);
  Error error(Errc::kPlatform, std::string(call.name) + " raised the structured exception " + text +
                                   "; vmcompute.dll is in no known state in this process");
  error.hresult = static_cast<std::int32_t>(code);
  return error;
}

}  // namespace

struct CallGate::State {
  struct Stuck {
    int calls = 0;
    std::string name;
    Clock::time_point since;
    std::deque<GateCall> behind;
  };

  mutable std::mutex mutex;
  std::condition_variable work;     // for threads without a job
  std::condition_variable changed;  // a job is done, or a place is free
  std::deque<std::shared_ptr<Job>> queue;
  std::map<std::thread::id, std::thread> threads;
  std::set<std::thread::id> left;  // threads whose call was given up and is not over
  std::size_t idle = 0;
  bool closing = false;
  std::uint32_t running = 0;
  bool alone_taken = false;
  std::map<std::string, Stuck> stuck;
  std::map<std::string, std::vector<std::string>> prepared;

  TimeIsUp time_is_up;

  template <class Condition>
  bool Wait(std::unique_lock<std::mutex>& lock, const GateCall& call, Clock::time_point end,
            const Condition& condition);
  static void Work(const std::shared_ptr<State>& state);
  bool Submit(const std::shared_ptr<State>& self, const std::shared_ptr<Job>& job);
  void Settle(std::unique_lock<std::mutex>& lock, Job& job);
  Error Refusal(const Stuck& first, const GateCall& call) const;
};

// A thread of the gate.
void CallGate::State::Work(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  for (;;) {
    while (state->queue.empty() && !state->closing) {
      ++state->idle;
      state->work.wait(lock);
      --state->idle;
    }
    if (state->queue.empty()) return;
    const std::shared_ptr<Job> job = std::move(state->queue.front());
    state->queue.pop_front();
    job->thread = std::this_thread::get_id();
    lock.unlock();
    Execute(*job);
    lock.lock();
    job->done = true;
    if (job->given_up) {
      state->Settle(lock, *job);
      state->left.erase(std::this_thread::get_id());
    }
    state->changed.notify_all();
  }
}

// False: this process gets no more threads.
bool CallGate::State::Submit(const std::shared_ptr<State>& self, const std::shared_ptr<Job>& job) {
  if (idle <= queue.size()) {
    try {
      std::thread thread(Work, self);
      const auto id = thread.get_id();
      threads.emplace(id, std::move(thread));
    } catch (const std::system_error&) {
      return false;
    }
  }
  queue.push_back(job);
  work.notify_one();
  return true;
}

// After the return of a call that was given up: takes back what it did, then makes the calls that
// waited behind it, in their order.
void CallGate::State::Settle(std::unique_lock<std::mutex>& lock, Job& job) {
  const std::string key = KeyOf(job.call);
  if (job.call.late && job.exception == 0) {
    Job undo;
    undo.call.run = [&job] {
      job.call.late(job.result);
      return kOk;
    };
    lock.unlock();
    Execute(undo);
    lock.lock();
  }
  const auto at = stuck.find(key);
  --at->second.calls;
  while (at->second.calls == 0 && !at->second.behind.empty()) {  // the last one to return does that
    Job next;
    next.call = std::move(at->second.behind.front());
    at->second.behind.pop_front();
    ++at->second.calls;  // still refused: it may hang as well
    lock.unlock();
    Execute(next);
    lock.lock();
    --at->second.calls;
  }
  if (at->second.calls == 0) stuck.erase(at);
}

Error CallGate::State::Refusal(const Stuck& first, const GateCall& call) const {
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - first.since);
  std::string text = first.name + " on this layer has not returned for " + Seconds(elapsed) + "; ";
  text += call.queues ? std::string(call.name) + " follows when it does"
                      : "the layer is refused until it does";
  return Error(Errc::kCallTimeout, std::move(text));
}

template <class Condition>
bool CallGate::State::Wait(std::unique_lock<std::mutex>& lock, const GateCall& call,
                           Clock::time_point end, const Condition& condition) {
  if (!time_is_up) return changed.wait_until(lock, end, condition);
  while (!condition()) {
    if (time_is_up(call)) return false;
    changed.wait_for(lock, std::chrono::milliseconds(1));
  }
  return true;
}

CallGate::CallGate(TimeIsUp time_is_up) : state_(std::make_shared<State>()) {
  state_->time_is_up = std::move(time_is_up);
}

CallGate::~CallGate() {
  std::map<std::thread::id, std::thread> threads;
  std::set<std::thread::id> left;
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
    threads.swap(state_->threads);
    left = state_->left;
    state_->work.notify_all();
  }
  for (auto& [id, thread] : threads) {
    if (left.count(id) == 0) {
      thread.join();
    } else {
      StayLoaded();
      thread.detach();
    }
  }
}

Expected<Hresult> CallGate::Run(GateCall call, const CallRules& rules) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  const std::string key = KeyOf(call);
  const auto refuse = [&]() -> std::optional<Error> {
    const auto at = state.stuck.find(key);
    if (at == state.stuck.end()) return std::nullopt;
    Error error = state.Refusal(at->second, call);
    if (call.queues) at->second.behind.push_back(call);
    return error;
  };
  const auto free_place = [&] {
    return state.running < rules.limit && !(call.alone && state.alone_taken);
  };
  if (auto refused = refuse()) return *std::move(refused);
  if (!state.Wait(lock, call, Clock::now() + rules.deadline, free_place)) {
    return Error(Errc::kLayerBusy, "no turn for " + std::string(call.name) + " came within " +
                                       Seconds(rules.deadline) + ": " +
                                       std::to_string(state.running) +
                                       " calls of vmcompute.dll are running (option callLimit)");
  }
  if (auto refused = refuse()) return *std::move(refused);  // somebody hung meanwhile

  const bool alone = call.alone;
  auto job = std::make_shared<Job>();
  job->call = std::move(call);
  const auto since = Clock::now();
  if (!state.Submit(state_, job))
    return Error(Errc::kPlatform, "no thread could be started for " + std::string(job->call.name));
  ++state.running;
  if (alone) state.alone_taken = true;
  const bool done = state.Wait(lock, job->call, since + rules.deadline, [&] { return job->done; });
  --state.running;
  if (alone) state.alone_taken = false;
  state.changed.notify_all();
  if (done) {
    if (job->exception != 0) return Exception(job->call, job->exception);
    return job->result;
  }
  if (job->thread == std::thread::id()) {
    // This computer is so busy that no thread has begun it; then it is not made at all.
    std::erase(state.queue, job);
    return Error(Errc::kLayerBusy, "no thread began " + std::string(job->call.name) + " within " +
                                       Seconds(rules.deadline) + " (option callTimeout)");
  }
  job->given_up = true;
  state.left.insert(job->thread);
  State::Stuck& stuck = state.stuck[key];
  if (stuck.calls++ == 0) {
    stuck.name = job->call.name;
    stuck.since = since;
  }
  return Error(Errc::kCallTimeout, std::string(job->call.name) + " has not returned for " +
                                       Seconds(rules.deadline) +
                                       " (option callTimeout); the layer is refused until it does");
}

std::vector<Suspect> CallGate::Suspects() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<Suspect> suspects;
  const auto now = Clock::now();
  for (const auto& [key, stuck] : state_->stuck) {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - stuck.since);
    suspects.push_back({key.front() == '?' ? std::string() : key, stuck.name, elapsed});
  }
  return suspects;
}

void CallGate::Hold(const std::string& layer, std::vector<std::string> parents) {
  const std::lock_guard lock(state_->mutex);
  state_->prepared[layer] = std::move(parents);
}

void CallGate::Release(const std::string& layer) {
  const std::lock_guard lock(state_->mutex);
  state_->prepared.erase(layer);
}

std::string CallGate::HolderOf(const std::string& layer) const {
  const std::lock_guard lock(state_->mutex);
  for (const auto& [child, parents] : state_->prepared) {
    if (child == layer) return child;
    for (const std::string& parent : parents)
      if (parent == layer) return child;
  }
  return {};
}

}  // namespace wclayer::vmcompute
