#include "support/strict_table.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/layer_id.h"
#include "base/utf16.h"

namespace wclayer::test {

using namespace vmcompute;  // NOLINT: every function of it is meant
namespace files = std::filesystem;

namespace {

StrictTable* current = nullptr;

std::string Text(Utf16 text) {
  return text == nullptr ? std::string("(null)") : ToUtf8(text);
}
std::string NameIn(const std::string& path) {
  return std::string(LastComponent(path));
}
// Stands for Microsoft's scheme, which nobody knows: of the name alone, the same for each case.
Guid GuidOf(const std::string& name) {
  Guid guid;
  std::uint32_t sum = 17;
  for (const char c : LowerAscii(name)) sum = sum * 31 + static_cast<unsigned char>(c);
  guid.data1 = sum;
  guid.data3 = 0x5000;
  return guid;
}
files::path Native(const std::string& path) {
  const auto* text = reinterpret_cast<const char8_t*>(path.c_str());
  return files::path(text);
}

// By hand: what std::filesystem copies differs between systems.
bool CopyTree(const files::path& from, const files::path& to) {
  std::error_code error;
  for (const auto& item : files::recursive_directory_iterator(from, error)) {
    const files::path target = to / item.path().lexically_relative(from);
    if (item.is_directory()) {
      files::create_directory(target, error);
    } else {
      std::ofstream(target, std::ios::binary)
          << std::ifstream(item.path(), std::ios::binary).rdbuf();
    }
  }
  return !error;
}

}  // namespace

// One call: counted and logged when it begins, over when it goes out of scope.
class StrictCall {
 public:
  StrictCall(const char* name, const std::string& what) : name_(name) {
    StrictTable& table = *current;
    goes_on_ = table.Enter(name_, what, &answer_);
    std::function<void(const std::string&)> inside;
    {
      const std::lock_guard lock(table.mutex_);
      inside = table.inside_;
    }
    if (goes_on_ && inside) inside(name_);
  }
  ~StrictCall() { current->Leave(name_); }
  bool goes_on() const { return goes_on_; }
  Hresult answer() const { return answer_; }

 private:
  std::string name_;
  bool goes_on_ = true;
  Hresult answer_ = kOk;
};

#define WCLAYER_STRICT_CALL(NAME, WHAT)     \
  const StrictCall strict_call(NAME, WHAT); \
  if (!strict_call.goes_on()) return strict_call.answer()

struct StrictFunctions {
  using Layer = StrictTable::Layer;
  static StrictTable& Self() { return *current; }
  // Null: there is none, or its folder has been renamed.
  static Layer* Find(const std::string& path) {
    auto& layers = Self().layers_;
    const auto at = layers.find(LowerAscii(path));
    if (at == layers.end()) return nullptr;
    std::error_code error;
    if (files::exists(Native(path), error)) return &at->second;
    if (at->second.active) Self().Misuse("the folder of the active " + path + " is gone");
    layers.erase(at);
    return nullptr;
  }
  static Hresult Wrong(const std::string& what) {
    Self().Misuse(what);
    return kInvalidParameter;
  }
  static std::string On(const std::vector<std::string>& chain) {
    std::string text;
    for (const std::string& path : chain) text += (text.empty() ? " on " : ",") + NameIn(path);
    return text;
  }
  static const Table* Inner() { return Self().inner_; }

