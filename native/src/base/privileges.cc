#include "base/privileges.h"

namespace wclayer {

void Privileges::State::Release(const std::string& name) {
  Entry& entry = entries[name];
  if (--entry.holds > 0) return;
  if (!entry.was_on) {
    auto off = adjust(name, false);
    (void)off.has_value();  // then the process keeps what it had a right to anyway
  }
  entries.erase(name);
}

Expected<PrivilegeHold> Privileges::Acquire(const std::vector<std::string>& names) {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> held;
  for (const std::string& name : names) {
    Entry& entry = state_->entries[name];
    if (entry.holds == 0) {
      auto was_on = state_->adjust(name, true);
      if (!was_on) {
        state_->entries.erase(name);
        for (const std::string& other : held) state_->Release(other);
        return std::move(was_on).error();
      }
      entry.was_on = *was_on;
    }
    ++entry.holds;
    held.push_back(name);
  }
  return PrivilegeHold(new int(0), [state = state_, held](const int* token) {
    delete token;
    const std::lock_guard release(state->mutex);
    for (const std::string& name : held) state->Release(name);
  });
}

}  // namespace wclayer
