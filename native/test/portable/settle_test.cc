// What a caller of the plain ABI does in a layer's folder around ImportLayer, as hcsshim does
// (store §8, spec layer-formats §a.5).
#include <cerrno>

#include "fs/dir.h"
#include "store_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::kAlreadyExists;
using vmcompute::kOk;

class SettleTest : public StoreTest {
 protected:
  SettleTest() { files::create_directories(folder_ / "Files"); }

  static void Write(const files::path& path, std::string_view bytes) {
    files::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  // A stored file of the transport folder (spec layer-formats §a.2).
  void Store(const std::string& path, std::string_view data) const {
    Buffer bytes;
    AppendLe(bytes, std::uint32_t{0x20});
    Append(bytes, FileStream(data));
    Write(folder_ / path, AsText(bytes));
  }
  void MakeBase() {
    ASSERT_EQ(Import("base", {},
                     {Folder("Files"), File("Files/a", "alpha"), Folder("Files/dir"),
                      File("Files/dir/b", "beta"), File("Files/dir/c", "gamma")}),
              kOk);
  }
  Hresult ImportFolder(const std::string& id, const std::vector<std::string>& parents) const {
    const Chain chain = Parents(parents);
    return table_.ImportLayer(&info_, Wide(id).c_str(), folder_.u16string().c_str(), chain.data(),
                              chain.size());
  }
  files::path Layer(const std::string& id) const { return files::path(home_path_) / id; }

  files::path folder_ = files::path(temporary_.path()) / "folder";
};

TEST_F(SettleTest, TheFolderStaysTheSameOneAndWhatWasPutThereBeforeStays) {
  MakeBase();
  Write(Layer("l") / "UtilityVM/Files/EFI/BCD", "boot");
  Write(Layer("l") / "bcd.bak", "original");
  const auto open = fs::Dir::OpenAbsolute(Layer("l").string());
  ASSERT_TRUE(open.has_value());
  Store("Files/new", "new");
  ASSERT_EQ(ImportFolder("l", {"base"}), kOk) << LastError().message;
  // Through the handle from before, as the times of folders are set at last.
  const auto seen = open->Stat("Files/new");
  ASSERT_TRUE(seen.has_value()) << seen.error().ToString();
  ASSERT_TRUE(open->SetTimes("Files", 1'600'000'000, 0));
  EXPECT_EQ(Paths(Export("l", {"base"})),
            (std::vector<std::string>{"Files", "Files/new", "UtilityVM", "UtilityVM/Files",
                                      "UtilityVM/Files/EFI", "UtilityVM/Files/EFI/BCD"}));
  EXPECT_EQ(ReadFile((Layer("l") / "bcd.bak").string()), "original");
  EXPECT_FALSE(files::exists(Layer("l") / ".wclayer" / "metadata.unsettled"));
  EXPECT_EQ(ImportFolder("l", {"base"}), kAlreadyExists);
}

TEST_F(SettleTest, LinksMadeAfterwardsAreLinksOfTheLayerOrCopiesOfAParentsFile) {
  MakeBase();
  Store("Files/new", "new");
  Store("Files/old", "old");
  ASSERT_EQ(ImportFolder("l", {"base"}), kOk);
  files::create_hard_link(Layer("l") / "Files/new", Layer("l") / "Files/again");
  files::remove(Layer("l") / "Files/old");
  files::create_hard_link(Layer("l") / "Files/new", Layer("l") / "Files/old");
  files::create_hard_link(Layer("base") / "Files/dir/c", Layer("l") / "Files/theirs");
  const auto items = Export("l", {"base"});
  ASSERT_EQ(Paths(items), (std::vector<std::string>{"Files", "Files/again", "Files/new",
                                                    "Files/old", "Files/theirs"}));
  // The first name in order is the file, with what the import brought.
  EXPECT_EQ(items[1].link, "");
  EXPECT_EQ(items[1].stream, FileStream("new"));
  EXPECT_EQ(items[2].link, "Files/again");
  EXPECT_EQ(items[3].link, "Files/again");
  EXPECT_EQ(items[4].link, "");
  EXPECT_EQ(items[4].stream, FileStream("gamma"));
  for (const char* name : {"again", "old"})
    EXPECT_TRUE(files::equivalent(Layer("l") / "Files/new", Layer("l") / "Files" / name)) << name;
  // Nobody writes through it into the parent.
  EXPECT_FALSE(files::equivalent(Layer("base") / "Files/dir/c", Layer("l") / "Files/theirs"));
  EXPECT_EQ(ReadFile((Layer("l") / "Files/theirs").string()), "gamma");
}

TEST_F(SettleTest, WhatIsDeletedAfterwardsHidesWhatTheParentsHave) {
  MakeBase();
  Store("Files/a", "replaced");
  Store("Files/own", "own");
  Store("Files/dir/b", "beta two");
  ASSERT_EQ(ImportFolder("l", {"base"}), kOk);
  files::remove(Layer("l") / "Files/a");
  files::remove(Layer("l") / "Files/own");
  files::remove_all(Layer("l") / "Files/dir");
  const auto items = Export("l", {"base"});
  ASSERT_EQ(Paths(items), (std::vector<std::string>{"Files", "-Files/a", "-Files/dir"}));
  EXPECT_TRUE(items[1].deleted);
  EXPECT_TRUE(items[2].deleted);
}

// The limit: such a deletion leaves no trace, unless tombstones.txt tells of it.
TEST_F(SettleTest, ADeletionOfANameThatTheLayerLacksIsToldByTheFileAlone) {
  MakeBase();
  Store("Files/new", "new");
  ASSERT_EQ(ImportFolder("silent", {"base"}), kOk);
  EXPECT_FALSE(files::remove(Layer("silent") / "Files/a")) << "what hcsshim tries, and passes over";
  EXPECT_EQ(Paths(Export("silent", {"base"})), (std::vector<std::string>{"Files", "Files/new"}));
  Write(folder_ / "tombstones.txt", "\xEF\xBB\xBFVersion 1.0\n\\a\n");
  ASSERT_EQ(ImportFolder("told", {"base"}), kOk);
  EXPECT_EQ(Paths(Export("told", {"base"})),
            (std::vector<std::string>{"Files", "-Files/a", "Files/new"}));
}

TEST_F(SettleTest, WhatIsAddedAfterwardsIsDescribedAsItIs) {
  MakeBase();
  Store("Files/new", "new");
  ASSERT_EQ(ImportFolder("l", {"base"}), kOk);
  Write(Layer("l") / "Files/DIR/more", "more");
  const auto items = Export("l", {"base"});
  ASSERT_EQ(Paths(items),
            (std::vector<std::string>{"Files", "Files/DIR", "Files/DIR/more", "Files/new"}));
  EXPECT_EQ(items[1].stream, FolderStream()) << "as the parent has it";
  EXPECT_EQ(MainData(items[2].stream), "more");
}

// A file cut short by a crash looks the same as one that was written over.
TEST_F(SettleTest, ContentThatChangedAfterwardsIsDamageAndNotTakenOver) {
  MakeBase();
  Store("Files/new", "new");
  ASSERT_EQ(ImportFolder("l", {"base"}), kOk);
  Write(Layer("l") / "Files/new", "written over");
  const Chain chain = Parents({"base"});
  const files::path out = files::path(temporary_.path()) / "out";
  files::create_directories(out);
  EXPECT_NE(table_.ExportLayer(&info_, u"l", out.u16string().c_str(), chain.data(), chain.size()),
            kOk);
  EXPECT_STREQ(LastError().path, "Files/new");
}

TEST_F(SettleTest, ALayerSettlesBeforeAChildOfItIsMade) {
  MakeBase();
  Store("Files/new", "new");
  ASSERT_EQ(ImportFolder("l", {"base"}), kOk);
  files::create_hard_link(Layer("l") / "Files/new", Layer("l") / "Files/again");
  ASSERT_EQ(Import("child", {"l", "base"}, {Folder("Files"), Link("Files/x", "Files/again")}), kOk)
      << LastError().message;
  EXPECT_EQ(Export("child", {"l", "base"}).at(1).stream, FileStream("new"));
  EXPECT_FALSE(files::exists(Layer("l") / ".wclayer" / "metadata.unsettled"));
}

// hcsshim calls it right after the import of a base layer: what that brought is not scanned anew.
TEST_F(SettleTest, ABaseLayerKeepsItsMetadataThroughProcessBaseImage) {
  Store("Files/new", "new");
  ASSERT_EQ(ImportFolder("l", {}), kOk);
  ASSERT_EQ(table_.ProcessBaseImage(Layer("l").u16string().c_str()), kOk) << LastError().message;
  EXPECT_TRUE(files::exists(Layer("l") / ".wclayer" / "metadata.unsettled"));
  files::create_hard_link(Layer("l") / "Files/new", Layer("l") / "Files/zlink");
  ASSERT_EQ(table_.extensions->AddBaseImage(&info_, Layer("l").u16string().c_str()), kOk)
      << LastError().message;
  const auto items = Export("l", {});
  ASSERT_EQ(Paths(items), (std::vector<std::string>{"Files", "Files/new", "Files/zlink"}));
  EXPECT_EQ(items[1].stream, FileStream("new"));
  EXPECT_EQ(items[2].link, "Files/new");
}

TEST_F(SettleTest, WhatAnImportThatDiedLeftIsReplaced) {
  MakeBase();
  ASSERT_EQ(table_.CreateLayer(&info_, u"l", u"base"), kOk);
  Write(Layer("l") / "Files/half", "half");
  Write(Layer("l") / ".wclayer/streams", "half");
  Store("Files/new", "new");
  ASSERT_EQ(ImportFolder("l", {"base"}), kOk) << LastError().message;
  EXPECT_EQ(Paths(Export("l", {"base"})), (std::vector<std::string>{"Files", "Files/new"}));
}

}  // namespace
}  // namespace wclayer::portable::test
