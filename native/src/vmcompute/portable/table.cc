// The vmcompute ABI on plain files: arguments checked and turned into C++, failures into HRESULTs.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/layer_id.h"
#include "base/limits.h"
#include "base/utf16.h"
#include "fs/system.h"
#include "portable/base_image.h"
#include "portable/export.h"
#include "portable/failure.h"
#include "portable/home.h"
#include "portable/import.h"
#include "portable/layers.h"
#include "portable/mount.h"
#include "portable/names.h"
#include "portable/staging.h"
#include "portable/transport.h"
#include "portable/verify.h"
#include "vmcompute/abi.h"

namespace wclayer::portable {
namespace {

using vmcompute::DriverInfo;
using vmcompute::FileBasicInfo;
using vmcompute::Guid;
using vmcompute::Hresult;
using vmcompute::LayerDescriptor;
using vmcompute::Utf16;

Homes& AllHomes() {
  static Homes homes;
  return homes;
}

Error Missing(const char* what) {
  return Error(Errc::kInvalidArgument, std::string("the argument '") + what + "' is missing");
}

// A text that the caller frees with FreeString.
Expected<char16_t*> NewText(std::u16string_view text) {
  auto* copy = static_cast<char16_t*>(std::malloc((text.size() + 1) * sizeof(char16_t)));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, text.data(), text.size() * sizeof(char16_t));
  copy[text.size()] = 0;
  return copy;
}

void WCLAYER_ABI FreeString(void* text) {
  std::free(text);
}

// The layer that a call is about, and its parents where the call names them.
struct Target {
  Address address;
  std::vector<std::string> parents;
};

Expected<Target> Resolve(const DriverInfo* info, Utf16 id, const LayerDescriptor* descriptors,
                         std::uint32_t count) {
  Target target;
  WCLAYER_ASSIGN(target.address, AllHomes().Resolve(info, id));
  WCLAYER_ASSIGN(target.parents, target.address.home->ParentsFrom(descriptors, count));
  return target;
}

// ---- Life of a layer
// ------------------------------------------------------------------------------

Hresult WCLAYER_ABI ActivateLayerCall(const DriverInfo* info, Utf16 id) {
  return Call("ActivateLayer", [&]() -> Status {
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id));
    return ActivateLayer(address.home, address.id);
  });
}

Hresult WCLAYER_ABI DeactivateLayerCall(const DriverInfo* info, Utf16 id) {
  return Call("DeactivateLayer", [&]() -> Status {
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id));
    return DeactivateLayer(address.home, address.id);
  });
}

Hresult WCLAYER_ABI PrepareLayerCall(const DriverInfo* info, Utf16 id,
                                     const LayerDescriptor* descriptors, std::uint32_t count) {
  return Call("PrepareLayer", [&]() -> Status {
    WCLAYER_ASSIGN(const auto target, Resolve(info, id, descriptors, count));
    return PrepareLayer(target.address.home, target.address.id, target.parents);
  });
}

Hresult WCLAYER_ABI UnprepareLayerCall(const DriverInfo* info, Utf16 id) {
  return Call("UnprepareLayer", [&]() -> Status {
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id));
    return UnprepareLayer(address.home, address.id);
  });
}

Hresult WCLAYER_ABI GetLayerMountPathCall(const DriverInfo* info, Utf16 id, std::size_t* length,
                                          char16_t* buffer) {
  return Call("GetLayerMountPath", [&]() -> Status {
    if (length == nullptr) return Missing("length");
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id));
    WCLAYER_ASSIGN(const auto path, GetLayerMountPath(address.home, address.id));
    WCLAYER_ASSIGN(const auto wide, ToUtf16(path));
    const std::size_t needed = wide.size() + 1;
    if (buffer == nullptr) {
      *length = needed;
      return {};
    }
    if (*length < needed)
      return Error(Errc::kInvalidArgument,
                   "the buffer is too small: " + std::to_string(needed) + " units are needed");
    std::memcpy(buffer, wide.c_str(), needed * sizeof(char16_t));
    *length = needed;
    return {};
  });
}

Hresult WCLAYER_ABI CreateLayerCall(const DriverInfo* info, Utf16 id, Utf16 parent) {
  return Call("CreateLayer", [&]() -> Status {
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id));
    const std::string parent_id(LastComponent(parent == nullptr ? "" : ToUtf8(parent)));
    if (!parent_id.empty()) WCLAYER_TRY(CheckId(parent_id));
    return CreateLayer(address.home, address.id, parent_id);
  });
}

