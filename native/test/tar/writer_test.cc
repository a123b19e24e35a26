#include "tar/writer.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tar/support.h"

namespace wclayer::tar {
namespace {

std::string Write(const Header& header) {
  Buffer out;
  const Status status = AppendHeader(out, header);
  EXPECT_TRUE(status) << status.error().ToString();
  EXPECT_EQ(out.size() % kBlock, 0u);
  return std::string(AsText(out));
}

Header File(std::string name, Format format = Format::kAuto) {
  Header header;
  header.format = format;
  header.name = std::move(name);
  return header;
}

std::string FieldOf(const std::string& tar, std::size_t block, Field field) {
  return tar.substr(block * kBlock + field.offset, field.size);
}
std::string TextOf(const std::string& tar, std::size_t block, Field field) {
  return std::string(UpToNul(tar.substr(block * kBlock + field.offset, field.size)));
}
// The records of a tar that begins with an extended header.
std::string RecordsOf(const std::string& tar) {
  EXPECT_EQ(tar[kType], 'x');
  return tar.substr(kBlock, std::stoul(TextOf(tar, 0, kSize), nullptr, 8));
}

TEST(Writer, PlainUstarHeader) {
  Header header = File("Files/.wh.gone");
  header.mode = 0644;
  header.size = 5;
  header.mtime = {1700000002, 0};
  const std::string block = Write(header);
  ASSERT_EQ(block.size(), kBlock);
  EXPECT_EQ(TextOf(block, 0, kName), "Files/.wh.gone");
  EXPECT_EQ(FieldOf(block, 0, kMode), std::string("0000644\0", 8));
  EXPECT_EQ(FieldOf(block, 0, kUid), std::string("0000000\0", 8));
  EXPECT_EQ(FieldOf(block, 0, kSize), std::string("00000000005\0", 12));
  EXPECT_EQ(FieldOf(block, 0, kMtime), std::string("14524770402\0", 12));
  EXPECT_EQ(FieldOf(block, 0, kMagic), std::string("ustar\0", 6));
  EXPECT_EQ(FieldOf(block, 0, kVersion), "00");
  EXPECT_EQ(FieldOf(block, 0, kDevMajor), std::string("0000000\0", 8));
  EXPECT_EQ(block[kType], '0');
  EXPECT_EQ(block.substr(154, 2), std::string("\0 ", 2));
  EXPECT_TRUE(VerifyChecksum(AsBytes(block)));
}

TEST(Writer, AutoRoundsAndDropsTimes) {
  Header header = File("f");
  header.mtime = {-2, 500000000};
  header.atime = UnixTime{1, 0};
  header.ctime = UnixTime{2, 0};
  const std::string negative = Write(header);  // rounds to -1, which octal cannot hold
  EXPECT_EQ(RecordsOf(negative), "12 mtime=-1\n");
  EXPECT_EQ(TextOf(negative, 2, kMtime), "00000000000");
  header.mtime = {7, 499999999};
  EXPECT_EQ(TextOf(Write(header), 0, kMtime), "00000000007");
  header.mtime = {7, 500000000};
  EXPECT_EQ(TextOf(Write(header), 0, kMtime), "00000000010");
}

TEST(Writer, PaxKeepsTimes) {
  Header header = File("f", Format::kPax);
  header.mtime = {-2, 500000000};
  header.atime = UnixTime{1, 0};
  header.ctime = UnixTime{0, 1};
  EXPECT_EQ(RecordsOf(Write(header)), "11 atime=1\n21 ctime=0.000000001\n14 mtime=-1.5\n");
  header.atime.reset();
  header.ctime.reset();
  header.mtime = {5, 0};
  EXPECT_EQ(Write(header).size(), kBlock);  // nothing needs a record: ustar, as in Go
}

TEST(Writer, MtimeBeyondOctal) {
  Header header = File("f", Format::kPax);
  header.mtime = {(std::int64_t{1} << 33) - 1, 0};
  EXPECT_EQ(TextOf(Write(header), 0, kMtime), "77777777777");
  ++header.mtime.seconds;
  const std::string tar = Write(header);
  EXPECT_EQ(RecordsOf(tar), "20 mtime=8589934592\n");
  EXPECT_EQ(TextOf(tar, 2, kMtime), "00000000000");
}

TEST(Writer, SizeBeyondOctal) {
  Header header = File("f");
  header.size = (std::uint64_t{8} << 30) - 1;
  EXPECT_EQ(TextOf(Write(header), 0, kSize), "77777777777");
  for (const std::uint64_t size : {std::uint64_t{8} << 30, (std::uint64_t{8} << 30) + 1}) {
    header.size = size;
    const std::string tar = Write(header);
    EXPECT_EQ(RecordsOf(tar), "19 size=" + std::to_string(size) + "\n");
    EXPECT_EQ(TextOf(tar, 2, kSize), "00000000000");
  }
}

TEST(Writer, LongNamesAreSplitWhenNothingElseNeedsRecords) {
  const std::string dir(60, 'd');
  const std::string base(60, 'b');
  const std::string name = dir + "/" + base;
  for (const Format format : {Format::kAuto, Format::kPax}) {
    const std::string split = Write(File(name, format));
    ASSERT_EQ(split.size(), kBlock);
    EXPECT_EQ(TextOf(split, 0, kPrefix), dir);
    EXPECT_EQ(TextOf(split, 0, kName), base);
  }
  Header header = File(name, Format::kPax);
  header.pax = {{"MSWINDOWS.fileattr", "32"}};
  const std::string pax = Write(header);
  EXPECT_EQ(RecordsOf(pax), "25 MSWINDOWS.fileattr=32\n131 path=" + name + "\n");
  EXPECT_EQ(TextOf(pax, 2, kPrefix), "");
  EXPECT_EQ(TextOf(pax, 2, kName), name.substr(0, 100));
  EXPECT_EQ(TextOf(pax, 0, kName), (dir + "/PaxHeaders.0/" + base).substr(0, 100));
}

TEST(Writer, WhereNamesAreSplit) {
  const std::string c99(99, 'c');
  const std::string c100(100, 'c');
  const std::string p155(155, 'p');
  const struct {
    std::string name;
    std::string prefix;  // "x": a record is needed
  } cases[] = {
      {c100, ""},
      {c100 + "c", "x"},
      {"a/" + c100, "a"},
      {"/" + c100, "x"},  // an empty prefix is none
      {"a/" + c100 + "c", "x"},
      {p155 + "/" + c100, p155},
      {p155 + "p/" + c99, "x"},
      {"a/b/" + c99, "a/b"},
      {std::string(50, 'a') + "/" + std::string(100, 'b') + "/c",
       std::string(50, 'a') + "/" + std::string(100, 'b')},
  };
  for (const auto& [name, prefix] : cases) {
    const std::string tar = Write(File(name));
    if (prefix == "x") {
      EXPECT_EQ(RecordsOf(tar), Record("path", name));
    } else {
      ASSERT_EQ(tar.size(), kBlock) << name;
      EXPECT_EQ(TextOf(tar, 0, kPrefix), prefix);
    }
  }
  Header dir = File(std::string(98, 'd') + "/e/");
  dir.type = '5';
  EXPECT_EQ(TextOf(Write(dir), 0, kName), "e/");
}

TEST(Writer, NonAsciiNamesKeepTheirAscii) {
  Header header = File("Files/Grüße.txt", Format::kPax);
  header.link_name = "Zieläöü";
  header.type = '2';
  const std::string tar = Write(header);
  EXPECT_EQ(RecordsOf(tar), Record("linkpath", header.link_name) + Record("path", header.name));
  EXPECT_EQ(TextOf(tar, 0, kName), "Files/PaxHeaders.0/Gre.txt");
  EXPECT_EQ(TextOf(tar, 2, kName), "Files/Gre.txt");
  EXPECT_EQ(TextOf(tar, 2, kLinkName), "Ziel");
}

TEST(Writer, ACutNameNeverEndsInASlash) {
  const std::string name = std::string(98, 'd') + "//" + std::string(101, 'b');
  const std::string tar = Write(File(name));
  EXPECT_EQ(FieldOf(tar, 2, kName), std::string(98, 'd') + std::string("\0/", 2));
  EXPECT_EQ(TextOf(tar, 0, kName), std::string(98, 'd') + "/P");
}

TEST(Writer, ExtendedHeaderNamesAreClean) {
  for (const auto& [name, expected] : std::vector<std::pair<std::string, std::string>>{
           {"ä", "PaxHeaders.0"},
           {"aä", "PaxHeaders.0/a"},
           {"./aä", "PaxHeaders.0/a"},
           {"x//y/./aä", "x/y/PaxHeaders.0/a"},
           {"x/../aä", "PaxHeaders.0/a"},
           {"../x/../../aä", "../../PaxHeaders.0/a"},
           {"/../x/aä", "/x/PaxHeaders.0/a"},
           {"ä/..", ""},      // the base name takes PaxHeaders.0 away again
           {"/ä/../..", ""},  // and "/" loses its slash
       }) {
    const std::string tar = Write(File(name));
    EXPECT_EQ(TextOf(tar, 0, kName), expected) << name;
  }
  Header dir = File("ä/b/");
  dir.type = '5';
  EXPECT_EQ(TextOf(Write(dir), 0, kName), "/b/PaxHeaders.0");
}

TEST(Writer, RecordLengthsCountThemselves) {
  for (std::size_t size = 1; size < 1100; ++size) {
    Header header = File("f", Format::kPax);
    header.pax = {{"k", std::string(size, 'v')}};
    const std::string records = RecordsOf(Write(header));
    EXPECT_EQ(std::stoul(records), records.size());
    EXPECT_EQ(records, Record("k", header.pax[0].second));
  }
}

TEST(Writer, RecordsAreSortedByBytes) {
  Header header = File("f", Format::kPax);
  header.atime = UnixTime{1, 0};
  header.pax = {
      {"z", "1"}, {"MSWINDOWS.rawsd", "2"}, {"\xC3\xA4", "3"}, {"LIBARCHIVE.creationtime", "4"}};
  EXPECT_EQ(RecordsOf(Write(header)), Record("LIBARCHIVE.creationtime", "4") +
                                          Record("MSWINDOWS.rawsd", "2") + Record("atime", "1") +
                                          Record("z", "1") + Record("\xC3\xA4", "3"));
}

TEST(Writer, RecordsForFieldsMustAgreeWithThem) {
  Header header = File("f", Format::kPax);
  header.size = 3;
  header.pax = {{"path", "other"}, {"size", "3"}, {"uname", "root"}, {"GNU.sparse.major", "1"}};
  EXPECT_EQ(RecordsOf(Write(header)), "9 size=3\n");
  header.pax = {{"path", "other"}};
  EXPECT_EQ(Write(header).size(), kBlock);
}

TEST(Writer, RefusesWhatATarCannotHold) {
  const auto refused = [](Header header, std::string_view message) {
    Buffer out(7);
    const Status status = AppendHeader(out, header);
    ASSERT_FALSE(status) << message;
    EXPECT_EQ(status.error().code, Errc::kInvalidArgument);
    EXPECT_NE(status.error().message.find(message), std::string::npos) << status.error().message;
    EXPECT_EQ(out.size(), 7u);
  };
  refused(File(std::string("a\0b", 3)), "NUL in the name");
  refused(File("dir/"), "ends with '/'");
  Header header = File("f");
  header.link_name = std::string("\0", 1);
  refused(header, "NUL in the link name");
  for (const char* key : {"", "a=b"}) {
    header = File("f");
    header.pax = {{key, "v"}};
    refused(header, "PAX record");
  }
  header = File("f");
  header.pax = {{std::string("k\0", 2), "v"}};
  refused(header, "PAX record");
  header.pax = {{"k", "1"}, {"k", "2"}};
  refused(header, "twice");
  header = File("f");
  header.mode = 1u << 21;
  refused(header, "more than 21 bits");
  header = File("f");
  header.size = std::uint64_t{1} << 63;
  refused(header, "64 bits");
  for (const char type : {'x', 'g', 'L', 'K'}) {
    header = File("f");
    header.type = type;
    refused(header, "is no entry");
  }
}

std::string RandomText(std::mt19937& random, std::size_t longest, bool ascii) {
  static constexpr std::string_view kParts[] = {"a",  "b/", "Files/",       ".", " ", "=",
                                                "\n", "ä",  "\xED\xA0\x80", "😀"};
  std::string text;
  const std::size_t size = std::uniform_int_distribution<std::size_t>(0, longest)(random);
  std::uniform_int_distribution<std::size_t> part(0, ascii ? 6 : std::size(kParts) - 1);
  while (text.size() < size) text += kParts[part(random)];
  return text;
}

TEST(Writer, TheReaderGivesBackWhatWasWritten) {
  constexpr unsigned kSeed = 40444;
  std::mt19937 random(kSeed);
  std::uniform_int_distribution<std::int64_t> seconds(-20000000000, 20000000000);
  std::uniform_int_distribution<std::int32_t> nanos(0, 999999999);
  const auto time = [&] { return UnixTime{seconds(random), random() % 2 ? nanos(random) : 0}; };
  for (int round = 0; round < 3000; ++round) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(round));
    Header header;
    header.format = Format::kPax;
    const bool ascii = random() % 2;
    header.name = "n" + RandomText(random, 300, ascii);
    header.type = "01255"[random() % 5];
    if (header.type == '0') header.name += "n";
    if (header.type == '1' || header.type == '2')
      header.link_name = "l" + RandomText(random, 150, ascii);
    header.mode = static_cast<std::uint32_t>(random() % (1u << 21));
    header.size = random() % 3 ? random() % 5000 : random() * std::uint64_t{16};
    header.mtime = time();
    if (random() % 2) header.atime = time();
    if (random() % 2) header.ctime = time();
    for (unsigned i = random() % 4; i-- > 0;) {
      header.pax.emplace_back("KEY." + std::to_string(i), RandomText(random, 900, false));
    }
    Log log;
    Reader reader(log);
    const Status status = reader.Write(AsBytes(Write(header)));
    ASSERT_TRUE(status) << status.error().ToString();
    ASSERT_EQ(log.entries.size(), 1u);
    const Entry& entry = log.entries[0];
    EXPECT_EQ(entry.name, header.name);
    EXPECT_EQ(entry.link_name, header.link_name);
    EXPECT_EQ(entry.type, header.type);
    EXPECT_EQ(entry.mode, header.mode);
    EXPECT_EQ(entry.size, header.size);
    EXPECT_EQ(entry.mtime, header.mtime);
    EXPECT_EQ(entry.atime, header.atime);
    EXPECT_EQ(entry.ctime, header.ctime);
    std::sort(header.pax.begin(), header.pax.end());
    EXPECT_EQ(entry.pax, header.pax);
  }
}

