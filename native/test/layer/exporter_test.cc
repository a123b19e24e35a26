// What the exporter writes beyond the golden sets: the extensions of store mode, and what it
// refuses.
#include "layer/exporter.h"

#include "backup/ea.h"
#include "backup/reparse.h"
#include "layer/support.h"

namespace wclayer::layer {
namespace {

using backup::StreamId;

MemoryLayer::Entry EntryOf(std::string path, std::vector<Stream> streams,
                           std::uint32_t attributes = 32) {
  MemoryLayer::Entry entry;
  entry.item.path = std::move(path);
  entry.item.attributes = attributes;
  for (auto& time : entry.item.times) time = 133444736020000000;
  entry.item.size = Content(streams, 0).size();
  entry.stream = Encode(streams);
  return entry;
}

Expected<std::string> Export(std::vector<MemoryLayer::Entry> entries,
                             WriterMode mode = WriterMode::kStore) {
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].item.ordinal = i;
  MemorySource source(std::move(entries));
  TarExporter exporter(source, mode);
  return Drain(exporter);
}

// Exported in store mode, imported, exported again: the same tar. Gives what was imported.
std::vector<Stream> RoundTrip(const MemoryLayer::Entry& entry) {
  const auto tar = Export({entry});
  EXPECT_TRUE(tar) << Describe(tar);
  if (!tar) return {};
  MemoryLayer layer;
  const auto imported = Import(*tar, layer);
  EXPECT_TRUE(imported) << Describe(imported);
  std::vector<MemoryLayer::Entry> own = {*layer.Find(entry.item.path)};
  own[0].item.size = Content(Decode(own[0].stream), 0).size();
  EXPECT_EQ(own[0].item.attributes, entry.item.attributes);
  EXPECT_EQ(own[0].item.short_name, entry.item.short_name);
  const auto again = Export(own);
  EXPECT_TRUE(again && *again == *tar) << Describe(again);
  return layer.StreamsOf(entry.item.path);
}

std::string Eas(const std::vector<backup::ExtendedAttribute>& attributes) {
  return TextOf(*backup::BuildEas(attributes));
}

std::string UnknownReparse() {
  Buffer buffer;
  AppendLe(buffer, 0x8000001Bu);
  AppendLe(buffer, std::uint16_t{6});
  AppendLe(buffer, std::uint16_t{0});
  Append(buffer, AsBytes("opaque"));
  return TextOf(buffer);
}

TEST(Exporter, StreamsOfFoldersAndEmptyFilesSurvive) {
  const std::vector<Stream> alternates = {Alternate(u"one", "1"), Alternate(u"\u00FC", "")};
  EXPECT_EQ(RoundTrip(EntryOf("Files/none", alternates)), alternates);
  EXPECT_EQ(RoundTrip(EntryOf("Files/folder", alternates, 16)), alternates);
  const std::vector<Stream> with_data = {Data(""), alternates[0], alternates[1]};
  EXPECT_EQ(RoundTrip(EntryOf("Files/empty", with_data)), with_data);
  const std::vector<Stream> on_link = {
      {StreamId::kReparse, 0, u"", 0, TextOf(backup::BuildReparse(u"..\\x", false))},
      alternates[0]};
  EXPECT_EQ(RoundTrip(EntryOf("Files/link", on_link, 0x420)), on_link);
  // The reference loses them all (spec layer-formats §c.5).
  const auto reference = Export({EntryOf("Files/none", alternates)}, WriterMode::kReference);
  ASSERT_TRUE(reference);
  EXPECT_EQ(reference->find(":one"), std::string::npos);
}

TEST(Exporter, ObjectIdsAndOtherStreamsSurvive) {
  const std::vector<Stream> streams = {{StreamId::kObjectId, 0, u"", 0, std::string(64, '\x07')},
                                       {StreamId::kTxfs, 0, u"", 0, "transaction"},
                                       {StreamId::kProperty, 0, u"", 0, "property"},
                                       Data("x")};
  auto sorted = streams;
  std::swap(sorted[1], sorted[2]);  // by the text of their numbers: "10" before "6"
  EXPECT_EQ(RoundTrip(EntryOf("Files/a", streams)),
            std::vector<Stream>({streams[0], streams[1], streams[2], streams[3]}));
}

TEST(Exporter, ReparsePointsSurvive) {
  const auto round_trip = [](const std::string& buffer, std::uint32_t attributes, bool data) {
    std::vector<Stream> streams = {{StreamId::kReparse, 0, u"", 0, buffer}};
    if (data) streams.push_back(Data("data of it"));
    EXPECT_EQ(RoundTrip(EntryOf("Files/r", streams, attributes)), streams);
  };
  round_trip(TextOf(backup::BuildReparse(u"C:\\Users", true)), 0x410, false);
  round_trip(TextOf(backup::BuildReparse(u"a/with slash", false)), 0x420, false);
  round_trip(TextOf(backup::BuildReparse(u"", false)), 0x420, false);
  round_trip(UnknownReparse(), 0x420, false);
  round_trip(UnknownReparse(), 0x420, true);
  round_trip(UnknownReparse(), 0x410, false);
  Buffer odd = backup::BuildReparse(u"target", false);
  odd[6] = std::byte{1};  // the reserved field: not what the target alone would give
  round_trip(TextOf(odd), 0x420, false);
  const auto refused =
      Export({EntryOf("Files/r", {{StreamId::kReparse, 0, u"", 0, UnknownReparse()}}, 0x420)},
             WriterMode::kReference);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnsupported);
  EXPECT_NE(refused.error().message.find("0x8000001B"), std::string::npos);
  EXPECT_EQ(refused.error().path, "Files/r");
}

