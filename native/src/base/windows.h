// Shared by the *_windows.cc files of all modules: handles, paths and errors of Win32 and NT calls.
#pragma once

#ifndef _WIN32
#error "only the Windows files of a module include this"
#endif

#include <windows.h>
// A macro of windows.h, and a name of ours.
#undef CreateFile

#include <cstdint>
#include <string>
#include <string_view>

#include "base/expected.h"

namespace wclayer::windows {

// A descriptor of ours is a handle cut to 32 bits: Windows hands out no wider ones, so that 32-bit
// programs can use them, and widens them by their sign ("Interprocess Communication Between 32-bit
// and 64-bit Applications"). INVALID_HANDLE_VALUE is -1 in both.
inline int Descriptor(HANDLE handle) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(handle));
}
inline HANDLE Handle(int descriptor) {
  return reinterpret_cast<HANDLE>(static_cast<std::intptr_t>(descriptor));
}

// The errno that says the same as a Win32 error; EIO when none does.
int ErrnoOf(std::uint32_t code);
// SystemError's twin: its errno as above, its text Windows' own with the code.
Error Failure(std::uint32_t code, std::string_view call, std::string_view path);
Error LastError(std::string_view call, std::string_view path);  // of GetLastError
Error NtFailure(std::int32_t status, std::string_view call, std::string_view path);

// (W)UTF-8 to and from Windows' own form.
Expected<std::wstring> Wide(std::string_view text);
std::string Narrow(std::wstring_view text);

// An absolute path in its `\\?\` form, which has no limit of 260 units and no names with a meaning;
// relative parts, '/' and the other spellings of Windows are resolved first.
Expected<std::wstring> LongPath(std::string_view path);

}  // namespace wclayer::windows
