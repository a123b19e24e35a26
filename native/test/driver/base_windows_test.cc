// Base layers and utility VMs on a table that cannot stream, where files hold what a backup stream
// does (a table in memory, since Wine's do not).
#include <filesystem>
#include <fstream>
#include <iterator>

#include "backup/hive.h"
#include "driver/fixture.h"
#include "layer/generator.h"
#include "support/fake_win32.h"
#include "support/folder_table.h"

namespace wclayer::test {
namespace {

using layer::MemoryLayer;

constexpr char kBoot[] = "UtilityVM/Files/EFI/Microsoft/Boot/";

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class WindowsLayers : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    table_ = WithoutStreaming(vmcompute::Portable());
    table_.ProcessBaseImage = &MakeDisks;
    table_.ProcessUtilityImage = &ChangeBootStore;
    Open(table_);
  }

  // The portable store's would describe the files, which have no reparse points there.
  static vmcompute::Hresult WCLAYER_ABI MakeDisks(vmcompute::Utf16 path) {
    const std::filesystem::path layer(std::u16string{path});
    if (!std::filesystem::exists(layer / "Files")) return vmcompute::kPathNotFound;
    std::ofstream(layer / "blank.vhdx") << "a disk";
    return vmcompute::kOk;
  }

  // As Windows does: the boot store is not the same afterwards.
  static vmcompute::Hresult WCLAYER_ABI ChangeBootStore(vmcompute::Utf16 path) {
    const vmcompute::Hresult hr = vmcompute::Portable().ProcessUtilityImage(path);
    if (vmcompute::Failed(hr)) return hr;
    const std::filesystem::path folder(std::u16string{path});
    std::ofstream(folder / "Files" / "EFI" / "Microsoft" / "Boot" / "BCD",
                  std::ios::binary | std::ios::app)
        << "changed";
    return hr;
  }

  std::vector<std::string> Temporary() const {
    std::vector<std::string> names;
    for (const auto& item : std::filesystem::directory_iterator(home_ / ".wclayer" / "tmp"))
      names.push_back(item.path().filename().string());
    return names;
  }

  // What NTFS can hold of a made-up layer.
  static MemoryLayer OfNtfs(MemoryLayer layer) {
    for (MemoryLayer::Entry& entry : layer.entries) {
      layer::Item& item = entry.item;
      if (item.deleted) entry.replaced = true;
      for (std::int64_t& time : item.times) time = std::max<std::int64_t>(time, 1);
      item.time_absent = 0;
      std::fill(std::begin(item.time_remainder), std::end(item.time_remainder), std::uint8_t{0});
      item.short_name.clear();
      if (!item.directory() && item.attributes == 0) item.attributes = 0x20;
    }
    for (MemoryLayer::Entry& entry : layer.entries) {
      layer::Item& item = entry.item;
      if (item.link_target.empty()) continue;
      const layer::Item& first = layer.entries[layer.names.at(UpcaseUtf8(item.link_target))].item;
      std::copy(std::begin(first.times), std::end(first.times), item.times);
      item.attributes = first.attributes;
    }
    layer::LeadLinks(layer);
    return layer;
  }

  static std::vector<TarEntry> UtilityVm() {
    const std::string hive(AsText(backup::MinimalHive()));
    return {{"Files", '5', "", ""},
            {"Files/x", '0', "x", ""},
            {"UtilityVM", '5', "", ""},
            {"UtilityVM/Files", '5', "", ""},
            {"UtilityVM/Files/EFI", '5', "", ""},
            {"UtilityVM/Files/EFI/Microsoft", '5', "", ""},
            {"UtilityVM/Files/EFI/Microsoft/Boot", '5', "", ""},
            {std::string(kBoot) + "BCD", '0', hive, ""},
            {std::string(kBoot) + "BCD.LOG", '0', "log", ""},
            {std::string(kBoot) + "other.efi", '0', "boot", ""},
            {"UtilityVM/Files/kernel", '0', "kernel", ""},
            {"UtilityVM/Files/old", '0', "old", ""},
            {"UtilityVM/Files/Documents and Settings", '2', "", "C:\\Users"}};
  }

  FakeWin32 fake_;
  vmcompute::Table table_;
};

TEST_F(WindowsLayers, ABaseLayerIsReadAsItWasWritten) {
  DiffOptions rebuild;
  rebuild.rebuild = true;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::string tar = layer::Exported(OfNtfs(layer::Generator(seed, true).Layer()), SIZE_MAX);
    const auto applied = Apply("base", "", AsBytes(tar));
    ASSERT_TRUE(applied) << applied.error().ToString();
    EXPECT_TRUE(Temporary().empty());
    const auto replay = Diff("base");
    ASSERT_TRUE(replay) << replay.error().ToString();
    EXPECT_TRUE(AsText(*replay) == tar);
    const auto read = Diff("base", rebuild);
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_TRUE(AsText(*read) == tar);
    EXPECT_EQ(*driver_->DiffSize("base", {}), applied->size_bytes);
    ASSERT_TRUE(driver_->Remove("base", false));
    if (HasFailure()) return;
  }
}

