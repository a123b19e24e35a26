// Layers made, found, removed, copied; homes, base images, recovery; what the parts of names, links
// and hives decide.

#include <thread>

#include "fs/lock.h"
#include "portable/chain.h"
#include "portable/hive.h"
#include "portable/home.h"
#include "portable/layers.h"
#include "portable/names.h"
#include "store_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::kOk;

class LifeTest : public StoreTest {};

TEST_F(LifeTest, IdsAreCheckedAndComparedWithoutCase) {
  ASSERT_EQ(table_.CreateLayer(&info_, u"Layer", u""), kOk);
  EXPECT_TRUE(Exists("LAYER"));
  EXPECT_EQ(table_.CreateLayer(&info_, u"LAYER", u""), kOk);  // repeatable
  EXPECT_EQ(table_.CreateLayer(&info_, u"../out", u""), vmcompute::kInvalidParameter);
  EXPECT_EQ(table_.CreateLayer(&info_, u"x-removing", u""), vmcompute::kInvalidParameter);
  EXPECT_EQ(table_.CreateLayer(&info_, nullptr, u""), vmcompute::kInvalidParameter);
  EXPECT_FALSE(files::exists(temporary_.path() + "/out"));
}

TEST_F(LifeTest, BothFormsOfAddressMeanTheSameLayer) {
  vmcompute::DriverInfo whole;
  whole.home_dir = u"";
  const std::u16string path = Wide(home_path_ + "/l");
  ASSERT_EQ(table_.CreateLayer(&whole, path.c_str(), u""), kOk) << LastError().message;
  EXPECT_TRUE(Exists("l"));
  std::uint32_t exists = 0xFFFFFFFF;
  EXPECT_EQ(table_.LayerExists(&whole, path.c_str(), &exists), kOk);
  EXPECT_EQ(exists, 1u);
  EXPECT_EQ(table_.LayerExists(&whole, Wide(home_path_ + "/none").c_str(), &exists), kOk);
  EXPECT_EQ(exists, 0u);
  vmcompute::DriverInfo elsewhere;
  const std::u16string nowhere = Wide(temporary_.path() + "/nowhere");
  elsewhere.home_dir = nowhere.c_str();
  EXPECT_EQ(table_.LayerExists(&elsewhere, u"l", &exists), kOk);
  EXPECT_EQ(exists, 0u);
  EXPECT_FALSE(files::exists(temporary_.path() + "/nowhere"));
}

TEST_F(LifeTest, AParentMustBeThereAndReadOnly) {
  EXPECT_EQ(table_.CreateLayer(&info_, u"l", u"none"), vmcompute::kPathNotFound);
  EXPECT_EQ(LastCode(), Errc::kParentNotFound);
  EXPECT_FALSE(Exists("l"));
  ASSERT_EQ(table_.CreateSandboxLayer(&info_, u"rw", nullptr, nullptr, 0), kOk)
      << LastError().message;
  EXPECT_NE(table_.CreateLayer(&info_, u"l", u"rw"), kOk);
  const Chain chain = Parents({"rw"});
  EXPECT_NE(table_.CreateSandboxLayer(&info_, u"l", nullptr, chain.data(), 1), kOk);
  EXPECT_EQ(LastCode(), Errc::kParentNotFound);
  const Chain twice = Parents({"l2", "L2"});
  ASSERT_EQ(table_.CreateLayer(&info_, u"l2", u""), kOk);
  EXPECT_EQ(table_.CreateSandboxLayer(&info_, u"l", nullptr, twice.data(), 2),
            vmcompute::kInvalidParameter);
}

