// Locks between threads and processes: flock on a small file, gone with its holder however it ends.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/expected.h"
#include "fs/dir.h"

namespace wclayer::fs {

enum class LockMode { kShared, kExclusive };

// Held while it lives; movable. Threads of one process exclude each other as processes do.
class FileLock {
 public:
  FileLock() = default;
  // Opens or makes the file `name` in `folder` and waits up to `wait` for it (0: not at all).
  // kLayerBusy names the holder: on Linux as the kernel lists it, on Windows by the pid that an
  // exclusive one wrote into the file. Information only. `keep_waiting` is asked between two tries,
  // at least every 50 ms; false ends the wait with kCancelled.
  static Expected<FileLock> Acquire(const Dir& folder, std::string_view name, LockMode mode,
                                    std::chrono::milliseconds wait,
                                    const std::function<bool()>& keep_waiting = {});
  explicit operator bool() const { return static_cast<bool>(fd_); }
  void Release() { fd_.reset(); }
  // The file behind the lock, for lock files that are removed by whoever gets them.
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

// Removes the lock files of `folder` that begin with `prefix` and nobody holds: what processes that
// ended, or failed half-way, left. For locks whose name is used once.
Status RemoveFreeLocks(const Dir& folder, std::string_view prefix);

}  // namespace wclayer::fs
