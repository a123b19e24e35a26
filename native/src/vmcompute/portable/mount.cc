#include "portable/mount.h"

#include <algorithm>
#include <cerrno>

#include "base/upcase.h"
#include "fs/lock.h"
#include "fs/mount.h"
#include "fs/system.h"
#include "portable/chain.h"
#include "portable/checkout.h"
#include "portable/checkout_table.h"
#include "portable/names.h"
#include "portable/overlay.h"
#include "portable/staging.h"

namespace wclayer::portable {
namespace {

constexpr char kOverlay[] = "overlay";
// In the private folder of a checked-out layer while it is prepared: the id of this boot.
constexpr char kPrepared[] = "prepared";
constexpr std::size_t kMaxBootId = 256;
constexpr std::chrono::seconds kPrepareWait(10);

struct LayerToMount {
  std::string id;  // as its folder is spelt
  LayerKind kind = LayerKind::kNone;
  fs::Dir layer;
};

Expected<LayerToMount> Open(const Home& home, const std::string& id) {
  LayerToMount target;
  WCLAYER_ASSIGN(target.kind, home.KindOf(id));
  if (target.kind == LayerKind::kNone)
    return Error(Errc::kLayerNotFound, "there is no layer of this id").Of(id);
  WCLAYER_ASSIGN(const auto folder, home.FolderOf(id));
  target.id = folder.value_or(id);
  WCLAYER_ASSIGN(target.layer, home.OpenLayer(id));
  return target;
}

// Mounting and unmounting of one layer, one at a time. '+' cannot be in an id.
Expected<fs::FileLock> LockMounting(Home& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto folder, home.Private());
  WCLAYER_ASSIGN(const auto locks, folder.OpenDir(kLocks));
  auto lock = fs::FileLock::Acquire(locks, LowerAscii(id) + "+prepare", fs::LockMode::kExclusive,
                                    kPrepareWait);
  if (!lock) return std::move(lock).error().Of(id);
  return lock;
}

Expected<bool> CheckoutIsPrepared(const fs::Dir& layer) {
  auto boot = layer.ReadSmall(Join(kPrivate, kPrepared), kMaxBootId);
  if (!boot) {
    if (boot.error().sys_errno == ENOENT) return false;
    return std::move(boot).error();
  }
  WCLAYER_ASSIGN(const auto now, fs::BootId());
  return *boot == now;
}

Status MarkPrepared(const Home& home, const fs::Dir& layer) {
  WCLAYER_ASSIGN(const auto boot, fs::BootId());
  return home.PutFile(layer, Join(kPrivate, kPrepared), boot, fs::Durability::kNone);
}

Status UnmarkPrepared(const fs::Dir& layer) {
  auto removed = layer.Remove(Join(kPrivate, kPrepared));
  if (!removed && removed.error().sys_errno == ENOENT) return {};
  return removed;
}

Status RecordMode(const Home& home, const LayerToMount& target, WritableRecord record,
                  const char* mode) {
  if (record.mode == mode) return {};
  record.mode = mode;
  return home.WriteWritable(target.layer, record);
}

Status PrepareCheckout(const Home& home, const LayerToMount& target, const WritableRecord& record) {
  WCLAYER_ASSIGN(const auto chain, Chain::Open(home, record.parents));
  WCLAYER_TRY(MakeCheckout(home, target.layer, *chain));
  WCLAYER_TRY(RecordMode(home, target, record, kCheckout));
  return MarkPrepared(home, target.layer);
}

Error Mismatch(const LayerToMount& target, const std::string& why) {
  return Error(Errc::kMountMismatch,
               "the layer was first mounted as an overlay and its changes are kept in that form, "
               "but here " +
                   why)
      .Of(target.id);
}

Status PrepareWritable(const std::shared_ptr<Home>& home, const LayerToMount& target) {
  WCLAYER_ASSIGN(const auto record, home->ReadWritable(target.id));
  if (record.mode == kCheckout) return PrepareCheckout(*home, target, record);
  if (record.mode != kOverlay && !record.mode.empty())
    return Error(Errc::kLayerDamaged, "its record names the unknown mode '" + record.mode + "'")
        .Of(target.id);
  const bool decided = record.mode == kOverlay;
  WCLAYER_ASSIGN(const bool mounted, OverlayIsMounted(*home, target.id));
  if (mounted) return RecordMode(*home, target, record, kOverlay);
  if (home->options().force_checkout) {
    if (decided) return Mismatch(target, "the option to use checkouts only is set");
    return PrepareCheckout(*home, target, record);
  }
  auto done = MountOverlayOf(home, target.id, target.layer, record.parents);
  if (done) {
    auto recorded = RecordMode(*home, target, record, kOverlay);
    if (recorded) return {};
    const auto undone = UnmountOverlayOf(*home, target.id);
    (void)undone.has_value();
    return recorded;
  }
  // Is it this mount, or any mount?
  std::string reason;
  const bool too_many = done.error().code == Errc::kUnsupported;
  if (!too_many) {
    // A folder of its own with a lock, or a recovery elsewhere would clear it away meanwhile.
    WCLAYER_ASSIGN(const auto staging, Staging::Begin(home));
    if (fs::CanMountOverlay(staging->path(), reason)) return std::move(done).error().Of(target.id);
  }
  if (too_many) reason = done.error().message;
  if (decided) return Mismatch(target, reason);
  return PrepareCheckout(*home, target, record);
}

}  // namespace