TEST_F(WindowsLayers, AUtilityVmIsClonedAndItsBootFilesAreSaved) {
  const Buffer base = MakeTar(UtilityVm());
  const auto applied = Apply("base", "", base);
  ASSERT_TRUE(applied) << applied.error().ToString();
  const std::string hive(AsText(backup::MinimalHive()));
  const auto vm = [&](const char* id) { return home_ / id / "UtilityVM" / "Files"; };
  const auto boot = [&](const char* id) { return vm(id) / "EFI" / "Microsoft" / "Boot"; };
  EXPECT_EQ(ReadFile(boot("base") / "BCD"), hive + "changed");
  EXPECT_EQ(ReadFile(home_ / "base" / "bcd.bak"), hive);
  EXPECT_EQ(ReadFile(home_ / "base" / "bcd.log.bak"), "log");
  EXPECT_TRUE(*Diff("base") == base) << "the saved bytes are those of the tar";

  const auto tar = MakeTar({{"Files", '5', "", ""},
                            {"Files/y", '0', "y", ""},
                            {"UtilityVM", '5', "", ""},
                            {"UtilityVM/Files", '5', "", ""},
                            {"UtilityVM/Files/.wh.old", '0', "", ""},
                            {"UtilityVM/Files/kernel", '0', "new kernel", ""},
                            {"UtilityVM/Files/link", '1', "", "UtilityVM/Files/kernel"},
                            {"UtilityVM/Files/again", '1', "", std::string(kBoot) + "other.efi"}});
  const auto child = Apply("child", "base", tar);
  ASSERT_TRUE(child) << child.error().ToString();
  EXPECT_TRUE(Temporary().empty());
  EXPECT_TRUE(*Diff("child") == tar);
  EXPECT_EQ(ReadFile(vm("child") / "kernel"), "new kernel");
  EXPECT_EQ(ReadFile(vm("base") / "kernel"), "kernel");
  EXPECT_TRUE(std::filesystem::equivalent(vm("child") / "link", vm("child") / "kernel"));
  EXPECT_TRUE(std::filesystem::equivalent(boot("child") / "other.efi", boot("base") / "other.efi"));
  EXPECT_TRUE(std::filesystem::equivalent(vm("child") / "again", boot("base") / "other.efi"));
  EXPECT_FALSE(std::filesystem::exists(vm("child") / "old"));
  EXPECT_TRUE(std::filesystem::exists(vm("base") / "old"));
  // The four files are the layer's own: changing them leaves the parent's alone.
  EXPECT_FALSE(std::filesystem::equivalent(boot("child") / "BCD", boot("base") / "BCD"));
  EXPECT_FALSE(std::filesystem::equivalent(boot("child") / "BCD.LOG", boot("base") / "BCD.LOG"));
  EXPECT_EQ(ReadFile(boot("child") / "BCD"), hive + "changedchanged");
  EXPECT_EQ(ReadFile(boot("base") / "BCD"), hive + "changed");
  EXPECT_FALSE(std::filesystem::exists(home_ / "child" / "bcd.bak")) << "the tar has none";
  const auto folder = fs::Dir::OpenAbsolute((vm("child")).string());
  ASSERT_TRUE(folder);
  EXPECT_EQ(folder->Stat("Documents and Settings")->reparse_tag, 0xA000000CU);

  // A layer that brings its own boot store.
  const std::string own = hive + std::string(512, '\0');
  const auto third = MakeTar({{"Files", '5', "", ""},
                              {"UtilityVM", '5', "", ""},
                              {"UtilityVM/Files", '5', "", ""},
                              {"UtilityVM/Files/EFI", '5', "", ""},
                              {"UtilityVM/Files/EFI/Microsoft", '5', "", ""},
                              {"UtilityVM/Files/EFI/Microsoft/Boot", '5', "", ""},
                              {std::string(kBoot) + "BCD", '0', own, ""}});
  const auto applied_third = Apply("third", "child", third);
  ASSERT_TRUE(applied_third) << applied_third.error().ToString();
  EXPECT_EQ(ReadFile(boot("third") / "BCD"), own + "changed");
  EXPECT_EQ(ReadFile(home_ / "third" / "bcd.bak"), own);
  EXPECT_TRUE(*Diff("third") == third);
  EXPECT_EQ(ReadFile(vm("third") / "kernel"), "new kernel");
}

TEST_F(WindowsLayers, AFailedUtilityVmLeavesNothing) {
  ASSERT_TRUE(Apply("base", "", MakeTar(UtilityVm())));
  // Folders of the store's own that stay.
  ASSERT_TRUE(Apply("other", "base", MakeTar({{"Files", '5', "", ""}})));
  ASSERT_TRUE(driver_->Remove("other", false));
  const auto before = Listing();
  table_.ProcessUtilityImage = [](vmcompute::Utf16) -> vmcompute::Hresult {
    return vmcompute::kInvalidData;
  };
  const auto applied = Apply("child", "base",
                             MakeTar({{"Files", '5', "", ""},
                                      {"UtilityVM", '5', "", ""},
                                      {"UtilityVM/Files", '5', "", ""},
                                      {"UtilityVM/Files/kernel", '0', "new kernel", ""}}));
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().operation, "vmcompute!ProcessUtilityImage");
  EXPECT_EQ(Listing(), before);
}

}  // namespace
}  // namespace wclayer::test
