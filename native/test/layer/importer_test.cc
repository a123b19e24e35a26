// What a layer tar may hold and what it means (spec layer-formats §c.7, store §2–§4).
#include "layer/importer.h"

#include "backup/security.h"
#include "base/limits.h"
#include "layer/base64.h"
#include "layer/support.h"

namespace wclayer::layer {
namespace {

constexpr std::int64_t kTime = 133444736020000000;  // 2023-11-14T22:13:22Z

struct Imported {
  MemoryLayer layer;
  ImportSummary summary;
  Status status;
};

void Take(Imported& imported, const std::string& tar, ImportOptions options = {}) {
  imported.status = Import(tar, imported.layer, nullptr, options, &imported.summary);
}

// The error of a tar that must be refused.
Error Refusal(const std::string& tar) {
  Imported imported;
  Take(imported, tar);
  EXPECT_FALSE(imported.status);
  return imported.status ? Error() : imported.status.error();
}

TEST(Importer, RefusesDevicesAndPipes) {
  for (const char type : {'3', '4', '6'}) {
    const Error error = Refusal(TarBuilder().Add(Typed(type, "Files/x")).Finish());
    EXPECT_EQ(error.code, Errc::kBadArchive);
    EXPECT_EQ(error.path, "Files/x");
    EXPECT_NE(error.message.find("tar entry 0"), std::string::npos) << error.message;
  }
}

TEST(Importer, NamesTheEntryThatIsRefused) {
  const Error error =
      Refusal(TarBuilder().Folder("Files").File("Files/a").File("Files/../b").Finish());
  EXPECT_EQ(error.code, Errc::kUnsafePath);
  EXPECT_EQ(error.path, "Files/../b");
  EXPECT_NE(error.message.find("tar entry 2, header at byte 1024"), std::string::npos)
      << error.message;
}

// A clean end for a tar reader, a lost entry for a layer (C14).
TEST(Importer, RefusesATarCutBetweenAnExtendedHeaderAndItsEntry) {
  tar::Header header = Typed('0', "Files/a");
  header.pax.emplace_back("MSWINDOWS.fileattr", "32");
  const std::string whole = TarBuilder().Folder("Files").Add(header).Finish();
  const Error error = Refusal(whole.substr(0, 512 + 1024));
  EXPECT_EQ(error.code, Errc::kBadArchive);
  EXPECT_NE(error.message.find("truncated at byte 1536"), std::string::npos) << error.message;
  // With the end blocks behind it nothing was cut off: whoever wrote it left it like that.
  Imported imported;
  Take(imported, whole.substr(0, 512 + 1024) + std::string(1024, '\0'));
  EXPECT_TRUE(imported.status) << Describe(imported.status);
}

TEST(Importer, RefusesNothingAtAll) {
  EXPECT_EQ(Refusal("").code, Errc::kBadArchive);
}

TEST(Importer, SkipsUnknownTypesWithAWarning) {
  Imported imported;
  Take(imported, TarBuilder()
                     .Folder("Files")
                     .Add(Typed('V', "a label"))
                     .Add(Typed('D', "/dump"), "names of files")
                     .File("Files/a", "text")
                     .Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_EQ(imported.layer.entries.size(), 2u);
  EXPECT_EQ(imported.summary.warnings.size(), 2u);
  EXPECT_EQ(imported.summary.entries, 4u);
}

TEST(Importer, TakesDotsAndSlashes) {
  Imported imported;
  Take(imported, TarBuilder()
                     .Folder("./")
                     .Folder("./Files/")
                     .Folder("./Files/d/")
                     .File("./Files/d/a")
                     .Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  ASSERT_EQ(imported.layer.entries.size(), 3u);
  EXPECT_EQ(imported.layer.entries[1].item.path, "Files/d");
  EXPECT_TRUE(imported.summary.warnings.empty());
}

TEST(Importer, TopFoldersAreFolders) {
  EXPECT_EQ(Refusal(TarBuilder().File("Files").Finish()).code, Errc::kBadArchive);
  EXPECT_EQ(Refusal(TarBuilder().Symlink("Hives", "Files").Finish()).code, Errc::kBadArchive);
  EXPECT_EQ(Refusal(TarBuilder().Link("UtilityVM", "Files/a").Finish()).code, Errc::kBadArchive);
  EXPECT_EQ(Refusal(TarBuilder().Folder("Program Files").Finish()).code, Errc::kBadArchive);
  EXPECT_EQ(Refusal(TarBuilder().File("Files/x", "1").File(".", "").Finish()).code,
            Errc::kUnsafePath);
}

TEST(Importer, MissingFoldersAreImplied) {
  Imported imported;
  Take(imported, TarBuilder().File("Files/a/b/c", "x").File("Files/A/B/d", "y").Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_EQ(imported.summary.warnings.size(), 3u);  // Files, Files/a, Files/a/b
  EXPECT_TRUE(imported.layer.Find("Files/a/b")->implied);
  EXPECT_EQ(imported.summary.size_bytes, 2);
  // Whiteouts need no folder around them.
  Imported quiet;
  Take(quiet, TarBuilder().File("Files/a/.wh.b").Finish());
  ASSERT_TRUE(quiet.status) << Describe(quiet.status);
  EXPECT_TRUE(quiet.summary.warnings.empty());
}

TEST(Importer, NothingGoesBelowAFileOrAReparsePoint) {
  const auto below = [](TarBuilder& tar) { return Refusal(tar.File("Files/X/y").Finish()).code; };
  TarBuilder file;
  EXPECT_EQ(below(file.Folder("Files").File("Files/x")), Errc::kUnsafePath);
  TarBuilder link;
  EXPECT_EQ(below(link.Folder("Files").Symlink("Files/x", "..")), Errc::kUnsafePath);
  TarBuilder junction;
  tar::Header header = Typed('2', "Files/x");
  header.link_name = "C:\\";
  header.pax = {{"MSWINDOWS.fileattr", "1040"}, {"MSWINDOWS.mountpoint", "1"}};
  EXPECT_EQ(below(junction.Folder("Files").Add(header)), Errc::kUnsafePath);
  TarBuilder hard;
  EXPECT_EQ(below(hard.Folder("Files").File("Files/w").Link("Files/x", "Files/w")),
            Errc::kUnsafePath);
  TarBuilder opaque;
  EXPECT_EQ(Refusal(opaque.File("Files/x").File("Files/x/.wh..wh..opq").Finish()).code,
            Errc::kUnsafePath);
}

TEST(Importer, FoldersMergeAndFilesAreReplaced) {
  Imported imported;
  tar::Header folder = Typed('5', "Files/D");
  folder.pax = {{"MSWINDOWS.fileattr", "18"}};
  Take(imported, TarBuilder()
                     .Folder("Files")
                     .Folder("Files")
                     .Folder("Files/d")
                     .File("Files/d/a", "first")
                     .Add(folder)
                     .File("Files/d/A", "second one")
                     .Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_EQ(imported.summary.warnings.size(), 1u);
  EXPECT_NE(imported.summary.warnings[0].find("Files/d/A"), std::string::npos);
  EXPECT_EQ(imported.summary.size_bytes, 10);
  EXPECT_EQ(imported.layer.Find("Files/d")->item.attributes, 18u);
  EXPECT_EQ(Content(imported.layer.StreamsOf("Files/d/a"), 0), "second one");
}

TEST(Importer, AnotherKindUnderTheSameNameIsRefused) {
  const auto refused = [](TarBuilder& tar) { return Refusal(tar.Finish()).code; };
  TarBuilder a, b, c, d;
  EXPECT_EQ(refused(a.File("Files/x").Folder("Files/X")), Errc::kBadArchive);
  EXPECT_EQ(refused(b.Folder("Files/x").File("Files/x")), Errc::kBadArchive);
  EXPECT_EQ(refused(c.File("Files/x").Symlink("Files/x", "y")), Errc::kBadArchive);
  EXPECT_EQ(refused(d.File("Files/x/y").File("Files/x")), Errc::kBadArchive);  // an implied folder
}

TEST(Importer, LinksLeadToTheFirstName) {
  Imported imported;
  Take(imported, TarBuilder()
                     .Folder("Files")
                     .File("Files/first", "12345")
                     .Link("Files/second", "files/FIRST")
                     .Link("Files/third", "Files/second")
                     .Link("Files/fourth", "./Files/third")
                     .Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_EQ(imported.layer.Find("Files/second")->item.link_target, "files/FIRST");
  EXPECT_EQ(imported.layer.Find("Files/third")->item.link_target, "files/FIRST");
  EXPECT_EQ(imported.layer.Find("Files/fourth")->item.link_target, "files/FIRST");
  EXPECT_EQ(imported.summary.size_bytes, 5);
}

TEST(Importer, ALinkFollowsItsFileWhenTheFirstNameIsReplaced) {
  Imported imported;
  Take(imported, TarBuilder()
                     .Folder("Files")
                     .File("Files/a", "old")
                     .Link("Files/b", "Files/a")
                     .File("Files/a", "brand new")
                     .Link("Files/c", "Files/b")
                     .Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_EQ(imported.layer.Find("Files/c")->item.link_target, "Files/b");
  EXPECT_EQ(imported.summary.size_bytes, 12);  // the old bytes have a name still
  Imported gone;
  Take(gone, TarBuilder()
                 .File("Files/a", "old")
                 .Link("Files/b", "Files/a")
                 .File("Files/a", "brand new")
                 .File("Files/b", "4444")
                 .Finish());
  ASSERT_TRUE(gone.status) << Describe(gone.status);
  EXPECT_EQ(gone.summary.size_bytes, 13);
}

TEST(Importer, LinksToAParentsFileAreItsBusiness) {
  Imported imported;
  imported.layer.parent_files["Files/below"] = "seven b";
  Take(imported, TarBuilder()
                     .Folder("Files")
                     .Link("Files/x", "Files/below")
                     .Link("Files/y", "Files/x")
                     .Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_EQ(Content(imported.layer.StreamsOf("Files/x"), 0), "seven b");
  EXPECT_EQ(imported.layer.Find("Files/y")->item.link_target, "Files/x");
  EXPECT_EQ(imported.summary.size_bytes, 7);
  const Error error = Refusal(TarBuilder().Folder("Files").Link("Files/x", "Files/none").Finish());
  EXPECT_EQ(error.path, "Files/x");
}

TEST(Importer, OddLinksAreRefused) {
  const auto refused = [](TarBuilder& tar) { return Refusal(tar.Finish()).code; };
  TarBuilder itself, folder, outside, from_hives, up;
  EXPECT_EQ(refused(itself.Link("Files/A", "Files/a")), Errc::kBadArchive);
  EXPECT_EQ(refused(folder.Folder("Files/d").Link("Files/a", "Files/d")), Errc::kBadArchive);
  EXPECT_EQ(refused(outside.Link("Files/a", "Hives/System_Delta")), Errc::kBadArchive);
  EXPECT_EQ(refused(from_hives.File("Files/a").Link("Hives/a", "Files/a")), Errc::kBadArchive);
  EXPECT_EQ(refused(up.Link("Files/a", "Files/../../etc/passwd")), Errc::kUnsafePath);
}

TEST(Importer, Whiteouts) {
  Imported imported;
  tar::Header with_data = Typed('0', "Files/d/.wh.gone");
  Take(imported, TarBuilder()
                     .Folder("Files")
                     .Folder("Files/d")
                     .Add(with_data, "nobody reads this")
                     .File("Files/d/.wh..wh..opq")
                     .File("Files/d/back", "x")
                     .File("Files/d/.wh.back")
                     .Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_TRUE(imported.summary.warnings.empty());
  ASSERT_EQ(imported.layer.entries.size(), 6u);
  EXPECT_TRUE(imported.layer.entries[2].item.deleted);
  EXPECT_EQ(imported.layer.entries[2].item.path, "Files/d/gone");
  EXPECT_TRUE(imported.layer.entries[3].item.opaque);
  EXPECT_EQ(imported.layer.entries[3].item.path, "Files/d");
  EXPECT_EQ(imported.summary.size_bytes, 1);
  Imported base;
  Take(base, TarBuilder().Folder("Files").File("Files/.wh.a").Finish(), {false, true});
  ASSERT_TRUE(base.status);
  EXPECT_EQ(base.summary.warnings.size(), 1u);
}

TEST(Importer, StreamsBelongToTheEntryBefore) {
  Imported imported;
  Take(imported, TarBuilder()
                     .Folder("Files")
                     .Folder("Files/d/")
                     .File("Files/d:of a folder", "1")
                     .File("Files/a", "main")
                     .File("Files/a:one", "first")
                     .File("Files/A:two:$DATA", "")
                     .Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_EQ(imported.layer.StreamsOf("Files/d"),
            std::vector<Stream>({Alternate(u"of a folder", "1")}));
  EXPECT_EQ(imported.layer.StreamsOf("Files/a"),
            std::vector<Stream>({Data("main"), Alternate(u"one", "first"), Alternate(u"two", "")}));
  EXPECT_EQ(imported.summary.size_bytes, 4);

  const auto refused = [](TarBuilder& tar) { return Refusal(tar.Finish()).code; };
  TarBuilder alone, other, after_link, folder, twice, after_whiteout;
  EXPECT_EQ(refused(alone.File("Files/a:s")), Errc::kUnsafePath);
  EXPECT_EQ(refused(other.File("Files/a").File("Files/b").File("Files/a:s")), Errc::kUnsafePath);
  EXPECT_EQ(refused(after_link.File("Files/a").Link("Files/b", "Files/a").File("Files/b:s")),
            Errc::kUnsafePath);
  EXPECT_EQ(refused(folder.File("Files/a").Folder("Files/a:s")), Errc::kBadArchive);
  EXPECT_EQ(refused(twice.File("Files/a").File("Files/a:s").File("Files/a:S")), Errc::kBadArchive);
  EXPECT_EQ(refused(after_whiteout.File("Files/.wh.a").File("Files/a:s")), Errc::kUnsafePath);
}

TEST(Importer, EmptyFilesWithAndWithoutData) {
  Imported imported;
  Take(imported, TarBuilder().File("Files/with").Add(Typed('0', "Files/without")).Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_EQ(imported.layer.StreamsOf("Files/with"), std::vector<Stream>({Data("")}));
  EXPECT_TRUE(imported.layer.StreamsOf("Files/without").empty());
}

TEST(Importer, GlobalHeadersMayNotNameAllEntries) {
  const auto global = [](std::string_view record) {
    std::string tar(512, '\0');
    const auto put = [&](std::size_t at, std::string_view text) {
      tar.replace(at, text.size(), text);
    };
    put(0, "pax_global_header");
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    char size[12];
    std::snprintf(size, sizeof size, "%011o", static_cast<unsigned>(record.size()));
    put(124, std::string_view(size, 11));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "g");
    put(257, std::string_view("ustar\0", 6));
    put(263, "00");
    unsigned sum = 0;
    for (const char c : tar) sum += static_cast<unsigned char>(c);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum);
    put(148, std::string_view(text, 7));
    tar += record;
    tar.resize((tar.size() + 511) / 512 * 512);
    return tar + TarBuilder().Folder("Files").File("Files/a", "x").Finish();
  };
  for (const char* record : {"16 path=Files/b\n", "9 size=1\n", "14 linkpath=x\n"}) {
    EXPECT_EQ(Refusal(global(record)).code, Errc::kBadArchive) << record;
  }
  Imported imported;
  Take(imported, global("25 MSWINDOWS.fileattr=33\n"));
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_EQ(imported.layer.Find("Files/a")->item.attributes, 33u);  // as POSIX says
}

TEST(Importer, Times) {
  Imported imported;
  tar::Header exact = Typed('0', "Files/exact");
  exact.mtime = {1700000000, 123456789};
  exact.atime = UnixTime{-2, 500000001};
  exact.ctime = UnixTime{0, 0};
  exact.pax = {{"LIBARCHIVE.creationtime", "1700000000.5"}};
  tar::Header absent = Typed('0', "Files/absent");
  absent.mtime = {1700000002, 0};
  tar::Header old = Typed('0', "Files/old");
  old.mtime = {1700000002, 0};
  old.pax = {{"MSWINDOWS.accesstime", "1"},
             {"MSWINDOWS.createtime", "2"},
             {"MSWINDOWS.changetime", "none"},
             {"MSWINDOWS.writetime", std::to_string(kTime + 3)}};
  Take(imported, TarBuilder().Add(exact).Add(absent).Add(old).Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  const Item& first = imported.layer.Find("Files/exact")->item;
  EXPECT_EQ(first.time_absent, 0);
  EXPECT_EQ(first.times[kWrite] % 10000000, 1234567);
  EXPECT_EQ(first.time_remainder[kWrite], 89);
  EXPECT_EQ(first.times[kAccess], kFiletimeOfUnixEpoch - 15000000);
  EXPECT_EQ(first.time_remainder[kAccess], 1);
  EXPECT_EQ(first.times[kChange], kFiletimeOfUnixEpoch);
  EXPECT_EQ(first.times[kCreation] % 10000000, 5000000);
  const Item& second = imported.layer.Find("Files/absent")->item;
  EXPECT_EQ(second.time_absent, 0b1011);
  for (const std::int64_t time : second.times) EXPECT_EQ(time, kTime);
  const Item& third = imported.layer.Find("Files/old")->item;
  EXPECT_EQ(third.time_absent, 0b1000);
  EXPECT_EQ(third.times[kAccess], 1);
  EXPECT_EQ(third.times[kCreation], 2);
  EXPECT_EQ(third.times[kWrite], kTime + 3);
  EXPECT_EQ(third.times[kChange], kTime + 3);
}

TEST(Importer, BadRecordsAreRefused) {
  const std::pair<const char*, std::string> records[] = {
      {"MSWINDOWS.fileattr", "x"},
      {"MSWINDOWS.fileattr", "-1"},
      {"MSWINDOWS.fileattr", "4294967296"},
      {"MSWINDOWS.rawsd", "AQAA"},
      {"MSWINDOWS.rawsd", "not base64!"},
      {"MSWINDOWS.sd", "D:(nonsense)"},
      {"MSWINDOWS.xattr.A", "=="},
      {"LIBARCHIVE.creationtime", "yesterday"},
      {"LIBARCHIVE.creationtime", std::string(300000, '9')},
      {"WCLAYER.reparse", "AAAA"},
      {"WCLAYER.eaflags", "gAFY"},
      {"WCLAYER.eas", "AAAA"},
      {"WCLAYER.shortname", "AAAA"},
      {"WCLAYER.shortname", "LgA="},
      {"WCLAYER.stream.1", "AAAA"},
      {"WCLAYER.stream.x", "AAAA"},
  };
  for (const auto& [key, value] : records) {
    tar::Header header = Typed('0', "Files/a");
    header.pax = {{key, value}};
    const Error error = Refusal(TarBuilder().Add(header).Finish());
    EXPECT_TRUE(error.code == Errc::kBadArchive || error.code == Errc::kLimitExceeded)
        << key << ": " << error.ToString();
    EXPECT_EQ(error.path, "Files/a");
  }
  tar::Header late = Typed('0', "Files/a");
  late.mtime = {std::int64_t{1} << 42, 0};
  EXPECT_EQ(Refusal(TarBuilder().Add(late).Finish()).code, Errc::kBadArchive);
}

// More descriptors than are kept, one longer than what is kept, each several times.
TEST(Importer, EachEntryHasItsOwnDescriptor) {
  constexpr std::uint32_t kDescriptors = 1'500;
  const auto descriptor = [](std::uint32_t number) {
    std::string sddl = "O:BAG:SYD:";
    for (std::uint32_t entry = 0; entry != (number == 7 ? 100u : 1u); ++entry)
      sddl += "(A;;" + std::to_string(number + 1) + ";;;BA)";
    const auto binary = backup::FromSddl(sddl);
    EXPECT_TRUE(binary) << sddl;
    return *binary;
  };
  std::vector<std::uint32_t> order;
  for (std::uint32_t number = 0; number != kDescriptors; ++number) {
    order.push_back(number);
    order.push_back(number / 2);
    order.push_back(7);
  }
  TarBuilder tar;
  for (std::size_t at = 0; at != order.size(); ++at) {
    tar::Header header = Typed('0', "Files/f" + std::to_string(at));
    std::string text;
    AppendBase64(text, descriptor(order[at]));
    header.pax = {{"MSWINDOWS.rawsd", text}};
    tar.Add(header);
  }
  Imported imported;
  Take(imported, tar.Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  for (std::size_t at = 0; at != order.size(); ++at) {
    const auto streams = imported.layer.StreamsOf("Files/f" + std::to_string(at));
    ASSERT_FALSE(streams.empty());
    ASSERT_EQ(streams[0].id, backup::StreamId::kSecurity);
    ASSERT_TRUE(streams[0].data == AsText(descriptor(order[at]))) << "entry " << at;
  }
}

TEST(Importer, SddlIsTurnedIntoADescriptor) {
  Imported imported;
  tar::Header header = Typed('0', "Files/a");
  header.pax = {{"MSWINDOWS.sd", "O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)"}};
  Take(imported, TarBuilder().Add(header).Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  const auto streams = imported.layer.StreamsOf("Files/a");
  ASSERT_EQ(streams.size(), 1u);
  EXPECT_EQ(streams[0].id, backup::StreamId::kSecurity);
  EXPECT_EQ(streams[0].data.size(), 124u);
}

TEST(Importer, LinksGetBackslashesAndTheirKind) {
  Imported imported;
  tar::Header folder = Typed('2', "Files/folder");
  folder.link_name = "..\\x";
  folder.mode = 0160000;
  Take(imported, TarBuilder().Symlink("Files/link", "../a/b").Add(folder).Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  const auto point = backup::StreamId::kReparse;
  const auto streams = imported.layer.StreamsOf("Files/link");
  ASSERT_EQ(streams.size(), 1u);
  EXPECT_EQ(streams[0].id, point);
  EXPECT_NE(streams[0].data.find(std::string("a\0\\\0b\0", 6)), std::string::npos);
  EXPECT_EQ(imported.layer.Find("Files/link")->item.attributes, kAttributeReparsePoint);
  EXPECT_EQ(imported.layer.Find("Files/folder")->item.attributes,
            kAttributeReparsePoint | kAttributeDirectory);
}

TEST(Importer, TellsWhatTheLayerHas) {
  Imported imported;
  Take(imported, TarBuilder()
                     .Folder("Files")
                     .Folder("Hives")
                     .File("Hives/System_Delta", "regf")
                     .Folder("UtilityVM")
                     .Folder("UtilityVM/Files")
                     .File("UtilityVM/Files/x", "12")
                     .Finish());
  ASSERT_TRUE(imported.status) << Describe(imported.status);
  EXPECT_TRUE(imported.summary.has_hives);
  EXPECT_TRUE(imported.summary.has_utility_vm);
  EXPECT_EQ(imported.summary.size_bytes, 2);
}

TEST(Importer, WarningsAreCut) {
  TarBuilder tar;
  for (int i = 0; i < 150; ++i) tar.File("Files/d" + std::to_string(i) + "/a");
  Imported imported;
  Take(imported, tar.Finish());
  ASSERT_TRUE(imported.status);
  ASSERT_EQ(imported.summary.warnings.size(), 100u);
  EXPECT_EQ(imported.summary.warnings.back(), "and 52 more warnings");
}

TEST(Importer, AnErrorOfTheSinkComesThrough) {
  MemoryLayer layer;
  layer.fail_at = "Files/b";
  const auto status = Import(TarBuilder().File("Files/a").File("Files/b").Finish(), layer);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kNoSpace);
  EXPECT_EQ(status.error().path, "Files/b");
}

TEST(Importer, LargePayloadsAreNotCutOrCopied) {
  const std::string data(1 << 20, 'd');
  MemoryLayer layer;
  ASSERT_TRUE(Import(TarBuilder().Folder("Files").File("Files/a", data).Finish(), layer));
  EXPECT_EQ(layer.writes, 2u);  // the headers, the data
}

}  // namespace
}  // namespace wclayer::layer
