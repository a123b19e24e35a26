// Transport folders, both ways.
#include "base/filetime.h"
#include "fs/dir.h"
#include "portable/hive.h"
#include "store_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::kOk;

class FolderTest : public StoreTest {
 protected:
  Hresult ToFolder(const std::string& id, const std::vector<std::string>& against,
                   const std::string& folder) {
    const Chain chain = Parents(against);
    return table_.ExportLayer(&info_, Wide(id).c_str(), Wide(folder).c_str(), chain.data(),
                              chain.size());
  }
  Hresult FromFolder(const std::string& id, const std::vector<std::string>& parents,
                     const std::string& folder) {
    const Chain chain = Parents(parents);
    return table_.ImportLayer(&info_, Wide(id).c_str(), Wide(folder).c_str(), chain.data(),
                              chain.size());
  }
  std::string Fresh(const std::string& name) const { return temporary_.path() + "/" + name; }
};

TEST_F(FolderTest, ALayerComesBackEqualThroughAFolder) {
  Item odd = File("Files/d/odd", "");
  odd.attributes = 0x27;
  odd.time_absent = 8;
  odd.time_remainder[2] = 42;
  odd.times[0] = -77;
  odd.stream.clear();
  AddStream(odd.stream, StreamId::kSecurity, Descriptor(), 2);
  AddStream(odd.stream, StreamId::kEaData, "ea");
  AddStream(odd.stream, StreamId::kData, std::string(300000, 'q'));
  AddStream(odd.stream, StreamId::kAlternateData, std::string(9000, 's'), 0, u":s:$DATA");
  ASSERT_EQ(
      Import("base", {},
             {Folder("Files"), File("Files/gone", ""), Folder("Files/d"), File("Files/d/too", "")}),
      kOk);
  std::vector<Item> items = {
      Folder("Files"),      Gone("Files/gone"), Folder("Files/d"), Gone("Files/d/too"), odd,
      Folder("Files/empty")};
  items.push_back(Folder("Hives"));
  for (const auto name : kDeltaNames) {
    Item hive = File("Hives/" + std::string(name), "");
    hive.stream.clear();  // hives have no descriptor in a transport folder
    AddStream(hive.stream, StreamId::kData, AsText(MinimalHive()));
    items.push_back(hive);
  }
  items.push_back(Folder("UtilityVM"));
  items.push_back(Folder("UtilityVM/Files"));
  items.push_back(File("UtilityVM/Files/x", "vm"));
  ASSERT_EQ(Import("l", {"base"}, items), kOk) << LastError().message;
  ASSERT_EQ(ToFolder("l", {"base"}, Fresh("out")), kOk) << LastError().path << LastError().message;
  EXPECT_EQ(ReadFile(Fresh("out/tombstones.txt")), "\xEF\xBB\xBFVersion 1.0\n\\gone\n\\d\\too\n");
  EXPECT_EQ(ReadFile(Fresh("out/Hives/Sam_Delta")), std::string(AsText(MinimalHive())));
  EXPECT_EQ(ReadFile(Fresh("out/Files.$wcidirs$")).substr(0, 4), std::string("\x10\0\0\0", 4));
  EXPECT_TRUE(files::is_empty(Fresh("out/Files/empty")));
  // Nothing says when the export was made (C6): folders have their layer's times.
  const auto out = fs::Dir::OpenAbsolute(Fresh("out"));
  ASSERT_TRUE(out.has_value());
  for (const char* name : {"Files", "Files/d", "UtilityVM", "Hives", "tombstones.txt"}) {
    const auto info = out->Stat(name);
    ASSERT_TRUE(info.has_value()) << name;
    EXPECT_EQ(info->mtime_seconds, UnixOfFiletime(items[0].times[2]).seconds) << name;
  }
  ASSERT_EQ(FromFolder("again", {"base"}, Fresh("out")), kOk)
      << LastError().path << LastError().message;
  const auto a = Export("l", {"base"});
  const auto b = Export("again", {"base"});
  ASSERT_EQ(Paths(a), Paths(b));
  for (std::size_t i = 0; i < a.size(); ++i) {
    SCOPED_TRACE(a[i].path);
    EXPECT_EQ(a[i].stream, b[i].stream);
    EXPECT_EQ(a[i].attributes, b[i].attributes);
    EXPECT_EQ(a[i].time_absent, b[i].time_absent);
    EXPECT_TRUE(std::equal(std::begin(a[i].times), std::end(a[i].times), std::begin(b[i].times)));
    EXPECT_TRUE(std::equal(std::begin(a[i].time_remainder), std::end(a[i].time_remainder),
                           std::begin(b[i].time_remainder)));
  }
  EXPECT_EQ(Verify("again"), std::vector<std::string>());
}