TEST_F(LifeTest, AWritableLayerRemembersItsChainAndSize) {
  ASSERT_EQ(Import("base", {}, {Folder("Files")}), kOk);
  ASSERT_EQ(Import("mid", {"base"}, {Folder("Files")}), kOk);
  const Chain chain = Parents({"mid", "base"});
  ASSERT_EQ(table_.CreateSandboxLayer(&info_, u"rw", u"ignored", chain.data(), 2), kOk)
      << LastError().message;
  EXPECT_EQ(table_.CreateSandboxLayer(&info_, u"rw", nullptr, chain.data(), 2),
            vmcompute::kAlreadyExists);
  EXPECT_EQ(StateOf("rw") & vmcompute::kStateWritable, vmcompute::kStateWritable);
  ASSERT_EQ(table_.ExpandSandboxSize(&info_, u"rw", 20ull << 30), kOk);
  ASSERT_EQ(table_.ExpandSandboxSize(&info_, u"rw", 10ull << 30), kOk);
  const Home home(home_path_);
  const auto record = home.ReadWritable("rw");
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->parents, (std::vector<std::string>{"mid", "base"}));
  EXPECT_EQ(record->size_bytes, 20ull << 30);
  EXPECT_NE(table_.ExpandSandboxSize(&info_, u"base", 1), kOk);
  EXPECT_EQ(table_.CreateLayer(&info_, u"rw", u""), vmcompute::kAlreadyExists);
}

TEST_F(LifeTest, DestroyTakesEverythingAndMissesNothing) {
  const std::string canary = temporary_.path() + "/canary";
  files::create_directories(canary);
  WriteFile(canary + "/keep", "kept");
  ASSERT_EQ(Import("l", {}, {Folder("Files"), File("Files/f", "1")}), kOk);
  files::create_directory_symlink(canary, home_path_ + "/l/Files/planted");
  EXPECT_EQ(table_.DestroyLayer(&info_, u"L"), kOk) << LastError().message;
  EXPECT_FALSE(Exists("l"));
  EXPECT_EQ(ReadFile(canary + "/keep"), "kept");
  EXPECT_EQ(table_.DestroyLayer(&info_, u"l"), kOk);  // not there: fine
  files::create_directories(home_path_ + "/x-removing/deep");
  EXPECT_EQ(table_.DestroyLayer(&info_, u"x-removing"), kOk);
  EXPECT_FALSE(files::exists(home_path_ + "/x-removing"));
  files::create_directories(home_path_ + "/hcs123456/Files");  // a caller's temporary folder
  EXPECT_EQ(table_.DestroyLayer(&info_, u"hcs123456"), kOk);
  EXPECT_FALSE(files::exists(home_path_ + "/hcs123456"));
}

// Nothing fills what was filled, also where no driver asks first.
TEST_F(LifeTest, ALayerThatLostItsMetadataIsNotFilledAgain) {
  ASSERT_EQ(Import("l", {}, {Folder("Files"), File("Files/f", "old")}), kOk);
  files::remove(home_path_ + "/l/.wclayer/metadata");
  const auto before = Listing();
  EXPECT_EQ(Import("l", {}, {Folder("Files"), File("Files/f", "new")}), vmcompute::kInvalidData);
  EXPECT_EQ(LastCode(), Errc::kLayerDamaged);
  EXPECT_EQ(Listing(), before);
  EXPECT_EQ(ReadFile(home_path_ + "/l/Files/f"), "old");
  // A driver's record says the same of a layer whose folders are gone too.
  files::remove_all(home_path_ + "/l/Files");
  WriteFile(home_path_ + "/l/.wclayer/record.json", "{}");
  EXPECT_EQ(Import("l", {}, {Folder("Files")}), vmcompute::kInvalidData);
  // An empty one is filled as ever.
  ASSERT_EQ(table_.CreateLayer(&info_, u"stub", u""), kOk);
  EXPECT_EQ(Import("stub", {}, {Folder("Files")}), kOk) << LastError().message;
}

