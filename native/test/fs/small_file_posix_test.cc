#include "fs/small_file.h"

#include <atomic>
#include <cerrno>
#include <thread>

#include "fs/lock.h"
#include "fs/support.h"

namespace wclayer::fs {
namespace {

using test::ErrorOf;

class SmallFileTest : public test::FolderTest {
 protected:
  SmallFileTest() {
    UseFastFolder();
    EXPECT_TRUE(folder_.MakeDirs("locks").has_value());
    EXPECT_TRUE(folder_.MakeDirs("a/b").has_value());
    locks_ = *folder_.OpenDir("locks");
  }
  Status Put(std::string_view path, std::string_view text,
             Durability durability = Durability::kFull,
             Dir::RenameMode mode = Dir::RenameMode::kReplace) {
    return PutSmallFile(locks_, folder_, path, text, durability, mode);
  }

  Dir locks_;
};

TEST_F(SmallFileTest, TakesThePlaceOfWhatIsThere) {
  for (const Durability durability : {Durability::kNone, Durability::kData, Durability::kFull}) {
    ASSERT_OK(Put("a/b/file", "a first text", durability));
    EXPECT_EQ(Read("a/b/file"), "a first text");
    ASSERT_OK(Put("a/b/file", "", durability));
    EXPECT_EQ(Read("a/b/file"), "");
  }
  EXPECT_EQ(folder_.Stat("a/b/file")->mode, 0600u);
  EXPECT_EQ(locks_.List()->size(), 0u);
}

TEST_F(SmallFileTest, WhoeverIsSecondMayBeRefused) {
  ASSERT_OK(Put("file", "one", Durability::kNone, Dir::RenameMode::kNoReplace));
  const Error second = ErrorOf(Put("file", "two", Durability::kNone, Dir::RenameMode::kNoReplace));
  EXPECT_EQ(second.code, Errc::kLayerExists);
  EXPECT_EQ(Read("file"), "one");
  EXPECT_EQ(locks_.List()->size(), 0u);
}

TEST_F(SmallFileTest, AFailureNamesTheFileAndLeavesNothing) {
  const Error absent = ErrorOf(Put("absent/file", "x"));
  EXPECT_EQ(absent.sys_errno, ENOENT);
  EXPECT_EQ(absent.path, "absent/file");
  EXPECT_EQ(ErrorOf(Put("a", "x")).path, "a") << "a folder is no small file";
  EXPECT_EQ(ErrorOf(Put("../x", "x")).code, Errc::kUnsafePath);
  EXPECT_EQ(locks_.List()->size(), 0u);
}

// What is written is nobody's to take away; what a dead process left is.
TEST_F(SmallFileTest, ARecoveryTakesOnlyWhatNobodyWrites) {
  std::atomic<bool> stop{false};
  Status swept;
  std::thread sweeper([&] {
    while (!stop && swept) swept = RemoveFreeLocks(locks_, kSmallFileLock);
  });
  for (int i = 0; i < 2'000; ++i) {
    const std::string text = std::to_string(i);
    const Status put = Put("a/file", text, Durability::kNone);
    EXPECT_TRUE(put.has_value()) << put.error().ToString();
    if (!put) break;
    ASSERT_EQ(Read("a/file"), text);
  }
  stop = true;
  sweeper.join();
  ASSERT_OK(swept);
  EXPECT_EQ(locks_.List()->size(), 0u);
  { const UniqueFd left = *locks_.CreateFile("small+0123"); }
  ASSERT_OK(RemoveFreeLocks(locks_, kSmallFileLock));
  EXPECT_EQ(locks_.List()->size(), 0u);
}

}  // namespace
}  // namespace wclayer::fs
