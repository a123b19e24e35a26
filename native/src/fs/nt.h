// Shared by the Windows files of this module: NT calls, which alone resolve names relative to a
// folder handle.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/windows.h"
#include "fs/dir.h"
#include "fs/win32.h"

namespace wclayer::fs {

// Everybody may read, write, rename and delete what we hold open: as on POSIX.
inline constexpr ULONG kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

struct NtOpenRequest {
  ACCESS_MASK access = 0;  // SYNCHRONIZE is added
  ULONG disposition = 1;   // FILE_OPEN
  ULONG options = 0;       // synchronous, with backup intent, added
  ULONG attributes = FILE_ATTRIBUTE_NORMAL;
};
// Opens `path` (checked; "" is the folder itself) below `dir`. No reparse point on the way is
// followed, nor a last one, unless FILE_OPEN_REPARSE_POINT asks for that one itself. ELOOP
// (kUnsafePath): there was one.
Expected<UniqueFd> NtOpen(int dir, std::string_view path, const NtOpenRequest& request);

// Relative, no empty, "." or ".." components, no NUL, '\' or ':' (kUnsafePath).
Status CheckPath(std::string_view path);
// As above, and something must be named.
Status CheckName(std::string_view path);

// An entry below a folder itself, a reparse point not followed, to ask or to change it.
Expected<UniqueFd> OpenEntry(int dir, std::string_view path, ACCESS_MASK access);

// Deletes what an OpenEntry with DELETE opened; at once where the system can, else with the last
// handle. READONLY does not protect from it.
Status DeleteOpen(int entry, std::string_view path);

Info InfoOf(const BY_HANDLE_FILE_INFORMATION& info, const FILE_BASIC_INFO& basic, DWORD tag);

// Every entry of an open folder but . and .. .
struct Found {
  std::string name;
  Type type;
};
Status ReadEntries(int dir, const std::function<Status(Found)>& visit);

// Calls again while somebody else, such as a virus scanner, holds a file for a moment (L12), until
// half a second has passed.
Status Patiently(const std::function<Status()>& call);

// NtSetInformationFile, also of classes that Debian's mingw-w64 does not know.
NTSTATUS SetInformation(int file, void* data, ULONG size, int information_class);

// Whether the call failed as one does that this version of Windows does not know.
bool IsUnknownCall(NTSTATUS status);

}  // namespace wclayer::fs
