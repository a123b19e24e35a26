#include "portable/base_image.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>

#include "base/json.h"
#include "base/layer_id.h"
#include "fs/system.h"
#include "portable/hive.h"
#include "portable/metadata.h"
#include "portable/names.h"
#include "portable/scan.h"
#include "portable/settle.h"
#include "portable/staging.h"

namespace wclayer::portable {
namespace {

std::string Rfc3339(std::int64_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  if (!date.ok() || date.year() < std::chrono::year(0) || date.year() > std::chrono::year(9999))
    return "1970-01-01T00:00:00Z";
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", int{date.year()},
                unsigned{date.month()}, unsigned{date.day()},
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

// "10.0.14300.1000" in a folder name like "Server_10.0.14300.1000_x", else "".
std::string VersionIn(std::string_view name) {
  for (std::size_t from = 0; from < name.size(); ++from) {
    if (from > 0 &&
        (std::isdigit(static_cast<unsigned char>(name[from - 1])) != 0 || name[from - 1] == '.'))
      continue;
    std::size_t at = from;
    int parts = 0;
    while (parts < 4) {
      const std::size_t digits = at;
      while (at < name.size() && std::isdigit(static_cast<unsigned char>(name[at])) != 0) ++at;
      if (at == digits) break;
      ++parts;
      if (parts < 4) {
        if (at == name.size() || name[at] != '.') break;
        ++at;
      }
    }
    if (parts == 4) return std::string(name.substr(from, at - from));
  }
  return {};
}

// Opens a file by a path whose components may be spelt in any case; nothing if it is not there.
Expected<fs::UniqueFd> OpenAnyCase(const fs::Dir& root, std::string_view path) {
  WCLAYER_ASSIGN(auto dir, root.Clone());
  const auto names = Components(path);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    WCLAYER_ASSIGN(const auto listed, dir.List());
    const auto item = std::find_if(listed.begin(), listed.end(), [&](const fs::Listed& candidate) {
      return SamePath(candidate.name, names[i]) &&
             candidate.type == (last ? fs::Type::kFile : fs::Type::kDirectory);
    });
    if (item == listed.end()) return fs::UniqueFd();
    if (last) return dir.OpenFile(item->name);
    WCLAYER_ASSIGN(dir, dir.OpenDir(item->name));
  }
  return fs::UniqueFd();
}

// Bytes of all files of a layer that an import described, each hard-linked one once.
Expected<std::int64_t> SizeOf(const fs::Dir& layer) {
  WCLAYER_ASSIGN(const auto folder, layer.OpenDir(kPrivate));
  WCLAYER_ASSIGN(const auto reader, MetadataReader::Open(folder));
  std::uint64_t size = 0;
  Entry entry;
  for (std::uint32_t place = 0; place < reader->size(); ++place) {
    WCLAYER_ASSIGN(const auto ordinal, reader->OrdinalAt(place));
    WCLAYER_TRY(reader->Read(ordinal, entry));
    size += entry.size;
  }
  return static_cast<std::int64_t>(size);
}

}  // namespace

Status AddBaseImage(const std::shared_ptr<Home>& home, const std::string& folder) {
  if (!fs::IsAbsolute(folder))
    return Error(Errc::kInvalidArgument, "the folder of a base image must be an absolute path")
        .At(folder);
  BaseImage image;
  image.path = folder;
  while (image.path.size() > 1 && (image.path.back() == '/' || image.path.back() == fs::kSeparator))
    image.path.pop_back();
  image.name = LastComponent(image.path);
  WCLAYER_TRY(CheckId(image.name));
  WCLAYER_ASSIGN(const auto layer, fs::Dir::OpenAbsolute(image.path));
  WCLAYER_ASSIGN(const auto files, layer.Exists("Files"));
  if (!files)
    return Error(Errc::kInvalidArgument, "the folder holds no 'Files', so it is no base image")
        .At(image.path);
  WCLAYER_ASSIGN(const auto clash, home->FolderOf(image.name));
  if (clash && fs::Canonical(image.path) != fs::Canonical(home->PathOf(*clash)))
    return Error(Errc::kLayerExists, "a layer of this id exists").Of(image.name);

  WCLAYER_ASSIGN(const auto own, home->Private());
  WCLAYER_ASSIGN(auto images, home->BaseImages());
  const auto known = std::find_if(images.begin(), images.end(), [&](const BaseImage& other) {
    return SamePath(other.name, image.name);
  });
  if (known != images.end() && known->path != image.path)
    return Error(Errc::kLayerExists,
                 "another base image of this name is registered: " + known->path)
        .Of(image.name);
  image.version = VersionIn(image.name);
  WCLAYER_ASSIGN(const auto info, layer.Stat("Files"));
  image.created_time = Rfc3339(info.mtime_seconds);

  if (clash) WCLAYER_TRY(home->OpenMetadata(image.name));  // settles it
  // Described first, then listed: what is listed is whole.
  WCLAYER_ASSIGN(const bool described, layer.Exists(Join(kPrivate, kMetadataFile)));
  if (described) {
    WCLAYER_ASSIGN(image.size_bytes, SizeOf(layer));
  } else {
    WCLAYER_ASSIGN(const auto staging, Staging::Begin(home));
    WCLAYER_ASSIGN(const auto folder_dir, staging->dir().OpenDir(kPrivate));
    WCLAYER_ASSIGN(const auto scanned, ScanTree(layer, folder_dir));
    image.size_bytes = static_cast<std::int64_t>(scanned.size_bytes);
    const std::string target = Join("base-images", image.name);
    WCLAYER_TRY(own.MakeDirs("base-images"));
    WCLAYER_TRY(own.RemoveTree(target));
    WCLAYER_TRY(staging->dir().Rename(kPrivate, own, target, fs::Dir::RenameMode::kNoReplace));
  }
  if (known != images.end())
    *known = image;
  else
    images.push_back(image);
  return home->WriteBaseImages(images);
}

Status ProcessBaseImage(const std::string& layer_path) {
  WCLAYER_ASSIGN(const auto layer, fs::Dir::OpenAbsolute(layer_path));
  for (const std::string_view name : {"DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"}) {
    const std::string path = Join("Files/Windows/System32/config", name);
    WCLAYER_ASSIGN(const auto file, OpenAnyCase(layer, path));
    if (file) WCLAYER_TRY(CheckHiveFile(file.get(), path, true));
  }
  WCLAYER_ASSIGN(const bool files, layer.Exists("Files"));
  WCLAYER_ASSIGN(const bool described, HoldsContent(layer));
  if (described || !files) return {};
  WCLAYER_TRY(layer.MakeDirs(kPrivate));
  WCLAYER_ASSIGN(const auto folder, layer.OpenDir(kPrivate));
  auto scanned = ScanTree(layer, folder);
  if (scanned) return {};
  WCLAYER_TRY(folder.RemoveTree(kMetadataFile));
  return std::move(scanned).error();
}

Status ProcessUtilityImage(const std::string& utility_vm_path) {
  WCLAYER_ASSIGN(const auto folder, fs::Dir::OpenAbsolute(utility_vm_path));
  constexpr std::string_view kBootStore = "Files/EFI/Microsoft/Boot/BCD";
  WCLAYER_ASSIGN(const auto file, OpenAnyCase(folder, kBootStore));
  if (!file) {
    Error error(Errc::kLayerDamaged, "the boot store of the utility VM is missing");
    error.hresult = vmcompute::kFileNotFound;
    return std::move(error).At(kBootStore);
  }
  return CheckHiveFile(file.get(), kBootStore, false);
}

std::string BaseImagesJson(const std::vector<BaseImage>& images) {
  Json list = Json::Array();
  for (const auto& image : images) list.array.push_back(BaseImageJson(image));
  return WriteJson(Json::Object().Add("Images", std::move(list)));
}

}  // namespace wclayer::portable
