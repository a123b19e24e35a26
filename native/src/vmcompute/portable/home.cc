#include "portable/home.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/filetime.h"
#include "base/json.h"
#include "base/layer_id.h"
#include "base/limits.h"
#include "base/quietly.h"
#include "base/upcase.h"
#include "base/utf16.h"
#include "fs/folder_names.h"
#include "fs/small_file.h"
#include "fs/system.h"
#include "portable/metadata.h"
#include "portable/names.h"
#include "portable/settle.h"

namespace wclayer::portable {
namespace {

constexpr std::int64_t kFormatVersion = 1;
constexpr char kStoreFile[] = "store.json";
// As many as threads that fill layers of one home at a time mostly are.
constexpr std::size_t kMaxStagingLocks = 4;
constexpr char kBaseImagesFile[] = "base-images.json";
constexpr char kBaseImagesFolder[] = "base-images";
constexpr char kParentsFile[] = "parents.json";
constexpr char kWritableFile[] = "writable.json";
constexpr char kLayerChainFile[] = "layerchain.json";

Expected<Json> ReadJson(const fs::Dir& folder, std::string_view name) {
  WCLAYER_ASSIGN(const auto text, folder.ReadSmall(name, kMaxJsonBytes));
  auto json = ParseJson(text);
  if (!json) {
    Error error(Errc::kLayerDamaged, json.error().message);
    return std::move(error).At(name);
  }
  return json;
}

Expected<std::vector<std::string>> Strings(const Json* array, std::string_view file) {
  std::vector<std::string> texts;
  if (array == nullptr || array->kind == Json::Kind::kNull) return texts;
  Error damaged(Errc::kLayerDamaged, "not a list of at most kMaxChain texts");
  if (array->kind != Json::Kind::kArray || array->array.size() > kMaxChain)
    return std::move(damaged).At(file);
  for (const auto& item : array->array) {
    if (item.kind != Json::Kind::kString) return std::move(damaged).At(file);
    texts.push_back(item.string);
  }
  return texts;
}

Json ListOf(const std::vector<std::string>& texts) {
  Json list = Json::Array();
  for (const auto& text : texts) list.array.push_back(Json::Of(text));
  return list;
}

}  // namespace

Error NoLayer(std::string_view id) {
  return Error(Errc::kLayerNotFound, "there is no layer of this id").Of(id);
}

// ---- Home
// -----------------------------------------------------------------------------------------

Status Home::RemoveLockFile(const StagingLock& lock) const {
  WCLAYER_ASSIGN(const auto own, fs::Dir::OpenAbsolute(PathOf(kPrivate)));
  return own.Remove(lock.file);
}

std::optional<StagingLock> Home::TakeStagingLock() {
  const std::lock_guard guard(mutex_);
  std::erase_if(staging_locks_,
                [own = fs::ProcessId()](const StagingLock& lock) { return lock.process != own; });
  if (staging_locks_.empty()) return std::nullopt;
  std::optional<StagingLock> lock(std::move(staging_locks_.back()));
  staging_locks_.pop_back();
  return lock;
}

void Home::KeepStagingLock(StagingLock lock) {
  {
    const std::lock_guard guard(mutex_);
    if (in_use_ && staging_locks_.size() < kMaxStagingLocks)
      return staging_locks_.push_back(std::move(lock));
  }
  Quietly([&] { return RemoveLockFile(lock); });
}

void Home::Leave() {
  std::vector<StagingLock> kept;
  {
    const std::lock_guard guard(mutex_);
    in_use_ = false;
    kept.swap(staging_locks_);
  }
  // What cannot be removed now is removed by the next Recover.
  for (const StagingLock& lock : kept)
    if (lock.process == fs::ProcessId()) Quietly([&] { return RemoveLockFile(lock); });
}

Expected<fs::Dir> Home::Root() const {
  return fs::Dir::OpenAbsolute(path_);
}
Expected<fs::Dir> Home::MakeRoot() const {
  return fs::Dir::MakeAbsolute(path_);
}

std::string Home::PathOf(std::string_view folder) const {
  std::string path = path_;
  if (path.back() != fs::kSeparator) path += fs::kSeparator;  // the root of a drive ends in one
  return path.append(folder);
}

std::string Home::PrivatePath(std::string_view below) const {
  std::string path = PathOf(kPrivate);
  for (const std::string_view name : Components(below)) (path += fs::kSeparator) += name;
  return path;
}

Expected<fs::Dir> Home::Private() {
  const std::lock_guard guard(mutex_);
  WCLAYER_ASSIGN(auto root, MakeRoot());
  if (private_ready_) {
    // A home that was removed meanwhile is made again.
    if (auto ready = root.OpenDir(kPrivate)) {
      WCLAYER_ASSIGN(const bool complete, ready->Exists(kStoreFile));
      if (complete) return ready;
    }
  }
  WCLAYER_TRY(root.MakeDirs(kPrivate));
  WCLAYER_ASSIGN(auto folder, root.OpenDir(kPrivate));
  for (const char* name : {kLocks, "staging", "mnt"}) WCLAYER_TRY(folder.MakeDirs(name));
  WCLAYER_ASSIGN(const bool there, folder.Exists(kStoreFile));
  if (!there) {
    WCLAYER_ASSIGN(const auto id, fs::FreshName());
    const Json store =
        Json::Object().Add("storeId", Json::Of(id)).Add("formatVersion", Json::Of(kFormatVersion));
    WCLAYER_ASSIGN(const auto locks, folder.OpenDir(kLocks));
    // Whoever is second keeps the first one's id.
    auto put = fs::PutSmallFile(locks, folder, kStoreFile, WriteJson(store), fs::Durability::kFull,
                                fs::Dir::RenameMode::kNoReplace);
    if (!put && put.error().code != Errc::kLayerExists) return std::move(put).error();
  }
  WCLAYER_ASSIGN(const auto store, ReadJson(folder, kStoreFile));
  if (store.IntOr("formatVersion", 0) > kFormatVersion)
    return Error(Errc::kUnsupported, "this home was made by a newer version (format " +
                                         std::to_string(store.IntOr("formatVersion", 0)) + ")")
        .At(PrivatePath(kStoreFile));
  private_ready_ = true;
  return folder;
}

Expected<std::string> Home::StoreId() {
  WCLAYER_ASSIGN(const auto folder, Private());
  WCLAYER_ASSIGN(const auto store, ReadJson(folder, kStoreFile));
  return store.StringOr("storeId", "");
}

vmcompute::StoreOptions Home::options() const {
  const std::lock_guard guard(mutex_);
  return options_;
}

void Home::SetOptions(const vmcompute::StoreOptions& options) {
  const std::lock_guard guard(mutex_);
  options_ = options;
  in_use_ = true;
}

fs::Durability Home::durability() const {
  switch (options().durability) {
    case 0:
      return fs::Durability::kNone;
    case 1:
      return fs::Durability::kData;
    default:
      return fs::Durability::kFull;
  }
}

Status Home::PutFile(const fs::Dir& folder, std::string_view path, std::string_view bytes,
                     fs::Durability durability) const {
  WCLAYER_ASSIGN(const auto root, Root());
  WCLAYER_ASSIGN(const auto locks, root.OpenDir(Join(kPrivate, kLocks)));
  return fs::PutSmallFile(locks, folder, path, bytes, durability);
}

Expected<Home::Place> Home::Locate(std::string_view id) const {
  WCLAYER_TRY(CheckIdOrRemoval(id));
  Place place;
  auto opened = Root();
  if (!opened && opened.error().sys_errno == ENOENT) return place;
  WCLAYER_ASSIGN(place.root, std::move(opened));
  WCLAYER_ASSIGN(place.folder, FolderIn(place.root, id));
  return place;
}

Expected<std::string> Home::FolderIn(const fs::Dir& root, std::string_view id) const {
  if (!names_noted_) {
    WCLAYER_TRY(fs::NoteCapitalsOfAll(root));
    names_noted_ = true;
  }
  return fs::FindFolder(root, id);
}

Expected<std::optional<std::string>> Home::FolderOf(std::string_view id) const {
  using Result = std::optional<std::string>;
  WCLAYER_ASSIGN(Place place, Locate(id));
  return place.folder.empty() ? Result() : Result(std::move(place.folder));
}

Expected<fs::Dir> Home::OpenLayer(std::string_view id) const {
  WCLAYER_ASSIGN(const auto place, Locate(id));
  if (!place.folder.empty()) return place.root.OpenDir(place.folder);
  WCLAYER_ASSIGN(const auto image, FindBaseImage(place.root, id));
  if (!image) return NoLayer(id);
  return fs::Dir::OpenAbsolute(image->path);
}

Expected<std::string> Home::LayerPath(std::string_view id) const {
  WCLAYER_ASSIGN(const auto place, Locate(id));
  if (!place.folder.empty()) return PathOf(place.folder);
  WCLAYER_ASSIGN(const auto image, FindBaseImage(place.root, id));
  if (!image) return NoLayer(id);
  return image->path;
}

Expected<fs::Dir> Home::OpenMetadata(std::string_view id) const {
  WCLAYER_ASSIGN(const auto place, Locate(id));
  fs::Dir layer;
  std::string own(kPrivate);
  std::optional<BaseImage> image;
  if (place.folder.empty()) {
    WCLAYER_ASSIGN(image, FindBaseImage(place.root, id));
    if (!image) return NoLayer(id);
    WCLAYER_ASSIGN(layer, fs::Dir::OpenAbsolute(image->path));
  } else {
    own = Join(place.folder, kPrivate);
  }
  auto folder = (image ? layer : place.root).OpenDir(own);
  if (folder) {
    WCLAYER_ASSIGN(const bool committed, folder->Exists(kMetadataFile));
    if (committed) return folder;
    WCLAYER_ASSIGN(const bool unsettled, folder->Exists(kUnsettledFile));
    if (unsettled) {
      WCLAYER_TRY(SettleLayer(*this, id));
      return folder;
    }
  } else if (!fs::IsGone(folder.error())) {
    return std::move(folder).error();
  }
  if (!image) return fs::Dir();  // a created stub, maybe beside an image of the same name
  return place.root.OpenDir(Join(kPrivate, Join(kBaseImagesFolder, image->name)));
}

Status Home::CheckImported(std::string_view id) const {
  WCLAYER_ASSIGN(const auto kind, KindOf(id));
  if (kind != LayerKind::kCreated) return {};
  WCLAYER_ASSIGN(const auto layer, OpenLayer(id));
  WCLAYER_ASSIGN(const bool filled, layer.Exists("Files"));
  if (!filled) return {};
  return Error(
      Errc::kLayerDamaged,
      "the parent '" + std::string(id) +
          "' has files that were never imported: ImportLayer, or ProcessBaseImage of a base "
          "layer, is missing");
}

Expected<LayerKind> Home::KindOf(std::string_view id, fs::Dir* own) const {
  WCLAYER_TRY(CheckIdOrRemoval(id));
  auto root = Root();
  if (!root && root.error().sys_errno == ENOENT) return LayerKind::kNone;
  if (!root) return std::move(root).error();
  return KindIn(*root, id, own);
}

Expected<LayerKind> Home::KindIn(const fs::Dir& root, std::string_view id, fs::Dir* own) const {
  WCLAYER_TRY(CheckIdOrRemoval(id));
  WCLAYER_ASSIGN(const std::string name, FolderIn(root, id));
  if (name.empty()) {
    WCLAYER_ASSIGN(const auto image, FindBaseImage(root, id));
    return image ? LayerKind::kCommitted : LayerKind::kNone;
  }
  auto opened = root.OpenDir(Join(name, kPrivate));
  if (!opened) {
    if (fs::IsGone(opened.error())) return LayerKind::kCreated;
    return std::move(opened).error();
  }
  fs::Dir folder = *std::move(opened);
  const auto kind = [&]() -> Expected<LayerKind> {
    WCLAYER_ASSIGN(const bool committed, folder.Exists(kMetadataFile));
    if (committed) return LayerKind::kCommitted;
    WCLAYER_ASSIGN(const bool writable, folder.Exists(kWritableFile));
    if (writable) return LayerKind::kWritable;
    WCLAYER_ASSIGN(const bool unsettled, folder.Exists(kUnsettledFile));
    return unsettled ? LayerKind::kCommitted : LayerKind::kCreated;
  }();
  if (own != nullptr) *own = std::move(folder);
  return kind;
}

Expected<WritableRecord> Home::ReadWritable(std::string_view id) const {
  WCLAYER_ASSIGN(const auto layer, OpenLayer(id));
  WCLAYER_ASSIGN(const auto json, ReadJson(layer, Join(kPrivate, kWritableFile)));
  WritableRecord record;
  WCLAYER_ASSIGN(record.parents, Strings(json.Find("parents"), kWritableFile));
  record.size_bytes =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, json.IntOr("sizeBytes", 0)));
  record.created = json.IntOr("created", 0);
  record.mode = json.StringOr("mode", "");
  return record;
}

