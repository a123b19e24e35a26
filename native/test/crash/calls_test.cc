// How many system calls a file costs (spec performance, "what dominates"): counted, not timed.
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "crash/seam.h"
#include "driver/fixture.h"
#include "vmcompute/backends.h"

namespace wclayer::crash {
namespace {

using Counts = std::map<std::string, long>;

class Counter : public Hook {
 public:
  Counter() { Install(this); }
  ~Counter() override { Install(nullptr); }
  int Before(Call& call) override {
    const std::lock_guard lock(mutex_);
    ++counts_[call.name];
    return 0;
  }
  void After(const Call&, long) override {}
  Counts Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(counts_, {});
  }

 private:
  std::mutex mutex_;
  Counts counts_;
};

constexpr int kFew = 100;
constexpr int kMany = 1'100;

Buffer TarOf(int files) {
  std::vector<test::TarEntry> entries = {{"Files", '5', "", ""}};
  for (int i = 0; i < files; ++i)
    entries.push_back({"Files/file" + std::to_string(i), '0', std::string(1'000, 'x'), ""});
  return test::MakeTar(entries);
}

// What a job needs for each further file: the difference between a large and a small layer. What
// is written and read in blocks (metadata, skeleton) counts less than one call in a hundred files.
class CallsTest : public test::DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    Open(vmcompute::Portable());
    ASSERT_TRUE(Apply("few", "", TarOf(kFew)));
    ASSERT_TRUE(Apply("many", "", TarOf(kMany)));
  }

  template <class Job>
  Counts PerFile(Job job) {
    Counter counter;
    job(true);
    const Counts few = counter.Take();
    job(false);
    Counts per_file;
    for (const auto& [name, count] : counter.Take()) {
      const auto before = few.find(name);
      const long more = count - (before == few.end() ? 0 : before->second);
      const long rounded = (more + (kMany - kFew) / 100) / (kMany - kFew);
      if (rounded != 0) per_file[name] = rounded;
    }
    return per_file;
  }
};

TEST_F(CallsTest, ApplyDiffMakesThreeCallsAFile) {
  const Buffer few = TarOf(kFew);
  const Buffer many = TarOf(kMany);
  const Counts expected = {{"close", 1}, {"open", 1}, {"write", 1}};
  EXPECT_EQ(PerFile([&](bool small) {
              ASSERT_TRUE(Apply(small ? std::string("small") : std::string("large"), "",
                                small ? few : many));
            }),
            expected);
}

TEST_F(CallsTest, ADiffMakesThreeCallsAFile) {
  const Counts expected = {{"close", 1}, {"open", 1}, {"read", 1}};
  for (const bool rebuild : {false, true}) {
    SCOPED_TRACE(rebuild ? "from metadata" : "replay");
    DiffOptions options;
    options.rebuild = rebuild;
    EXPECT_EQ(PerFile([&](bool small) { ASSERT_TRUE(Diff(small ? "few" : "many", options)); }),
              expected);
  }
}

TEST_F(CallsTest, ChangesAndDiffSizeLookAtNoFile) {
  EXPECT_EQ(PerFile([&](bool small) { ASSERT_TRUE(ChangeLines(small ? "few" : "many", "")); }),
            Counts());
  EXPECT_EQ(
      PerFile([&](bool small) { ASSERT_TRUE(driver_->DiffSize(small ? "few" : "many", "")); }),
      Counts());
}

}  // namespace
}  // namespace wclayer::crash
