// A home that the session runs in, and what must hold of it whatever happened there.
#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "crash/session.h"
#include "fs/mount.h"
#include "support/remove_folder.h"
#include "support/temporary_folder.h"

namespace wclayer::crash {

namespace files = std::filesystem;

// With its mounts as overlays, or as checkouts.
class SessionTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    setting_.checkout = GetParam();
    folder_ = test::MakeTemporaryFolder("crash");
    setting_.home = (folder_ / "home").string();
  }
  void TearDown() override { test::RemoveFolder(folder_); }

  std::vector<std::string> MountsBelow() const {
    std::vector<std::string> targets;
    const auto mounts = fs::ListMounts();
    EXPECT_TRUE(mounts);
    for (const auto& mount : *mounts)
      if (mount.target.starts_with(setting_.home + "/")) targets.push_back(mount.target);
    return targets;
  }
  // As the end of the machine does.
  void DropMounts() const {
    for (const std::string& target : MountsBelow())
      EXPECT_EQ(::umount2(target.c_str(), MNT_DETACH), 0) << target;
  }

  // What a killed process leaves in the home's own folder.
  std::vector<std::string> LeftOvers() const {
    std::vector<std::string> left = MountsBelow();
    const files::path own = files::path(setting_.home) / ".wclayer";
    for (const char* name : {"staging", "tmp", "mounts"}) {
      if (!files::exists(own / name)) continue;
      for (const auto& item : files::directory_iterator(own / name)) left.push_back(item.path());
    }
    for (const auto& item : files::directory_iterator(own)) {
      if (item.path().filename().string().starts_with("trial")) left.push_back(item.path());
    }
    for (const auto& item : files::directory_iterator(own / "locks")) {
      const std::string name = item.path().filename();
      for (const char* start : {"owner+", "staging+", "tmp+", "removing+", "small+"})
        if (name.starts_with(start)) left.push_back(name);
    }
    for (const auto& item : files::recursive_directory_iterator(setting_.home)) {
      const std::string name = item.path().filename();
      if (name.ends_with("-removing") || name.ends_with(".tmp")) left.push_back(item.path());
    }
    return left;
  }

  // `whole`: the session said that it had come to its end.
  void CheckHome(int step, bool whole) {
    {
      const auto driver = OpenDriver(setting_);
      ASSERT_TRUE(driver) << driver.error().ToString();
      EXPECT_EQ(LeftOvers(), std::vector<std::string>());
      const auto layers = (*driver)->List();
      ASSERT_TRUE(layers) << layers.error().ToString();
      std::set<std::string> present;
      for (const LayerSummary& layer : *layers) {
        present.insert(layer.id);
        EXPECT_TRUE(layer.state == "created" || layer.state == "committed")
            << layer.id << " is " << layer.state;
        const std::string parent = layer.id == "base" ? "" : layer.id == "child" ? "base" : "child";
        EXPECT_EQ(layer.parent, parent) << layer.id;
      }
      const auto problems = (*driver)->Verify({}, VerifyDepth::kFull);
      ASSERT_TRUE(problems) << problems.error().ToString();
      for (const Problem& problem : *problems)
        ADD_FAILURE() << problem.id << ": " << problem.path << ": " << problem.problem;
      const auto now = LayersAfter(step);
      const auto next = LayersAfter(std::min(step + 1, StepCount()));
      for (const std::string& id : now)
        EXPECT_TRUE(present.contains(id) || !next.contains(id)) << id << " is gone";
      for (const std::string& id : present)
        EXPECT_TRUE(now.contains(id) || next.contains(id)) << id << " is too much";
      if (whole) {
        EXPECT_EQ(present, now);
      }
      CheckCommitted(**driver, *layers, step);
      const auto reset = Reset(**driver);
      ASSERT_TRUE(reset) << reset.error().ToString();
    }
    int again = 0;
    const auto ran = RunSession(setting_, again);
    EXPECT_TRUE(ran) << "again: " << ran.error().ToString();
    EXPECT_EQ(LeftOvers(), std::vector<std::string>());
    const auto driver = OpenDriver(setting_);
    ASSERT_TRUE(driver) << driver.error().ToString();
    const auto reset = Reset(**driver);
    ASSERT_TRUE(reset) << reset.error().ToString();
  }

  // What ApplyDiff returned stays filled, not just there.
  static void CheckCommitted(Driver&, const std::vector<LayerSummary>& layers, int step) {
    for (const LayerSummary& layer : layers) {
      const bool applied = (layer.id == "base" && step >= 2) ||
                           (layer.id == "child" && step >= 4) || layer.id == "top";
      if (applied) {
        EXPECT_EQ(layer.state, "committed") << layer.id;
      }
    }
  }

  // The points to try: all, a seeded part of them, or the one of WCLAYER_CRASH_POINT.
  static std::vector<int> Points(int of, int part, unsigned seed) {
    if (const char* one = std::getenv("WCLAYER_CRASH_POINT")) return {std::atoi(one)};
    std::vector<int> points(static_cast<std::size_t>(of));
    for (int i = 0; i < of; ++i) points[static_cast<std::size_t>(i)] = i;
    const char* all = std::getenv("WCLAYER_CRASH_POINTS");
    const long wanted = all == nullptr ? part : std::strtol(all, nullptr, 10);
    if (wanted >= of) return points;
    std::mt19937 random(seed);
    std::shuffle(points.begin(), points.end(), random);
    points.resize(static_cast<std::size_t>(wanted));
    std::sort(points.begin(), points.end());
    return points;
  }

  Setting setting_;
  files::path folder_;
};

}  // namespace wclayer::crash
