// Central base images: listed by the platform, given an id and a stub in this home
// (driver-semantics §1).
#include <algorithm>

#include "base/json.h"
#include "base/layer_id.h"
#include "driver/core.h"
#include "driver/sha384.h"

namespace wclayer {
namespace {

// Lower-case hex of the first 32 bytes of SHA-384 (vmcompute-abi §5).
std::string IdOfBaseImage(std::string_view folder_name) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto digest = Sha384(folder_name);
  std::string id;
  for (std::size_t i = 0; i < 32; ++i) {
    const auto byte = static_cast<unsigned>(digest[i]);
    id += kHex[byte >> 4];
    id += kHex[byte & 15];
  }
  return id;
}

// "10.0.14300.1000" → "10.0.14300", only if there are exactly four parts (v1.12).
std::string OsVersionOf(std::string_view version) {
  if (std::count(version.begin(), version.end(), '.') != 3) return {};
  return std::string(version.substr(0, version.rfind('.')));
}

}  // namespace

Expected<std::vector<CustomImage>> Core::GetCustomImageInfos() {
  const auto fail = [](Error error) { return std::move(error).In("GetCustomImageInfos"); };
  auto text = platform_.BaseImages();
  if (!text) return fail(std::move(text).error());
  std::vector<CustomImage> images;
  if (text->empty()) return images;
  auto json = ParseJson(*text);
  if (!json) return fail(std::move(json).error());
  const Json* list = json->Find("Images");
  if (list == nullptr || list->kind != Json::Kind::kArray) return images;
  for (const Json& item : list->array) {
    CustomImage image;
    image.name = item.StringOr("Name", "");
    image.version = item.StringOr("Version", "");
    image.path = item.StringOr("Path", "");
    image.size_bytes = item.IntOr("Size", 0);
    image.created_time = item.StringOr("CreatedTime", "");
    image.os_version = OsVersionOf(image.version);
    if (image.name != "NanoServer") image.os_features.push_back("win32k");
    const std::string folder_name(LastComponent(image.path));
    image.id = IdOfBaseImage(folder_name);
    // Run at every start of a daemon, so the stub may be there (vmcompute-abi §3, CreateLayer).
    auto there = home_.FindId(image.id);
    if (!there) return fail(std::move(there).error());
    if (there->empty()) {
      if (auto made = CreateLayer(image.id, {}, false, 0); !made)
        return fail(std::move(made).error().Of(image.id));
    }
    if (auto named = home_.WriteAlias(image.id, folder_name); !named)
      return fail(std::move(named).error().Of(image.id));
    images.push_back(std::move(image));
  }
  return images;
}

wclayer::Status Core::AddBaseImage(const std::string& folder) {
  if (auto added = platform_.AddBaseImage(folder); !added)
    return std::move(added).error().In("AddBaseImage");
  return {};
}

}  // namespace wclayer
