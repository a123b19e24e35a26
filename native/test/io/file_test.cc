#include "io/file.h"

#include <gtest/gtest.h>

#include "io/streams.h"

namespace wclayer::io {
namespace {

TEST(FileTest, WritesAndReadsBack) {
  const Workspace work;
  const std::string data = RandomBytes(300'000, 30);
  {
    const auto fd = CreateForWriting(work.File("f"));
    ASSERT_TRUE(fd.has_value());
    FileSink sink(fd->get());
    ASSERT_TRUE(WriteInPieces(sink, data, 70'001).has_value());
    ASSERT_TRUE(sink.Finish().has_value());
  }
  const auto fd = OpenForReading(work.File("f"));
  ASSERT_TRUE(fd.has_value());
  EXPECT_EQ(ReadAll(fd->get(), 64'000), data);
}

TEST(FileTest, ErrorsNameCallAndPath) {
  const Workspace work;
  const auto missing = OpenForReading(work.File("missing"));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().sys_errno, ENOENT);
  EXPECT_EQ(missing.error().path, work.File("missing"));
  const auto folder = OpenForReading(work.File(""));
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().sys_errno, EISDIR);
  const auto below_nothing = CreateForWriting(work.File("missing/f"));
  ASSERT_FALSE(below_nothing.has_value());
  EXPECT_EQ(below_nothing.error().sys_errno, ENOENT);
}

}  // namespace
}  // namespace wclayer::io
