#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "fs/dir.h"
#include "fs/mount.h"

namespace wclayer::fs {
namespace {

constexpr std::size_t kMaxOptionBytes =
    4095;  // what mount(2) takes; it cuts the rest silently (spec mounting §2)
constexpr std::size_t kMaxLowers = 500;
constexpr const char* kOptions[][2] = {
    {"index", "off"}, {"metacopy", "off"}, {"redirect_dir", "on"}, {"xino", "auto"}};

int FsOpen(const char* type) {
  return static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}
int FsConfig(int fs, unsigned command, const char* key, const void* value, int aux) {
  return static_cast<int>(::syscall(SYS_fsconfig, fs, command, key, value, aux));
}

// The kernel's own words about the last failure, read from the context.
std::string KernelLog(int fs) {
  std::string text;
  char line[512];
  for (;;) {
    const ssize_t count = ::read(fs, line, sizeof line);
    if (count <= 0) return text;
    text += (text.empty() ? " (" : "; ") + std::string(line, static_cast<std::size_t>(count));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (text.size() > 2000) return text;
  }
}

Error KernelError(int number, const char* call, const std::string& target, int fs) {
  Error error = SystemError(number, call, target);
  const std::string log = KernelLog(fs);
  if (!log.empty()) error.message += log + ")";
  return error;
}

Status MountByContext(const OverlayRequest& request) {
  const UniqueFd fs(FsOpen("overlay"));
  if (!fs) return SystemError(errno, "fsopen", request.target);
  const auto set = [&](const char* key, const std::string& value) -> Status {
    if (FsConfig(fs.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0) return {};
    return KernelError(errno, "fsconfig", request.target, fs.get());
  };
  const auto handle = [](int fd) { return "/proc/self/fd/" + std::to_string(fd); };
  WCLAYER_TRY(set("source", request.source));
  for (const int lower : request.lowers) WCLAYER_TRY(set("lowerdir+", handle(lower)));
  if (request.upper >= 0) {
    WCLAYER_TRY(set("upperdir", handle(request.upper)));
    WCLAYER_TRY(set("workdir", handle(request.work)));
  }
  for (const auto& [key, value] : kOptions) WCLAYER_TRY(set(key, value));
  if (FsConfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return KernelError(errno, "fsconfig", request.target, fs.get());
  }
  const UniqueFd mount(static_cast<int>(
      ::syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)));
  if (!mount) return KernelError(errno, "fsmount", request.target, fs.get());
  if (::syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, request.target.c_str(),
                MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return SystemError(errno, "move_mount", request.target);
  }
  return {};
}

// mount(2) with names relative to a folder of links: a JVM must not chdir, so on a thread that
// shares neither working folder nor root with the others.
Status MountByOptions(const OverlayRequest& request) {
  WCLAYER_ASSIGN(const Dir folder, Dir::OpenAbsolute(request.legacy_folder));
  const auto link = [&](int fd, const std::string& name) {
    return folder.MakeSymlink("/proc/self/fd/" + std::to_string(fd), name);
  };
  std::string options = "lowerdir=";
  std::vector<std::string> made;
  const auto use = [&](int fd, std::string name) -> Status {
    // The descriptors' own links resolve in the thread that mounts: it shares the table of
    // descriptors.
    WCLAYER_TRY(link(fd, name));
    made.push_back(std::move(name));
    return {};
  };
  Status status;
  for (std::size_t i = 0; i < request.lowers.size() && status; ++i) {
    char name[20];
    std::snprintf(name, sizeof name, "%zx", i);
    status = use(request.lowers[i], name);
    options += (i == 0 ? "" : ":") + std::string(name);
  }
  if (status && request.upper >= 0) {
    status = use(request.upper, "u");
    if (status) status = use(request.work, "w");
    options += ",upperdir=u,workdir=w";
  }
  for (const auto& [key, value] : kOptions) options += std::string(",") + key + "=" + value;
  if (status && options.size() > kMaxOptionBytes) {
    status = Error(Errc::kUnsupported, std::to_string(request.lowers.size()) + " layers need " +
                                           std::to_string(options.size()) +
                                           " bytes of mount options, mount(2) takes " +
                                           std::to_string(kMaxOptionBytes));
  }
  if (status) {
    std::thread mounter([&] {
      if (::unshare(CLONE_FS) != 0 || ::fchdir(folder.fd()) != 0) {
        status = SystemError(errno, "unshare", request.target);
        return;
      }
      if (::mount(request.source.c_str(), request.target.c_str(), "overlay", MS_NOSUID | MS_NODEV,
                  options.c_str()) != 0) {
        status = SystemError(errno, "mount", request.target);
      }
    });
    mounter.join();
  }
  for (const std::string& name : made) {
    auto removed = folder.Remove(name);
    if (!removed && status) status = std::move(removed);
  }
  return status;
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && text.size() - i >= 4 && text[i + 1] >= '0' && text[i + 1] <= '3') {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool IsBelow(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// Processes that keep `target` busy, as far as /proc shows; a handful is enough for a message.
std::string HoldersOf(const std::string& target) {
  std::string holders;
  int found = 0;
  auto proc = Dir::OpenAbsolute("/proc");
  if (!proc) return holders;
  auto processes = proc->List();
  if (!processes) return holders;
  for (const Listed& process : *processes) {
    if (process.name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string base = "/proc/" + process.name;
    const auto points = [&](const std::string& link) {
      char path[4096];
      const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
      return length > 0 &&
             IsBelow(std::string_view(path, static_cast<std::size_t>(length)), target);
    };
    bool holds = points(base + "/cwd") || points(base + "/root");
    if (!holds) {
      if (auto fds = Dir::OpenAbsolute(base + "/fd")) {
        if (auto open = fds->List()) {
          holds = std::any_of(open->begin(), open->end(),
                              [&](const Listed& fd) { return points(base + "/fd/" + fd.name); });
        }
      }
    }
    if (!holds) continue;
    std::string name;
    std::getline(std::ifstream(base + "/comm"), name);
    holders += (holders.empty() ? "" : ", ") + name + " (pid " + process.name + ")";
    if (++found == 5) break;
  }
  return holders;
}

bool HasSysAdmin() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("CapEff:")) continue;
    const unsigned long long bits = std::stoull(line.substr(7), nullptr, 16);
    return (bits >> CAP_SYS_ADMIN & 1) != 0;
  }
  return false;
}

// The initial user namespace maps every id to itself.
bool InInitialUserNamespace() {
  std::ifstream map("/proc/self/uid_map");
  unsigned long inside = 1;
  unsigned long outside = 1;
  unsigned long count = 0;
  map >> inside >> outside >> count;
  return inside == 0 && outside == 0 && count == 4294967295ul;
}

}  // namespace

Status MountOverlay(const OverlayRequest& request) {
  if (request.lowers.empty() || request.lowers.size() > kMaxLowers) {
    return Error(Errc::kUnsupported, "overlayfs takes 1 to 500 lower folders, not " +
                                         std::to_string(request.lowers.size()));
  }
  if (request.legacy) return MountByOptions(request);
  auto mounted = MountByContext(request);
  if (mounted) return mounted;
  // ENOSYS: no fsopen; EINVAL at fsconfig: no lowerdir+ (before Linux 6.5).
  const int number = mounted.error().sys_errno;
  if ((number == ENOSYS || number == EINVAL) && !request.legacy_folder.empty()) {
    auto legacy = MountByOptions(request);
    if (legacy || legacy.error().code == Errc::kUnsupported) return legacy;
  }
  return mounted;
}

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
  const std::string holders = HoldersOf(target);
  error.message = "the mount is in use" + (holders.empty() ? std::string() : " by " + holders);
  return error;
}

