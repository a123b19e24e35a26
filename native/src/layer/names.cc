#include "layer/names.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/upcase.h"
#include "base/utf16.h"

namespace wclayer::layer {
namespace {

// Some tools leave the type at a stream's name (spec layer-formats §c.7, CIM import).
constexpr std::string_view kStreamType = ":$DATA";
constexpr char kOutside[] = "a whiteout outside Files/ and UtilityVM/Files/";

Error Unsafe(std::string why) {
  return Error(Errc::kUnsafePath, std::move(why));
}

// A name that no Windows volume holds: refused as every other such name.
Error TooLong(const char* limit, std::size_t most, std::size_t got) {
  return Unsafe(LimitError(limit, most, got).message);
}

bool SameWord(std::string_view a, std::string_view b) {
  return a.size() == b.size() && EqualNoCaseUtf8(a, b);
}

// CON, "NUL .txt", COM1…: whatever folder they stand in, Windows opens the device.
bool IsDeviceName(std::string_view component) {
  constexpr std::size_t kLongestDevice = 7;
  std::string_view name = component.substr(0, component.find('.'));
  while (name.ends_with(' ')) name.remove_suffix(1);
  if (name.size() < 3 || name.size() > kLongestDevice) return false;
  const std::string stem = UpcaseUtf8(name);
  static constexpr std::array<std::string_view, 6> kNames = {"CON", "PRN",    "AUX",
                                                             "NUL", "CONIN$", "CONOUT$"};
  if (std::find(kNames.begin(), kNames.end(), stem) != kNames.end()) return true;
  if (!stem.starts_with("COM") && !stem.starts_with("LPT")) return false;
  // Superscript one, two and three are digits here.
  static constexpr std::array<std::string_view, 3> kSuperscripts = {"\xC2\xB9", "\xC2\xB2",
                                                                    "\xC2\xB3"};
  const std::string_view number = std::string_view(stem).substr(3);
  if (number.size() == 1) return number[0] >= '1' && number[0] <= '9';
  return std::find(kSuperscripts.begin(), kSuperscripts.end(), number) != kSuperscripts.end();
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
  if (component.empty()) return Unsafe("an empty component");
  if (component == "." || component == "..") return Unsafe("a component that is '.' or '..'");
  if (component.size() > kMaxNameUnits && UnitsOf(component) > kMaxNameUnits) {
    return TooLong("kMaxNameUnits", kMaxNameUnits, UnitsOf(component));
  }
  const auto bad = std::find_if(component.begin(), component.end(), IsForbiddenInName);
  if (bad != component.end()) {
    if (static_cast<unsigned char>(*bad) < 0x20) return Unsafe("a control character in a name");
    return Unsafe(std::string("the character ") + *bad + ", which no Windows name can hold");
  }
  if (component.back() == '.' || component.back() == ' ') {
    return Unsafe("a name that ends in a dot or a blank");
  }
  if (IsDeviceName(component)) return Unsafe("a Windows device name");
  return {};
}

// Every component, and the top folder.
Status CheckLayerPath(std::string_view path) {
  WCLAYER_TRY(CheckWindowsPath(path));
  const std::string_view top = path.substr(0, path.find('/'));
  if (SameWord(top, "Files") || SameWord(top, "Hives") || SameWord(top, "UtilityVM")) return {};
  constexpr std::size_t kShown = 80;
  return Error(Errc::kBadArchive, "a Windows layer holds Files, Hives and UtilityVM alone, not '" +
                                      std::string(top.substr(0, kShown)) + "'");
}

Status CheckStreamName(std::string_view name) {
  if (name.empty() || name.find(':') != std::string_view::npos) {
    return Unsafe("an alternate stream without a name, or with a colon in it");
  }
  if (!IsWtf8(name)) return Unsafe("a stream name that is not UTF-8");
  if (UnitsOf(name) > kMaxNameUnits) {
    return TooLong("kMaxNameUnits", kMaxNameUnits, UnitsOf(name));
  }
  for (const char c : name) {  // control characters but NUL are allowed here
    if (c == '\\') return Unsafe("a backslash in a stream's name");
  }
  return {};
}

Expected<LayerName> ParseWhiteout(std::string_view name, std::string_view base) {
  LayerName parsed;
  parsed.whiteout = true;
  if (base == kOpaqueMarker) {
    parsed.opaque = true;
    parsed.path = ParentOf(name);
    if (parsed.path.empty()) return Error(Errc::kBadArchive, kOutside);
    WCLAYER_TRY(CheckLayerPath(parsed.path));
    if (!IsBelowFiles(parsed.path + "/x")) return Error(Errc::kBadArchive, kOutside);
    return parsed;
  }
  const std::string_view deleted = base.substr(kWhiteoutPrefix.size());
  if (deleted.empty() || deleted == "." || deleted == "..") {
    return Unsafe("a whiteout of nothing: '.wh.' must be followed by a name");
  }
  parsed.path = name.substr(0, name.size() - base.size());
  parsed.path += deleted;
  WCLAYER_TRY(CheckLayerPath(parsed.path));
  if (!IsBelowFiles(parsed.path)) return Error(Errc::kBadArchive, kOutside);
  return parsed;
}

}  // namespace

Expected<std::string_view> StripName(std::string_view name) {
  if (name.empty()) return Unsafe("an empty name");
  if (name.find('\0') != std::string_view::npos) return Unsafe("a NUL in a name");
  if (name.size() >= 2 && name[1] == ':') return Unsafe("a name with a drive letter");
  while (name.starts_with("./")) name.remove_prefix(2);
  if (name.starts_with('/')) return Unsafe("an absolute name");
  if (name.ends_with('/')) name.remove_suffix(1);
  if (name == ".") name = {};
  return name;
}

Status CheckWindowsPath(std::string_view path) {
  if (path.size() > kMaxPathUnits && UnitsOf(path) > kMaxPathUnits) {
    return TooLong("kMaxPathUnits", kMaxPathUnits, UnitsOf(path));
  }
  if (!IsWtf8(path)) return Unsafe("a name that is not UTF-8");
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    WCLAYER_TRY(CheckComponent(path.substr(at, end - at)));
    at = end + 1;
  }
  return {};
}

