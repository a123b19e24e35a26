// Hostile and odd names (X1), and the index of names.
#include "layer/names.h"

#include "base/limits.h"
#include "layer/name_index.h"
#include "layer/support.h"

namespace wclayer::layer {
namespace {

std::string Repeat(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Names, HostileOnesAreRefused) {
  struct Case {
    std::string name;
    Errc code;
  };
  const Case cases[] = {
      {"", Errc::kUnsafePath},
      {"..", Errc::kUnsafePath},
      {"../x", Errc::kUnsafePath},
      {"Files/..", Errc::kUnsafePath},
      {"Files/../x", Errc::kUnsafePath},
      {"Files/a/../../b", Errc::kUnsafePath},
      {"Files/./a", Errc::kUnsafePath},
      {"./../Files", Errc::kUnsafePath},
      {"/Files/a", Errc::kUnsafePath},
      {".//Files/a", Errc::kUnsafePath},
      {"//server/share", Errc::kUnsafePath},
      {"C:/Windows", Errc::kUnsafePath},
      {"C:", Errc::kUnsafePath},
      {"c:Files", Errc::kUnsafePath},
      {"Files//a", Errc::kUnsafePath},
      {"Files/a//", Errc::kUnsafePath},
      {"Files\\a", Errc::kUnsafePath},
      {"Files/a\\..\\b", Errc::kUnsafePath},
      {"\\\\?\\C:\\x", Errc::kUnsafePath},
      {"Files/a:s/b", Errc::kUnsafePath},
      {"Files:s/b", Errc::kUnsafePath},
      {"Files/a:", Errc::kUnsafePath},
      {"Files/a::$DATA", Errc::kUnsafePath},
      {"Files/a:b:c", Errc::kUnsafePath},
      {"Files/a:b\\c", Errc::kUnsafePath},
      {std::string("Files/a\0b", 9), Errc::kUnsafePath},
      {"Files/a\x01", Errc::kUnsafePath},
      {"Files/a\nb", Errc::kUnsafePath},
      {"Files/a*", Errc::kUnsafePath},
      {"Files/a?", Errc::kUnsafePath},
      {"Files/a<b", Errc::kUnsafePath},
      {"Files/a|b", Errc::kUnsafePath},
      {"Files/a\"b", Errc::kUnsafePath},
      {"Files/a.", Errc::kUnsafePath},
      {"Files/a ", Errc::kUnsafePath},
      {"Files/a./b", Errc::kUnsafePath},
      {"Files/ /b", Errc::kUnsafePath},
      {"Files/...", Errc::kUnsafePath},
      {"Files/CON", Errc::kUnsafePath},
      {"Files/nul.txt", Errc::kUnsafePath},
      {"Files/nul .txt", Errc::kUnsafePath},
      {"Files/Aux/x", Errc::kUnsafePath},
      {"Files/com1", Errc::kUnsafePath},
      {"Files/LPT9.log", Errc::kUnsafePath},
      {"Files/COM\xC2\xB9", Errc::kUnsafePath},
      {"Files/CONIN$", Errc::kUnsafePath},
      {"Files/\x80", Errc::kUnsafePath},
      {"Files/\xC0\xAF", Errc::kUnsafePath},
      {"Files/\xED\xA0\xBD\xED\xB8\x80", Errc::kUnsafePath},  // a pair spelt as two halves
      {"Files/" + std::string(256, 'x'), Errc::kUnsafePath},
      {"Files/" + Repeat("\xF0\x9F\x98\x80", 128), Errc::kUnsafePath},
      {"Files" + Repeat("/0123456789", 2980), Errc::kUnsafePath},
      {"Files/.wh.", Errc::kUnsafePath},
      {"Files/.wh..", Errc::kUnsafePath},
      {"Files/.wh...", Errc::kUnsafePath},
      {"Files/.wh.a:b", Errc::kUnsafePath},
      {"Files/.wh.CON", Errc::kUnsafePath},
      {".wh.Files", Errc::kBadArchive},
      {"Hives/.wh.System_Delta", Errc::kBadArchive},
      {"UtilityVM/.wh.Files", Errc::kBadArchive},
      {".wh..wh..opq", Errc::kBadArchive},
      {"Hives/.wh..wh..opq", Errc::kBadArchive},
      {"etc/passwd", Errc::kBadArchive},
      {"File", Errc::kBadArchive},
      {"tombstones.txt", Errc::kBadArchive},
      {"Files.$wcidirs$", Errc::kBadArchive},
  };
  for (const Case& each : cases) {
    const auto parsed = ParseName(each.name);
    const std::string shown = testing::PrintToString(each.name.substr(0, 60));
    ASSERT_FALSE(parsed) << shown;
    EXPECT_EQ(parsed.error().code, each.code) << shown << ": " << parsed.error().ToString();
  }
}

TEST(Names, GoodOnesAreTaken) {
  const auto path = [](std::string_view name) {
    auto parsed = ParseName(name);
    EXPECT_TRUE(parsed) << name << ": " << Describe(parsed);
    return parsed ? parsed->path + (parsed->stream.empty() ? "" : "|" + parsed->stream) +
                        (parsed->whiteout ? " gone" : "") + (parsed->opaque ? " opaque" : "")
                  : "";
  };
  EXPECT_EQ(path("Files"), "Files");
  EXPECT_EQ(path("./"), "");
  EXPECT_EQ(path("."), "");
  EXPECT_EQ(path("././Files/"), "Files");
  EXPECT_EQ(path("files/A b .txt"), "files/A b .txt");
  EXPECT_EQ(path("Files/..."
                 "x"),
            "Files/...x");
  EXPECT_EQ(path("Files/comet"), "Files/comet");
  EXPECT_EQ(path("Files/COM0"), "Files/COM0");
  EXPECT_EQ(path("Files/nulls"), "Files/nulls");
  EXPECT_EQ(path("Files/.whx"), "Files/.whx");
  EXPECT_EQ(path("Files/\xED\xA0\xBD"), "Files/\xED\xA0\xBD");  // a lone surrogate
  EXPECT_EQ(path("Files/" + std::string(255, 'x')), "Files/" + std::string(255, 'x'));
  EXPECT_EQ(path("Files/" + Repeat("\xE2\x82\xAC", 255)), "Files/" + Repeat("\xE2\x82\xAC", 255));
  EXPECT_EQ(path("Files" + Repeat("/0123456789", 2970)), "Files" + Repeat("/0123456789", 2970));
  EXPECT_EQ(path("Files/a:s"), "Files/a|s");
  EXPECT_EQ(path("Files/a:s:$DATA"), "Files/a|s");
  EXPECT_EQ(path("Files:s"), "Files|s");
  EXPECT_EQ(path("Files/.wh.a"), "Files/a gone");
  EXPECT_EQ(path("Files/.wh..wh.plnk"), "Files/.wh.plnk gone");
  EXPECT_EQ(path("UTILITYVM/files/.wh.a"), "UTILITYVM/files/a gone");
  EXPECT_EQ(path("Files/.wh..wh..opq"), "Files gone opaque");
  EXPECT_EQ(path("Files/d/.wh..wh..opq"), "Files/d gone opaque");
}

TEST(Names, LinkTargetsAreBelowFiles) {
  EXPECT_TRUE(ParseLinkTarget("Files/a"));
  EXPECT_TRUE(ParseLinkTarget("./UtilityVM/Files/a"));
  for (const char* target : {"", "Files", "Hives/a", "UtilityVM/a", "../a", "/Files/a", "Files/a:s",
                             "Files/../a", "Files\\a", "C:\\a"}) {
    EXPECT_FALSE(ParseLinkTarget(target)) << target;
  }
}

TEST(NameIndex, KeepsAMillionNamesInLittleMemory) {
  NameIndex index;
  constexpr std::uint32_t kNames = 1'000'000;
  std::string name;
  for (std::uint32_t i = 0; i < kNames; ++i) {
    name = "Files/folder/" + std::to_string(i);
    index.Set(NameIndex::KeyOf(name), {i, static_cast<EntryKind>(1 + i % 5)});
  }
  EXPECT_EQ(index.size(), kNames);
  EXPECT_LE(index.memory_bytes(), kNames * 32u);
  for (std::uint32_t i = 0; i < kNames; i += 997) {
    const auto known = index.Find(NameIndex::KeyOf("FILES/Folder/" + std::to_string(i)));
    ASSERT_TRUE(known) << i;
    EXPECT_EQ(known->ordinal, i);
    EXPECT_EQ(known->kind, static_cast<EntryKind>(1 + i % 5));
  }
  EXPECT_FALSE(index.Find(NameIndex::KeyOf("Files/folder/" + std::to_string(kNames))));
}

TEST(NameIndex, ComparesAsNtfsDoes) {
  NameIndex index;
  index.Set(NameIndex::KeyOf("Files/\xC3\xA4"), {7, EntryKind::kFile});
  ASSERT_TRUE(index.Find(NameIndex::KeyOf("files/\xC3\x84")));
  index.Set(NameIndex::KeyOf("FILES/\xC3\x84"), {8, EntryKind::kFile});
  EXPECT_EQ(index.size(), 1u);
  EXPECT_EQ(index.Find(NameIndex::KeyOf("Files/\xC3\xA4"))->ordinal, 8u);
}

}  // namespace
}  // namespace wclayer::layer
