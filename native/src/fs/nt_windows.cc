// NT calls on names below a folder handle.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cwchar>
#include <thread>

#include "base/filetime.h"
#include "fs/nt.h"

namespace wclayer::fs {
namespace {

constexpr ULONG kDontReparse = 0x1000;  // OBJ_DONT_REPARSE: since Windows 10 1607
constexpr std::size_t kMaxPathUnits = 32767;
constexpr std::size_t kListingBytes = 64u << 10;
constexpr std::chrono::milliseconds kPatience{500};
constexpr std::chrono::milliseconds kFirstRetryPause{1};
constexpr std::chrono::milliseconds kLongestRetryPause{50};
constexpr ULONG kNameSurrogate = 0x20000000;  // in a reparse tag: it stands for another name

constexpr int kDispositionInformation = 13;
constexpr int kDispositionInformationEx = 64;
constexpr ULONG kDispositionDelete = 0x1;
constexpr ULONG kDispositionPosix = 0x2;
constexpr ULONG kDispositionIgnoreReadonly = 0x10;
constexpr auto kCannotDelete = static_cast<NTSTATUS>(0xC0000121u);

Error Unsafe(std::string_view path, const char* why) {
  return Error(Errc::kUnsafePath, why).At(path);
}

void SplitTime(const LARGE_INTEGER& filetime, std::int64_t& seconds, std::uint32_t& nanos) {
  const UnixTime time = UnixOfFiletime(filetime.QuadPart);
  seconds = time.seconds;
  nanos = static_cast<std::uint32_t>(time.nanos);
}

// The reparse tag counts only when the attribute says that there is one.
Type TypeOf(DWORD attributes, DWORD tag) {
  if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 && (tag & kNameSurrogate) != 0)
    return Type::kSymlink;
  return (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? Type::kDirectory : Type::kFile;
}

Status ClearReadonly(int entry, std::string_view path) {
  FILE_BASIC_INFO basic{};
  if (Calls().GetFileInformationByHandleEx(windows::Handle(entry), FileBasicInfo, &basic,
                                           sizeof basic) == 0)
    return windows::LastError("GetFileInformationByHandleEx", path);
  FILE_BASIC_INFO change{};
  change.FileAttributes = basic.FileAttributes & ~static_cast<DWORD>(FILE_ATTRIBUTE_READONLY);
  if (change.FileAttributes == 0) change.FileAttributes = FILE_ATTRIBUTE_NORMAL;
  if (Calls().SetFileInformationByHandle(windows::Handle(entry), FileBasicInfo, &change,
                                         sizeof change) == 0)
    return windows::LastError("SetFileInformationByHandle", path);
  return {};
}

}  // namespace

void CloseFd(int fd) {
  Calls().CloseHandle(windows::Handle(fd));
}

Status CheckPath(std::string_view path) {
  if (path.empty()) return {};
  if (path.front() == '/') return Unsafe(path, "an absolute path where a relative one is needed");
  // A stream, a drive and a separator to Windows.
  constexpr std::string_view kNever("\0\\:", 3);
  if (path.find_first_of(kNever) != std::string_view::npos)
    return Unsafe(path, "a NUL, ':' or '\\' in a path");
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty()) return Unsafe(path, "an empty component");
    if (part == "." || part == "..") return Unsafe(path, "a component that is '.' or '..'");
    at = end + 1;
  }
  return {};
}

Status CheckName(std::string_view path) {
  if (path.empty()) return Unsafe(path, "the folder itself cannot be meant here");
  return CheckPath(path);
}

Expected<UniqueFd> NtOpen(int dir, std::string_view path, const NtOpenRequest& request) {
  WCLAYER_ASSIGN(std::wstring units, windows::Wide(path));
  if (units.size() > kMaxPathUnits) return SystemError(ENAMETOOLONG, "NtCreateFile", path);
  std::replace(units.begin(), units.end(), L'/', L'\\');
  UNICODE_STRING name{};
  name.Buffer = units.data();
  name.Length = name.MaximumLength = static_cast<USHORT>(units.size() * sizeof(wchar_t));
  OBJECT_ATTRIBUTES object{};
  object.Length = sizeof object;
  object.RootDirectory = windows::Handle(dir);
  object.ObjectName = &name;
  object.Attributes = kDontReparse;
  HANDLE handle = INVALID_HANDLE_VALUE;
  IO_STATUS_BLOCK io{};
  const NTSTATUS status = Calls().NtCreateFile(
      &handle, request.access | SYNCHRONIZE | FILE_READ_ATTRIBUTES, &object, &io, nullptr,
      request.attributes, kShareAll, request.disposition,
      request.options | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT, nullptr, 0);
  if (status >= 0) return UniqueFd(windows::Descriptor(handle));
  Error error = windows::NtFailure(status, "NtCreateFile", path);
  if (error.sys_errno == ELOOP) {
    error.code = Errc::kUnsafePath;
    error.message = "a reparse point is in the way";
  }
  return error;
}

