#include <windows.h>

#include <algorithm>
#include <cerrno>

#include "base/utf16.h"
#include "base/windows.h"
#include "io/file.h"

namespace wclayer::io {
namespace {

// What one call can take.
constexpr std::size_t kMaxPieceBytes = 1u << 30;

Expected<UniqueFd> Open(const std::string& path, DWORD access, DWORD share, DWORD disposition) {
  WCLAYER_ASSIGN(const std::wstring name, windows::LongPath(path));
  // BACKUP_SEMANTICS opens a folder too, so that it can be told from what cannot be opened.
  UniqueFd fd(windows::Descriptor(::CreateFileW(name.c_str(), access, share, nullptr, disposition,
                                                FILE_FLAG_BACKUP_SEMANTICS, nullptr)));
  if (!fd) return windows::LastError("CreateFile", path);
  BY_HANDLE_FILE_INFORMATION info{};
  // A pipe or a console has no such information, and is no folder.
  if (::GetFileInformationByHandle(windows::Handle(fd.get()), &info) != 0 &&
      (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
    return SystemError(EISDIR, "CreateFile", path);
  return fd;
}

}  // namespace

void CloseDescriptor(int fd) {
  ::CloseHandle(windows::Handle(fd));
}

Expected<UniqueFd> OpenForReading(const std::string& path) {
  return Open(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
              OPEN_EXISTING);
}

Expected<UniqueFd> CreateForWriting(const std::string& path) {
  return Open(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, CREATE_ALWAYS);
}

Status FileSink::Write(Bytes bytes) {
  while (!bytes.empty()) {
    DWORD count = 0;
    const auto piece = static_cast<DWORD>(std::min(bytes.size(), kMaxPieceBytes));
    if (::WriteFile(windows::Handle(fd_), bytes.data(), piece, &count, nullptr) == 0)
      return windows::LastError("WriteFile", "");
    bytes = bytes.subspan(count);
  }
  return {};
}

Expected<std::size_t> ReadSome(int fd, MutableBytes buffer) {
  DWORD count = 0;
  const auto piece = static_cast<DWORD>(std::min(buffer.size(), kMaxPieceBytes));
  if (::ReadFile(windows::Handle(fd), buffer.data(), piece, &count, nullptr) != 0) return count;
  // The other end of a pipe was closed: what POSIX reads as the end.
  if (::GetLastError() == ERROR_BROKEN_PIPE) return std::size_t{0};
  return windows::LastError("ReadFile", "");
}

}  // namespace wclayer::io
