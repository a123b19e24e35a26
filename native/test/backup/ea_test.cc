#include "backup/ea.h"

#include <gtest/gtest.h>

#include <random>

#include "backup/support.h"
#include "base/limits.h"

namespace wclayer::backup {
namespace {

ExtendedAttribute Ea(std::string name, std::string_view value, std::uint8_t flags = 0) {
  const Bytes bytes = AsBytes(value);
  return {std::move(name), {bytes.begin(), bytes.end()}, flags};
}

void ExpectSame(const std::vector<ExtendedAttribute>& a, const std::vector<ExtendedAttribute>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].value, b[i].value);
    EXPECT_EQ(a[i].flags, b[i].flags);
  }
}

const std::vector<ExtendedAttribute> kFooFizz = {Ea("foo", "bar"), Ea("fizz", "buzz")};

TEST(EaTest, TheReferencesBytes) {
  const Buffer fixture = test::ReadFixture("bin/ea-foo-fizz.bin");
  const auto built = BuildEas(kFooFizz);
  ASSERT_TRUE(built);
  EXPECT_EQ(test::Hex(*built), test::Hex(fixture));
  for (const std::size_t padding : {0u, 1u, 3u}) {  // of the last entry
    const auto read = ParseEas(Bytes(fixture).first(fixture.size() - padding));
    ASSERT_TRUE(read) << read.error().message;
    ExpectSame(*read, kFooFizz);
  }
  const auto cut = ParseEas(Bytes(fixture).first(20));
  ASSERT_FALSE(cut);
  EXPECT_EQ(
      cut.error().message,
      "invalid extended attribute buffer: an entry shorter than its header (entry 1 at byte 16)");
}

TEST(EaTest, NothingIsNothing) {
  const auto read = ParseEas({});
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->empty());
  const auto built = BuildEas({});
  ASSERT_TRUE(built);
  EXPECT_TRUE(built->empty());
}

TEST(EaTest, FlagsAndEmptyValuesStay) {
  const std::vector<ExtendedAttribute> all = {Ea("A", "", 0x80), Ea(std::string(255, 'n'), "x"),
                                              Ea("\xE4", std::string_view("\0\0", 2), 1)};
  const auto built = BuildEas(all);
  ASSERT_TRUE(built);
  const auto read = ParseEas(*built);
  ASSERT_TRUE(read) << read.error().message;
  ExpectSame(*read, all);
}

TEST(EaTest, GoldenBuffersComeBack) {
  std::size_t buffers = 0;
  for (const auto& path : test::GoldenStreams()) {
    SCOPED_TRACE(path);
    test::Recorder sink;
    Decoder decoder(sink);
    ASSERT_TRUE(decoder.Write(test::ReadFixture(path)));
    for (const test::Part& part : sink.parts) {
      if (part.header.id != StreamId::kEaData) continue;
      const auto read = ParseEas(part.data);
      ASSERT_TRUE(read) << read.error().message;
      const auto built = BuildEas(*read);
      ASSERT_TRUE(built);
      EXPECT_EQ(test::Hex(*built), test::Hex(part.data));
      ++buffers;
    }
  }
  EXPECT_GT(buffers, 0u);
}

TEST(EaTest, RefusesWhatCannotBeBuilt) {
  const std::pair<ExtendedAttribute, const char*> cases[] = {
      {Ea("", "x"), "1 to 255"},
      {Ea(std::string(256, 'n'), "x"), "1 to 255"},
      {Ea(std::string("a\0b", 3), "x"), "NUL"},
      {Ea("a", std::string(65536, 'v')), "at most 65535"},
      {Ea("a", std::string(65535, 'v')), "kMaxEaBytes"},
  };
  for (const auto& [ea, words] : cases) {
    const auto built = BuildEas({ea});
    ASSERT_FALSE(built) << words;
    EXPECT_NE(built.error().message.find(words), std::string::npos) << built.error().message;
  }
  // 64 KiB in all, by many small ones.
  std::vector<ExtendedAttribute> many(kMaxEaBytes / 12, Ea("abc", ""));
  EXPECT_TRUE(BuildEas(many));
  many.push_back(Ea("abc", ""));
  EXPECT_FALSE(BuildEas(many));
}

TEST(EaTest, RefusesMalformedBuffers) {
  const auto built = BuildEas(kFooFizz);
  ASSERT_TRUE(built);
  struct Damage {
    std::size_t at;
    std::uint8_t value;
    const char* words;
  };
  const Damage damages[] = {
      {0, 14, "next entry"},
      {0, 37, "next entry"},
      {3, 1, "next entry"},
      {5, 0, "empty"},
      {7, 1, "next entry"},
      {8, 0, "NUL in a name"},
      {11, 'x', "without its NUL"},
      {16 + 6, 100, "beyond the end"},
      {16 + 5, 255, "beyond the end"},
  };
  for (const Damage& damage : damages) {
    Buffer bad = *built;
    bad[damage.at] = static_cast<std::byte>(damage.value);
    const auto read = ParseEas(bad);
    ASSERT_FALSE(read) << damage.at;
    EXPECT_EQ(read.error().code, Errc::kBadArchive);
    EXPECT_NE(read.error().message.find(damage.words), std::string::npos) << read.error().message;
  }
  const auto large = ParseEas(Buffer(kMaxEaBytes + 1));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::kLimitExceeded);
}

TEST(EaTest, RandomListsComeBack) {
  constexpr std::uint32_t kSeed = 24;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  for (int round = 0; round < 3000; ++round) {
    std::vector<ExtendedAttribute> all;
    for (std::size_t i = random() % 6; i > 0; --i) {
      std::string name(1 + random() % 255, ' ');
      for (char& c : name) c = static_cast<char>(1 + random() % 255);
      std::string value(random() % 3000, ' ');
      for (char& c : value) c = static_cast<char>(random());
      all.push_back(Ea(name, value, static_cast<std::uint8_t>(random())));
    }
    const auto built = BuildEas(all);
    ASSERT_TRUE(built) << round;
    const auto read = ParseEas(*built);
    ASSERT_TRUE(read) << round;
    ExpectSame(*read, all);
  }
}

}  // namespace
}  // namespace wclayer::backup
