#include "driver/os_version.h"

#include <array>
#include <charconv>

namespace wclayer {
namespace {

constexpr std::size_t kParts = 4;
constexpr std::size_t kCompared = 3;  // revisions of one build are made for each other

bool Parse(std::string_view text, std::array<std::uint32_t, kParts>& parts) {
  for (std::size_t i = 0; i < kParts; ++i) {
    const char* end = text.data() + text.size();
    const auto [at, code] = std::from_chars(text.data(), end, parts[i]);
    if (code != std::errc()) return false;
    if (at == end) return true;
    if (*at != '.') return false;
    text.remove_prefix(static_cast<std::size_t>(at - text.data()) + 1);
  }
  return false;  // more than kParts
}

}  // namespace

Status CheckOsVersion(std::string_view image, std::string_view host) {
  std::array<std::uint32_t, kParts> wanted{};
  std::array<std::uint32_t, kParts> here{};
  if (!Parse(image, wanted)) {
    return Error(Errc::kInvalidArgument,
                 "'" + std::string(image) + "' is no version of Windows, as 10.0.20348.2402 is");
  }
  if (!Parse(host, here)) return {};  // then Windows itself has to tell
  for (std::size_t i = 0; i < kCompared; ++i) {
    if (wanted[i] < here[i]) return {};
    if (wanted[i] > here[i]) {
      return Error(Errc::kOsVersionMismatch, "the image is for Windows " + std::string(image) +
                                                 ", this host is " + std::string(host) +
                                                 "; use an image for this host, or a newer host");
    }
  }
  return {};
}

}  // namespace wclayer
