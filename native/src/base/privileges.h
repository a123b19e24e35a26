// Privileges of the process, counted: whoever needs some holds them, and the last one to let go
// puts them back as they were (L13). Two users of one privilege never take it from each other.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/expected.h"

namespace wclayer {

// What reading and writing the files of a layer needs on Windows (vmcompute-abi §10).
inline constexpr const char* kBackupPrivilege = "SeBackupPrivilege";
inline constexpr const char* kRestorePrivilege = "SeRestorePrivilege";
inline constexpr const char* kSecurityPrivilege = "SeSecurityPrivilege";

// Something held until the last copy of it goes.
using PrivilegeHold = std::shared_ptr<const void>;

class Privileges {
 public:
  // Turns a privilege on or off; gives whether it was on. kAccessDenied: the process lacks it.
  using Adjust = std::function<Expected<bool>(const std::string& name, bool on)>;
  explicit Privileges(Adjust adjust) : state_(std::make_shared<State>()) {
    state_->adjust = std::move(adjust);
  }

  // All of them, or none and the error that names the one that is missing.
  Expected<PrivilegeHold> Acquire(const std::vector<std::string>& names);

 private:
  struct Entry {
    std::uint64_t holds = 0;
    bool was_on = false;
  };
  struct State {
    Adjust adjust;
    std::mutex mutex;
    std::map<std::string, Entry> entries;
    void Release(const std::string& name);  // with the mutex held
  };
  std::shared_ptr<State> state_;
};

#if defined(_WIN32)
// Those of this process: one count for everybody in it.
Privileges& ProcessPrivileges();
#endif

}  // namespace wclayer