  // ---- Life
  static Hresult WCLAYER_ABI CreateLayer(const DriverInfo* info, Utf16 id, Utf16 parent) {
    const std::string path = Self().PathOf(info, id);
    const std::string below = Text(parent).empty() ? "" : " on " + Text(parent);
    WCLAYER_STRICT_CALL("CreateLayer", NameIn(path) + below);
    const std::lock_guard lock(Self().mutex_);
    if (Layer* old = Find(path); old != nullptr && old->active)
      return Wrong("CreateLayer of the active " + path);
    if (Inner() != nullptr) {
      const Hresult hr = Inner()->CreateLayer(info, id, parent);
      if (Failed(hr)) return hr;
    } else {
      std::error_code error;
      files::create_directory(Native(path), error);
      if (error) return kPathNotFound;
    }
    Self().layers_.try_emplace(LowerAscii(path));
    return kOk;
  }
  static Hresult WCLAYER_ABI CreateSandboxLayer(const DriverInfo* info, Utf16 id, Utf16 parent,
                                                const LayerDescriptor* parents,
                                                std::uint32_t count) {
    const std::string path = Self().PathOf(info, id);
    const auto chain = Self().ChainOf(parents, count);
    WCLAYER_STRICT_CALL("CreateSandboxLayer", NameIn(path) + On(chain));
    const std::lock_guard lock(Self().mutex_);
    if (count == 0) return Wrong("CreateSandboxLayer of " + path + " without parents");
    if (Find(path) != nullptr) return kAlreadyExists;
    if (Inner() != nullptr) {
      const Hresult hr = Inner()->CreateSandboxLayer(info, id, parent, parents, count);
      if (Failed(hr)) return hr;
    } else {
      std::error_code error;
      if (!files::create_directory(Native(path), error)) return kPathNotFound;
      std::ofstream(Native(path) / "sandbox.vhdx") << "disk";
    }
    Self().layers_[LowerAscii(path)] = Layer{true, false, false, chain};
    return kOk;
  }
  static Hresult WCLAYER_ABI ExpandSandboxSize(const DriverInfo* info, Utf16 id,
                                               std::uint64_t bytes) {
    const std::string path = Self().PathOf(info, id);
    WCLAYER_STRICT_CALL("ExpandSandboxSize", NameIn(path) + " to " + std::to_string(bytes));
    const std::lock_guard lock(Self().mutex_);
    Layer* layer = Find(path);
    if (layer == nullptr) return kFileNotFound;
    if (layer->active) return Wrong("ExpandSandboxSize of the active " + path);
    return Inner() == nullptr ? kOk : Inner()->ExpandSandboxSize(info, id, bytes);
  }
  static Hresult WCLAYER_ABI DestroyLayer(const DriverInfo* info, Utf16 id) {
    const std::string path = Self().PathOf(info, id);
    WCLAYER_STRICT_CALL("DestroyLayer", NameIn(path));
    const std::lock_guard lock(Self().mutex_);
    if (Layer* layer = Find(path); layer != nullptr && layer->active)
      return Wrong("DestroyLayer of the active " + path);
    for (const auto& [other, layer] : Self().layers_) {
      if (!layer.active) continue;
      for (const std::string& parent : layer.chain)
        if (LowerAscii(parent) == LowerAscii(path))
          return Wrong("DestroyLayer of " + path + " under the active " + other);
    }
    if (Inner() != nullptr) {
      const Hresult hr = Inner()->DestroyLayer(info, id);
      if (Failed(hr)) return hr;
    } else {
      std::error_code error;
      files::remove_all(Native(path), error);
      if (error) return kAccessDenied;
    }
    Self().layers_.erase(LowerAscii(path));
    return kOk;
  }
  static Hresult WCLAYER_ABI LayerExists(const DriverInfo* info, Utf16 id, std::uint32_t* exists) {
    const std::string path = Self().PathOf(info, id);
    WCLAYER_STRICT_CALL("LayerExists", NameIn(path));
    if (Inner() != nullptr) return Inner()->LayerExists(info, id, exists);
    std::error_code error;
    *exists = files::is_directory(Native(path), error) ? 1 : 0;
    return kOk;
  }

