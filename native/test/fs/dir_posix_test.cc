#include <cerrno>
#include <climits>

#include "fs/posix.h"
#include "fs/support.h"

namespace wclayer::fs {
namespace {

using test::ErrorOf;
using test::ExpectOk;

class DirTest : public test::FolderTest {};

TEST_F(DirTest, RefusesUnsafePathsBeforeAnySystemCall) {
  const std::string nul("a\0b", 3);
  Write("real", "x");
  for (const std::string& path :
       {std::string("/etc"), std::string("/"), std::string(".."), std::string("."),
        std::string("a/../b"), std::string("../a"), std::string("a/.."), std::string("a/./b"),
        std::string("a//b"), std::string("a/"), nul}) {
    SCOPED_TRACE(path);
    const auto expect_unsafe = [&](const Error& error) {
      EXPECT_EQ(error.code, Errc::kUnsafePath) << error.ToString();
      EXPECT_EQ(error.sys_errno, 0);
      EXPECT_EQ(error.path, path);
    };
    expect_unsafe(ErrorOf(folder_.OpenDir(path)));
    expect_unsafe(ErrorOf(folder_.OpenFile(path)));
    expect_unsafe(ErrorOf(folder_.OpenForUpdate(path)));
    expect_unsafe(ErrorOf(folder_.CreateFile(path)));
    expect_unsafe(ErrorOf(folder_.Stat(path)));
    expect_unsafe(ErrorOf(folder_.Exists(path)));
    expect_unsafe(ErrorOf(folder_.ReadLink(path)));
    expect_unsafe(ErrorOf(folder_.MakeDir(path)));
    expect_unsafe(ErrorOf(folder_.MakeDirs(path)));
    expect_unsafe(ErrorOf(folder_.MakeSymlink("x", path)));
    expect_unsafe(ErrorOf(folder_.MakeHardLink(path, "to")));
    expect_unsafe(ErrorOf(folder_.MakeHardLink("real", path)));
    expect_unsafe(ErrorOf(folder_.MakeWhiteout(path)));
    expect_unsafe(ErrorOf(folder_.Remove(path)));
    expect_unsafe(ErrorOf(folder_.RemoveTree(path)));
    expect_unsafe(ErrorOf(folder_.SetMode(path, 0600)));
    expect_unsafe(ErrorOf(folder_.SetTimes(path, 0, 0)));
    expect_unsafe(ErrorOf(folder_.Rename(path, folder_, "to", Dir::RenameMode::kReplace)));
    expect_unsafe(ErrorOf(folder_.Rename("real", folder_, path, Dir::RenameMode::kReplace)));
    expect_unsafe(ErrorOf(folder_.ReadSmall(path, 10)));
    expect_unsafe(ErrorOf(folder_.ReplaceSmall(path, "x", Durability::kNone)));
  }
  EXPECT_EQ(ErrorOf(folder_.MakeSymlink(nul, "link")).code, Errc::kUnsafePath);
  for (const auto& error :
       {ErrorOf(folder_.Remove("")), ErrorOf(folder_.RemoveTree("")), ErrorOf(folder_.MakeDir("")),
        ErrorOf(folder_.ReplaceSmall("", "x", Durability::kNone))})
    EXPECT_EQ(error.code, Errc::kUnsafePath);
  EXPECT_EQ(folder_.List()->size(), 1u);
}

TEST_F(DirTest, AbsolutePathsMustBeAbsolute) {
  EXPECT_EQ(ErrorOf(Dir::OpenAbsolute("tmp")).code, Errc::kInvalidArgument);
  EXPECT_EQ(ErrorOf(Dir::OpenAbsolute("")).code, Errc::kInvalidArgument);
  EXPECT_EQ(ErrorOf(Dir::MakeAbsolute("tmp")).code, Errc::kInvalidArgument);
  EXPECT_EQ(ErrorOf(Dir::OpenAbsolute(std::string("/\0x", 3))).code, Errc::kUnsafePath);
  EXPECT_EQ(ErrorOf(Dir::OpenAbsolute(path_ + "/absent")).sys_errno, ENOENT);
  ASSERT_OK(Dir::MakeAbsolute(path_ + "/x/y/z"));
  ASSERT_OK(Dir::MakeAbsolute(path_ + "/x/y/z"));
  EXPECT_EQ(folder_.Stat("x/y/z")->mode, 0700u);
  Write("file", "");
  EXPECT_EQ(ErrorOf(Dir::MakeAbsolute(path_ + "/file")).sys_errno, ENOTDIR);
}

TEST_F(DirTest, NothingGoesThroughALink) {
  ASSERT_OK(folder_.MakeDirs("outside/inner"));
  Write("outside/file", "canary");
  ASSERT_OK(folder_.MakeDir("root"));
  const Dir root = *folder_.OpenDir("root");
  ASSERT_OK(root.MakeSymlink("../outside", "relative"));
  ASSERT_OK(root.MakeSymlink(path_ + "/outside", "absolute"));
  ASSERT_OK(root.MakeSymlink("/proc/self/cwd", "magic"));
  ASSERT_OK(root.MakeSymlink("../outside/file", "filelink"));
  ASSERT_OK(root.MakeSymlink("plain", "inside"));
  ASSERT_OK(root.MakeDir("plain"));
  for (const std::string link : {"relative", "absolute", "magic", "inside"}) {
    SCOPED_TRACE(link);
    const auto expect_refused = [](const Error& error) {
      EXPECT_EQ(error.code, Errc::kUnsafePath) << error.ToString();
      EXPECT_EQ(error.sys_errno, ELOOP);
    };
    expect_refused(ErrorOf(root.OpenDir(link)));
    expect_refused(ErrorOf(root.OpenDir(link + "/inner")));
    expect_refused(ErrorOf(root.OpenFile(link + "/file")));
    expect_refused(ErrorOf(root.OpenForUpdate(link + "/file")));
    expect_refused(ErrorOf(root.CreateFile(link + "/new")));
    expect_refused(ErrorOf(root.Stat(link + "/file")));
    expect_refused(ErrorOf(root.MakeDir(link + "/new")));
    expect_refused(ErrorOf(root.MakeDirs(link + "/new/er")));
    expect_refused(ErrorOf(root.MakeSymlink("x", link + "/new")));
    expect_refused(ErrorOf(root.MakeHardLink(link + "/file", "new")));
    expect_refused(ErrorOf(root.Remove(link + "/file")));
    expect_refused(ErrorOf(root.RemoveTree(link + "/inner")));
    expect_refused(ErrorOf(root.SetMode(link + "/file", 0777)));
    expect_refused(ErrorOf(root.SetTimes(link + "/file", 1, 1)));
    expect_refused(ErrorOf(root.Rename(link + "/file", root, "x", Dir::RenameMode::kReplace)));
    expect_refused(ErrorOf(root.ReplaceSmall(link + "/file", "x", Durability::kNone)));
  }
  // As the last component a link is itself.
  EXPECT_EQ(ErrorOf(root.OpenFile("filelink")).code, Errc::kUnsafePath);
  EXPECT_EQ(ErrorOf(root.OpenForUpdate("filelink")).code, Errc::kUnsafePath);
  EXPECT_EQ(ErrorOf(root.CreateFile("filelink")).sys_errno, EEXIST);
  EXPECT_FALSE(root.SetMode("filelink", 0777).has_value());
  EXPECT_EQ(root.Stat("filelink")->type, Type::kSymlink);
  EXPECT_EQ(*root.ReadLink("filelink"), "../outside/file");
  ASSERT_OK(root.SetTimes("filelink", 5, 6));
  ASSERT_OK(root.MakeHardLink("filelink", "second"));
  EXPECT_EQ(root.Stat("second")->type, Type::kSymlink);
  ASSERT_OK(root.ReplaceSmall("filelink", "mine", Durability::kNone));
  EXPECT_EQ(root.Stat("filelink")->type, Type::kFile);
  EXPECT_EQ(Read("outside/file"), "canary");
  EXPECT_EQ(folder_.Stat("outside/file")->mode, 0600u);
  EXPECT_NE(folder_.Stat("outside/file")->mtime_seconds, 1);
  EXPECT_EQ(folder_.OpenDir("outside")->List()->size(), 2u);
}

TEST_F(DirTest, TellsWhatEntriesAre) {
  Write("file", "12345");
  ASSERT_OK(folder_.MakeDir("folder", 0750));
  ASSERT_OK(folder_.MakeSymlink("file", "link"));
  ASSERT_OK(folder_.MakeHardLink("file", "other name"));
  ASSERT_EQ(::mkfifo((path_ + "/fifo").c_str(), 0600), 0);
  const Info file = *folder_.Stat("file");
  EXPECT_EQ(file.type, Type::kFile);
  EXPECT_EQ(file.size, 5u);
  EXPECT_EQ(file.mode, 0600u);
  EXPECT_EQ(file.links, 2u);
  EXPECT_EQ(folder_.Stat("other name")->inode, file.inode);
  EXPECT_EQ(folder_.Stat("folder")->mode, 0750u);
  EXPECT_EQ(folder_.Stat("folder")->type, Type::kDirectory);
  EXPECT_EQ(folder_.Stat("fifo")->type, Type::kOther);
  EXPECT_EQ(folder_.Stat("")->inode, StatFd(folder_.fd())->inode);
  struct stat plain {};
  ASSERT_EQ(::stat((path_ + "/file").c_str(), &plain), 0);
  EXPECT_EQ(file.inode, plain.st_ino);
  EXPECT_EQ(file.device, plain.st_dev);
  EXPECT_EQ(file.ctime_nanos, static_cast<std::uint32_t>(plain.st_ctim.tv_nsec));
  const std::vector<Listed> list = *folder_.List();
  std::string names;
  for (const Listed& item : list) {
    names += item.name + ";";
    EXPECT_EQ(item.type, folder_.Stat(item.name)->type) << item.name;
  }
  EXPECT_EQ(names, "fifo;file;folder;link;other name;");
  EXPECT_EQ(folder_.List()->size(), 5u) << "listing again starts over";
  // Opening a FIFO does not wait for somebody at its other end.
  EXPECT_EQ(ErrorOf(folder_.ReadSmall("fifo", 10)).code, Errc::kLayerDamaged);
}

TEST_F(DirTest, WhiteoutIsACharacterDeviceZero) {
  auto made = folder_.MakeWhiteout("gone");
  if (!made) {  // a file system that lies on overlayfs
    EXPECT_EQ(made.error().code, Errc::kAccessDenied) << made.error().ToString();
    return;
  }
  EXPECT_EQ(folder_.Stat("gone")->type, Type::kCharDevice);
  EXPECT_EQ(folder_.Stat("gone")->rdev, 0u);
  ASSERT_OK(folder_.MakeHardLink("gone", "gone too"));
  EXPECT_EQ(folder_.Stat("gone too")->links, 2u);
}

TEST_F(DirTest, AbsentIsEnoent) {
  for (const std::string path : {"absent", "absent/too"}) {
    EXPECT_EQ(ErrorOf(folder_.OpenDir(path)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.OpenFile(path)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.Stat(path)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.Remove(path)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.ReadSmall(path, 1)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.ReadLink(path)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.Stat(path)).path, path);
    EXPECT_FALSE(*folder_.Exists(path));
    ExpectOk(folder_.RemoveTree(path));
  }
  Write("file", "");
  EXPECT_TRUE(*folder_.Exists("file"));
  EXPECT_FALSE(*folder_.Exists("file/below"));
}

TEST_F(DirTest, MakesAndRemovesFolders) {
  ASSERT_OK(folder_.MakeDirs("a/b/c"));
  ASSERT_OK(folder_.MakeDirs("a/b/c"));
  ASSERT_OK(folder_.MakeDirs("a/b/d/e"));
  ASSERT_OK(folder_.MakeDirs(""));
  EXPECT_EQ(ErrorOf(folder_.MakeDir("a")).sys_errno, EEXIST);
  EXPECT_EQ(ErrorOf(folder_.Remove("a")).sys_errno, ENOTEMPTY);
  Write("a/file", "");
  EXPECT_EQ(ErrorOf(folder_.MakeDirs("a/file")).sys_errno, ENOTDIR);
  EXPECT_EQ(ErrorOf(folder_.MakeDirs("a/file/x")).sys_errno, ENOTDIR);
  ASSERT_OK(folder_.Remove("a/b/c"));
  ASSERT_OK(folder_.Remove("a/file"));
  EXPECT_FALSE(*folder_.Exists("a/b/c"));
}

TEST_F(DirTest, SetsModeAndTimes) {
  Write("file", "");
  ASSERT_OK(folder_.MakeDir("folder"));
  ASSERT_OK(folder_.SetMode("file", 0));
  ASSERT_OK(folder_.SetMode("file", 0400));
  EXPECT_EQ(folder_.Stat("file")->mode, 0400u);
  ASSERT_OK(folder_.SetMode("folder", 0500));
  EXPECT_EQ(folder_.Stat("folder")->mode, 0500u);
  ASSERT_OK(folder_.SetTimes("file", 1700000000, 999'999'999));
  EXPECT_EQ(folder_.Stat("file")->mtime_seconds, 1700000000);
  EXPECT_EQ(folder_.Stat("file")->mtime_nanos, 999'999'999u);
  ASSERT_OK(folder_.SetTimes("", 1234, 5));
  EXPECT_EQ(folder_.Stat("")->mtime_seconds, 1234);
  // UTIME_NOW and UTIME_OMIT are no nanoseconds.
  for (const std::uint32_t nanos : {1'000'000'000u, 0x3fffffffu, 0x3ffffffeu})
    EXPECT_EQ(ErrorOf(folder_.SetTimes("file", 1, nanos)).code, Errc::kInvalidArgument);
  EXPECT_EQ(folder_.Stat("file")->mtime_seconds, 1700000000);
}

TEST_F(DirTest, RenamesInAllModes) {
  using Mode = Dir::RenameMode;
  ASSERT_OK(folder_.MakeDirs("to/sub"));
  const Dir to = *folder_.OpenDir("to");
  Write("a", "A");
  Write("b", "B");
  ASSERT_OK(folder_.Rename("a", to, "sub/moved", Mode::kNoReplace));
  EXPECT_EQ(Read("to/sub/moved"), "A");
  const Error exists = ErrorOf(folder_.Rename("b", to, "sub/moved", Mode::kNoReplace));
  EXPECT_EQ(exists.code, Errc::kLayerExists);
  EXPECT_EQ(exists.sys_errno, EEXIST);
  EXPECT_EQ(exists.path, "sub/moved");
  ASSERT_OK(folder_.Rename("b", to, "sub/moved", Mode::kExchange));
  EXPECT_EQ(Read("to/sub/moved"), "B");
  EXPECT_EQ(Read("b"), "A");
  ASSERT_OK(folder_.Rename("b", to, "sub/moved", Mode::kReplace));
  EXPECT_EQ(Read("to/sub/moved"), "A");
  const Error absent = ErrorOf(folder_.Rename("b", to, "c", Mode::kReplace));
  EXPECT_EQ(absent.sys_errno, ENOENT);
  EXPECT_EQ(absent.path, "b");
  EXPECT_EQ(ErrorOf(folder_.Rename("b", to, "sub/moved", Mode::kExchange)).sys_errno, ENOENT);
}

TEST_F(DirTest, ReadsSmallFilesUpToALimit) {
  Write("file", "12345");
  EXPECT_EQ(*folder_.ReadSmall("file", 5), "12345");
  const Error over = ErrorOf(folder_.ReadSmall("file", 4));
  EXPECT_EQ(over.code, Errc::kLimitExceeded);
  EXPECT_NE(over.message.find('4'), std::string::npos);
  EXPECT_EQ(over.path, "file");
  ASSERT_OK(folder_.MakeDir("folder"));
  EXPECT_EQ(ErrorOf(folder_.ReadSmall("folder", 4)).code, Errc::kLayerDamaged);
}

TEST_F(DirTest, MakesSmallFilesOnce) {
  ASSERT_OK(folder_.MakeDir("sub"));
  ASSERT_OK(folder_.MakeSmall("sub/file", "text"));
  EXPECT_EQ(*folder_.ReadSmall("sub/file", 4), "text");
  const Error again = ErrorOf(folder_.MakeSmall("sub/file", "other"));
  EXPECT_EQ(again.sys_errno, EEXIST);
  EXPECT_EQ(again.path, "sub/file");
  EXPECT_EQ(*folder_.ReadSmall("sub/file", 4), "text");
}

TEST_F(DirTest, ReplacesSmallFilesWhole) {
  ASSERT_OK(folder_.MakeDir("sub"));
  const std::string longest(NAME_MAX, 'n');
  for (const Durability durability : {Durability::kNone, Durability::kData, Durability::kFull}) {
    for (const std::string& name : {std::string("file"), std::string("sub/file"), longest}) {
      ASSERT_OK(folder_.ReplaceSmall(name, "one", durability));
      const UniqueFd old = *folder_.OpenFile(name);
      ASSERT_OK(folder_.ReplaceSmall(name, "second", durability));
      EXPECT_EQ(Read(name), "second");
      std::byte before[10];
      EXPECT_EQ(*ReadAt(old.get(), before, 0), 3u) << "who has it open keeps the old content";
    }
  }
  EXPECT_EQ(folder_.List()->size(), 3u) << "no temporary is left";
  EXPECT_EQ(folder_.OpenDir("sub")->List()->size(), 1u);
  // A target that cannot be replaced: the temporary goes.
  EXPECT_EQ(ErrorOf(folder_.ReplaceSmall("sub", "x", Durability::kFull)).path, "sub");
  EXPECT_EQ(folder_.List()->size(), 3u);
}

TEST_F(DirTest, AFullDiskLeavesTheOldSmallFile) {
  if (!test::EnterPrivateMounts()) {
    EXPECT_NE(::mount("tmpfs", path_.c_str(), "tmpfs", 0, ""), 0) << "mounts work after all";
    return;
  }
  MountTmpfs("small", "size=64k");
  ASSERT_OK(folder_.ReplaceSmall("small/file", "old", Durability::kFull));
  const std::string large(1u << 20, 'x');
  const Error full = ErrorOf(folder_.ReplaceSmall("small/file", large, Durability::kFull));
  EXPECT_EQ(full.code, Errc::kNoSpace);
  EXPECT_EQ(full.sys_errno, ENOSPC);
  EXPECT_EQ(full.path, "small/file");
  EXPECT_EQ(Read("small/file"), "old");
  EXPECT_EQ(folder_.OpenDir("small")->List()->size(), 1u) << "the space is returned";
  ASSERT_OK(folder_.ReplaceSmall("small/file", "new", Durability::kFull));
}

TEST_F(DirTest, PathsBeyondPathMaxWorkEverywhere) {
  std::string deep;
  for (int i = 0; i < 300; ++i)
    deep += (i == 0 ? "" : "/") + std::string(40, static_cast<char>('a' + i % 26));
  ASSERT_GT(deep.size(), 2u * PATH_MAX);
  ASSERT_OK(folder_.MakeDirs(deep));
  ASSERT_OK(folder_.OpenDir(deep));
  Write(deep + "/file", "deep");
  EXPECT_EQ(Read(deep + "/file"), "deep");
  EXPECT_EQ(folder_.Stat(deep + "/file")->size, 4u);
  ASSERT_OK(folder_.MakeSymlink("x", deep + "/link"));
  EXPECT_EQ(*folder_.ReadLink(deep + "/link"), "x");
  ASSERT_OK(folder_.MakeHardLink(deep + "/file", deep + "/second"));
  ASSERT_OK(folder_.ReplaceSmall(deep + "/file", "replaced", Durability::kFull));
  EXPECT_EQ(Read(deep + "/second"), "deep");
  ASSERT_OK(folder_.SetMode(deep + "/file", 0400));
  ASSERT_OK(folder_.SetTimes(deep + "/file", 1, 2));
  ASSERT_OK(folder_.Rename(deep + "/file", folder_, "up", Dir::RenameMode::kNoReplace));
  EXPECT_EQ(Read("up"), "replaced");
  ASSERT_OK(folder_.OpenForUpdate(deep + "/second"));
  ASSERT_OK(folder_.Remove(deep + "/second"));
  EXPECT_EQ(ErrorOf(folder_.OpenFile(deep + "/second")).path, deep + "/second");
  EXPECT_EQ(ErrorOf(folder_.OpenFile(deep + "/second")).sys_errno, ENOENT);
  EXPECT_EQ(ErrorOf(folder_.OpenFile(std::string(5000, 'x') + "/y")).sys_errno, ENAMETOOLONG);
  EXPECT_EQ(ErrorOf(folder_.Stat(std::string(256, 'x'))).sys_errno, ENAMETOOLONG);
}

// Importers make many files in one folder: a name alone must not cost an open of its parent.
TEST_F(DirTest, OneComponentIsOneSystemCall) {
  using Calls = std::vector<long>;
  const long open = wclayer::test::HasOpenat2() ? SYS_openat2 : SYS_openat;
  Write("file", "");
  ASSERT_OK(folder_.SetMode("file", 0600));
  const auto calls_of = [](const std::function<bool()>& code) {
    const test::Trace trace = test::TraceCalls([&] { return code() ? 0 : 1; });
    EXPECT_EQ(trace.result, 0);
    return trace.calls;
  };
  EXPECT_EQ(calls_of([&] { return bool(folder_.CreateFile("new")); }), (Calls{open, SYS_close}));
  EXPECT_EQ(calls_of([&] { return bool(folder_.OpenFile("new")); }), (Calls{open, SYS_close}));
  EXPECT_EQ(calls_of([&] { return bool(folder_.Stat("new")); }), Calls{SYS_statx});
  EXPECT_EQ(calls_of([&] { return bool(folder_.MakeDir("dir")); }), Calls{SYS_mkdirat});
  EXPECT_EQ(calls_of([&] { return bool(folder_.MakeSymlink("x", "link")); }), Calls{SYS_symlinkat});
  EXPECT_EQ(calls_of([&] { return bool(folder_.MakeHardLink("new", "hard")); }), Calls{SYS_linkat});
  EXPECT_EQ(calls_of([&] { return bool(folder_.SetTimes("new", 1, 1)); }), Calls{SYS_utimensat});
  EXPECT_EQ(calls_of([&] {
              return bool(folder_.Rename("hard", folder_, "new2", Dir::RenameMode::kReplace));
            }),
            Calls{SYS_renameat2});
  EXPECT_EQ(calls_of([&] { return bool(folder_.Remove("new2")); }), Calls{SYS_unlinkat});
  EXPECT_EQ(calls_of([&] { return !folder_.OpenFile("a/../b"); }), Calls{});
}

// fchmodat2 is of Linux 6.6; older container runtimes answer EPERM for it.
TEST_F(DirTest, SetsAModeWhereTheNewCallIsMissing) {
  constexpr long kSysFchmodat2 = 452;
  Write("file", "");
  ASSERT_OK(folder_.MakeSymlink("file", "link"));
  const auto set_and_check = [&](std::uint32_t mode) {
    if (ChmodNoFollow(folder_.fd(), "file", mode) != 0) return 1;
    if (ChmodNoFollow(folder_.fd(), "link", 0777) == 0) return 2;
    if (ChmodNoFollow(folder_.fd(), "absent", 0777) == 0 || errno != ENOENT) return 3;
    return 0;
  };
  EXPECT_EQ(set_and_check(0640), 0);
  EXPECT_EQ(folder_.Stat("file")->mode, 0640u);
  for (const int refusal : {ENOSYS, EPERM}) {
    const auto mode = static_cast<std::uint32_t>(0400 + refusal % 8);
    EXPECT_EQ(test::RunInChild([&] {
                return wclayer::test::RefuseCall(kSysFchmodat2, refusal) ? set_and_check(mode) : 99;
              }),
              0);
    EXPECT_EQ(folder_.Stat("file")->mode, mode);
  }
}

TEST_F(DirTest, ClonesAndSyncs) {
  Write("file", "x");
  const Dir clone = *folder_.Clone();
  EXPECT_NE(clone.fd(), folder_.fd());
  EXPECT_EQ(clone.Stat("")->inode, folder_.Stat("")->inode);
  ExpectOk(clone.Sync());
  ExpectOk(clone.SyncFileSystem());
  EXPECT_FALSE(static_cast<bool>(Dir()));
}

}  // namespace
}  // namespace wclayer::fs
