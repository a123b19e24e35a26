// What docker and hcsshim learned about vmcompute.dll, one lesson a test: Prepare alone, attempts,
// what another process holds, removal, deadlines, privileges, versions (L1, L2, L8–L13, L15, C18).
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "base/layer_id.h"
#include "driver/os_version.h"
#include "driver/removal.h"
#include "driver/strict_fixture.h"

namespace wclayer::test {
namespace {

using Lines = std::vector<std::string>;
using std::chrono::milliseconds;

class WindowsCalls : public StrictTest {
 protected:
  void SetUp() override {
    StrictTest::SetUp();
    MakeChain();
  }
  void Reopen() { OpenStrict(); }
};

TEST_F(WindowsCalls, OnlyOnePrepareRunsAtATimeAndFewCallsAtOnce) {
  options_.call_limit = 3;
  options_.call_timeout = std::chrono::minutes(5);
  Reopen();
  constexpr int kThreads = 20;  // L15
  for (int i = 0; i < kThreads; ++i)
    ASSERT_TRUE(driver_->CreateReadWrite("c" + std::to_string(i), "mid", 0));
  strict_->Forget();
  strict_->Inside([](const std::string&) { std::this_thread::sleep_for(milliseconds(1)); });
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::string id = "c" + std::to_string(i);
      for (int round = 0; round < 3; ++round) {
        if (!driver_->Get(id, false) || !driver_->Put(id)) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(strict_->MostAtOnce("PrepareLayer"), 1);
  EXPECT_LE(strict_->MostAtOnce(""), 3);
}

TEST_F(WindowsCalls, MountingIsTriedFiveTimesWithDeactivateBetween) {
  for (const auto code : {vmcompute::kNotReady, vmcompute::FromWin32(1167)}) {
    for (const char* failing : {"ActivateLayer", "PrepareLayer"}) {
      strict_->Forget();
      host_->sleeps.clear();
      strict_->FailEach(failing, code, 4);
      ASSERT_TRUE(driver_->Get("box", false)) << failing;
      const auto lines = Sequence();
      EXPECT_EQ(std::count(lines.begin(), lines.end(), "ActivateLayer box"), 5);
      EXPECT_EQ(std::count(lines.begin(), lines.end(), "DeactivateLayer box"), 4);
      EXPECT_EQ(host_->sleeps, (std::vector<std::int64_t>{100, 100, 100, 100}));
      ASSERT_TRUE(driver_->Put("box"));
      strict_->FailEach(failing, code, 5);
      const auto got = driver_->Get("box", false);
      strict_->FailNothing();
      ASSERT_FALSE(got) << failing;
      EXPECT_EQ(got.error().hresult, code);
      EXPECT_EQ(strict_->Active(), Lines());
    }
  }
}

TEST_F(WindowsCalls, UnprepareOfWhatIsNotPreparedIsNoError) {
  for (const auto code : {vmcompute::kDevNotExist, vmcompute::kFilterNotAttached}) {
    ASSERT_TRUE(driver_->Get("box", false));
    strict_->FailEach("UnprepareLayer", code, 1);
    EXPECT_TRUE(driver_->Put("box"));
    EXPECT_TRUE(strict_->Failed());
  }
}

TEST_F(WindowsCalls, WhatAnotherProcessHoldsIsTriedAgainForAWhile) {
  for (const auto code :
       {vmcompute::kSharingViolation, vmcompute::kAccessDenied, vmcompute::kDirNotEmpty}) {
    strict_->FailEach("ActivateLayer", code, 3);
    ASSERT_TRUE(driver_->Get("box", false));
    ASSERT_TRUE(driver_->Put("box"));

    host_->holders = "MsMpEng.exe (pid 1234)";
    const auto before = host_->now;
    strict_->FailEach("ActivateLayer", code, 1'000);
    const auto got = driver_->Get("box", false);
    strict_->FailNothing();
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().message.find("held by another process: MsMpEng.exe (pid 1234)"),
              std::string::npos)
        << got.error().ToString();
    EXPECT_GE(host_->now - before, milliseconds(5'000));
    EXPECT_LT(host_->now - before, milliseconds(6'000)) << "of the fake clock";
  }
  options_.busy_wait = milliseconds(0);
  Reopen();
  strict_->FailEach("ActivateLayer", vmcompute::kSharingViolation, 1);
  EXPECT_FALSE(driver_->Get("box", false)) << "at once";
  strict_->FailNothing();
}

TEST_F(WindowsCalls, WhatAnEarlierRemovalLeftGoesFirst) {
  const auto left = home_ / "box-removing";
  std::filesystem::create_directories(left / "Files");
  ASSERT_TRUE(driver_->Remove("box", false));
  EXPECT_FALSE(std::filesystem::exists(left));
}

// Windows renames no folder that holds an open file.
class Renames : public WindowsCalls {
 protected:
  void SetUp() override {
    WindowsCalls::SetUp();
    auto home = StoreHome::Open(home_.string(), milliseconds(1'000), fs::Durability::kNone);
    ASSERT_TRUE(home);
    store_ = std::make_unique<StoreHome>(*std::move(home));
    platform_ = std::make_unique<Platform>(strict_->table(), vmcompute::kFilterDriver,
                                           home_.string(), WindowsAccess{gate_, host_, {}});
  }
  // Refused while `errors` lasts.
  Status Remove(std::vector<Error> errors) {
    const Removal removal(*platform_, *store_,
                          [this, errors](const std::string& from, const std::string& to) -> Status {
                            if (tries_ < errors.size()) return errors[tries_++];
                            ++tries_;
                            std::filesystem::rename(home_ / from, home_ / to);
                            return {};
                          });
    return removal.Remove("box");
  }
  static Error Denied() { return Error(Errc::kAccessDenied, "access denied"); }
  static Error Held() { return Error(Errc::kLayerBusy, "held"); }

  std::unique_ptr<StoreHome> store_;
  std::unique_ptr<Platform> platform_;
  std::size_t tries_ = 0;
};

TEST_F(Renames, TheDiskOfACrashedProgramIsDetached) {
  ASSERT_TRUE(Remove({Denied()}));
  EXPECT_EQ(host_->detached, Lines{(home_ / "box" / "sandbox.vhdx").string()});
  EXPECT_EQ(tries_, 2u);
  EXPECT_FALSE(std::filesystem::exists(home_ / "box-removing"));
}

TEST_F(Renames, WhatHasNoDiskIsTriedAgain) {
  std::filesystem::remove(home_ / "box" / "sandbox.vhdx");
  ASSERT_TRUE(Remove({Held(), Held(), Held()}));
  EXPECT_EQ(host_->detached, Lines());
  EXPECT_EQ(host_->sleeps, (std::vector<std::int64_t>{20, 40}));
}

TEST_F(Renames, WhatStaysHeldNamesTheHolderAndChangesNothing) {
  host_->holders = "dockerd.exe (pid 7)";
  host_->detach = [] { return Status(Error(Errc::kIo, "the disk is in use")); };
  const auto removed = Remove(std::vector<Error>(1'000, Denied()));
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Errc::kLayerBusy);
  EXPECT_NE(removed.error().message.find("dockerd.exe (pid 7)"), std::string::npos);
  EXPECT_NE(removed.error().message.find("the disk is in use"), std::string::npos);
  EXPECT_TRUE(driver_->Exists("box"));
  EXPECT_GE(host_->now, milliseconds(5'000)) << "of the fake clock";
}

TEST_F(Renames, WhatIsNoMatterOfWaitingFailsAtOnce) {
  const auto removed = Remove({Error(Errc::kIo, "the disk failed")});
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().message, "the disk failed");
  EXPECT_EQ(host_->sleeps.size(), 0u);
}

TEST_F(WindowsCalls, AFailedDestroyLeavesAPendingRemovalWithItsReason) {
  strict_->FailEach("DestroyLayer", vmcompute::kIoDevice, 1);
  const auto removed = driver_->Remove("box", false);
  strict_->FailNothing();
  ASSERT_FALSE(removed);
  EXPECT_NE(removed.error().message.find("the layer is gone, but"), std::string::npos)
      << removed.error().ToString();
  EXPECT_FALSE(driver_->Exists("box"));
  EXPECT_TRUE(std::filesystem::exists(home_ / "box-removing"));
  EXPECT_TRUE(std::filesystem::exists(home_ / ".wclayer" / "removals" / "box.json"));
  ASSERT_TRUE(driver_->CreateReadWrite("box", "mid", 0)) << "the id is free";
  Reopen();
  EXPECT_FALSE(std::filesystem::exists(home_ / "box-removing")) << "the next start goes on";
  EXPECT_FALSE(std::filesystem::exists(home_ / ".wclayer" / "removals" / "box.json"));
  EXPECT_TRUE(driver_->Exists("box"));
}

TEST_F(WindowsCalls, ALayerThatALayerMountedHereNeedsIsNotDestroyed) {
  ASSERT_TRUE(driver_->Get("box", false));
  // Past the driver's own rules, as a second home on the same folders would be.
  const std::string key = LowerAscii((home_ / "mid").string());
  EXPECT_NE(gate_->HolderOf(key), "");
  EXPECT_NE(gate_->HolderOf(LowerAscii((home_ / "base").string())), "");
  const auto removed = driver_->Remove("mid", false);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Errc::kLayerBusy);
  EXPECT_EQ(driver_->Remove("base", true).error().code, Errc::kLayerBusy);
  ASSERT_TRUE(driver_->Put("box"));
  EXPECT_EQ(gate_->HolderOf(key), "");
}

// ---- Calls that do not return (L11)

class Hanging : public WindowsCalls, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    WindowsCalls::SetUp();
    ASSERT_TRUE(driver_->CreateReadWrite("other", "mid", 0));
    strict_->Forget();
  }
  void ExpectRefused(const std::string& id) {
    const auto got = driver_->Get(id, false);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::kCallTimeout) << got.error().ToString();
    EXPECT_NE(got.error().message.find("has not returned"), std::string::npos);
  }
  bool AfterItsWork() const { return GetParam(); }
};

TEST_P(Hanging, TheLayerIsRefusedAndOthersGoOn) {
  strict_->Hang("PrepareLayer", AfterItsWork());
  ExpectRefused("box");
  ASSERT_EQ(gate_->Suspects().size(), 1u);
  EXPECT_EQ(gate_->Suspects()[0].call, "PrepareLayer");
  ExpectRefused("box");
  EXPECT_FALSE(driver_->Exists("box")) << "unknown counts as no";
  EXPECT_EQ(driver_->Remove("box", false).error().code, Errc::kCallTimeout);
  EXPECT_TRUE(std::filesystem::exists(home_ / "box")) << "not even renamed";
  bool named = false;
  const auto pairs = driver_->Status();
  for (const Pair& pair : *pairs)
    named = named || (pair.key == "Not returned" &&
                      pair.value.find("PrepareLayer on 'box'") != std::string::npos);
  EXPECT_TRUE(named);

  // Other layers go on: neither the lock around Prepare nor a place of the limit is held.
  DiffOptions transport;
  transport.format = ArchiveFormat::kTransport;
  EXPECT_TRUE(Diff("other", transport));
  EXPECT_TRUE(driver_->Exists("mid"));

  LetGo();
  EXPECT_EQ(strict_->Active(), Lines()) << "what came too late was taken back";
  ASSERT_TRUE(driver_->Get("box", false)) << "and the layer is usable again";
  ASSERT_TRUE(driver_->Put("box"));
}

TEST_P(Hanging, ManyThatHangBlockNobody) {
  options_.call_limit = 2;
  Reopen();
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(driver_->CreateReadWrite("h" + std::to_string(i), "mid", 0));
  strict_->Hang("ActivateLayer", AfterItsWork());
  for (int i = 0; i < 5; ++i) ExpectRefused("h" + std::to_string(i));
  EXPECT_EQ(gate_->Suspects().size(), 5u);
  EXPECT_TRUE(driver_->Exists("mid"));
  ASSERT_TRUE(driver_->Create("new", "mid", 0));
  LetGo();
  EXPECT_EQ(strict_->Active(), Lines());
}

TEST_P(Hanging, AGetThatFailsBehindItIsUndoneLater) {
  strict_->Hang("GetLayerMountPath", AfterItsWork());
  ExpectRefused("box");
  EXPECT_EQ(strict_->Active(), Lines{"box (prepared)"}) << "nobody can unmount it now";
  LetGo();
  EXPECT_EQ(strict_->Active(), Lines());
  ASSERT_TRUE(driver_->Get("box", false));
  ASSERT_TRUE(driver_->Put("box"));
}

TEST_P(Hanging, APutThatFailsLeavesTheLayerMounted) {
  for (const char* call : {"UnprepareLayer", "DeactivateLayer"}) {
    ASSERT_TRUE(driver_->Get("box", false));
    strict_->Hang(call, AfterItsWork());
    EXPECT_EQ(driver_->Put("box").error().code, Errc::kCallTimeout) << call;
    LetGo();
    EXPECT_EQ(strict_->Active(), Lines{"box (prepared)"}) << call;
    ASSERT_TRUE(driver_->Put("box")) << call;
    EXPECT_EQ(strict_->Active(), Lines());
  }
}

TEST_P(Hanging, AnImportThatComesTooLateGoes) {
  strict_->Hang("ImportLayer", AfterItsWork());
  const auto applied = Apply("new", "mid", TransportTar("new"));
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Errc::kCallTimeout) << applied.error().ToString();
  LetGo();
  EXPECT_FALSE(std::filesystem::exists(home_ / "new")) << "destroyed behind the import";
  EXPECT_EQ(Sequence().back(), "DestroyLayer new");
}

TEST_P(Hanging, ClosingDoesNotWait) {
  strict_->Hang("ActivateLayer", AfterItsWork());
  ExpectRefused("box");
  driver_.reset();  // would hang here
  LetGo();
}

TEST_P(Hanging, AGateIsGivenUpWithItsThreads) {
  std::atomic<bool> started{false};
  std::atomic<bool> release{false};
  std::atomic<bool> done{false};
  {
    vmcompute::CallGate gate([&](const vmcompute::GateCall&) { return started.load(); });
    vmcompute::GateCall call;
    call.name = "ActivateLayer";
    call.layer = "x";
    call.run = [&] {
      started = true;
      while (!release) std::this_thread::yield();
      return vmcompute::kOk;
    };
    call.late = [&](vmcompute::Hresult) { done = true; };
    const auto hr = gate.Run(call, {});
    ASSERT_FALSE(hr);
    EXPECT_EQ(hr.error().code, Errc::kCallTimeout);
  }  // the gate is gone, its thread is not
  release = true;
  while (!done) std::this_thread::yield();
}

INSTANTIATE_TEST_SUITE_P(Calls, Hanging, testing::Bool(), [](const auto& each) {
  return each.param ? "AfterTheirWork" : "BeforeTheirWork";
});

// ---- Around the calls

TEST_F(WindowsCalls, PrivilegesAreHeldWhileALayerIsReadOrWritten) {
  ApplyOptions options;
  options.parent = "mid";
  auto apply = driver_->ApplyDiff("new", options);
  ASSERT_TRUE(apply);
  EXPECT_EQ(host_->Enabled(), (Lines{kBackupPrivilege, kRestorePrivilege, kSecurityPrivilege}));
  DiffOptions transport;
  transport.format = ArchiveFormat::kTransport;
  auto diff = driver_->Diff("box", transport);
  ASSERT_TRUE(diff);
  apply->reset();
  EXPECT_EQ(host_->Enabled(), (Lines{kBackupPrivilege, kSecurityPrivilege})) << "the reader's stay";
  diff->reset();
  EXPECT_EQ(host_->Enabled(), Lines());

  host_->missing_privilege = kSecurityPrivilege;
  const auto refused = driver_->Diff("box", transport);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kAccessDenied);
  EXPECT_NE(refused.error().message.find(kSecurityPrivilege), std::string::npos);
  EXPECT_EQ(host_->Enabled(), Lines()) << "all or none";
  EXPECT_EQ(driver_->ApplyDiff("new", options).error().code, Errc::kAccessDenied);
}

TEST_F(WindowsCalls, AHomeOnRefsIsRefusedWithTheReason) {
  driver_.reset();
  host_->file_system = "ReFS";
  const auto driver = Driver::Open(Strict(), options_);
  ASSERT_FALSE(driver);
  EXPECT_EQ(driver.error().code, Errc::kUnsupported);
  EXPECT_NE(driver.error().message.find("ReFS"), std::string::npos);
  host_->file_system = "NTFS";
}

TEST_F(WindowsCalls, AnImageForANewerWindowsIsRefusedBeforeAnythingIsMade) {
  ApplyOptions options;
  options.parent = "mid";
  options.os_version = "10.0.26100.1742";
  strict_->Forget();
  const auto apply = driver_->ApplyDiff("new", options);
  ASSERT_FALSE(apply);
  EXPECT_EQ(apply.error().code, Errc::kOsVersionMismatch);
  EXPECT_NE(apply.error().message.find("10.0.26100.1742"), std::string::npos);
  EXPECT_NE(apply.error().message.find("10.0.20348"), std::string::npos);
  EXPECT_EQ(strict_->Log(), Lines());
  options.os_version = "10.0.17763.1";
  EXPECT_TRUE(driver_->ApplyDiff("new", options));
}

TEST(OsVersions, AreComparedByBuild) {
  const auto fits = [](const char* image, const char* host) {
    const auto checked = CheckOsVersion(image, host);
    return checked                                            ? std::string("fits")
           : checked.error().code == Errc::kOsVersionMismatch ? "newer"
                                                              : "no version";
  };
  EXPECT_EQ(fits("10.0.20348.1", "10.0.20348"), "fits");
  EXPECT_EQ(fits("10.0.20348.9999", "10.0.20348.1"), "fits") << "revisions fit each other";
  EXPECT_EQ(fits("10.0.20349", "10.0.20348.9999"), "newer");
  EXPECT_EQ(fits("10.1.0", "10.0.20348"), "newer");
  EXPECT_EQ(fits("6.3.9600", "10.0.20348"), "fits");
  EXPECT_EQ(fits("10.0.99999999999999999999", "10.0.20348"), "no version");
  EXPECT_EQ(fits("10.0.x", "10.0.20348"), "no version");
  EXPECT_EQ(fits("10.0.1.2.3", "10.0.20348"), "no version");
  EXPECT_EQ(fits("", "10.0.20348"), "no version");
  EXPECT_EQ(fits("10.0.26100", "?"), "fits") << "Windows has to tell";
}

TEST_F(WindowsCalls, StatusTellsWhatIsMissing) {
  auto chosen = Strict();
  chosen.disabled = "ExpandSandboxSize (the storage option size)";
  driver_.reset();
  auto driver = Driver::Open(chosen, options_);
  ASSERT_TRUE(driver);
  std::map<std::string, std::string> status;
  const auto pairs = (*driver)->Status();
  for (const Pair& pair : *pairs) status[pair.key] = pair.value;
  EXPECT_EQ(status["Not available"], chosen.disabled);
  EXPECT_EQ(status["Host version"], "10.0.20348");
  EXPECT_EQ(status["API"], "vmcompute");
  EXPECT_EQ(pairs->front().key, "Windows");
}

// What a killed Diff leaves: the layer activated, and a note of who read it.
TEST_F(WindowsCalls, ADeadReadersLayerIsDeactivated) {
  DiffOptions transport;
  transport.format = ArchiveFormat::kTransport;
  auto source = driver_->Diff("box", transport);
  ASSERT_TRUE(source);
  const auto note = home_ / ".wclayer" / "mounts" / "box.json";
  ASSERT_TRUE(std::filesystem::exists(note));
  const auto kept = home_ / ".wclayer" / "kept";
  std::filesystem::copy_file(note, kept);
  source->reset();
  EXPECT_FALSE(std::filesystem::exists(note));
  driver_.reset();  // its owner's lock goes with it
  std::filesystem::rename(kept, note);
  strict_->Forget();
  OpenStrict();
  EXPECT_EQ(Sequence(), (Lines{"UnprepareLayer box", "DeactivateLayer box"}));
  EXPECT_FALSE(std::filesystem::exists(note));
}

TEST_F(WindowsCalls, WhatCouldNotBeUndoneIsMendedByTheNext) {
  const auto note = home_ / ".wclayer" / "mounts" / "box.json";
  strict_->FailEach("PrepareLayer", vmcompute::kIoDevice, 1);
  strict_->FailEach("DeactivateLayer", vmcompute::kIoDevice, 1'000);
  ASSERT_FALSE(driver_->Get("box", false));
  strict_->FailNothing();
  EXPECT_EQ(strict_->Active(), Lines{"box"});
  EXPECT_TRUE(std::filesystem::exists(note)) << "known to whoever comes next";
  strict_->Forget();
  ASSERT_TRUE(driver_->Get("box", false));
  EXPECT_EQ(Sequence(), (Lines{"UnprepareLayer box", "DeactivateLayer box", "ActivateLayer box",
                               "PrepareLayer box on mid,base", "GetLayerMountPath box"}));
  // The other way: mounted, and not prepared again after a Diff.
  DiffOptions transport;
  transport.format = ArchiveFormat::kTransport;
  strict_->FailEach("PrepareLayer", vmcompute::kIoDevice, 1'000);
  ASSERT_TRUE(Diff("box", transport));
  strict_->FailNothing();
  EXPECT_EQ(strict_->Active(), Lines{"box"});
  ASSERT_TRUE(driver_->Get("box", false));
  EXPECT_EQ(strict_->Active(), Lines{"box (prepared)"});
  ASSERT_TRUE(driver_->Put("box"));
  ASSERT_TRUE(driver_->Put("box"));
  EXPECT_FALSE(std::filesystem::exists(note));
}

// Unprepare comes before Deactivate, also where the first fails (spec vmcompute-abi §7).
TEST_F(WindowsCalls, WhatCannotBeUnpreparedIsNotDeactivated) {
  strict_->FailEach("GetLayerMountPath", vmcompute::kIoDevice, 1);
  strict_->FailEach("UnprepareLayer", vmcompute::kIoDevice, 1'000);
  const auto got = driver_->Get("box", false);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("UnprepareLayer"), std::string::npos)
      << got.error().ToString();
  strict_->FailNothing();
  EXPECT_EQ(strict_->Active(), Lines{"box (prepared)"});
  strict_->Forget();
  ASSERT_TRUE(driver_->Get("box", false));
  EXPECT_EQ(Sequence(), (Lines{"UnprepareLayer box", "DeactivateLayer box", "ActivateLayer box",
                               "PrepareLayer box on mid,base", "GetLayerMountPath box"}));
  ASSERT_TRUE(driver_->Put("box"));
}

// L8: whatever fails, and however many at once, counts and mounts agree in the end.
TEST_F(WindowsCalls, RandomFailuresUnderThreadsLeaveNothing) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  options_.busy_wait = milliseconds(50);
  Reopen();
  ASSERT_TRUE(driver_->CreateReadWrite("box2", "mid", 0));
  strict_->FailAtRandom(seed, 40);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(seed + t);
      DiffOptions transport;
      transport.format = ArchiveFormat::kTransport;
      for (int i = 0; i < 30; ++i) {
        const std::string id = random() % 2 == 0 ? "box" : "box2";
        if (random() % 3 == 0) {
          auto diff = Diff(id, transport);
          (void)diff.has_value();
          continue;
        }
        if (!driver_->Get(id, false)) continue;
        // The last one may have to wait for a Diff; and a Put that fails keeps its reference.
        while (!driver_->Put(id)) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  strict_->FailNothing();
  for (const char* id : {"box", "box2"}) {
    ASSERT_TRUE(driver_->Get(id, false)) << "which mends what could not be undone";
    ASSERT_TRUE(driver_->Put(id));
    ASSERT_TRUE(driver_->Put(id)) << "nothing more is counted: a no-op";
  }
  EXPECT_EQ(strict_->Active(), Lines());
}

}  // namespace
}  // namespace wclayer::test
