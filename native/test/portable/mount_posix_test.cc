// Mounts made, kept, found again and taken away.
#include <atomic>
#include <thread>

#include "writable_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::kOk;

class MountTest : public WritableTest {
 protected:
  void MakeBase() {
    ASSERT_EQ(Import("base", {}, {Folder("Files"), File("Files/f", "base")}), kOk);
  }
};

TEST_F(MountTest, PrepareMountsAndOnlyDeactivateUnmounts) {
  MakeBase();
  for (const Way way : Ways()) {
    SCOPED_TRACE(NameOfWay(way));
    Use(way);
    const std::string id = "rw" + std::to_string(static_cast<int>(way));
    MakeWritable(id, {"base"});
    EXPECT_EQ(MountPath(id), "");
    EXPECT_EQ(StateOf(id), vmcompute::kStateWritable);
    // Nothing active: fine.
    EXPECT_EQ(Unmount(id), kOk);
    const std::string root = Mount(id, {"base"});
    EXPECT_EQ(ReadFile(root + "/f"), "base");
    EXPECT_EQ(Mount(id, {"base"}), root);
    EXPECT_EQ(StateOf(id), vmcompute::kStateWritable | vmcompute::kStateMounted);
    EXPECT_EQ(table_.UnprepareLayer(&info_, Wide(id).c_str()), kOk);
    EXPECT_EQ(MountPath(id), root);
    WriteFile(root + "/g", "g");
    EXPECT_EQ(table_.DestroyLayer(&info_, Wide(id).c_str()), vmcompute::kBusy);
    EXPECT_EQ(table_.DeactivateLayer(&info_, Wide(id).c_str()), kOk) << LastError().message;
    EXPECT_EQ(MountPath(id), "");
    EXPECT_EQ(StateOf(id), vmcompute::kStateWritable);
    EXPECT_EQ(table_.DeactivateLayer(&info_, Wide(id).c_str()), kOk);
    // The next user finds what the first one left.
    EXPECT_EQ(ReadFile(Mount(id, {"base"}) + "/g"), "g");
    EXPECT_EQ(Unmount(id), kOk);
    EXPECT_EQ(table_.DestroyLayer(&info_, Wide(id).c_str()), kOk) << LastError().message;
  }
}

TEST_F(MountTest, AReadOnlyLayerIsItsFolder) {
  MakeBase();
  EXPECT_EQ(Prepare("base", {}), kOk);
  EXPECT_EQ(MountPath("base"), home_path_ + "/base");
  EXPECT_EQ(StateOf("base"), vmcompute::kStateCommitted);
  EXPECT_EQ(Unmount("base"), kOk);
  EXPECT_NE(Prepare("none", {}), kOk);
  EXPECT_EQ(LastCode(), Errc::kLayerNotFound);
}

TEST_F(MountTest, AnotherChainIsRefused) {
  MakeBase();
  ASSERT_EQ(Import("other", {}, {Folder("Files")}), kOk);
  MakeWritable("rw", {"base"});
  EXPECT_EQ(Prepare("rw", {"other"}), vmcompute::kInvalidParameter);
  EXPECT_EQ(MountPath("rw"), "");
}

// Files that somebody wrote and never imported: nothing describes them.
TEST_F(MountTest, AParentThatWasNotImportedIsNamed) {
  MakeBase();
  const Chain chain = Parents({"base"});
  for (const Way way : Ways()) {
    SCOPED_TRACE(NameOfWay(way));
    Use(way);
    const std::string raw = "raw" + std::to_string(static_cast<int>(way));
    const std::string id = "rw" + std::to_string(static_cast<int>(way));
    ASSERT_EQ(table_.CreateLayer(&info_, Wide(raw).c_str(), u"base"), kOk) << LastError().message;
    MakeWritable(id, {raw, "base"});
    EXPECT_EQ(ReadFile(Mount(id, {raw, "base"}) + "/f"), "base");
    EXPECT_EQ(Unmount(id), kOk);
    files::create_directory(home_path_ + "/" + raw + "/Files");
    WriteFile(home_path_ + "/" + raw + "/Files/lost", "lost");
    EXPECT_NE(Prepare(id, {raw, "base"}), kOk);
    EXPECT_EQ(LastCode(), Errc::kLayerDamaged);
    EXPECT_NE(std::string(LastError().message).find("'" + raw + "' has files that were never"),
              std::string::npos)
        << LastError().message;
    EXPECT_EQ(MountPath(id), "");
  }
}

