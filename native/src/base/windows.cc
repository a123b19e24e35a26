#include "base/windows.h"

#include <cerrno>

#include "base/utf16.h"

namespace wclayer::windows {
namespace {

// What Debian's mingw-w64 has no names for.
constexpr std::uint32_t kDirectoryNotSupported = 336;
constexpr std::uint32_t kStoppedOnSymlink = 681;
constexpr std::uint32_t kDiskQuotaExceeded = 1295;
constexpr std::uint32_t kReparsePointEncountered = 4395;

struct Same {
  std::uint32_t code;
  int number;
};
constexpr Same kSame[] = {
    {ERROR_FILE_NOT_FOUND, ENOENT},
    {ERROR_PATH_NOT_FOUND, ENOENT},
    {ERROR_INVALID_DRIVE, ENOENT},
    {ERROR_BAD_NETPATH, ENOENT},
    {ERROR_BAD_NET_NAME, ENOENT},
    {ERROR_ACCESS_DENIED, EACCES},
    {ERROR_PRIVILEGE_NOT_HELD, EACCES},
    {ERROR_INVALID_OWNER, EACCES},
    {ERROR_SHARING_VIOLATION, EBUSY},
    {ERROR_LOCK_VIOLATION, EBUSY},
    {ERROR_USER_MAPPED_FILE, EBUSY},
    {ERROR_DELETE_PENDING, EBUSY},
    {ERROR_BUSY, EBUSY},
    {ERROR_ALREADY_EXISTS, EEXIST},
    {ERROR_FILE_EXISTS, EEXIST},
    {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
    {ERROR_DIRECTORY, ENOTDIR},
    {kDirectoryNotSupported, EISDIR},
    {ERROR_DISK_FULL, ENOSPC},
    {ERROR_HANDLE_DISK_FULL, ENOSPC},
    {kDiskQuotaExceeded, ENOSPC},
    {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
    {ERROR_OUTOFMEMORY, ENOMEM},
    {ERROR_NO_SYSTEM_RESOURCES, ENOMEM},
    {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
    {ERROR_NOT_SAME_DEVICE, EXDEV},
    {ERROR_NOT_SUPPORTED, ENOTSUP},
    {ERROR_INVALID_FUNCTION, ENOTSUP},
    {ERROR_CALL_NOT_IMPLEMENTED, ENOTSUP},
    {ERROR_INVALID_HANDLE, EBADF},
    {ERROR_INVALID_PARAMETER, EINVAL},
    {ERROR_INVALID_NAME, EINVAL},
    {ERROR_WRITE_PROTECT, EROFS},
    {ERROR_TOO_MANY_LINKS, EMLINK},
    {ERROR_BROKEN_PIPE, EPIPE},
    {ERROR_NO_DATA, EPIPE},
    {ERROR_CANT_RESOLVE_FILENAME, ELOOP},
    {kStoppedOnSymlink, ELOOP},
    {kReparsePointEncountered, ELOOP},
};

std::string TextOf(std::uint32_t code) {
  wchar_t text[512];
  DWORD length =
      ::FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, code, 0,
                       text, static_cast<DWORD>(std::size(text)), nullptr);
  while (length != 0 && (text[length - 1] <= L' ' || text[length - 1] == L'.')) --length;
  const std::string number = "Win32 error " + std::to_string(code);
  return length == 0 ? number : Narrow({text, length}) + " (" + number + ")";
}

// What comes before the name proper: `\\?\`, `\\.\` or `\??\`.
bool IsVerbatim(std::wstring_view path) {
  return path.starts_with(L"\\\\?\\") || path.starts_with(L"\\\\.\\") ||
         path.starts_with(L"\\??\\");
}

}  // namespace

int ErrnoOf(std::uint32_t code) {
  for (const Same& same : kSame)
    if (same.code == code) return same.number;
  return EIO;
}

Error Failure(std::uint32_t code, std::string_view call, std::string_view path) {
  Error error = SystemError(ErrnoOf(code), call, path);
  error.message = TextOf(code);
  return error;
}

Error LastError(std::string_view call, std::string_view path) {
  return Failure(::GetLastError(), call, path);
}

Error NtFailure(std::int32_t status, std::string_view call, std::string_view path) {
  using Convert = ULONG(WINAPI*)(LONG);
  static const auto convert = reinterpret_cast<Convert>(reinterpret_cast<void (*)()>(
      ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "RtlNtStatusToDosError")));
  Error error = Failure(convert(status), call, path);
  // Win32 has one word, "access denied", for these and for what really is denied.
  constexpr auto kIsADirectory = static_cast<std::int32_t>(0xC00000BAu);
  constexpr auto kDeletePending = static_cast<std::int32_t>(0xC0000056u);
  if (status == kIsADirectory || status == kDeletePending) {
    const bool folder = status == kIsADirectory;
    error.code = folder ? Errc::kIo : Errc::kLayerBusy;
    error.sys_errno = folder ? EISDIR : EBUSY;
    error.message = folder ? "it is a folder" : "it is being deleted";
  }
  return error;
}

Expected<std::wstring> Wide(std::string_view text) {
  static_assert(sizeof(wchar_t) == sizeof(char16_t));
  WCLAYER_ASSIGN(const std::u16string units, ToUtf16(text));
  return std::wstring(units.begin(), units.end());
}

std::string Narrow(std::wstring_view text) {
  return ToUtf8(std::u16string(text.begin(), text.end()));
}

Expected<std::wstring> LongPath(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos)
    return Error(Errc::kUnsafePath, "an empty path, or a NUL in a path").At(path);
  WCLAYER_ASSIGN(std::wstring name, Wide(path));
  if (IsVerbatim(name)) {
    // Such a path is taken as it is: but '/' would be part of a name in it.
    for (wchar_t& unit : name)
      if (unit == L'/') unit = L'\\';
    return name;
  }
  std::wstring full(MAX_PATH, L'\0');
  for (;;) {
    const DWORD length =
        ::GetFullPathNameW(name.c_str(), static_cast<DWORD>(full.size()), full.data(), nullptr);
    if (length == 0) return LastError("GetFullPathName", path);
    const bool fits = length < full.size();
    full.resize(length);
    if (fits) break;
  }
  if (IsVerbatim(full)) return full;  // a device: "NUL" becomes \\.\NUL
  if (full.starts_with(L"\\\\")) return L"\\\\?\\UNC\\" + full.substr(2);
  return L"\\\\?\\" + full;
}

}  // namespace wclayer::windows
