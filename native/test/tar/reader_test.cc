#include "tar/reader.h"

#include <gtest/gtest.h>

#include "tar/limits.h"
#include "tar/support.h"

namespace wclayer::tar {
namespace {

std::string MessageOf(const Status& status) {
  return status ? "no error" : status.error().message;
}

// The one error that `tar` gives, read whole; the same must come out of single bytes.
std::string ErrorOf(const std::string& tar, Errc code = Errc::kBadArchive,
                    ReaderOptions options = {}) {
  Log log;
  const Status status = ReadWhole(tar, log, options);
  Log bytewise;
  const Status single = ReadInPieces(tar, bytewise, options, [] { return 1; });
  EXPECT_EQ(MessageOf(status), MessageOf(single));
  if (!status) {
    EXPECT_EQ(status.error().code, code) << status.error().ToString();
  }
  return MessageOf(status);
}

Log ReadGood(const std::string& tar, ReaderOptions options = {}) {
  Log log;
  const Status status = ReadWhole(tar, log, options);
  EXPECT_TRUE(status) << status.error().ToString();
  EXPECT_EQ(log.input, tar);
  return log;
}

TEST(Reader, GivesEventsInOrder) {
  const Log log = ReadGood(File("a", "12345") + File("b", "") + kEnd + "rest");
  std::string kinds;
  for (const Log::Event& event : log.events) kinds += event.kind;
  EXPECT_EQ(kinds, "repdredr");
  EXPECT_EQ(log.events[0].text.size(), 512u);
  EXPECT_EQ(log.events[2].text, "12345");
  EXPECT_EQ(log.events[4].text.size(), 507u + 512u);  // padding, then the next header
  EXPECT_EQ(log.events[7].text, kEnd + "rest");
}

TEST(Reader, CountsBytesAndEntries) {
  const std::string tar =
      File("a", "12345") + Extended('x', Record("comment", "c")) + File("b", "") + kEnd + "rest";
  Log log;
  Reader reader(log);
  ASSERT_TRUE(reader.Write(AsBytes(tar)));
  ASSERT_TRUE(reader.Write({}));
  ASSERT_TRUE(reader.Finish());
  EXPECT_EQ(reader.offset(), tar.size());
  EXPECT_EQ(reader.entries(), 2u);
  EXPECT_EQ(log.entries[1].index, 1u);
  EXPECT_EQ(log.entries[1].offset, 1024u);
}

TEST(Reader, PayloadSpansAreTheCallersBuffer) {
  struct Spy : Log {
    Status OnPayload(Bytes bytes) override {
      spans.push_back(bytes);
      return Log::OnPayload(bytes);
    }
    std::vector<Bytes> spans;
  } spy;
  const std::string tar = File("a", std::string(5000, 'x')) + kEnd;
  ASSERT_TRUE(ReadWhole(tar, spy));
  ASSERT_EQ(spy.spans.size(), 1u);
  EXPECT_EQ(spy.spans[0].data(), AsBytes(tar).data() + 512);
  EXPECT_EQ(spy.spans[0].size(), 5000u);
}

TEST(Reader, MapsTypes) {
  const Log log =
      ReadGood(File("file", "a", '\0') + File("dir/", "", '\0') + File("seven", "b", '7') +
               File("seven/", "", '7') + File("vendor", "c", 'Z') + kEnd);
  std::string types;
  for (const Entry& entry : log.entries) types += entry.type;
  EXPECT_EQ(types, "0505Z");
  EXPECT_EQ(log.entries[2].raw_type, '7');
  EXPECT_EQ(log.payloads, (std::vector<std::string>{"a", "", "b", "", "c"}));
}

TEST(Reader, TypesWithoutDataNeverCarryAny) {
  for (const char type : {'1', '2', '3', '4', '5', '6'}) {
    const Log log = ReadGood(RawHeader(type, "n", 5).Block() + File("next", "data") + kEnd);
    ASSERT_EQ(log.entries.size(), 2u) << type;
    EXPECT_EQ(log.entries[0].size, 5u);
    EXPECT_EQ(log.entries[0].stored_size, 0u);
    EXPECT_EQ(log.payloads[0], "");
    EXPECT_EQ(log.payloads[1], "data");
  }
}

TEST(Reader, RecordsOverrideFields) {
  const std::string records =
      Record("path", "p") + Record("linkpath", "l") + Record("mtime", "-1.5") +
      Record("atime", "2") + Record("ctime", "3.000000001") + Record("uid", "4294967296") +
      Record("gid", "7") + Record("size", "3") + Record("MSWINDOWS.rawsd", "AA==");
  const Log log = ReadGood(Extended('x', records) + RawHeader('0', "f", 0).Block() + Padded("abc") +
                           File("plain", "") + kEnd);
  const Entry& entry = log.entries[0];
  EXPECT_EQ(entry.name, "p");
  EXPECT_EQ(entry.link_name, "l");
  EXPECT_EQ(entry.mtime, (UnixTime{-2, 500000000}));
  EXPECT_EQ(entry.atime, (UnixTime{2, 0}));
  EXPECT_EQ(entry.ctime, (UnixTime{3, 1}));
  EXPECT_EQ(entry.uid, 4294967296u);
  EXPECT_EQ(entry.gid, 7u);
  EXPECT_EQ(entry.size, 3u);
  EXPECT_EQ(entry.pax, (Records{{"MSWINDOWS.rawsd", "AA=="}}));
  EXPECT_EQ(log.payloads[0], "abc");
  // Nothing of it is left for the next entry.
  EXPECT_EQ(log.entries[1].name, "plain");
  EXPECT_TRUE(log.entries[1].pax.empty());
  EXPECT_FALSE(log.entries[1].atime);
}

TEST(Reader, LastOfSeveralExtendedHeadersWins) {
  const Log log = ReadGood(Extended('x', Record("path", "one") + Record("comment", "one")) +
                           Extended('x', Record("path", "two")) + File("f", "") +
                           Extended('L', std::string("three\0", 6)) + Extended('L', "four") +
                           Extended('x', Record("path", "five")) + Extended('K', "link") +
                           File("g", "") + kEnd);
  ASSERT_EQ(log.entries.size(), 2u);
  EXPECT_EQ(log.entries[0].name, "two");
  EXPECT_TRUE(log.entries[0].pax.empty());
  EXPECT_EQ(log.entries[1].name, "four");
  EXPECT_EQ(log.entries[1].link_name, "link");
}

TEST(Reader, GlobalRecordsStayInEffect) {
  const Log log =
      ReadGood(Extended('g', Record("comment", "c") + Record("mtime", "9") + Record("size", "77") +
                                 Record("linkpath", "l") + Record("GNU.sparse.map", "0,1")) +
               File("a", "1") + Extended('x', Record("comment", "own") + Record("mtime", "")) +
               File("b", "2") + Extended('g', Record("comment", "") + Record("z", "1")) +
               File("c", "3") + kEnd);
  ASSERT_EQ(log.entries.size(), 5u);
  EXPECT_EQ(log.entries[0].type, 'g');
  EXPECT_EQ(log.entries[0].pax.size(), 5u);
  EXPECT_EQ(log.entries[1].mtime, (UnixTime{9, 0}));
  EXPECT_EQ(log.entries[1].pax, (Records{{"comment", "c"}}));
  EXPECT_EQ(log.entries[1].link_name, "");
  EXPECT_EQ(log.entries[2].pax, (Records{{"comment", "own"}}));
  EXPECT_EQ(log.entries[2].mtime, (UnixTime{0, 0}));  // empty: back to the header block's
  EXPECT_EQ(log.entries[4].pax, (Records{{"z", "1"}}));
  EXPECT_EQ(log.entries[4].mtime, (UnixTime{9, 0}));
  EXPECT_EQ(log.payloads, (std::vector<std::string>{"", "1", "2", "", "3"}));
}

TEST(Reader, GlobalHeaderBeforeTheEntryOfAnExtendedOneIsRefused) {
  ExpectContains(ErrorOf(Extended('x', Record("path", "a")) +
                         Extended('g', Record("comment", "c")) + File("b", "") + kEnd),
                 "global extended header between");
}

TEST(Reader, AcceptsTarsWithoutEndUnlessStrict) {
  const std::string whole = File("a", "12") + kEnd;
  ReadGood(whole, {.strict_end = true});
  // 514 bytes: no padding and no end blocks, as umoci 0.4.7 writes (C14); then every longer
  // beginning.
  for (std::size_t size = 514; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    const Log log = ReadGood(cut);
    EXPECT_EQ(log.payloads, std::vector<std::string>{"12"});
    ExpectContains(ErrorOf(cut, Errc::kBadArchive, {.strict_end = true}), "truncated at byte");
  }
  EXPECT_TRUE(ReadGood("").entries.empty());
  ExpectContains(ErrorOf("", Errc::kBadArchive, {.strict_end = true}), "two zero blocks");
}

TEST(Reader, TruncatedDataAndHeadersAreErrors) {
  const std::string tar =
      File("a", "1") + Extended('x', Record("path", "name")) + File("b", "12345");
  const std::size_t second = 1024;
  const std::size_t payload = second + 1024 + 512;
  for (std::size_t size = 1; size < payload + 5; ++size) {
    const bool whole_entries = (size >= 513 && size <= second) || size == second + 1024;
    const std::string message = ErrorOf(tar.substr(0, size));
    if (whole_entries) {
      EXPECT_EQ(message, "no error") << size;
    } else {
      ExpectContains(message,
                     size < 512 ? "not a tar" : "truncated at byte " + std::to_string(size));
    }
  }
  ExpectContains(ErrorOf(tar.substr(0, payload + 4)),
                 "tar entry 1, header at byte 1024: truncated at byte 2564, 4 of 5 bytes of data");
}

TEST(Reader, EverythingAfterTwoZeroBlocksIsRaw) {
  const Log log = ReadGood(File("a", "1") + kEnd + File("b", "2") + kEnd);
  ASSERT_EQ(log.entries.size(), 1u);
  EXPECT_EQ(log.events.back().kind, 'r');
}

TEST(Reader, ASingleZeroBlockWithin) {
  ExpectContains(ErrorOf(File("a", "1") + std::string(512, '\0') + File("b", "2") + kEnd),
                 "tar entry 1, header at byte 1536: a single zero block");
}

TEST(Reader, SaysWhatIsNotATar) {
  ExpectContains(ErrorOf("<!DOCTYPE html><title>404</title>" + std::string(2000, ' ')),
                 "not a tar: it looks like an HTML page; it begins with '<!DOCTYPE html>");
  ExpectContains(ErrorOf("  {\"errors\":[]}"), "not a tar: it looks like JSON");
  ExpectContains(ErrorOf("\x1F\x8B\x08"), "it looks like gzip data");
  ExpectContains(ErrorOf("\x28\xB5\x2F\xFD" + std::string(600, 'z')), "it looks like zstd data");
  ExpectContains(ErrorOf(std::string(600, 'z')), "not a tar; it begins with 'zzzz");
}

TEST(Reader, BadChecksum) {
  std::string tar = File("a", "1") + File("b", "2") + kEnd;
  tar[1024 + 10] = 'x';
  ExpectContains(ErrorOf(tar), "tar entry 1, header at byte 1024: bad header checksum");
}

TEST(Reader, AcceptsSignedChecksums) {
  const std::string name = "\xC3\xA4\xC3\xB6";
  std::string block = RawHeader('0', name, 0).Block();
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    sum += i >= 148 && i < 156 ? ' ' : static_cast<signed char>(block[i]);
  }
  std::string digits(6, '0');
  for (std::size_t i = 6; i-- > 0; sum /= 8) digits[i] = static_cast<char>('0' + sum % 8);
  block.replace(148, 6, digits);
  EXPECT_EQ(ReadGood(block + kEnd).entries[0].name, name);
}

TEST(Reader, BadNumbers) {
  const struct {
    Field field;
    std::string_view text;
    std::string_view message;
  } cases[] = {
      {kMode, "99999999", "mode field '99999999' is not a number"},
      {kMode, std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE", 8), "mode field holds -2"},
      {kSize, "00000 000005", "size field '00000 000005' is not a number"},
      {kSize, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "size field holds -1"},
      {kSize, "\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "is not a number"},
      {kUid, "x", "uid field"},
      {kGid, "-1", "gid field"},
      {kMtime, "1.5", "mtime field"},
  };
  for (const auto& bad : cases) {
    const std::string block = RawHeader('0', "f", 0).Set(bad.field, bad.text).Block();
    ExpectContains(ErrorOf(block + kEnd), bad.message);
  }
}

TEST(Reader, NumbersThatAreGood) {
  const std::string negative("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE", 12);
  std::string big("\x80\0\0\0\0\0\0\x02\0\0\0\0", 12);
  const std::string tar = RawHeader('5', "d", 0)
                              .Set(kMtime, negative)
                              .Set(kSize, big)
                              .Set(kMode, std::string_view("  644\0x ", 8))
                              .Set(kUid, std::string_view("\0\0\0\0\0\0\0\0", 8))
                              .Block() +
                          kEnd;
  const Log log = ReadGood(tar);
  EXPECT_EQ(log.entries[0].mtime, (UnixTime{-2, 0}));
  EXPECT_EQ(log.entries[0].size, 8589934592u);
  EXPECT_EQ(log.entries[0].mode, 0644u);
  EXPECT_EQ(log.entries[0].uid, 0u);
}

TEST(Reader, BadRecords) {
  const struct {
    std::string records;
    std::string_view message;
  } cases[] = {
      {"nonsense", "no space after"},
      {"x a=b\n", "length is not a number"},
      {"-6 a=b\n", "record's length -6"},
      {"4 a=\n", "record's length 4"},
      {"99 a=b\n", "record's length 99 is not within the 7 bytes"},
      {"99999999999999999999 a=b\n", "length is not a number"},
      {"000000000000000000000007 a=b\n", "no space after"},
      {"6 a=b\n7 b=c", "record at byte 6: the record's length 7"},
      {"6 a=bX", "no newline"},
      {"6 abc\n", "no '='"},
      {"6 =ab\n", "empty key"},
      {Record(std::string_view("k\0", 2), "v"), "NUL"},
      {Record("linkpath", std::string_view("v\0", 2)), "NUL"},
      {Record("size", "-1"), "PAX record size='-1' is not a size"},
      {Record("size", "1e3"), "is not a size"},
      {Record("size", "99999999999999999999"), "is not a size"},
      {Record("uid", "root"), "uid='root' is not a decimal number"},
      {Record("mtime", "1.2.3"), "something other than digits"},
      {Record("atime", std::string(300000, '9')), "longer than any time"},
  };
  for (const auto& bad : cases) {
    ExpectContains(ErrorOf(Extended('x', bad.records) + File("f", "") + kEnd), bad.message);
  }
}

TEST(Reader, LimitsOnSizes) {
  const std::uint64_t over = kMaxFileBytes + 1;
  ExpectContains(ErrorOf(Extended('x', Record("size", std::to_string(over))) + File("f", "") + kEnd,
                         Errc::kLimitExceeded),
                 "kMaxFileBytes");
  Log log;  // the largest one: only its data is missing
  const Status largest =
      ReadWhole(Extended('x', Record("size", std::to_string(kMaxFileBytes))) + File("f", ""), log);
  ExpectContains(MessageOf(largest), "0 of 17592186044416 bytes");
  ASSERT_EQ(log.entries.size(), 1u);
}

TEST(Reader, LimitsOnExtendedHeaders) {
  const std::string most = Record("comment", std::string(kMaxPaxBytesPerEntry - 17, 'c'));
  ASSERT_EQ(most.size(), kMaxPaxBytesPerEntry);
  EXPECT_EQ(ReadGood(Extended('x', most) + File("f", "") + kEnd).entries[0].pax[0].second.size(),
            kMaxPaxBytesPerEntry - 17);
  // All extended headers of an entry count, and the header alone is enough to refuse.
  for (const char type : {'x', 'L', 'K'}) {
    const std::string tar = Extended(type, "6 a=b\n") + Extended('x', most);
    Log log;
    ExpectContains(MessageOf(ReadWhole(tar.substr(0, 1536), log)), "kMaxPaxBytesPerEntry");
  }
  Log log;
  ExpectContains(MessageOf(ReadWhole(RawHeader('g', "g", kMaxPaxBytesPerEntry + 1).Block(), log)),
                 "kMaxPaxBytesPerEntry");
  // The next entry may have as much again.
  const std::string half = Record("comment", std::string(kMaxPaxBytesPerEntry / 2 + 1000, 'c'));
  ReadGood(Extended('x', half) + File("f", "") + Extended('x', half) + File("g", "") + kEnd);
}

TEST(Reader, LimitsOnRecords) {
  std::string records;
  for (std::size_t i = 0; i <= kMaxPaxRecords; ++i) records += Record(std::to_string(i), "");
  Log log;
  const Status many = ReadWhole(Extended('x', records) + File("f", "") + kEnd, log);
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, Errc::kLimitExceeded);
  ExpectContains(many.error().message, "kMaxPaxRecords = 65536");

  Log global;
  const Status large =
      ReadWhole(Extended('g', Record("comment", std::string(kMaxGlobalPaxBytes, 'c'))), global);
  ASSERT_FALSE(large);
  ExpectContains(large.error().message, "kMaxGlobalPaxBytes");
}

TEST(Reader, LimitsOnNames) {
  const std::string longest(kMaxTarNameBytes, 'n');
  EXPECT_EQ(ReadGood(Extended('L', longest) + File("f", "") + kEnd).entries[0].name, longest);
  for (const char* key : {"path", "linkpath"}) {
    ExpectContains(ErrorOf(Extended('x', Record(key, longest + "n")) + File("f", "") + kEnd,
                           Errc::kLimitExceeded),
                   "kMaxTarNameBytes");
  }
}

TEST(Reader, AnErrorStopsItForGood) {
  Log log;
  Reader reader(log);
  const Status first = reader.Write(AsBytes(std::string(512, 'z')));
  ASSERT_FALSE(first);
  const std::size_t events = log.events.size();
  const Status again = reader.Write(AsBytes(File("a", "1")));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, first.error().message);
  const Status end = reader.Finish();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().message, first.error().message);
  EXPECT_EQ(log.events.size(), events);
}

TEST(Reader, PassesTheSinksErrorsOn) {
  struct Refusing : Log {
    explicit Refusing(int at) : left(at) {}
    Status Next(Status status) { return left-- == 0 ? Error(Errc::kNoSpace, "full") : status; }
    Status OnRaw(Bytes bytes) override { return Next(Log::OnRaw(bytes)); }
    Status OnEntry(const Entry& entry) override { return Next(Log::OnEntry(entry)); }
    Status OnPayload(Bytes bytes) override { return Next(Log::OnPayload(bytes)); }
    Status OnEntryEnd() override { return Next(Log::OnEntryEnd()); }
    int left;
  };
  const std::string tar = File("a", "1") + kEnd;
  for (int at = 0; at < 5; ++at) {
    Refusing sink(at);
    Reader reader(sink);
    const Status status = reader.Write(AsBytes(tar));
    ASSERT_FALSE(status) << at;
    EXPECT_EQ(status.error().code, Errc::kNoSpace);
    EXPECT_FALSE(reader.Finish());
    EXPECT_EQ(sink.left, -1) << "called after its error";
  }
  Refusing sink(5);
  EXPECT_TRUE(ReadWhole(tar, sink));
}

}  // namespace
}  // namespace wclayer::tar
