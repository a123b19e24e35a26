#include "fs/lock_wait.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "fs/lock.h"
#include "fs/system.h"

namespace wclayer::fs {
namespace {

constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{50};
constexpr std::chrono::hours kLongestWait{24 * 365};  // a longer wait would overflow the clock

}  // namespace

std::string HolderNamed(std::string_view pid, std::uint64_t own_pid) {
  if (pid.empty() || pid.size() > kMaxPidDigits ||
      pid.find_first_not_of("0123456789") != std::string_view::npos)
    return "another process or thread";
  return pid == std::to_string(own_pid) ? "another thread of this process"
                                        : "process " + std::string(pid);
}

LockWait::LockWait(std::chrono::milliseconds wait, const std::function<bool()>& keep_waiting)
    : keep_waiting_(keep_waiting),
      deadline_(Clock::now() + std::clamp<std::chrono::milliseconds>(wait, {}, kLongestWait)),
      pause_(kFirstPause) {}

Status LockWait::Pause(const std::string& file, const std::function<std::string()>& holder) {
  const Clock::time_point now = Clock::now();
  if (now >= deadline_) {
    Error error(Errc::kLayerBusy, "locked by " + holder());
    error.operation = "lock";
    error.path = file;
    return error;
  }
  if (keep_waiting_ && !keep_waiting_())
    return Error(Errc::kCancelled, "cancelled while locked by " + holder());
  std::this_thread::sleep_for(std::min<Clock::duration>(pause_, deadline_ - now));
  pause_ = std::min(pause_ * 2, kLongestPause);
  return {};
}

Status RemoveFreeLocks(const Dir& folder, std::string_view prefix) {
  WCLAYER_ASSIGN(const std::vector<Listed> files, folder.List());
  for (const Listed& file : files) {
    if (!file.name.starts_with(prefix)) continue;
    const auto lock = FileLock::Acquire(folder, file.name, LockMode::kExclusive, {});
    if (!lock) continue;  // in use
    if (auto removed = folder.Remove(file.name); !removed && !IsGone(removed.error()))
      return removed;
  }
  return {};
}

}  // namespace wclayer::fs
