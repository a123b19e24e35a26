// Every call of every member fails, one at a time and with every code that is treated in its own
// way; then nothing is mounted, open, held or half made, and the same member works (L8, L9).
#include <functional>
#include <thread>

#include "driver/strict_fixture.h"

namespace wclayer::test {
namespace {

using vmcompute::FromWin32;
using vmcompute::Hresult;

constexpr Hresult kCodes[] = {
    vmcompute::kIoDevice,
    vmcompute::kAccessDenied,
    vmcompute::kSharingViolation,
    vmcompute::kDirNotEmpty,
    vmcompute::kNotReady,
    FromWin32(1167),
    FromWin32(1460),
    vmcompute::kDevNotExist,
    vmcompute::kFilterNotAttached,
    vmcompute::kPathNotFound,
    vmcompute::kAlreadyExists,
    vmcompute::kProcNotFound,
    vmcompute::kInvalidParameter,
    static_cast<Hresult>(0x80070001u),
};

// The state a failure must not change.
struct Picture {
  std::vector<std::string> files;
  std::vector<std::string> active;
  std::vector<std::string> privileges;
  bool operator==(const Picture&) const = default;
};
void PrintTo(const Picture& picture, std::ostream* out) {
  *out << testing::PrintToString(picture.files) << testing::PrintToString(picture.active)
       << testing::PrintToString(picture.privileges);
}

class CallFaults : public StrictTest, public testing::WithParamInterface<Hresult> {
 protected:
  void SetUp() override {
    StrictTest::SetUp();
    MakeChain();
    // Folders for what comes and goes stay: made before the picture is taken.
    ASSERT_TRUE(driver_->ReleaseDiffPath(*driver_->DiffPath("base")));
    ASSERT_TRUE(driver_->Get("base", false));
    ASSERT_TRUE(driver_->Put("base"));
  }

  Picture Look() const {
    Picture picture{Listing(), strict_->Active(), host_->Enabled()};
    std::erase_if(picture.files, [](const std::string& path) {
      return path == ".wclayer/removals" || path.starts_with(".wclayer/removals/");
    });
    return picture;
  }

