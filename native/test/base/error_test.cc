#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "base/bytes.h"
#include "base/expected.h"
#include "base/limits.h"
#include "base/unique.h"

namespace wclayer {
namespace {

TEST(ErrorTest, SaysEverythingOnOneLine) {
  Error error(Errc::kNoSpace, "the disk is full");
  EXPECT_EQ(error.ToString(), "the disk is full");
  error.sys_errno = 28;
  error.hresult = static_cast<std::int32_t>(0x80070070u);
  error = std::move(error).At("Files/a").In("ApplyDiff").Of("x");
  EXPECT_EQ(error.ToString(),
            "ApplyDiff: layer 'x': 'Files/a': the disk is full (0x80070070) (errno 28)");
}

TEST(ErrorTest, TheInnermostDetailStays) {
  const Error error =
      Error(Errc::kIo, "no").At("inner").In("read").Of("a").At("outer").In("Diff").Of("b");
  EXPECT_EQ(error.path, "inner");
  EXPECT_EQ(error.operation, "read");
  EXPECT_EQ(error.layer, "a");
}

TEST(ErrorTest, CodesFollowFromErrno) {
  const std::pair<int, Errc> cases[] = {{ENOSPC, Errc::kNoSpace},     {EACCES, Errc::kAccessDenied},
                                        {EPERM, Errc::kAccessDenied}, {EROFS, Errc::kAccessDenied},
                                        {EBUSY, Errc::kLayerBusy},    {EIO, Errc::kIo},
                                        {ENOENT, Errc::kIo}};
  for (const auto& [number, code] : cases) {
    const Error error = SystemError(number, "openat2", "Files/x");
    EXPECT_EQ(error.code, code) << number;
    EXPECT_EQ(error.sys_errno, number);
    EXPECT_EQ(error.operation, "openat2");
    EXPECT_EQ(error.path, "Files/x");
    EXPECT_FALSE(error.message.empty());
  }
}

TEST(ErrorTest, LimitsAreNamed) {
  const Error error = LimitError("kMaxChain", kMaxChain, 501);
  EXPECT_EQ(error.code, Errc::kLimitExceeded);
  EXPECT_EQ(error.message, "501 is over the limit kMaxChain = 500");
}

Expected<std::unique_ptr<int>> Make(int number) {
  if (number < 0) return Error(Errc::kInvalidArgument, "negative");
  return std::make_unique<int>(number);
}
Status Check(int number) {
  if (number > 100) return Error(Errc::kLimitExceeded, "large");
  return {};
}
Expected<int> Twice(int number) {
  WCLAYER_TRY(Check(number));
  WCLAYER_ASSIGN(const std::unique_ptr<int> value, Make(number));
  return 2 * *value;
}

TEST(ExpectedTest, PassesValuesAndErrorsOn) {
  const auto good = Twice(21);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 42);
  const auto negative = Twice(-1);
  ASSERT_FALSE(negative);
  EXPECT_EQ(negative.error().code, Errc::kInvalidArgument);
  const auto large = Twice(101);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().message, "large");
}

TEST(ExpectedTest, ConvertsLikeItsValue) {
  const Expected<std::string> text = Expected<const char*>("a");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "a");
  const Expected<std::string> failed = Expected<const char*>(Error(Errc::kIo, "b"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "b");
}

int closed = 0;
void Close(int) {
  ++closed;
}
using Handle = Unique<int, Close, -1>;

TEST(UniqueTest, ClosesOnce) {
  closed = 0;
  {
    Handle empty;
    EXPECT_FALSE(empty);
    Handle first(3);
    Handle second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT: a moved-from handle is empty by contract
    EXPECT_EQ(second.get(), 3);
    second = Handle(4);
    EXPECT_EQ(closed, 1);
    Handle third(5);
    EXPECT_EQ(third.release(), 5);
  }
  EXPECT_EQ(closed, 2);
}

TEST(BytesTest, LittleEndian) {
  Buffer buffer;
  AppendLe(buffer, std::uint32_t{0x04030201});
  AppendLe(buffer, std::uint16_t{0x0605});
  Append(buffer, AsBytes("a"));
  EXPECT_EQ(AsText(buffer),
            "\x01\x02\x03\x04\x05\x06"
            "a");
  EXPECT_EQ(LoadLe<std::uint32_t>(buffer.data() + 1), 0x05040302u);
  StoreLe(buffer.data() + 1, std::uint16_t{0xBBAA});
  EXPECT_EQ(LoadLe<std::uint32_t>(buffer.data()), 0x04BBAA01u);
}

}  // namespace
}  // namespace wclayer