TEST_F(LifeTest, RecoverClearsWhatNobodyHolds) {
  ASSERT_EQ(Import("l", {}, {Folder("Files")}), kOk);
  const auto clean = Listing();
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"busy", nullptr, 0, &context), kOk);
  files::create_directories(home_path_ + "/.wclayer/staging/deadbeef/.wclayer");
  WriteFile(home_path_ + "/.wclayer/locks/staging+gone", "");
  files::create_directories(home_path_ + "/old-removing/Files");
  ASSERT_EQ(table_.extensions->Recover(&info_), kOk) << LastError().message;
  EXPECT_FALSE(files::exists(home_path_ + "/.wclayer/staging/deadbeef"));
  EXPECT_FALSE(files::exists(home_path_ + "/.wclayer/locks/staging+gone"));
  EXPECT_FALSE(files::exists(home_path_ + "/old-removing"));
  EXPECT_FALSE(
      files::is_empty(home_path_ + "/.wclayer/staging"));  // the import under way is left alone
  std::uint64_t ordinal = 0;
  ASSERT_EQ(Put(context, Folder("Files"), ordinal), kOk);
  table_.extensions->ImportLayerAbort(context);
  EXPECT_EQ(Listing(), clean);
}

TEST_F(LifeTest, CopyLayerMakesAnEqualLayer) {
  ASSERT_EQ(Import("base", {}, {Folder("Files"), File("Files/x", "x")}), kOk);
  ASSERT_EQ(
      Import("l", {"base"},
             {Folder("Files"), Gone("Files/x"), File("Files/a", "a"), Link("Files/b", "Files/a")}),
      kOk);
  const Chain chain = Parents({"base"});
  ASSERT_EQ(table_.CopyLayer(&info_, u"l", u"copy", chain.data(), 1), kOk) << LastError().message;
  const auto a = Export("l", {"base"});
  const auto b = Export("copy", {"base"});
  ASSERT_EQ(Paths(a), Paths(b));
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].stream, b[i].stream);
    EXPECT_EQ(a[i].link, b[i].link);
  }
}

TEST_F(LifeTest, ADamagedLayerSaysSo) {
  ASSERT_EQ(Import("l", {}, {Folder("Files"), File("Files/f", "1")}), kOk);
  files::resize_file(home_path_ + "/l/.wclayer/metadata", 100);
  EXPECT_EQ(StateOf("l"), vmcompute::kStateCommitted | vmcompute::kStateDamaged);
  EXPECT_EQ(Verify("l").size(), 1u);
  Hresult hr = kOk;
  EXPECT_EQ(BeginExport("l", {}, &hr), nullptr);
  EXPECT_EQ(hr, vmcompute::kInvalidData);
  EXPECT_EQ(LastCode(), Errc::kLayerDamaged);
  EXPECT_EQ(table_.DestroyLayer(&info_, u"l"), kOk);
}

TEST_F(LifeTest, VerifyNamesMissingAndForeignFiles) {
  Item big = File("Files/big", "x");
  AddStream(big.stream, StreamId::kAlternateData, std::string(9000, 's'), 0, u":s:$DATA");
  ASSERT_EQ(Import("l", {}, {Folder("Files"), Folder("Files/d"), File("Files/d/a", "a"), big}),
            kOk);
  EXPECT_EQ(Verify("l"), std::vector<std::string>());
  files::remove(home_path_ + "/l/Files/d/a");
  WriteFile(home_path_ + "/l/Files/d/b", "");
  std::string streams = ReadFile(home_path_ + "/l/.wclayer/streams");
  streams[5] = '?';
  WriteFile(home_path_ + "/l/.wclayer/streams", streams);
  auto problems = Verify("l");
  std::sort(problems.begin(), problems.end());
  EXPECT_EQ(problems, (std::vector<std::string>{
                          "Files/big: the checksum of a stored stream is wrong",
                          "Files/d/a: it is missing", "Files/d/b: it is not part of the layer"}));
}

