// The binary form: what is accepted and what is refused.
#include "backup/security.h"

#include <gtest/gtest.h>

#include <random>

#include "backup/acl.h"
#include "backup/support.h"
#include "base/limits.h"

namespace wclayer::backup {
namespace {

void ExpectRefused(Bytes descriptor, std::string_view words) {
  const Status status = CheckSecurityDescriptor(descriptor);
  ASSERT_FALSE(status) << words;
  EXPECT_NE(status.error().message.find(words), std::string::npos) << status.error().message;
  EXPECT_EQ(status.error().code, Errc::kBadArchive);
  EXPECT_FALSE(ToSddl(descriptor));
}

TEST(SecurityTest, FixturesAreGood) {
  for (const char* name :
       {"sd-buildkit-dir", "sd-buildkit-file", "sd-imgutil-admin", "sd-imgutil-user"}) {
    const Status status =
        CheckSecurityDescriptor(test::ReadFixture(std::string("bin/") + name + ".bin"));
    EXPECT_TRUE(status) << name << ": " << status.error().message;
  }
  std::size_t found = 0;
  for (const auto& path : test::GoldenStreams()) {
    test::Recorder sink;
    Decoder decoder(sink);
    ASSERT_TRUE(decoder.Write(test::ReadFixture(path)));
    for (const test::Part& part : sink.parts) {
      if (part.header.id != StreamId::kSecurity) continue;
      EXPECT_TRUE(CheckSecurityDescriptor(part.data)) << path;
      ++found;
    }
  }
  EXPECT_GT(found, 10u);
}

TEST(SecurityTest, DefaultsAreBuildKits) {
  EXPECT_EQ(test::Hex(DefaultDirectoryDescriptor()),
            test::Hex(test::ReadFixture("bin/sd-buildkit-dir.bin")));
  EXPECT_EQ(test::Hex(DefaultFileDescriptor()),
            test::Hex(test::ReadFixture("bin/sd-buildkit-file.bin")));
}

TEST(SecurityTest, EveryCutIsRefused) {
  const Buffer good = test::ReadFixture("bin/sd-buildkit-dir.bin");
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(CheckSecurityDescriptor(Bytes(good).first(size))) << size;
}

TEST(SecurityTest, RefusesMalformedParts) {
  // Header 0…19, owner (BA) at 20, group (SY) at 36, DACL at 48, its first entry at 56.
  const Buffer good = test::ReadFixture("bin/sd-buildkit-file.bin");
  ASSERT_TRUE(CheckSecurityDescriptor(good));
  struct Damage {
    std::size_t at;
    std::uint32_t value;
    std::size_t size;
    const char* words;
  };
  const Damage damages[] = {
      {0, 2, 1, "unknown revision"},
      {2, 0x0004, 2, "not self-relative"},
      {4, 19, 4, "owner: offset 19 lies outside"},
      {4, 124, 4, "owner: offset 124 lies outside"},
      {4, 0xFFFFFFFF, 4, "owner: offset 4294967295"},
      {8, 120, 4, "group: a SID shorter"},
      {12, 121, 4, "SACL: an ACL shorter"},
      {16, 1, 4, "DACL: offset 1"},
      {20, 2, 1, "owner: a SID of an unknown revision"},
      {21, 16, 1, "more than 15 parts"},
      {21, 255, 1, "more than 15 parts"},
      {48, 1, 1, "DACL: an ACL of an unknown revision"},
      {48, 5, 1, "DACL: an ACL of an unknown revision"},
      {50, 7, 2, "DACL: an ACL reaches beyond the end"},
      {50, 77, 2, "DACL: an ACL reaches beyond the end"},
      {50, 75, 2, "DACL: entry 2: its size"},
      {52, 4, 2, "DACL: entry 3: it is missing"},
      {52, 0xFFFF, 2, "DACL: entry 3: it is missing"},
      {58, 3, 2, "DACL: entry 0: its size of 3"},
      {58, 0, 2, "DACL: entry 0: its size of 0"},
      {58, 69, 2, "DACL: entry 0: its size of 69"},
      {58, 4, 2, "DACL: entry 0: no room for its mask"},
      {58, 8, 2, "DACL: entry 0: a SID shorter"},
      {65, 3, 1, "DACL: entry 0: a SID reaches beyond"},
      {56, 5, 1, "DACL: entry 0: no room for its object type"},
  };
  for (const Damage& damage : damages) {
    Buffer bad = good;
    std::memcpy(bad.data() + damage.at, &damage.value, damage.size);
    SCOPED_TRACE(damage.at);
    ExpectRefused(bad, damage.words);
  }
  const Status large = CheckSecurityDescriptor(Buffer(kMaxSecurityDescriptorBytes + 1));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::kLimitExceeded);
}

TEST(SecurityTest, RefusesShortObjectEntries) {
  // An object entry of both types: mask, flags, two GUIDs, SID of 12 bytes.
  Buffer entry = {std::byte{5}, std::byte{0}};
  AppendLe(entry, std::uint16_t{4 + 8 + 32 + 12});
  AppendLe(entry, std::uint32_t{1});
  AppendLe(entry, std::uint32_t{3});
  entry.resize(4 + 8 + 32);
  Append(entry, AsBytes(std::string_view("\1\1\0\0\0\0\0\5\22\0\0\0", 12)));
  const auto good = ParseAce(entry);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->object_type.size(), 16u);
  EXPECT_EQ(good->inherited_object_type.size(), 16u);
  EXPECT_EQ(good->sid.size(), 12u);
  for (std::size_t size = 4; size < entry.size(); ++size) {
    Buffer cut(entry.begin(), entry.begin() + static_cast<std::ptrdiff_t>(size));
    StoreLe(cut.data() + 2, static_cast<std::uint16_t>(size));
    EXPECT_FALSE(ParseAce(cut)) << size;
  }
}

TEST(SecurityTest, DamagedBytesNeverHarm) {
  constexpr std::uint32_t kSeed = 624;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  const Buffer good = test::ReadFixture("bin/sd-buildkit-dir.bin");
  std::size_t accepted = 0;
  for (int round = 0; round < 50000; ++round) {
    Buffer bad = good;
    for (std::size_t i = 1 + random() % 4; i > 0; --i)
      bad[random() % bad.size()] =
          static_cast<std::byte>(random() % 3 == 0 ? random() : random() % 33);
    const auto text = ToSddl(bad);
    ASSERT_EQ(text.has_value(), CheckSecurityDescriptor(bad).has_value()) << round;
    if (!text) continue;
    ++accepted;
    const auto back = FromSddl(*text);
    ASSERT_TRUE(back) << "round " << round << ": " << *text << ": " << back.error().message;
    const auto again = ToSddl(*back);
    ASSERT_TRUE(again && *again == *text) << "round " << round << ": " << *text;
  }
  EXPECT_GT(accepted, 1000u);
}

}  // namespace
}  // namespace wclayer::backup