// C9. Pieces of zeros cost nothing, since payload is never copied.
TEST(Writer, FilesAroundEightGibibytesComeBack) {
  struct Counter : Sink {
    Status OnRaw(Bytes) override { return {}; }
    Status OnEntry(const Entry& entry) override {
      size = entry.size;
      return {};
    }
    Status OnPayload(Bytes bytes) override {
      payload += bytes.size();
      return {};
    }
    Status OnEntryEnd() override { return {}; }
    std::uint64_t size = 0;
    std::uint64_t payload = 0;
  };
  const std::uint64_t eight = std::uint64_t{8} << 30;
  const Buffer zeros(std::size_t{16} << 20);
  for (const std::uint64_t size : {eight - 1, eight, eight + 1, std::uint64_t{70} << 30}) {
    Header header = File("big", Format::kPax);
    header.size = size;
    Counter counter;
    Reader reader(counter, {.strict_end = true});
    ASSERT_TRUE(reader.Write(AsBytes(Write(header))));
    EXPECT_EQ(counter.size, size);
    for (std::uint64_t left = size + Padding(size); left > 0;) {
      const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(left, zeros.size()));
      ASSERT_TRUE(reader.Write(Bytes(zeros).first(piece)));
      left -= piece;
    }
    ASSERT_TRUE(reader.Write(Bytes(zeros).first(kTrailerBytes)));
    ASSERT_TRUE(reader.Finish());
    EXPECT_EQ(counter.payload, size);
  }
}

}  // namespace
}  // namespace wclayer::tar