std::string_view ParentOf(std::string_view path) {
  const std::size_t cut = path.rfind('/');
  return cut == std::string_view::npos ? std::string_view() : path.substr(0, cut);
}

std::string_view BaseOf(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string Joined(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : std::string(folder) + "/" + std::string(name);
}

bool IsBelowFiles(std::string_view path) {
  const auto below = [&](std::string_view top) {
    return path.size() > top.size() && path[top.size()] == '/' &&
           SameWord(path.substr(0, top.size()), top);
  };
  return below("Files") || below("UtilityVM/Files");
}

Expected<LayerName> ParseName(std::string_view name) {
  WCLAYER_ASSIGN(name, StripName(name));
  if (name.empty()) return LayerName();
  const std::string_view base = BaseOf(name);
  if (base.starts_with(kWhiteoutPrefix)) return ParseWhiteout(name, base);
  LayerName parsed;
  // "file:stream" in the last component alone.
  const std::size_t colon = name.size() - base.size() + std::min(base.find(':'), base.size());
  parsed.path = name.substr(0, colon);
  if (colon != name.size()) {
    std::string_view stream = name.substr(colon + 1);
    if (stream.ends_with(kStreamType)) stream.remove_suffix(kStreamType.size());
    parsed.stream = stream;
    WCLAYER_TRY(CheckStreamName(parsed.stream));
  }
  WCLAYER_TRY(CheckLayerPath(parsed.path));
  return parsed;
}

Expected<std::string> ParseLinkTarget(std::string_view name) {
  if (name.empty()) return Unsafe("a hard link without a target");
  WCLAYER_ASSIGN(name, StripName(name));
  WCLAYER_TRY(CheckLayerPath(name));
  if (!IsBelowFiles(name)) {
    return Error(Errc::kBadArchive, "a hard link's target outside Files/ and UtilityVM/Files/");
  }
  return std::string(name);
}

}  // namespace wclayer::layer