Hresult WCLAYER_ABI CreateSandboxLayerCall(const DriverInfo* info, Utf16 id, Utf16,
                                           const LayerDescriptor* descriptors,
                                           std::uint32_t count) {
  return Call("CreateSandboxLayer", [&]() -> Status {
    WCLAYER_ASSIGN(const auto target, Resolve(info, id, descriptors, count));
    return CreateWritableLayer(target.address.home, target.address.id, target.parents);
  });
}

Hresult WCLAYER_ABI ExpandSandboxSizeCall(const DriverInfo* info, Utf16 id,
                                          std::uint64_t size_bytes) {
  return Call("ExpandSandboxSize", [&]() -> Status {
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id));
    return ExpandWritableLayer(*address.home, address.id, size_bytes);
  });
}

Hresult WCLAYER_ABI DestroyLayerCall(const DriverInfo* info, Utf16 id) {
  return Call("DestroyLayer", [&]() -> Status {
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id, true));
    WCLAYER_ASSIGN(const bool mounted, IsMounted(address.home, address.id));
    if (mounted) return Error(Errc::kLayerBusy, "the layer is mounted").Of(address.id);
    return RemoveLayer(*address.home, address.id);
  });
}

Hresult WCLAYER_ABI LayerExistsCall(const DriverInfo* info, Utf16 id, std::uint32_t* exists) {
  return Call("LayerExists", [&]() -> Status {
    if (exists == nullptr) return Missing("exists");
    *exists = 0;
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id, true));
    WCLAYER_ASSIGN(const bool there, LayerExists(*address.home, address.id));
    *exists = there ? 1 : 0;
    return {};
  });
}

Hresult WCLAYER_ABI CopyLayerCall(const DriverInfo* info, Utf16 source, Utf16 to,
                                  const LayerDescriptor* descriptors, std::uint32_t count) {
  return Call("CopyLayer", [&]() -> Status {
    WCLAYER_ASSIGN(const auto from, AllHomes().Resolve(info, source));
    WCLAYER_ASSIGN(const auto target, Resolve(info, to, descriptors, count));
    return CopyLayer(target.address.home, from.id, target.address.id, target.parents);
  });
}

Hresult WCLAYER_ABI ExportLayerCall(const DriverInfo* info, Utf16 id, Utf16 folder,
                                    const LayerDescriptor* descriptors, std::uint32_t count) {
  return Call("ExportLayer", [&]() -> Status {
    if (folder == nullptr) return Missing("folder");
    WCLAYER_ASSIGN(const auto target, Resolve(info, id, descriptors, count));
    return ExportToFolder(target.address.home, target.address.id, target.parents, ToUtf8(folder));
  });
}

Hresult WCLAYER_ABI ImportLayerCall(const DriverInfo* info, Utf16 id, Utf16 folder,
                                    const LayerDescriptor* descriptors, std::uint32_t count) {
  return Call("ImportLayer", [&]() -> Status {
    if (folder == nullptr) return Missing("folder");
    WCLAYER_ASSIGN(const auto target, Resolve(info, id, descriptors, count));
    return ImportFromFolder(target.address.home, target.address.id, target.parents, ToUtf8(folder));
  });
}

Hresult WCLAYER_ABI GetBaseImagesCall(char16_t** json) {
  return Call("GetBaseImages", [&]() -> Status {
    if (json == nullptr) return Missing("json");
    std::vector<BaseImage> all;
    for (const auto& home : AllHomes().All()) {
      WCLAYER_ASSIGN(const auto images, home->BaseImages());
      all.insert(all.end(), images.begin(), images.end());
    }
    WCLAYER_ASSIGN(const auto wide, ToUtf16(BaseImagesJson(all)));
    WCLAYER_ASSIGN(*json, NewText(wide));
    return {};
  });
}

Hresult WCLAYER_ABI NameToGuidCall(Utf16 name, Guid* guid) {
  return Call("NameToGuid", [&]() -> Status {
    if (name == nullptr) return Missing("name");
    if (guid == nullptr) return Missing("guid");
    *guid = GuidOfName(LastComponent(ToUtf8(name)));
    return {};
  });
}

Hresult WCLAYER_ABI ProcessBaseImageCall(Utf16 path) {
  return Call("ProcessBaseImage", [&]() -> Status {
    if (path == nullptr) return Missing("path");
    return ProcessBaseImage(ToUtf8(path));
  });
}

