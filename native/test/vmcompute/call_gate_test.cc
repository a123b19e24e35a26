// The gate that calls of Windows go through: places, the one that runs alone, time (L11, L15).
// Hanging calls and what is done behind them: test/driver/windows_calls_test.cc.
#include "vmcompute/call_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

namespace wclayer::vmcompute {
namespace {

using std::chrono::milliseconds;

constexpr CallRules kPatient{4, std::chrono::minutes(5)};

GateCall Make(const char* name, const std::string& layer, std::function<Hresult()> run) {
  GateCall call;
  call.name = name;
  call.layer = layer;
  call.run = std::move(run);
  return call;
}

// A call that stays until it is let go.
class Door {
 public:
  Hresult Wait() {
    inside_ = true;
    while (!open_) std::this_thread::yield();
    return kOk;
  }
  void WaitForSomebody() const {
    while (!inside_) std::this_thread::yield();
  }
  void Open() { open_ = true; }

 private:
  std::atomic<bool> inside_{false};
  std::atomic<bool> open_{false};
};

TEST(CallGate, GivesWhatTheCallGivesFromAThreadOfItsOwn) {
  CallGate gate;
  const auto caller = std::this_thread::get_id();
  std::thread::id runner;
  for (const Hresult wanted : {kOk, Hresult{1}, kAccessDenied}) {
    const auto hr = gate.Run(Make("LayerExists", "x",
                                  [&] {
                                    runner = std::this_thread::get_id();
                                    return wanted;
                                  }),
                             kPatient);
    ASSERT_TRUE(hr);
    EXPECT_EQ(*hr, wanted);
    EXPECT_NE(runner, caller);
  }
}

TEST(CallGate, AThreadServesManyCalls) {
  CallGate gate;
  std::set<std::thread::id> threads;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(gate.Run(Make("LayerExists", "x",
                              [&] {
                                threads.insert(std::this_thread::get_id());
                                return kOk;
                              }),
                         kPatient));
  }
  EXPECT_LE(threads.size(), 2u) << "the first may not be back when the second call comes";
}

TEST(CallGate, WhoGetsNoTurnIsToldSo) {
  CallGate gate;
  Door door;
  std::thread first([&] {
    EXPECT_TRUE(
        gate.Run(Make("ImportLayer", "a", [&] { return door.Wait(); }), {1, kPatient.deadline}));
  });
  door.WaitForSomebody();
  bool ran = false;
  const auto hr = gate.Run(Make("ActivateLayer", "b",
                                [&] {
                                  ran = true;
                                  return kOk;
                                }),
                           {1, milliseconds(10)});
  ASSERT_FALSE(hr);
  EXPECT_EQ(hr.error().code, Errc::kLayerBusy);
  EXPECT_NE(hr.error().message.find("callLimit"), std::string::npos) << hr.error().message;
  EXPECT_FALSE(ran);
  door.Open();
  first.join();
}

TEST(CallGate, OneThatRunsAloneKeepsOutItsLikeOnly) {
  CallGate gate;
  Door door;
  std::thread first([&] {
    auto call = Make("PrepareLayer", "a", [&] { return door.Wait(); });
    call.alone = true;
    EXPECT_TRUE(gate.Run(std::move(call), kPatient));
  });
  door.WaitForSomebody();
  EXPECT_TRUE(gate.Run(Make("ActivateLayer", "b", [] { return kOk; }), kPatient));
  auto second = Make("PrepareLayer", "b", [] { return kOk; });
  second.alone = true;
  EXPECT_FALSE(gate.Run(second, {4, milliseconds(10)}));
  door.Open();
  first.join();
  EXPECT_TRUE(gate.Run(second, kPatient));
}

// With the real clock: this call cannot come back in time, so that no speed matters.
TEST(CallGate, TheClockEndsTheWait) {
  CallGate gate;
  Door door;
  auto call = Make("ActivateLayer", "a", [&] { return door.Wait(); });
  std::atomic<bool> late{false};
  call.late = [&](Hresult hr) { late = hr == kOk; };
  // So busy a computer that no thread begins the call in time gives another answer; then again.
  for (;;) {
    const auto hr = gate.Run(call, {4, milliseconds(20)});
    ASSERT_FALSE(hr);
    if (hr.error().code == Errc::kLayerBusy) continue;
    EXPECT_EQ(hr.error().code, Errc::kCallTimeout);
    EXPECT_NE(hr.error().message.find("callTimeout"), std::string::npos) << hr.error().message;
    break;
  }
  ASSERT_EQ(gate.Suspects().size(), 1u);
  EXPECT_EQ(gate.Suspects()[0].layer, "a");
  EXPECT_GE(gate.Suspects()[0].elapsed.count(), 20);
  door.Open();
  while (!gate.Suspects().empty()) std::this_thread::yield();
  EXPECT_TRUE(late);
}

}  // namespace
}  // namespace wclayer::vmcompute
