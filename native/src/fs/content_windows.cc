// The content of open files: reading, writing and copying ranges.
#include <windows.h>
// after windows.h
#include <winioctl.h>

#include <algorithm>

#include "base/page_buffer.h"
#include "base/windows.h"
#include "fs/dir.h"
#include "fs/win32.h"

namespace wclayer::fs {
namespace {

constexpr std::size_t kMaxPieceBytes = 1u << 30;  // what one call can take
constexpr std::uint64_t kSlabBytes = 1u << 20;
constexpr std::size_t kRangesAtOnce = 256;

OVERLAPPED At(std::uint64_t offset) {
  OVERLAPPED at{};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return at;
}

Error TooShort(std::uint64_t got, std::uint64_t size) {
  return Error(Errc::kLayerDamaged, "the file ends after " + std::to_string(got) + " bytes, " +
                                        std::to_string(size) + " are to be copied");
}

Status CopyRange(int from, int to, std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t end = offset + size;
  PageBuffer slab(std::min(size, kSlabBytes));
  while (offset < end) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, slab.size()));
    WCLAYER_ASSIGN(const std::size_t count, ReadAt(from, MutableBytes(slab).first(piece), offset));
    if (count == 0) return TooShort(offset, end);
    WCLAYER_TRY(WriteAt(to, Bytes(slab).first(count), offset));
    offset += count;
  }
  return {};
}

Expected<bool> IsSparse(int fd) {
  BY_HANDLE_FILE_INFORMATION info{};
  if (Calls().GetFileInformationByHandle(windows::Handle(fd), &info) == 0)
    return windows::LastError("GetFileInformationByHandle", "");
  return (info.dwFileAttributes & FILE_ATTRIBUTE_SPARSE_FILE) != 0;
}

// Copies what holds data of a sparse file.
Status CopyRanges(int from, int to, std::uint64_t size) {
  WCLAYER_TRY(MakeSparse(to));
  FILE_ALLOCATED_RANGE_BUFFER ask{};
  while (ask.FileOffset.QuadPart < static_cast<std::int64_t>(size)) {
    ask.Length.QuadPart = static_cast<std::int64_t>(size) - ask.FileOffset.QuadPart;
    FILE_ALLOCATED_RANGE_BUFFER ranges[kRangesAtOnce];
    DWORD bytes = 0;
    const bool whole =
        Calls().DeviceIoControl(windows::Handle(from), FSCTL_QUERY_ALLOCATED_RANGES, &ask,
                                sizeof ask, ranges, sizeof ranges, &bytes, nullptr) != 0;
    if (!whole && ::GetLastError() != ERROR_MORE_DATA)
      return windows::LastError("DeviceIoControl", "");
    const std::size_t count = bytes / sizeof ranges[0];
    for (std::size_t i = 0; i < count; ++i) {
      const auto offset = static_cast<std::uint64_t>(ranges[i].FileOffset.QuadPart);
      const auto length = static_cast<std::uint64_t>(ranges[i].Length.QuadPart);
      WCLAYER_TRY(CopyRange(from, to, offset, std::min(length, size - offset)));
      ask.FileOffset.QuadPart = static_cast<std::int64_t>(offset + length);
    }
    if (whole || count == 0) break;
  }
  return Resize(to, size);
}

}  // namespace

Expected<std::size_t> ReadAt(int fd, MutableBytes buffer, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    OVERLAPPED at = At(offset + done);
    DWORD count = 0;
    const auto piece = static_cast<DWORD>(std::min(buffer.size() - done, kMaxPieceBytes));
    if (Calls().ReadFile(windows::Handle(fd), buffer.data() + done, piece, &count, &at) == 0) {
      if (::GetLastError() == ERROR_HANDLE_EOF) break;
      return windows::LastError("ReadFile", "");
    }
    if (count == 0) break;
    done += count;
  }
  return done;
}

Expected<std::size_t> ReadLast(int fd, MutableBytes buffer, std::uint64_t offset) {
  WCLAYER_ASSIGN(const std::size_t count, ReadAt(fd, buffer, offset));
  if (count != buffer.size()) return count;
  std::byte beyond{};
  WCLAYER_ASSIGN(const std::size_t more, ReadAt(fd, MutableBytes(&beyond, 1), offset + count));
  return count + more;
}

Status WriteAt(int fd, Bytes bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    OVERLAPPED at = At(offset);
    DWORD count = 0;
    const auto piece = static_cast<DWORD>(std::min(bytes.size(), kMaxPieceBytes));
    if (Calls().WriteFile(windows::Handle(fd), bytes.data(), piece, &count, &at) == 0)
      return windows::LastError("WriteFile", "");
    bytes = bytes.subspan(count);
    offset += count;
  }
  return {};
}

Status MakeSparse(int fd) {
  DWORD bytes = 0;
  if (Calls().DeviceIoControl(windows::Handle(fd), FSCTL_SET_SPARSE, nullptr, 0, nullptr, 0, &bytes,
                              nullptr) != 0)
    return {};
  // FAT has no sparse files: zeros take room there.
  const DWORD code = ::GetLastError();
  if (code == ERROR_INVALID_FUNCTION || code == ERROR_NOT_SUPPORTED) return {};
  return windows::Failure(code, "DeviceIoControl", "");
}

Status CopyContent(int from, int to, std::uint64_t size) {
  if (size == 0) return {};
  WCLAYER_ASSIGN(const Info source, StatFd(from));
  if (source.size < size) return TooShort(source.size, size);
  WCLAYER_ASSIGN(const bool sparse, IsSparse(from));
  return sparse ? CopyRanges(from, to, size) : CopyRange(from, to, 0, size);
}

}  // namespace wclayer::fs
