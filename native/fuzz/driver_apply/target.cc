// A tar into the store and out again: what is taken comes back byte for byte, verifies, and what is
// rebuilt of it is taken again; what is refused leaves nothing.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "vmcompute/abi.h"
#include "wclayer/driver.h"

namespace wclayer {
namespace {

void Require(bool held, const std::string& what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what.c_str());
  std::abort();
}

constexpr std::size_t kMostBytes = 64u << 20;

// nullopt: more than a fuzzer should wait for.
std::optional<Buffer> Tar(Driver& driver, const std::string& id, bool rebuild) {
  DiffOptions options;
  options.rebuild = rebuild;
  auto diff = driver.Diff(id, options);
  Require(diff.has_value(), "no Diff: " + (diff ? "" : diff.error().ToString()));
  Buffer tar;
  Buffer slab(256u << 10);
  for (;;) {
    const auto count = (*diff)->Read(slab);
    Require(count.has_value(), "Diff fails: " + (count ? "" : count.error().ToString()));
    if (*count == 0) return tar;
    Append(tar, Bytes(slab).first(*count));
    if (tar.size() > kMostBytes) return std::nullopt;
  }
}

Expected<ApplyResult> Apply(Driver& driver, const std::string& id, Bytes tar) {
  ApplyOptions options;
  options.parent = "";
  WCLAYER_ASSIGN(auto apply, driver.ApplyDiff(id, options));
  WCLAYER_TRY(apply->Write(tar));
  return apply->Finish();
}

void Run(Bytes tar) {
  static const std::unique_ptr<Driver> driver = [] {
    DriverOptions options;
    options.home =
        std::filesystem::temp_directory_path() / ("wclayer-fuzz-apply-" + std::to_string(getpid()));
    options.durability = DurabilityLevel::kNone;
    options.force_checkout = true;
    auto opened = Driver::Open(vmcompute::Portable(), "portable", options);
    Require(opened.has_value(), "no driver");
    return *std::move(opened);
  }();
  const auto applied = Apply(*driver, "a", tar);
  Require(applied || !driver->Exists("a"), "a refused tar leaves a layer");
  if (!applied) return;
  const auto problems = driver->Verify({"a"}, VerifyDepth::kFull);
  Require(problems.has_value(), "no verify");
  for (const Problem& problem : *problems) Require(false, problem.path + ": " + problem.problem);
  // A compressed input is compared by what it holds.
  const auto back = Tar(*driver, "a", false);
  if (back && applied->diff_id == applied->blob_digest)
    Require(AsText(*back) == AsText(tar), "other bytes came back");
  if (const auto rebuilt = Tar(*driver, "a", true)) {
    const auto again = Apply(*driver, "b", *rebuilt);
    Require(again.has_value(), "the rebuilt tar: " + (again ? "" : again.error().ToString()));
    const auto twice = Tar(*driver, "b", true);
    Require(!twice || *twice == *rebuilt, "a rebuilt tar changes");
    Require(driver->Remove("b", false).has_value(), "b stays");
  }
  Require(driver->Remove("a", false).has_value(), "a stays");
}

}  // namespace
}  // namespace wclayer

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wclayer::Run(std::as_bytes(std::span(data, size)));
  return 0;
}