Status Home::WriteWritable(const fs::Dir& layer, const WritableRecord& record) const {
  const auto size = static_cast<std::int64_t>(
      std::min<std::uint64_t>(record.size_bytes, std::uint64_t{INT64_MAX}));
  const std::int64_t created = record.created != 0 ? record.created : fs::FiletimeNow();
  const Json json = Json::Object()
                        .Add("version", Json::Of(kFormatVersion))
                        .Add("parents", ListOf(record.parents))
                        .Add("sizeBytes", Json::Of(size))
                        .Add("created", Json::Of(created))
                        .Add("mode", Json::Of(record.mode));
  WCLAYER_TRY(layer.MakeDirs(kPrivate));
  return PutFile(layer, Join(kPrivate, kWritableFile), WriteJson(json), durability());
}

Status Home::WriteParents(const fs::Dir& layer, const std::vector<std::string>& parents,
                          fs::Durability durability) const {
  const Json json = Json::Object().Add("parents", ListOf(parents));
  const std::string path = Join(kPrivate, kParentsFile);
  if (durability == fs::Durability::kNone) return layer.MakeSmall(path, WriteJson(json));
  return PutFile(layer, path, WriteJson(json), durability);
}

Status Home::WriteChain(const fs::Dir& layer, const std::vector<std::string>& parents) const {
  std::vector<std::string> paths;
  for (const auto& parent : parents) {
    WCLAYER_ASSIGN(paths.emplace_back(), LayerPath(parent));
  }
  return PutFile(layer, kLayerChainFile, paths.empty() ? "null" : WriteJson(ListOf(paths)),
                 durability());
}

