// Windows' own files hold all four times of a transport file; attributes stand in its first bytes.
#include <cerrno>

#include "base/windows.h"
#include "portable/transport.h"

namespace wclayer::portable {

Status WriteStoredTimes(int file, const StoredTimes& stored) {
  FILE_BASIC_INFO change{};
  // 0 means "leave it": no file system of Windows knows an earlier time.
  const auto set = [](LARGE_INTEGER& to, std::int64_t time) { to.QuadPart = time < 1 ? 1 : time; };
  set(change.CreationTime, stored.times[0]);
  set(change.LastAccessTime, stored.times[1]);
  set(change.LastWriteTime, stored.times[2]);
  set(change.ChangeTime, stored.times[3]);
  if (::SetFileInformationByHandle(windows::Handle(file), FileBasicInfo, &change, sizeof change) ==
      0)
    return windows::LastError("SetFileInformationByHandle", "");
  return {};
}

Expected<StoredTimes> ReadStoredTimes(int file, const fs::Info&, std::uint32_t default_attributes) {
  FILE_BASIC_INFO basic{};
  if (::GetFileInformationByHandleEx(windows::Handle(file), FileBasicInfo, &basic, sizeof basic) ==
      0)
    return windows::LastError("GetFileInformationByHandleEx", "");
  StoredTimes stored;
  stored.times[0] = basic.CreationTime.QuadPart;
  stored.times[1] = basic.LastAccessTime.QuadPart;
  stored.times[2] = basic.LastWriteTime.QuadPart;
  stored.times[3] = basic.ChangeTime.QuadPart;
  stored.attributes = default_attributes;
  return stored;
}

}  // namespace wclayer::portable
