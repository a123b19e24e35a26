// A tree that is listed ahead is the tree, in whatever order it is asked for.
#include "portable/list_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "portable/names.h"
#include "support/temporary_folder.h"

namespace wclayer::portable::test {
namespace {

class ListAheadTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = wclayer::test::MakeTemporaryFolder("list-ahead");
    auto root = fs::Dir::OpenAbsolute(path_.string());
    ASSERT_TRUE(root);
    root_ = *std::move(root);
  }
  ~ListAheadTest() override { std::filesystem::remove_all(path_); }

  // Folders in each other at random, each with some files. All of their paths, "" among them.
  std::vector<std::string> Fill(std::mt19937_64& random, std::size_t folders) {
    std::vector<std::string> paths = {""};
    for (std::size_t i = 0; i < folders; ++i) {
      std::string path =
          Join(paths[random() % paths.size()], "d" + std::to_string(random() % 1000));
      if (std::find(paths.begin(), paths.end(), path) != paths.end()) continue;
      EXPECT_TRUE(root_.MakeDir(path));
      for (auto files = random() % 5; files != 0; --files)
        EXPECT_TRUE(root_.MakeSmall(path + "/f" + std::to_string(files), std::string(files, 'x')));
      paths.push_back(std::move(path));
    }
    return paths;
  }

  static std::string Text(const ListedNames& names) {
    std::string text;
    for (const ListedName& name : names)
      text += name.name + (name.info.type == fs::Type::kDirectory ? "/" : "") + ":" +
              std::to_string(name.info.inode) + ":" +
              std::to_string(name.info.type == fs::Type::kFile ? name.info.size : 0) + " ";
    return text;
  }
  std::string Truth(const std::string& path) {
    ListedNames names;
    auto dir = root_.OpenDir(path);
    if (!dir) return "gone";
    const auto listed = dir->List();
    for (const auto& item : *listed) names.push_back({item.name, *dir->Stat(item.name)});
    return Text(names);
  }
  static std::string Asked(ListAhead& ahead, const std::string& path) {
    auto listed = ahead.List(path);
    if (!listed) return listed.error().ToString();
    return *listed ? Text(**listed) : "gone";
  }

  std::filesystem::path path_;
  fs::Dir root_;
};

TEST_F(ListAheadTest, EveryFolderIsAsItIsInAnyOrder) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::vector<std::string> paths = Fill(random, 150);
    std::sort(paths.begin(), paths.end());  // near to depth-first: '-' and the like do not occur
    if (seed % 3 == 1) std::shuffle(paths.begin(), paths.end(), random);
    if (seed % 3 == 2) {
      // Most of them in order, some early, some late, some never.
      for (int i = 0; i < 40; ++i)
        std::swap(paths[random() % paths.size()], paths[random() % paths.size()]);
      paths.resize(paths.size() - 20);
    }
    {
      ListAhead ahead(root_);
      for (const std::string& path : paths) ASSERT_EQ(Asked(ahead, path), Truth(path)) << path;
      for (const char* name : {"d1/none", "none"}) EXPECT_EQ(Asked(ahead, name), "gone");
      // A second look is a new one.
      ASSERT_EQ(Asked(ahead, paths[7]), Truth(paths[7]));
    }
    std::filesystem::remove_all(path_);
    std::filesystem::create_directory(path_);
    root_ = *fs::Dir::OpenAbsolute(path_.string());
  }
}

// More than may lie ready: the thread waits for room, and goes on.
TEST_F(ListAheadTest, AWideTreeWaitsForRoom) {
  for (int i = 0; i < 600; ++i) {
    const std::string folder = "d" + std::to_string(10000 + i);
    ASSERT_TRUE(root_.MakeDir(folder));
    for (int file = 0; file < 2; ++file)
      ASSERT_TRUE(root_.MakeSmall(folder + "/" + std::to_string(file), ""));
  }
  ListAhead ahead(root_);
  auto top = ahead.List("");
  ASSERT_TRUE(top);
  ASSERT_EQ((*top)->size(), 600u);
  for (const ListedName& name : **top) ASSERT_EQ(Asked(ahead, name.name), Truth(name.name));
}

TEST_F(ListAheadTest, EndsAtAnyPlace) {
  std::mt19937_64 random(7);
  std::vector<std::string> paths = Fill(random, 100);
  std::sort(paths.begin(), paths.end());
  for (std::size_t end = 0; end < paths.size(); end += 7) {
    ListAhead ahead(root_);
    for (std::size_t i = 0; i < end; ++i) ASSERT_NE(Asked(ahead, paths[i]), "gone");
  }
}

// What vanishes while it is walked is gone or as it was, and nothing else happens.
TEST_F(ListAheadTest, FoldersThatVanishAreGone) {
  std::mt19937_64 random(9);
  std::vector<std::string> paths = Fill(random, 300);
  std::sort(paths.begin(), paths.end());
  ListAhead ahead(root_);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (i == 40) {
      ASSERT_TRUE(root_.RemoveTree(paths.back().substr(0, paths.back().find('/'))));
    }
    const auto listed = ahead.List(paths[i]);
    ASSERT_TRUE(listed) << listed.error().ToString();
    if (*listed) continue;
    EXPECT_EQ(Truth(paths[i]), "gone");
  }
}

}  // namespace
}  // namespace wclayer::portable::test