TEST_F(MountTest, TheFirstWayIsKept) {
  MakeBase();
  Use(Way::kCheckout);
  MakeWritable("co", {"base"});
  const std::string root = Mount("co", {"base"});
  EXPECT_EQ(Unmount("co"), kOk);
  Use(Way::kOverlay);
  EXPECT_EQ(Mount("co", {"base"}), root);
  EXPECT_EQ(Unmount("co"), kOk);
  if (!CanMount()) return;
  MakeWritable("ov", {"base"});
  EXPECT_NE(Mount("ov", {"base"}), "");
  EXPECT_EQ(Unmount("ov"), kOk);
  Use(Way::kCheckout);
  EXPECT_NE(Prepare("ov", {"base"}), kOk);
  EXPECT_EQ(LastCode(), Errc::kMountMismatch);
  EXPECT_NE(std::string(LastError().message).find("checkouts only"), std::string::npos);
  // An expanded layer forgets nothing.
  ASSERT_EQ(table_.ExpandSandboxSize(&info_, u"ov", 30ull << 30), kOk);
  EXPECT_NE(Prepare("ov", {"base"}), kOk);
  Use(Way::kOverlay);
  EXPECT_NE(Mount("ov", {"base"}), "");
  EXPECT_EQ(Unmount("ov"), kOk);
}

TEST_F(MountTest, ABusyMountStaysUnlessForced) {
  MakeBase();
  if (!CanMount()) GTEST_SKIP() << "the process may not mount overlays";
  MakeWritable("rw", {"base"});
  const std::string root = Mount("rw", {"base"});
  const int held = ::open((root + "/f").c_str(), O_RDONLY);
  ASSERT_GE(held, 0);
  EXPECT_EQ(Unmount("rw"), vmcompute::kBusy);
  EXPECT_EQ(LastCode(), Errc::kLayerBusy);
  const std::string own = "(pid " + std::to_string(::getpid()) + ")";
  EXPECT_NE(std::string(LastError().message).find(own), std::string::npos) << LastError().message;
  EXPECT_EQ(ReadFile(MountPath("rw") + "/f"), "base");
  Use(Way::kOverlay, true);
  EXPECT_EQ(Unmount("rw"), kOk) << LastError().message;
  EXPECT_EQ(MountPath("rw"), "");
  ::close(held);
}

TEST_F(MountTest, ALeftOverMountIsRecognised) {
  MakeBase();
  if (!CanMount()) GTEST_SKIP() << "the process may not mount overlays";
  MakeWritable("rw", {"base"});
  const std::string root = Mount("rw", {"base"});
  WriteFile(root + "/kept", "k");
  // Another process that opens the home knows nothing but what is on disk.
  const auto again = std::make_shared<Home>(home_path_);
  const auto left = ListOurMounts(*again);
  ASSERT_TRUE(left.has_value());
  EXPECT_EQ(*left, std::vector<std::string>{"rw"});
  const auto mounted = OverlayIsMounted(*again, "rw");
  ASSERT_TRUE(mounted.has_value());
  EXPECT_TRUE(*mounted);
  EXPECT_EQ(Mount("rw", {"base"}), root);
  EXPECT_EQ(Unmount("rw"), kOk);
  EXPECT_TRUE(ListOurMounts(*again)->empty());
}

TEST_F(MountTest, AForeignMountInItsPlaceIsNotTouched) {
  MakeBase();
  if (!CanMount()) GTEST_SKIP() << "the process may not mount overlays";
  MakeWritable("rw", {"base"});
  const std::string place = home_path_ + "/.wclayer/mnt/rw";
  files::create_directories(place);
  ASSERT_EQ(::mount("strange", place.c_str(), "tmpfs", 0, ""), 0);
  EXPECT_NE(Prepare("rw", {"base"}), kOk);
  EXPECT_EQ(LastCode(), Errc::kLayerBusy);
  EXPECT_NE(std::string(LastError().message).find("strange"), std::string::npos);
  EXPECT_NE(table_.DeactivateLayer(&info_, u"rw"), kOk);
  EXPECT_EQ(::umount(place.c_str()), 0);
}

TEST_F(MountTest, ALongChainOfLayers) {
  constexpr int kLayers = 128;
  std::vector<std::string> parents;
  for (int i = 0; i < kLayers; ++i) {
    const std::string id = "layer-with-a-rather-long-name-" + std::to_string(i);
    const std::string own = "Files/" + std::to_string(i);
    std::vector<Item> items = {Folder("Files"), File("Files/top-id", id), Folder(own),
                               File(own + "/layer-id", id)};
    if (i == 100) items.insert(items.begin() + 1, Gone("Files/50"));
    ASSERT_EQ(Import(id, parents, items), kOk) << LastError().path << LastError().message;
    parents.insert(parents.begin(), id);
  }
  const auto items = SameEverywhere(parents, [&](const std::string& root) {
    EXPECT_EQ(ReadFile(root + "/top-id"), parents.front());
    for (int i = 0; i < kLayers; ++i) {
      if (i == 50) continue;
      EXPECT_EQ(ReadFile(root + "/" + std::to_string(i) + "/layer-id"),
                parents[static_cast<std::size_t>(kLayers - 1 - i)]);
    }
    EXPECT_FALSE(files::exists(root + "/50"));
    Append(root + "/0/layer-id", "!");
    Touch(root + "/0/layer-id", 1500000000);
  });
  EXPECT_EQ(FilePaths(items), (std::vector<std::string>{"Files", "Files/0", "Files/0/layer-id"}));
}

