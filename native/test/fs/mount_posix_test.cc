#include "fs/mount.h"

#include <sys/mman.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <filesystem>

#include "fs/posix.h"
#include "fs/support.h"

namespace wclayer::fs {
namespace {

using test::ErrorOf;
using test::ExpectOk;
using test::kNobody;

bool InInitialUserNamespace() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/ns/user", ignored) == "user:[4026531837]";
}

// Real mounts, in a mount namespace and on a tmpfs of the test's own. Without the privilege each
// test asserts instead that the trial says why not; with it the trial must succeed.
class MountTest : public test::FolderTest {
 protected:
  bool MayMount() {
    std::string reason;
    if (!test::EnterPrivateMounts() || !InInitialUserNamespace()) {
      EXPECT_FALSE(CanMountOverlay(path_, reason));
      EXPECT_NE(reason, "");
      std::printf("no right to mount here: %s\n", reason.c_str());
      return false;
    }
    MountTmpfs("t", "size=64m");
    root_ = *folder_.OpenDir("t");
    root_path_ = path_ + "/t";
    EXPECT_TRUE(CanMountOverlay(root_path_, reason)) << reason;
    return !HasFailure();
  }
  Dir Make(const std::string& name) {
    ExpectOk(root_.MakeDirs(name));
    return *root_.OpenDir(name);
  }
  static void Put(const Dir& dir, const std::string& name, std::string_view text) {
    ExpectOk(dir.ReplaceSmall(name, text, Durability::kNone));
  }
  static std::string Get(const Dir& dir, const std::string& name) {
    auto text = dir.ReadSmall(name, 1000);
    return text ? *std::move(text) : "errno " + std::to_string(text.error().sys_errno);
  }
  OverlayRequest Request(const std::vector<Dir>& lowers, bool legacy) {
    OverlayRequest request;
    for (const Dir& lower : lowers) request.lowers.push_back(lower.fd());
    request.target = root_path_ + "/mnt";
    request.source = "wclayer:store:layer";
    request.legacy = legacy;
    request.legacy_folder = root_path_ + "/links";
    Make("mnt");
    Make("links");
    return request;
  }
  Dir Merged() { return *Dir::OpenAbsolute(root_path_ + "/mnt"); }
  // Layers that hold a file of their own each and all write one in common; the top one is the
  // first.
  std::vector<Dir> MakeLayers(std::size_t count) {
    std::vector<Dir> layers;
    for (std::size_t i = 0; i < count; ++i) {
      layers.push_back(Make("layers/" + std::to_string(i)));
      Put(layers.back(), "own" + std::to_string(i), std::to_string(i));
      Put(layers.back(), "common", std::to_string(i));
    }
    return layers;
  }
  void ExpectLayers(std::size_t count) {
    const Dir merged = Merged();
    EXPECT_EQ(Get(merged, "common"), "0");
    EXPECT_EQ(merged.List()->size(), count + 1);
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_EQ(Get(merged, "own" + std::to_string(i)), std::to_string(i));
  }

