#include <charconv>

#include "base/layer_id.h"
#include "wclayer/driver.h"

namespace wclayer {
namespace {

Error BadOption(std::string_view key, std::string_view value, std::string_view wants) {
  return Error(Errc::kInvalidArgument, "option '" + std::string(key) + "' takes " +
                                           std::string(wants) + ", not '" + std::string(value) +
                                           "'");
}

template <class T>
bool ParseNumber(std::string_view text, T& number) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc() && end == text.data() + text.size();
}

Expected<std::chrono::milliseconds> ParseMillis(std::string_view key, std::string_view value,
                                                std::int64_t least) {
  std::int64_t millis = 0;
  if (!ParseNumber(value, millis) || millis < least || millis > 86'400'000)
    return BadOption(key, value, "milliseconds, " + std::to_string(least) + " to 86400000");
  return std::chrono::milliseconds(millis);
}

}  // namespace

Expected<std::uint64_t> ParseSize(std::string_view text) {
  std::string lower = LowerAscii(text);
  std::string_view rest = lower;
  if (rest.ends_with("ib")) {
    rest.remove_suffix(2);
  } else if (rest.ends_with("b")) {
    rest.remove_suffix(1);
  }
  unsigned shift = 0;
  static constexpr std::string_view kUnits = "kmgtp";
  if (!rest.empty()) {
    if (const std::size_t at = kUnits.find(rest.back()); at != std::string_view::npos) {
      shift = static_cast<unsigned>(10 * (at + 1));
      rest.remove_suffix(1);
    }
  }
  while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
  std::uint64_t number = 0;
  if (!ParseNumber(rest, number) || (shift != 0 && number >> (63 - shift) != 0)) {
    return Error(Errc::kInvalidArgument, "not a size: '" + std::string(text) +
                                             "' (a number with an optional unit, as 20GB or 512m)");
  }
  return number << shift;
}

Status SetOption(DriverOptions& options, std::string_view key, std::string_view value) {
  if (key == "size") {
    WCLAYER_ASSIGN(options.scratch_size_bytes, ParseSize(value));
  } else if (key == "lockWait") {
    WCLAYER_ASSIGN(options.lock_wait, ParseMillis(key, value, 0));
  } else if (key == "durability") {
    if (value == "full") {
      options.durability = DurabilityLevel::kFull;
    } else if (value == "data") {
      options.durability = DurabilityLevel::kData;
    } else if (value == "none") {
      options.durability = DurabilityLevel::kNone;
    } else {
      return BadOption(key, value, "full, data or none");
    }
  } else if (key == "mount") {
    if (value != "auto" && value != "overlay-legacy" && value != "checkout") {
      return BadOption(key, value, "auto, overlay-legacy or checkout");
    }
    options.force_checkout = value == "checkout";
    options.force_legacy_mount = value == "overlay-legacy";
  } else if (key == "strict") {
    if (value != "true" && value != "false") return BadOption(key, value, "true or false");
    options.strict_tar = value == "true";
  } else if (key == "zstdWindowLog") {
    if (!ParseNumber(value, options.max_zstd_window_log) || options.max_zstd_window_log < 10 ||
        options.max_zstd_window_log > 27) {
      return BadOption(key, value, "10 to 27");
    }
  } else if (key == "api") {
    if (value != "vmcompute" && value != "computestorage")
      return BadOption(key, value, "vmcompute or computestorage");
    options.api =
        value == "vmcompute" ? vmcompute::Api::kVmcompute : vmcompute::Api::kComputeStorage;
  } else if (key == "layerNames") {
    if (value != "path" && value != "home") return BadOption(key, value, "path or home");
    options.layer_names = value == "path" ? LayerNames::kWholePaths : LayerNames::kHomeAndId;
  } else if (key == "callTimeout") {
    WCLAYER_ASSIGN(options.call_timeout, ParseMillis(key, value, 1));
  } else if (key == "busyWait") {
    WCLAYER_ASSIGN(options.busy_wait, ParseMillis(key, value, 0));
  } else if (key == "callLimit") {
    if (!ParseNumber(value, options.call_limit) || options.call_limit < 1 ||
        options.call_limit > 64)
      return BadOption(key, value, "1 to 64");
  } else {
    return Error(Errc::kInvalidArgument,
                 "unknown option '" + std::string(key) +
                     "'; known are size, lockWait, durability, mount, strict, zstdWindowLog, api, "
                     "layerNames, callTimeout, busyWait, callLimit and (in Java) backend");
  }
  return {};
}

}  // namespace wclayer
