// Our vmcompute.dll in the system directory, called as Docker's v1.10 driver and as hcsshim call
// Microsoft's (spec vmcompute-abi §2–§4, wine-and-toolchains).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/bytes.h"
#include "base/utf16.h"
#include "support/temporary_folder.h"
#include "vmcompute/system_dll.h"

namespace wclayer::vmcompute {
namespace {

namespace files = std::filesystem;

const Table& Dll() {
  static const auto dll = LoadSystemDll();
  if (!dll) {
    ADD_FAILURE() << dll.error().ToString();
    std::abort();
  }
  return dll->table;
}

// A file of a transport folder: its attributes and a backup stream with its data.
std::string Stored(std::string_view data) {
  Buffer bytes;
  AppendLe(bytes, std::uint32_t{0x20});
  AppendLe(bytes, std::uint32_t{1});  // BACKUP_DATA
  AppendLe(bytes, std::uint32_t{0});
  AppendLe(bytes, std::uint64_t{data.size()});
  AppendLe(bytes, std::uint32_t{0});
  Append(bytes, AsBytes(data));
  return std::string(AsText(bytes));
}

void Put(const files::path& path, std::string_view text) {
  files::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string Get(const files::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

enum class Caller { kDocker, kHcsshim };

// How a program names a home and its layers.
class DllTest : public testing::TestWithParam<Caller> {
 protected:
  DllTest() : folder_(test::MakeTemporaryFolder("dll")), home_((folder_ / "home").u16string()) {
    files::create_directories(folder_ / "home");
    if (GetParam() == Caller::kHcsshim)
      info_.home_dir = u"";
    else
      info_.home_dir = home_.c_str();
  }
  ~DllTest() override { files::remove_all(folder_); }

  std::u16string PathOf(const std::u16string& name) const { return home_ + u"\\" + name; }
  std::u16string Id(const std::u16string& name) const {
    return GetParam() == Caller::kHcsshim ? PathOf(name) : name;
  }
  LayerDescriptor Describe(const std::u16string& name, std::u16string& path) const {
    path = PathOf(name);
    LayerDescriptor layer;
    EXPECT_EQ(Dll().NameToGuid(name.c_str(), &layer.id), kOk);
    layer.path = path.c_str();
    return layer;
  }
  // The protocol of two calls (§4).
  std::u16string MountPath(const std::u16string& name) const {
    std::size_t length = 0;
    EXPECT_EQ(Dll().GetLayerMountPath(&info_, Id(name).c_str(), &length, nullptr), kOk);
    std::u16string path(length, u'\0');
    EXPECT_EQ(Dll().GetLayerMountPath(&info_, Id(name).c_str(), &length, path.data()), kOk);
    EXPECT_EQ(path.find(u'\0'), length - 1) << "the length counts the NUL";
    return path.substr(0, path.find(u'\0'));
  }
  void ImportBase() {
    ASSERT_EQ(Dll().CreateLayer(&info_, Id(u"base").c_str(), u""), kOk);
    ASSERT_EQ(Dll().CreateLayer(&info_, Id(u"base").c_str(), u""), kOk) << "at every start";
    const files::path from = folder_ / "import";
    Put(from / "Files" / "a.txt", Stored("alpha"));
    Put(from / "Files" / "dir" / "b.txt", Stored("beta"));
    ASSERT_EQ(Dll().ImportLayer(&info_, Id(u"base").c_str(), from.u16string().c_str(), nullptr, 0),
              kOk);
  }

  files::path folder_;
  std::u16string home_;
  DriverInfo info_;
};

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
}  // namespace wclayer::vmcompute
