// Security descriptors as text: the fixtures' own texts, each word of the language, and random
// descriptors there and back.
#include <gtest/gtest.h>

#include <random>

#include "backup/acl.h"
#include "backup/security.h"
#include "backup/support.h"
#include "base/limits.h"

namespace wclayer::backup {
namespace {

std::string Rewritten(const std::string& text) {
  const auto descriptor = FromSddl(text);
  if (!descriptor) return "error: " + descriptor.error().message;
  const Status good = CheckSecurityDescriptor(*descriptor);
  if (!good) return "refused: " + good.error().message;
  const auto again = ToSddl(*descriptor);
  return again ? *again : "error: " + again.error().message;
}

// Texts that are written as they were read.
void ExpectKept(const std::string& text) {
  EXPECT_EQ(Rewritten(text), text);
}

// spec layer-formats §d
TEST(SddlTest, TheFixturesTexts) {
  const std::pair<const char*, const char*> cases[] = {
      {"bin/sd-buildkit-dir.bin",
       "O:BAG:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;;FA;;;BA)(A;OICIIO;GA;;;CO)"
       "(A;OICI;0x1200a9;;;BU)(A;CI;LC;;;BU)(A;CI;DC;;;BU)"},
      {"bin/sd-buildkit-file.bin", "O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)"},
      {"bin/sd-imgutil-admin.bin", "O:BAG:BA"},
      {"bin/sd-imgutil-user.bin", "O:BUG:BU"},
  };
  for (const auto& [name, text] : cases) {
    const Buffer fixture = test::ReadFixture(name);
    const auto written = ToSddl(fixture);
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_EQ(*written, text);
    const auto read = FromSddl(text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(test::Hex(*read), test::Hex(fixture));
  }
}

TEST(SddlTest, GoldenDescriptorsComeBack) {
  std::size_t found = 0;
  for (const auto& path : test::GoldenStreams()) {
    SCOPED_TRACE(path);
    test::Recorder sink;
    Decoder decoder(sink);
    ASSERT_TRUE(decoder.Write(test::ReadFixture(path)));
    for (const test::Part& part : sink.parts) {
      if (part.header.id != StreamId::kSecurity) continue;
      const auto text = ToSddl(part.data);
      ASSERT_TRUE(text) << text.error().message;
      const auto back = FromSddl(*text);
      ASSERT_TRUE(back) << *text << ": " << back.error().message;
      EXPECT_EQ(ToSddl(*back).has_value() ? *ToSddl(*back) : "", *text);
      ++found;
    }
  }
  EXPECT_GT(found, 10u);
}

TEST(SddlTest, Lists) {
  ExpectKept("");
  ExpectKept("O:SY");
  ExpectKept("D:");                   // there is a list, and nobody is in it
  ExpectKept("D:NO_ACCESS_CONTROL");  // there is none
  ExpectKept("D:PAINO_ACCESS_CONTROL");
  ExpectKept("D:PARAI(A;;FA;;;SY)S:PARAI(AU;SAFA;FA;;;WD)");
  ExpectKept("S:(ML;;NW;;;LW)");
  EXPECT_EQ(Rewritten("S:D:G:BAO:SY"), "O:SYG:BAD:S:");
  EXPECT_EQ(Rewritten("D:AIPAR(A;;FA;;;SY)"), "D:PARAI(A;;FA;;;SY)");
}

TEST(SddlTest, EntryTypesAndFlags) {
  for (const char* type : {"A", "D", "AU", "AL", "SP", "TL"})
    ExpectKept("D:(" + std::string(type) + ";OICINPIOIDCRSAFA;FA;;;SY)");
  const std::string guid = "bf967aba-0de6-11d0-a285-00aa003049e2";
  for (const char* type : {"OA", "OD", "OU", "OL"}) {
    for (const std::string& types :
         {";" + guid + ";" + guid, ";;" + guid, ";" + guid + ";", std::string(";;")}) {
      ExpectKept("D:(" + std::string(type) + ";CI;RP" + types + ";SY)");
    }
  }
  // A GUID's first three numbers are little-endian; a list with object entries has revision 4.
  const auto object = FromSddl("D:(OA;;RP;" + guid + ";;SY)");
  ASSERT_TRUE(object);
  EXPECT_EQ(test::Hex(Bytes(*object).subspan(20)),
            "0400"
            "3000"
            "0100"
            "0000"
            "0500"
            "2800"
            "10000000"
            "01000000"
            "ba7a96bfe60dd011a28500aa003049e2"
            "010100000000000512000000");
  EXPECT_EQ(Rewritten("D:(OA;;RP;BF967ABA-0DE6-11D0-A285-00AA003049E2;;SY)"),
            "D:(OA;;RP;" + guid + ";;SY)");
}

TEST(SddlTest, Rights) {
  const std::pair<const char*, std::uint32_t> cases[] = {
      {"", 0},
      {"FA", 0x1F01FF},
      {"FR", 0x120089},
      {"FW", 0x120116},
      {"FX", 0x1200A0},
      {"GA", 0x10000000},
      {"GX", 0x20000000},
      {"GW", 0x40000000},
      {"GR", 0x80000000},
      {"KA", 0xF003F},
      {"KR", 0x20019},
      {"KW", 0x20006},
      {"CC", 1},
      {"DC", 2},
      {"LC", 4},
      {"SW", 8},
      {"RP", 0x10},
      {"WP", 0x20},
      {"DT", 0x40},
      {"LO", 0x80},
      {"CR", 0x100},
      {"SD", 0x10000},
      {"RC", 0x20000},
      {"WD", 0x40000},
      {"WO", 0x80000},
      {"SDGXGWGR", 0xE0010000},
      {"CCDCLCSWRPWPDTLOCRSDRCWDWO", 0xF01FF},
      {"CCLCSWRPWPDTLOCRRC", 0x201FD},
      {"0x1200a9", 0x1200A9},
      {"0x1301bf", 0x1301BF},
      {"0x100000", 0x100000},
      {"0xffffffff", 0xFFFFFFFF},
      {"0x200", 0x200},
  };
  for (const auto& [text, mask] : cases) {
    const std::string whole = std::string("D:(A;;") + text + ";;;SY)";
    ExpectKept(whole);
    const auto descriptor = FromSddl(whole);
    ASSERT_TRUE(descriptor) << whole;
    EXPECT_EQ(LoadLe<std::uint32_t>(descriptor->data() + 32), mask) << text;
  }
  EXPECT_EQ(Rewritten("D:(A;;0X1F01FF;;;SY)(A;;6;;;SY)(A;;WORC;;;SY)"),
            "D:(A;;FA;;;SY)(A;;DCLC;;;SY)(A;;RCWO;;;SY)");
  // Of a label the low bits have names of their own.
  ExpectKept("S:(ML;;NWNRNX;;;HI)(ML;;NR;;;ME)(ML;;0x10;;;SI)(ML;;;;;S-1-16-0)");
}

TEST(SddlTest, Sids) {
  const char* const letters[] = {"WD", "CO", "CG", "OW", "NU", "IU", "SU", "AN", "ED", "PS",
                                 "AU", "RC", "SY", "LS", "NS", "BA", "BU", "BG", "PU", "AO",
                                 "SO", "PO", "BO", "RE", "RU", "RD", "NO", "MU", "LU", "IS",
                                 "CY", "ER", "CD", "RA", "ES", "MS", "HA", "AA", "RM", "WR",
                                 "AC", "LW", "ME", "MP", "HI", "SI", "AS", "SS", "UD"};
  for (const std::string two : letters) {
    ExpectKept("O:" + two + "G:" + two + "D:(A;;FA;;;" + two + ")S:");
  }
  const std::string domain = "S-1-5-21-4294967295-0-1-1001";
  ExpectKept("O:" + domain + "G:" + domain + "D:(A;;FA;;;" + domain + ")");
  ExpectKept(
      "O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464");  // TrustedInstaller
  // The D of the next part is a hex digit as well.
  ExpectKept("O:" + domain + "D:(A;;FA;;;SY)");
  ExpectKept("O:S-1-0xffffffffffffD:");
  ExpectKept("O:S-1-0x000100000000-7D:");
  ExpectKept("O:S-1-4294967295-0");
  ExpectKept("O:S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15");
  EXPECT_EQ(Rewritten("O:S-1-5-18G:S-1-0x5-32-544"), "O:SYG:BA");
}

TEST(SddlTest, EntriesWithoutWordsAreHex) {
  // A callback entry with a condition behind its SID, a resource attribute, an unknown type,
  // padding, and an object entry with unknown flags.
  ExpectKept(
      "D:(X:09001800ff011f00010100000000000100000000"
      "61727478)");
  ExpectKept(
      "S:(X:1200180000000000010100000000000100000000"
      "00000000)");
  ExpectKept("D:(X:99000600abcd)(A;;FA;;;SY)(X:99000400)");
  ExpectKept(
      "D:(X:00001800ff011f00010100000000000512000000"
      "00000000)");
  ExpectKept(
      "D:(X:05001800100000000400000001010000000000"
      "0512000000)");
  EXPECT_EQ(Rewritten("D:(X:00001400FF011F00010100000000000512000000)"), "D:(A;;FA;;;SY)");
}

TEST(SddlTest, RefusesWhatIsNoSddl) {
  const std::pair<std::string, const char*> cases[] = {
      {"X:", "expected at byte 0"},
      {"O", "expected at byte 0"},
      {"O:SY ", "expected at byte 4"},
      {"O:SYO:SY", "twice"},
      {"D:D:", "twice"},
      {"O:", "no absolute SID"},
      {"O:DA", "domain-relative"},
      {"G:LA", "domain-relative"},
      {"O:sy", "no absolute SID"},
      {"O:S-", "revision 1"},
      {"O:S-:", "revision 1"},
      {"O:S-2-5-18", "revision 1"},
      {"O:S-1-", "48 bits"},
      {"O:S-1-x", "48 bits"},
      {"O:S-1-281474976710656", "48 bits"},
      {"O:S-1-99999999999999999999", "48 bits"},
      {"O:S-1-5-", "32 bits"},
      {"O:S-1-5--1", "32 bits"},
      {"O:S-1-5-4294967296", "32 bits"},
      {"O:S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", "more than 15"},
      {"D:(A;;FA;;;SY", "without its ')'"},
      {"D:()", "1 fields, not 6"},
      {"D:(A;;FA;;SY)", "5 fields, not 6"},
      {"D:(A;;FA;;;SY;)", "7 fields, not 6"},
      {"D:(XA;;FA;;;SY;(x==1))", "7 fields"},
      {"D:(XA;;FA;;;SY)", "type 'XA'"},
      {"D:(;;FA;;;SY)", "type ''"},
      {"D:(A;QQ;FA;;;SY)", "unknown flags 'QQ'"},
      {"D:(A;OIC;FA;;;SY)", "unknown flags 'C'"},
      {"D:(A;;QQ;;;SY)", "unknown rights 'QQ'"},
      {"D:(A;;NW;;;SY)", "unknown rights 'NW'"},
      {"S:(ML;;FA;;;LW)", "unknown rights 'FA'"},
      {"D:(A;;0x;;;SY)", "no rights of 32 bits"},
      {"D:(A;;0x100000000;;;SY)", "no rights of 32 bits"},
      {"D:(A;;12x;;;SY)", "no rights of 32 bits"},
      {"D:(A;;FA;;;)", "no absolute SID"},
      {"D:(A;;FA;;;SYx)", "follows the SID"},
      {"D:(A;;FA;bf967aba-0de6-11d0-a285-00aa003049e2;;SY)", "takes none"},
      {"D:(OA;;FA;bf967aba;;SY)", "no GUID"},
      {"D:(OA;;FA;bf967aba0de611d0a28500aa003049e2;;SY)", "no GUID"},
      {"D:(OA;;FA;bf967aba-0de6-11d0-a285-00aa003049e2-;;SY)", "no GUID"},
      {"D:(OA;;FA;gf967aba-0de6-11d0-a285-00aa003049e2;;SY)", "not hex"},
      {"D:(A;;FA;;;SY)(A;;FA;;;QQ)", "entry 1 of its list"},
      {"D:(X:0)", "odd number"},
      {"D:(X:0g)", "not hex"},
      {"D:(X:)", "missing"},
      {"D:(X:00000500)", "beyond"},
      {"D:(X:99000400ff)", "longer"},
      {"D:(X:00000400)", "no room for its mask"},
  };
  for (const auto& [text, words] : cases) {
    const auto descriptor = FromSddl(text);
    ASSERT_FALSE(descriptor) << text;
    EXPECT_EQ(descriptor.error().code, Errc::kBadArchive) << text;
    EXPECT_NE(descriptor.error().message.find(words), std::string::npos)
        << text << ": " << descriptor.error().message;
  }
}

TEST(SddlTest, LimitsAreNamed) {
  const auto expect = [](const std::string& text, const char* name) {
    const auto descriptor = FromSddl(text);
    ASSERT_FALSE(descriptor) << name;
    EXPECT_EQ(descriptor.error().code, Errc::kLimitExceeded);
    EXPECT_NE(descriptor.error().message.find(name), std::string::npos)
        << descriptor.error().message;
  };
  expect(std::string(kMaxSddlBytes + 1, 'O'), "kMaxSddlBytes");
  std::string entries;
  for (std::size_t i = 0; i < (kMaxAclBytes - 8) / 20; ++i) entries += "(A;;FA;;;SY)";
  EXPECT_TRUE(FromSddl("D:" + entries));
  expect("D:" + entries + "(A;;FA;;;SY)", "kMaxAclBytes");
  const std::string sid = "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15";
  // Two lists of almost 64 KiB and two SIDs are more than a descriptor may have.
  std::string full;
  for (std::size_t i = 0; i < (kMaxAclBytes - 8) / 4; ++i) full += "(X:99000400)";
  expect("O:" + sid + "G:" + sid + "D:" + full + "S:" + full, "kMaxSecurityDescriptorBytes");
}

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  Buffer Descriptor() {
    Buffer out(20);
    std::uint16_t control = static_cast<std::uint16_t>(kSelfRelative | (random_() & 0x3F14));
    out[0] = std::byte{1};
    const auto place = [&](std::size_t at, const Buffer& part) {
      out.resize(out.size() + random_() % 3 * 4);  // gaps between the parts
      StoreLe(out.data() + at, static_cast<std::uint32_t>(out.size()));
      Append(out, part);
    };
    if (Chance(5)) place(16, List());  // in an order that is not Windows' own
    if (Chance(4)) place(4, Sid());
    if (Chance(2)) place(12, List());
    if (Chance(4)) place(8, Sid());
    StoreLe(out.data() + 2, control);
    return out;
  }

 private:
  bool Chance(std::uint32_t of_six) { return random_() % 6 < of_six; }

  Buffer Sid() {
    static constexpr std::pair<std::uint8_t, std::uint32_t> kKnown[] = {
        {1, 0}, {3, 0}, {3, 1}, {5, 18}, {5, 11}, {16, 4096}, {15, 2}};
    Buffer sid = {std::byte{1}, std::byte{0}};
    sid.resize(8);
    std::size_t count = 1;
    if (Chance(4)) {
      const auto& [authority, part] = kKnown[random_() % std::size(kKnown)];
      sid[7] = std::byte{authority};
      AppendLe(sid, part);
    } else {
      count = random_() % 16;
      for (std::size_t i = Chance(1) ? 2 : 7; i < 8; ++i)
        sid[i] = static_cast<std::byte>(random_());
      for (std::size_t i = 0; i < count; ++i) AppendLe(sid, static_cast<std::uint32_t>(random_()));
    }
    sid[1] = static_cast<std::byte>(count);
    return sid;
  }

  Buffer Entry() {
    Buffer body;
    const auto type = static_cast<std::uint8_t>(random_() % 23);
    static constexpr std::uint32_t kMasks[] = {0, 0x1F01FF, 0x1200A9, 2, 0x10000000, 0xF01FF, 7};
    AppendLe(body, Chance(4) ? kMasks[random_() % std::size(kMasks)]
                             : static_cast<std::uint32_t>(random_()));
    if (IsObjectAce(type)) {
      const std::uint32_t flags = Chance(1) ? 7 : static_cast<std::uint32_t>(random_() % 4);
      AppendLe(body, flags);
      for (const std::uint32_t bit : {1u, 2u}) {
        if ((flags & bit) == 0) continue;
        for (int i = 0; i < 4; ++i) AppendLe(body, static_cast<std::uint32_t>(random_()));
      }
    }
    Append(body, Sid());
    if (Chance(1)) body.resize(body.size() + random_() % 12, std::byte{0x5A});
    Buffer entry = {static_cast<std::byte>(type), static_cast<std::byte>(random_())};
    AppendLe(entry, static_cast<std::uint16_t>(4 + body.size()));
    Append(entry, body);
    return entry;
  }

  Buffer List() {
    Buffer list(8);
    const std::size_t count = random_() % 5;
    for (std::size_t i = 0; i < count; ++i) Append(list, Entry());
    list.resize(list.size() + random_() % 2 * 4);  // room that no entry uses
    list[0] = std::byte{4};
    StoreLe(list.data() + 2, static_cast<std::uint16_t>(list.size()));
    StoreLe(list.data() + 4, static_cast<std::uint16_t>(count));
    return list;
  }

  std::mt19937 random_;
};

void ExpectSameList(const std::optional<Acl>& a, const std::optional<Acl>& b) {
  ASSERT_EQ(a.has_value(), b.has_value());
  if (!a) return;
  ASSERT_EQ(a->aces.size(), b->aces.size());
  for (std::size_t i = 0; i < a->aces.size(); ++i)
    EXPECT_EQ(test::Hex(a->aces[i].whole), test::Hex(b->aces[i].whole)) << i;
}

// The same owner, group, entries and those flags that have words; a list counts if it is present.
void ExpectEquivalent(Bytes a, Bytes b) {
  const auto left = ParseDescriptor(a);
  const auto right = ParseDescriptor(b);
  ASSERT_TRUE(left && right);
  EXPECT_EQ(test::Hex(left->owner), test::Hex(right->owner));
  EXPECT_EQ(test::Hex(left->group), test::Hex(right->group));
  const bool dacl = (left->control & kDaclPresent) != 0;
  const bool sacl = (left->control & kSaclPresent) != 0;
  const int flags = (dacl ? 0x1504 : kDaclPresent) | (sacl ? 0x2A10 : kSaclPresent);
  EXPECT_EQ(left->control & flags, right->control & flags);
  if (dacl) ExpectSameList(left->dacl, right->dacl);
  if (sacl) ExpectSameList(left->sacl, right->sacl);
}

// C3.
TEST(SddlTest, RandomDescriptorsComeBack) {
  constexpr std::uint32_t kSeed = 2514;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  Generator generator(kSeed);
  for (int round = 0; round < 20000; ++round) {
    const Buffer descriptor = generator.Descriptor();
    const auto text = ToSddl(descriptor);
    ASSERT_TRUE(text) << "round " << round << ": " << text.error().message;
    SCOPED_TRACE("round " + std::to_string(round) + ": " + *text);
    const auto back = FromSddl(*text);
    ASSERT_TRUE(back) << back.error().message;
    ExpectEquivalent(descriptor, *back);
    const auto again = ToSddl(*back);
    ASSERT_TRUE(again);
    ASSERT_EQ(*again, *text);
    const auto fixed = FromSddl(*again);
    ASSERT_TRUE(fixed);
    ASSERT_EQ(test::Hex(*fixed), test::Hex(*back));
    if (testing::Test::HasFailure()) return;  // one is enough
  }
}

TEST(SddlTest, DamagedTextsNeverHarm) {
  constexpr std::uint32_t kSeed = 31;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  const std::string good =
      "O:S-1-5-21-1-2G:BAD:PAI(A;OICIIO;GA;;;CO)(OA;;RPWP;bf967aba-0de6-11d0-a285-00aa003049e2;;AU)"
      "(X:99000600abcd)S:AR(ML;;NW;;;LW)(AU;SAFA;0x1200a9;;;WD)";
  ExpectKept(good);
  static constexpr std::string_view kLetters = "OGDSPARI:;()-x0159BYWXabf ";
  std::size_t accepted = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string bad = good;
    for (std::size_t i = 1 + random() % 2; i > 0; --i) {
      const std::size_t at = random() % bad.size();
      const char letter = kLetters[random() % kLetters.size()];
      if (random() % 2 == 0) {
        bad[at] = letter;
      } else if (random() % 2 == 0) {
        bad.insert(at, 1, letter);
      } else {
        bad.erase(at, 1 + random() % 4);
      }
    }
    const auto descriptor = FromSddl(bad);
    if (!descriptor) continue;
    ++accepted;
    const auto text = ToSddl(*descriptor);
    ASSERT_TRUE(text) << "round " << round << ": " << bad << ": " << text.error().message;
    ASSERT_EQ(Rewritten(*text), *text) << "round " << round << ": " << bad;
  }
  EXPECT_GT(accepted, 500u);
}

}  // namespace
}  // namespace wclayer::backup
