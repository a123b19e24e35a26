// computestorage.dll (Windows Server 2019 and later; spec vmcompute-abi §11) as a table: what it
// can do is done by it, what it lacks (volumes, GUIDs of names, base images) by vmcompute.dll.
#pragma once

#include <string>

#include "base/expected.h"
#include "vmcompute/abi.h"
#include "vmcompute/symbols.h"

namespace wclayer::vmcompute {

struct ComputeStorage {
  Hresult(WCLAYER_ABI* HcsImportLayer)(Utf16 layer, Utf16 source, Utf16 data) = nullptr;
  Hresult(WCLAYER_ABI* HcsExportLayer)(Utf16 layer, Utf16 folder, Utf16 data,
                                       Utf16 options) = nullptr;
  Hresult(WCLAYER_ABI* HcsDestroyLayer)(Utf16 layer) = nullptr;
  Hresult(WCLAYER_ABI* HcsInitializeWritableLayer)(Utf16 layer, Utf16 data,
                                                   Utf16 options) = nullptr;
  Hresult(WCLAYER_ABI* HcsAttachLayerStorageFilter)(Utf16 layer, Utf16 data) = nullptr;
  Hresult(WCLAYER_ABI* HcsDetachLayerStorageFilter)(Utf16 layer) = nullptr;
};

// All six; the error names every one that is missing.
Expected<ComputeStorage> BindComputeStorage(const FindSymbol& find);

// The folders and files of layers, which the caller of computestorage.dll sees to itself.
struct LayerFiles {
  bool (*FolderExists)(Utf16 path) = nullptr;
  bool (*FileExists)(Utf16 path) = nullptr;
  Hresult (*MakeFolder)(Utf16 path) = nullptr;          // kAlreadyExists
  Hresult (*CopyDisk)(Utf16 from, Utf16 to) = nullptr;  // the target must not exist
};

struct StorageSet {
  ComputeStorage storage;
  LayerFiles files;
  Table rest;  // of vmcompute.dll
};

// "{"SchemaVersion":{"Major":2,"Minor":1},"Layers":[{"Id":"…","Path":"…"}]}", escaped.
std::u16string LayerDataJson(const LayerDescriptor* parents, std::uint32_t count);

// The members of the table, on a set.
namespace storage {
Hresult CreateLayer(const StorageSet& set, const DriverInfo* info, Utf16 id);
Hresult CreateSandboxLayer(const StorageSet& set, const DriverInfo* info, Utf16 id,
                           const LayerDescriptor* parents, std::uint32_t count);
Hresult DestroyLayer(const StorageSet& set, const DriverInfo* info, Utf16 id);
Hresult LayerExists(const StorageSet& set, const DriverInfo* info, Utf16 id, std::uint32_t* exists);
Hresult PrepareLayer(const StorageSet& set, const DriverInfo* info, Utf16 id,
                     const LayerDescriptor* parents, std::uint32_t count);
Hresult UnprepareLayer(const StorageSet& set, const DriverInfo* info, Utf16 id);
Hresult ExportLayer(const StorageSet& set, const DriverInfo* info, Utf16 id, Utf16 folder,
                    const LayerDescriptor* parents, std::uint32_t count);
Hresult ImportLayer(const StorageSet& set, const DriverInfo* info, Utf16 id, Utf16 folder,
                    const LayerDescriptor* parents, std::uint32_t count);
}  // namespace storage

// The table over what `Set` gives: functions of a table have no context of their own.
template <const StorageSet& (*Set)()>
struct StorageTable {
  static Hresult WCLAYER_ABI CreateLayer(const DriverInfo* info, Utf16 id, Utf16) {
    return storage::CreateLayer(Set(), info, id);
  }
  static Hresult WCLAYER_ABI CreateSandboxLayer(const DriverInfo* info, Utf16 id, Utf16,
                                                const LayerDescriptor* parents,
                                                std::uint32_t count) {
    return storage::CreateSandboxLayer(Set(), info, id, parents, count);
  }
  static Hresult WCLAYER_ABI DestroyLayer(const DriverInfo* info, Utf16 id) {
    return storage::DestroyLayer(Set(), info, id);
  }
  static Hresult WCLAYER_ABI LayerExists(const DriverInfo* info, Utf16 id, std::uint32_t* exists) {
    return storage::LayerExists(Set(), info, id, exists);
  }
  static Hresult WCLAYER_ABI PrepareLayer(const DriverInfo* info, Utf16 id,
                                          const LayerDescriptor* parents, std::uint32_t count) {
    return storage::PrepareLayer(Set(), info, id, parents, count);
  }
  static Hresult WCLAYER_ABI UnprepareLayer(const DriverInfo* info, Utf16 id) {
    return storage::UnprepareLayer(Set(), info, id);
  }
  static Hresult WCLAYER_ABI ExportLayer(const DriverInfo* info, Utf16 id, Utf16 folder,
                                         const LayerDescriptor* parents, std::uint32_t count) {
    return storage::ExportLayer(Set(), info, id, folder, parents, count);
  }
  static Hresult WCLAYER_ABI ImportLayer(const DriverInfo* info, Utf16 id, Utf16 folder,
                                         const LayerDescriptor* parents, std::uint32_t count) {
    return storage::ImportLayer(Set(), info, id, folder, parents, count);
  }

  static Table Make() {
    const Table& rest = Set().rest;
    Table table;
    table.ActivateLayer = rest.ActivateLayer;
    table.DeactivateLayer = rest.DeactivateLayer;
    table.GetLayerMountPath = rest.GetLayerMountPath;
    table.ExpandSandboxSize = rest.ExpandSandboxSize;
    table.CopyLayer = rest.CopyLayer;
    table.GetBaseImages = rest.GetBaseImages;
    table.NameToGuid = rest.NameToGuid;
    table.ProcessBaseImage = rest.ProcessBaseImage;
    table.ProcessUtilityImage = rest.ProcessUtilityImage;
    table.GrantVmAccess = rest.GrantVmAccess;
    table.FreeString = rest.FreeString;
    table.CreateLayer = &CreateLayer;
    table.CreateSandboxLayer = &CreateSandboxLayer;
    table.DestroyLayer = &DestroyLayer;
    table.LayerExists = &LayerExists;
    table.PrepareLayer = &PrepareLayer;
    table.UnprepareLayer = &UnprepareLayer;
    table.ExportLayer = &ExportLayer;
    table.ImportLayer = &ImportLayer;
    return table;
  }
};

}  // namespace wclayer::vmcompute
