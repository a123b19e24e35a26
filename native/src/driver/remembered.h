// What was read of each layer of a home, for as long as its folder and its private folder hold the
// same names: a list of 10,000 layers looks at each of them again, but reads only those that
// changed. Our own files are replaced, never written over (fs/small_file.h), so each change is one
// of names; damage that was done to a file since shows in Verify and in a process that starts.
#pragma once

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/expected.h"
#include "fs/dir.h"

namespace wclayer {

// Threads may share it.
template <class Value>
class Remembered {
 public:
  // What `read` gave for the layer `id`, or gives now: an Expected<std::optional<Value>>, of which
  // nothing and errors are not remembered.
  template <class Read>
  Expected<std::optional<Value>> Get(const fs::Dir& home, const std::string& id, Read read) {
    const auto now = std::chrono::system_clock::now();
    const auto folder = home.StampOf(id);
    const auto own = home.StampOf(id + "/.wclayer");
    const bool settled = folder && own && Settled(*folder, now) && Settled(*own, now);
    const Stamps stamps = settled ? Stamps(*folder, *own) : Stamps();
    if (settled) {
      if (std::optional<Value> known = Known(id, stamps)) return known;
    }
    // Stamped before it is read: what changes in between has another stamp the next time.
    Expected<std::optional<Value>> value = read();
    if (settled && value && *value) {
      const std::lock_guard lock(mutex_);
      known_.insert_or_assign(id, std::pair(stamps, **value));
    }
    return value;
  }

  // Forgets all layers but these, in order.
  void Keep(const std::vector<std::string>& ids) {
    const std::lock_guard lock(mutex_);
    if (known_.size() <= ids.size()) return;
    std::erase_if(known_, [&](const auto& item) {
      return !std::binary_search(ids.begin(), ids.end(), item.first);
    });
  }

 private:
  using Stamps = std::pair<fs::Stamp, fs::Stamp>;

  // A file system's clock ticks every few milliseconds: two changes within a tick have one stamp.
  static bool Settled(const fs::Stamp& stamp, std::chrono::system_clock::time_point now) {
    constexpr std::chrono::seconds kLongEnough{1};
    const std::chrono::seconds changed(stamp.ctime_seconds + 1);
    return now.time_since_epoch() >= changed + kLongEnough;
  }

  std::optional<Value> Known(const std::string& id, const Stamps& stamps) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(id);
    if (found == known_.end() || found->second.first != stamps) return std::nullopt;
    return found->second.second;
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::pair<Stamps, Value>> known_;
};

}  // namespace wclayer