TEST(Exporter, ExtendedAttributesSurvive) {
  const auto value = [](std::string_view text) {
    Buffer bytes;
    Append(bytes, AsBytes(text));
    return bytes;
  };
  const auto round_trip = [&](const std::vector<backup::ExtendedAttribute>& attributes) {
    const std::vector<Stream> streams = {{StreamId::kEaData, 0, u"", 0, Eas(attributes)},
                                         Data("x")};
    EXPECT_EQ(RoundTrip(EntryOf("Files/ea", streams)), streams);
  };
  round_trip({{"A", value("1"), 0}, {"B", value(""), 0}});
  round_trip({{"A", value("1"), 0x80}, {"B", value("2"), 0}, {"C", value("3"), 0x80}});
  round_trip({{"A=B", value("1"), 0}, {"C", value("2"), 0x80}});
  round_trip({{"SAME", value("1"), 0}, {"SAME", value("2"), 0}});
}

TEST(Exporter, ShortNamesSurvive) {
  MemoryLayer::Entry entry = EntryOf("Files/a long name.text", {Data("x")});
  entry.item.short_name = u"ALONGN~1.TEX";
  EXPECT_EQ(RoundTrip(entry), std::vector<Stream>({Data("x")}));
}

TEST(Exporter, AbsentTimesStayAbsent) {
  MemoryLayer::Entry entry = EntryOf("Files/a", {Data("x")});
  entry.item.time_absent = 0b1011;
  entry.item.time_remainder[kWrite] = 7;
  const auto tar = Export({entry});
  ASSERT_TRUE(tar);
  for (const char* record : {"atime", "ctime", "creationtime"}) {
    EXPECT_EQ(tar->find(record), std::string::npos) << record;
  }
  EXPECT_NE(tar->find("mtime=1700000002.000000007\n"), std::string::npos);
  MemoryLayer layer;
  ASSERT_TRUE(Import(*tar, layer));
  EXPECT_EQ(layer.Find("Files/a")->item.time_absent, 0b1011);
}

TEST(Exporter, OpaqueFolders) {
  MemoryLayer::Entry entry = EntryOf("Files/d", {});
  entry.item.deleted = true;
  entry.item.opaque = true;
  const auto tar = Export({entry});
  ASSERT_TRUE(tar);
  EXPECT_EQ(tar->substr(0, 20), std::string("Files/d/.wh..wh..opq"));
}

