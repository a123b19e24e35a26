// Whether overlays can be mounted here, found out by mounting one.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>

#include "fs/dir.h"
#include "fs/mount.h"
#include "fs/system.h"

namespace wclayer::fs {
namespace {

// The inode of the initial user namespace, fixed in Linux's proc_ns.h. Its id map does not tell:
// another namespace may map every id as well.
constexpr ino_t kInitialUserNamespace = 0xEFFFFFFDu;

bool HasSysAdmin() {
  constexpr std::string_view kKey = "CapEff:\t";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(kKey)) continue;
    std::uint64_t bits = 0;
    std::from_chars(line.data() + kKey.size(), line.data() + line.size(), bits, 16);
    return (bits >> CAP_SYS_ADMIN & 1) != 0;
  }
  return false;
}

bool InInitialUserNamespace() {
  struct stat info {};
  return ::stat("/proc/self/ns/user", &info) == 0 && info.st_ino == kInitialUserNamespace;
}

constexpr const char* kTrialSource = "wclayer:trial";

// What edits of a layer need of the upper's file system: whiteouts, and redirects of folders, which
// are extended attributes. Overlayfs mounts without them, too, and only warns in the kernel's log.
Status TryEdits(const std::string& target, const Dir& upper) {
  WCLAYER_ASSIGN(const Dir merged, Dir::OpenAbsolute(target));
  WCLAYER_TRY(merged.Remove("file"));
  WCLAYER_ASSIGN(const Info whiteout, upper.Stat("file"));
  if (whiteout.type != Type::kCharDevice || whiteout.rdev != 0)
    return Error(Errc::kUnsupported, "a deletion leaves no whiteout");
  return merged.Rename("folder", merged, "renamed", Dir::RenameMode::kNoReplace);
}

Status MountTrial(const Dir& here, const std::string& path) {
  for (const char* part : {"lower", "lower/folder", "upper", "work", "mnt", "links"})
    WCLAYER_TRY(here.MakeDir(part));
  WCLAYER_TRY(here.CreateFile("lower/file"));
  WCLAYER_ASSIGN(const Dir lower, here.OpenDir("lower"));
  WCLAYER_ASSIGN(const Dir upper, here.OpenDir("upper"));
  WCLAYER_ASSIGN(const Dir work, here.OpenDir("work"));
  OverlayRequest request;
  request.lowers = {lower.fd()};
  request.upper = upper.fd();
  request.work = work.fd();
  request.target = path + "/mnt";
  request.source = kTrialSource;
  request.legacy_folder = path + "/links";
  WCLAYER_TRY(MountOverlay(request));
  auto edited = TryEdits(request.target, upper);
  auto unmounted = Unmount(request.target, true);
  return edited ? std::move(unmounted) : std::move(edited);
}

Status RunTrial(const std::string& folder) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random)
    return SystemError(errno, "getrandom", folder);
  char name[32];
  std::snprintf(name, sizeof name, "trial-%016llx", static_cast<unsigned long long>(random));
  WCLAYER_ASSIGN(const Dir parent, Dir::OpenAbsolute(folder));
  WCLAYER_TRY(parent.MakeDir(name));
  auto opened = parent.OpenDir(name);
  Status done = opened ? MountTrial(*opened, folder + "/" + name) : std::move(opened).error();
  auto removed = parent.RemoveTree(name);
  return done ? std::move(removed) : std::move(done);
}

}  // namespace

bool CanMountOverlay(const std::string& folder, std::string& reason) {
  reason.clear();
  if (!HasSysAdmin()) {
    reason = "the process lacks CAP_SYS_ADMIN";
  } else if (!InInitialUserNamespace()) {
    reason =
        "the process is in a user namespace of its own, where overlayfs keeps no whiteouts and "
        "redirects as layers need them";
  } else if (auto done = RunTrial(folder); !done) {
    reason = "a trial mount failed: " + done.error().ToString();
  }
  return reason.empty();
}

Status EndTrials(const std::string& folder) {
  WCLAYER_ASSIGN(const auto mounts, ListMounts());
  const std::string below = Canonical(folder) + "/";
  for (const MountInfo& mount : mounts) {
    if (mount.source == kTrialSource && mount.target.starts_with(below))
      WCLAYER_TRY(Unmount(mount.target, true));
  }
  return {};
}

}  // namespace wclayer::fs
