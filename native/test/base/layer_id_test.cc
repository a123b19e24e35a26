#include "base/layer_id.h"

#include <gtest/gtest.h>

namespace wclayer {
namespace {

TEST(Ids, AcceptsWhatStoresUse) {
  for (const char* id :
       {"a", "0", "base-1", "ecca0170f401bd3132a4b0fa72abea915e0f6ef94003dff5c00e6d3f93fc149b",
        "x.y_z-init", "console", "com10"}) {
    EXPECT_TRUE(CheckId(id)) << id;
  }
  EXPECT_TRUE(CheckId(std::string(128, 'a')));
}

TEST(Ids, RefusesEverythingElse) {
  for (const char* id : {"",     ".",      "..",         "-a",         "_a",       "a/b", "a\\b",
                         "../a", "a.",     "x-removing", "X-Removing", "con",      "NUL", "nul.txt",
                         "com1", "LPT9.a", "a b",        "a:b",        "\xC3\xA4", "a\n"}) {
    const auto checked = CheckId(id);
    ASSERT_FALSE(checked) << id;
    EXPECT_EQ(checked.error().code, Errc::kInvalidArgument) << id;
    EXPECT_NE(checked.error().message.find("not a layer id"), std::string::npos) << id;
  }
  const auto length = CheckId(std::string(129, 'a'));
  ASSERT_FALSE(length);
  EXPECT_NE(length.error().message.find("kMaxIdLength"), std::string::npos);
}

TEST(Ids, ARemovalIsTheNameOfALayerWithAnEnd) {
  EXPECT_TRUE(CheckIdOrRemoval("x"));
  EXPECT_TRUE(CheckIdOrRemoval("x-removing"));
  EXPECT_TRUE(CheckIdOrRemoval(std::string(128, 'a') + "-removing"));
  for (const char* name : {"", "-removing", "x-removing-removing", "x-REMOVING", "a.-removing"})
    EXPECT_FALSE(CheckIdOrRemoval(name)) << name;
}

TEST(Ids, LastComponentTakesEitherSeparator) {
  EXPECT_EQ(LastComponent("/a/b/c"), "c");
  EXPECT_EQ(LastComponent("C:\\a\\b"), "b");
  EXPECT_EQ(LastComponent("/a/b/"), "b");
  EXPECT_EQ(LastComponent("c"), "c");
}

TEST(Ids, AreComparedWithoutCase) {
  EXPECT_TRUE(SameId("Base", "bASE"));
  EXPECT_FALSE(SameId("Base", "bas"));
}

}  // namespace
}  // namespace wclayer
