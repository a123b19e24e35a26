// The portable store as a vmcompute.dll of its own: Microsoft's functions under Microsoft's names,
// for every program that speaks that ABI (spec vmcompute-abi §3; which of them were tried: spec
// wine-and-toolchains). What the store offers beyond them is not to be seen from outside.
#include "base/windows.h"
// after windows.h
#include <objbase.h>

#include <string>

#include "vmcompute/abi.h"

namespace wclayer::vmcompute {
namespace {

// Callers free our texts with CoTaskMemFree, and here is where they learn that. Ours is freed.
Hresult ToCaller(Hresult hr, char16_t** text) {
  if (Failed(hr) || text == nullptr || *text == nullptr) return hr;
  const std::size_t bytes = (std::char_traits<char16_t>::length(*text) + 1) * sizeof(char16_t);
  void* copy = ::CoTaskMemAlloc(bytes);
  if (copy != nullptr)
    std::char_traits<char>::copy(static_cast<char*>(copy), reinterpret_cast<const char*>(*text),
                                 bytes);
  Portable().FreeString(*text);
  *text = static_cast<char16_t*>(copy);
  return copy != nullptr ? hr : kOutOfMemory;
}

// GetBaseImages names no home, and Docker calls it before any other function: the images are those
// of the homes that were used, and of the one that WCLAYER_HOME names as everywhere.
void UseHomeOfEnvironment() {
  std::u16string home(32768, u'\0');
  const DWORD length = ::GetEnvironmentVariableW(
      L"WCLAYER_HOME", reinterpret_cast<wchar_t*>(home.data()), static_cast<DWORD>(home.size()));
  if (length == 0 || length >= home.size()) return;
  DriverInfo info;
  info.home_dir = home.c_str();
  // A home that is none has no images.
  const Hresult used = Portable().extensions->Configure(&info, nullptr);
  (void)used;
}

}  // namespace

extern "C" {

Hresult WCLAYER_ABI ActivateLayer(const DriverInfo* info, Utf16 id) {
  return Portable().ActivateLayer(info, id);
}
Hresult WCLAYER_ABI DeactivateLayer(const DriverInfo* info, Utf16 id) {
  return Portable().DeactivateLayer(info, id);
}
Hresult WCLAYER_ABI PrepareLayer(const DriverInfo* info, Utf16 id, const LayerDescriptor* parents,
                                 std::uint32_t count) {
  return Portable().PrepareLayer(info, id, parents, count);
}
Hresult WCLAYER_ABI UnprepareLayer(const DriverInfo* info, Utf16 id) {
  return Portable().UnprepareLayer(info, id);
}
Hresult WCLAYER_ABI GetLayerMountPath(const DriverInfo* info, Utf16 id, std::size_t* length,
                                      char16_t* buffer) {
  return Portable().GetLayerMountPath(info, id, length, buffer);
}
Hresult WCLAYER_ABI CreateLayer(const DriverInfo* info, Utf16 id, Utf16 parent) {
  return Portable().CreateLayer(info, id, parent);
}
Hresult WCLAYER_ABI CreateSandboxLayer(const DriverInfo* info, Utf16 id, Utf16 parent,
                                       const LayerDescriptor* parents, std::uint32_t count) {
  return Portable().CreateSandboxLayer(info, id, parent, parents, count);
}
Hresult WCLAYER_ABI ExpandSandboxSize(const DriverInfo* info, Utf16 id, std::uint64_t size_bytes) {
  return Portable().ExpandSandboxSize(info, id, size_bytes);
}
Hresult WCLAYER_ABI DestroyLayer(const DriverInfo* info, Utf16 id) {
  return Portable().DestroyLayer(info, id);
}
Hresult WCLAYER_ABI LayerExists(const DriverInfo* info, Utf16 id, std::uint32_t* exists) {
  return Portable().LayerExists(info, id, exists);
}
Hresult WCLAYER_ABI CopyLayer(const DriverInfo* info, Utf16 source, Utf16 target,
                              const LayerDescriptor* parents, std::uint32_t count) {
  return Portable().CopyLayer(info, source, target, parents, count);
}
Hresult WCLAYER_ABI ExportLayer(const DriverInfo* info, Utf16 id, Utf16 folder,
                                const LayerDescriptor* parents, std::uint32_t count) {
  return Portable().ExportLayer(info, id, folder, parents, count);
}
Hresult WCLAYER_ABI ImportLayer(const DriverInfo* info, Utf16 id, Utf16 folder,
                                const LayerDescriptor* parents, std::uint32_t count) {
  return Portable().ImportLayer(info, id, folder, parents, count);
}
Hresult WCLAYER_ABI NameToGuid(Utf16 name, Guid* guid) {
  return Portable().NameToGuid(name, guid);
}
Hresult WCLAYER_ABI ProcessBaseImage(Utf16 path) {
  return Portable().ProcessBaseImage(path);
}
Hresult WCLAYER_ABI ProcessUtilityImage(Utf16 path) {
  return Portable().ProcessUtilityImage(path);
}
Hresult WCLAYER_ABI GrantVmAccess(Utf16 vm_id, Utf16 path) {
  return Portable().GrantVmAccess(vm_id, path);
}
Hresult WCLAYER_ABI ImportLayerBegin(const DriverInfo* info, Utf16 id,
                                     const LayerDescriptor* parents, std::uint32_t count,
                                     void** context) {
  return Portable().ImportLayerBegin(info, id, parents, count, context);
}
Hresult WCLAYER_ABI ImportLayerNext(void* context, Utf16 name, const FileBasicInfo* info) {
  return Portable().ImportLayerNext(context, name, info);
}
Hresult WCLAYER_ABI ImportLayerWrite(void* context, const std::uint8_t* buffer,
                                     std::uint32_t length) {
  return Portable().ImportLayerWrite(context, buffer, length);
}
Hresult WCLAYER_ABI ImportLayerEnd(void* context) {
  return Portable().ImportLayerEnd(context);
}
Hresult WCLAYER_ABI ExportLayerBegin(const DriverInfo* info, Utf16 id,
                                     const LayerDescriptor* parents, std::uint32_t count,
                                     void** context) {
  return Portable().ExportLayerBegin(info, id, parents, count, context);
}
Hresult WCLAYER_ABI ExportLayerRead(void* context, std::uint8_t* buffer, std::uint32_t length,
                                    std::uint32_t* read) {
  return Portable().ExportLayerRead(context, buffer, length, read);
}
Hresult WCLAYER_ABI ExportLayerEnd(void* context) {
  return Portable().ExportLayerEnd(context);
}
Hresult WCLAYER_ABI GetBaseImages(char16_t** json) {
  UseHomeOfEnvironment();
  return ToCaller(Portable().GetBaseImages(json), json);
}
Hresult WCLAYER_ABI ExportLayerNext(void* context, char16_t** name, FileBasicInfo* info,
                                    std::int64_t* size, std::uint32_t* deleted) {
  return ToCaller(Portable().ExportLayerNext(context, name, info, size, deleted), name);
}

}  // extern "C"

}  // namespace wclayer::vmcompute