  Dir root_;
  std::string root_path_;
};

class MountBothWaysTest : public MountTest, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(, MountBothWaysTest, testing::Bool(),
                         [](const auto& way) { return way.param ? "Legacy" : "Context"; });

TEST_P(MountBothWaysTest, ThreeLowersAndAnUpper) {
  if (!MayMount()) return;
  std::vector<Dir> lowers;
  for (const char* name : {"top", "middle", "base"}) lowers.push_back(Make(name));
  const Dir upper = Make("upper");
  const Dir work = Make("work");
  Put(lowers[2], "base", "base");
  Put(lowers[2], "deleted", "x");
  Put(lowers[2], "changed", "old");
  ExpectOk(lowers[2].MakeDirs("folder/sub"));
  Put(lowers[2], "folder/sub/file", "deep");
  Put(lowers[1], "changed", "new");
  ExpectOk(lowers[1].MakeWhiteout("deleted"));
  Put(lowers[0], "top", "top");
  OverlayRequest request = Request(lowers, GetParam());
  request.upper = upper.fd();
  request.work = work.fd();
  const std::filesystem::path before = std::filesystem::current_path();
  ASSERT_OK(MountOverlay(request));
  EXPECT_EQ(std::filesystem::current_path(), before);
  EXPECT_EQ(root_.OpenDir("links")->List()->size(), 0u);
  {
    const Dir merged = Merged();
    EXPECT_EQ(Get(merged, "base"), "base");
    EXPECT_EQ(Get(merged, "changed"), "new");
    EXPECT_EQ(Get(merged, "top"), "top");
    EXPECT_FALSE(*merged.Exists("deleted"));
    Put(merged, "made", "made");
    ExpectOk(merged.Remove("base"));
    ExpectOk(merged.Rename("folder", merged, "renamed", Dir::RenameMode::kNoReplace));
    EXPECT_EQ(Get(merged, "renamed/sub/file"), "deep");
    const UniqueFd open = *merged.OpenForUpdate("changed");
    ExpectOk(WriteAt(open.get(), AsBytes("NEW"), 0));
  }
  EXPECT_EQ(Get(upper, "made"), "made");
  EXPECT_EQ(Get(upper, "changed"), "NEW");
  EXPECT_EQ(Get(lowers[1], "changed"), "new");
  EXPECT_EQ(upper.Stat("base")->type, Type::kCharDevice);
  EXPECT_EQ(upper.Stat("base")->rdev, 0u);
  EXPECT_EQ(Get(lowers[2], "base"), "base");
  ASSERT_OK(Unmount(request.target, false));
  EXPECT_EQ(Merged().List()->size(), 0u);
  // The same folders again: what was written is there.
  ASSERT_OK(MountOverlay(request));
  EXPECT_EQ(Get(Merged(), "renamed/sub/file"), "deep");
  EXPECT_FALSE(*Merged().Exists("base"));
  ASSERT_OK(Unmount(request.target, false));
}

TEST_P(MountBothWaysTest, MountsAreMarkedAndWithoutDevicesAndSetuid) {
  if (!MayMount()) return;
  const std::vector<Dir> lowers = MakeLayers(2);
  ASSERT_OK(MountOverlay(Request(lowers, GetParam())));
  std::size_t found = 0;
  const std::vector<MountInfo> mounts = *ListMounts();
  for (const MountInfo& mount : mounts) {
    if (mount.target != root_path_ + "/mnt") continue;
    ++found;
    EXPECT_EQ(mount.type, "overlay");
    EXPECT_EQ(mount.source, "wclayer:store:layer");
    EXPECT_NE(mount.id, 0u);
  }
  EXPECT_EQ(found, 1u);
  struct statvfs info {};
  ASSERT_EQ(::statvfs((root_path_ + "/mnt").c_str(), &info), 0);
  EXPECT_TRUE(info.f_flag & ST_NOSUID);
  EXPECT_TRUE(info.f_flag & ST_NODEV);
  // Without an upper nothing can be written.
  EXPECT_EQ(ErrorOf(Merged().CreateFile("x")).sys_errno, EROFS);
  ASSERT_OK(Unmount(root_path_ + "/mnt", false));
}

TEST_P(MountBothWaysTest, ManyLayers) {
  if (!MayMount()) return;
  for (const std::size_t count : {1u, 128u, 500u}) {
    SCOPED_TRACE(count);
    // A lone lower without an upper is none to overlayfs: an empty one goes below it.
    std::vector<Dir> lowers = MakeLayers(count == 1 ? 2 : count);
    ASSERT_OK(MountOverlay(Request(lowers, GetParam())));
    ExpectLayers(lowers.size());
    ASSERT_OK(Unmount(root_path_ + "/mnt", false));
  }
  std::vector<Dir> lowers = MakeLayers(501);
  const Error error = ErrorOf(MountOverlay(Request(lowers, GetParam())));
  EXPECT_EQ(error.code, Errc::kUnsupported);
  EXPECT_NE(error.message.find("500"), std::string::npos);
}

TEST_P(MountBothWaysTest, FailuresSayWhyAndLeaveNothing) {
  if (!MayMount()) return;
  const std::vector<Dir> lowers = MakeLayers(2);
  ASSERT_OK(MountOverlay(Request(lowers, GetParam())));
  // An upper on an overlay is refused by the kernel.
  const Dir upper = Merged();
  OverlayRequest request = Request(lowers, GetParam());
  request.target = root_path_ + "/second";
  request.upper = upper.fd();
  request.work = upper.fd();
  Make("second");
  const std::size_t mounts = ListMounts()->size();
  const Error error = ErrorOf(MountOverlay(request));
  EXPECT_NE(error.sys_errno, 0);
  EXPECT_EQ(error.path, request.target);
  EXPECT_EQ(ListMounts()->size(), mounts);
  EXPECT_EQ(root_.OpenDir("links")->List()->size(), 0u);
  request = Request(lowers, GetParam());
  request.target = root_path_ + "/absent";
  EXPECT_EQ(ErrorOf(MountOverlay(request)).sys_errno, ENOENT);
  EXPECT_EQ(root_.OpenDir("links")->List()->size(), 0u);
}

TEST_F(MountTest, WithoutTheNewCallsTheOldOneMounts) {
  if (!MayMount()) return;
  const std::vector<Dir> lowers = MakeLayers(2);
  const OverlayRequest request = Request(lowers, false);
  OverlayRequest no_folder = request;
  no_folder.legacy_folder.clear();
  const std::pair<long, int> refusals[] = {
      {SYS_fsopen, ENOSYS}, {SYS_fsopen, EPERM}, {SYS_fsconfig, EINVAL}};
  for (const auto& [call, number] : refusals) {
    SCOPED_TRACE(std::to_string(call) + " gives " + std::to_string(number));
    EXPECT_EQ(test::RunInChild([&] {
                if (!wclayer::test::RefuseCall(call, number)) return 99;
                if (MountOverlay(no_folder)) return 1;
                return MountOverlay(request) ? 0 : 2;
              }),
              0);
    ExpectLayers(2);
    ASSERT_OK(Unmount(request.target, false));
  }
  EXPECT_EQ(test::RunInChild([&] {
              if (!wclayer::test::RefuseCall(SYS_fsopen, ENODEV) ||
                  !wclayer::test::RefuseCall(SYS_mount, ENODEV))
                return 99;
              auto mounted = MountOverlay(request);
              if (mounted) return 1;
              return mounted.error().code == Errc::kBackendUnavailable ? 0 : 2;
            }),
            0);
}

TEST_F(MountTest, RequestsThatMakeNoSenseAreRefused) {
  OverlayRequest request;
  request.target = "/nowhere";
  EXPECT_EQ(ErrorOf(MountOverlay(request)).code, Errc::kInvalidArgument);
  request.lowers = {0, 0};
  request.upper = 0;
  EXPECT_EQ(ErrorOf(MountOverlay(request)).code, Errc::kInvalidArgument);
  request.work = 0;
  request.target = "relative";
  EXPECT_EQ(ErrorOf(MountOverlay(request)).code, Errc::kInvalidArgument);
}

TEST(OverlayOptionsTest, TextThatMountWouldCutIsRefused) {
  EXPECT_EQ(*OverlayOptions({"0", "1"}, true),
            "lowerdir=0:1,upperdir=u,workdir=w,index=off,metacopy=off,redirect_dir=on,xino=auto");
  const std::size_t fixed = OverlayOptions({""}, false)->size();
  EXPECT_EQ(OverlayOptions({std::string(4095 - fixed, 'x')}, false)->size(), 4095u);
  auto refused = OverlayOptions({std::string(4096 - fixed, 'x')}, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnsupported);
  EXPECT_NE(refused.error().message.find("4096"), std::string::npos);
  EXPECT_NE(refused.error().message.find("4095"), std::string::npos);
  // 128 layers by names of 64 digits, as a store without short links would have them.
  EXPECT_FALSE(OverlayOptions(std::vector<std::string>(128, std::string(64, 'a')), true));
}

TEST_F(MountTest, ABusyMountNamesItsHolders) {
  if (!MayMount()) return;
  const std::vector<Dir> lowers = MakeLayers(2);
  const std::string target = root_path_ + "/mnt";
  const auto expect_busy = [&](const std::string& text) {
    const Error error = ErrorOf(Unmount(target, false));
    EXPECT_EQ(error.code, Errc::kLayerBusy);
    EXPECT_EQ(error.sys_errno, EBUSY);
    EXPECT_EQ(error.path, target);
    EXPECT_NE(error.message.find(text), std::string::npos) << error.message << " lacks " << text;
  };
  const std::string me = "(pid " + std::to_string(::getpid()) + ")";
  ASSERT_OK(MountOverlay(Request(lowers, false)));
  {
    const UniqueFd open = *Merged().OpenFile("common");
    expect_busy(me);
  }
  {
    const UniqueFd open = *Merged().OpenFile("common");
    void* mapped = ::mmap(nullptr, 1, PROT_READ, MAP_PRIVATE, open.get(), 0);
    ASSERT_NE(mapped, MAP_FAILED);
    const_cast<UniqueFd&>(open).reset();
    expect_busy(me);
    ASSERT_EQ(::munmap(mapped, 1), 0);
  }
  {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::chdir(target.c_str()) != 0 || ::write(ready[1], "y", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char ok = 0;
    ASSERT_EQ(::read(ready[0], &ok, 1), 1);
    expect_busy("(pid " + std::to_string(child) + ")");
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ASSERT_OK(Unmount(target, false));
  // Not mounted, or no such folder: nothing to do.
  ASSERT_OK(Unmount(target, false));
  ASSERT_OK(Unmount(target + "/absent", true));
}

TEST_F(MountTest, AMountInsideIsNamedAndDetachTakesAll) {
  if (!MayMount()) return;
  const std::string target = root_path_ + "/mnt";
  std::vector<Dir> lowers = MakeLayers(2);
  ExpectOk(lowers[0].MakeDir("inner"));
  ASSERT_OK(MountOverlay(Request(lowers, false)));
  ASSERT_EQ(::mount("none", (target + "/inner").c_str(), "tmpfs", 0, ""), 0);
  const Error nested = ErrorOf(Unmount(target, false));
  EXPECT_EQ(nested.code, Errc::kLayerBusy);
  EXPECT_NE(nested.message.find(target + "/inner"), std::string::npos) << nested.message;
  const UniqueFd open = *Merged().OpenFile("common");
  ASSERT_OK(Unmount(target, true));
  const std::vector<MountInfo> mounts = *ListMounts();
  for (const MountInfo& mount : mounts)
    EXPECT_FALSE(mount.target.starts_with(target)) << mount.target;
  std::byte text[4];
  EXPECT_EQ(*ReadAt(open.get(), text, 0), 1u) << "who has a file open keeps it";
}

TEST_F(MountTest, ListsMountsWithOddNames) {
  EXPECT_FALSE(ListMounts()->empty());
  if (!MayMount()) return;
  for (const std::string name : {"blank and more", "tab\there", "line\nbreak", "back\\slash\\040",
                                 "comma,colon:", "hash#", "umlaut ü", "- tmpfs"}) {
    SCOPED_TRACE(name);
    Make(name);
    const std::string target = root_path_ + "/" + name;
    for (const std::string& source : {name, std::string()}) {
      ASSERT_EQ(::mount(source.c_str(), target.c_str(), "tmpfs", 0, "size=64k"), 0);
      const std::vector<MountInfo> mounts = *ListMounts();
      const auto at = std::find_if(mounts.begin(), mounts.end(),
                                   [&](const MountInfo& mount) { return mount.target == target; });
      ASSERT_NE(at, mounts.end());
      EXPECT_EQ(at->type, "tmpfs");
      EXPECT_EQ(at->source, source);
      ASSERT_OK(Unmount(target, false));
    }
  }
}

TEST_F(MountTest, TheTrialLeavesNothingAndSaysWhyNot) {
  if (!MayMount()) return;
  EXPECT_EQ(root_.List()->size(), 0u);
  const std::size_t mounts = ListMounts()->size();
  std::string reason;
  EXPECT_FALSE(CanMountOverlay(root_path_ + "/absent", reason));
  EXPECT_NE(reason.find("absent"), std::string::npos) << reason;
  // An upper cannot lie on an overlay.
  std::vector<Dir> lowers = MakeLayers(2);
  const Dir upper = Make("upper");
  const Dir work = Make("work");
  OverlayRequest request = Request(lowers, false);
  request.upper = upper.fd();
  request.work = work.fd();
  ASSERT_OK(MountOverlay(request));
  EXPECT_FALSE(CanMountOverlay(request.target, reason));
  EXPECT_NE(reason.find("trial"), std::string::npos) << reason;
  EXPECT_EQ(Merged().List()->size(), 3u) << "the trial's folder is gone";
  ASSERT_OK(Unmount(request.target, false));
  EXPECT_EQ(ListMounts()->size(), mounts);
  const auto fails_with = [&](const char* text, const std::function<bool()>& give_up) {
    return test::RunInChild([&] {
      std::string why;
      if (!give_up()) return 2;
      if (CanMountOverlay(root_path_, why)) return 3;
      return why.find(text) != std::string::npos ? 0 : 4;
    });
  };
  EXPECT_EQ(fails_with("CAP_SYS_ADMIN", [] { return ::setresuid(kNobody, kNobody, kNobody) == 0; }),
            0);
  // Kernels may forbid user namespaces; then there is nothing to tell apart.
  const int in_namespace =
      fails_with("user namespace", [] { return ::unshare(CLONE_NEWUSER) == 0; });
  EXPECT_TRUE(in_namespace == 0 || in_namespace == 2) << in_namespace;
}

TEST(BootIdTest, IsAUuidThatStays) {
  const std::string id = *BootId();
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef-"), std::string::npos);
  EXPECT_EQ(id, *BootId());
}

}  // namespace
}  // namespace wclayer::fs
