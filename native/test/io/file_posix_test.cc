// What descriptors of Linux add: modes, pipes, a full device.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "io/file.h"
#include "io/streams.h"

namespace wclayer::io {
namespace {

TEST(FileTest, ANewFileIsEmptyAndPrivateAndNotInherited) {
  const Workspace work;
  work.Put("f", "what was there before");
  const auto old = CreateForWriting(work.File("f"));
  const auto fresh = CreateForWriting(work.File("g"));
  ASSERT_TRUE(old.has_value() && fresh.has_value());
  EXPECT_EQ(work.Get("f"), "");
  struct stat info {};
  ASSERT_EQ(::fstat(fresh->get(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_NE(::fcntl(fresh->get(), F_GETFD) & FD_CLOEXEC, 0);
  const auto reading = OpenForReading(work.File("f"));
  ASSERT_TRUE(reading.has_value());
  EXPECT_NE(::fcntl(reading->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(FileTest, AFullDeviceIsNoSpace) {
  const UniqueFd fd(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(static_cast<bool>(fd));
  FileSink sink(fd.get());
  const Status status = sink.Write(AsBytes("x"));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, Errc::kNoSpace);
}

TEST(FileTest, AnUnreadableDescriptorIsAnError) {
  const Workspace work;
  const auto fd = CreateForWriting(work.File("f"));
  ASSERT_TRUE(fd.has_value());
  Buffer buffer(10);
  const auto count = ReadSome(fd->get(), buffer);
  ASSERT_FALSE(count.has_value());
  EXPECT_EQ(count.error().sys_errno, EBADF);
}

TEST(FileTest, ShortWritesToAPipeAreCompleted) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const std::string data = RandomBytes(1'000'000, 31);  // far more than a pipe holds
  std::string got;
  std::thread reader([&] { got = ReadAll(from.get(), 777); });
  FileSink sink(to.get());
  const Status status = sink.Write(AsBytes(data));
  to.reset();
  reader.join();
  EXPECT_TRUE(status.has_value());
  EXPECT_EQ(got, data);
}

}  // namespace
}  // namespace wclayer::io