  // Runs `member` with call 0, 1, 2 … failing until it runs untouched. `undo` takes back a success.
  void FailEachCall(const char* what, const std::function<Status()>& member,
                    const std::function<void()>& undo) {
    const Picture before = Look();
    for (int n = 0; n < 1'000; ++n) {
      strict_->FailAt(n, GetParam());
      const Status done = member();
      const bool failed = strict_->Failed();
      strict_->FailNothing();
      const std::string where = std::string(what) + ", call " + std::to_string(n) + ", " +
                                (done ? "tolerated" : done.error().ToString());
      if (!failed) {
        ASSERT_TRUE(done) << where;
        undo();
        return;
      }
      if (done) {
        undo();
      } else {
        EXPECT_FALSE(done.error().message.empty()) << where;
        EXPECT_EQ(done.error().hresult, GetParam()) << where;
      }
      EXPECT_EQ(strict_->OpenContexts(), 0u) << where;
      ASSERT_EQ(Look(), before) << where;
    }
    FAIL() << what << " never ran to its end";
  }
  void RemoveNew() { ASSERT_TRUE(driver_->Remove("new", false)); }
  static Status Only(Error error) { return error; }
  template <class T>
  static Status Only(Expected<T> result) {
    if (!result) return std::move(result).error();
    return {};
  }
};

TEST_P(CallFaults, Create) {
  FailEachCall(
      "Create", [&] { return driver_->Create("new", "mid", 0); }, [&] { RemoveNew(); });
}
TEST_P(CallFaults, CreateReadWrite) {
  FailEachCall(
      "CreateReadWrite", [&] { return driver_->CreateReadWrite("new", "mid", 1u << 30); },
      [&] { RemoveNew(); });
}
TEST_P(CallFaults, ApplyDiff) {
  FailEachCall(
      "ApplyDiff", [&] { return Only(Apply("new", "mid", TransportTar("new"))); },
      [&] { RemoveNew(); });
}
TEST_P(CallFaults, Get) {
  const auto member = [&] { return Only(driver_->Get("box", false)); };
  const auto undo = [&] { ASSERT_TRUE(driver_->Put("box")); };
  FailEachCall("Get", member, undo);
}
TEST_P(CallFaults, PutKeepsTheReference) {
  ASSERT_TRUE(driver_->Get("box", false));
  FailEachCall(
      "Put", [&] { return driver_->Put("box"); }, [&] { ASSERT_TRUE(driver_->Get("box", false)); });
  ASSERT_TRUE(driver_->Put("box"));
}
TEST_P(CallFaults, DiffOfAnUnmountedLayer) {
  DiffOptions options;
  options.format = ArchiveFormat::kTransport;
  FailEachCall(
      "Diff", [&] { return Only(Diff("box", options)); }, [] {});
}
TEST_P(CallFaults, DiffOfAMountedLayer) {
  ASSERT_TRUE(driver_->Get("box", false));
  DiffOptions options;
  options.format = ArchiveFormat::kTransport;
  // The last call of all is the one that prepares again. A Diff has no way to report its failure;
  // Put then still unmounts, whatever the layer's state.
  const Picture before = Look();
  for (int n = 0; n < 1'000; ++n) {
    strict_->FailAt(n, GetParam());
    const auto done = Diff("box", options);
    const bool failed = strict_->Failed();
    const auto log = strict_->Log();
    strict_->FailNothing();
    if (!failed) break;
    const bool last = log[static_cast<std::size_t>(n)].starts_with("PrepareLayer");
    if (last) {
      ASSERT_TRUE(driver_->Put("box"));
      ASSERT_TRUE(driver_->Get("box", false));
    }
    ASSERT_EQ(Look(), before) << "call " << n;
  }
  ASSERT_TRUE(driver_->Put("box")) << "the reference survived every failure";
}
TEST_P(CallFaults, DiffPath) {
  std::string folder;
  FailEachCall(
      "DiffPath",
      [&]() -> Status {
        WCLAYER_ASSIGN(folder, driver_->DiffPath("mid"));
        return {};
      },
      [&] { ASSERT_TRUE(driver_->ReleaseDiffPath(folder)); });
}
TEST_P(CallFaults, Exists) {
  FailEachCall(
      "Exists",
      [&]() -> Status {
        if (driver_->Exists("box")) return {};
        Error error(Errc::kPlatform, "false stands for any failure");
        error.hresult = GetParam();
        return error;
      },
      [] {});
}
TEST_P(CallFaults, GetCustomImageInfos) {
  ASSERT_TRUE(driver_->GetCustomImageInfos());
  const std::string id = (*driver_->GetCustomImageInfos())[0].id;
  const std::filesystem::path stub = home_ / id;
  std::filesystem::remove_all(stub);
  FailEachCall(
      "GetCustomImageInfos", [&] { return Only(driver_->GetCustomImageInfos()); },
      [&] { std::filesystem::remove_all(stub); });
}
TEST_P(CallFaults, ReadsThatCallNothing) {
  FailEachCall(
      "GetMetadata", [&] { return Only(driver_->GetMetadata("box")); }, [] {});
  FailEachCall(
      "Status", [&] { return Only(driver_->Status()); }, [] {});
  FailEachCall(
      "Cleanup", [&] { return Only(driver_->Cleanup()); }, [] {});
}

// Remove is never half done: before the rename the layer is whole, after it nobody sees it, and
// whatever is left is finished by the next Remove or Cleanup (L2).
TEST_P(CallFaults, RemoveIsResumed) {
  for (int n = 0; n < 1'000; ++n) {
    ASSERT_TRUE(driver_->CreateReadWrite("new", "mid", 0));
    const bool by_cleanup = n % 2 == 1;
    strict_->FailAt(n, GetParam(), true);
    const Status done = driver_->Remove("new", false);
    const bool failed = strict_->Failed();
    strict_->FailNothing();
    if (!done) {
      EXPECT_EQ(done.error().hresult, GetParam()) << done.error().ToString();
      const bool renamed = std::filesystem::exists(home_ / "new-removing");
      EXPECT_NE(driver_->Exists("new"), renamed);
      if (renamed && by_cleanup)
        ASSERT_TRUE(driver_->Cleanup());
      else
        ASSERT_TRUE(driver_->Remove("new", false));
    }
    EXPECT_FALSE(driver_->Exists("new"));
    EXPECT_FALSE(std::filesystem::exists(home_ / "new-removing"));
    EXPECT_FALSE(std::filesystem::exists(home_ / ".wclayer" / "removals" / "new.json"));
    if (!failed) return;
  }
  FAIL() << "Remove never ran to its end";
}

// The function that fails goes on failing, with codes that are retried: in the end it is an error
// all the same, and as little is left.
TEST_P(CallFaults, WhatIsRetriedEndsInAnError) {
  strict_->FailEach("ActivateLayer", GetParam(), 1'000);
  const Picture before = Look();
  const auto got = driver_->Get("box", false);
  strict_->FailNothing();
  ASSERT_FALSE(got);
  EXPECT_EQ(Look(), before);
  strict_->FailEach("PrepareLayer", GetParam(), 1'000);
  const auto prepared = driver_->Get("box", false);
  strict_->FailNothing();
  ASSERT_FALSE(prepared);
  EXPECT_EQ(Look(), before);
  EXPECT_LE(host_->now, 4 * std::chrono::milliseconds(11'000)) << "of the fake clock";
}

INSTANTIATE_TEST_SUITE_P(Codes, CallFaults, testing::ValuesIn(kCodes), [](const auto& each) {
  char name[9];
  std::snprintf(name, sizeof name, "%08x", static_cast<std::uint32_t>(each.param));
  return std::string(name);
});

}  // namespace
}  // namespace wclayer::test