  // ---- Mounting
  static Hresult WCLAYER_ABI ActivateLayer(const DriverInfo* info, Utf16 id) {
    const std::string path = Self().PathOf(info, id);
    WCLAYER_STRICT_CALL("ActivateLayer", NameIn(path));
    const std::lock_guard lock(Self().mutex_);
    Layer* layer = Find(path);
    if (layer == nullptr) return kFileNotFound;
    if (layer->active) return Wrong("ActivateLayer of the active " + path);
    if (Inner() != nullptr) {
      const Hresult hr = Inner()->ActivateLayer(info, id);
      if (Failed(hr)) return hr;
    }
    layer->active = true;
    return kOk;
  }
  static Hresult WCLAYER_ABI DeactivateLayer(const DriverInfo* info, Utf16 id) {
    const std::string path = Self().PathOf(info, id);
    WCLAYER_STRICT_CALL("DeactivateLayer", NameIn(path));
    const std::lock_guard lock(Self().mutex_);
    Layer* layer = Find(path);
    if (layer == nullptr) return kOk;
    if (layer->prepared) return Wrong("DeactivateLayer of the prepared " + path);
    if (Inner() != nullptr) {
      const Hresult hr = Inner()->DeactivateLayer(info, id);
      if (Failed(hr)) return hr;
    }
    layer->active = false;
    return kOk;
  }
  static Hresult WCLAYER_ABI PrepareLayer(const DriverInfo* info, Utf16 id,
                                          const LayerDescriptor* parents, std::uint32_t count) {
    const std::string path = Self().PathOf(info, id);
    const auto chain = Self().ChainOf(parents, count);
    WCLAYER_STRICT_CALL("PrepareLayer", NameIn(path) + On(chain));
    const std::lock_guard lock(Self().mutex_);
    Layer* layer = Find(path);
    if (layer == nullptr) return kFileNotFound;
    if (!layer->active) return Wrong("PrepareLayer of " + path + ", which is not active");
    if (layer->prepared) return Wrong("PrepareLayer of the prepared " + path);
    if (layer->writable && chain != layer->chain)
      return Wrong("PrepareLayer of " + path + On(chain) + ", made" + On(layer->chain));
    if (Inner() != nullptr) {
      const Hresult hr = Inner()->PrepareLayer(info, id, parents, count);
      if (Failed(hr)) return hr;
    }
    layer->prepared = true;
    return kOk;
  }
  static Hresult WCLAYER_ABI UnprepareLayer(const DriverInfo* info, Utf16 id) {
    const std::string path = Self().PathOf(info, id);
    const StrictCall call("UnprepareLayer", NameIn(path));
    const std::lock_guard lock(Self().mutex_);
    Layer* layer = Find(path);
    if (!call.goes_on()) {
      // Codes that say that it is not prepared do not lie.
      const Hresult hr = call.answer();
      if (layer != nullptr && (hr == kDevNotExist || hr == kFilterNotAttached))
        layer->prepared = false;
      return hr;
    }
    if (layer == nullptr || !layer->active) return kDevNotExist;
    if (!layer->prepared) return kFilterNotAttached;
    if (Inner() != nullptr) {
      const Hresult hr = Inner()->UnprepareLayer(info, id);
      if (Failed(hr)) return hr;
    }
    layer->prepared = false;
    return kOk;
  }
  static Hresult WCLAYER_ABI GetLayerMountPath(const DriverInfo* info, Utf16 id,
                                               std::size_t* length, char16_t* buffer) {
    const std::string path = Self().PathOf(info, id);
    if (Inner() != nullptr) {
      WCLAYER_STRICT_CALL("GetLayerMountPath", NameIn(path));
      return Inner()->GetLayerMountPath(info, id, length, buffer);
    }
    WCLAYER_STRICT_CALL("GetLayerMountPath", NameIn(path));
    const std::lock_guard lock(Self().mutex_);
    Layer* layer = Find(path);
    if (layer == nullptr) return kFileNotFound;
    const bool volume = layer->writable && layer->active;
    const std::u16string text =
        volume ? u"\\\\?\\Volume{1c31fe35-e5f2-4858-b1bf-93dd6de9e54a}" : *ToUtf16(path);
    if (buffer == nullptr) {
      if (*length != 0) return Wrong("GetLayerMountPath asked for a length with one given");
      *length = text.size() + 1;
      return kOk;
    }
    if (*length != text.size() + 1) return Wrong("GetLayerMountPath with another length");
    std::copy(text.c_str(), text.c_str() + text.size() + 1, buffer);
    return kOk;
  }