Expected<std::vector<std::string>> Home::ParentsOf(std::string_view id) const {
  WCLAYER_ASSIGN(const auto layer, OpenLayer(id));
  for (const char* file : {kWritableFile, kParentsFile}) {
    const std::string path = Join(kPrivate, file);
    WCLAYER_ASSIGN(const bool there, layer.Exists(path));
    if (!there) continue;
    WCLAYER_ASSIGN(const auto json, ReadJson(layer, path));
    return Strings(json.Find("parents"), path);
  }
  WCLAYER_ASSIGN(const bool chained, layer.Exists(kLayerChainFile));
  if (!chained) {
    WCLAYER_ASSIGN(const bool recorded, layer.Exists(kCommitRecord));
    if (!recorded) return std::vector<std::string>();
    WCLAYER_ASSIGN(const auto json, ReadJson(layer, kCommitRecord));
    return Strings(json.Find("parents"), kCommitRecord);
  }
  WCLAYER_ASSIGN(const auto json, ReadJson(layer, kLayerChainFile));
  WCLAYER_ASSIGN(auto parents, Strings(&json, kLayerChainFile));
  for (auto& parent : parents) {
    parent = LastComponent(parent);
    WCLAYER_TRY(CheckId(parent));
  }
  return parents;
}

Expected<std::vector<std::string>> Home::ParentsFrom(const vmcompute::LayerDescriptor* descriptors,
                                                     std::uint32_t count) const {
  std::vector<std::string> parents;
  if (count == 0) return parents;
  if (descriptors == nullptr)
    return Error(Errc::kInvalidArgument, "the layer descriptors are missing");
  if (count > kMaxChain) return LimitError("kMaxChain", kMaxChain, count);
  std::set<std::string> seen;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (descriptors[i].path == nullptr)
      return Error(Errc::kInvalidArgument,
                   "layer descriptor " + std::to_string(i) + " has no path");
    const std::string path = ToUtf8(descriptors[i].path);
    std::string id(LastComponent(path));
    if (auto valid = CheckId(id); !valid) return std::move(valid).error();
    if (!seen.insert(Fold(id)).second)
      return Error(Errc::kInvalidArgument, "the chain holds this layer twice").Of(id);
    WCLAYER_ASSIGN(const auto kind, KindOf(id));
    if (kind == LayerKind::kNone)
      return Error(Errc::kParentNotFound, "the parent is no layer of this home").At(path);
    if (kind == LayerKind::kWritable)
      return Error(Errc::kParentNotFound, "a writable layer cannot be a parent").At(path);
    parents.push_back(std::move(id));
  }
  return parents;
}