TEST_F(MountTest, MoreLayersThanOverlayfsTakesAreCheckedOut) {
  MakeBase();
  std::vector<std::string> parents = {"base"};
  // Every layer deletes something, so each has two lower folders.
  for (int i = 0; i < 251; ++i) {
    const std::string id = "l" + std::to_string(i);
    ASSERT_EQ(Import(id, parents, {Folder("Files"), Gone("Files/x" + std::to_string(i))}), kOk)
        << LastError().message;
    parents.insert(parents.begin(), id);
  }
  MakeWritable("rw", parents);
  const std::string root = Mount("rw", parents);
  EXPECT_EQ(root, home_path_ + "/rw/.wclayer/checkout");
  EXPECT_EQ(ReadFile(root + "/f"), "base");
  EXPECT_EQ(Unmount("rw"), kOk);
}

TEST_F(MountTest, ConcurrentPreparesMountOnce) {
  MakeBase();
  ASSERT_EQ(Import("top", {"base"}, {Folder("Files"), Gone("Files/f"), File("Files/g", "g")}), kOk);
  for (const Way way : Ways()) {
    SCOPED_TRACE(NameOfWay(way));
    Use(way);
    const std::string id = "many" + std::to_string(static_cast<int>(way));
    MakeWritable(id, {"top", "base"});
    std::vector<std::thread> threads;
    std::vector<Hresult> results(8, -1);
    for (auto& result : results)
      threads.emplace_back([&] { result = Prepare(id, {"top", "base"}); });
    for (auto& thread : threads) thread.join();
    for (const auto result : results) EXPECT_EQ(result, kOk);
    EXPECT_EQ(ReadFile(MountPath(id) + "/g"), "g");
    EXPECT_FALSE(files::exists(MountPath(id) + "/f"));
    EXPECT_EQ(Unmount(id), kOk) << LastError().message;
    EXPECT_EQ(MountPath(id), "");
  }
}

TEST_F(MountTest, AUserAtWorkDisturbsNoDiff) {
  std::vector<Item> layer = {Folder("Files"), Folder("Files/d")};
  for (int i = 0; i < 200; ++i) layer.push_back(File("Files/d/f" + std::to_string(i), "data"));
  ASSERT_EQ(Import("base", {}, layer), kOk);
  for (const Way way : Ways()) {
    SCOPED_TRACE(NameOfWay(way));
    Use(way);
    const std::string id = "busy" + std::to_string(static_cast<int>(way));
    MakeWritable(id, {"base"});
    const std::string root = Mount(id, {"base"});
    std::atomic<bool> stop = false;
    std::thread user([&] {
      for (int round = 0; !stop; ++round) {
        const std::string name = root + "/d/f" + std::to_string(round * 7 % 200);
        Append(name, "more");
        ::rename(name.c_str(), (name + "x").c_str());
        ::unlink((name + "x").c_str());
        WriteFile(name, std::string(static_cast<std::size_t>(round % 50), 'y'));
        ::mkdir((root + "/e").c_str(), 0700);
        ::rmdir((root + "/e").c_str());
      }
    });
    int whole = 0;
    for (int i = 0; i < 20; ++i) {
      void* context = BeginExport(id, {"base"});
      ASSERT_NE(context, nullptr) << LastError().message;
      Hresult hr = kOk;
      while (hr == kOk) {
        char16_t* name = nullptr;
        vmcompute::FileBasicInfo info;
        std::int64_t size = 0;
        std::uint32_t deleted = 0;
        hr = table_.ExportLayerNext(context, &name, &info, &size, &deleted);
        table_.FreeString(name);
        std::uint8_t room[4096];
        std::uint32_t read = 1;
        while (hr == kOk && deleted == 0 && read != 0)
          hr = table_.ExportLayerRead(context, room, sizeof room, &read);
      }
      // Either all of it, or an error that names the file.
      if (hr == vmcompute::kNoMoreFiles)
        ++whole;
      else
        EXPECT_NE(std::string(LastError().path), "") << LastError().message;
      table_.extensions->ExportLayerAbort(context);
    }
    stop = true;
    user.join();
    EXPECT_EQ(Unmount(id), kOk) << LastError().message;
    EXPECT_GE(whole, 0);
    EXPECT_FALSE(Export(id, {"base"}).empty());
  }
}

}  // namespace
}  // namespace wclayer::portable::test