TEST_F(LifeTest, ABaseImageIsAnIdOfTheHome) {
  const std::string folder = temporary_.path() + "/images/Server_10.0.14300.1000";
  files::create_directories(folder + "/Files/Windows");
  WriteFile(folder + "/Files/Windows/a.dll", "library");
  files::create_hard_link(folder + "/Files/Windows/a.dll", folder + "/Files/Windows/b.dll");
  files::create_symlink("Windows/a.dll", folder + "/Files/link");
  ASSERT_EQ(table_.extensions->AddBaseImage(&info_, Wide(folder).c_str()), kOk)
      << LastError().message;
  ASSERT_EQ(table_.extensions->AddBaseImage(&info_, Wide(folder).c_str()), kOk)
      << LastError().message;
  EXPECT_NE(table_.extensions->AddBaseImage(&info_, Wide(temporary_.path()).c_str()), kOk);
  EXPECT_TRUE(Exists("server_10.0.14300.1000"));
  EXPECT_EQ(StateOf("Server_10.0.14300.1000"), vmcompute::kStateCommitted);
  char16_t* json = nullptr;
  ASSERT_EQ(table_.GetBaseImages(&json), kOk);
  const std::string text = ToUtf8(json);
  table_.FreeString(json);
  EXPECT_NE(text.find("\"Path\":\"" + folder + "\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"Version\":\"10.0.14300.1000\",\"Path\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"Size\":7"), std::string::npos) << text;

  vmcompute::LayerDescriptor descriptor;
  const std::u16string path = Wide(folder);
  descriptor.path = path.c_str();
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"child", &descriptor, 1, &context), kOk)
      << LastError().message;
  std::uint64_t ordinal = 0;
  ASSERT_EQ(Put(context, Link("Files/copy", "Files/windows/A.DLL"), ordinal), kOk)
      << LastError().message;
  ASSERT_EQ(table_.ImportLayerEnd(context), kOk);
  EXPECT_EQ(ReadFile(home_path_ + "/child/Files/copy"), "library");
  EXPECT_EQ(Verify("Server_10.0.14300.1000"), std::vector<std::string>());
}

TEST_F(LifeTest, BrokenHivesOfABaseLayerAreNamed) {
  const std::string layer = home_path_ + "/base";
  const std::string config = layer + "/Files/windows/SYSTEM32/Config";
  files::create_directories(config);
  const std::u16string path = Wide(layer);
  WriteFile(config + "/system", "");
  WriteFile(config + "/SOFTWARE", AsText(MinimalHive()));
  ASSERT_EQ(table_.ProcessBaseImage(path.c_str()), kOk) << LastError().message;
  EXPECT_EQ(StateOf("base"),
            vmcompute::kStateCommitted);  // what was written straight into it is described
  EXPECT_EQ(Verify("base"), std::vector<std::string>());
  std::string bad(AsText(MinimalHive()));  // C15: the broken one is named
  bad[100] = 'x';
  WriteFile(config + "/SOFTWARE", bad);
  EXPECT_EQ(table_.ProcessBaseImage(path.c_str()), vmcompute::kInvalidData);
  EXPECT_EQ(std::string(LastError().path), "Files/Windows/System32/config/SOFTWARE");
  EXPECT_NE(std::string(LastError().message).find("checksum"), std::string::npos);

  const std::string vm = layer + "/UtilityVM";
  files::create_directories(vm + "/Files/EFI/Microsoft/Boot");
  EXPECT_EQ(table_.ProcessUtilityImage(Wide(vm).c_str()), vmcompute::kFileNotFound);
  files::copy_file(std::string(WCLAYER_FIXTURES) + "/bin/bcd-minimal.hive",
                   vm + "/Files/EFI/Microsoft/Boot/BCD");
  EXPECT_EQ(table_.ProcessUtilityImage(Wide(vm).c_str()), kOk) << LastError().message;
  EXPECT_EQ(table_.GrantVmAccess(u"vm", Wide(vm).c_str()), kOk);
  EXPECT_EQ(table_.GrantVmAccess(u"vm", Wide(vm + "/none").c_str()), vmcompute::kFileNotFound);
}

TEST_F(LifeTest, MountPathOfAReadOnlyLayerIsItsFolder) {
  ASSERT_EQ(Import("l", {}, {Folder("Files")}), kOk);
  std::size_t length = 0;
  ASSERT_EQ(table_.GetLayerMountPath(&info_, u"l", &length, nullptr), kOk);
  std::u16string path(length, u'?');
  ASSERT_EQ(table_.GetLayerMountPath(&info_, u"l", &length, path.data()), kOk);
  EXPECT_EQ(ToUtf8(path.c_str()), (files::path(home_path_) / "l").make_preferred().string());
  EXPECT_EQ(length, home_path_.size() + 3);
  length = 3;
  EXPECT_NE(table_.GetLayerMountPath(&info_, u"l", &length, path.data()), kOk);
}

