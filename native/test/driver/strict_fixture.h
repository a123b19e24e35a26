// A driver over the strict table, called as a table of Windows is.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "driver/fixture.h"
#include "support/fake_host.h"
#include "support/strict_table.h"
#include "vmcompute/backends.h"

namespace wclayer::test {

// A v1.10 transport tar: what a table without streams takes.
inline Buffer TransportTar(const std::string& content) {
  return MakeTar({{"Files/", '5', "", ""},
                  {"Files/f.txt", '0', content, ""},
                  {"tombstones.txt", '0', "", ""}});
}

class StrictTest : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    strict_ = std::make_unique<StrictTable>(Inner());
    host_ = std::make_shared<FakeHost>();
    gate_ = NewGate();
    options_.durability = DurabilityLevel::kNone;
    options_.lock_wait = std::chrono::milliseconds(20'000);
    OpenStrict();
  }
  void TearDown() override {
    driver_.reset();
    if (strict_ != nullptr) {
      strict_->Release();
      EXPECT_EQ(strict_->Misuses(), std::vector<std::string>());
      EXPECT_EQ(strict_->Unfreed(), 0u);
      EXPECT_EQ(strict_->OpenContexts(), 0u);
      EXPECT_EQ(strict_->Active(), std::vector<std::string>());
    }
    EXPECT_EQ(host_->Enabled(), std::vector<std::string>()) << "privileges are put back";
    while (!gate_->Suspects().empty()) std::this_thread::yield();
    gate_.reset();
    strict_.reset();
    DriverTest::TearDown();
  }

  // Gives up a call when it hangs, and never for want of time.
  std::shared_ptr<vmcompute::CallGate> NewGate() {
    given_up_ = 0;
    return std::make_shared<vmcompute::CallGate>([this](const vmcompute::GateCall& call) {
      if (strict_->Hanging(call.name) <= given_up_) return false;
      ++given_up_;
      return true;
    });
  }
  // Lets go what hangs, and waits until all of it is over.
  void LetGo() {
    strict_->Release();
    while (!gate_->Suspects().empty()) std::this_thread::yield();
    given_up_ = 0;
  }

  // What the strict table checks calls of; null: it keeps the layers itself.
  virtual const vmcompute::Table* Inner() { return nullptr; }

  vmcompute::Chosen Strict() const { return {&strict_->table(), "system", "", gate_, host_}; }

  void OpenStrict() {
    driver_.reset();
    options_.home = home_.string();
    auto driver = Driver::Open(Strict(), options_);
    ASSERT_TRUE(driver) << driver.error().ToString();
    driver_ = *std::move(driver);
  }

  // base ← mid ← box (writable), nothing mounted.
  void MakeChain() {
    const auto base = Apply("base", "", TransportTar("base"));
    ASSERT_TRUE(base) << base.error().ToString();
    const auto mid = Apply("mid", "base", TransportTar("mid"));
    ASSERT_TRUE(mid) << mid.error().ToString();
    const auto box = driver_->CreateReadWrite("box", "mid", 0);
    ASSERT_TRUE(box) << box.error().ToString();
    strict_->Forget();
  }

  // The calls since Forget that change something or give a path.
  std::vector<std::string> Sequence() const {
    std::vector<std::string> lines;
    bool second_asked = false;
    for (const std::string& line : strict_->Log()) {
      if (line.starts_with("LayerExists") || line.starts_with("NameToGuid")) continue;
      // Asked for its length, then for itself (spec vmcompute-abi §4).
      const bool second = line.starts_with("GetLayerMountPath") && !lines.empty() &&
                          lines.back() == line && !second_asked;
      second_asked = second;
      if (second) continue;
      lines.push_back(line);
    }
    return lines;
  }

  std::unique_ptr<StrictTable> strict_;
  std::shared_ptr<FakeHost> host_;
  std::shared_ptr<vmcompute::CallGate> gate_;
  std::atomic<int> given_up_{0};
  DriverOptions options_;
};

}  // namespace wclayer::test
