// A folder that is open can be removed on Linux, which says so only when it is read.
#include <gtest/gtest.h>

#include "portable/list_ahead.h"
#include "support/temporary_folder.h"

namespace wclayer::portable::test {
namespace {

TEST(ListAheadPosix, AFolderThatIsRemovedWhileOpenIsGone) {
  const auto path = wclayer::test::MakeTemporaryFolder("list-ahead");
  const auto root = fs::Dir::OpenAbsolute(path.string());
  ASSERT_TRUE(root);
  std::filesystem::remove_all(path);
  ListAhead ahead(*root);
  const auto listed = ahead.List("");
  ASSERT_TRUE(listed) << listed.error().ToString();
  EXPECT_FALSE(*listed);
}

}  // namespace
}  // namespace wclayer::portable::test
