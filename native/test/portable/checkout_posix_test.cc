// Checkouts: complete or not there, private copies, a table that is checked.
#include "portable/checkout_table.h"
#include "writable_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::kOk;

class CheckoutTest : public WritableTest {
 protected:
  void SetUp() override { Use(Way::kCheckout); }

  std::string MakeAndMount() {
    EXPECT_EQ(Import("base", {},
                     {Folder("Files"), File("Files/a", "aaa"), Link("Files/b", "Files/a"),
                      Folder("Files/d"), File("Files/d/c", "ccc")}),
              kOk);
    MakeWritable("rw", {"base"});
    return Mount("rw", {"base"});
  }
  std::string TablePath() const { return home_path_ + "/rw/.wclayer/checkout.table"; }
};

TEST_F(CheckoutTest, WritesNeverReachTheLayer) {
  const std::string root = MakeAndMount();
  Append(root + "/a", "!");
  EXPECT_EQ(ReadFile(root + "/b"), "aaa");
  EXPECT_EQ(ReadFile(home_path_ + "/base/Files/a"), "aaa");
  struct stat info;
  ASSERT_EQ(::stat((root + "/b").c_str(), &info), 0);
  EXPECT_EQ(info.st_nlink, 1u);
  EXPECT_EQ(Unmount("rw"), kOk);
  EXPECT_TRUE(Verify("base").empty());
}

TEST_F(CheckoutTest, AHalfMadeOneIsMadeAgain) {
  ASSERT_EQ(Import("base", {}, {Folder("Files"), File("Files/a", "aaa")}), kOk);
  MakeWritable("rw", {"base"});
  const std::string folder = home_path_ + "/rw/.wclayer";
  files::create_directories(folder + "/checkout.new/left");
  WriteFile(folder + "/checkout.table", "half a table");
  const std::string root = Mount("rw", {"base"});
  EXPECT_EQ(ReadFile(root + "/a"), "aaa");
  EXPECT_FALSE(files::exists(folder + "/checkout.new"));
  EXPECT_FALSE(files::exists(root + "/left"));
  EXPECT_EQ(FilePaths(Export("rw", {"base"})), std::vector<std::string>{"Files"});
}

TEST_F(CheckoutTest, AWriteThatKeepsSizeAndTimeIsSeen) {
  const std::string root = MakeAndMount();
  struct stat before;
  ASSERT_EQ(::stat((root + "/a").c_str(), &before), 0);
  WriteFile(root + "/a", "aXa");
  const timespec times[2] = {{0, UTIME_OMIT}, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, (root + "/a").c_str(), times, 0), 0);
  const auto items = Export("rw", {"base"});
  ASSERT_NE(Find(items, "Files/a"), nullptr);
  EXPECT_EQ(MainData(Find(items, "Files/a")->stream), "aXa");
  EXPECT_EQ(Find(items, "Files/a")->times[2], File("", "").times[2]);
  // The same bytes again: no change.
  WriteFile(root + "/a", "aaa");
  ASSERT_EQ(::utimensat(AT_FDCWD, (root + "/a").c_str(), times, 0), 0);
  EXPECT_EQ(FilePaths(Export("rw", {"base"})), std::vector<std::string>{"Files"});
}

TEST_F(CheckoutTest, EveryDamagedByteOfTheTableIsFound) {
  MakeAndMount();
  const std::string whole = ReadFile(TablePath());
  ASSERT_GT(whole.size(), 100u);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    WriteFile(TablePath(), damaged);
    Hresult hr = kOk;
    EXPECT_EQ(BeginExport("rw", {"base"}, &hr), nullptr) << at;
    EXPECT_NE(hr, kOk);
    EXPECT_EQ(LastCode(), Errc::kLayerDamaged) << at;
  }
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    WriteFile(TablePath(), whole.substr(0, size));
    EXPECT_EQ(BeginExport("rw", {"base"}), nullptr) << size;
    EXPECT_EQ(LastCode(), Errc::kLayerDamaged) << size;
  }
  WriteFile(TablePath(), whole);
  EXPECT_EQ(FilePaths(Export("rw", {"base"})), std::vector<std::string>{"Files"});
}

