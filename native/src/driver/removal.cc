#include "driver/removal.h"

#include <algorithm>

#include "base/json.h"
#include "base/layer_id.h"
#include "fs/system.h"

namespace wclayer {
namespace {

constexpr const char* kReasons = "removals";
constexpr const char* kDisk = "sandbox.vhdx";

std::string RenamedOf(const std::string& id) {
  return id + std::string(kRemoving);
}
std::string ReasonOf(const std::string& id) {
  return std::string(kReasons) + "/" + LowerAscii(id) + ".json";
}
bool MayBeHeld(const Error& error) {
  return error.code == Errc::kLayerBusy || error.code == Errc::kAccessDenied;
}

}  // namespace

Removal::Removal(const Platform& platform, const StoreHome& home)
    : Removal(platform, home, [&home](const std::string& from, const std::string& to) {
        return home.dir().Rename(from, home.dir(), to, fs::Dir::RenameMode::kNoReplace);
      }) {}

Removal::Removal(const Platform& platform, const StoreHome& home, Rename rename)
    : platform_(&platform), home_(&home), rename_(std::move(rename)) {}

Status Removal::RenameOnce(const std::string& id) const {
  auto renamed = rename_(id, RenamedOf(id));
  if (!renamed && fs::IsGone(renamed.error())) return {};
  return renamed;
}

// A writable layer of a program that crashed keeps its disk attached, and Windows renames no folder
// with an open file in it (moby since 19.03).
Status Removal::DetachDisk(const std::string& id) const {
  WCLAYER_ASSIGN(const bool there, home_->dir().Exists(id + "/" + kDisk));
  if (!there || platform_->direct()) return {};
  return platform_->windows().host->DetachDisk(home_->LayerPath(id) + fs::kSeparator + kDisk);
}

Status Removal::RenameAway(const std::string& id) const {
  auto renamed = RenameOnce(id);
  if (renamed || platform_->direct() || !MayBeHeld(renamed.error())) return renamed;
  const Status detached = DetachDisk(id);
  vmcompute::Host& host = *platform_->windows().host;
  const auto end = host.Now() + platform_->windows().busy_wait;
  for (auto pause = kFirstHeldPause;; pause = std::min(pause * 2, kLongestHeldPause)) {
    renamed = RenameOnce(id);
    if (renamed || !MayBeHeld(renamed.error())) return renamed;
    if (host.Now() >= end) break;
    host.Sleep(pause);
  }
  Error error = std::move(renamed).error();
  const std::string disk = home_->LayerPath(id) + fs::kSeparator + kDisk;
  const std::string holders = host.HoldersOf({disk});
  error.message = "held by another process" + (holders.empty() ? "" : ": " + holders) + " (" +
                  error.message + ")";
  if (!detached) error.message += "; its disk could not be detached: " + detached.error().message;
  error.code = Errc::kLayerBusy;
  return error;
}

Expected<bool> Removal::Pending(const std::string& id) const {
  return home_->dir().Exists(RenamedOf(id));
}

void Removal::WriteReason(const std::string& id, const Error& error) const {
  Json json = Json::Object();
  json.Add("id", Json::Of(id)).Add("reason", Json::Of(error.ToString()));
  auto made = home_->private_dir().MakeDirs(kReasons);
  // Only for people to read: the folder's name says that the removal is pending.
  auto written = home_->PutFile(".wclayer/" + ReasonOf(id), WriteJson(json), fs::Durability::kNone);
  (void)made.has_value();
  (void)written.has_value();
}

Status Removal::Finish(const std::string& id) const {
  if (auto gone = platform_->Destroy(RenamedOf(id), false); !gone) {
    WriteReason(id, gone.error());
    return gone;
  }
  WCLAYER_ASSIGN(const bool left, Pending(id));
  if (left) {
    Error error(Errc::kPlatform, "DestroyLayer succeeded and the folder is still there");
    WriteReason(id, error);
    return std::move(error).Of(id);
  }
  auto removed = home_->private_dir().Remove(ReasonOf(id));
  (void)removed.has_value();  // mostly there is none
  return {};
}

Status Removal::Remove(const std::string& id) const {
  WCLAYER_ASSIGN(const bool before, Pending(id));
  if (before) WCLAYER_TRY(Finish(id));  // of a layer of the same id, earlier
  WCLAYER_TRY(RenameAway(id));
  auto finished = Finish(id);
  if (finished) return {};
  Error error = std::move(finished).error();
  error.message =
      "the layer is gone, but its folder could not be deleted yet; cleanup, or another "
      "remove, goes on with it: " +
      error.message;
  return error;
}

Expected<std::vector<std::string>> Removal::FinishAll() const {
  std::vector<std::string> done;
  WCLAYER_ASSIGN(const std::vector<fs::Listed> all, home_->dir().List());
  for (const fs::Listed& item : all) {
    if (!item.name.ends_with(kRemoving) || item.type != fs::Type::kDirectory) continue;
    const std::string id = item.name.substr(0, item.name.size() - kRemoving.size());
    if (!CheckId(id)) continue;
    auto lock = home_->LockLayer(id, fs::LockMode::kExclusive, std::chrono::milliseconds(0));
    if (!lock) continue;  // somebody is at it
    if (auto finished = Finish(id); !finished) {
      done.push_back("could not finish removing " + id + ": " + finished.error().ToString());
    } else {
      done.push_back("finished removing " + id);
    }
  }
  return done;
}

}  // namespace wclayer
