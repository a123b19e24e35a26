#include "vmcompute/computestorage.h"

#include <cstdio>

#include "base/json.h"
#include "base/limits.h"
#include "base/utf16.h"

namespace wclayer::vmcompute {
namespace {

constexpr char16_t kSeparator = u'\\';
constexpr const char16_t* kDisk = u"sandbox.vhdx";
constexpr const char16_t* kBlankDisk = u"blank.vhdx";  // of a base layer

// Both forms of DriverInfo (spec §2): a home and a name in it, or a whole path.
std::u16string PathOf(const DriverInfo* info, Utf16 id) {
  std::u16string path(info->home_dir == nullptr ? u"" : info->home_dir);
  if (!path.empty() && path.back() != kSeparator) path += kSeparator;
  return path + id;
}

std::u16string Below(const std::u16string& folder, const char16_t* name) {
  return folder + kSeparator + name;
}

bool IsWritable(const StorageSet& set, const std::u16string& layer) {
  return set.files.FileExists(Below(layer, kDisk).c_str());
}

std::string TextOf(const Guid& guid) {
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", guid.data1,
                guid.data2, guid.data3, guid.data4[0], guid.data4[1], guid.data4[2], guid.data4[3],
                guid.data4[4], guid.data4[5], guid.data4[6], guid.data4[7]);
  return text;
}

// The volume of an activated layer.
Hresult VolumeOf(const StorageSet& set, const DriverInfo* info, Utf16 id, std::u16string& volume) {
  std::size_t length = 0;
  Hresult hr = set.rest.GetLayerMountPath(info, id, &length, nullptr);
  if (Failed(hr)) return hr;
  if (length == 0 || length > kMaxPathUnits + 1) return kNotReady;
  volume.resize(length);
  hr = set.rest.GetLayerMountPath(info, id, &length, volume.data());
  if (Failed(hr)) return hr;
  volume.resize(std::char_traits<char16_t>::length(volume.c_str()));
  return kOk;
}

// Lays down what the filter needs on the volume of a new writable layer.
Hresult Initialize(const StorageSet& set, const DriverInfo* info, Utf16 id,
                   const std::u16string& data) {
  Hresult hr = set.rest.ActivateLayer(info, id);
  if (Failed(hr)) return hr;
  std::u16string volume;
  hr = VolumeOf(set, info, id, volume);
  if (!Failed(hr)) {
    // The options must be null.
    hr = set.storage.HcsInitializeWritableLayer(volume.c_str(), data.c_str(), nullptr);
  }
  const Hresult undone = set.rest.DeactivateLayer(info, id);
  return Failed(hr) ? hr : undone;
}

}  // namespace

