#include "base/layer_id.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/upcase.h"

namespace wclayer {
namespace {

bool IsAlnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// CON, NUL.txt, COM1…: Windows opens the device whatever the folder.
bool IsDeviceName(std::string_view id) {
  const std::string stem = LowerAscii(id.substr(0, id.find('.')));
  static constexpr std::array<std::string_view, 4> kNames = {"con", "prn", "aux", "nul"};
  if (std::find(kNames.begin(), kNames.end(), stem) != kNames.end()) return true;
  return stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) &&
         stem[3] >= '0' && stem[3] <= '9';
}

Error Bad(std::string_view id, std::string why) {
  Error error(Errc::kInvalidArgument, "not a layer id: " + std::move(why));
  error.layer = std::string(id.substr(0, 2 * kMaxIdLength));
  return error;
}

}  // namespace

Status CheckId(std::string_view id) {
  if (id.empty()) return Bad(id, "it is empty");
  if (id.size() > kMaxIdLength) {
    return Bad(id, std::to_string(id.size()) + " characters, the limit kMaxIdLength is " +
                       std::to_string(kMaxIdLength));
  }
  if (!IsAlnum(id[0])) return Bad(id, "it must begin with a letter or digit");
  for (const char c : id) {
    if (!IsAlnum(c) && c != '.' && c != '_' && c != '-') {
      return Bad(id, "only letters, digits, '.', '_' and '-' are allowed");
    }
  }
  if (id.back() == '.') return Bad(id, "it must not end in '.'");
  if (LowerAscii(id).ends_with(kRemoving))
    return Bad(id, "names ending in -removing are layers being removed");
  if (IsDeviceName(id)) return Bad(id, "it is the name of a Windows device");
  return {};
}

Status CheckIdOrRemoval(std::string_view name) {
  const bool removal = name.ends_with(kRemoving);
  return CheckId(name.substr(0, name.size() - (removal ? kRemoving.size() : 0)));
}

bool SameId(std::string_view a, std::string_view b) {
  return EqualNoCaseAscii(a, b);
}

std::string_view LastComponent(std::string_view path) {
  while (!path.empty() && (path.back() == '/' || path.back() == '\\')) path.remove_suffix(1);
  const std::size_t at = path.find_last_of("/\\");
  return at == std::string_view::npos ? path : path.substr(at + 1);
}

}  // namespace wclayer