  // ---- Content
  static Hresult WCLAYER_ABI ExportLayer(const DriverInfo* info, Utf16 id, Utf16 folder,
                                         const LayerDescriptor* parents, std::uint32_t count) {
    const std::string path = Self().PathOf(info, id);
    const auto chain = Self().ChainOf(parents, count);
    WCLAYER_STRICT_CALL("ExportLayer", NameIn(path) + On(chain));
    const std::lock_guard lock(Self().mutex_);
    Layer* layer = Find(path);
    if (layer == nullptr) return kFileNotFound;
    if (!layer->active) return Wrong("ExportLayer of " + path + ", which is not active");
    if (layer->prepared) return Wrong("ExportLayer of the prepared " + path);
    const files::path target = Native(Text(folder));
    std::error_code error;
    if (!files::is_empty(target, error) || error)
      return Wrong("ExportLayer into " + Text(folder) + ", which is not an empty folder");
    if (Inner() != nullptr) return Inner()->ExportLayer(info, id, folder, parents, count);
    files::create_directories(target / "Files");
    std::ofstream(target / "Files" / "f.txt") << "of " << NameIn(path);
    std::ofstream(target / "tombstones.txt", std::ios::binary) << "";
    return kOk;
  }
  static Hresult WCLAYER_ABI ImportLayer(const DriverInfo* info, Utf16 id, Utf16 folder,
                                         const LayerDescriptor* parents, std::uint32_t count) {
    const std::string path = Self().PathOf(info, id);
    const auto chain = Self().ChainOf(parents, count);
    WCLAYER_STRICT_CALL("ImportLayer", NameIn(path) + On(chain));
    const std::lock_guard lock(Self().mutex_);
    Layer* layer = Find(path);
    if (layer == nullptr)
      return Wrong("ImportLayer into " + path + ", which CreateLayer never made");
    if (layer->active) return Wrong("ImportLayer into the active " + path);
    if (layer->writable) return Wrong("ImportLayer into the writable " + path);
    layer->chain = chain;
    if (Inner() != nullptr) return Inner()->ImportLayer(info, id, folder, parents, count);
    return CopyTree(Native(Text(folder)), Native(path)) ? kOk : kPathNotFound;
  }
  static Hresult WCLAYER_ABI GetBaseImages(char16_t** json) {
    WCLAYER_STRICT_CALL("GetBaseImages", "");
    const std::lock_guard lock(Self().mutex_);
    *json = Self().NewString(
        uR"({"Images":[{"Name":"NanoServer","Version":"10.0.14300.1000",)"
        uR"("Path":"C:\\ProgramData\\Microsoft\\Windows\\Images\\Nano_10","Size":12,)"
        uR"("CreatedTime":"2016-05-01T00:00:00Z"}]})");
    return kOk;
  }
  static Hresult WCLAYER_ABI NameToGuid(Utf16 name, Guid* guid) {
    WCLAYER_STRICT_CALL("NameToGuid", Text(name));
    if (Inner() != nullptr) return Inner()->NameToGuid(name, guid);
    *guid = GuidOf(Text(name));
    return kOk;
  }
  static void WCLAYER_ABI FreeString(void* text) {
    StrictTable& self = Self();
    const std::lock_guard lock(self.mutex_);
    if (self.strings_.erase(text) == 0) {
      self.Misuse("FreeString of what this table never gave");
      return;
    }
    if (Inner() != nullptr && Inner()->FreeString != nullptr)
      Inner()->FreeString(text);
    else
      delete[] static_cast<char16_t*>(text);
  }