TEST_F(CheckoutTest, RowsComeBackByHandleOrByInode) {
  files::create_directories(temporary_.path() + "/t");
  const auto folder = fs::Dir::OpenAbsolute(temporary_.path() + "/t");
  ASSERT_TRUE(folder.has_value());
  auto writer = CheckoutTableWriter::Create(*folder, kCheckoutTable);
  ASSERT_TRUE(writer.has_value());
  CheckoutRow row;
  row.info.type = fs::Type::kFile;
  row.info.inode = 7;
  row.info.btime_seconds = 100;
  row.path = "a";
  row.origin = {1, 2};
  ASSERT_TRUE(writer->Add(row).has_value());
  row.handle = "handle";
  row.info.inode = 9;
  row.path = "b";
  row.origin = {3, 4};
  ASSERT_TRUE(writer->Add(row).has_value());
  row.handle.clear();
  row.marked = true;
  row.info.inode = 8;
  row.path = "c";
  ASSERT_TRUE(writer->Add(row).has_value());
  ASSERT_TRUE(writer->Finish().has_value());

  const auto table = CheckoutTable::Open(*folder);
  ASSERT_TRUE(table.has_value()) << table.error().ToString();
  const auto marked = [](const CheckoutRow&) { return true; };
  const auto unmarked = [](const CheckoutRow&) { return false; };
  fs::Info info;
  info.type = fs::Type::kFile;
  info.inode = 7;
  info.btime_seconds = 100;
  const auto never = []() -> Expected<std::string> {
    ADD_FAILURE() << "nobody needs a handle";
    return std::string();
  };
  const auto by_inode = table->Find(info, never, unmarked);
  ASSERT_TRUE(by_inode.has_value() && *by_inode);
  EXPECT_EQ((*by_inode)->path, "a");
  EXPECT_EQ((*by_inode)->origin.ordinal, 2u);
  info.btime_nanos = 1;  // a freed number, given to a new file
  EXPECT_FALSE(*table->Find(info, never, unmarked));
  info.btime_nanos = 0;
  info.inode = 8;
  EXPECT_FALSE(*table->Find(info, never, unmarked));
  EXPECT_TRUE(*table->Find(info, never, marked));

  info.inode = 9;
  const auto as_made = table->Find(info, never, unmarked);
  ASSERT_TRUE(as_made.has_value() && *as_made);
  EXPECT_EQ((*as_made)->path, "b");
  const auto with = [](const char* handle) {
    return [handle]() -> Expected<std::string> { return std::string(handle); };
  };
  info.ctime_nanos = 1;  // touched: is it the same file?
  EXPECT_TRUE(*table->Find(info, with("handle"), unmarked));
  EXPECT_FALSE(*table->Find(info, with("another"), unmarked));
  const auto fails = []() -> Expected<std::string> { return Error(Errc::kIo, "no handle"); };
  EXPECT_FALSE(table->Find(info, fails, unmarked).has_value());
}

// Inside most containers the home lies on overlayfs, which takes no upper folder and gives no
// handles.
class CheckoutOnOverlay : public WritableTest {
 protected:
  ~CheckoutOnOverlay() override { ::umount2(home_path_.c_str(), MNT_DETACH); }

  bool MountHome() {
    const std::string base = temporary_.path();
    for (const char* name : {"/lower", "/upper", "/work"}) files::create_directories(base + name);
    const std::string options =
        "lowerdir=" + base + "/lower,upperdir=" + base + "/upper,workdir=" + base + "/work";
    return ::mount("test", home_path_.c_str(), "overlay", 0, options.c_str()) == 0;
  }
};

TEST_F(CheckoutOnOverlay, IsChosenAndKnowsFilesAgain) {
  if (!CanMount()) GTEST_SKIP() << "the process may not mount overlays";
  ASSERT_TRUE(MountHome());
  Use(Way::kOverlay);
  ASSERT_EQ(Import("base", {},
                   {Folder("Files"), File("Files/a", "aaa"), File("Files/b", "bbb"),
                    Folder("Files/d"), File("Files/d/c", "ccc"), File("Files/gone", "1")}),
            kOk)
      << LastError().message;
  ASSERT_EQ(Import("top", {"base"}, {Folder("Files"), Gone("Files/gone")}), kOk);
  MakeWritable("rw", {"top", "base"});
  const std::string root = Mount("rw", {"top", "base"});
  ASSERT_EQ(root, home_path_ + "/rw/.wclayer/checkout");
  EXPECT_FALSE(files::exists(root + "/gone"));
  EXPECT_EQ(FilePaths(Export("rw", {"top", "base"})), std::vector<std::string>{"Files"});
  Rename(root + "/a", root + "/moved");
  Rename(root + "/d", root + "/e");
  files::remove(root + "/b");
  WriteFile(root + "/fresh", "new");
  const auto items = Export("rw", {"top", "base"});
  EXPECT_EQ(FilePaths(items),
            (std::vector<std::string>{"Files", "-Files/a", "-Files/b", "-Files/d", "Files/e",
                                      "Files/e/c", "Files/fresh", "Files/moved"}));
  for (const char* path : {"Files/moved", "Files/e/c"})
    EXPECT_EQ(Find(items, path)->times[0], File("", "").times[0]) << path;
  EXPECT_NE(Find(items, "Files/fresh")->times[0], File("", "").times[0]);
  EXPECT_EQ(Unmount("rw"), kOk);
}

}  // namespace
}  // namespace wclayer::portable::test
