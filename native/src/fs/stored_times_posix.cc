#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>

#include "base/filetime.h"
#include "fs/stored_times.h"

namespace wclayer::fs {
namespace {

constexpr char kAttribute[] = "user.wclayer.times";
// 4 times, 4 remainders, absent times, 3 unused, attributes, and the mtime it belongs to.
constexpr std::size_t kAttributeBytes = 4 * 8 + 4 + 4 + 4 + 8 + 4;

timespec TimespecOf(std::int64_t filetime, std::uint8_t remainder) {
  const UnixTime unix_time = UnixOfFiletime(filetime);
  timespec time{};
  time.tv_sec = unix_time.seconds;
  time.tv_nsec = unix_time.nanos + std::min<std::uint8_t>(remainder, 99);
  return time;
}

}  // namespace

Status WriteStoredTimes(int file, const StoredTimes& stored) {
  const timespec times[2] = {TimespecOf(stored.times[1], stored.time_remainder[1]),
                             TimespecOf(stored.times[2], stored.time_remainder[2])};
  // A time that the file system cannot hold is cut by it; what it made of it is read back.
  if (::futimens(file, times) != 0 && errno != EINVAL && errno != EOVERFLOW)
    return SystemError(errno, "futimens", "");
  WCLAYER_ASSIGN(const auto info, StatFd(file));
  Buffer value;
  for (const auto time : stored.times) AppendLe(value, time);
  for (const auto left : stored.time_remainder) AppendLe(value, left);
  AppendLe(value, std::uint32_t{stored.time_absent});
  AppendLe(value, stored.attributes);
  AppendLe(value, info.mtime_seconds);
  AppendLe(value, info.mtime_nanos);
  if (::fsetxattr(file, kAttribute, value.data(), value.size(), 0) != 0 && errno != ENOTSUP &&
      errno != EPERM && errno != ENOSPC)
    return SystemError(errno, "fsetxattr", "");
  return {};
}

Expected<StoredTimes> ReadStoredTimes(int file, const Info& info,
                                      std::uint32_t default_attributes) {
  StoredTimes stored;
  std::byte value[kAttributeBytes];
  const auto got = ::fgetxattr(file, kAttribute, value, sizeof value);
  if (got == static_cast<ssize_t>(sizeof value) &&
      LoadLe<std::int64_t>(value + 44) == info.mtime_seconds &&
      LoadLe<std::uint32_t>(value + 52) == info.mtime_nanos) {
    for (std::size_t i = 0; i < 4; ++i) {
      stored.times[i] = LoadLe<std::int64_t>(value + 8 * i);
      stored.time_remainder[i] = std::min<std::uint8_t>(LoadLe<std::uint8_t>(value + 32 + i), 99);
    }
    stored.time_absent = static_cast<std::uint8_t>(LoadLe<std::uint32_t>(value + 36) & 0xF);
    stored.attributes = LoadLe<std::uint32_t>(value + 40);
    return stored;
  }
  std::uint8_t left = 0;
  const UnixTime written{info.mtime_seconds, static_cast<std::int32_t>(info.mtime_nanos)};
  if (!FiletimeOfUnix(written, stored.times[2], left)) stored.times[2] = kFiletimeOfUnixEpoch;
  for (const int i : {0, 1, 3}) stored.times[i] = stored.times[2];
  stored.time_absent = kAllButWriteTimeAbsent;
  stored.time_remainder[2] = left;
  stored.attributes = default_attributes;
  return stored;
}

Status SetAllTimes(const Dir& dir, std::string_view path, const StoredTimes& stored) {
  const UnixTime written = UnixOfFiletime(stored.times[2]);
  auto set = dir.SetTimes(path, written.seconds, static_cast<std::uint32_t>(written.nanos));
  const int error = set ? 0 : set.error().sys_errno;
  // A time that the file system cannot hold is cut by it, or refused.
  return error == EINVAL || error == EOVERFLOW ? Status() : set;
}

}  // namespace wclayer::fs
