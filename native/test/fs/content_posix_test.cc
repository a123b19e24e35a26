#include <cerrno>
#include <random>

#include "fs/support.h"

namespace wclayer::fs {
namespace {

using test::ErrorOf;

constexpr std::uint64_t kMiB = 1u << 20;

class ContentTest : public test::FolderTest {
 protected:
  Buffer Content(int fd) {
    Buffer all(StatFd(fd)->size);
    EXPECT_EQ(*ReadAt(fd, all, 0), all.size());
    return all;
  }
  static std::uint64_t AllocatedBytes(int fd) {
    struct stat info {};
    EXPECT_EQ(::fstat(fd, &info), 0);
    return static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  // `size` bytes, data in some places only.
  UniqueFd MakeSparse(const std::string& name, std::uint64_t size, std::uint32_t seed) {
    UniqueFd file = *folder_.CreateFile(name);
    EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(size)), 0);
    std::mt19937 random(seed);
    for (int i = 0; i < 5; ++i) {
      const std::uint64_t offset = random() % size;
      Buffer data(std::min<std::uint64_t>(1 + random() % 10'000, size - offset));
      for (std::byte& byte : data) byte = static_cast<std::byte>(random());
      EXPECT_TRUE(WriteAt(file.get(), data, offset));
    }
    return file;
  }
};

TEST_F(ContentTest, CopiesSparseFilesAsSparseFiles) {
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::uint64_t size = 16 * kMiB + seed * 777;
    const UniqueFd from = MakeSparse("from" + std::to_string(seed), size, seed);
    const UniqueFd to = *folder_.CreateFile("to" + std::to_string(seed));
    ASSERT_OK(CopyContent(from.get(), to.get(), size));
    EXPECT_TRUE(Content(to.get()) == Content(from.get()));
    EXPECT_LT(AllocatedBytes(to.get()), 2 * kMiB);
  }
}

TEST_F(ContentTest, CopiesOnlyWhatIsAskedFor) {
  Write("from", "0123456789");
  const UniqueFd from = *folder_.OpenFile("from");
  for (const std::uint64_t size : {0u, 1u, 9u, 10u}) {
    const UniqueFd to = *folder_.CreateFile("to" + std::to_string(size));
    ASSERT_OK(CopyContent(from.get(), to.get(), size));
    EXPECT_EQ(Read("to" + std::to_string(size)), std::string("0123456789").substr(0, size));
  }
  const UniqueFd hole = *folder_.CreateFile("hole");
  ASSERT_EQ(::ftruncate(hole.get(), 5 * kMiB), 0);
  const UniqueFd to = *folder_.CreateFile("to hole");
  ASSERT_OK(CopyContent(hole.get(), to.get(), 3 * kMiB));
  EXPECT_EQ(StatFd(to.get())->size, 3 * kMiB);
  EXPECT_EQ(AllocatedBytes(to.get()), 0u);
}

TEST_F(ContentTest, AShorterSourceIsAnError) {
  Write("from", "0123456789");
  const UniqueFd from = *folder_.OpenFile("from");
  const UniqueFd empty = *folder_.CreateFile("empty");
  for (const int source : {from.get(), empty.get()}) {
    const UniqueFd to = *folder_.CreateFile("to" + std::to_string(source));
    const Error error = ErrorOf(CopyContent(source, to.get(), 11));
    EXPECT_EQ(error.code, Errc::kLayerDamaged) << error.ToString();
    EXPECT_NE(error.message.find("11"), std::string::npos) << error.message;
  }
}

TEST_F(ContentTest, CopiesBetweenFileSystems) {
  const UniqueFd from = MakeSparse("from", 3 * kMiB, 99);
  const UniqueFd memory(::memfd_create("to", MFD_CLOEXEC));
  ASSERT_TRUE(memory);
  ASSERT_OK(CopyContent(from.get(), memory.get(), 3 * kMiB));
  EXPECT_TRUE(Content(memory.get()) == Content(from.get()));
  const UniqueFd back = *folder_.CreateFile("back");
  ASSERT_OK(CopyContent(memory.get(), back.get(), 3 * kMiB));
  EXPECT_TRUE(Content(back.get()) == Content(from.get()));
}

TEST_F(ContentTest, AFullDiskIsNoSpace) {
  if (!test::EnterPrivateMounts()) {
    EXPECT_NE(::mount("tmpfs", path_.c_str(), "tmpfs", 0, ""), 0) << "mounts work after all";
    return;
  }
  MountTmpfs("small", "size=64k");
  const UniqueFd from = *folder_.CreateFile("from");
  ASSERT_OK(WriteAt(from.get(), Buffer(kMiB, std::byte{7}), 0));
  const UniqueFd to = *folder_.CreateFile("small/to");
  EXPECT_EQ(ErrorOf(CopyContent(from.get(), to.get(), kMiB)).code, Errc::kNoSpace);
  EXPECT_EQ(ErrorOf(WriteAt(to.get(), Buffer(kMiB), 0)).code, Errc::kNoSpace);
}

TEST_F(ContentTest, ReadsFewerBytesOnlyAtTheEnd) {
  Write("file", "0123456789");
  const UniqueFd file = *folder_.OpenForUpdate("file");
  Buffer buffer(6);
  EXPECT_EQ(*ReadAt(file.get(), buffer, 0), 6u);
  EXPECT_EQ(*ReadAt(file.get(), buffer, 6), 4u);
  EXPECT_EQ(*ReadAt(file.get(), buffer, 10), 0u);
  EXPECT_EQ(*ReadAt(file.get(), buffer, 1'000'000), 0u);
  EXPECT_EQ(ErrorOf(ReadAt(file.get(), buffer, ~std::uint64_t{0})).sys_errno, EINVAL);
  // 10 bytes: some that are not the last, the last ones, and what is beyond.
  EXPECT_EQ(*ReadLast(file.get(), buffer, 0), 7u);
  EXPECT_EQ(*ReadLast(file.get(), buffer, 4), 6u);
  EXPECT_EQ(*ReadLast(file.get(), buffer, 5), 5u);
  EXPECT_EQ(*ReadLast(file.get(), MutableBytes(buffer).first(0), 9), 1u);
  EXPECT_EQ(*ReadLast(file.get(), MutableBytes(buffer).first(0), 10), 0u);
  ASSERT_OK(WriteAt(file.get(), AsBytes("xyz"), 12));
  EXPECT_EQ(Read("file"), std::string("0123456789\0\0xyz", 15));
  EXPECT_EQ(ErrorOf(StatFd(-1)).sys_errno, EBADF);
}

}  // namespace
}  // namespace wclayer::fs