Expected<ComputeStorage> BindComputeStorage(const FindSymbol& find) {
  ComputeStorage functions;
  std::string missing;
  const auto bind = [&]<class Function>(Function*& slot, const char* name) {
    slot = reinterpret_cast<Function*>(reinterpret_cast<void (*)()>(find(name)));
    if (slot == nullptr) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
  bind(functions.HcsImportLayer, "HcsImportLayer");
  bind(functions.HcsExportLayer, "HcsExportLayer");
  bind(functions.HcsDestroyLayer, "HcsDestroyLayer");
  bind(functions.HcsInitializeWritableLayer, "HcsInitializeWritableLayer");
  bind(functions.HcsAttachLayerStorageFilter, "HcsAttachLayerStorageFilter");
  bind(functions.HcsDetachLayerStorageFilter, "HcsDetachLayerStorageFilter");
  if (missing.empty()) return functions;
  return Error(Errc::kBackendUnavailable, "it lacks " + missing);
}

std::u16string LayerDataJson(const LayerDescriptor* parents, std::uint32_t count) {
  Json version = Json::Object();
  version.Add("Major", Json::Of(std::int64_t{2})).Add("Minor", Json::Of(std::int64_t{1}));
  Json layers = Json::Array();
  for (std::uint32_t i = 0; i < count; ++i) {
    Json layer = Json::Object();
    layer.Add("Id", Json::Of(TextOf(parents[i].id))).Add("Path", Json::Of(ToUtf8(parents[i].path)));
    layers.array.push_back(std::move(layer));
  }
  Json data = Json::Object();
  data.Add("SchemaVersion", std::move(version)).Add("Layers", std::move(layers));
  auto text = ToUtf16(WriteJson(data));
  return text ? *std::move(text) : std::u16string();  // what came from UTF-16 goes back
}

namespace storage {

Hresult CreateLayer(const StorageSet& set, const DriverInfo* info, Utf16 id) {
  const Hresult hr = set.files.MakeFolder(PathOf(info, id).c_str());
  return hr == kAlreadyExists ? kOk : hr;  // repeated at every start of docker 1.10 (spec §3)
}

Hresult CreateSandboxLayer(const StorageSet& set, const DriverInfo* info, Utf16 id,
                           const LayerDescriptor* parents, std::uint32_t count) {
  if (count == 0) return kInvalidParameter;
  const std::u16string layer = PathOf(info, id);
  Hresult hr = set.files.MakeFolder(layer.c_str());
  if (Failed(hr)) return hr;
  // As containerd does: the blank disk of the base layer is what a new one begins with.
  const std::u16string base(parents[count - 1].path);
  hr = set.files.CopyDisk(Below(base, kBlankDisk).c_str(), Below(layer, kDisk).c_str());
  if (!Failed(hr)) hr = Initialize(set, info, id, LayerDataJson(parents, count));
  if (!Failed(hr)) return kOk;
  set.storage.HcsDestroyLayer(layer.c_str());
  return hr;
}

Hresult DestroyLayer(const StorageSet& set, const DriverInfo* info, Utf16 id) {
  const std::u16string layer = PathOf(info, id);
  if (!set.files.FolderExists(layer.c_str())) return kOk;
  return set.storage.HcsDestroyLayer(layer.c_str());
}

Hresult LayerExists(const StorageSet& set, const DriverInfo* info, Utf16 id,
                    std::uint32_t* exists) {
  *exists = set.files.FolderExists(PathOf(info, id).c_str()) ? 1 : 0;
  return kOk;
}

Hresult PrepareLayer(const StorageSet& set, const DriverInfo* info, Utf16 id,
                     const LayerDescriptor* parents, std::uint32_t count) {
  // Layers without a disk of their own have nothing to attach a filter to.
  if (!IsWritable(set, PathOf(info, id))) return kOk;
  std::u16string volume;
  const Hresult hr = VolumeOf(set, info, id, volume);
  if (Failed(hr)) return hr;
  return set.storage.HcsAttachLayerStorageFilter(volume.c_str(),
                                                 LayerDataJson(parents, count).c_str());
}

Hresult UnprepareLayer(const StorageSet& set, const DriverInfo* info, Utf16 id) {
  if (!IsWritable(set, PathOf(info, id))) return kOk;
  std::u16string volume;
  const Hresult hr = VolumeOf(set, info, id, volume);
  if (Failed(hr)) return hr;
  return set.storage.HcsDetachLayerStorageFilter(volume.c_str());
}

Hresult ExportLayer(const StorageSet& set, const DriverInfo* info, Utf16 id, Utf16 folder,
                    const LayerDescriptor* parents, std::uint32_t count) {
  const std::u16string layer = PathOf(info, id);
  const char16_t* options =
      IsWritable(set, layer) ? u"{\"IsWritableLayer\":true}" : u"{\"IsWritableLayer\":false}";
  return set.storage.HcsExportLayer(layer.c_str(), folder, LayerDataJson(parents, count).c_str(),
                                    options);
}

Hresult ImportLayer(const StorageSet& set, const DriverInfo* info, Utf16 id, Utf16 folder,
                    const LayerDescriptor* parents, std::uint32_t count) {
  return set.storage.HcsImportLayer(PathOf(info, id).c_str(), folder,
                                    LayerDataJson(parents, count).c_str());
}

}  // namespace storage

}  // namespace wclayer::vmcompute
