// Overlayfs mounts (Linux), as low-level as the store needs them (store §5, spec mounting).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/expected.h"

namespace wclayer::fs {

struct OverlayRequest {
  std::vector<int> lowers;  // folder handles, top first; 1…500
  int upper = -1;           // -1: read only
  int work = -1;
  std::string target;         // absolute path of an existing folder
  std::string source;         // free text that mountinfo shows
  bool legacy = false;        // mount(2) although fsopen/fsconfig is there
  std::string legacy_folder;  // an empty private folder for mount(2)'s short names; absolute
};

// Mounts with index=off, metacopy=off, redirect_dir=on, xino=auto, nosuid, nodev. kUnsupported:
// this way cannot mount so many layers (mount(2) takes 4,095 bytes of options and cuts the rest
// silently, so the text is checked before); kBackendUnavailable: the kernel has neither way.
Status MountOverlay(const OverlayRequest& request);

// Plain umount; a busy one is kLayerBusy naming holders. `detach`: MNT_DETACH when it is busy. Not
// mounted: fine.
Status Unmount(const std::string& target, bool detach);

struct MountInfo {
  std::uint64_t id = 0;
  std::string target;
  std::string type;
  std::string source;
};
Expected<std::vector<MountInfo>> ListMounts();  // of this mount namespace

// Whether this process can mount an overlay whose upper lies in `folder` (absolute), by a trial;
// `reason` says why not.
bool CanMountOverlay(const std::string& folder, std::string& reason);

// Unmounts what trials of processes that are gone left below `folder` (absolute).
Status EndTrials(const std::string& folder);

Expected<std::string> BootId();

}  // namespace wclayer::fs