TEST_F(LifeTest, GuidsAreStableAndOfVersionFive) {
  vmcompute::Guid a;
  vmcompute::Guid b;
  ASSERT_EQ(table_.NameToGuid(u"C:\\layers\\Layer", &a), kOk);
  ASSERT_EQ(table_.NameToGuid(u"/other/LAYER", &b), kOk);
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.data3 >> 12, 5);
  EXPECT_EQ(a.data4[0] >> 6, 2);
  ASSERT_EQ(table_.NameToGuid(u"layer2", &b), kOk);
  EXPECT_FALSE(a == b);
}

TEST_F(LifeTest, NullArgumentsAreErrors) {
  EXPECT_NE(table_.LayerExists(&info_, u"l", nullptr), kOk);
  EXPECT_NE(table_.ImportLayerBegin(nullptr, u"l", nullptr, 0, nullptr), kOk);
  EXPECT_NE(table_.ImportLayerEnd(nullptr), kOk);
  EXPECT_NE(table_.ImportLayerNext(nullptr, u"x", nullptr), kOk);
  EXPECT_NE(table_.ExportLayerEnd(nullptr), kOk);
  EXPECT_NE(table_.NameToGuid(nullptr, nullptr), kOk);
  EXPECT_NE(table_.GetBaseImages(nullptr), kOk);
  table_.extensions->ImportLayerAbort(nullptr);
  table_.extensions->ExportLayerAbort(nullptr);
  table_.extensions->LastError(nullptr);
  void* context = nullptr;
  EXPECT_NE(table_.ImportLayerBegin(&info_, u"l", nullptr, 3, &context), kOk);
}

// C15.
TEST(HiveTest, TheMinimalHiveIsValidAndMinimalAndTheFixtureIsValid) {
  const Buffer hive = MinimalHive();
  EXPECT_EQ(hive.size(), 8192u);
  EXPECT_TRUE(backup::CheckHive(hive, hive.size()).has_value());
  EXPECT_TRUE(IsMinimalHive(hive));
  EXPECT_EQ(hive, MinimalHive());
  std::ifstream in(std::string(WCLAYER_FIXTURES) + "/bin/bcd-minimal.hive", std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  const Buffer fixture = ToBuffer(text.str());
  EXPECT_TRUE(backup::CheckHive(fixture, fixture.size()).has_value());
  for (std::size_t i = 0; i < 512; ++i) {
    Buffer bad = hive;
    bad[i] ^= std::byte{0x10};
    EXPECT_FALSE(IsMinimalHive(bad)) << i;
  }
  for (std::size_t size = 0; size < hive.size(); size += 100)
    EXPECT_FALSE(backup::CheckHive(Bytes(hive).first(size), size).has_value()) << size;
}

TEST(NamesTest, ShortenedNamesAreTheSameForEverySpelling) {
  std::string upper(700, 'A');
  std::string lower(700, 'a');
  EXPECT_EQ(DiskName(upper), DiskName(lower));
  EXPECT_LE(DiskName(upper).size(), kMaxDiskNameBytes);
  EXPECT_TRUE(IsShortened(DiskName(upper)));
  lower[699] = 'b';
  EXPECT_NE(DiskName(upper), DiskName(lower));
  EXPECT_EQ(DiskName("short"), "short");
  EXPECT_FALSE(IsShortened("short"));
}

TEST(NamesTest, DepthFirstComesAFolderBeforeWhatSortsBetween) {
  EXPECT_LT(CompareDepthFirst("a", "a/b"), 0);
  EXPECT_LT(CompareDepthFirst("a/z", "a.b"), 0);
  EXPECT_GT(CompareDepthFirst("b", "a/z"), 0);
  EXPECT_EQ(CompareDepthFirst("a/b", "a/b"), 0);
  EXPECT_GT(CompareDepthFirst("a!/x", "a/x"), 0);
}

}  // namespace
}  // namespace wclayer::portable::test
