// Windows time: 100 ns steps since 1601-01-01 UTC, signed 64 bit, and Unix time in nanoseconds.
#pragma once

#include <cstdint>

namespace wclayer {

inline constexpr std::int64_t kFiletimeOfUnixEpoch = 116444736000000000;

// Seconds since 1970 (floor) and the nanoseconds 0…999,999,999 on top of them.
struct UnixTime {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  friend bool operator==(const UnixTime&, const UnixTime&) = default;
};

// Exact for every FILETIME.
UnixTime UnixOfFiletime(std::int64_t filetime);

// As the reference writer sees it: 64-bit nanoseconds since 1970 that wrap for times before 1677 or
// after 2262 (spec layer-formats §c.3: FILETIME 0 reads as year 2185).
UnixTime WrappedUnixOfFiletime(std::int64_t filetime);

// The FILETIME at or before `time`, and in `remainder` the 0…99 ns left over. False if it does not
// fit.
bool FiletimeOfUnix(UnixTime time, std::int64_t& filetime, std::uint8_t& remainder);

}  // namespace wclayer
