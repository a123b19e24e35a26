#include "driver/platform.h"

#include <algorithm>

#include "base/layer_id.h"
#include "base/limits.h"
#include "base/utf16.h"
#include "fs/system.h"

namespace wclayer {
namespace {

using vmcompute::Hresult;

// What a bare HRESULT of Microsoft's functions means to a caller (spec vmcompute-abi §8).
Errc CodeOf(Hresult hr) {
  using namespace vmcompute;  // NOLINT: the constants of this one switch
  switch (hr) {
    case kFileNotFound:
    case kPathNotFound:
      return Errc::kLayerNotFound;
    case kAccessDenied:
      return Errc::kAccessDenied;
    case kSharingViolation:
    case kDirNotEmpty:
    case kBusy:
      return Errc::kLayerBusy;
    case kAlreadyExists:
      return Errc::kLayerExists;
    case kDiskFull:
      return Errc::kNoSpace;
    case kInvalidParameter:
    case kInvalidName:
      return Errc::kInvalidArgument;
    case kNotSupported:
    case kProcNotFound:
      return Errc::kUnsupported;
    default:
      return Errc::kPlatform;
  }
}

const char* TextOf(Hresult hr) {
  using namespace vmcompute;  // NOLINT
  switch (hr) {
    case kFileNotFound:
    case kPathNotFound:
      return "not found";
    case kAccessDenied:
      return "access denied";
    case kNotReady:
      return "the device is not ready";
    case kSharingViolation:
      return "held by another process, or the image does not match the host's build";
    case kDirNotEmpty:
      return "a folder in it is not empty, because another process holds what is in there";
    case kDevNotExist:
      return "not activated";
    case kFilterNotAttached:
      return "not prepared";
    case kDiskFull:
      return "no space left";
    case kAlreadyExists:
      return "exists already";
    case kProcNotFound:
      return "the vmcompute.dll of this Windows does not have this function";
    default:
      return "the call failed";
  }
}

// Attempts to mount, and the pause between (spec §8: what Windows Server 2019 needs under load).
constexpr int kMountAttempts = 5;
constexpr std::chrono::milliseconds kMountPause{100};
constexpr Hresult kDeviceNotConnected = vmcompute::FromWin32(1167);
constexpr int kSlowTimes = 6;

bool IsTransient(Hresult hr) {
  return hr == vmcompute::kNotReady || hr == kDeviceNotConnected;
}

// What antivirus and indexers cause for a while (L12).
bool IsHeld(Hresult hr) {
  return hr == vmcompute::kSharingViolation || hr == vmcompute::kAccessDenied ||
         hr == vmcompute::kDirNotEmpty;
}

bool IsUnprepared(Hresult hr) {
  // Neither prepared nor activated, or activated alone: there is nothing to undo (spec §8).
  return hr == vmcompute::kDevNotExist || hr == vmcompute::kFilterNotAttached;
}

}  // namespace

ParentChain ParentChain::From(std::size_t first) const {
  ParentChain tail;
  const auto at = static_cast<std::ptrdiff_t>(first);
  tail.ids.assign(ids.begin() + at, ids.end());
  tail.paths.assign(paths.begin() + at, paths.end());
  return tail;
}

std::u16string WideText(std::string_view text) {
  auto wide = ToUtf16(text);
  // Texts that come here were checked before; bytes that are no (W)UTF-8 can name nothing.
  return wide ? *std::move(wide) : std::u16string(u"\uFFFD");
}

Platform::Platform(const vmcompute::Table& table, std::int32_t flavour, const std::string& home,
                   WindowsAccess windows)
    : table_(&table), flavour_(flavour), home_(home), windows_(std::move(windows)) {}

std::shared_ptr<const Platform::Name> Platform::NameOf(std::string_view id) const {
  auto name = std::make_shared<Name>();
  name->info.flavour = flavour_;
  // By its whole path only what is in the home: a base image of the central store is known by its
  // folder's name alone (spec §5). A home without a path is the form of the filter driver.
  const std::string path = home_ + fs::kSeparator + std::string(id);
  const bool whole = !direct() && windows_.whole_paths && flavour_ == vmcompute::kFilterDriver &&
                     fs::CheckPresent(path).has_value();
  name->home = whole ? std::u16string() : WideText(home_);
  name->id = WideText(whole ? std::string_view(path) : id);
  name->info.home_dir = name->home.c_str();
  return name;
}

std::string Platform::KeyOf(std::string_view id) const {
  return LowerAscii(home_ + fs::kSeparator + std::string(id));
}

Expected<Hresult> Platform::Call(const char* name, const std::string& id,
                                 std::function<Hresult()> run) const {
  return Call(name, id, std::move(run), How());
}

Expected<Hresult> Platform::Call(const char* name, const std::string& id,
                                 std::function<Hresult()> run, How how) const {
  if (direct()) return run();
  vmcompute::GateCall call;
  call.name = name;
  if (!id.empty()) call.layer = KeyOf(id);
  call.run = std::move(run);
  call.late = std::move(how.late);
  call.alone = how.alone;
  call.queues = how.queues;
  vmcompute::CallRules rules = windows_.rules;
  if (how.slow) rules.deadline *= kSlowTimes;
  const auto end = windows_.host->Now() + windows_.busy_wait;
  for (auto pause = kFirstHeldPause;; pause = std::min(pause * 2, kLongestHeldPause)) {
    auto hr = windows_.gate->Run(call, rules);
    if (!hr || !how.until_free || !IsHeld(*hr) || windows_.host->Now() >= end) return hr;
    windows_.host->Sleep(pause);
  }
}

Status Platform::Do(const char* name, const std::string& id, std::function<Hresult()> run) const {
  return Do(name, id, std::move(run), How());
}

Status Platform::Do(const char* name, const std::string& id, std::function<Hresult()> run,
                    How how) const {
  const std::string call = std::string("vmcompute!") + name;
  auto hr = Call(name, id, std::move(run), std::move(how));
  if (!hr) return std::move(hr).error().In(call).Of(id);
  return Check(*hr, call.c_str(), id);
}

Status Platform::Check(Hresult hr, const char* call, std::string_view id) const {
  if (!vmcompute::Failed(hr)) return {};
  Error error(CodeOf(hr), TextOf(hr));
  if (table_->extensions != nullptr && table_->extensions->LastError != nullptr && direct()) {
    vmcompute::ErrorDetail detail;
    table_->extensions->LastError(&detail);
    if (detail.code != 0 && detail.message[0] != 0) {
      error = Error(static_cast<Errc>(detail.code), detail.message);
      error.path = detail.path;
      error.sys_errno = detail.sys_errno;
      error.operation = detail.operation;
    }
  }
  error.hresult = hr;
  if (!direct() && IsHeld(hr) && !id.empty()) {
    const std::string layer = home_ + fs::kSeparator + std::string(id) + fs::kSeparator;
    const std::string holders =
        windows_.host->HoldersOf({layer + "sandbox.vhdx", layer + "layerchain.json"});
    if (!holders.empty()) error.message = "held by another process: " + holders;
  }
  return std::move(error).In(call).Of(id);
}

Status Platform::Configure(const vmcompute::StoreOptions& options) const {
  if (extensions() == nullptr || extensions()->Configure == nullptr) return {};
  return Check(extensions()->Configure(NameOf("")->driver(), &options), "Configure", "");
}

Status Platform::Leave() const {
  if (extensions() == nullptr || extensions()->Leave == nullptr) return {};
  return Check(extensions()->Leave(NameOf("")->driver()), "Leave", "");
}

Status Platform::Recover() const {
  if (extensions() == nullptr || extensions()->Recover == nullptr) return {};
  return Check(extensions()->Recover(NameOf("")->driver()), "Recover", "");
}

// ---- Mounting: the only calls whose order and outcome are mended here
// ------------------------------------------------------------------

Status Platform::ActivateOnce(const std::string& id) const {
  const auto* table = table_;
  const auto name = NameOf(id);
  How how;
  how.until_free = true;
  how.late = [table, name](Hresult hr) {
    if (!vmcompute::Failed(hr)) table->DeactivateLayer(name->driver(), name->layer());
  };
  return Do(
      "ActivateLayer", id,
      [table, name] { return table->ActivateLayer(name->driver(), name->layer()); },
      std::move(how));
}

Status Platform::PrepareOnce(const std::string& id, const Descriptors& parents, bool queues) const {
  const auto* table = table_;
  const auto name = NameOf(id);
  How how;
  how.until_free = true;
  how.alone = true;  // concurrent ones run into ERROR_TIMEOUT (spec §9)
  how.queues = queues;
  if (!queues) {
    how.late = [table, name](Hresult hr) {
      if (!vmcompute::Failed(hr)) table->UnprepareLayer(name->driver(), name->layer());
    };
  }
  WCLAYER_TRY(Do(
      "PrepareLayer", id,
      [table, name, parents] {
        return table->PrepareLayer(name->driver(), name->layer(), parents.data(), parents.size());
      },
      std::move(how)));
  if (direct()) return {};
  std::vector<std::string> keys;
  for (const std::u16string& path : parents.paths())
    keys.push_back(KeyOf(LastComponent(ToUtf8(path))));
  windows_.gate->Hold(KeyOf(id), std::move(keys));
  return {};
}

Status Platform::UnprepareOnce(const std::string& id, bool queues,
                               const Descriptors* restore) const {
  const auto* table = table_;
  const auto name = NameOf(id);
  How how;
  how.until_free = true;
  how.queues = queues;
  if (restore != nullptr) {
    how.late = [table, name, parents = *restore](Hresult hr) {
      if (!vmcompute::Failed(hr))
        table->PrepareLayer(name->driver(), name->layer(), parents.data(), parents.size());
    };
  }
  return Do(
      "UnprepareLayer", id,
      [table, name] {
        const Hresult hr = table->UnprepareLayer(name->driver(), name->layer());
        return IsUnprepared(hr) ? vmcompute::kOk : hr;
      },
      std::move(how));
}

Status Platform::DeactivateOnce(const std::string& id, bool undo) const {
  const auto* table = table_;
  const auto name = NameOf(id);
  How how;
  how.until_free = true;
  how.queues = undo;
  if (!undo) {
    how.late = [table, name](Hresult hr) {
      if (!vmcompute::Failed(hr)) table->ActivateLayer(name->driver(), name->layer());
    };
  }
  WCLAYER_TRY(Do(
      "DeactivateLayer", id,
      [table, name] { return table->DeactivateLayer(name->driver(), name->layer()); },
      std::move(how)));
  if (!direct()) windows_.gate->Release(KeyOf(id));
  return {};
}

Status Platform::MountOrActivate(const std::string& id, const Descriptors* parents,
                                 bool& left) const {
  left = false;
  for (int attempt = 1;; ++attempt) {
    Status tried = ActivateOnce(id);
    const bool active = tried.has_value();
    if (tried && parents != nullptr) tried = PrepareOnce(id, *parents, false);
    if (tried) return {};
    Error error = std::move(tried).error();
    const bool again = !direct() && attempt < kMountAttempts && IsTransient(error.hresult);
    if (active || again) {
      if (auto undone = Deactivate(id); !undone) {
        // What waits behind a call that has not returned is as good as done.
        left = active && undone.error().code != Errc::kCallTimeout;
        error.message += "; and then " + undone.error().ToString();
        return error;
      }
    }
    if (!again) return error;
    windows_.host->Sleep(kMountPause);
  }
}

Status Platform::Activate(const std::string& id, bool& left) const {
  return MountOrActivate(id, nullptr, left);
}

Status Platform::Mount(const std::string& id, const Descriptors& parents, bool& left) const {
  return MountOrActivate(id, &parents, left);
}

// What takes something back is worth more than one attempt, whatever the failure.
Status Platform::Insist(const std::function<Status()>& step) const {
  for (int attempt = 1;; ++attempt) {
    auto done = step();
    if (done || direct() || attempt == kMountAttempts || done.error().code == Errc::kCallTimeout)
      return done;
    windows_.host->Sleep(kMountPause);
  }
}

Status Platform::Deactivate(const std::string& id) const {
  return Insist([&] { return DeactivateOnce(id, true); });
}

Status Platform::Unprepare(const std::string& id, const Descriptors& parents) const {
  return UnprepareOnce(id, false, &parents);
}

Status Platform::Reprepare(const std::string& id, const Descriptors& parents) const {
  return Insist([&] { return PrepareOnce(id, parents, true); });
}

Status Platform::Unmount(const std::string& id, const Descriptors& parents, bool undo) const {
  if (undo) {
    auto unprepared = Insist([&] { return UnprepareOnce(id, true, nullptr); });
    // A prepared layer is never deactivated (spec vmcompute-abi §7). One whose call hangs may be
    // told to: that call waits behind the hanging one.
    if (!unprepared && unprepared.error().code != Errc::kCallTimeout) return unprepared;
    auto deactivated = Deactivate(id);
    return unprepared ? std::move(deactivated) : std::move(unprepared);
  }
  WCLAYER_TRY(UnprepareOnce(id, false, &parents));
  auto gone = DeactivateOnce(id, false);
  if (!gone) {
    // Prepared again, so that who still holds the layer sees it whole.
    if (auto restored = Reprepare(id, parents); !restored)
      gone.error().message += "; and then " + restored.error().ToString();
  }
  return gone;
}

// ---- The other calls
// ------------------------------------------------------------------------------------

Expected<std::string> Platform::MountPath(const std::string& id) const {
  struct Result {
    std::size_t length = 0;
    std::u16string buffer;
  };
  const auto* table = table_;
  const auto name = NameOf(id);
  const auto result = std::make_shared<Result>();
  WCLAYER_TRY(Do("GetLayerMountPath", id, [table, name, result] {
    const Hresult hr =
        table->GetLayerMountPath(name->driver(), name->layer(), &result->length, nullptr);
    if (vmcompute::Failed(hr) || result->length == 0) return hr;
    if (result->length > kMaxPathUnits + 1) return vmcompute::kInvalidData;
    result->buffer.resize(result->length);
    return table->GetLayerMountPath(name->driver(), name->layer(), &result->length,
                                    result->buffer.data());
  }));
  result->buffer.resize(std::char_traits<char16_t>::length(result->buffer.c_str()));
  return ToUtf8(result->buffer);
}

Status Platform::Create(const std::string& id, const std::string& parent) const {
  return Do("CreateLayer", id, [table = table_, name = NameOf(id), below = WideText(parent)] {
    return table->CreateLayer(name->driver(), name->layer(), below.c_str());
  });
}

Status Platform::CreateSandbox(const std::string& id, const std::string& parent_path,
                               const Descriptors& parents) const {
  return Do("CreateSandboxLayer", id,
            [table = table_, name = NameOf(id), below = WideText(parent_path), parents] {
              return table->CreateSandboxLayer(name->driver(), name->layer(), below.c_str(),
                                               parents.data(), parents.size());
            });
}

Status Platform::Expand(const std::string& id, std::uint64_t size_bytes) const {
  How how;
  how.until_free = true;
  return Do(
      "ExpandSandboxSize", id,
      [table = table_, name = NameOf(id), size_bytes] {
        return table->ExpandSandboxSize(name->driver(), name->layer(), size_bytes);
      },
      std::move(how));
}

Status Platform::Destroy(const std::string& id, bool undo) const {
  if (!direct()) {
    const std::string holder = windows_.gate->HolderOf(KeyOf(id));
    if (!holder.empty()) {
      return Error(Errc::kLayerBusy, "'" + std::string(LastComponent(holder)) +
                                         "', which needs it, is mounted in this process")
          .Of(id);
    }
  }
  How how;
  how.until_free = true;
  how.slow = true;
  how.queues = undo;
  return Do(
      "DestroyLayer", id,
      [table = table_, name = NameOf(id)] {
        return table->DestroyLayer(name->driver(), name->layer());
      },
      std::move(how));
}

Expected<bool> Platform::Exists(const std::string& id) const {
  const auto exists = std::make_shared<std::uint32_t>(0);  // four bytes: what is written (spec §3)
  WCLAYER_TRY(Do("LayerExists", id, [table = table_, name = NameOf(id), exists] {
    return table->LayerExists(name->driver(), name->layer(), exists.get());
  }));
  return *exists != 0;
}

Status Platform::Export(const std::string& id, const std::string& folder,
                        const Descriptors& parents) const {
  How how;
  how.slow = true;
  return Do(
      "ExportLayer", id,
      [table = table_, name = NameOf(id), target = WideText(folder), parents] {
        return table->ExportLayer(name->driver(), name->layer(), target.c_str(), parents.data(),
                                  parents.size());
      },
      std::move(how));
}

Status Platform::Import(const std::string& id, const std::string& folder,
                        const Descriptors& parents) const {
  How how;
  how.slow = true;
  return Do(
      "ImportLayer", id,
      [table = table_, name = NameOf(id), source = WideText(folder), parents] {
        return table->ImportLayer(name->driver(), name->layer(), source.c_str(), parents.data(),
                                  parents.size());
      },
      std::move(how));
}

Status Platform::ProcessBase(const std::string& id, const std::string& layer_path) const {
  How how;
  how.slow = true;
  return Do(
      "ProcessBaseImage", id,
      [table = table_, path = WideText(layer_path)] {
        return table->ProcessBaseImage(path.c_str());
      },
      std::move(how));
}

Status Platform::ProcessUtility(const std::string& id, const std::string& utility_vm_path) const {
  How how;
  how.slow = true;
  return Do(
      "ProcessUtilityImage", id,
      [table = table_, path = WideText(utility_vm_path)] {
        return table->ProcessUtilityImage(path.c_str());
      },
      std::move(how));
}

Expected<std::string> Platform::BaseImages() const {
  const auto text = std::make_shared<std::string>();
  WCLAYER_TRY(Do("GetBaseImages", "", [table = table_, text] {
    char16_t* json = nullptr;
    const Hresult hr = table->GetBaseImages(&json);
    if (json == nullptr) return hr;
    if (!vmcompute::Failed(hr)) *text = ToUtf8(json);
    table->FreeString(json);  // by whoever allocated it
    return hr;
  }));
  return std::move(*text);
}

Expected<Descriptors> Platform::Describe(const ParentChain& chain) const {
  Descriptors descriptors;
  Descriptors::List& list = *descriptors.list_;
  list.paths.reserve(chain.ids.size());
  for (std::size_t i = 0; i < chain.ids.size(); ++i) {
    list.paths.push_back(WideText(chain.paths[i]));
    const auto guid = std::make_shared<vmcompute::Guid>();
    WCLAYER_TRY(
        Do("NameToGuid", chain.ids[i], [table = table_, guid, name = WideText(chain.ids[i])] {
          return table->NameToGuid(name.c_str(), guid.get());
        }));
    vmcompute::LayerDescriptor item;
    item.id = *guid;
    item.path = list.paths.back().c_str();  // reserved above: the strings do not move
    list.items.push_back(item);
  }
  return descriptors;
}

Expected<std::vector<std::string>> Platform::Folders(const ParentChain& chain) const {
  std::vector<std::string> folders;
  for (std::size_t i = 0; i < chain.ids.size(); ++i) {
    WCLAYER_ASSIGN(std::string folder, MountPath(chain.ids[i]));
    folders.push_back(folder.empty() ? chain.paths[i] : std::move(folder));
  }
  return folders;
}

Expected<PrivilegeHold> Platform::HoldToRead() const {
  if (direct()) return PrivilegeHold();
  return windows_.host->HoldPrivileges({kBackupPrivilege, kSecurityPrivilege});
}

Expected<PrivilegeHold> Platform::HoldToWrite() const {
  if (direct()) return PrivilegeHold();
  return windows_.host->HoldPrivileges({kBackupPrivilege, kRestorePrivilege, kSecurityPrivilege});
}

Expected<std::uint32_t> Platform::State(const std::string& id) const {
  std::uint32_t state = 0;
  if (extensions() == nullptr || extensions()->LayerState == nullptr) return state;
  WCLAYER_TRY(Check(extensions()->LayerState(NameOf(id)->driver(), WideText(id).c_str(), &state),
                    "LayerState", id));
  return state;
}

Status Platform::AddBaseImage(const std::string& folder) const {
  if (extensions() == nullptr || extensions()->AddBaseImage == nullptr) {
    return Error(Errc::kUnsupported,
                 "base images of this backend are installed by Windows, not registered")
        .At(folder);
  }
  return Check(extensions()->AddBaseImage(NameOf("")->driver(), WideText(folder).c_str()),
               "AddBaseImage", "");
}

}  // namespace wclayer
