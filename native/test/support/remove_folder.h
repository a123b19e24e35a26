// Taking away what a test has made, however deep and READONLY: what std::filesystem cannot on
// Windows.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "fs/dir.h"

namespace wclayer::test {

inline void RemoveFolder(const std::filesystem::path& path) {
  const auto parent = fs::Dir::OpenAbsolute(path.parent_path().string());
  ASSERT_TRUE(parent.has_value()) << parent.error().ToString();
  const auto removed = parent->RemoveTree(path.filename().string());
  EXPECT_TRUE(removed.has_value()) << removed.error().ToString();
}

}  // namespace wclayer::test