  // ---- Streams, of an inner table only
  static bool Known(void* context, const char* call) {
    const std::lock_guard lock(Self().mutex_);
    if (Self().contexts_.count(context) != 0) return true;
    Self().Misuse(std::string(call) + " on a context that is not open");
    return false;
  }
  static void Opened(void* context) {
    const std::lock_guard lock(Self().mutex_);
    Self().contexts_.insert(context);
  }
  static void Closed(void* context) {
    const std::lock_guard lock(Self().mutex_);
    Self().contexts_.erase(context);
  }
  static Hresult WCLAYER_ABI ImportLayerBegin(const DriverInfo* info, Utf16 id,
                                              const LayerDescriptor* parents, std::uint32_t count,
                                              void** context) {
    const std::string path = Self().PathOf(info, id);
    const auto chain = Self().ChainOf(parents, count);
    WCLAYER_STRICT_CALL("ImportLayerBegin", NameIn(path) + On(chain));
    {
      const std::lock_guard lock(Self().mutex_);
      Layer* layer = Find(path);
      if (layer == nullptr) return Wrong("ImportLayerBegin of " + path + ", which was never made");
      if (layer->active) return Wrong("ImportLayerBegin of the active " + path);
      layer->chain = chain;
    }
    const Hresult hr = Inner()->ImportLayerBegin(info, id, parents, count, context);
    if (!vmcompute::Failed(hr)) Opened(*context);
    return hr;
  }
  static Hresult WCLAYER_ABI ImportLayerNext(void* context, Utf16 name, const FileBasicInfo* info) {
    WCLAYER_STRICT_CALL("ImportLayerNext", Text(name));
    if (!Known(context, "ImportLayerNext")) return kInvalidParameter;
    return Inner()->ImportLayerNext(context, name, info);
  }
  static Hresult WCLAYER_ABI ImportLayerWrite(void* context, const std::uint8_t* bytes,
                                              std::uint32_t length) {
    WCLAYER_STRICT_CALL("ImportLayerWrite", "");
    if (!Known(context, "ImportLayerWrite")) return kInvalidParameter;
    return Inner()->ImportLayerWrite(context, bytes, length);
  }
  // Ends the context also when it is to fail.
  static Hresult WCLAYER_ABI ImportLayerEnd(void* context) {
    if (!Known(context, "ImportLayerEnd")) return kInvalidParameter;
    const StrictCall call("ImportLayerEnd", "");
    const Hresult hr = Inner()->ImportLayerEnd(context);
    Closed(context);
    return call.goes_on() ? hr : call.answer();
  }
  static Hresult WCLAYER_ABI ExportLayerBegin(const DriverInfo* info, Utf16 id,
                                              const LayerDescriptor* parents, std::uint32_t count,
                                              void** context) {
    const std::string path = Self().PathOf(info, id);
    const auto chain = Self().ChainOf(parents, count);
    WCLAYER_STRICT_CALL("ExportLayerBegin", NameIn(path) + On(chain));
    {
      const std::lock_guard lock(Self().mutex_);
      Layer* layer = Find(path);
      if (layer == nullptr) return kFileNotFound;
      if (!layer->active) return Wrong("ExportLayerBegin of " + path + ", which is not active");
      if (layer->prepared) return Wrong("ExportLayerBegin of the prepared " + path);
    }
    const Hresult hr = Inner()->ExportLayerBegin(info, id, parents, count, context);
    if (!vmcompute::Failed(hr)) Opened(*context);
    return hr;
  }
  static Hresult WCLAYER_ABI ExportLayerNext(void* context, char16_t** name, FileBasicInfo* info,
                                             std::int64_t* size, std::uint32_t* deleted) {
    WCLAYER_STRICT_CALL("ExportLayerNext", "");
    if (!Known(context, "ExportLayerNext")) return kInvalidParameter;
    const Hresult hr = Inner()->ExportLayerNext(context, name, info, size, deleted);
    if (!vmcompute::Failed(hr)) {
      const std::lock_guard lock(Self().mutex_);
      Self().strings_.insert(*name);
    }
    return hr;
  }
  static Hresult WCLAYER_ABI ExportLayerRead(void* context, std::uint8_t* buffer,
                                             std::uint32_t length, std::uint32_t* read) {
    WCLAYER_STRICT_CALL("ExportLayerRead", "");
    if (!Known(context, "ExportLayerRead")) return kInvalidParameter;
    return Inner()->ExportLayerRead(context, buffer, length, read);
  }
  static Hresult WCLAYER_ABI ExportLayerEnd(void* context) {
    if (!Known(context, "ExportLayerEnd")) return kInvalidParameter;
    const StrictCall call("ExportLayerEnd", "");
    const Hresult hr = Inner()->ExportLayerEnd(context);
    Closed(context);
    return call.goes_on() ? hr : call.answer();
  }
};

StrictTable::StrictTable(const Table* inner) : inner_(inner) {
  if (current != nullptr) misuses_.push_back("two strict tables at once");
  current = this;
#define WCLAYER_STRICT(NAME) table_.NAME = &StrictFunctions::NAME
  WCLAYER_STRICT(CreateLayer);
  WCLAYER_STRICT(CreateSandboxLayer);
  WCLAYER_STRICT(ExpandSandboxSize);
  WCLAYER_STRICT(DestroyLayer);
  WCLAYER_STRICT(LayerExists);
  WCLAYER_STRICT(ActivateLayer);
  WCLAYER_STRICT(DeactivateLayer);
  WCLAYER_STRICT(PrepareLayer);
  WCLAYER_STRICT(UnprepareLayer);
  WCLAYER_STRICT(GetLayerMountPath);
  WCLAYER_STRICT(ExportLayer);
  WCLAYER_STRICT(ImportLayer);
  WCLAYER_STRICT(GetBaseImages);
  WCLAYER_STRICT(NameToGuid);
  WCLAYER_STRICT(FreeString);
  if (inner == nullptr || inner->ImportLayerBegin == nullptr) return;
  WCLAYER_STRICT(ImportLayerBegin);
  WCLAYER_STRICT(ImportLayerNext);
  WCLAYER_STRICT(ImportLayerWrite);
  WCLAYER_STRICT(ImportLayerEnd);
  WCLAYER_STRICT(ExportLayerBegin);
  WCLAYER_STRICT(ExportLayerNext);
  WCLAYER_STRICT(ExportLayerRead);
  WCLAYER_STRICT(ExportLayerEnd);
#undef WCLAYER_STRICT
}

StrictTable::~StrictTable() {
  current = nullptr;
}

bool StrictTable::Enter(const std::string& name, const std::string& what, Hresult* answer) {
  std::unique_lock lock(mutex_);
  log_.push_back(what.empty() ? name : name + " " + what);
  const int number = calls_++;
  for (const std::string& which : {name, std::string()}) {
    const int running = ++at_once_[which];
    most_at_once_[which] = std::max(most_at_once_[which], running);
  }
  const bool hit = number == fail_at_;
  if (hit && fail_all_) failing_ = name;
  if (hit || failing_ == name) {
    failed_ = true;
    *answer = fail_with_;
    return false;
  }
  if (fail_percent_ != 0 && random_() % 100 < fail_percent_) {
    static constexpr Hresult kCodes[] = {kNotReady, kSharingViolation, FromWin32(1460), kIoDevice,
                                         static_cast<Hresult>(0x80070001u)};
    *answer = kCodes[random_() % std::size(kCodes)];
    return false;
  }
  if (const auto each = fail_each_.find(name);
      each != fail_each_.end() && each->second.second > 0) {
    failed_ = true;
    --each->second.second;
    *answer = each->second.first;
    return false;
  }
  if (hang_ == name && !hang_after_) {
    ++hanging_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return hang_ != name; });
    --hanging_;
    changed_.notify_all();
  }
  return true;
}

