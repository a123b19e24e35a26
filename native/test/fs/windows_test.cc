// The Windows side of this module: the same promises as on Linux, kept by other calls.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <random>
#include <thread>

#include "base/windows.h"
#include "fs/dir.h"
#include "fs/lock.h"
#include "fs/mount.h"
#include "fs/system.h"
#include "support/remove_folder.h"
#include "support/temporary_folder.h"

namespace wclayer::fs {
namespace {

using std::chrono::milliseconds;

template <class T>
Error ErrorOf(Expected<T> result) {
  if (result) {
    ADD_FAILURE() << "no error";
    return {};
  }
  return std::move(result).error();
}

#define ASSERT_OK(EXPRESSION)                                                         \
  do {                                                                                \
    const auto assert_ok_status = (EXPRESSION);                                       \
    ASSERT_TRUE(assert_ok_status.has_value()) << assert_ok_status.error().ToString(); \
  } while (false)

class WindowsFolderTest : public testing::Test {
 protected:
  WindowsFolderTest()
      : path_(wclayer::test::MakeTemporaryFolder("fs").string()),
        folder_(*Dir::OpenAbsolute(path_)) {}
  ~WindowsFolderTest() override {
    folder_ = Dir();
    wclayer::test::RemoveFolder(path_);
  }

  void Write(const std::string& name, std::string_view text) {
    const auto file = folder_.CreateFile(name);
    ASSERT_TRUE(file) << file.error().ToString();
    ASSERT_OK(WriteAt(file->get(), AsBytes(text), 0));
  }
  std::string Read(const std::string& name) {
    auto text = folder_.ReadSmall(name, 1u << 20);
    return text ? *std::move(text) : text.error().ToString();
  }

