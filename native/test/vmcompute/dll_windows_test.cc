// Our vmcompute.dll in the system directory, called as Docker's v1.10 driver and as hcsshim call
// Microsoft's (spec vmcompute-abi §2–§4, wine-and-toolchains).
#include "dll_fixture.h"

namespace wclayer::vmcompute::test {
namespace {

TEST_P(DllTest, AContainersLife) {
  ImportBase();
  EXPECT_EQ(MountPath(u"base"), PathOf(u"base")) << "works without activation";
  std::u16string path;
  const LayerDescriptor base = Describe(u"base", path);
  const std::u16string box = Id(u"box");
  ASSERT_EQ(Dll().CreateSandboxLayer(&info_, box.c_str(), nullptr, &base, 1), kOk);
  ASSERT_EQ(Dll().ExpandSandboxSize(&info_, box.c_str(), std::uint64_t{30} << 30), kOk);
  ASSERT_EQ(Dll().ActivateLayer(&info_, box.c_str()), kOk);
  ASSERT_EQ(Dll().PrepareLayer(&info_, box.c_str(), &base, 1), kOk);
  const files::path root = MountPath(u"box");
  EXPECT_EQ(Get(root / "a.txt"), "alpha");
  Put(root / "new.txt", "new");
  files::remove(root / "dir" / "b.txt");
  ASSERT_EQ(Dll().UnprepareLayer(&info_, box.c_str()), kOk);

  const files::path out = folder_ / "export";
  files::create_directories(out);
  ASSERT_EQ(Dll().ExportLayer(&info_, box.c_str(), out.u16string().c_str(), &base, 1), kOk);
  for (const char* hive : {"System", "Software", "Sam", "Security", "DefaultUser"})
    EXPECT_TRUE(files::exists(out / "Hives" / (std::string(hive) + "_Delta"))) << hive;
  EXPECT_NE(Get(out / "tombstones.txt").find("\\dir\\b.txt"), std::string::npos);
  EXPECT_NE(Get(out / "Files" / "new.txt").find("new"), std::string::npos);
  EXPECT_FALSE(files::exists(out / "Files" / "a.txt"));
  ASSERT_EQ(Dll().DeactivateLayer(&info_, box.c_str()), kOk);
  EXPECT_EQ(Dll().DeactivateLayer(&info_, box.c_str()), kOk) << "not active: nothing to undo";

  // Committed as docker commits: what was exported becomes a layer.
  const std::u16string child = Id(u"child");
  ASSERT_EQ(Dll().CreateLayer(&info_, child.c_str(), u"base"), kOk);
  ASSERT_EQ(Dll().ImportLayer(&info_, child.c_str(), out.u16string().c_str(), &base, 1), kOk);
  EXPECT_EQ(Get(folder_ / "home" / "child" / "Files" / "new.txt"), "new");
  ASSERT_EQ(Dll().DestroyLayer(&info_, box.c_str()), kOk);
  std::uint32_t exists = 7;
  ASSERT_EQ(Dll().LayerExists(&info_, box.c_str(), &exists), kOk);
  EXPECT_EQ(exists, 0u);
}

TEST_P(DllTest, StreamsALayerThroughCoTaskMemNames) {
  ImportBase();
  void* context = nullptr;
  ASSERT_EQ(Dll().ExportLayerBegin(&info_, Id(u"base").c_str(), nullptr, 0, &context), kOk);
  std::u16string names;
  for (;;) {
    char16_t* name = nullptr;
    FileBasicInfo info;
    std::int64_t size = 0;
    std::uint32_t deleted = 0;
    const Hresult hr = Dll().ExportLayerNext(context, &name, &info, &size, &deleted);
    if (hr == kNoMoreFiles) break;
    ASSERT_EQ(hr, kOk);
    names += name;
    Dll().FreeString(name);
    std::uint8_t buffer[4096];
    for (std::uint32_t read = 1; read != 0;)
      ASSERT_EQ(Dll().ExportLayerRead(context, buffer, sizeof buffer, &read), kOk);
  }
  EXPECT_EQ(Dll().ExportLayerEnd(context), kOk);
  EXPECT_EQ(names, u"\\Files\\Files\\a.txt\\Files\\dir\\Files\\dir\\b.txt");
}

TEST_P(DllTest, DestroysWhatDockerNamesSo) {
  files::create_directories(folder_ / "home" / "hcs123456" / "deep");
  Put(folder_ / "home" / "hcs123456" / "deep" / "f", "temporary export");
  EXPECT_EQ(Dll().DestroyLayer(&info_, Id(u"hcs123456").c_str()), kOk);
  EXPECT_FALSE(files::exists(folder_ / "home" / "hcs123456"));
  EXPECT_EQ(Dll().DestroyLayer(&info_, Id(u"never-there").c_str()), kOk);
  files::create_directories(folder_ / "home" / "x-removing");
  EXPECT_EQ(Dll().DestroyLayer(&info_, Id(u"x-removing").c_str()), kOk);
  EXPECT_FALSE(files::exists(folder_ / "home" / "x-removing"));
}

TEST_P(DllTest, FailuresAreHresults) {
  EXPECT_EQ(Dll().ActivateLayer(&info_, Id(u"absent").c_str()), kFileNotFound);
  EXPECT_TRUE(Failed(Dll().ActivateLayer(nullptr, Id(u"absent").c_str())));
  EXPECT_TRUE(Failed(Dll().ActivateLayer(&info_, nullptr)));
}

INSTANTIATE_TEST_SUITE_P(Callers, DllTest, testing::Values(Caller::kDocker, Caller::kHcsshim),
                         [](const auto& each) {
                           return each.param == Caller::kDocker ? "Docker" : "Hcsshim";
                         });

TEST(Dll, IsLookedForInTheSystemDirectoryAlone) {
  // The second one lies beside this program.
  const auto program = files::path(testing::internal::GetArgvs().front());
  ASSERT_TRUE(files::exists(program.parent_path() / "wclayer.dll")) << program;
  for (const char* name : {"no-such.dll", "wclayer.dll"}) {
    const auto dll = LoadSystemDll(name);
    ASSERT_FALSE(dll) << name;
    EXPECT_EQ(dll.error().code, Errc::kBackendUnavailable);
    EXPECT_NE(dll.error().path.find(std::string("\\system32\\") + name), std::string::npos)
        << dll.error().path;
    EXPECT_NE(dll.error().message.find("backend=portable"), std::string::npos);
  }
  // One that is there and is something else lacks everything.
  const auto other = LoadSystemDll("kernel32.dll");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("ActivateLayer (Get and Diff)"), std::string::npos);
}

TEST(Dll, ComputeStorageIsLookedForThereToo) {
  const auto storage = LoadComputeStorage();  // Wine has none
  ASSERT_FALSE(storage);
  EXPECT_EQ(storage.error().code, Errc::kBackendUnavailable);
  EXPECT_NE(storage.error().path.find("\\system32\\computestorage.dll"), std::string::npos);
  EXPECT_NE(storage.error().message.find("api=vmcompute"), std::string::npos);
}

TEST(Dll, GivesTextsOfComsAllocatorAndGuidsOfVersionFive) {
  char16_t* json = nullptr;
  ASSERT_EQ(Dll().GetBaseImages(&json), kOk);
  ASSERT_NE(json, nullptr);
  EXPECT_NE(ToUtf8(json).find("\"Images\""), std::string::npos);
  Dll().FreeString(json);
  Guid one;
  Guid other;
  ASSERT_EQ(Dll().NameToGuid(u"4", &one), kOk);
  ASSERT_EQ(Dll().NameToGuid(u"5", &other), kOk);
  EXPECT_FALSE(one == other);
  EXPECT_EQ(one.data3 >> 12, 5);
}

}  // namespace
}  // namespace wclayer::vmcompute::test
