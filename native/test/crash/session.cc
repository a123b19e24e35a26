#include "crash/session.h"

#include <fstream>
#include <functional>
#include <vector>

#include "driver/fixture.h"

namespace wclayer::crash {
namespace {

using Layers = std::set<std::string>;

struct Step {
  std::function<Status(Driver&)> run;
  Layers layers;  // what is there afterwards
};

template <class T>
Status Done(const Expected<T>& result) {
  if (!result) return result.error();
  return {};
}

Status Apply(Driver& driver, const std::string& id, const std::string& parent, Bytes tar) {
  ApplyOptions options;
  options.parent = parent;
  WCLAYER_ASSIGN(const auto apply, driver.ApplyDiff(id, options));
  WCLAYER_TRY(apply->Write(tar));
  return Done(apply->Finish());
}

Status ApplyDiffOf(Driver& driver, const std::string& from, const std::string& id,
                   const std::string& parent) {
  WCLAYER_ASSIGN(const Buffer tar, ReadDiff(driver, from));
  return Apply(driver, id, parent, tar);
}

// Edits as a user makes them, with calls that are not the core's.
Status Edit(Driver& driver) {
  namespace files = std::filesystem;
  WCLAYER_ASSIGN(const std::string path, driver.Get("rw", false));
  std::error_code failed;
  std::ofstream(files::path(path) / "made.txt") << "made";
  std::ofstream(files::path(path) / "dir" / "a.txt") << "alpha three";
  files::remove(files::path(path) / "keep.txt", failed);
  if (failed) return Error(Errc::kPlatform, "an edit failed: " + failed.message());
  return driver.Put("rw");
}

const std::vector<Step>& Steps() {
  static const std::vector<Step> steps = {
      {[](Driver& d) { return d.Create("base", "", 0); }, {"base"}},
      {[](Driver& d) { return Apply(d, "base", "", test::MakeTar(test::HelpedEntries())); },
       {"base"}},
      {[](Driver& d) { return d.Create("child", "base", 0); }, {"base", "child"}},
      {[](Driver& d) { return Apply(d, "child", "base", test::ChildTar()); }, {"base", "child"}},
      {[](Driver& d) { return d.CreateReadWrite("rw", "child", 0); }, {"base", "child", "rw"}},
      {Edit, {"base", "child", "rw"}},
      {[](Driver& d) { return ApplyDiffOf(d, "rw", "top", "child"); },
       {"base", "child", "rw", "top"}},
      {[](Driver& d) { return d.Remove("rw", false); }, {"base", "child", "top"}},
      {[](Driver& d) { return Done(d.Status()); }, {"base", "child", "top"}},
      {[](Driver& d) { return Done(d.Cleanup()); }, {"base", "child", "top"}},
      {[](Driver& d) {
         GcOptions options;
         options.roots = {"child"};
         return Done(d.Gc(options));
       },
       {"base", "child"}},
  };
  return steps;
}

}  // namespace

int StepCount() {
  return static_cast<int>(Steps().size());
}

Layers LayersAfter(int step) {
  return step == 0 ? Layers() : Steps()[static_cast<std::size_t>(step - 1)].layers;
}

Expected<std::unique_ptr<Driver>> OpenDriver(const Setting& setting) {
  DriverOptions options;
  options.home = setting.home;
  options.force_checkout = setting.checkout;
  options.durability = setting.durability;
  options.lock_wait = std::chrono::milliseconds(0);
  return Driver::Open(vmcompute::Portable(), "portable", options);
}

Expected<Buffer> ReadDiff(Driver& driver, const std::string& id) {
  WCLAYER_ASSIGN(const auto source, driver.Diff(id, {}));
  Buffer tar;
  Buffer slab(100'000);
  for (;;) {
    WCLAYER_ASSIGN(const std::size_t count, source->Read(slab));
    if (count == 0) return tar;
    Append(tar, Bytes(slab).first(count));
  }
}

Status RunSession(const Setting& setting, int& step) {
  WCLAYER_ASSIGN(const auto driver, OpenDriver(setting));
  for (const Step& next : Steps()) {
    WCLAYER_TRY(next.run(*driver));
    ++step;
  }
  return {};
}

Status Reset(Driver& driver) {
  for (const char* id : {"rw", "top", "child", "base"})
    if (driver.Exists(id)) WCLAYER_TRY(driver.Remove(id, true));
  return {};
}

}  // namespace wclayer::crash
