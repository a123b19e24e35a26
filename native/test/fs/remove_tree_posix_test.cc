#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <random>

#include "fs/support.h"

namespace wclayer::fs {
namespace {

using test::ErrorOf;
using test::kNobody;

class RemoveTreeTest : public test::FolderTest {
 protected:
  void MakeCanary() {
    ASSERT_OK(folder_.MakeDirs("outside/folder"));
    Write("outside/file", "canary");
  }
  void ExpectCanary() {
    EXPECT_EQ(Read("outside/file"), "canary");
    EXPECT_TRUE(*folder_.Exists("outside/folder"));
  }
};

TEST_F(RemoveTreeTest, RemovesFilesLinksAndAbsentThings) {
  MakeCanary();
  Write("file", "");
  ASSERT_OK(folder_.MakeSymlink("outside", "link"));
  ASSERT_OK(folder_.RemoveTree("file"));
  ASSERT_OK(folder_.RemoveTree("link"));
  ASSERT_OK(folder_.RemoveTree("absent"));
  EXPECT_EQ(folder_.List()->size(), 1u);
  ExpectCanary();
}

TEST_F(RemoveTreeTest, NeverFollowsALink) {
  MakeCanary();
  ASSERT_OK(folder_.MakeDirs("tree/a/b"));
  for (const std::string where : {"tree/", "tree/a/", "tree/a/b/"}) {
    ASSERT_OK(folder_.MakeSymlink("../outside", where + "near"));
    ASSERT_OK(folder_.MakeSymlink(path_ + "/outside", where + "absolute"));
    ASSERT_OK(folder_.MakeSymlink("/", where + "root"));
    ASSERT_OK(folder_.MakeSymlink("..", where + "up"));
    ASSERT_OK(folder_.MakeHardLink("outside/file", where + "hard"));
  }
  ASSERT_OK(folder_.RemoveTree("tree"));
  EXPECT_FALSE(*folder_.Exists("tree"));
  EXPECT_EQ(folder_.Stat("outside/file")->links, 1u);
  ExpectCanary();
}

TEST_F(RemoveTreeTest, RandomTreesGoWhole) {
  UseFastFolder();
  MakeCanary();
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    ASSERT_OK(folder_.MakeDir("tree"));
    std::vector<std::string> folders = {"tree"};
    for (int i = 0; i < 300; ++i) {
      const std::string path = folders[random() % folders.size()] + "/" + std::to_string(i);
      switch (random() % 4) {
        case 0:
          ASSERT_OK(folder_.MakeSymlink("../outside", path));
          break;
        case 1:
          Write(path, "x");
          break;
        default:
          ASSERT_OK(folder_.MakeDir(path));
          folders.push_back(path);
      }
    }
    ASSERT_OK(folder_.RemoveTree("tree"));
    EXPECT_FALSE(*folder_.Exists("tree"));
  }
  ExpectCanary();
}

TEST_F(RemoveTreeTest, ThirtyThousandLevelsWithFewHandles) {
  UseFastFolder();
  ASSERT_OK(folder_.MakeDir("d"));
  Dir here = *folder_.OpenDir("d");
  for (int depth = 1; depth < 30'000; ++depth) {
    ASSERT_OK(here.MakeDir("d"));
    here = *here.OpenDir("d");
  }
  here = Dir();
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit few = old;
  few.rlim_cur = static_cast<rlim_t>(folder_.Clone()->fd()) + 4;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  auto removed = folder_.RemoveTree("d");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  ASSERT_OK(removed);
  EXPECT_FALSE(*folder_.Exists("d"));
}

// Each folder is listed once, however many siblings it has (WinSxS has 20,000).
TEST_F(RemoveTreeTest, WideTreesAreReadOnce) {
  UseFastFolder();
  constexpr std::size_t kFolders = 300;
  for (std::size_t i = 0; i < kFolders; ++i) {
    ASSERT_OK(folder_.MakeDirs("tree/" + std::to_string(i)));
    Write("tree/" + std::to_string(i) + "/file", "");
  }
  const test::Trace trace = test::TraceCalls([&] { return folder_.RemoveTree("tree") ? 0 : 1; });
  EXPECT_EQ(trace.result, 0);
  EXPECT_FALSE(*folder_.Exists("tree"));
  const auto count = [&](long call) {
    return static_cast<std::size_t>(std::count(trace.calls.begin(), trace.calls.end(), call));
  };
  EXPECT_LE(count(SYS_getdents64), 2 * kFolders + 10);
  EXPECT_EQ(count(SYS_unlinkat), 2 * kFolders + 2) << "one for each entry";
}

TEST_F(RemoveTreeTest, FilesCostOneCallEach) {
  UseFastFolder();
  constexpr std::size_t kFiles = 2'000;
  ASSERT_OK(folder_.MakeDir("tree"));
  const Dir tree = *folder_.OpenDir("tree");
  for (std::size_t i = 0; i < kFiles; ++i) ASSERT_OK(tree.CreateFile(std::to_string(i)));
  const test::Trace trace = test::TraceCalls([&] { return folder_.RemoveTree("tree") ? 0 : 1; });
  EXPECT_EQ(trace.result, 0);
  EXPECT_LE(trace.calls.size(), kFiles + 20);
}

TEST_F(RemoveTreeTest, FoldersWithoutPermissionBits) {
  const auto build_and_remove = [&] {
    const auto failed = [](const Status& status) {
      if (!status) std::fprintf(stderr, "%s\n", status.error().ToString().c_str());
      return !status.has_value();
    };
    if (failed(folder_.MakeDirs("tree/none/sub/leaf")) ||
        failed(folder_.MakeDirs("tree/r/only/x")) || failed(folder_.MakeDirs("tree/w/x")) ||
        failed(folder_.MakeDirs("tree/rx/x/y")))
      return 1;
    for (const char* file : {"tree/none/sub/f", "tree/r/f", "tree/w/f", "tree/rx/x/f"})
      if (!folder_.CreateFile(file, 0)) return 2;
    const std::pair<const char*, std::uint32_t> modes[] = {
        {"tree/none/sub", 0}, {"tree/none", 0},    {"tree/r/only", 0400}, {"tree/r", 0400},
        {"tree/w", 0200},     {"tree/rx/x", 0500}, {"tree/rx", 0500},     {"tree", 0}};
    for (const auto& [path, mode] : modes)
      if (failed(folder_.SetMode(path, mode))) return 3;
    if (failed(folder_.RemoveTree("tree"))) return 4;
    return 0;
  };
  if (::geteuid() != 0) {
    EXPECT_EQ(build_and_remove(), 0);
    return;
  }
  ASSERT_EQ(::chown(path_.c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(test::RunInChild([&] {
              if (::setresgid(kNobody, kNobody, kNobody) != 0) return 98;
              if (::setresuid(kNobody, kNobody, kNobody) != 0) return 99;
              return build_and_remove();
            }),
            0);
  EXPECT_FALSE(*folder_.Exists("tree"));
}

TEST_F(RemoveTreeTest, ImmutableEntriesAreNamed) {
  ASSERT_OK(folder_.MakeDirs("tree/a/b"));
  Write("tree/a/b/fixed", "x");
  const UniqueFd fixed = *folder_.OpenFile("tree/a/b/fixed");
  const UniqueFd fixed_folder = *folder_.OpenFile("tree/a/b");
  const auto set = [](int fd, int flags) { return ::ioctl(fd, FS_IOC_SETFLAGS, &flags); };
  if (set(fixed.get(), FS_IMMUTABLE_FL) != 0) {  // no right, or a file system without the flag
    ASSERT_TRUE(errno == EPERM || errno == ENOTTY || errno == EOPNOTSUPP) << errno;
    ASSERT_OK(folder_.RemoveTree("tree"));
    return;
  }
  const Error error = ErrorOf(folder_.RemoveTree("tree"));
  const Error single = ErrorOf(folder_.Remove("tree/a/b/fixed"));
  ASSERT_EQ(set(fixed.get(), 0), 0);
  EXPECT_EQ(error.code, Errc::kAccessDenied);
  EXPECT_EQ(error.sys_errno, EPERM);
  EXPECT_EQ(error.path, "tree/a/b/fixed");
  EXPECT_NE(error.message.find("immutable"), std::string::npos) << error.message;
  EXPECT_EQ(single.sys_errno, EPERM);

  ASSERT_EQ(set(fixed_folder.get(), FS_APPEND_FL), 0);
  const Error folder_error = ErrorOf(folder_.RemoveTree("tree"));
  ASSERT_EQ(set(fixed_folder.get(), 0), 0);
  EXPECT_NE(folder_error.message.find("its folder is immutable or append-only"), std::string::npos)
      << folder_error.message;
  ASSERT_OK(folder_.RemoveTree("tree"));
}

TEST_F(RemoveTreeTest, NeverCrossesAMount) {
  MakeCanary();
  ASSERT_OK(folder_.MakeDirs("tree/deep/mounted"));
  Write("tree/deep/file", "");
  const std::string target = path_ + "/tree/deep/mounted";
  const std::string source = path_ + "/outside";
  if (!test::EnterPrivateMounts()) {
    EXPECT_NE(::mount(source.c_str(), target.c_str(), "none", MS_BIND, nullptr), 0)
        << "mounts work after all";
    return;
  }
  const auto expect_busy = [&](const char* tree, const char* mounted) {
    const Error error = ErrorOf(folder_.RemoveTree(tree));
    EXPECT_EQ(error.code, Errc::kLayerBusy) << error.ToString();
    EXPECT_EQ(error.path, mounted);
    EXPECT_NE(error.message.find("mounted"), std::string::npos) << error.message;
    ExpectCanary();
  };
  // A bind mount has the st_dev of the tree around it.
  ASSERT_EQ(::mount(source.c_str(), target.c_str(), "none", MS_BIND, nullptr), 0);
  expect_busy("tree", "tree/deep/mounted");
  expect_busy("tree/deep/mounted", "tree/deep/mounted");
  ASSERT_EQ(::umount2(target.c_str(), 0), 0);
  // A bind mount of a file on a file.
  ASSERT_OK(folder_.MakeDirs("tree/deep"));
  Write("tree/deep/onfile", "");
  const std::string file_target = path_ + "/tree/deep/onfile";
  ASSERT_EQ(::mount((source + "/file").c_str(), file_target.c_str(), "none", MS_BIND, nullptr), 0);
  expect_busy("tree", "tree/deep/onfile");
  ASSERT_EQ(::umount2(file_target.c_str(), 0), 0);
  MountTmpfs("tree/other", "size=64k");
  expect_busy("tree", "tree/other");
  ASSERT_EQ(::umount2((path_ + "/tree/other").c_str(), 0), 0);
  mounted_.clear();
  ASSERT_OK(folder_.RemoveTree("tree"));
  ExpectCanary();
}

// Moved away while we are in it, a folder's ".." is one that nobody asked to empty.
TEST_F(RemoveTreeTest, AFolderMovedMeanwhileDoesNotLeadOutside) {
  MakeCanary();
  ASSERT_OK(folder_.MakeDirs("tree/a/b/c"));
  Write("tree/a/b/c/file", "");
  int unlinks = 0;
  const test::Trace trace = test::TraceCalls(
      [&] {
        auto removed = folder_.RemoveTree("tree");
        if (removed) return 1;
        return removed.error().code == Errc::kLayerBusy && removed.error().path == "tree/a/b" ? 0
                                                                                              : 2;
      },
      [&](long call) {
        // The first is that of the tree itself, as if it were a file; the second removes the file.
        if (call == SYS_unlinkat && ++unlinks == 2)
          test::ExpectOk(
              folder_.Rename("tree/a/b", folder_, "outside/b", Dir::RenameMode::kNoReplace));
      });
  EXPECT_EQ(trace.result, 0);
  ExpectCanary();
  EXPECT_TRUE(*folder_.Exists("outside/b"));
}

TEST_F(RemoveTreeTest, AFolderReplacedByALinkMeanwhileIsNotFollowed) {
  MakeCanary();
  ASSERT_OK(folder_.MakeDirs("tree/a/b"));
  bool listed = false;
  const test::Trace trace = test::TraceCalls(
      [&] { return folder_.RemoveTree("tree") ? 0 : 1; },
      [&](long call) {
        if (call == SYS_getdents64) listed = true;
        if (!listed || (call != SYS_openat2 && call != SYS_openat)) return;
        if (!*folder_.Exists("tree/a") || *folder_.Exists("aside")) return;
        // What is to be opened is tree/a.
        test::ExpectOk(folder_.Rename("tree/a", folder_, "aside", Dir::RenameMode::kNoReplace));
        test::ExpectOk(folder_.MakeSymlink("../outside", "tree/a"));
      });
  EXPECT_EQ(trace.result, 0);
  EXPECT_FALSE(*folder_.Exists("tree"));
  EXPECT_TRUE(*folder_.Exists("aside/b"));
  ExpectCanary();
}

TEST_F(RemoveTreeTest, AFolderFilledAgainIsEmptiedAgain) {
  ASSERT_OK(folder_.MakeDirs("tree/a"));
  int times = 0;
  const test::Trace trace = test::TraceCalls([&] { return folder_.RemoveTree("tree") ? 0 : 1; },
                                             [&](long call) {
                                               if (call != SYS_unlinkat || ++times == 1) return;
                                               // tree/a is about to be removed; then tree.
                                               if (times == 2) Write("tree/a/late", "");
                                               if (times == 5) Write("tree/later", "");
                                             });
  EXPECT_EQ(trace.result, 0);
  EXPECT_FALSE(*folder_.Exists("tree"));
}

TEST_F(RemoveTreeTest, TwoAtOnceBothSucceed) {
  UseFastFolder();
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(folder_.MakeDirs("tree/" + std::to_string(i % 7) + "/" + std::to_string(i)));
    Write("tree/" + std::to_string(i % 7) + "/" + std::to_string(i) + "/f", "");
  }
  // One is stopped at each of its calls, and the other removes everything at the 50th.
  int calls = 0;
  const test::Trace trace = test::TraceCalls([&] { return folder_.RemoveTree("tree") ? 0 : 1; },
                                             [&](long) {
                                               if (++calls == 50)
                                                 test::ExpectOk(folder_.RemoveTree("tree"));
                                             });
  EXPECT_EQ(trace.result, 0);
  EXPECT_FALSE(*folder_.Exists("tree"));
}

}  // namespace
}  // namespace wclayer::fs