TEST(Exporter, RefusesWhatDoesNotFit) {
  const auto code = [](std::vector<Stream> streams, std::uint64_t size,
                       std::uint32_t attributes = 32) {
    MemoryLayer::Entry entry = EntryOf("Files/a", std::move(streams), attributes);
    entry.item.size = size;
    const auto tar = Export({entry});
    EXPECT_FALSE(tar);
    return tar ? Errc::kInternal : tar.error().code;
  };
  const Stream sparse_start = {StreamId::kData, backup::kAttributeSparse, u"", 0, ""};
  const auto block = [](std::uint64_t offset, std::string data) {
    return Stream{StreamId::kSparseBlock, backup::kAttributeSparse, u"", offset, std::move(data)};
  };
  EXPECT_EQ(code({Data("12345")}, 4), Errc::kLayerDamaged);
  EXPECT_EQ(code({Data("12345")}, 6), Errc::kLayerDamaged);
  EXPECT_EQ(code({sparse_start, block(10, "x"), block(5, "y")}, 100), Errc::kLayerDamaged);
  EXPECT_EQ(code({sparse_start, block(99, "xx")}, 100), Errc::kLayerDamaged);
  EXPECT_EQ(code({sparse_start, block(0, "xx"), block(50, "")}, 100), Errc::kLayerDamaged);
  EXPECT_EQ(code({Alternate(u"s", "1"), Data("late")}, 4), Errc::kLayerDamaged);
  Stream sparse_alternate = Alternate(u"s", "");
  sparse_alternate.attributes = backup::kAttributeSparse;
  EXPECT_EQ(code({Data(""), sparse_alternate}, 0), Errc::kUnsupported);
  EXPECT_EQ(code({{StreamId::kReparse, 0, u"", 0, TextOf(backup::BuildReparse(u"x", false))},
                  Data("data")},
                 4, 0x420),
            Errc::kUnsupported);
}

TEST(Exporter, HolesAreZerosWithAndWithoutAClosingBlock) {
  const Stream start = {StreamId::kData, backup::kAttributeSparse, u"", 0, ""};
  const Stream block = {StreamId::kSparseBlock, backup::kAttributeSparse, u"", 70'000, "data"};
  const Stream end = {StreamId::kSparseBlock, backup::kAttributeSparse, u"", 200'000, ""};
  std::string content(200'000, '\0');
  content.replace(70'000, 4, "data");
  for (const auto& streams :
       {std::vector<Stream>{start, block, end}, std::vector<Stream>{start, block},
        std::vector<Stream>{start, block, Alternate(u"s", "behind")}}) {
    MemoryLayer::Entry entry = EntryOf("Files/holes", streams);
    entry.item.size = 200'000;
    const auto tar = Export({entry});
    ASSERT_TRUE(tar) << Describe(tar);
    MemoryLayer layer;
    ASSERT_TRUE(Import(*tar, layer));
    EXPECT_TRUE(Content(layer.StreamsOf("Files/holes"), 0) == content);
    EXPECT_EQ(Content(layer.StreamsOf("Files/holes"), 1),
              streams.size() == 3 && streams[2].id == StreamId::kAlternateData ? "behind" : "");
  }
}

// Few reads of the source per file (performance §"What dominates"), and payload in one of them.
TEST(Exporter, ReadsASmallFileInFewPieces) {
  std::vector<MemoryLayer::Entry> entries;
  for (int i = 0; i < 100; ++i) {
    entries.push_back(EntryOf(
        "Files/" + std::to_string(i),
        {{StreamId::kSecurity, 0, u"", 0, std::string(100, 's')}, Data(std::string(3000, 'd'))}));
  }
  MemorySource source(std::move(entries));
  TarExporter exporter(source, WriterMode::kStore);
  ASSERT_TRUE(Drain(exporter));
  EXPECT_LE(source.reads, 100u * 5);  // header, descriptor, header, data, end
}

}  // namespace
}  // namespace wclayer::layer