Status ActivateLayer(const std::shared_ptr<Home>& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto target, Open(*home, id));
  return {};
}

Status PrepareLayer(const std::shared_ptr<Home>& home, const std::string& id,
                    const std::vector<std::string>& parents) {
  WCLAYER_ASSIGN(const auto target, Open(*home, id));
  if (target.kind != LayerKind::kWritable) return {};
  WCLAYER_ASSIGN(const auto recorded, home->ParentsOf(id));
  if (!std::equal(parents.begin(), parents.end(), recorded.begin(), recorded.end(),
                  [](const std::string& a, const std::string& b) { return SamePath(a, b); }))
    return Error(Errc::kInvalidArgument, "the chain given is not the one the layer was made on")
        .Of(id);
  for (const std::string& parent : parents)
    if (auto imported = home->CheckImported(parent); !imported)
      return std::move(imported).error().Of(target.id);
  WCLAYER_ASSIGN(const auto lock, LockMounting(*home, target.id));
  auto prepared = PrepareWritable(home, target);
  if (!prepared) return std::move(prepared).error().Of(target.id);
  return {};
}

// The mount stays until Deactivate: a Diff of a layer in use must not fail because it is busy, and
// its user must not see half of it (store §5).
Status UnprepareLayer(const std::shared_ptr<Home>& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto target, Open(*home, id));
  return {};
}

Status DeactivateLayer(const std::shared_ptr<Home>& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto target, Open(*home, id));
  if (target.kind != LayerKind::kWritable) return {};
  WCLAYER_ASSIGN(const auto lock, LockMounting(*home, target.id));
  WCLAYER_TRY(UnmarkPrepared(target.layer));
  WCLAYER_ASSIGN(const bool mounted, OverlayIsMounted(*home, target.id));
  return mounted ? UnmountOverlayOf(*home, target.id) : Status();
}

Expected<std::string> GetLayerMountPath(const std::shared_ptr<Home>& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto target, Open(*home, id));
  WCLAYER_ASSIGN(const auto path, home->LayerPath(id));
  if (target.kind != LayerKind::kWritable) return path;
  WCLAYER_ASSIGN(const bool mounted, OverlayIsMounted(*home, target.id));
  if (mounted) return MountTarget(*home, target.id);
  WCLAYER_ASSIGN(const bool prepared, CheckoutIsPrepared(target.layer));
  if (prepared) return path + fs::kSeparator + kPrivate + fs::kSeparator + kCheckout;
  Error error(Errc::kInvalidArgument, "the layer is not mounted: prepare it first");
  error.hresult = vmcompute::kNotReady;
  return std::move(error).Of(id);
}

Expected<bool> IsMounted(const std::shared_ptr<Home>& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto kind, home->KindOf(id));
  if (kind != LayerKind::kWritable) return false;
  WCLAYER_ASSIGN(const auto target, Open(*home, id));
  WCLAYER_ASSIGN(const bool prepared, CheckoutIsPrepared(target.layer));
  if (prepared) return true;
  return OverlayIsMounted(*home, target.id);
}

}  // namespace wclayer::portable
