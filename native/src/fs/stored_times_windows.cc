// Windows' own files hold all four times of a transport file; attributes stand in its first bytes.
#include "base/filetime.h"
#include "fs/nt.h"
#include "fs/stored_times.h"

namespace wclayer::fs {

namespace {

Status SetBasicTimes(int file, const StoredTimes& stored) {
  FILE_BASIC_INFO change{};
  // 0 means "leave it": no file system of Windows knows an earlier time.
  const auto set = [](LARGE_INTEGER& to, std::int64_t time) { to.QuadPart = time < 1 ? 1 : time; };
  set(change.CreationTime, stored.times[0]);
  set(change.LastAccessTime, stored.times[1]);
  set(change.LastWriteTime, stored.times[2]);
  set(change.ChangeTime, stored.times[3]);
  if (Calls().SetFileInformationByHandle(windows::Handle(file), FileBasicInfo, &change,
                                         sizeof change) == 0)
    return windows::LastError("SetFileInformationByHandle", "");
  return {};
}

std::int64_t FiletimeOf(std::int64_t seconds, std::uint32_t nanos) {
  std::int64_t filetime = 0;
  std::uint8_t left = 0;
  const UnixTime time{seconds, static_cast<std::int32_t>(nanos)};
  return FiletimeOfUnix(time, filetime, left) ? filetime : kFiletimeOfUnixEpoch;
}

}  // namespace

Status WriteStoredTimes(int file, const StoredTimes& stored) {
  return SetBasicTimes(file, stored);
}

Status SetAllTimes(const Dir& dir, std::string_view path, const StoredTimes& stored) {
  WCLAYER_ASSIGN(const UniqueFd entry, OpenEntry(dir.fd(), path, FILE_WRITE_ATTRIBUTES));
  return SetBasicTimes(entry.get(), stored);
}

Expected<StoredTimes> ReadStoredTimes(int file, const Info& info,
                                      std::uint32_t default_attributes) {
  StoredTimes stored;
  stored.attributes = default_attributes;
  stored.times[0] = FiletimeOf(info.btime_seconds, info.btime_nanos);
  stored.times[2] = FiletimeOf(info.mtime_seconds, info.mtime_nanos);
  stored.times[3] = FiletimeOf(info.ctime_seconds, info.ctime_nanos);
  // A folder that has no file of its own in a transport folder is not opened.
  stored.times[1] = stored.times[2];
  if (file == -1) return stored;
  FILE_BASIC_INFO basic{};
  if (Calls().GetFileInformationByHandleEx(windows::Handle(file), FileBasicInfo, &basic,
                                           sizeof basic) == 0)
    return windows::LastError("GetFileInformationByHandleEx", "");
  stored.times[1] = basic.LastAccessTime.QuadPart;
  return stored;
}

}  // namespace wclayer::fs