void StrictTable::Leave(const std::string& name) {
  std::unique_lock lock(mutex_);
  if (hang_ == name && hang_after_) {
    ++hanging_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return hang_ != name; });
    --hanging_;
    changed_.notify_all();
  }
  --at_once_[name];
  --at_once_[""];
}

void StrictTable::Misuse(const std::string& what) {
  misuses_.push_back(what);
}

// The form of hcsshim (whole path, no home) or of docker 1.10 (home and name).
std::string StrictTable::PathOf(const DriverInfo* info, Utf16 id) {
  const std::lock_guard lock(mutex_);
  if (info == nullptr || info->home_dir == nullptr || id == nullptr) {
    Misuse("a null home or id");
    return "(null)";
  }
  const std::string home = Text(info->home_dir);
  const std::string name = Text(id);
  if (home.empty()) {
    if (!Native(name).is_absolute()) Misuse("no home, and '" + name + "' is no whole path");
    if (info->flavour != kFilterDriver) Misuse("a whole path with the diff driver");
    return name;
  }
  if (NameIn(name) != name) Misuse("a home, and '" + name + "' is no name");
  const auto path = (Native(home) / Native(name)).u8string();
  return std::string(path.begin(), path.end());
}

std::vector<std::string> StrictTable::ChainOf(const LayerDescriptor* parents, std::uint32_t count) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> chain;
  if ((parents == nullptr) != (count == 0)) Misuse("descriptors: null is for none");
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string path = Text(parents[i].path);
    Guid right = GuidOf(NameIn(path));
    if (inner_ != nullptr) inner_->NameToGuid(ToUtf16(NameIn(path))->c_str(), &right);
    if (!(parents[i].id == right)) Misuse("the GUID of " + path + " is not that of its name");
    if (parents[i].flags != 0) Misuse("flags of a descriptor");
    if (!Native(path).is_absolute()) Misuse("the descriptor's path " + path + " is not absolute");
    const auto at = layers_.find(LowerAscii(path));
    if (at != layers_.end() && at->second.writable) Misuse("the parent " + path + " is writable");
    chain.push_back(path);
  }
  // Immediate parent first: what follows is what the parent was made on.
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    const auto parent = layers_.find(LowerAscii(chain[i]));
    if (parent == layers_.end() || parent->second.chain.empty()) continue;
    const std::vector<std::string> rest(chain.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                        chain.end());
    if (rest != parent->second.chain) Misuse("descriptors in another order than the chain's");
  }
  return chain;
}

