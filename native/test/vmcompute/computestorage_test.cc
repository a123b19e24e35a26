// The table over computestorage.dll: which of its functions each call becomes, with what (spec
// vmcompute-abi §11). The six are played here, the rest by a small vmcompute.dll.
#include "vmcompute/computestorage.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/utf16.h"

namespace wclayer::vmcompute {
namespace {

using Lines = std::vector<std::string>;

// What the played DLLs share; one test at a time.
struct World {
  Lines log;
  std::map<std::string, Hresult> fails;
  std::set<std::string> folders;
  std::set<std::string> files;

  Hresult Note(const std::string& name, const std::string& what) {
    log.push_back(name + " " + what);
    const auto at = fails.find(name);
    return at == fails.end() ? kOk : at->second;
  }
};
World* world = nullptr;

std::string Text(Utf16 text) {
  return text == nullptr ? "null" : ToUtf8(text);
}

Hresult WCLAYER_ABI Import(Utf16 layer, Utf16 source, Utf16 data) {
  return world->Note("HcsImportLayer", Text(layer) + " " + Text(source) + " " + Text(data));
}
Hresult WCLAYER_ABI Export(Utf16 layer, Utf16 folder, Utf16 data, Utf16 options) {
  return world->Note("HcsExportLayer",
                     Text(layer) + " " + Text(folder) + " " + Text(data) + " " + Text(options));
}
Hresult WCLAYER_ABI Destroy(Utf16 layer) {
  const Hresult hr = world->Note("HcsDestroyLayer", Text(layer));
  if (hr == kOk) {
    world->folders.erase(Text(layer));
    world->files.erase(Text(layer) + "\\sandbox.vhdx");
  }
  return hr;
}
Hresult WCLAYER_ABI InitializeWritable(Utf16 layer, Utf16 data, Utf16 options) {
  return world->Note("HcsInitializeWritableLayer",
                     Text(layer) + " " + Text(data) + " " + Text(options));
}
Hresult WCLAYER_ABI Attach(Utf16 layer, Utf16 data) {
  return world->Note("HcsAttachLayerStorageFilter", Text(layer) + " " + Text(data));
}
Hresult WCLAYER_ABI Detach(Utf16 layer) {
  return world->Note("HcsDetachLayerStorageFilter", Text(layer));
}

Hresult WCLAYER_ABI Activate(const DriverInfo*, Utf16 id) {
  return world->Note("ActivateLayer", Text(id));
}
Hresult WCLAYER_ABI Deactivate(const DriverInfo*, Utf16 id) {
  return world->Note("DeactivateLayer", Text(id));
}
Hresult WCLAYER_ABI MountPath(const DriverInfo*, Utf16, std::size_t* length, char16_t* buffer) {
  static constexpr char16_t kVolume[] = u"\\\\?\\Volume{1}";
  if (const auto at = world->fails.find("GetLayerMountPath"); at != world->fails.end())
    return at->second;
  if (buffer != nullptr) std::copy(std::begin(kVolume), std::end(kVolume), buffer);
  *length = std::size(kVolume);
  return kOk;
}

StorageSet MakeSet() {
  StorageSet set;
  set.storage = {Import, Export, Destroy, InitializeWritable, Attach, Detach};
  set.files.FolderExists = [](Utf16 path) { return world->folders.count(Text(path)) != 0; };
  set.files.FileExists = [](Utf16 path) { return world->files.count(Text(path)) != 0; };
  set.files.MakeFolder = [](Utf16 path) -> Hresult {
    return world->folders.insert(Text(path)).second ? kOk : kAlreadyExists;
  };
  set.files.CopyDisk = [](Utf16 from, Utf16 to) -> Hresult {
    if (world->files.count(Text(from)) == 0) return kFileNotFound;
    return world->files.insert(Text(to)).second ? kOk : kAlreadyExists;
  };
  set.rest.ActivateLayer = Activate;
  set.rest.DeactivateLayer = Deactivate;
  set.rest.GetLayerMountPath = MountPath;
  return set;
}
const StorageSet& Set() {
  static const StorageSet set = MakeSet();
  return set;
}

constexpr char kChain[] = R"({"SchemaVersion":{"Major":2,"Minor":1},"Layers":[)"
                          R"({"Id":"00000001-0002-0003-0405-060708090a0b","Path":"C:\\h\\mid"},)"
                          R"({"Id":"0000000f-0000-0000-0000-000000000000","Path":"C:\\h\\base"}]})";

class ComputeStorageTest : public testing::Test {
 protected:
  ComputeStorageTest() {
    world = &world_;
    parents_[0] = {{1, 2, 3, {4, 5, 6, 7, 8, 9, 10, 11}}, 0, u"C:\\h\\mid"};
    parents_[1] = {{15, 0, 0, {}}, 0, u"C:\\h\\base"};
    home_.home_dir = u"C:\\h";
    whole_.home_dir = u"";
    world_.files.insert("C:\\h\\base\\blank.vhdx");
    for (const char* id : {"base", "mid"}) world_.folders.insert(std::string("C:\\h\\") + id);
  }
  ~ComputeStorageTest() override { world = nullptr; }
  void MakeBox() {
    ASSERT_EQ(table_.CreateSandboxLayer(&home_, u"box", nullptr, parents_, 2), kOk);
    world_.log.clear();
  }

