// A Windows of the tests' own: its clock moves when somebody sleeps, and it tells what it was
// asked.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "vmcompute/host.h"

namespace wclayer::test {

class FakeHost final : public vmcompute::Host {
 public:
  FakeHost()
      : privileges([this](const std::string& name, bool on) -> Expected<bool> {
          if (name == missing_privilege)
            return Error(Errc::kAccessDenied, "the process lacks the privilege " + name);
          const bool was = enabled[name];
          enabled[name] = on;
          return was;
        }) {}

  std::chrono::milliseconds Now() override {
    const std::lock_guard lock(mutex);
    return now;
  }
  void Sleep(std::chrono::milliseconds time) override {
    {
      const std::lock_guard lock(mutex);
      now += time;
      sleeps.push_back(time.count());
    }
    if (asleep) asleep();
  }
  Expected<std::string> OsVersion() override { return os_version; }
  Expected<std::string> FileSystemOf(const std::string&) override { return file_system; }
  std::string HoldersOf(const std::vector<std::string>&) override { return holders; }
  Status DetachDisk(const std::string& file) override {
    detached.push_back(file);
    if (detach) return detach();
    return {};
  }
  Expected<PrivilegeHold> HoldPrivileges(const std::vector<std::string>& names) override {
    return privileges.Acquire(names);
  }
  std::vector<std::string> Enabled() const {
    std::vector<std::string> names;
    for (const auto& [name, on] : enabled)
      if (on) names.push_back(name);
    return names;
  }

  std::mutex mutex;
  std::chrono::milliseconds now{0};
  std::vector<std::int64_t> sleeps;
  std::function<void()> asleep;
  std::string os_version = "10.0.20348";
  std::string file_system = "NTFS";
  std::string holders;
  std::vector<std::string> detached;
  std::function<Status()> detach;
  std::string missing_privilege;
  std::map<std::string, bool> enabled;
  Privileges privileges;
};

}  // namespace wclayer::test
