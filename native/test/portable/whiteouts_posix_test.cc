// Deletions of layers as overlayfs wants them.
#include "portable/chain.h"
#include "portable/whiteouts.h"
#include "writable_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::kOk;

class WhiteoutsTest : public WritableTest {
 protected:
  std::shared_ptr<Home> home() { return std::make_shared<Home>(home_path_); }

  // Paths below the tree of a layer, whiteouts marked by '-'.
  std::vector<std::string> TreeOf(const std::string& id) {
    std::vector<std::string> paths;
    const std::string root = home_path_ + "/" + id + "/.wclayer/wh";
    for (auto at = files::recursive_directory_iterator(root);
         at != files::recursive_directory_iterator(); ++at) {
      struct stat info;
      EXPECT_EQ(::lstat(at->path().c_str(), &info), 0);
      const bool whiteout = S_ISCHR(info.st_mode) && info.st_rdev == 0;
      EXPECT_TRUE(whiteout || S_ISDIR(info.st_mode)) << at->path();
      paths.push_back((whiteout ? "-" : "") + at->path().string().substr(root.size() + 1));
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  void Build(const std::vector<std::string>& ids, std::size_t layer) {
    const auto chain = portable::Chain::Open(*home(), ids);
    ASSERT_TRUE(chain.has_value());
    const auto built = BuildWhiteouts(home(), **chain, layer);
    ASSERT_TRUE(built.has_value()) << built.error().ToString();
  }
};

TEST_F(WhiteoutsTest, TombstonesAndOpaqueFolders) {
  ASSERT_EQ(
      Import("base", {},
             {Folder("Files"), File("Files/a", "1"), Folder("Files/Dir"), File("Files/Dir/x", "1"),
              Folder("Files/Dir/sub"), File("Files/Dir/sub/deep", "1"),
              File("Files/Dir/sub/Other", "1"), Folder("Files/keep"), File("Files/keep/k", "1")}),
      kOk);
  ASSERT_EQ(Import("top", {"base"},
                   {Folder("Files"), Gone("Files/A"), Gone("Files/nothing"), Folder("Files/dir"),
                    Opaque("Files/dir"), Folder("Files/dir/sub"), File("Files/dir/sub/other", "2"),
                    Folder("Files/keep"), Gone("Files/keep/k")}),
            kOk)
      << LastError().message;
  Build({"top", "base"}, 0);
  // Names on disk are those of the layer that had them first.
  EXPECT_EQ(TreeOf("top"), (std::vector<std::string>{"-Dir/sub/deep", "-Dir/x", "-a", "-keep/k",
                                                     "-nothing", "Dir", "Dir/sub", "keep"}));
  struct stat first;
  struct stat second;
  ASSERT_EQ(::lstat((home_path_ + "/top/.wclayer/wh/a").c_str(), &first), 0);
  ASSERT_EQ(::lstat((home_path_ + "/top/.wclayer/wh/Dir/x").c_str(), &second), 0);
  EXPECT_EQ(first.st_ino, second.st_ino);  // names of one node
  // Skeleton folders look like those they lie below.
  ASSERT_EQ(::lstat((home_path_ + "/top/.wclayer/wh/keep").c_str(), &first), 0);
  ASSERT_EQ(::lstat((home_path_ + "/top/Files/keep").c_str(), &second), 0);
  EXPECT_EQ(first.st_mode, second.st_mode);
  EXPECT_EQ(first.st_mtim.tv_sec, second.st_mtim.tv_sec);
  EXPECT_EQ(first.st_mtim.tv_nsec, second.st_mtim.tv_nsec);
  EXPECT_TRUE(Verify("top").empty());
}

TEST_F(WhiteoutsTest, TheLoserDropsItsTree) {
  ASSERT_EQ(Import("base", {}, {Folder("Files"), File("Files/a", "1")}), kOk);
  ASSERT_EQ(Import("top", {"base"}, {Folder("Files"), Gone("Files/a")}), kOk);
  Build({"top", "base"}, 0);
  Build({"top", "base"}, 0);
  EXPECT_EQ(TreeOf("top"), std::vector<std::string>{"-a"});
  EXPECT_TRUE(files::is_empty(home_path_ + "/.wclayer/staging"));
  // A layer that deletes nothing is not looked through twice.
  Build({"base"}, 0);
  const auto there = HasWhiteouts(*home(), "base");
  ASSERT_TRUE(there.has_value());
  EXPECT_TRUE(*there);
  const auto tree = OpenWhiteouts(*home(), "base");
  ASSERT_TRUE(tree.has_value());
  EXPECT_FALSE(static_cast<bool>(*tree));
}

TEST_F(WhiteoutsTest, AReparsePointThatIsNoLinkHidesWhatIsBelow) {
  ASSERT_EQ(Import("base", {}, {Folder("Files"), Folder("Files/d"), File("Files/d/x", "1")}), kOk);
  Item strange = Folder("Files/d");
  strange.attributes = 0x410;
  AddStream(strange.stream, StreamId::kReparse,
            std::string("\x17\x00\x00\x80\x02\x00\x00\x00hi", 10));
  ASSERT_EQ(Import("top", {"base"}, {Folder("Files"), strange}), kOk) << LastError().message;
  const std::vector<std::string> parents = {"top", "base"};
  const auto items = SameEverywhere(parents, [](const std::string& root) {
    EXPECT_TRUE(files::is_directory(root + "/d"));
    EXPECT_TRUE(files::is_empty(root + "/d"));
  });
  EXPECT_EQ(FilePaths(items), std::vector<std::string>{"Files"});
}

}  // namespace
}  // namespace wclayer::portable::test
