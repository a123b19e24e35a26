// The names of a layer tar: what is refused before anything touches the disk (X1), and whiteouts.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.h"

namespace wclayer::layer {

inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kOpaqueMarker = ".wh..wh..opq";

// A checked name of a tar entry.
struct LayerName {
  std::string path;    // without "./", without a trailing slash; "" for the root itself ("./")
  std::string stream;  // alternate stream, without ":$DATA"; "" for none
  bool whiteout = false;
  bool opaque = false;  // whiteout of all that parents have below `path`
};

// kUnsafePath: leaves the layer, or Windows cannot hold it; kBadArchive: outside the known top
// folders. Whiteouts give the path they delete.
Expected<LayerName> ParseName(std::string_view name);
// A hard link's target: a plain path below Files/ or UtilityVM/Files/.
Expected<std::string> ParseLinkTarget(std::string_view name);

// What these share with transport tars. StripName: without "./" and one trailing slash, "" for the
// root; absolute names and drive letters are refused. CheckWindowsPath: every component is one that
// Windows can hold, and none leaves the folder.
Expected<std::string_view> StripName(std::string_view name);
Status CheckWindowsPath(std::string_view path);

std::string_view ParentOf(std::string_view path);  // "" for a top folder
std::string_view BaseOf(std::string_view path);
std::string Joined(std::string_view folder, std::string_view name);
bool IsBelowFiles(
    std::string_view path);  // strictly below Files or UtilityVM/Files, compared without case

}  // namespace wclayer::layer