Expected<std::vector<MountInfo>> ListMounts() {
  std::ifstream file("/proc/self/mountinfo");
  if (!file) return SystemError(errno, "open", "/proc/self/mountinfo");
  std::vector<MountInfo> mounts;
  for (std::string line; std::getline(file, line);) {
    // id parent major:minor root target options [tags…] - type source super-options
    std::istringstream words(line);
    MountInfo info;
    std::string skip;
    words >> info.id >> skip >> skip >> skip >> info.target;
    while (words >> skip && skip != "-") {
    }
    words >> info.type >> info.source;
    info.target = Unescape(info.target);
    info.source = Unescape(info.source);
    mounts.push_back(std::move(info));
  }
  return mounts;
}

bool CanMountOverlay(const std::string& folder, std::string& reason) {
  reason.clear();
  if (!HasSysAdmin()) {
    reason = "the process lacks CAP_SYS_ADMIN";
    return false;
  }
  if (!InInitialUserNamespace()) {
    reason = "the process is in a user namespace";
    return false;
  }
  std::random_device random;
  char name[32];
  std::snprintf(name, sizeof name, "trial-%08x%08x", random(), random());
  const auto trial = [&]() -> Status {
    WCLAYER_ASSIGN(const Dir parent, Dir::OpenAbsolute(folder));
    const auto attempt = [&]() -> Status {
      WCLAYER_TRY(parent.MakeDir(name));
      WCLAYER_ASSIGN(const Dir here, parent.OpenDir(name));
      OverlayRequest request;
      for (const char* part : {"lower", "upper", "work", "mnt", "links"})
        WCLAYER_TRY(here.MakeDir(part));
      WCLAYER_ASSIGN(const Dir lower, here.OpenDir("lower"));
      WCLAYER_ASSIGN(const Dir upper, here.OpenDir("upper"));
      WCLAYER_ASSIGN(const Dir work, here.OpenDir("work"));
      request.lowers = {lower.fd()};
      request.upper = upper.fd();
      request.work = work.fd();
      request.target = folder + "/" + name + "/mnt";
      request.source = "wclayer:trial";
      request.legacy_folder = folder + "/" + name + "/links";
      WCLAYER_TRY(MountOverlay(request));
      return Unmount(request.target, true);
    };
    auto done = attempt();
    auto removed = parent.RemoveTree(name);
    return done ? std::move(removed) : std::move(done);
  };
  auto done = trial();
  if (done) return true;
  reason = done.error().ToString();
  return false;
}

Expected<std::string> BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (!std::getline(file, id) || id.empty())
    return SystemError(EIO, "read", "/proc/sys/kernel/random/boot_id");
  return id;
}

}  // namespace wclayer::fs
