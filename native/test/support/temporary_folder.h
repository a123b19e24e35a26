// A folder for what a test makes outside the repository.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <random>
#include <string>

namespace wclayer::test {

// A new folder that nobody else has, below the system's folder for such things; absolute. Whoever
// asks removes it.
inline std::filesystem::path MakeTemporaryFolder(const std::string& start) {
  std::random_device random;
  for (;;) {
    char end[20];
    std::snprintf(end, sizeof end, "-%08x%08x", random(), random());
    const auto path = std::filesystem::path(testing::TempDir()) / ("wclayer-" + start + end);
    if (std::filesystem::create_directory(path)) return path;
  }
}

}  // namespace wclayer::test
