#include "driver/platform.h"

#include "base/utf16.h"

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

Platform::Platform(const vmcompute::Table& table, std::int32_t flavour, const std::string& home)
    : table_(&table), home_(WideText(home)) {
  info_.flavour = flavour;
  info_.home_dir = home_.c_str();
}

Status Platform::Check(Hresult hr, const char* call, std::string_view id) const {
  if (!vmcompute::Failed(hr)) return {};
  Error error(CodeOf(hr), TextOf(hr));
  if (table_->extensions != nullptr && table_->extensions->LastError != nullptr) {
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
  return std::move(error).In(call).Of(id);
}

Status Platform::Configure(const vmcompute::StoreOptions& options) const {
  if (extensions() == nullptr || extensions()->Configure == nullptr) return {};
  return Check(extensions()->Configure(info(), &options), "Configure", "");
}

Status Platform::Recover() const {
  if (extensions() == nullptr || extensions()->Recover == nullptr) return {};
  return Check(extensions()->Recover(info()), "Recover", "");
}

Status Platform::Activate(const std::string& id) const {
  return Check(table_->ActivateLayer(info(), WideText(id).c_str()), "vmcompute!ActivateLayer", id);
}

Status Platform::Deactivate(const std::string& id) const {
  return Check(table_->DeactivateLayer(info(), WideText(id).c_str()), "vmcompute!DeactivateLayer",
               id);
}

Status Platform::Prepare(const std::string& id, const Descriptors& parents) const {
  return Check(table_->PrepareLayer(info(), WideText(id).c_str(), parents.data(), parents.size()),
               "vmcompute!PrepareLayer", id);
}

Status Platform::Unprepare(const std::string& id) const {
  const Hresult hr = table_->UnprepareLayer(info(), WideText(id).c_str());
  // Neither prepared nor activated, or activated alone: there is nothing to undo (spec §8).
  if (hr == vmcompute::kDevNotExist || hr == vmcompute::kFilterNotAttached) return {};
  return Check(hr, "vmcompute!UnprepareLayer", id);
}

Expected<std::string> Platform::MountPath(const std::string& id) const {
  const std::u16string wide = WideText(id);
  constexpr const char* kCall = "vmcompute!GetLayerMountPath";
  std::size_t length = 0;
  WCLAYER_TRY(Check(table_->GetLayerMountPath(info(), wide.c_str(), &length, nullptr), kCall, id));
  if (length == 0) return std::string();
  std::u16string buffer(length, u'\0');
  WCLAYER_TRY(
      Check(table_->GetLayerMountPath(info(), wide.c_str(), &length, buffer.data()), kCall, id));
  buffer.resize(std::char_traits<char16_t>::length(buffer.c_str()));
  return ToUtf8(buffer);
}

Status Platform::Create(const std::string& id, const std::string& parent) const {
  return Check(table_->CreateLayer(info(), WideText(id).c_str(), WideText(parent).c_str()),
               "vmcompute!CreateLayer", id);
}

Status Platform::CreateSandbox(const std::string& id, const std::string& parent_path,
                               const Descriptors& parents) const {
  return Check(
      table_->CreateSandboxLayer(info(), WideText(id).c_str(), WideText(parent_path).c_str(),
                                 parents.data(), parents.size()),
      "vmcompute!CreateSandboxLayer", id);
}

Status Platform::Expand(const std::string& id, std::uint64_t size_bytes) const {
  return Check(table_->ExpandSandboxSize(info(), WideText(id).c_str(), size_bytes),
               "vmcompute!ExpandSandboxSize", id);
}

Status Platform::Destroy(const std::string& id) const {
  return Check(table_->DestroyLayer(info(), WideText(id).c_str()), "vmcompute!DestroyLayer", id);
}

Expected<bool> Platform::Exists(const std::string& id) const {
  std::uint32_t exists = 0;  // four bytes: what the function writes (spec §3)
  WCLAYER_TRY(Check(table_->LayerExists(info(), WideText(id).c_str(), &exists),
                    "vmcompute!LayerExists", id));
  return exists != 0;
}

Status Platform::Export(const std::string& id, const std::string& folder,
                        const Descriptors& parents) const {
  return Check(table_->ExportLayer(info(), WideText(id).c_str(), WideText(folder).c_str(),
                                   parents.data(), parents.size()),
               "vmcompute!ExportLayer", id);
}

Status Platform::Import(const std::string& id, const std::string& folder,
                        const Descriptors& parents) const {
  return Check(table_->ImportLayer(info(), WideText(id).c_str(), WideText(folder).c_str(),
                                   parents.data(), parents.size()),
               "vmcompute!ImportLayer", id);
}

Expected<std::string> Platform::BaseImages() const {
  char16_t* json = nullptr;
  WCLAYER_TRY(Check(table_->GetBaseImages(&json), "vmcompute!GetBaseImages", ""));
  if (json == nullptr) return std::string();
  std::string text = ToUtf8(json);
  table_->FreeString(json);
  return text;
}

Expected<Descriptors> Platform::Describe(const ParentChain& chain) const {
  Descriptors descriptors;
  descriptors.paths_.reserve(chain.ids.size());
  for (std::size_t i = 0; i < chain.ids.size(); ++i) {
    descriptors.paths_.push_back(WideText(chain.paths[i]));
    vmcompute::LayerDescriptor item;
    WCLAYER_TRY(Check(table_->NameToGuid(WideText(chain.ids[i]).c_str(), &item.id),
                      "vmcompute!NameToGuid", chain.ids[i]));
    item.path = descriptors.paths_.back().c_str();  // reserved above: the strings do not move
    descriptors.items_.push_back(item);
  }
  return descriptors;
}

Expected<std::uint32_t> Platform::State(const std::string& id) const {
  std::uint32_t state = 0;
  if (extensions() == nullptr || extensions()->LayerState == nullptr) return state;
  WCLAYER_TRY(
      Check(extensions()->LayerState(info(), WideText(id).c_str(), &state), "LayerState", id));
  return state;
}

Status Platform::AddBaseImage(const std::string& folder) const {
  if (extensions() == nullptr || extensions()->AddBaseImage == nullptr) {
    return Error(Errc::kUnsupported,
                 "base images of this backend are installed by Windows, not registered")
        .At(folder);
  }
  return Check(extensions()->AddBaseImage(info(), WideText(folder).c_str()), "AddBaseImage", "");
}

}  // namespace wclayer