Hresult WCLAYER_ABI ProcessUtilityImageCall(Utf16 path) {
  return Call("ProcessUtilityImage", [&]() -> Status {
    if (path == nullptr) return Missing("path");
    return ProcessUtilityImage(ToUtf8(path));
  });
}

// Virtual machines have no access to grant here; what is named must be there all the same.
Hresult WCLAYER_ABI GrantVmAccessCall(Utf16 vm_id, Utf16 path) {
  return Call("GrantVmAccess", [&]() -> Status {
    if (vm_id == nullptr) return Missing("vm_id");
    if (path == nullptr) return Missing("path");
    const std::string file = ToUtf8(path);
    return fs::CheckPresent(file);
  });
}

// ---- Streaming
// ------------------------------------------------------------------------------------

Hresult WCLAYER_ABI ImportLayerBeginCall(const DriverInfo* info, Utf16 id,
                                         const LayerDescriptor* descriptors, std::uint32_t count,
                                         void** context) {
  return Call("ImportLayerBegin", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    *context = nullptr;
    WCLAYER_ASSIGN(auto target, Resolve(info, id, descriptors, count));
    WCLAYER_ASSIGN(auto import, Import::Begin(target.address.home, target.address.id,
                                              std::move(target.parents)));
    *context = import.release();
    return {};
  });
}

Hresult WCLAYER_ABI ImportLayerReplaceCall(const DriverInfo* info, Utf16 id,
                                           const LayerDescriptor* descriptors, std::uint32_t count,
                                           void** context) {
  return Call("ImportLayerReplace", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    *context = nullptr;
    WCLAYER_ASSIGN(auto target, Resolve(info, id, descriptors, count));
    WCLAYER_ASSIGN(auto import, Import::Replace(target.address.home, target.address.id,
                                                std::move(target.parents)));
    *context = import.release();
    return {};
  });
}

Expected<ImportedEntry> EntryOf(Utf16 name, const FileBasicInfo* info,
                                const vmcompute::EntryExtra* extra) {
  if (name == nullptr) return Missing("name");
  ImportedEntry given;
  WCLAYER_ASSIGN(given.path, PathFromAbi(name));
  given.tombstone = info == nullptr;
  if (info != nullptr) {
    given.times[0] = info->creation_time;
    given.times[1] = info->last_access_time;
    given.times[2] = info->last_write_time;
    given.times[3] = info->change_time;
    given.attributes = info->attributes;
  }
  if (extra == nullptr) return given;
  given.opaque = given.tombstone && extra->opaque;
  given.time_absent = extra->time_absent;
  for (int i = 0; i < 4; ++i) {
    if (extra->time_remainder[i] > 99)
      return Error(Errc::kInvalidArgument, "a time remainder is over 99 ns").At(given.path);
    given.time_remainder[i] = extra->time_remainder[i];
  }
  if (extra->short_name != nullptr && !given.tombstone) {
    given.short_name = extra->short_name;
    if (given.short_name.size() > kMaxShortNameUnits)
      return Error(Errc::kInvalidArgument, "a short name of more than 12 characters")
          .At(given.path);
  }
  if (extra->link_target != nullptr && !given.tombstone) {
    WCLAYER_ASSIGN(given.link_target, PathFromAbi(extra->link_target));
  }
  return given;
}

Expected<std::uint64_t> AddEntry(void* context, Utf16 name, const FileBasicInfo* info,
                                 const vmcompute::EntryExtra* extra) {
  if (context == nullptr) return Missing("context");
  auto& import = *static_cast<Import*>(context);
  auto given = EntryOf(name, info, extra);
  if (!given) return import.Fail(std::move(given).error());
  return import.Add(*given);
}

Hresult WCLAYER_ABI ImportLayerNextCall(void* context, Utf16 name, const FileBasicInfo* info) {
  return Call("ImportLayerNext", [&]() -> Status {
    WCLAYER_ASSIGN(const auto ordinal, AddEntry(context, name, info, nullptr));
    (void)ordinal;
    return {};
  });
}

Hresult WCLAYER_ABI ImportLayerEntryCall(void* context, Utf16 name, const FileBasicInfo* info,
                                         const vmcompute::EntryExtra* extra,
                                         std::uint64_t* ordinal) {
  return Call("ImportLayerEntry", [&]() -> Status {
    WCLAYER_ASSIGN(const auto number, AddEntry(context, name, info, extra));
    if (ordinal != nullptr) *ordinal = number;
    return {};
  });
}

