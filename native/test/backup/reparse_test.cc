#include "backup/reparse.h"

#include <gtest/gtest.h>

#include <random>

#include "backup/support.h"
#include "base/limits.h"
#include "base/utf16.h"

namespace wclayer::backup {
namespace {

// The substitute name and the flags follow from the target alone (spec layer-formats §b).
TEST(ReparseTest, BuildsWhatTheReferenceBuilds) {
  struct Case {
    std::u16string target, substitute;
    bool relative;
  };
  const Case cases[] = {
      {u"C:\\Windows", u"\\??\\C:\\Windows", false},
      {u"z:", u"\\??\\z:", false},
      {u"\\\\?\\Volume{1}\\", u"\\??\\Volume{1}\\", false},
      {u"\\\\srv\\share", u"\\??\\UNC\\srv\\share", false},
      {u"\\??\\C:\\x", u"\\??\\C:\\x", true},
      {u"..\\x", u"..\\x", true},
      {u"\\rooted", u"\\rooted", true},
      {u"", u"", true},
      {u"1:\\x", u"1:\\x", true},
      {u"\u00e4:\\x", u"\u00e4:\\x", true},
      {std::u16string{u'a', 0xD800}, std::u16string{u'a', 0xD800}, true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(ToUtf8(c.target));
    for (const bool mount_point : {false, true}) {
      const Buffer buffer = BuildReparse(c.target, mount_point);
      EXPECT_EQ(buffer.size(), 8u + LoadLe<std::uint16_t>(buffer.data() + 4));
      EXPECT_EQ(ReparseTag(buffer), mount_point ? kTagMountPoint : kTagSymlink);
      const auto point = ParseReparse(buffer);
      ASSERT_TRUE(point);
      EXPECT_EQ(point->tag, ReparseTag(buffer));
      EXPECT_TRUE(point->target == c.target);
      EXPECT_TRUE(point->substitute == c.substitute);
      EXPECT_EQ(point->relative, !mount_point && c.relative);
    }
  }
  EXPECT_EQ(test::Hex(BuildReparse(u"a", false)),
            "0c0000a01400000000000200040002000100000061000000"
            "61000000");
  EXPECT_EQ(test::Hex(BuildReparse(u"a", true)),
            "030000a010000000000002000400020061000000"
            "61000000");
}

// All recorded links have the reference's own encoding.
TEST(ReparseTest, GoldenLinksAreRebuiltByteForByte) {
  std::size_t links = 0;
  for (const auto& path : test::GoldenStreams("reparse")) {
    SCOPED_TRACE(path);
    test::Recorder sink;
    Decoder decoder(sink);
    ASSERT_TRUE(decoder.Write(test::ReadFixture(path)));
    for (const test::Part& part : sink.parts) {
      if (part.header.id != StreamId::kReparse) continue;
      const auto point = ParseReparse(part.data);
      ASSERT_TRUE(point) << point.error().message;
      EXPECT_EQ(test::Hex(BuildReparse(point->target, point->tag == kTagMountPoint)),
                test::Hex(part.data));
      ++links;
    }
  }
  EXPECT_EQ(links, 9u);
}

TEST(ReparseTest, TargetsThatDoNotFitAreNotBuilt) {
  // Two names of 2 bytes a unit, their NULs, and 12 bytes before them, in 65,535.
  const std::size_t most = (65535 - 12 - 4) / 4;
  const Buffer largest = BuildReparse(std::u16string(most, u'x'), false);
  ASSERT_FALSE(largest.empty());
  EXPECT_EQ(LoadLe<std::uint16_t>(largest.data() + 4) + 8u, largest.size());
  EXPECT_TRUE(BuildReparse(std::u16string(most + 1, u'x'), false).empty());
  EXPECT_TRUE(BuildReparse(std::u16string(1 << 20, u'x'), true).empty());
  const auto too_large = ParseReparse(largest);
  ASSERT_FALSE(too_large);
  EXPECT_NE(too_large.error().message.find("kMaxReparseBytes"), std::string::npos);
}

Buffer Opaque(std::uint32_t tag, std::uint16_t length, std::size_t size) {
  Buffer buffer;
  AppendLe(buffer, tag);
  AppendLe(buffer, length);
  buffer.resize(size);
  return buffer;
}

TEST(ReparseTest, OtherTagsAreOpaque) {
  constexpr std::uint32_t kAppExecLink = 0x8000001B;
  const auto point = ParseReparse(Opaque(kAppExecLink, 12, 20));
  ASSERT_TRUE(point);
  EXPECT_EQ(point->tag, kAppExecLink);
  EXPECT_TRUE(point->target.empty());
  EXPECT_TRUE(ParseReparse(Opaque(kAppExecLink, 0, 8)));
  EXPECT_FALSE(ParseReparse(Opaque(kAppExecLink, 13, 20)));
  // A tag that is not Microsoft's has a GUID before its data.
  EXPECT_TRUE(ParseReparse(Opaque(0x00000042, 4, 28)));
  EXPECT_FALSE(ParseReparse(Opaque(0x00000042, 5, 28)));
  EXPECT_FALSE(ParseReparse(Opaque(0x00000042, 0, 20)));
}

TEST(ReparseTest, RefusesMalformedBuffers) {
  const Buffer good = BuildReparse(u"C:\\x", false);
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto cut = ParseReparse(Bytes(good).first(size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code, Errc::kBadArchive);
  }
  EXPECT_EQ(ReparseTag(Bytes(good).first(3)), 0u);
  // Offset or length of either name, made too large or odd.
  const std::tuple<std::size_t, std::uint16_t, const char*> damages[] = {
      {8, 0xFFFE, "beyond"},  {10, 0xFFFE, "beyond"},
      {12, 0xFFFE, "beyond"}, {14, 0xFFFE, "beyond"},
      {10, 3, "odd"},         {14, 3, "odd"},
      {4, 11, "no room"},     {4, 0xFFFF, "length field"}};
  for (const auto& [at, value, words] : damages) {
    Buffer bad = good;
    StoreLe(bad.data() + at, value);
    const auto point = ParseReparse(bad);
    ASSERT_FALSE(point) << at;
    EXPECT_NE(point.error().message.find(words), std::string::npos) << point.error().message;
  }
  EXPECT_FALSE(ParseReparse(Buffer(kMaxReparseBytes + 1)));
}

TEST(ReparseTest, RandomTargetsComeBack) {
  constexpr std::uint32_t kSeed = 50;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  static constexpr char16_t kUnits[] = {u'\\', u'\\', u'?', u':',   u'C',
                                        u'x',  u'.',  u'/', 0xD800, 0};
  for (int round = 0; round < 20000; ++round) {
    std::u16string target;
    for (std::size_t i = random() % 10; i > 0; --i) target += kUnits[random() % std::size(kUnits)];
    const bool mount_point = random() % 2 == 0;
    const auto point = ParseReparse(BuildReparse(target, mount_point));
    ASSERT_TRUE(point) << round;
    ASSERT_TRUE(point->target == target) << round;
  }
}

}  // namespace
}  // namespace wclayer::backup
