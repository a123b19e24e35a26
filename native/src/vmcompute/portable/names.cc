#include "portable/names.h"

#include <algorithm>

#include "base/limits.h"
#include "base/upcase.h"
#include "base/utf16.h"
#include "io/digest.h"

namespace wclayer::portable {
namespace {

constexpr std::string_view kShortMark = "~wcl~";
constexpr std::size_t kSumDigits = 16;

Error Unsafe(std::string_view path, std::string_view why) {
  return Error(Errc::kUnsafePath, std::string(why)).At(path);
}

}  // namespace

Status CheckComponent(std::string_view name) {
  if (name.empty()) return Unsafe(name, "a component of the path is empty");
  if (name == "." || name == "..") return Unsafe(name, "'.' and '..' are no names");
  if (std::any_of(name.begin(), name.end(), IsForbiddenInName))
    return Unsafe(name, "the name holds a character that Windows names cannot hold");
  const bool ascii = IsAscii(name);
  if (!ascii && !IsWtf8(name)) return Unsafe(name, "the name is not UTF-8");
  if (name.size() > kMaxNameUnits) {
    std::size_t units = name.size();
    if (!ascii) {
      WCLAYER_ASSIGN(const auto wide, ToUtf16(name));
      units = wide.size();
    }
    if (units > kMaxNameUnits) return LimitError("kMaxNameUnits", kMaxNameUnits, units).At(name);
  }
  return {};
}

Status CheckPath(std::string_view path) {
  std::size_t from = 0;
  while (true) {
    const auto slash = path.find('/', from);
    const auto name = path.substr(from, slash == std::string_view::npos ? slash : slash - from);
    if (auto status = CheckComponent(name); !status) {
      Error error = std::move(status).error();
      error.path = path;
      return error;
    }
    if (slash == std::string_view::npos) break;
    from = slash + 1;
  }
  if (path.size() > kMaxPathUnits) {
    WCLAYER_ASSIGN(const auto wide, ToUtf16(path));
    if (wide.size() > kMaxPathUnits)
      return LimitError("kMaxPathUnits", kMaxPathUnits, wide.size()).At(path.substr(0, 256));
  }
  return {};
}

std::vector<std::string_view> Components(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

std::string_view ParentOf(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view NameOf(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string Join(std::string_view folder, std::string_view name) {
  std::string path;
  path.reserve(folder.size() + 1 + name.size());
  path = folder;
  if (!path.empty()) path += '/';
  path += name;
  return path;
}

std::string Fold(std::string_view path) {
  return UpcaseUtf8(path);
}

bool SamePath(std::string_view a, std::string_view b) {
  return EqualNoCaseUtf8(a, b);
}

int CompareDepthFirst(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (a[i] == b[i]) continue;
    // The end of a component sorts before every byte.
    const int left = a[i] == '/' ? -1 : static_cast<unsigned char>(a[i]);
    const int right = b[i] == '/' ? -1 : static_cast<unsigned char>(b[i]);
    return left < right ? -1 : 1;
  }
  if (a.size() == b.size()) return 0;
  return a.size() < b.size() ? -1 : 1;
}

std::string DiskName(std::string_view name) {
  if (name.size() <= kMaxDiskNameBytes) return std::string(name);
  const std::string folded = Fold(name);
  std::size_t keep = 200;
  while (keep > 0 && (static_cast<unsigned char>(folded[keep]) & 0xC0) == 0x80) --keep;
  std::uint64_t sum = io::Checksum(AsBytes(folded));
  std::string text = folded.substr(0, keep);
  text += kShortMark;
  for (std::size_t i = 0; i < kSumDigits; ++i, sum <<= 4) text += "0123456789abcdef"[sum >> 60];
  return text;
}

bool IsShortened(std::string_view disk_name) {
  const std::size_t tail = kShortMark.size() + kSumDigits;
  return disk_name.size() > 190 + tail &&
         disk_name.substr(disk_name.size() - tail, kShortMark.size()) == kShortMark;
}

Expected<std::string> PathFromAbi(std::u16string_view name) {
  if (!name.empty() && name.front() == u'\\') name.remove_prefix(1);
  // hcsshim gives names as a tar spells them, and folders of some end in a slash there.
  if (!name.empty() && name.back() == u'\\') name.remove_suffix(1);
  if (name.size() > kMaxPathUnits) return LimitError("kMaxPathUnits", kMaxPathUnits, name.size());
  std::string path = ToUtf8(name);
  if (path.find('/') != std::string::npos)
    return Unsafe(path, "the name holds a '/', which Windows names cannot hold");
  std::replace(path.begin(), path.end(), '\\', '/');
  WCLAYER_TRY(CheckPath(path));
  return path;
}

std::u16string PathToAbi(std::string_view path) {
  std::u16string name(1, u'\\');
  if (auto wide = ToUtf16(path)) name += *wide;
  std::replace(name.begin() + 1, name.end(), u'/', u'\\');
  return name;
}

}  // namespace wclayer::portable
