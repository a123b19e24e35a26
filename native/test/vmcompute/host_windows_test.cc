// What we ask of Windows, and structured exceptions in its calls.
#include "vmcompute/host.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/windows.h"
#include "support/temporary_folder.h"
#include "vmcompute/call_gate.h"
#include "vmcompute/guarded_call.h"

namespace wclayer::vmcompute {
namespace {

constexpr std::uint32_t kDestroyedBase = 0xC0000420;  // seen when a base in use was destroyed (L10)

std::uint32_t Raised(void (*function)(void*), void* context = nullptr) {
  return GuardedCall(function, context);
}

TEST(GuardedCall, GivesTheCodeOfWhatLeavesTheCall) {
  int ran = 0;
  EXPECT_EQ(Raised([](void* context) { ++*static_cast<int*>(context); }, &ran), 0u);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(Raised([](void*) { ::RaiseException(kDestroyedBase, 0, 0, nullptr); }), kDestroyedBase);
  EXPECT_EQ(Raised([](void*) { *static_cast<volatile int*>(nullptr) = 1; }),
            static_cast<std::uint32_t>(EXCEPTION_ACCESS_VIOLATION));
  EXPECT_EQ(Raised([](void* context) { ++*static_cast<int*>(context); }, &ran), 0u);
  EXPECT_EQ(ran, 2) << "the thread goes on";
}

TEST(GuardedCall, LeavesAloneWhatIsHandledInside) {
  // As the remote calls of vmcompute.dll handle theirs.
  static std::uint32_t inner;
  inner = 0;
  EXPECT_EQ(
      Raised([](void*) {
        inner = GuardedCall(
            [](void*) { ::RaiseException(0x6BA, 0, 0, nullptr); },  // RPC_S_SERVER_UNAVAILABLE
            nullptr);
      }),
      0u);
  EXPECT_EQ(inner, 0x6BAu);
}

TEST(GuardedCall, AnExceptionInACallIsAnError) {
  CallGate gate;
  GateCall call;
  call.name = "DestroyLayer";
  call.layer = "base";
  call.run = []() -> Hresult {
    ::RaiseException(kDestroyedBase, 0, 0, nullptr);
    return kOk;
  };
  const auto hr = gate.Run(call, {});
  ASSERT_FALSE(hr);
  EXPECT_EQ(hr.error().code, Errc::kPlatform);
  EXPECT_EQ(static_cast<std::uint32_t>(hr.error().hresult), kDestroyedBase);
  EXPECT_NE(hr.error().message.find("0xc0000420"), std::string::npos);
  call.run = [] { return kOk; };
  EXPECT_TRUE(gate.Run(call, {})) << "and the next call works";
}

TEST(ThisHost, TellsItsVersionAndFileSystems) {
  const auto version = ThisHost().OsVersion();
  ASSERT_TRUE(version) << version.error().ToString();
  EXPECT_EQ(version->find("10.0."), 0u) << *version;
  const auto folder = ::wclayer::test::MakeTemporaryFolder("host");
  const auto name = ThisHost().FileSystemOf(folder.string());
  ASSERT_TRUE(name) << name.error().ToString();
  EXPECT_FALSE(name->empty());
  const auto nowhere = ThisHost().FileSystemOf("Q:\\none");
  EXPECT_FALSE(nowhere);
  std::filesystem::remove_all(folder);
}

TEST(ThisHost, HoldersOfFilesAreNamedOrUnknown) {
  const auto folder = ::wclayer::test::MakeTemporaryFolder("host");
  const auto file = folder / "sandbox.vhdx";
  {
    std::ofstream held(file);
    // Wine's restart manager knows nobody; a real one names this program.
    const std::string holders = ThisHost().HoldersOf({file.string(), (folder / "none").string()});
    EXPECT_TRUE(holders.empty() || holders.find("pid") != std::string::npos) << holders;
  }
  EXPECT_EQ(ThisHost().HoldersOf({}), "");
  std::filesystem::remove_all(folder);
}

TEST(ThisHost, PrivilegesAreThoseOfTheProcess) {
  const auto enabled = [](const wchar_t* name) {
    HANDLE token = nullptr;
    EXPECT_NE(::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &token), 0);
    PRIVILEGE_SET wanted{};
    wanted.PrivilegeCount = 1;
    wanted.Control = PRIVILEGE_SET_ALL_NECESSARY;
    EXPECT_NE(::LookupPrivilegeValueW(nullptr, name, &wanted.Privilege[0].Luid), 0);
    BOOL held = FALSE;
    EXPECT_NE(::PrivilegeCheck(token, &wanted, &held), 0);
    ::CloseHandle(token);
    return held != FALSE;
  };
  ASSERT_FALSE(enabled(L"SeBackupPrivilege"));
  auto reader = ThisHost().HoldPrivileges({kBackupPrivilege, kSecurityPrivilege});
  ASSERT_TRUE(reader) << reader.error().ToString();
  auto writer =
      ThisHost().HoldPrivileges({kBackupPrivilege, kRestorePrivilege, kSecurityPrivilege});
  ASSERT_TRUE(writer) << writer.error().ToString();
  EXPECT_TRUE(enabled(L"SeRestorePrivilege"));
  writer->reset();
  EXPECT_FALSE(enabled(L"SeRestorePrivilege"));
  EXPECT_TRUE(enabled(L"SeBackupPrivilege")) << "the reader still needs it";
  reader->reset();
  EXPECT_FALSE(enabled(L"SeBackupPrivilege"));
  const auto unknown = ThisHost().HoldPrivileges({kBackupPrivilege, "SeNoSuchPrivilege"});
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().ToString().find("SeNoSuchPrivilege"), std::string::npos);
  EXPECT_FALSE(enabled(L"SeBackupPrivilege")) << "all or none";
}

TEST(ThisHost, APrivilegeThatTheTokenLacksIsNamed) {
  // Removed for good from this process' token, as an unelevated one never had it.
  HANDLE token = nullptr;
  ASSERT_NE(
      ::OpenProcessToken(::GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token), 0);
  TOKEN_PRIVILEGES removed{};
  removed.PrivilegeCount = 1;
  removed.Privileges[0].Attributes = SE_PRIVILEGE_REMOVED;
  ASSERT_NE(::LookupPrivilegeValueW(nullptr, L"SeRestorePrivilege", &removed.Privileges[0].Luid),
            0);
  const BOOL done = ::AdjustTokenPrivileges(token, FALSE, &removed, 0, nullptr, nullptr);
  ::CloseHandle(token);
  ASSERT_NE(done, 0);
  const auto held = ThisHost().HoldPrivileges({kRestorePrivilege});
  ASSERT_FALSE(held) << "ERROR_NOT_ALL_ASSIGNED is an error";
  EXPECT_EQ(held.error().code, Errc::kAccessDenied);
  EXPECT_NE(held.error().message.find("SeRestorePrivilege"), std::string::npos);
}

}  // namespace
}  // namespace wclayer::vmcompute
