#include "driver/store_home.h"

#include "base/json.h"
#include "base/layer_id.h"
#include "base/limits.h"
#include "fs/folder_names.h"
#include "fs/small_file.h"

namespace wclayer {
namespace {

constexpr const char* kChainFile = "layerchain.json";
constexpr const char* kRecordFile = ".wclayer/record.json";
// Docker writes layerId and reads layerID; only a case-insensitive disk makes that one file
// (driver-semantics §5.5).
constexpr const char* kAliasFiles[] = {"layerId", "layerID"};

Error Damaged(const std::string& id, std::string why) {
  return Error(Errc::kLayerDamaged, std::move(why)).Of(id).At(kChainFile);
}

}  // namespace

Expected<StoreHome> StoreHome::Open(const std::string& home, std::chrono::milliseconds lock_wait,
                                    fs::Durability durability) {
  if (!fs::IsAbsolute(home)) {
    return Error(Errc::kInvalidArgument, "the home of a store must be an absolute path").At(home);
  }
  StoreHome store;
  store.path_ = home;
  while (store.path_.size() > 1 &&
         (store.path_.back() == '/' || store.path_.back() == fs::kSeparator))
    store.path_.pop_back();
  WCLAYER_ASSIGN(store.dir_, fs::Dir::MakeAbsolute(store.path_));
  WCLAYER_TRY(store.dir_.MakeDirs(".wclayer/locks"));
  WCLAYER_ASSIGN(store.private_, store.dir_.OpenDir(".wclayer"));
  WCLAYER_ASSIGN(store.locks_, store.private_.OpenDir("locks"));
  WCLAYER_TRY(fs::NoteCapitalsOfAll(store.dir_));
  store.lock_wait_ = lock_wait;
  store.durability_ = durability;
  return store;
}

Status StoreHome::PutFile(std::string_view path, std::string_view bytes,
                          fs::Durability durability) const {
  return fs::PutSmallFile(locks_, dir_, path, bytes, durability);
}

Expected<std::vector<std::string>> StoreHome::LayerIds() const {
  WCLAYER_ASSIGN(const std::vector<fs::Listed> all, dir_.List());
  std::vector<std::string> ids;
  for (const fs::Listed& item : all) {
    if (item.type == fs::Type::kDirectory && CheckId(item.name)) ids.push_back(item.name);
  }
  return ids;
}

Expected<std::string> StoreHome::FindId(const std::string& id) const {
  if (!CheckId(id)) return std::string();
  return fs::FindFolder(dir_, id);
}

Expected<std::string> StoreHome::ResolveAlias(const std::string& id) const {
  for (const char* file : kAliasFiles) {
    auto text = dir_.ReadSmall(id + "/" + file, kMaxIdLength * 4);
    if (text) return *std::move(text);
    if (!fs::IsAbsent(text.error())) return std::move(text).error().Of(id);
  }
  return id;
}

Status StoreHome::WriteAlias(const std::string& id, const std::string& alias) const {
  return PutFile(id + "/" + kAliasFiles[0], alias, durability_);
}

// A layer whose maker ended before layerchain.json was written still knows its parents. Nothing
// recorded: a base layer, or one of another tool (driver-semantics §0).
Expected<ParentChain> StoreHome::RecordedChain(const std::string& id) const {
  ParentChain chain;
  for (const char* file : {".wclayer/writable.json", ".wclayer/parents.json", kRecordFile}) {
    auto text = dir_.ReadSmall(id + "/" + file, kMaxJsonBytes);
    if (!text && fs::IsAbsent(text.error())) continue;
    if (!text) return std::move(text).error().Of(id);
    const auto json = ParseJson(*text);
    const Json* parents = json ? json->Find("parents") : nullptr;
    if (parents == nullptr || parents->kind != Json::Kind::kArray)
      return Error(Errc::kLayerDamaged, "no list of parents").Of(id).At(file);
    if (parents->array.size() > kMaxChain)
      return LimitError("kMaxChain", kMaxChain, parents->array.size()).Of(id).At(file);
    for (const Json& parent : parents->array) {
      if (parent.kind != Json::Kind::kString || !CheckId(parent.string))
        return Error(Errc::kLayerDamaged, "names a parent that is not a layer id").Of(id).At(file);
      chain.ids.push_back(parent.string);
      chain.paths.push_back(LayerPath(parent.string));
    }
    break;
  }
  return chain;
}

Expected<ParentChain> StoreHome::ReadChain(const std::string& id) const {
  ParentChain chain;
  auto text = dir_.ReadSmall(id + "/" + kChainFile, kMaxJsonBytes);
  if (!text) {
    if (fs::IsAbsent(text.error())) return RecordedChain(id);
    return std::move(text).error().Of(id);
  }
  auto json = ParseJson(*text);
  if (!json) return Damaged(id, "unreadable: " + json.error().message);
  if (json->kind == Json::Kind::kNull) return chain;
  if (json->kind != Json::Kind::kArray) return Damaged(id, "not a JSON array of parent folders");
  if (json->array.size() > kMaxChain) {
    return Damaged(id, LimitError("kMaxChain", kMaxChain, json->array.size()).message);
  }
  std::set<std::string> seen = {LowerAscii(id)};
  for (const Json& parent : json->array) {
    if (parent.kind != Json::Kind::kString)
      return Damaged(id, "not a JSON array of parent folders");
    // Only the last component counts, so that a home can be moved (store §1).
    const std::string name(LastComponent(parent.string));
    if (auto ok = CheckId(name); !ok)
      return Damaged(id, "names a parent '" + name + "' that is not a layer id");
    if (!seen.insert(LowerAscii(name)).second)
      return Damaged(id, "names '" + name + "' twice: the chain is a cycle");
    chain.ids.push_back(name);
    chain.paths.push_back(LayerPath(name));
  }
  return chain;
}

std::string StoreHome::ChainText(const ParentChain& chain) {
  if (chain.empty()) return "null";
  Json json = Json::Array();
  for (const std::string& path : chain.paths) json.array.push_back(Json::Of(path));
  return WriteJson(json);
}

Status StoreHome::WriteChain(const std::string& id, const ParentChain& chain) const {
  return PutFile(id + "/" + kChainFile, ChainText(chain), durability_);
}

Expected<std::optional<Record>> StoreHome::ReadRecord(const std::string& id) const {
  auto text = dir_.ReadSmall(id + "/" + kRecordFile, kMaxJsonBytes);
  if (!text) {
    if (fs::IsAbsent(text.error())) return std::optional<Record>();
    return std::move(text).error().Of(id);
  }
  auto json = ParseJson(*text);
  if (!json || json->kind != Json::Kind::kObject) {
    return Error(Errc::kLayerDamaged, "the commit record is not readable").Of(id).At(kRecordFile);
  }
  Record record;
  record.diff_id = json->StringOr("diffId", "");
  record.blob_digest = json->StringOr("blobDigest", "");
  if (const Json* parents = json->Find("parents")) {
    for (const Json& parent : parents->array) record.parents.push_back(parent.string);
  }
  record.format = json->StringOr("format", kOciFormat);
  record.size_bytes = json->IntOr("sizeBytes", 0);
  record.tar_bytes = static_cast<std::uint64_t>(json->IntOr("tarBytes", 0));
  record.blob_bytes = static_cast<std::uint64_t>(json->IntOr("blobBytes", 0));
  record.entries = static_cast<std::uint64_t>(json->IntOr("entries", 0));
  return std::optional<Record>(std::move(record));
}

std::string StoreHome::RecordText(const Record& record) {
  Json parents = Json::Array();
  for (const std::string& parent : record.parents) parents.array.push_back(Json::Of(parent));
  Json json = Json::Object();
  json.Add("version", Json::Of(std::int64_t{1}))
      .Add("diffId", Json::Of(record.diff_id))
      .Add("blobDigest", Json::Of(record.blob_digest))
      .Add("parents", std::move(parents))
      .Add("format", Json::Of(record.format))
      .Add("sizeBytes", Json::Of(record.size_bytes))
      .Add("tarBytes", Json::Of(static_cast<std::int64_t>(record.tar_bytes)))
      .Add("blobBytes", Json::Of(static_cast<std::int64_t>(record.blob_bytes)))
      .Add("entries", Json::Of(static_cast<std::int64_t>(record.entries)));
  return WriteJson(json);
}

Expected<fs::FileLock> StoreHome::LockLayer(const std::string& id, fs::LockMode mode,
                                            std::optional<std::chrono::milliseconds> wait,
                                            const std::function<bool()>& keep_waiting) const {
  auto lock =
      fs::FileLock::Acquire(locks_, LowerAscii(id), mode, wait.value_or(lock_wait_), keep_waiting);
  if (!lock) return std::move(lock).error().Of(id);
  return lock;
}

Expected<std::vector<fs::FileLock>> StoreHome::LockChain(const ParentChain& chain) const {
  std::vector<fs::FileLock> locks;
  locks.reserve(chain.ids.size());
  for (const std::string& id : chain.ids) {
    WCLAYER_ASSIGN(auto lock, LockLayer(id, fs::LockMode::kShared));
    locks.push_back(std::move(lock));
  }
  return locks;
}

// '+' cannot be in an id, so these never meet the lock of a layer.
Expected<fs::FileLock> StoreHome::LockMountCount(
    const std::string& id, std::optional<std::chrono::milliseconds> wait) const {
  auto lock = fs::FileLock::Acquire(locks_, LowerAscii(id) + "+mount", fs::LockMode::kExclusive,
                                    wait.value_or(lock_wait_));
  if (!lock) return std::move(lock).error().Of(id);
  return lock;
}

Expected<fs::FileLock> StoreHome::LockStore(fs::LockMode mode) const {
  return fs::FileLock::Acquire(locks_, "store+", mode, lock_wait_);
}

}  // namespace wclayer
