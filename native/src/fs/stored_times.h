// All four times of a Windows file on a file that stands for it. Linux keeps only two of them, so
// an extended attribute "user.wclayer.times" carries all, with the attributes of files that have no
// other place for them. It counts only while the file's own time of modification is the one it
// names, and its absence costs nothing but precision.
#pragma once

#include <cstdint>

#include "fs/dir.h"

namespace wclayer::fs {

// Of what has a time of modification alone.
inline constexpr std::uint8_t kAllButWriteTimeAbsent = 0b1011;

struct StoredTimes {
  std::int64_t times[4] = {};  // FILETIME: creation, access, write, change
  std::uint8_t time_absent = 0;
  std::uint8_t time_remainder[4] = {};
  std::uint32_t attributes = 0;
};

Status WriteStoredTimes(int file, const StoredTimes& stored);
Expected<StoredTimes> ReadStoredTimes(int file, const Info& info, std::uint32_t default_attributes);

// Sets what the file system itself keeps of the times, and nothing beside it.
Status SetAllTimes(const Dir& dir, std::string_view path, const StoredTimes& stored);

}  // namespace wclayer::fs
