// What other people's programs do with vmcompute.dll, call by call, as they were seen to do it:
// Docker's v1.10.3 driver, and hcsshim's wclayer before and after 0.6.10 (spec driver-semantics §1,
// layer-formats §a.5).
#include "base/windows.h"
// after windows.h
#include <winternl.h>

#include "dll_fixture.h"

namespace wclayer::vmcompute::test {
namespace {

const wchar_t* WideOf(const std::u16string& text) {
  return reinterpret_cast<const wchar_t*>(text.c_str());
}

// The handle that hcsshim keeps of a layer's folder, and how it reaches what is below.
class FolderHandle {
 public:
  explicit FolderHandle(const std::u16string& path)
      : folder_(::CreateFileW(WideOf(path), GENERIC_READ,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                              OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, nullptr)) {
    EXPECT_NE(folder_, INVALID_HANDLE_VALUE);
  }
  ~FolderHandle() { ::CloseHandle(folder_); }
  FolderHandle(const FolderHandle&) = delete;
  FolderHandle& operator=(const FolderHandle&) = delete;

  bool Has(std::u16string name) const {
    UNICODE_STRING text{};
    text.Length = static_cast<USHORT>(name.size() * sizeof(char16_t));
    text.MaximumLength = text.Length;
    text.Buffer = reinterpret_cast<wchar_t*>(name.data());
    OBJECT_ATTRIBUTES at{};
    at.Length = sizeof at;
    at.RootDirectory = folder_;
    at.ObjectName = &text;
    IO_STATUS_BLOCK io{};
    HANDLE file = nullptr;
    const auto open = reinterpret_cast<decltype(&::NtCreateFile)>(reinterpret_cast<void*>(
        ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "NtCreateFile")));
    const NTSTATUS status =
        open(&file, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &at, &io, nullptr, 0,
             FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_OPEN,
             FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT, nullptr, 0);
    if (status != 0) return false;
    ::CloseHandle(file);
    return true;
  }