Hresult WCLAYER_ABI ImportLayerWriteCall(void* context, const std::uint8_t* buffer,
                                         std::uint32_t length) {
  return Call("ImportLayerWrite", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    if (buffer == nullptr && length != 0) return Missing("buffer");
    return static_cast<Import*>(context)->Write(
        Bytes(reinterpret_cast<const std::byte*>(buffer), length));
  });
}

Hresult WCLAYER_ABI ImportLayerEndCall(void* context) {
  return Call("ImportLayerEnd", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    const std::unique_ptr<Import> import(static_cast<Import*>(context));
    return import->End();
  });
}

Hresult WCLAYER_ABI ImportLayerReadBackCall(void* context, std::uint64_t ordinal,
                                            std::uint32_t stream, std::uint64_t offset,
                                            std::uint8_t* buffer, std::uint32_t length,
                                            std::uint32_t* read) {
  return Call("ImportLayerReadBack", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    if (read == nullptr) return Missing("read");
    if (buffer == nullptr && length != 0) return Missing("buffer");
    const MutableBytes room(reinterpret_cast<std::byte*>(buffer), length);
    WCLAYER_ASSIGN(const std::size_t got,
                   static_cast<Import*>(context)->ReadBack(ordinal, stream, offset, room));
    *read = static_cast<std::uint32_t>(got);
    return {};
  });
}

Hresult WCLAYER_ABI ImportLayerChecksumCall(void* context, std::uint64_t* checksum) {
  return Call("ImportLayerChecksum", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    if (checksum == nullptr) return Missing("checksum");
    WCLAYER_ASSIGN(*checksum, static_cast<Import*>(context)->Checksum());
    return {};
  });
}

Hresult WCLAYER_ABI ImportLayerDeferCall(void* context) {
  return Call("ImportLayerDefer", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    static_cast<Import*>(context)->Defer();
    return {};
  });
}

Hresult WCLAYER_ABI ImportLayerSealCall(void* context) {
  return Call("ImportLayerSeal", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    static_cast<Import*>(context)->Seal();
    return {};
  });
}

Hresult WCLAYER_ABI ImportLayerRunSealedCall(void* context) {
  return Call("ImportLayerRunSealed", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    return static_cast<Import*>(context)->RunSealed();
  });
}

Hresult WCLAYER_ABI ImportLayerFolderCall(void* context, Utf16* folder) {
  return Call("ImportLayerFolder", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    if (folder == nullptr) return Missing("folder");
    *folder = static_cast<Import*>(context)->folder().c_str();
    return {};
  });
}

void WCLAYER_ABI ImportLayerAbortCall(void* context) {
  Call("ImportLayerAbort", [&]() -> Status {
    const std::unique_ptr<Import> import(static_cast<Import*>(context));
    return {};
  });
}

Hresult WCLAYER_ABI ExportLayerBeginCall(const DriverInfo* info, Utf16 id,
                                         const LayerDescriptor* descriptors, std::uint32_t count,
                                         void** context) {
  return Call("ExportLayerBegin", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    *context = nullptr;
    WCLAYER_ASSIGN(const auto target, Resolve(info, id, descriptors, count));
    WCLAYER_ASSIGN(auto source,
                   Export::Begin(target.address.home, target.address.id, target.parents));
    *context = source.release();
    return {};
  });
}

Hresult WCLAYER_ABI ExportLayerNextCall(void* context, char16_t** name, FileBasicInfo* info,
                                        std::int64_t* size, std::uint32_t* deleted) {
  return Call("ExportLayerNext", [&]() -> Expected<Hresult> {
    if (context == nullptr) return Missing("context");
    if (name == nullptr) return Missing("name");
    *name = nullptr;
    auto& source = *static_cast<Export*>(context);
    WCLAYER_ASSIGN(const bool more, source.Next());
    if (!more) return vmcompute::kNoMoreFiles;
    WCLAYER_ASSIGN(*name, NewText(source.name()));
    if (info != nullptr) *info = source.Info();
    if (size != nullptr) *size = source.Size();
    if (deleted != nullptr) *deleted = source.entry().kind == Kind::kTombstone ? 1 : 0;
    return vmcompute::kOk;
  });
}

