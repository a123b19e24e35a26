// Names inside a layer: what a component may be, how components compare, and how one is spelt on
// disk when the file system cannot hold it (store §2).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"

namespace wclayer::portable {

// The top folder that a container sees.
inline constexpr std::string_view kFiles = "Files";

// A path inside a layer: "Files/Windows/a.dll". Refused (kUnsafePath, kLimitExceeded): components
// that Windows cannot hold or that would lead elsewhere, over-long ones, text that is not (W)UTF-8.
Status CheckPath(std::string_view path);
Status CheckComponent(std::string_view name);

std::vector<std::string_view> Components(std::string_view path);
std::string_view ParentOf(std::string_view path);  // "" at the top
std::string_view NameOf(std::string_view path);
std::string Join(std::string_view folder, std::string_view name);

// The same text for every spelling that NTFS takes for the same name.
std::string Fold(std::string_view path);
bool SamePath(std::string_view a, std::string_view b);

// The reference order of two paths: folder by folder, names by bytes (a folder before what it
// holds).
int CompareDepthFirst(std::string_view a, std::string_view b);

// The name on disk: the name itself, or, beyond kMaxDiskNameBytes, a shortened form that is the
// same for every spelling: its first characters, "~wcl~" and a checksum of the folded name.
inline constexpr std::size_t kMaxDiskNameBytes = 255;  // NAME_MAX of every Linux file system
std::string DiskName(std::string_view name);
bool IsShortened(std::string_view disk_name);

// "\Files\a" (also "Files\a", "\Files\a\") of the ABI to "Files/a" and back. Checks as CheckPath
// does.
Expected<std::string> PathFromAbi(std::u16string_view name);
std::u16string PathToAbi(std::string_view path);

}  // namespace wclayer::portable