 private:
  HANDLE folder_;
};

// hcsshim from 0.6.10 on: no tombstones.txt, UtilityVM written into the layer's folder before,
// links and times of folders afterwards through a handle from before; a program that then looks.
TEST_P(DllTest, AnImporterKeepsTheLayersFolderOpenAndGoesOnInIt) {
  ImportBase();
  std::u16string path;
  const LayerDescriptor base = Describe(u"base", path);
  const files::path layer = folder_ / "home" / "child";
  files::create_directories(layer);
  const FolderHandle open(PathOf(u"child"));
  Put(layer / "UtilityVM" / "Files" / "boot", "boot");
  Put(layer / "bcd.bak", "as it was");
  const files::path from = folder_ / "hcs1";
  Put(from / "Files" / "new.txt", Stored("new"));
  Put(from / "Files" / "dir" / "b.txt", Stored("beta two"));
  ASSERT_EQ(Dll().ImportLayer(&info_, Id(u"child").c_str(), from.u16string().c_str(), &base, 1),
            kOk);
  EXPECT_TRUE(open.Has(u"Files\\dir"));
  EXPECT_TRUE(open.Has(u"UtilityVM\\Files\\boot"));
  files::create_hard_link(layer / "Files" / "new.txt", layer / "Files" / "again.txt");
  files::create_hard_link(folder_ / "home" / "base" / "Files" / "a.txt",
                          layer / "Files" / "theirs.txt");
  EXPECT_EQ(Get(layer / "bcd.bak"), "as it was");

  const files::path out = folder_ / "hcs2";
  ASSERT_EQ(Dll().ActivateLayer(&info_, Id(u"child").c_str()), kOk);
  ASSERT_EQ(Dll().PrepareLayer(&info_, Id(u"child").c_str(), &base, 1), kOk);
  ASSERT_EQ(Dll().UnprepareLayer(&info_, Id(u"child").c_str()), kOk);
  ASSERT_EQ(Dll().ExportLayer(&info_, Id(u"child").c_str(), out.u16string().c_str(), &base, 1),
            kOk);
  ASSERT_EQ(Dll().DeactivateLayer(&info_, Id(u"child").c_str()), kOk);
  for (const char* name : {"new.txt", "again.txt"})
    EXPECT_TRUE(Get(out / "Files" / name).ends_with("new")) << name;
  EXPECT_TRUE(Get(out / "Files" / "theirs.txt").ends_with("alpha"));
  EXPECT_TRUE(Get(out / "Files" / "dir" / "b.txt").ends_with("beta two"));
  EXPECT_TRUE(files::exists(out / "Hives" / "System_Delta"));
  EXPECT_EQ(Get(out / "tombstones.txt"), "\xEF\xBB\xBFVersion 1.0\n");
  // Nobody writes into the parent through the layer.
  EXPECT_EQ(files::hard_link_count(folder_ / "home" / "base" / "Files" / "a.txt"), 1U);
}

// hcsshim's base layers: everything is there before the first call.
TEST_P(DllTest, ABaseLayerIsWhatItsFolderHoldsWhenItIsProcessed) {
  const files::path layer = folder_ / "home" / "base";
  Put(layer / "Files" / "a.txt", "alpha");
  for (const char* hive : {"DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"})
    Put(layer / "Files" / "Windows" / "System32" / "config" / hive, "");
  files::create_hard_link(layer / "Files" / "a.txt", layer / "Files" / "link.txt");
  const std::u16string long_path = u"\\\\?\\" + PathOf(u"base");
  ASSERT_EQ(Dll().ProcessBaseImage(long_path.c_str()), kOk);
  EXPECT_EQ(Dll().ProcessUtilityImage((long_path + u"\\UtilityVM").c_str()), kFileNotFound);
  std::u16string path;
  const LayerDescriptor base = Describe(u"base", path);
  ASSERT_EQ(Dll().CreateSandboxLayer(&info_, Id(u"box").c_str(), nullptr, &base, 1), kOk);
  ASSERT_EQ(Dll().ActivateLayer(&info_, Id(u"box").c_str()), kOk);
  ASSERT_EQ(Dll().PrepareLayer(&info_, Id(u"box").c_str(), &base, 1), kOk);
  EXPECT_EQ(Get(files::path(MountPath(u"box")) / "link.txt"), "alpha");
  ASSERT_EQ(Dll().UnprepareLayer(&info_, Id(u"box").c_str()), kOk);
  ASSERT_EQ(Dll().DeactivateLayer(&info_, Id(u"box").c_str()), kOk);
}

// Docker 1.10: Get and Put of all kinds of layers, Diff of a mounted one through a folder beside
// it, ApplyDiff and DiffPath through such folders, chains without the "-init" layer.
TEST_P(DllTest, ADriversSession) {
  ImportBase();
  std::u16string path;
  const LayerDescriptor base = Describe(u"base", path);
  ASSERT_EQ(Dll().CreateLayer(&info_, Id(u"box-init").c_str(), u"base"), kOk);
  for (const char16_t* id : {u"base", u"box-init"}) {
    ASSERT_EQ(Dll().ActivateLayer(&info_, Id(id).c_str()), kOk);
    const std::uint32_t parents = std::u16string(id) == u"base" ? 0 : 1;
    ASSERT_EQ(Dll().PrepareLayer(&info_, Id(id).c_str(), &base, parents), kOk);
    EXPECT_EQ(MountPath(id), PathOf(id));
    ASSERT_EQ(Dll().UnprepareLayer(&info_, Id(id).c_str()), kOk);
    ASSERT_EQ(Dll().DeactivateLayer(&info_, Id(id).c_str()), kOk);
  }
  // The parent's path in the place of its id.
  ASSERT_EQ(Dll().CreateSandboxLayer(&info_, Id(u"box").c_str(), path.c_str(), &base, 1), kOk);
  Put(folder_ / "home" / "box" / "layerchain.json", "[\"somewhere\\\\base\"]");
  ASSERT_EQ(Dll().ActivateLayer(&info_, Id(u"box").c_str()), kOk);
  ASSERT_EQ(Dll().PrepareLayer(&info_, Id(u"box").c_str(), &base, 1), kOk);
  const files::path root = MountPath(u"box");
  files::remove(root / "a.txt");
  Put(root / "dir" / "made.txt", "made");

  // Diff of it while it is mounted, and of another export while it is not.
  const files::path mounted = folder_ / "home" / "box-123456789";
  files::create_directories(mounted);
  ASSERT_EQ(Dll().UnprepareLayer(&info_, Id(u"box").c_str()), kOk);
  ASSERT_EQ(Dll().ExportLayer(&info_, Id(u"box").c_str(), mounted.u16string().c_str(), &base, 1),
            kOk);
  ASSERT_EQ(Dll().PrepareLayer(&info_, Id(u"box").c_str(), &base, 1), kOk);
  EXPECT_EQ(Get(root / "dir" / "made.txt"), "made") << "it is still what it was";
  ASSERT_EQ(Dll().UnprepareLayer(&info_, Id(u"box").c_str()), kOk);
  ASSERT_EQ(Dll().DeactivateLayer(&info_, Id(u"box").c_str()), kOk);
  EXPECT_EQ(Get(mounted / "tombstones.txt"), "\xEF\xBB\xBFVersion 1.0\n\\a.txt\n");

  ASSERT_EQ(Dll().CreateLayer(&info_, Id(u"layer").c_str(), u"base"), kOk);
  ASSERT_EQ(Dll().ImportLayer(&info_, Id(u"layer").c_str(), mounted.u16string().c_str(), &base, 1),
            kOk);
  ASSERT_EQ(Dll().DestroyLayer(&info_, Id(u"box-123456789").c_str()), kOk);
  EXPECT_FALSE(files::exists(mounted));
  // DiffPath does not activate.
  const files::path again = folder_ / "home" / "layer-42";
  files::create_directories(again);
  ASSERT_EQ(Dll().ExportLayer(&info_, Id(u"layer").c_str(), again.u16string().c_str(), &base, 1),
            kOk);
  EXPECT_EQ(Get(again / "tombstones.txt"), "\xEF\xBB\xBFVersion 1.0\n\\a.txt\n");
  EXPECT_TRUE(Get(again / "Files" / "dir" / "made.txt").ends_with("made"));
  for (const char16_t* id : {u"layer-42", u"box", u"box-init", u"layer"}) {
    EXPECT_EQ(Dll().DestroyLayer(&info_, Id(id).c_str()), kOk);
    EXPECT_FALSE(files::exists(folder_ / "home" / id));
  }
}

// hcsshim before 2018-12 streams where it can, with names as the tar spells them.
TEST_P(DllTest, StreamedNamesMayEndInASlash) {
  ImportBase();
  std::u16string path;
  const LayerDescriptor base = Describe(u"base", path);
  files::create_directories(folder_ / "home" / "child");
  void* context = nullptr;
  ASSERT_EQ(Dll().ImportLayerBegin(&info_, Id(u"child").c_str(), &base, 1, &context), kOk);
  FileBasicInfo folder;
  folder.attributes = 0x10;
  ASSERT_EQ(Dll().ImportLayerNext(context, u"\\Files\\", &folder), kOk);
  ASSERT_EQ(Dll().ImportLayerNext(context, u"\\Files\\dir\\", &folder), kOk);
  ASSERT_EQ(Dll().ImportLayerNext(context, u"\\Files\\dir\\b.txt", nullptr), kOk);
  ASSERT_EQ(Dll().ImportLayerEnd(context), kOk);
  ASSERT_EQ(Dll().CreateSandboxLayer(&info_, Id(u"box").c_str(), u"", &base, 1), kOk);
  std::u16string child_path;
  const LayerDescriptor chain[] = {Describe(u"child", child_path), base};
  ASSERT_EQ(Dll().CreateSandboxLayer(&info_, Id(u"box2").c_str(), u"", chain, 2), kOk);
  ASSERT_EQ(Dll().PrepareLayer(&info_, Id(u"box2").c_str(), chain, 2), kOk);
  const files::path root = MountPath(u"box2");
  EXPECT_TRUE(files::exists(root / "dir"));
  EXPECT_FALSE(files::exists(root / "dir" / "b.txt"));
  ASSERT_EQ(Dll().DeactivateLayer(&info_, Id(u"box2").c_str()), kOk);
}

// Docker asks for the images before it names its home, and then uses their folder names as ids.
TEST_P(DllTest, BaseImagesOfTheHomeThatTheEnvironmentNames) {
  const files::path image = folder_ / "images" / "Core_10.0.14300.1000";
  Put(image / "Files" / "a.txt", "alpha");
  const std::u16string image_path = image.u16string();
  ASSERT_EQ(Dll().ProcessBaseImage(image_path.c_str()), kOk);
  std::string text = ToUtf8(image_path);
  for (std::size_t at = 0; (at = text.find('\\', at)) != std::string::npos; at += 2)
    text.insert(at, 1, '\\');
  ::SetEnvironmentVariableW(L"WCLAYER_HOME", WideOf(home_));
  char16_t* json = nullptr;
  ASSERT_EQ(Dll().GetBaseImages(&json), kOk);
  EXPECT_EQ(ToUtf8(json).find("Core_10.0"), std::string::npos);
  Dll().FreeString(json);
  Put(folder_ / "home" / ".wclayer" / "base-images.json",
      "{\"Images\":[{\"Name\":\"Core_10.0.14300.1000\",\"Version\":\"10.0.14300.1000\",\"Path\":"
      "\"" +
          text + "\",\"Size\":5,\"CreatedTime\":\"2016-01-01T00:00:00Z\"}]}");
  ASSERT_EQ(Dll().GetBaseImages(&json), kOk);
  EXPECT_NE(ToUtf8(json).find("\"Path\":\"" + text + "\""), std::string::npos) << ToUtf8(json);
  Dll().FreeString(json);
  ::SetEnvironmentVariableW(L"WCLAYER_HOME", nullptr);

  const std::u16string id = Id(u"Core_10.0.14300.1000");
  std::uint32_t exists = 0;
  ASSERT_EQ(Dll().LayerExists(&info_, id.c_str(), &exists), kOk);
  EXPECT_EQ(exists, 1U);
  EXPECT_EQ(MountPath(u"Core_10.0.14300.1000"), image_path);
  ASSERT_EQ(Dll().CreateLayer(&info_, Id(u"on-it").c_str(), u"Core_10.0.14300.1000"), kOk);
  LayerDescriptor base;
  base.path = image_path.c_str();
  ASSERT_EQ(Dll().CreateSandboxLayer(&info_, Id(u"box").c_str(), u"", &base, 1), kOk);
  ASSERT_EQ(Dll().PrepareLayer(&info_, Id(u"box").c_str(), &base, 1), kOk);
  EXPECT_EQ(Get(files::path(MountPath(u"box")) / "a.txt"), "alpha");
  ASSERT_EQ(Dll().DeactivateLayer(&info_, Id(u"box").c_str()), kOk);
}

TEST(DllCallers, ALayerMayLieAtTheRootOfADrive) {
  DriverInfo info;
  info.home_dir = u"";
  const files::path temporary = ::wclayer::test::MakeTemporaryFolder("root");
  const files::path layer = files::path("C:\\") / temporary.filename();
  for (const std::u16string& id : {layer.u16string(), u"\\\\?\\" + layer.u16string()}) {
    EXPECT_EQ(Dll().CreateLayer(&info, id.c_str(), u""), kOk);
    std::size_t length = 0;
    EXPECT_EQ(Dll().GetLayerMountPath(&info, id.c_str(), &length, nullptr), kOk);
    std::u16string path(length, u'\0');
    EXPECT_EQ(Dll().GetLayerMountPath(&info, id.c_str(), &length, path.data()), kOk);
    EXPECT_EQ(path.substr(0, length - 1), layer.u16string());
    EXPECT_TRUE(files::exists(layer));
    EXPECT_EQ(Dll().DestroyLayer(&info, id.c_str()), kOk);
    EXPECT_FALSE(files::exists(layer));
  }
  files::remove_all("C:\\.wclayer");
  files::remove_all(temporary);
}

}  // namespace
}  // namespace wclayer::vmcompute::test