Hresult WCLAYER_ABI ExportLayerReadCall(void* context, std::uint8_t* buffer, std::uint32_t length,
                                        std::uint32_t* read) {
  return Call("ExportLayerRead", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    if (read == nullptr) return Missing("read");
    if (buffer == nullptr && length != 0) return Missing("buffer");
    const MutableBytes room(reinterpret_cast<std::byte*>(buffer), length);
    WCLAYER_ASSIGN(const std::size_t got, static_cast<Export*>(context)->Read(room));
    *read = static_cast<std::uint32_t>(got);
    return {};
  });
}

Hresult WCLAYER_ABI ExportLayerEndCall(void* context) {
  return Call("ExportLayerEnd", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    const std::unique_ptr<Export> source(static_cast<Export*>(context));
    return source->End();
  });
}

void WCLAYER_ABI ExportLayerAbortCall(void* context) {
  Call("ExportLayerAbort", [&]() -> Status {
    const std::unique_ptr<Export> source(static_cast<Export*>(context));
    return {};
  });
}

Hresult WCLAYER_ABI ExportLayerDescribeCall(void* context,
                                            vmcompute::EntryDescription* description) {
  return Call("ExportLayerDescribe", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    if (description == nullptr) return Missing("description");
    return static_cast<Export*>(context)->Describe(*description);
  });
}

Hresult WCLAYER_ABI ExportLayerChangeCall(void* context, vmcompute::ChangeKind* change) {
  return Call("ExportLayerChange", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    if (change == nullptr) return Missing("change");
    WCLAYER_ASSIGN(*change, static_cast<Export*>(context)->Change());
    return {};
  });
}

Hresult WCLAYER_ABI ExportLayerSkipCall(void* context, std::uint64_t bytes) {
  return Call("ExportLayerSkip", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    return static_cast<Export*>(context)->Skip(bytes);
  });
}

Hresult WCLAYER_ABI ExportLayerSeekCall(void* context, Utf16 name, std::uint64_t ordinal,
                                        Utf16* found, FileBasicInfo* info, std::int64_t* size) {
  return Call("ExportLayerSeek", [&]() -> Status {
    if (context == nullptr) return Missing("context");
    auto& source = *static_cast<Export*>(context);
    std::string path;
    bool there = false;
    if (name != nullptr) {
      WCLAYER_ASSIGN(path, PathFromAbi(name));
      WCLAYER_ASSIGN(there, source.SeekPath(path));
    } else {
      path = "entry " + std::to_string(ordinal);
      WCLAYER_ASSIGN(there, source.SeekOrdinal(ordinal));
    }
    if (!there) {
      Error error(Errc::kInvalidArgument, "the layer has no such entry");
      error.hresult = vmcompute::kFileNotFound;
      return std::move(error).At(path);
    }
    if (found != nullptr) *found = source.name().c_str();
    if (info != nullptr) *info = source.Info();
    if (size != nullptr) *size = source.Size();
    return {};
  });
}

// ---- The rest of ours
// -----------------------------------------------------------------------------

Hresult WCLAYER_ABI ConfigureCall(const DriverInfo* info, const vmcompute::StoreOptions* options) {
  return Call("Configure", [&]() -> Status {
    WCLAYER_ASSIGN(const auto home, AllHomes().Get(info));
    WCLAYER_ASSIGN(const auto folder, home->Private());
    if (options != nullptr) home->SetOptions(*options);
    return {};
  });
}

Hresult WCLAYER_ABI LeaveCall(const DriverInfo* info) {
  return Call("Leave", [&]() -> Status {
    WCLAYER_ASSIGN(const auto home, AllHomes().Get(info));
    home->Leave();
    return {};
  });
}

Hresult WCLAYER_ABI RecoverCall(const DriverInfo* info) {
  return Call("Recover", [&]() -> Status {
    WCLAYER_ASSIGN(const auto home, AllHomes().Get(info));
    WCLAYER_TRY(RecoverStaging(*home));
    return RecoverRemovals(*home);
  });
}

void WCLAYER_ABI LastErrorCall(vmcompute::ErrorDetail* detail) {
  LastFailure(detail);
}

Hresult WCLAYER_ABI LayerStateCall(const DriverInfo* info, Utf16 id, std::uint32_t* state) {
  return Call("LayerState", [&]() -> Status {
    if (state == nullptr) return Missing("state");
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id));
    WCLAYER_ASSIGN(*state, StateOf(*address.home, address.id));
    if ((*state & vmcompute::kStateWritable) == 0) return {};
    WCLAYER_ASSIGN(const bool mounted, IsMounted(address.home, address.id));
    if (mounted) *state |= vmcompute::kStateMounted;
    return {};
  });
}