Expected<std::vector<BaseImage>> Home::BaseImages() const {
  auto opened = Root();
  if (!opened && opened.error().sys_errno == ENOENT) return std::vector<BaseImage>();
  WCLAYER_ASSIGN(const auto root, std::move(opened));
  return BaseImagesIn(root);
}

Expected<std::vector<BaseImage>> Home::BaseImagesIn(const fs::Dir& root) const {
  std::vector<BaseImage> images;
  WCLAYER_ASSIGN(const bool listed, root.Exists(Join(kPrivate, kBaseImagesFile)));
  if (!listed) return images;
  WCLAYER_ASSIGN(const auto json, ReadJson(root, Join(kPrivate, kBaseImagesFile)));
  const Json* list = json.Find("Images");
  if (list == nullptr || list->kind != Json::Kind::kArray)
    return Error(Errc::kLayerDamaged, "it holds no list 'Images'").At(PrivatePath(kBaseImagesFile));
  for (const auto& item : list->array) {
    BaseImage image;
    image.path = item.StringOr("Path", "");
    image.name = LastComponent(image.path);
    image.version = item.StringOr("Version", "");
    image.size_bytes = item.IntOr("Size", 0);
    image.created_time = item.StringOr("CreatedTime", "");
    if (!fs::IsAbsolute(image.path) || !CheckId(image.name))
      return Error(Errc::kLayerDamaged, "the path of an image is not absolute or names no id")
          .At(PrivatePath(kBaseImagesFile));
    images.push_back(std::move(image));
  }
  return images;
}

