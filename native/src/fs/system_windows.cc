#include "fs/system.h"

#include <cerrno>
#include <cstdio>

#include "base/upcase.h"
#include "base/windows.h"
#include "fs/win32.h"

namespace wclayer::fs {
namespace {

bool IsSeparator(char c) {
  return c == '\\' || c == '/';
}

}  // namespace

// "C:\x", "\\server\share\x" and "\\?\C:\x"; "\x" and "C:x" depend on where the process stands.
bool IsAbsolute(std::string_view path) {
  if (path.size() >= 2 && IsSeparator(path[0]) && IsSeparator(path[1])) return true;
  const bool letter =
      !path.empty() && ((path[0] >= 'A' && path[0] <= 'Z') || (path[0] >= 'a' && path[0] <= 'z'));
  return letter && path.size() >= 3 && path[1] == ':' && IsSeparator(path[2]);
}

std::string Canonical(const std::string& path) {
  const auto full = windows::LongPath(path);
  if (!full) return path;
  constexpr std::wstring_view kUnc = L"\\\\?\\UNC\\";
  constexpr std::wstring_view kLong = L"\\\\?\\";
  std::wstring_view name = *full;
  std::string start;
  if (name.starts_with(kUnc)) {
    start = "\\\\";
    name.remove_prefix(kUnc.size());
  } else if (name.starts_with(kLong) && name.size() > kLong.size() + 1 &&
             name[kLong.size() + 1] == L':') {
    name.remove_prefix(kLong.size());
  }
  while (name.size() > 3 && name.back() == L'\\') name.remove_suffix(1);
  return start + windows::Narrow(name);
}

std::string PathKey(const std::string& canonical) {
  return UpcaseUtf8(canonical);
}

Status CheckPresent(const std::string& path) {
  WCLAYER_ASSIGN(const std::wstring name, windows::LongPath(path));
  if (Calls().GetFileAttributesW(name.c_str()) == INVALID_FILE_ATTRIBUTES)
    return windows::LastError("GetFileAttributes", path);
  return {};
}

bool IsGone(const Error& error) {
  return IsAbsent(error);
}

Status RandomBytes(MutableBytes bytes) {
  const NTSTATUS status =
      Calls().BCryptGenRandom(nullptr, reinterpret_cast<PUCHAR>(bytes.data()),
                              static_cast<ULONG>(bytes.size()), BCRYPT_USE_SYSTEM_PREFERRED_RNG);
  if (status < 0) return windows::NtFailure(status, "BCryptGenRandom", "");
  return {};
}

std::int64_t FiletimeNow() {
  FILETIME now{};
  Calls().GetSystemTimePreciseAsFileTime(&now);
  return static_cast<std::int64_t>(std::uint64_t{now.dwHighDateTime} << 32 | now.dwLowDateTime);
}

std::uint64_t ProcessId() {
  return ::GetCurrentProcessId();
}

Expected<UniqueFd> UnnamedFile() {
  wchar_t folder[MAX_PATH + 1];
  const DWORD length = Calls().GetTempPathW(static_cast<DWORD>(std::size(folder)), folder);
  if (length == 0 || length >= std::size(folder)) return windows::LastError("GetTempPath", "");
  for (;;) {
    std::uint64_t random = 0;
    WCLAYER_TRY(RandomBytes(MutableBytes(reinterpret_cast<std::byte*>(&random), sizeof random)));
    wchar_t name[40];
    std::swprintf(name, std::size(name), L"wclayer-%016llx.tmp", random);
    UniqueFd file(windows::Descriptor(Calls().CreateFileW(
        (std::wstring(folder, length) + name).c_str(), GENERIC_READ | GENERIC_WRITE | DELETE,
        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, CREATE_NEW,
        FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr)));
    if (file) return file;
    if (::GetLastError() != ERROR_FILE_EXISTS)
      return windows::LastError("CreateFile", windows::Narrow(std::wstring(folder, length)));
  }
}

}  // namespace wclayer::fs
