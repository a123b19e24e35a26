#include "base/page_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <new>

#include "base/bytes.h"

namespace wclayer {
namespace {

TEST(PageBufferTest, BeginsWhereNothingIsNear) {
  for (const std::size_t size : {1u, 4'096u, 65'536u, 1u << 20, 3'000'001u}) {
    PageBuffer buffer(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 4096, 64u) << size;
    EXPECT_EQ(MutableBytes(buffer).size(), size);
    buffer.end()[-1] = std::byte{1};
    EXPECT_EQ(Bytes(buffer).back(), std::byte{1});
  }
}

TEST(PageBufferTest, IsMovedWithWhatItHolds) {
  PageBuffer from(100);
  from.data()[99] = std::byte{7};
  PageBuffer to(std::move(from));
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(from.data(), nullptr);
  from = PageBuffer(10);
  from = std::move(to);
  ASSERT_EQ(from.size(), 100u);
  EXPECT_EQ(from.data()[99], std::byte{7});
}

TEST(PageBufferTest, NoSizeIsAnEmptyOneAndTooLargeASizeIsRefused) {
  EXPECT_TRUE(PageBuffer().empty());
  EXPECT_TRUE(PageBuffer(0).empty());
  EXPECT_TRUE(Bytes(PageBuffer(0)).empty());
  EXPECT_THROW(PageBuffer(SIZE_MAX - 10), std::bad_array_new_length);
}

}  // namespace
}  // namespace wclayer
