#include "base/filetime.h"

namespace wclayer {
namespace {

constexpr std::int64_t kStepsPerSecond = 10'000'000;

}  // namespace

UnixTime UnixOfFiletime(std::int64_t filetime) {
  // Split before shifting the epoch, so that nothing overflows.
  std::int64_t seconds = filetime / kStepsPerSecond;
  std::int64_t steps = filetime % kStepsPerSecond;
  if (steps < 0) {
    steps += kStepsPerSecond;
    --seconds;
  }
  return {seconds - kFiletimeOfUnixEpoch / kStepsPerSecond, static_cast<std::int32_t>(steps * 100)};
}

UnixTime WrappedUnixOfFiletime(std::int64_t filetime) {
  const auto nanos = static_cast<std::int64_t>(
      (static_cast<std::uint64_t>(filetime) - static_cast<std::uint64_t>(kFiletimeOfUnixEpoch)) *
      100u);
  std::int64_t seconds = nanos / 1'000'000'000;
  std::int64_t rest = nanos % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  return {seconds, static_cast<std::int32_t>(rest)};
}

bool FiletimeOfUnix(UnixTime time, std::int64_t& filetime, std::uint8_t& remainder) {
  std::int64_t seconds = 0;
  std::int64_t steps = time.nanos / 100;
  if (__builtin_add_overflow(time.seconds, kFiletimeOfUnixEpoch / kStepsPerSecond, &seconds)) {
    return false;
  }
  if (seconds < 0) {  // counted from the next second on: the first second of all is not whole
    ++seconds;
    steps -= kStepsPerSecond;
  }
  if (__builtin_mul_overflow(seconds, kStepsPerSecond, &seconds) ||
      __builtin_add_overflow(seconds, steps, &steps)) {
    return false;
  }
  filetime = steps;
  remainder = static_cast<std::uint8_t>(time.nanos % 100);
  return true;
}

}  // namespace wclayer
