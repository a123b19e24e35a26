// Mounting an overlay: by file system context, or by mount(2) with short names.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <thread>

#include "base/limits.h"
#include "fs/mount.h"
#include "fs/posix.h"

namespace wclayer::fs {
namespace {

// What mount(2) takes; it cuts the rest silently (spec mounting §2).
constexpr std::size_t kMaxOptionBytes = 4095;
constexpr std::size_t kMaxLogBytes = 2000;
constexpr const char* kOptions[][2] = {
    {"index", "off"}, {"metacopy", "off"}, {"redirect_dir", "on"}, {"xino", "auto"}};

std::string HandlePath(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

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
  while (text.size() < kMaxLogBytes) {
    const ssize_t count = ::read(fs, line, sizeof line);
    if (count <= 0) break;
    if (!text.empty()) text += "; ";
    text.append(line, static_cast<std::size_t>(count));
    while (!text.empty() && text.back() == '\n') text.pop_back();
  }
  return text;
}

Error KernelError(int number, const char* call, const std::string& target, int fs) {
  Error error = SystemError(number, call, target);
  const std::string log = KernelLog(fs);
  if (!log.empty()) error.message += " (the kernel says: " + log + ")";
  return error;
}

Status MountByContext(const OverlayRequest& request) {
  const UniqueFd fs(FsOpen("overlay"));
  if (!fs) return SystemError(errno, "fsopen", request.target);
  const auto set = [&](const char* key, const std::string& value) -> Status {
    if (FsConfig(fs.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0) return {};
    return KernelError(errno, "fsconfig", request.target, fs.get());
  };
  WCLAYER_TRY(set("source", request.source));
  for (const int lower : request.lowers) WCLAYER_TRY(set("lowerdir+", HandlePath(lower)));
  if (request.upper >= 0) {
    WCLAYER_TRY(set("upperdir", HandlePath(request.upper)));
    WCLAYER_TRY(set("workdir", HandlePath(request.work)));
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

// Links of short names in a private folder, one to each handle of the request.
class ShortNames {
 public:
  explicit ShortNames(Dir folder) : folder_(std::move(folder)) {}
  ~ShortNames() {
    for (const std::string& name : made_) (void)folder_.Remove(name).has_value();
  }
  ShortNames(const ShortNames&) = delete;
  ShortNames& operator=(const ShortNames&) = delete;

  const Dir& folder() const { return folder_; }
  // The link leads to the handle in the thread that mounts, which shares our table of them.
  Status Add(int fd, const std::string& name) {
    WCLAYER_TRY(folder_.MakeSymlink(HandlePath(fd), name));
    made_.push_back(name);
    return {};
  }

 private:
  Dir folder_;
  std::vector<std::string> made_;
};

// A JVM must not chdir, so the names are resolved on a thread that shares neither working folder
// nor root with the others (store §5).
Status MountIn(const Dir& folder, const OverlayRequest& request, const std::string& options) {
  Status status;
  const auto mount = [&] {
    if (::unshare(CLONE_FS) != 0) {
      status = SystemError(errno, "unshare", request.target);
    } else if (::fchdir(folder.fd()) != 0) {
      status = SystemError(errno, "fchdir", request.target);
    } else if (::mount(request.source.c_str(), request.target.c_str(), "overlay",
                       MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
      status = SystemError(errno, "mount", request.target);
    }
  };
  try {
    std::thread(mount).join();
  } catch (const std::system_error& failure) {
    return SystemError(failure.code().value(), "pthread_create", request.target);
  }
  return status;
}

Status MountByOptions(const OverlayRequest& request) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < request.lowers.size(); ++i) {
    char name[20];
    std::snprintf(name, sizeof name, "%zx", i);
    names.emplace_back(name);
  }
  WCLAYER_ASSIGN(const std::string options, OverlayOptions(names, request.upper >= 0));
  WCLAYER_ASSIGN(Dir folder, Dir::OpenAbsolute(request.legacy_folder));
  ShortNames links(std::move(folder));
  for (std::size_t i = 0; i < names.size(); ++i)
    WCLAYER_TRY(links.Add(request.lowers[i], names[i]));
  if (request.upper >= 0) {
    WCLAYER_TRY(links.Add(request.upper, "u"));
    WCLAYER_TRY(links.Add(request.work, "w"));
  }
  return MountIn(links.folder(), request, options);
}

Status CheckRequest(const OverlayRequest& request) {
  if (request.lowers.empty()) return Error(Errc::kInvalidArgument, "an overlay without a layer");
  if (request.lowers.size() > kMaxChain) {
    return Error(Errc::kUnsupported,
                 std::to_string(request.lowers.size()) +
                     " layers, overlayfs takes at most kMaxChain = " + std::to_string(kMaxChain));
  }
  if ((request.upper < 0) != (request.work < 0))
    return Error(Errc::kInvalidArgument, "an upper folder needs a work folder and the reverse");
  if (request.target.empty() || request.target.front() != '/')
    return Error(Errc::kInvalidArgument, "an absolute path is needed").At(request.target);
  return {};
}

Status MountEitherWay(const OverlayRequest& request) {
  if (request.legacy) return MountByOptions(request);
  auto mounted = MountByContext(request);
  if (mounted || request.legacy_folder.empty()) return mounted;
  // No fsopen (or a container's filter refuses it), or EINVAL: no lowerdir+ before Linux 6.5.
  const bool no_context = mounted.error().operation == "fsopen";
  if (!no_context && mounted.error().sys_errno != EINVAL) return mounted;
  auto legacy = MountByOptions(request);
  if (legacy || no_context || legacy.error().code == Errc::kUnsupported) return legacy;
  return mounted;  // with the kernel's own words, which mount(2) does not give
}

}  // namespace

Expected<std::string> OverlayOptions(const std::vector<std::string>& lowers, bool writable) {
  std::string options = "lowerdir=";
  for (const std::string& lower : lowers) {
    if (&lower != &lowers.front()) options += ':';
    options += lower;
  }
  if (writable) options += ",upperdir=u,workdir=w";
  for (const auto& [key, value] : kOptions) options += std::string(",") + key + "=" + value;
  if (options.size() <= kMaxOptionBytes) return options;
  return Error(Errc::kUnsupported,
               std::to_string(lowers.size()) + " layers need " + std::to_string(options.size()) +
                   " bytes of mount options, mount(2) takes kMaxOptionBytes = " +
                   std::to_string(kMaxOptionBytes));
}

Status MountOverlay(const OverlayRequest& request) {
  WCLAYER_TRY(CheckRequest(request));
  auto mounted = MountEitherWay(request);
  if (mounted) return mounted;
  const int number = mounted.error().sys_errno;
  if (number == ENODEV || number == ENOSYS) {
    mounted.error().code = Errc::kBackendUnavailable;
    mounted.error().message += "; this kernel has no overlayfs";
  }
  return mounted;
}

}  // namespace wclayer::fs
