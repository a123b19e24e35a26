// The mounts of this mount namespace: listing them, taking one away, and who keeps it busy.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "base/limits.h"
#include "fs/dir.h"
#include "fs/mount.h"

namespace wclayer::fs {
namespace {

constexpr int kMaxHoldersNamed = 5;
// How much of /proc is read to name them: enough for a machine, and an end on any.
constexpr int kMaxHandlesRead = 200'000;
constexpr int kMaxMapLinesRead = 500'000;
constexpr std::size_t kProcPiece = 64u << 10;
constexpr std::size_t kMaxProcBytes = 256u << 20;  // a million mounts

// A file of /proc, whose size only its end tells.
Expected<std::string> ReadProc(const char* path) {
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return SystemError(errno, "open", path);
  std::string text;
  for (std::size_t used = 0; used <= kMaxProcBytes;) {
    text.resize(used + kProcPiece);
    const ssize_t count = ::read(file.get(), text.data() + used, kProcPiece);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "read", path);
    used += static_cast<std::size_t>(count);
    if (count != 0) continue;
    text.resize(used);
    return text;
  }
  return LimitError("kMaxProcBytes", kMaxProcBytes, text.size()).At(path);
}

// mountinfo writes blank, tab, newline and backslash as \ooo.
std::string Unescape(std::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && text.size() - i >= 4 && text[i + 1] <= '3' && octal(text[i + 1]) &&
        octal(text[i + 2]) && octal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string_view NextWord(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

// id parent major:minor root target options [tags…] - type source super-options; a source may be
// empty.
bool ParseMountInfo(std::string_view line, MountInfo& info) {
  const std::string_view id = NextWord(line);
  const auto parsed = std::from_chars(id.data(), id.data() + id.size(), info.id);
  if (parsed.ec != std::errc() || parsed.ptr != id.data() + id.size()) return false;
  for (int skipped = 0; skipped < 3; ++skipped) NextWord(line);
  info.target = Unescape(NextWord(line));
  while (!line.empty()) {
    if (NextWord(line) != "-") continue;
    info.type = Unescape(NextWord(line));
    info.source = Unescape(NextWord(line));
    return true;
  }
  return false;
}

bool IsBelow(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// Processes with a handle, working folder, root, program or mapping below a folder, as far as /proc
// shows them to us.
class HolderSearch {
 public:
  explicit HolderSearch(std::string folder) : folder_(std::move(folder)) {}

  std::string Find() {
    std::string holders;
    int found = 0;
    for (const Listed& process : ListOf("/proc")) {
      if (process.name.find_first_not_of("0123456789") != std::string::npos) continue;
      const std::string base = "/proc/" + process.name;
      if (!Holds(base)) continue;
      std::string name;
      std::getline(std::ifstream(base + "/comm"), name);
      holders += (holders.empty() ? "" : ", ") + name + " (pid " + process.name + ")";
      if (++found == kMaxHoldersNamed) break;
    }
    return holders;
  }

 private:
  static std::vector<Listed> ListOf(const std::string& path) {
    auto folder = Dir::OpenAbsolute(path);
    if (!folder) return {};
    auto list = folder->List();
    return list ? *std::move(list) : std::vector<Listed>();
  }

  bool PointsBelow(const std::string& link) const {
    char path[PATH_MAX];
    const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
    return length > 0 && IsBelow({path, static_cast<std::size_t>(length)}, folder_);
  }

  bool Holds(const std::string& base) {
    for (const char* link : {"/cwd", "/root", "/exe"}) {
      if (PointsBelow(base + link)) return true;
    }
    if (handles_read_ < kMaxHandlesRead) {
      for (const Listed& fd : ListOf(base + "/fd")) {
        ++handles_read_;
        if (PointsBelow(base + "/fd/" + fd.name)) return true;
      }
    }
    return Maps(base + "/maps");
  }

  // A mapping keeps its file open after the handle is closed.
  bool Maps(const std::string& path) {
    std::ifstream maps(path);
    for (std::string line; map_lines_read_ < kMaxMapLinesRead && std::getline(maps, line);) {
      ++map_lines_read_;
      const std::size_t at = line.find('/');
      if (at != std::string::npos && IsBelow(std::string_view(line).substr(at), folder_))
        return true;
    }
    return false;
  }

  std::string folder_;
  int handles_read_ = 0;
  int map_lines_read_ = 0;
};

// As /proc writes it: without links and doubled separators.
std::string RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real ? std::string(real.get()) : path;
}

std::string WhatKeeps(const std::string& target) {
  const std::string folder = RealPath(target);
  std::string text;
  if (const auto mounts = ListMounts()) {
    for (const MountInfo& mount : *mounts) {
      if (mount.target != folder && IsBelow(mount.target, folder)) {
        text = " by a mount at '" + mount.target + "'";
        break;
      }
    }
  }
  const std::string holders = HolderSearch(folder).Find();
  if (!holders.empty()) text += (text.empty() ? " by " : " and by ") + holders;
  return text;
}

}  // namespace

Status Unmount(const std::string& target, bool detach) {
  if (::umount2(target.c_str(), UMOUNT_NOFOLLOW) == 0) return {};
  const int number = errno;
  if (number == EINVAL || number == ENOENT) return {};  // not a mount point
  if (number != EBUSY) return SystemError(number, "umount2", target);
  if (detach) {
    if (::umount2(target.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) == 0) return {};
    return SystemError(errno, "umount2", target);
  }
  Error error = SystemError(number, "umount2", target);
  error.message = "the mount is in use" + WhatKeeps(target);
  return error;
}

Expected<std::vector<MountInfo>> ListMounts() {
  WCLAYER_ASSIGN(const std::string text, ReadProc("/proc/self/mountinfo"));
  std::vector<MountInfo> mounts;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    MountInfo info;
    if (!ParseMountInfo(line, info)) {
      return Error(Errc::kPlatform,
                   "a line that is no mount: '" + std::string(line.substr(0, 200)) + "'")
          .At("/proc/self/mountinfo");
    }
    mounts.push_back(std::move(info));
  }
  return mounts;
}

Expected<std::string> BootId() {
  constexpr const char* kPath = "/proc/sys/kernel/random/boot_id";
  WCLAYER_ASSIGN(std::string id, ReadProc(kPath));
  id.resize(std::min(id.find('\n'), id.size()));
  if (id.empty()) return SystemError(EIO, "read", kPath);
  return id;
}

}  // namespace wclayer::fs