Hresult WCLAYER_ABI VerifyLayerCall(const DriverInfo* info, Utf16 id, std::uint32_t payloads,
                                    void* user,
                                    void (*report)(void* user, const char* path,
                                                   const char* problem)) {
  return Call("VerifyLayer", [&]() -> Status {
    if (report == nullptr) return Missing("report");
    WCLAYER_ASSIGN(const auto address, AllHomes().Resolve(info, id));
    return VerifyLayer(*address.home, address.id, payloads != 0,
                       [&](std::string_view path, std::string_view problem) {
                         report(user, std::string(path).c_str(), std::string(problem).c_str());
                       });
  });
}

Hresult WCLAYER_ABI AddBaseImageCall(const DriverInfo* info, Utf16 folder) {
  return Call("AddBaseImage", [&]() -> Status {
    if (folder == nullptr) return Missing("folder");
    WCLAYER_ASSIGN(const auto home, AllHomes().Get(info));
    return AddBaseImage(home, ToUtf8(folder));
  });
}

vmcompute::Extensions MakeExtensions() {
  vmcompute::Extensions ours;
  ours.Configure = ConfigureCall;
  ours.Leave = LeaveCall;
  ours.Recover = RecoverCall;
  ours.LastError = LastErrorCall;
  ours.ImportLayerEntry = ImportLayerEntryCall;
  ours.ImportLayerReadBack = ImportLayerReadBackCall;
  ours.ImportLayerChecksum = ImportLayerChecksumCall;
  ours.ImportLayerFolder = ImportLayerFolderCall;
  ours.ImportLayerReplace = ImportLayerReplaceCall;
  ours.ImportLayerDefer = ImportLayerDeferCall;
  ours.ImportLayerSeal = ImportLayerSealCall;
  ours.ImportLayerRunSealed = ImportLayerRunSealedCall;
  ours.ImportLayerAbort = ImportLayerAbortCall;
  ours.ExportLayerDescribe = ExportLayerDescribeCall;
  ours.ExportLayerChange = ExportLayerChangeCall;
  ours.ExportLayerSkip = ExportLayerSkipCall;
  ours.ExportLayerSeek = ExportLayerSeekCall;
  ours.ExportLayerAbort = ExportLayerAbortCall;
  ours.LayerState = LayerStateCall;
  ours.VerifyLayer = VerifyLayerCall;
  ours.AddBaseImage = AddBaseImageCall;
  return ours;
}

vmcompute::Table MakeTable(const vmcompute::Extensions& ours) {
  vmcompute::Table table;
  table.ActivateLayer = ActivateLayerCall;
  table.DeactivateLayer = DeactivateLayerCall;
  table.PrepareLayer = PrepareLayerCall;
  table.UnprepareLayer = UnprepareLayerCall;
  table.GetLayerMountPath = GetLayerMountPathCall;
  table.CreateLayer = CreateLayerCall;
  table.CreateSandboxLayer = CreateSandboxLayerCall;
  table.ExpandSandboxSize = ExpandSandboxSizeCall;
  table.DestroyLayer = DestroyLayerCall;
  table.LayerExists = LayerExistsCall;
  table.CopyLayer = CopyLayerCall;
  table.ExportLayer = ExportLayerCall;
  table.ImportLayer = ImportLayerCall;
  table.GetBaseImages = GetBaseImagesCall;
  table.NameToGuid = NameToGuidCall;
  table.ProcessBaseImage = ProcessBaseImageCall;
  table.ProcessUtilityImage = ProcessUtilityImageCall;
  table.GrantVmAccess = GrantVmAccessCall;
  table.ImportLayerBegin = ImportLayerBeginCall;
  table.ImportLayerNext = ImportLayerNextCall;
  table.ImportLayerWrite = ImportLayerWriteCall;
  table.ImportLayerEnd = ImportLayerEndCall;
  table.ExportLayerBegin = ExportLayerBeginCall;
  table.ExportLayerNext = ExportLayerNextCall;
  table.ExportLayerRead = ExportLayerReadCall;
  table.ExportLayerEnd = ExportLayerEndCall;
  table.FreeString = FreeString;
  table.extensions = &ours;
  return table;
}

}  // namespace
}  // namespace wclayer::portable

namespace wclayer::vmcompute {

const Table& Portable() {
  static const Extensions extensions = portable::MakeExtensions();
  static const Table table = portable::MakeTable(extensions);
  return table;
}

}  // namespace wclayer::vmcompute
