// The small files of a home that anybody may have written: layerchain.json, the commit record, an
// alias, the state of a mount. Errors, never a crash, and no parent that is not an id of the home.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/layer_id.h"
#include "driver/store_home.h"

namespace wclayer {
namespace {

void Require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void Run(std::string_view text) {
  static const std::string path = [] {
    std::string folder =
        std::filesystem::temp_directory_path() / ("wclayer-fuzz-home-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder + "/layer/.wclayer");
    return folder;
  }();
  static const StoreHome home =
      *StoreHome::Open(path, std::chrono::milliseconds(0), fs::Durability::kNone);
  for (const char* name : {"layerchain.json", "layerId", ".wclayer/record.json"})
    std::ofstream(path + "/layer/" + name, std::ios::binary | std::ios::trunc) << text;
  if (const auto chain = home.ReadChain("layer")) {
    Require(chain->ids.size() <= kMaxChain && chain->ids.size() == chain->paths.size(), "lengths");
    for (std::size_t i = 0; i < chain->ids.size(); ++i) {
      Require(CheckId(chain->ids[i]).has_value(), "a parent that is no id");
      Require(chain->paths[i] == home.LayerPath(chain->ids[i]), "a parent outside the home");
      Require(!SameId(chain->ids[i], "layer"), "a circle");
    }
  } else {
    Require(chain.error().code == Errc::kLayerDamaged || chain.error().code == Errc::kLimitExceeded,
            chain.error().ToString().c_str());
  }
  if (const auto record = home.ReadRecord("layer"); record && record->has_value()) {
    const std::string again = StoreHome::RecordText(**record);
    std::ofstream(path + "/layer/.wclayer/record.json", std::ios::binary | std::ios::trunc)
        << again;
    const auto reread = home.ReadRecord("layer");
    Require(reread && reread->has_value() && StoreHome::RecordText(**reread) == again,
            "a record changes when it is written");
  }
  static_cast<void>(home.ResolveAlias("layer").has_value());
}

}  // namespace
}  // namespace wclayer

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wclayer::Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