char16_t* StrictTable::NewString(const std::u16string& text) {
  auto* copy = new char16_t[text.size() + 1];
  std::copy(text.c_str(), text.c_str() + text.size() + 1, copy);
  strings_.insert(copy);
  return copy;
}

std::vector<std::string> StrictTable::Log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}
std::vector<std::string> StrictTable::Misuses() const {
  const std::lock_guard lock(mutex_);
  return misuses_;
}
int StrictTable::Calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}
std::size_t StrictTable::Unfreed() const {
  const std::lock_guard lock(mutex_);
  return strings_.size();
}
std::size_t StrictTable::OpenContexts() const {
  const std::lock_guard lock(mutex_);
  return contexts_.size();
}
std::vector<std::string> StrictTable::Active() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> active;
  for (const auto& [path, layer] : layers_)
    if (layer.active) active.push_back(NameIn(path) + (layer.prepared ? " (prepared)" : ""));
  return active;
}
int StrictTable::MostAtOnce(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto at = most_at_once_.find(name);
  return at == most_at_once_.end() ? 0 : at->second;
}
void StrictTable::Forget() {
  const std::lock_guard lock(mutex_);
  log_.clear();
  most_at_once_.clear();
  calls_ = 0;
}

void StrictTable::FailAt(int n, Hresult code, bool all) {
  const std::lock_guard lock(mutex_);
  fail_at_ = n;
  fail_with_ = code;
  fail_all_ = all;
  failing_.clear();
  fail_each_.clear();
  fail_percent_ = 0;
  failed_ = false;
  calls_ = 0;
}
void StrictTable::FailEach(const std::string& name, Hresult code, int times) {
  const std::lock_guard lock(mutex_);
  fail_each_[name] = {code, times};
  failed_ = false;
}
void StrictTable::FailAtRandom(std::uint32_t seed, unsigned percent) {
  const std::lock_guard lock(mutex_);
  random_.seed(seed);
  fail_percent_ = percent;
}
bool StrictTable::Failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}
void StrictTable::FailNothing() {
  FailAt(-1, kOk);
}
void StrictTable::Hang(const std::string& name, bool after) {
  const std::lock_guard lock(mutex_);
  hang_ = name;
  hang_after_ = after;
}
void StrictTable::Release() {
  const std::lock_guard lock(mutex_);
  hang_.clear();
  changed_.notify_all();
}
int StrictTable::Hanging(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return hang_ == name ? hanging_ : 0;
}
void StrictTable::Inside(std::function<void(const std::string&)> hook) {
  const std::lock_guard lock(mutex_);
  inside_ = std::move(hook);
}

}  // namespace wclayer::test
