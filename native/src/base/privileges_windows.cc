#include "base/privileges.h"
#include "base/unique.h"
#include "base/windows.h"

namespace wclayer {
namespace {

void CloseToken(HANDLE token) {
  ::CloseHandle(token);
}
using Token = Unique<HANDLE, CloseToken, nullptr>;

// The privileges of the process, not of a thread: what vmcompute.dll checks is the process' token.
Expected<bool> AdjustOne(const std::string& name, bool on) {
  HANDLE raw = nullptr;
  if (::OpenProcessToken(::GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &raw) == 0)
    return windows::LastError("OpenProcessToken", name);
  const Token token(raw);
  WCLAYER_ASSIGN(const std::wstring wide, windows::Wide(name));
  TOKEN_PRIVILEGES wanted{};
  wanted.PrivilegeCount = 1;
  wanted.Privileges[0].Attributes = on ? SE_PRIVILEGE_ENABLED : 0;
  if (::LookupPrivilegeValueW(nullptr, wide.c_str(), &wanted.Privileges[0].Luid) == 0)
    return windows::LastError("LookupPrivilegeValue", name);
  TOKEN_PRIVILEGES before{};
  DWORD length = sizeof before;
  ::SetLastError(ERROR_SUCCESS);
  const BOOL done =
      ::AdjustTokenPrivileges(token.get(), FALSE, &wanted, sizeof before, &before, &length);
  const DWORD code = ::GetLastError();
  if (done == 0) return windows::Failure(code, "AdjustTokenPrivileges", name);
  // TRUE and this: the token does not have the privilege at all.
  if (code == ERROR_NOT_ALL_ASSIGNED) {
    Error error(Errc::kAccessDenied, "the process lacks the privilege " + name +
                                         "; run it as an administrator, elevated");
    error.operation = "AdjustTokenPrivileges";
    return error;
  }
  // What changed is listed; nothing is when it was as wanted.
  const bool changed = before.PrivilegeCount != 0;
  const bool was_on = changed ? (before.Privileges[0].Attributes & SE_PRIVILEGE_ENABLED) != 0 : on;
  return was_on;
}

}  // namespace

Privileges& ProcessPrivileges() {
  static Privileges privileges(AdjustOne);
  return privileges;
}

}  // namespace wclayer