TEST_F(FolderTest, ALayerWithoutHivesGetsTheFiveThatClientsRequire) {
  ASSERT_EQ(Import("base", {}, {Folder("Files")}), kOk);
  ASSERT_EQ(Import("l", {"base"}, {Folder("Files"), File("Files/x", "1")}), kOk);
  ASSERT_EQ(ToFolder("l", {"base"}, Fresh("out")), kOk) << LastError().message;
  for (const auto name : kDeltaNames)
    EXPECT_EQ(ReadFile(Fresh("out/Hives/") + std::string(name)),
              std::string(AsText(MinimalHive())));
  ASSERT_EQ(ToFolder("base", {}, Fresh("base")), kOk);
  EXPECT_FALSE(files::exists(Fresh("base/Hives")));
  EXPECT_TRUE(files::exists(Fresh("base/tombstones.txt")));
  EXPECT_NE(ToFolder("base", {}, Fresh("base")), kOk);  // not empty
}

TEST_F(FolderTest, ReadsTheFolderOfTp4AndTolerantTombstones) {
  ASSERT_EQ(Import("base", {}, {Folder("Files"), File("Files/a", ""), File("Files/b", "")}), kOk);
  files::create_directories(Fresh("in/Files/d"));
  files::create_directories(Fresh("in/Hives"));
  WriteFile(Fresh("in/Files/d.$wcidirs$"), AsText(FolderStream()));
  WriteFile(Fresh("in/Files/d/f"), AsText(FileStream("no word")));
  WriteFile(Fresh("in/Files/d/empty"), "");
  WriteFile(Fresh("in/Hives/System_Delta"), HiveWith("hive"));
  WriteFile(Fresh("in/tombstones.txt"), "Version 1.0\r\n\\a\r\n\r\n\\b");
  ASSERT_EQ(FromFolder("l", {"base"}, Fresh("in")), kOk) << LastError().path << LastError().message;
  const auto items = Export("l", {"base"});
  EXPECT_EQ(Paths(items),
            (std::vector<std::string>{"Files", "-Files/a", "-Files/b", "Files/d", "Files/d/empty",
                                      "Files/d/f", "Hives", "Hives/System_Delta"}));
  EXPECT_EQ(MainData(Find(items, "Files/d/f")->stream), "no word");
  EXPECT_EQ(Find(items, "Files/d/f")->attributes, 0x20u);
  EXPECT_EQ(Find(items, "Files/d")->stream, FolderStream());
  EXPECT_FALSE(Find(items, "Files/d/empty")->has_data_stream);
  EXPECT_EQ(MainData(Find(items, "Hives/System_Delta")->stream), HiveWith("hive"));
}

TEST_F(FolderTest, RefusesWhatDoesNotBelongInAFolder) {
  const auto refused = [&](const char* what) {
    EXPECT_NE(FromFolder("l", {}, Fresh("in")), kOk) << what;
    EXPECT_FALSE(Exists("l")) << what;
    files::remove_all(Fresh("in"));
    files::create_directories(Fresh("in/Files"));
  };
  files::create_directories(Fresh("in/Files"));
  files::create_symlink("/etc/passwd", Fresh("in/Files/link"));
  refused("link");
  WriteFile(Fresh("in/tombstones.txt"), "Version 2.0\n");
  refused("version");
  WriteFile(Fresh("in/tombstones.txt"), "Version 1.0\n\\..\\..\\x\n");
  refused("path");
  WriteFile(Fresh("in/tombstones.txt"), "Version 1.0\nx\n");
  refused("no backslash");
  WriteFile(Fresh("in/Files/f"), std::string("\x20\0\0\0\1\0\0\0", 8));
  refused("cut stream");
  WriteFile(Fresh("in/Files/gone.$wcidirs$"), "");
  refused("metadata of no folder");
  WriteFile(Fresh("in/other"), "");
  refused("file at the top");
  files::remove_all(Fresh("in"));
  EXPECT_NE(FromFolder("l", {}, Fresh("in")), kOk);
}

// hcsshim since 0.6.10 deletes tombstoned paths and makes links in the destination after
// ImportLayer. An imported layer is settled here: such changes are noticed, not adopted (docs: a
// limit of the store).
TEST_F(FolderTest, ChangesMadeInTheDestinationAfterwardsAreNoticed) {
  ASSERT_EQ(Import("base", {}, {Folder("Files"), File("Files/x", "base")}), kOk);
  files::create_directories(Fresh("in/Files"));
  WriteFile(Fresh("in/Files/f"),
            std::string("\x20\0\0\0", 4) + std::string(AsText(FileStream("1"))));
  ASSERT_EQ(table_.CreateLayer(&info_, u"l", u"base"), kOk);
  ASSERT_EQ(FromFolder("l", {"base"}, Fresh("in")), kOk) << LastError().message;
  EXPECT_EQ(Verify("l"), std::vector<std::string>());
  files::create_hard_link(home_path_ + "/l/Files/f", home_path_ + "/l/Files/linked");
  files::remove(home_path_ + "/l/Files/x");  // not there: the deletion finds nothing, as on Windows
  const auto problems = Verify("l");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0], "Files/linked: it is not part of the layer");
  EXPECT_EQ(Paths(Export("l", {"base"})), (std::vector<std::string>{"Files", "Files/f"}));
}

}  // namespace
}  // namespace wclayer::portable::test