Status Home::WriteBaseImages(const std::vector<BaseImage>& images) {
  Json list = Json::Array();
  for (const auto& image : images) list.array.push_back(BaseImageJson(image));
  const Json json = Json::Object().Add("Images", std::move(list));
  WCLAYER_ASSIGN(const auto folder, Private());
  return PutFile(folder, kBaseImagesFile, WriteJson(json), durability());
}

Json BaseImageJson(const BaseImage& image) {
  return Json::Object()
      .Add("Name", Json::Of(image.name))
      .Add("Version", Json::Of(image.version))
      .Add("Path", Json::Of(image.path))
      .Add("Size", Json::Of(image.size_bytes))
      .Add("CreatedTime", Json::Of(image.created_time));
}

Expected<std::optional<BaseImage>> Home::FindBaseImage(const fs::Dir& root,
                                                       std::string_view name) const {
  std::vector<BaseImage> images;
  if (root) {
    WCLAYER_ASSIGN(images, BaseImagesIn(root));
  }
  for (auto& image : images)
    if (SamePath(image.name, name)) return std::optional<BaseImage>(std::move(image));
  return std::optional<BaseImage>();
}

// ---- Homes
// ----------------------------------------------------------------------------------------

Expected<std::shared_ptr<Home>> Homes::Get(const std::string& path) {
  if (!fs::IsAbsolute(path))
    return Error(Errc::kInvalidArgument, "the home must be an absolute path").At(path);
  {
    const std::lock_guard guard(mutex_);
    if (const auto known = spellings_.find(path); known != spellings_.end()) return known->second;
  }
  const std::string canonical = fs::Canonical(path);
  const std::lock_guard guard(mutex_);
  auto& home = homes_[fs::PathKey(canonical)];
  if (!home) home = std::make_shared<Home>(canonical);
  // Where links on the way lead, is settled once there is something.
  if (fs::Dir::OpenAbsolute(canonical)) spellings_.emplace(path, home);
  return home;
}

Expected<std::shared_ptr<Home>> Homes::Get(const vmcompute::DriverInfo* info) {
  if (info == nullptr || info->home_dir == nullptr)
    return Error(Errc::kInvalidArgument, "the driver info names no home");
  return Get(ToUtf8(info->home_dir));
}

Expected<Address> Homes::Resolve(const vmcompute::DriverInfo* info, vmcompute::Utf16 id,
                                 bool removal) {
  if (info == nullptr) return Error(Errc::kInvalidArgument, "the driver info is missing");
  if (id == nullptr) return Error(Errc::kInvalidArgument, "the layer id is missing");
  const std::string full = ToUtf8(id);
  Address address;
  address.id = LastComponent(full);
  WCLAYER_TRY(removal ? CheckIdOrRemoval(address.id) : CheckId(address.id));
  std::string home = info->home_dir == nullptr ? "" : ToUtf8(info->home_dir);
  if (home.empty()) {
    std::string_view path = full;
    while (!path.empty() && (path.back() == '/' || path.back() == '\\')) path.remove_suffix(1);
    home = path.substr(0, path.size() - address.id.size());
    const bool root = home.size() == 1 || (home.size() > 1 && home[home.size() - 2] == ':');
    if (!home.empty() && !root) home.pop_back();
  } else if (full.size() != address.id.size() && full.find_first_of("/\\") != 0) {
    // A driver root and an id with separators: such an id is a full path or nothing.
    return Error(Errc::kInvalidArgument, "not a layer id: it holds a separator").Of(full);
  }
  WCLAYER_ASSIGN(address.home, Get(home));
  return address;
}

std::vector<std::shared_ptr<Home>> Homes::All() {
  const std::lock_guard guard(mutex_);
  std::vector<std::shared_ptr<Home>> all;
  for (const auto& [path, home] : homes_) all.push_back(home);
  return all;
}

}  // namespace wclayer::portable