  World world_;
  LayerDescriptor parents_[2];
  DriverInfo home_;
  DriverInfo whole_;
  const Table table_ = StorageTable<&Set>::Make();
};

TEST_F(ComputeStorageTest, LayerDataIsWellFormedWhateverThePath) {
  const LayerDescriptor odd = {{}, 0, u"C:\\a \"b\"\\\u00e4\u20ac\\line\nend"};
  const auto json = ParseJson(ToUtf8(LayerDataJson(&odd, 1)));
  ASSERT_TRUE(json) << json.error().ToString();
  ASSERT_EQ(json->Find("Layers")->array.size(), 1u);
  EXPECT_EQ(json->Find("Layers")->array[0].StringOr("Path", ""), ToUtf8(odd.path));
  EXPECT_EQ(ToUtf8(LayerDataJson(parents_, 2)), kChain);
  EXPECT_EQ(ToUtf8(LayerDataJson(nullptr, 0)),
            R"({"SchemaVersion":{"Major":2,"Minor":1},"Layers":[]})");
}

TEST_F(ComputeStorageTest, ImportAndExport) {
  ASSERT_EQ(table_.CreateLayer(&home_, u"new", u"mid"), kOk);
  ASSERT_EQ(table_.CreateLayer(&home_, u"new", u"mid"), kOk) << "repeatable";
  ASSERT_EQ(table_.ImportLayer(&home_, u"new", u"C:\\t", parents_, 2), kOk);
  ASSERT_EQ(table_.ExportLayer(&whole_, u"C:\\h\\new", u"C:\\o", parents_, 2), kOk);
  EXPECT_EQ(world_.log, (Lines{std::string("HcsImportLayer C:\\h\\new C:\\t ") + kChain,
                               std::string("HcsExportLayer C:\\h\\new C:\\o ") + kChain +
                                   R"( {"IsWritableLayer":false})"}));
  MakeBox();
  ASSERT_EQ(table_.ExportLayer(&home_, u"box", u"C:\\o", parents_, 2), kOk);
  EXPECT_NE(world_.log[0].find(R"({"IsWritableLayer":true})"), std::string::npos);
}

TEST_F(ComputeStorageTest, AWritableLayerIsACopyOfTheBlankDiskInitialised) {
  ASSERT_EQ(table_.CreateSandboxLayer(&home_, u"box", nullptr, parents_, 2), kOk);
  EXPECT_EQ(world_.log,
            (Lines{"ActivateLayer box",
                   std::string("HcsInitializeWritableLayer \\\\?\\Volume{1} ") + kChain + " null",
                   "DeactivateLayer box"}));
  EXPECT_EQ(world_.files.count("C:\\h\\box\\sandbox.vhdx"), 1u);
  EXPECT_EQ(table_.CreateSandboxLayer(&home_, u"box", nullptr, parents_, 2), kAlreadyExists);
  EXPECT_EQ(world_.folders.count("C:\\h\\box"), 1u) << "which is left as it is";
  EXPECT_EQ(table_.CreateSandboxLayer(&home_, u"none", nullptr, nullptr, 0), kInvalidParameter);
  EXPECT_EQ(world_.folders.count("C:\\h\\none"), 0u);
}

TEST_F(ComputeStorageTest, AWritableLayerThatFailsIsGone) {
  for (const char* call :
       {"ActivateLayer", "GetLayerMountPath", "HcsInitializeWritableLayer", "DeactivateLayer"}) {
    world_.fails = {{call, kIoDevice}};
    EXPECT_EQ(table_.CreateSandboxLayer(&home_, u"box", nullptr, parents_, 2), kIoDevice) << call;
    EXPECT_EQ(world_.folders.count("C:\\h\\box"), 0u) << call;
    const bool activated = std::string(call) != "ActivateLayer";
    EXPECT_EQ(std::count(world_.log.begin(), world_.log.end(), "DeactivateLayer box"),
              activated ? 1 : 0)
        << call;
    world_.log.clear();
  }
  world_.fails.clear();
  world_.files.clear();
  EXPECT_EQ(table_.CreateSandboxLayer(&home_, u"box", nullptr, parents_, 2), kFileNotFound)
      << "no blank disk";
  EXPECT_EQ(world_.folders.count("C:\\h\\box"), 0u);
}

TEST_F(ComputeStorageTest, TheFilterIsOnTheVolumeOfAWritableLayer) {
  MakeBox();
  ASSERT_EQ(table_.ActivateLayer(&home_, u"box"), kOk);
  ASSERT_EQ(table_.PrepareLayer(&home_, u"box", parents_, 2), kOk);
  ASSERT_EQ(table_.UnprepareLayer(&home_, u"box"), kOk);
  ASSERT_EQ(table_.DeactivateLayer(&home_, u"box"), kOk);
  EXPECT_EQ(world_.log,
            (Lines{"ActivateLayer box",
                   std::string("HcsAttachLayerStorageFilter \\\\?\\Volume{1} ") + kChain,
                   "HcsDetachLayerStorageFilter \\\\?\\Volume{1}", "DeactivateLayer box"}));
  world_.log.clear();
  ASSERT_EQ(table_.PrepareLayer(&home_, u"mid", parents_ + 1, 1), kOk);
  ASSERT_EQ(table_.UnprepareLayer(&home_, u"mid"), kOk);
  EXPECT_EQ(world_.log, Lines()) << "a read-only layer has no disk";
  world_.fails = {{"GetLayerMountPath", kNotReady}};
  EXPECT_EQ(table_.PrepareLayer(&home_, u"box", parents_, 2), kNotReady);
}

TEST_F(ComputeStorageTest, ExistsAndDestroy) {
  std::uint32_t exists = 7;
  ASSERT_EQ(table_.LayerExists(&home_, u"mid", &exists), kOk);
  EXPECT_EQ(exists, 1u);
  ASSERT_EQ(table_.DestroyLayer(&whole_, u"C:\\h\\mid"), kOk);
  ASSERT_EQ(table_.LayerExists(&home_, u"mid", &exists), kOk);
  EXPECT_EQ(exists, 0u);
  ASSERT_EQ(table_.DestroyLayer(&home_, u"mid"), kOk) << "of what is not there: done";
  EXPECT_EQ(world_.log, Lines{"HcsDestroyLayer C:\\h\\mid"});
}

TEST_F(ComputeStorageTest, WhatItLacksIsVmcomputes) {
  EXPECT_EQ(table_.ActivateLayer, &Activate);
  EXPECT_EQ(table_.GetLayerMountPath, &MountPath);
  EXPECT_EQ(table_.ImportLayerBegin, nullptr) << "it has no streams";
  EXPECT_EQ(table_.ExportLayerBegin, nullptr);
}

TEST(ComputeStorageSymbols, EveryMissingOneIsNamed) {
  static int target = 0;
  const auto all = BindComputeStorage([](const char*) -> void* { return &target; });
  ASSERT_TRUE(all);
  EXPECT_NE(all->HcsDetachLayerStorageFilter, nullptr);
  const auto some = BindComputeStorage([](const char* name) -> void* {
    return std::string(name) == "HcsDestroyLayer" || std::string(name) == "HcsImportLayer"
               ? nullptr
               : &target;
  });
  ASSERT_FALSE(some);
  EXPECT_EQ(some.error().code, Errc::kBackendUnavailable);
  EXPECT_NE(some.error().message.find("HcsImportLayer, HcsDestroyLayer"), std::string::npos);
}

}  // namespace
}  // namespace wclayer::vmcompute
