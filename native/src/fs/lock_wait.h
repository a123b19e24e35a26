// What waiting for a lock file is on every system.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/expected.h"

namespace wclayer::fs {

inline constexpr std::size_t kMaxPidDigits = 10;

// Who holds a lock, in words; `pid` as far as it is known.
std::string HolderNamed(std::string_view pid, std::uint64_t own_pid);

// Pauses that grow, up to a deadline.
class LockWait {
 public:
  LockWait(std::chrono::milliseconds wait, const std::function<bool()>& keep_waiting);
  // Sleeps a little; kLayerBusy when the time is up, kCancelled when nobody wants to wait any more.
  Status Pause(const std::string& file, const std::function<std::string()>& holder);

 private:
  using Clock = std::chrono::steady_clock;
  const std::function<bool()>& keep_waiting_;
  Clock::time_point deadline_;
  std::chrono::milliseconds pause_;
};

}  // namespace wclayer::fs
