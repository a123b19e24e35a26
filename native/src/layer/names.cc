#include "layer/names.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/upcase.h"
#include "base/utf16.h"

namespace wclayer::layer {
namespace {

Error Unsafe(std::string why) {
  return Error(Errc::kUnsafePath, std::move(why));
}

// CON, NUL.txt, COM1…: whatever folder they stand in, Windows opens the device.
bool IsDeviceName(std::string_view component) {
  const std::string stem = UpcaseUtf8(component.substr(0, component.find('.')));
  static constexpr std::array<std::string_view, 6> kNames = {"CON", "PRN",    "AUX",
                                                             "NUL", "CONIN$", "CONOUT$"};
  if (std::find(kNames.begin(), kNames.end(), stem) != kNames.end()) return true;
  return stem.size() == 4 && (stem.starts_with("COM") || stem.starts_with("LPT")) &&
         stem[3] >= '1' && stem[3] <= '9';
}

std::size_t UnitsOf(std::string_view text) {
  // Of valid (W)UTF-8: every byte that starts a character counts one, of four bytes two.
  std::size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) units += byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

Status CheckComponent(std::string_view component) {
  if (component == "." || component == "..") return Unsafe("a component that is '.' or '..'");
  if (UnitsOf(component) > kMaxNameUnits) {
    return LimitError("kMaxNameUnits", kMaxNameUnits, UnitsOf(component));
  }
  for (const char c : component) {
    if (static_cast<unsigned char>(c) < 0x20) return Unsafe("a control character in a name");
    if (c == '\\') return Unsafe("a backslash in a name");
    if (c == '<' || c == '>' || c == '"' || c == '|' || c == '?' || c == '*') {
      return Unsafe(std::string("the character ") + c + ", which no Windows name can hold");
    }
  }
  if (component.back() == '.' || component.back() == ' ')
    return Unsafe("a name that ends in a dot or a blank");
  if (IsDeviceName(component)) return Unsafe("a Windows device name");
  return {};
}

bool SameWord(std::string_view a, std::string_view b) {
  return UpcaseUtf8(a) == UpcaseUtf8(b);
}

// Every component, and the top folder.
Status CheckPath(std::string_view path) {
  if (path.size() > 3 * kMaxPathUnits || UnitsOf(path) > kMaxPathUnits) {
    return LimitError("kMaxPathUnits", kMaxPathUnits, UnitsOf(path));
  }
  if (!IsWtf8(path)) return Unsafe("a name that is not UTF-8");
  bool first = true;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view component = path.substr(at, end - at);
    if (component.empty()) return Unsafe("an empty component");
    WCLAYER_TRY(CheckComponent(component));
    if (first && !SameWord(component, "Files") && !SameWord(component, "Hives") &&
        !SameWord(component, "UtilityVM")) {
      return Error(Errc::kBadArchive,
                   "a Windows layer holds Files, Hives and UtilityVM alone, not '" +
                       std::string(component.substr(0, 80)) + "'");
    }
    first = false;
    at = end + 1;
  }
  return {};
}

Expected<std::string_view> Strip(std::string_view name) {
  if (name.find('\0') != std::string_view::npos) return Unsafe("a NUL in a name");
  if (name.starts_with('/')) return Unsafe("an absolute name");
  if (name.size() >= 2 && name[1] == ':') return Unsafe("a name with a drive letter");
  while (name.starts_with("./")) name.remove_prefix(2);
  while (name.ends_with('/')) name.remove_suffix(1);
  if (name == ".") name = {};
  return name;
}

}  // namespace

std::string_view ParentOf(std::string_view path) {
  const std::size_t cut = path.rfind('/');
  return cut == std::string_view::npos ? std::string_view() : path.substr(0, cut);
}

std::string_view BaseOf(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

bool IsBelowFiles(std::string_view path) {
  const auto below = [&](std::string_view top) {
    return path.size() > top.size() && path[top.size()] == '/' &&
           SameWord(path.substr(0, top.size()), top);
  };
  return below("Files") || below("UtilityVM/Files");
}

Expected<LayerName> ParseName(std::string_view name) {
  LayerName parsed;
  WCLAYER_ASSIGN(name, Strip(name));
  if (name.empty()) return parsed;
  const std::string_view base = BaseOf(name);
  if (base.starts_with(kWhiteoutPrefix)) {
    parsed.whiteout = true;
    if (base == kOpaqueMarker) {
      parsed.opaque = true;
      parsed.path = ParentOf(name);
      if (parsed.path.empty())
        return Error(Errc::kBadArchive, "an opaque whiteout outside Files and UtilityVM/Files");
      WCLAYER_TRY(CheckPath(parsed.path));
      if (!IsBelowFiles(parsed.path + "/x")) {
        return Error(Errc::kBadArchive, "an opaque whiteout outside Files and UtilityVM/Files");
      }
      return parsed;
    }
    const std::string_view deleted = base.substr(kWhiteoutPrefix.size());
    if (deleted.empty() || deleted == "." || deleted == "..") {
      return Unsafe("a whiteout of nothing: '.wh.' must be followed by a name");
    }
    parsed.path = name.substr(0, name.size() - base.size());
    parsed.path += deleted;
  } else {
    parsed.path = name;
  }
  // "file:stream" in the last component alone.
  const std::size_t colon = parsed.path.find(':');
  if (colon != std::string::npos) {
    if (parsed.path.find('/', colon) != std::string::npos || parsed.whiteout)
      return Unsafe("a colon in a name");
    parsed.stream = parsed.path.substr(colon + 1);
    parsed.path.resize(colon);
    if (parsed.stream.empty() || parsed.stream.find(':') != std::string::npos) {
      return Unsafe("an alternate stream without a name, or with a colon in it");
    }
    if (!IsWtf8(parsed.stream)) return Unsafe("a stream name that is not UTF-8");
    if (UnitsOf(parsed.stream) > kMaxNameUnits)
      return LimitError("kMaxNameUnits", kMaxNameUnits, UnitsOf(parsed.stream));
  }
  WCLAYER_TRY(CheckPath(parsed.path));
  if (parsed.whiteout && !IsBelowFiles(parsed.path)) {
    return Error(Errc::kBadArchive, "a whiteout outside Files/ and UtilityVM/Files/");
  }
  return parsed;
}

Expected<std::string> ParseLinkTarget(std::string_view name) {
  WCLAYER_ASSIGN(name, Strip(name));
  if (name.find(':') != std::string_view::npos) return Unsafe("a colon in a hard link's target");
  if (name.empty()) return Unsafe("a hard link without a target");
  WCLAYER_TRY(CheckPath(name));
  if (!IsBelowFiles(name))
    return Unsafe("a hard link's target outside Files/ and UtilityVM/Files/");
  return std::string(name);
}

}  // namespace wclayer::layer
