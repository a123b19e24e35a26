// tombstones.txt of a transport folder (spec layer-formats): an import that ends or fails cleanly,
// with deletions that a layer can hold.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "portable/staging.h"
#include "portable/transport.h"
#include "portable/verify.h"

namespace wclayer::portable {
namespace {

void Require(bool held, const std::string& what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what.c_str());
  std::abort();
}

void Run(std::string_view text) {
  static const std::string path = [] {
    std::string folder = std::filesystem::temp_directory_path() /
                         ("wclayer-fuzz-tombstones-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder + "/from/Files/dir");
    std::filesystem::create_directories(folder + "/home");
    return folder;
  }();
  static const std::shared_ptr<Home> home = [] {
    auto made = std::make_shared<Home>(path + "/home");
    vmcompute::StoreOptions options;
    options.durability = 0;
    made->SetOptions(options);
    return made;
  }();
  std::ofstream(path + "/from/tombstones.txt", std::ios::binary | std::ios::trunc) << text;
  const auto imported = ImportFromFolder(home, "layer", {}, path + "/from");
  const auto kind = home->KindOf("layer");
  Require(kind && (*kind == LayerKind::kCommitted) == imported.has_value(),
          "neither whole nor absent");
  if (!imported) return;
  const auto verified =
      VerifyLayer(*home, "layer", true, [](std::string_view where, std::string_view problem) {
        Require(false, std::string(where) + ": " + std::string(problem));
      });
  Require(verified.has_value(), "verify fails");
  auto source = Export::Begin(home, "layer", {});
  Require(source.has_value(), "no export");
  for (;;) {
    const auto more = (*source)->Next();
    Require(more.has_value(), "the export fails");
    if (!*more) break;
    Require((*source)->entry().path.find("..") != 0, "a deletion outside");
  }
  source->reset();
  Require(RemoveLayer(*home, "layer").has_value(), "the layer stays");
}

}  // namespace
}  // namespace wclayer::portable

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wclayer::portable::Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
