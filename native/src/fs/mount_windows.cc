// Windows has no overlayfs: the portable store lays out checkouts there (store §5).
#include "fs/mount.h"

#include "base/windows.h"
#include "fs/win32.h"

namespace wclayer::fs {
namespace {

constexpr char kNone[] = "there is no overlayfs on Windows";

}  // namespace

Status MountOverlay(const OverlayRequest& request) {
  return Error(Errc::kBackendUnavailable, kNone).At(request.target);
}

Status Unmount(const std::string&, bool) {
  return {};  // nothing of ours is ever mounted
}

Expected<std::vector<MountInfo>> ListMounts() {
  return std::vector<MountInfo>();
}

bool CanMountOverlay(const std::string&, std::string& reason) {
  reason = kNone;
  return false;
}

Status EndTrials(const std::string&) {
  return {};
}

// When Windows was started. Setting the clock moves that time and its bias together.
Expected<std::string> BootId() {
  struct TimeOfDay {
    std::int64_t boot_time;
    std::int64_t current_time;
    std::int64_t time_zone_bias;
    std::uint32_t time_zone_id;
    std::uint32_t reserved;
    std::int64_t boot_time_bias;
    std::int64_t sleep_time_bias;
  };
  constexpr auto kTimeOfDay = static_cast<SYSTEM_INFORMATION_CLASS>(3);
  TimeOfDay time{};
  const NTSTATUS status = Calls().NtQuerySystemInformation(kTimeOfDay, &time, sizeof time, nullptr);
  if (status < 0) return windows::NtFailure(status, "NtQuerySystemInformation", "");
  return "windows-" + std::to_string(time.boot_time - time.boot_time_bias);
}

}  // namespace wclayer::fs