  std::string path_;
  Dir folder_;
};

using WindowsDirTest = WindowsFolderTest;

TEST_F(WindowsDirTest, RefusesUnsafePathsBeforeAnySystemCall) {
  Write("real", "x");
  const std::string nul("a\0b", 3);
  for (const std::string& path :
       {std::string("/etc"), std::string(".."), std::string("."), std::string("a/../b"),
        std::string("../a"), std::string("a/.."), std::string("a//b"), std::string("a/"),
        std::string("a\\..\\b"), std::string("\\Windows"), std::string("C:/Windows"),
        std::string("real:stream"), std::string("real::$DATA"), nul}) {
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
    expect_unsafe(ErrorOf(folder_.MakeDir(path)));
    expect_unsafe(ErrorOf(folder_.MakeDirs(path)));
    expect_unsafe(ErrorOf(folder_.MakeHardLink(path, "to")));
    expect_unsafe(ErrorOf(folder_.MakeHardLink("real", path)));
    expect_unsafe(ErrorOf(folder_.Remove(path)));
    expect_unsafe(ErrorOf(folder_.RemoveTree(path)));
    expect_unsafe(ErrorOf(folder_.SetMode(path, 0600)));
    expect_unsafe(ErrorOf(folder_.Rename(path, folder_, "to", Dir::RenameMode::kReplace)));
    expect_unsafe(ErrorOf(folder_.Rename("real", folder_, path, Dir::RenameMode::kReplace)));
    expect_unsafe(ErrorOf(folder_.ReplaceSmall(path, "x", Durability::kNone)));
  }
  EXPECT_EQ(ErrorOf(folder_.Remove("")).code, Errc::kUnsafePath);
  EXPECT_EQ(folder_.List()->size(), 1u);
}

TEST_F(WindowsDirTest, AbsolutePathsMustBeAbsolute) {
  for (const char* path : {"", "tmp", "\\tmp", "/tmp", "C:", "C:tmp"}) {
    EXPECT_EQ(ErrorOf(Dir::OpenAbsolute(path)).code, Errc::kInvalidArgument) << path;
    EXPECT_EQ(ErrorOf(Dir::MakeAbsolute(path)).code, Errc::kInvalidArgument) << path;
  }
  EXPECT_EQ(ErrorOf(Dir::OpenAbsolute(path_ + "\\absent")).sys_errno, ENOENT);
  ASSERT_OK(Dir::MakeAbsolute(path_ + "/x\\y/z"));
  ASSERT_OK(Dir::MakeAbsolute("\\\\?\\" + Canonical(path_) + "\\x\\y\\z"));
  EXPECT_EQ(folder_.Stat("x/y/z")->type, Type::kDirectory);
  Write("file", "");
  EXPECT_EQ(ErrorOf(Dir::MakeAbsolute(path_ + "\\file")).sys_errno, ENOTDIR);
}

TEST_F(WindowsDirTest, OnePathHasManySpellings) {
  const std::string plain = Canonical(path_);
  for (const std::string& spelling :
       {path_ + "\\", path_ + "/", path_ + "\\a\\..", path_ + "\\.\\", "\\\\?\\" + plain})
    EXPECT_EQ(Canonical(spelling), plain);
  EXPECT_EQ(PathKey("C:\\Layers"), PathKey("c:\\LAYERS"));
  EXPECT_EQ(Canonical("C:\\"), "C:\\");
  EXPECT_EQ(Canonical("\\\\server\\share\\x"), "\\\\server\\share\\x");
}

TEST_F(WindowsDirTest, TellsWhatEntriesAre) {
  Write("file", "12345");
  ASSERT_OK(folder_.MakeDir("folder"));
  ASSERT_OK(folder_.MakeHardLink("file", "other name"));
  Write("\xC3\xBC \xF0\x9F\x98\x80", "");
  const Info file = *folder_.Stat("file");
  EXPECT_EQ(file.type, Type::kFile);
  EXPECT_EQ(file.size, 5u);
  EXPECT_EQ(file.mode, 0600u);
  EXPECT_EQ(file.links, 2u);
  EXPECT_EQ(folder_.Stat("other name")->inode, file.inode);
  EXPECT_EQ(folder_.Stat("folder")->mode, 0700u);
  EXPECT_EQ(folder_.Stat("")->inode, StatFd(folder_.fd())->inode);
  std::string names;
  const std::vector<Listed> list = *folder_.List();
  for (const Listed& item : list) {
    names += item.name + ";";
    EXPECT_EQ(item.type, folder_.Stat(item.name)->type) << item.name;
  }
  EXPECT_EQ(names, "file;folder;other name;\xC3\xBC \xF0\x9F\x98\x80;");
  EXPECT_EQ(folder_.List()->size(), 4u) << "listing again starts over";
}

TEST_F(WindowsDirTest, ManyEntriesAreListedWhole) {
  for (int i = 0; i < 1500; ++i) Write("a file of a rather long name " + std::to_string(i), "");
  EXPECT_EQ(folder_.List()->size(), 1500u);
}

TEST_F(WindowsDirTest, AbsentIsEnoent) {
  for (const std::string path : {"absent", "absent/too"}) {
    EXPECT_EQ(ErrorOf(folder_.OpenDir(path)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.OpenFile(path)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.Stat(path)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.Remove(path)).sys_errno, ENOENT);
    EXPECT_EQ(ErrorOf(folder_.Stat(path)).path, path);
    EXPECT_FALSE(*folder_.Exists(path));
    ASSERT_OK(folder_.RemoveTree(path));
  }
  Write("file", "");
  EXPECT_FALSE(*folder_.Exists("file/below"));
}

TEST_F(WindowsDirTest, MakesAndRemovesFolders) {
  ASSERT_OK(folder_.MakeDirs("a/b/c"));
  ASSERT_OK(folder_.MakeDirs("a/b/c"));
  ASSERT_OK(folder_.MakeDirs(""));
  EXPECT_EQ(ErrorOf(folder_.MakeDir("a")).sys_errno, EEXIST);
  EXPECT_EQ(ErrorOf(folder_.Remove("a")).sys_errno, ENOTEMPTY);
  Write("a/file", "");
  EXPECT_EQ(ErrorOf(folder_.MakeDirs("a/file")).sys_errno, ENOTDIR);
  EXPECT_FALSE(folder_.MakeDirs("a/file/x"));
  ASSERT_OK(folder_.Remove("a/b/c"));
  ASSERT_OK(folder_.Remove("a/file"));
  EXPECT_FALSE(*folder_.Exists("a/b/c"));
}

TEST_F(WindowsDirTest, ReadonlyIsAFileWithoutTheWriteBit) {
  {
    const auto file = folder_.CreateFile("made so", 0400);
    ASSERT_TRUE(file);
    ASSERT_OK(WriteAt(file->get(), AsBytes("by its maker"), 0));
  }
  EXPECT_EQ(folder_.Stat("made so")->mode, 0400u);
  EXPECT_EQ(Read("made so"), "by its maker");
  ASSERT_OK(folder_.SetMode("made so", 0600));
  ASSERT_OK(folder_.OpenForUpdate("made so"));
  ASSERT_OK(folder_.SetMode("made so", 0400));
  // It protects neither from being replaced nor from being removed.
  ASSERT_OK(folder_.Remove("made so"));
  ASSERT_OK(folder_.MakeDir("folder"));
  ASSERT_OK(folder_.SetMode("folder", 0500));
  EXPECT_EQ(folder_.Stat("folder")->mode, 0700u);
}

TEST_F(WindowsDirTest, TimesHave100Nanoseconds) {
  Write("file", "");
  ASSERT_OK(folder_.SetTimes("file", 1'700'000'000, 999'999'999));
  EXPECT_EQ(folder_.Stat("file")->mtime_seconds, 1'700'000'000);
  EXPECT_EQ(folder_.Stat("file")->mtime_nanos, 999'999'900u);
  EXPECT_EQ(ErrorOf(folder_.SetTimes("file", 1, 1'000'000'000)).code, Errc::kInvalidArgument);
  ASSERT_OK(folder_.SetTimes("", 1'600'000'000, 500));
  EXPECT_EQ(folder_.Stat("")->mtime_seconds, 1'600'000'000);
}

TEST_F(WindowsDirTest, RenamesInAllModes) {
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
  ASSERT_OK(folder_.SetMode("to/sub/moved", 0400));
  ASSERT_OK(folder_.Rename("b", to, "sub/moved", Mode::kReplace));
  EXPECT_EQ(Read("to/sub/moved"), "A");
  EXPECT_EQ(ErrorOf(folder_.Rename("b", to, "c", Mode::kReplace)).sys_errno, ENOENT);
  EXPECT_EQ(ErrorOf(folder_.Rename("b", to, "sub/moved", Mode::kExchange)).sys_errno, ENOENT);
  EXPECT_EQ(Read("to/sub/moved"), "A") << "what could not be exchanged is where it was";
  ASSERT_OK(folder_.MakeDirs("folder/inner"));
  ASSERT_OK(folder_.MakeDirs("stub"));
  ASSERT_OK(folder_.Rename("folder", folder_, "stub", Mode::kExchange));
  EXPECT_TRUE(*folder_.Exists("stub/inner"));
  EXPECT_EQ(to.OpenDir("sub")->List()->size(), 1u) << "no name is left over";
}

TEST_F(WindowsDirTest, MakesSmallFilesOnce) {
  ASSERT_OK(folder_.MakeDir("sub"));
  ASSERT_OK(folder_.MakeSmall("sub/file", "text"));
  EXPECT_EQ(*folder_.ReadSmall("sub/file", 4), "text");
  const Error again = ErrorOf(folder_.MakeSmall("sub/file", "other"));
  EXPECT_EQ(again.sys_errno, EEXIST);
  EXPECT_EQ(again.path, "sub/file");
  EXPECT_EQ(*folder_.ReadSmall("sub/file", 4), "text");
}

TEST_F(WindowsDirTest, ReplacesSmallFilesWhole) {
  ASSERT_OK(folder_.MakeDir("sub"));
  const std::string longest(255, 'n');
  for (const Durability durability : {Durability::kNone, Durability::kData, Durability::kFull}) {
    for (const std::string& name : {std::string("file"), std::string("sub/file"), longest}) {
      ASSERT_OK(folder_.ReplaceSmall(name, "one", durability));
      ASSERT_OK(folder_.ReplaceSmall(name, "second", durability));
      EXPECT_EQ(Read(name), "second");
    }
  }
  EXPECT_EQ(folder_.List()->size(), 3u) << "no temporary is left";
  EXPECT_EQ(folder_.OpenDir("sub")->List()->size(), 1u);
  EXPECT_EQ(ErrorOf(folder_.ReplaceSmall("sub", "x", Durability::kFull)).path, "sub");
  EXPECT_EQ(folder_.List()->size(), 3u);
  EXPECT_EQ(ErrorOf(folder_.ReadSmall("file", 3)).code, Errc::kLimitExceeded);
  EXPECT_EQ(ErrorOf(folder_.ReadSmall("sub", 3)).code, Errc::kLayerDamaged);
}

TEST_F(WindowsDirTest, PathsBeyond260UnitsWorkEverywhere) {
  std::string deep;
  for (int i = 0; i < 40; ++i)
    deep += (i == 0 ? "" : "/") + std::string(40, static_cast<char>('a' + i % 26));
  ASSERT_OK(folder_.MakeDirs(deep));
  Write(deep + "/file", "deep");
  EXPECT_EQ(Read(deep + "/file"), "deep");
  ASSERT_OK(folder_.MakeHardLink(deep + "/file", deep + "/second"));
  ASSERT_OK(folder_.ReplaceSmall(deep + "/file", "replaced", Durability::kFull));
  EXPECT_EQ(Read(deep + "/second"), "deep");
  ASSERT_OK(Dir::OpenAbsolute(path_ + "/" + deep));
  ASSERT_OK(folder_.Rename(deep + "/file", folder_, "up", Dir::RenameMode::kNoReplace));
  EXPECT_EQ(Read("up"), "replaced");
  ASSERT_OK(folder_.Remove(deep + "/second"));
  EXPECT_EQ(ErrorOf(folder_.Stat(std::string(40'000, 'x'))).sys_errno, ENAMETOOLONG);
}

TEST_F(WindowsDirTest, ClonesAndSyncs) {
  Write("file", "x");
  ASSERT_OK(folder_.MakeDir("sub"));
  { ASSERT_OK(folder_.CreateFile("sub/readonly", 0400)); }
  const Dir clone = *folder_.Clone();
  EXPECT_NE(clone.fd(), folder_.fd());
  EXPECT_EQ(clone.Stat("")->inode, folder_.Stat("")->inode);
  ASSERT_OK(clone.Sync());
  ASSERT_OK(clone.SyncFileSystem());
  EXPECT_EQ(folder_.Stat("sub/readonly")->mode, 0400u) << "flushing leaves the attributes";
}

TEST_F(WindowsDirTest, RandomTreesGoWhole) {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<std::string> folders = {"tree"};
    ASSERT_OK(folder_.MakeDir("tree"));
    for (int i = 0; i < 200; ++i) {
      const std::string path = folders[random() % folders.size()] + "/" + std::to_string(i);
      if (random() % 3 == 0) {
        ASSERT_OK(folder_.MakeDir(path));
        folders.push_back(path);
      } else {
        ASSERT_OK(folder_.CreateFile(path, random() % 2 == 0 ? 0400 : 0600));
      }
    }
    Write("canary", "alive");
    ASSERT_OK(folder_.RemoveTree("tree"));
    EXPECT_EQ(folder_.List()->size(), 1u);
    ASSERT_OK(folder_.RemoveTree("canary"));
  }
}

TEST_F(WindowsDirTest, CopiesContent) {
  std::string text(3'000'000, '\0');
  std::mt19937 random(7);
  for (char& c : text) c = static_cast<char>(random());
  Write("from", text);
  const UniqueFd from = *folder_.OpenFile("from");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, text.size()}) {
    const std::string name = "to" + std::to_string(size);
    const UniqueFd to = *folder_.CreateFile(name);
    ASSERT_OK(CopyContent(from.get(), to.get(), size));
    Buffer copy(size + 1);
    EXPECT_EQ(*ReadAt(to.get(), copy, 0), size);
    EXPECT_TRUE(AsText(Bytes(copy).first(size)) == text.substr(0, size));
  }
  const UniqueFd to = *folder_.CreateFile("short");
  EXPECT_EQ(ErrorOf(CopyContent(from.get(), to.get(), text.size() + 1)).code, Errc::kLayerDamaged);
}

TEST_F(WindowsDirTest, ReadsAndWritesAtOffsets) {
  Write("file", "0123456789");
  const UniqueFd file = *folder_.OpenForUpdate("file");
  Buffer buffer(6);
  EXPECT_EQ(*ReadAt(file.get(), buffer, 0), 6u);
  EXPECT_EQ(*ReadAt(file.get(), buffer, 6), 4u);
  EXPECT_EQ(*ReadAt(file.get(), buffer, 10), 0u);
  EXPECT_EQ(*ReadAt(file.get(), buffer, 1'000'000), 0u);
  ASSERT_OK(MakeSparse(file.get()));
  ASSERT_OK(WriteAt(file.get(), AsBytes("xyz"), 12));
  ASSERT_OK(Resize(file.get(), 16));
  EXPECT_EQ(Read("file"), std::string("0123456789\0\0xyz\0", 16));
  EXPECT_EQ(ErrorOf(StatFd(-1)).sys_errno, EBADF);
  const UniqueFd unnamed = *UnnamedFile();
  ASSERT_OK(WriteAt(unnamed.get(), AsBytes("abc"), 0));
  EXPECT_EQ(*ReadAt(unnamed.get(), buffer, 1), 2u);
}

class WindowsLockTest : public WindowsFolderTest {
 protected:
  Expected<FileLock> Exclusive(milliseconds wait = milliseconds{0}) {
    return FileLock::Acquire(folder_, "lock", LockMode::kExclusive, wait);
  }
  Expected<FileLock> Shared() {
    return FileLock::Acquire(folder_, "lock", LockMode::kShared, milliseconds{0});
  }
  static constexpr milliseconds kLong{60'000};  // far longer than any of these waits takes
};

TEST_F(WindowsLockTest, ExclusiveExcludesAllAndSaysWhoHoldsIt) {
  FileLock lock = *Exclusive();
  EXPECT_EQ(Read("lock"), std::to_string(::GetCurrentProcessId()));
  const Error busy = ErrorOf(Exclusive());
  EXPECT_EQ(busy.code, Errc::kLayerBusy);
  EXPECT_EQ(busy.path, "lock");
  EXPECT_EQ(busy.message, "locked by another thread of this process");
  EXPECT_EQ(ErrorOf(Shared()).message, busy.message);
  lock.Release();
  ASSERT_OK(Exclusive());
}

TEST_F(WindowsLockTest, SharedHoldersShare) {
  FileLock one = *Shared();
  FileLock two = *Shared();
  EXPECT_EQ(ErrorOf(Exclusive()).message, "locked by another process or thread");
  one.Release();
  EXPECT_EQ(ErrorOf(Exclusive()).code, Errc::kLayerBusy);
  two.Release();
  ASSERT_OK(Exclusive());
}

TEST_F(WindowsLockTest, HoldersThatRemoveTheFileStillExcludeEachOther) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 30;
  std::atomic<int> inside{0};
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        auto lock = Exclusive(kLong);
        ASSERT_TRUE(lock.has_value()) << lock.error().ToString();
        EXPECT_EQ(inside.fetch_add(1), 0);
        std::this_thread::yield();
        inside.fetch_sub(1);
        if (i % 3 == 0) ASSERT_OK(folder_.Remove("lock"));
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kRounds);
}

TEST_F(WindowsLockTest, AFolderIsNoLockFile) {
  ASSERT_OK(folder_.MakeDir("lock"));
  EXPECT_EQ(ErrorOf(Exclusive()).sys_errno, EISDIR);
}

TEST(WindowsMountTest, ThereAreNone) {
  std::string reason;
  EXPECT_FALSE(CanMountOverlay("C:\\", reason));
  EXPECT_NE(reason.find("Windows"), std::string::npos);
  EXPECT_TRUE(ListMounts()->empty());
  OverlayRequest request;
  request.target = "C:\\";
  EXPECT_EQ(ErrorOf(MountOverlay(request)).code, Errc::kBackendUnavailable);
  EXPECT_EQ(*BootId(), *BootId());
}

}  // namespace
}  // namespace wclayer::fs
