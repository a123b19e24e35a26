#include "fs/folder_names.h"

#include "fs/support.h"

namespace wclayer::fs {
namespace {

using test::ExpectOk;

class FolderNamesTest : public test::FolderTest {
 protected:
  // As whoever makes a layer does it.
  void Make(const std::string& name) {
    ExpectOk(NoteCapitals(folder_, name));
    ExpectOk(folder_.MakeDir(name));
  }
  std::string Find(const std::string& name) { return *FindFolder(folder_, name); }
  bool Noted() { return *folder_.Exists(kCapitalsFile); }
};

TEST_F(FolderNamesTest, FindsAFolderWithoutCase) {
  Make("Layer-1.a");
  ASSERT_TRUE(folder_.CreateFile("file"));
  EXPECT_EQ(Find("Layer-1.a"), "Layer-1.a");
  EXPECT_EQ(Find("LAYER-1.A"), "Layer-1.a");
  EXPECT_EQ(Find("layer-1.a"), "Layer-1.a");
  EXPECT_EQ(Find("Layer-1.b"), "");
  EXPECT_EQ(Find("Layer-1"), "");
  EXPECT_EQ(Find("FILE"), "") << "a file is no folder";
  Make("LAYER-1.A");
  EXPECT_EQ(Find("LAYER-1.A"), "LAYER-1.A") << "the very name comes first";
}

TEST_F(FolderNamesTest, NothingIsSearchedWithoutCapitals) {
  Make("layer-1");
  EXPECT_EQ(Find("LAYER-1"), "layer-1");
  EXPECT_EQ(Find("layer-2"), "");
  EXPECT_EQ(Find("LAYER-2"), "");
  EXPECT_FALSE(Noted());
  // One that appears without a word is not looked for: that is what makes the search short.
  ASSERT_TRUE(folder_.MakeDir("Layer-2"));
  EXPECT_EQ(Find("layer-2"), "");
  EXPECT_EQ(Find("Layer-2"), "Layer-2");
}

TEST_F(FolderNamesTest, FoldersOfOthersAreNotedWhenAHomeIsOpened) {
  ASSERT_TRUE(folder_.MakeDir("small"));
  ExpectOk(NoteCapitalsOfAll(folder_));
  EXPECT_FALSE(Noted());
  ASSERT_TRUE(folder_.CreateFile("File"));
  ExpectOk(NoteCapitalsOfAll(folder_));
  EXPECT_FALSE(Noted()) << "a file is no folder";
  ASSERT_TRUE(folder_.MakeDir("From-Elsewhere"));
  ExpectOk(NoteCapitalsOfAll(folder_));
  EXPECT_TRUE(Noted());
  EXPECT_EQ(Find("from-elsewhere"), "From-Elsewhere");
}

}  // namespace
}  // namespace wclayer::fs