Expected<UniqueFd> OpenEntry(int dir, std::string_view path, ACCESS_MASK access) {
  WCLAYER_TRY(CheckPath(path));
  NtOpenRequest request;
  request.access = access;
  request.options = FILE_OPEN_REPARSE_POINT;
  return NtOpen(dir, path, request);
}

NTSTATUS SetInformation(int file, void* data, ULONG size, int information_class) {
  using Call = NTSTATUS(NTAPI*)(HANDLE, IO_STATUS_BLOCK*, void*, ULONG, int);
  const auto call =
      reinterpret_cast<Call>(reinterpret_cast<void (*)()>(Calls().NtSetInformationFile));
  IO_STATUS_BLOCK io{};
  return call(windows::Handle(file), &io, data, size, information_class);
}

bool IsUnknownCall(NTSTATUS status) {
  switch (static_cast<std::uint32_t>(status)) {
    case 0xC0000002u:  // STATUS_NOT_IMPLEMENTED
    case 0xC0000003u:  // STATUS_INVALID_INFO_CLASS
    case 0xC000000Du:  // STATUS_INVALID_PARAMETER
    case 0xC0000010u:  // STATUS_INVALID_DEVICE_REQUEST
    case 0xC00000BBu:  // STATUS_NOT_SUPPORTED
      return true;
    default:
      return false;
  }
}

Status DeleteOpen(int entry, std::string_view path) {
  ULONG flags = kDispositionDelete | kDispositionPosix | kDispositionIgnoreReadonly;
  NTSTATUS status = SetInformation(entry, &flags, sizeof flags, kDispositionInformationEx);
  if (IsUnknownCall(status)) {
    BOOLEAN remove = TRUE;
    status = SetInformation(entry, &remove, sizeof remove, kDispositionInformation);
    if (status == kCannotDelete) {
      WCLAYER_TRY(ClearReadonly(entry, path));
      status = SetInformation(entry, &remove, sizeof remove, kDispositionInformation);
    }
  }
  if (status >= 0) return {};
  return windows::NtFailure(status, "NtSetInformationFile", path);
}

Info InfoOf(const BY_HANDLE_FILE_INFORMATION& info, const FILE_BASIC_INFO& basic, DWORD tag) {
  Info out;
  out.type = TypeOf(info.dwFileAttributes, tag);
  const bool folder = out.type == Type::kDirectory;
  const bool readonly = (info.dwFileAttributes & FILE_ATTRIBUTE_READONLY) != 0;
  out.mode = folder ? 0700 : readonly ? 0400 : 0600;
  if (!folder) out.size = std::uint64_t{info.nFileSizeHigh} << 32 | info.nFileSizeLow;
  out.inode = std::uint64_t{info.nFileIndexHigh} << 32 | info.nFileIndexLow;
  out.device = info.dwVolumeSerialNumber;
  out.links = info.nNumberOfLinks;
  out.reparse_tag = tag;
  SplitTime(basic.LastWriteTime, out.mtime_seconds, out.mtime_nanos);
  SplitTime(basic.ChangeTime, out.ctime_seconds, out.ctime_nanos);
  SplitTime(basic.CreationTime, out.btime_seconds, out.btime_nanos);
  return out;
}

Status ReadEntries(int dir, const std::function<Status(Found)>& visit) {
  // The records have numbers of 64 bits in them.
  std::vector<std::int64_t> buffer(kListingBytes / sizeof(std::int64_t));
  for (auto kind = FileIdBothDirectoryRestartInfo;; kind = FileIdBothDirectoryInfo) {
    if (Calls().GetFileInformationByHandleEx(windows::Handle(dir), kind, buffer.data(),
                                             kListingBytes) == 0) {
      if (::GetLastError() == ERROR_NO_MORE_FILES) return {};
      return windows::LastError("GetFileInformationByHandleEx", "");
    }
    const char* at = reinterpret_cast<const char*>(buffer.data());
    for (;;) {
      const auto* entry = reinterpret_cast<const FILE_ID_BOTH_DIR_INFO*>(at);
      const std::wstring_view name(entry->FileName, entry->FileNameLength / sizeof(wchar_t));
      // Where there are no EAs a reparse point has its tag.
      if (name != L"." && name != L"..")
        WCLAYER_TRY(visit({windows::Narrow(name), TypeOf(entry->FileAttributes, entry->EaSize)}));
      if (entry->NextEntryOffset == 0) break;
      at += entry->NextEntryOffset;
    }
  }
}

Status Patiently(const std::function<Status()>& call) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (auto pause = kFirstRetryPause;; pause = std::min(pause * 2, kLongestRetryPause)) {
    auto done = call();
    if (done || (done.error().sys_errno != EBUSY && done.error().sys_errno != EACCES)) return done;
    if (std::chrono::steady_clock::now() >= deadline) return done;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace wclayer::fs
