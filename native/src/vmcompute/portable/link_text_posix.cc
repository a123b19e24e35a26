#include "portable/link_text.h"

#include <algorithm>
#include <vector>

#include "backup/reparse.h"
#include "base/upcase.h"
#include "base/utf16.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

constexpr std::size_t kMaxLinkText = 4095;  // PATH_MAX - 1: what symlink(2) takes
constexpr std::string_view kNowhere = "link-target-that-linux-cannot-name";

// Folders between the container's root and the entry.
std::vector<std::string_view> FoldersOf(std::string_view path) {
  auto parts = Components(ParentOf(path));
  std::size_t skip = 1;  // "Files"
  if (!parts.empty() && SamePath(parts[0], "UtilityVM")) skip = 2;
  parts.erase(parts.begin(),
              parts.begin() + static_cast<std::ptrdiff_t>(std::min(skip, parts.size())));
  return parts;
}

// Applies `target` to `at`; ".." at the root stays there, as Windows has it.
std::vector<std::string_view> Walk(std::vector<std::string_view> at, std::string_view target) {
  for (const auto part : Components(target)) {
    if (part.empty() || part == ".") continue;
    if (part != "..")
      at.push_back(part);
    else if (!at.empty())
      at.pop_back();
  }
  return at;
}

std::string Relative(const std::vector<std::string_view>& from,
                     const std::vector<std::string_view>& to) {
  std::size_t common = 0;
  while (common < from.size() && common < to.size() && from[common] == to[common]) ++common;
  std::string text;
  const auto add = [&](std::string_view part) {
    if (!text.empty()) text += '/';
    text += part.size() > kMaxDiskNameBytes ? DiskName(part) : std::string(part);
  };
  for (std::size_t i = common; i < from.size(); ++i) add("..");
  for (std::size_t i = common; i < to.size(); ++i) add(to[i]);
  return text.empty() ? "." : text;
}

bool StripPrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string Harmless(std::string_view target) {
  std::string text;
  for (const auto part : Walk({}, target)) {
    if (!text.empty()) text += '/';
    text += part;
  }
  return text;
}

}  // namespace

Expected<std::optional<std::string>> LinkText(std::string_view path, Bytes reparse) {
  using Result = std::optional<std::string>;
  const std::uint32_t tag = backup::ReparseTag(reparse);
  if (tag != backup::kTagSymlink && tag != backup::kTagMountPoint) return Result();
  WCLAYER_ASSIGN(const auto point, backup::ParseReparse(reparse));
  std::string target = ToUtf8(point.substitute.empty() ? point.target : point.substitute);
  std::replace(target.begin(), target.end(), '\\', '/');
  std::string_view rest = target;
  // "\??\C:\x", "\\?\C:\x" and "C:\x" name the same folder.
  if (!StripPrefix(rest,
                   "/?"
                   "?/"))
    StripPrefix(rest, "//?/");
  const bool drive = rest.size() >= 2 && rest[1] == ':' && (rest[0] == 'C' || rest[0] == 'c') &&
                     (rest.size() == 2 || rest[2] == '/');
  const auto folders = FoldersOf(path);
  std::string text;
  if (drive)
    text = Relative(folders, Walk({}, rest.substr(2)));
  else if (point.relative && rest.starts_with("/") && !rest.starts_with("//"))
    text = Relative(folders, Walk({}, rest));
  else if (point.relative && !rest.starts_with("/"))
    text = Relative(folders, Walk(folders, rest));
  else
    text = Harmless(rest);
  if (text.empty() || text.size() > kMaxLinkText || text.find('\0') != std::string::npos)
    text = kNowhere;
  return Result(std::move(text));
}

}  // namespace wclayer::portable
