// Exports: golden inputs, seeking, changes, failures.
#include "portable/hive.h"
#include "store_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::ChangeKind;
using vmcompute::kOk;

class ExportTest : public StoreTest {
 protected:
  // The entries of a golden set (test/fixtures/golden-oci/README.md).
  static std::vector<Item> Golden(const std::string& name) {
    const std::string folder = std::string(WCLAYER_FIXTURES) + "/golden-oci/" + name;
    std::ifstream in(folder + "/entries.tsv");
    std::vector<Item> items;
    std::string line;
    while (std::getline(in, line)) {
      if (line.empty() || line[0] == '#') continue;
      std::vector<std::string> columns;
      std::stringstream row(line);
      for (std::string column; std::getline(row, column, '\t');) columns.push_back(column);
      Item item;
      item.path = columns[1];
      item.deleted = columns[0] == "delete";
      if (!item.deleted) {
        item.size = std::stoll(columns[2]);
        item.attributes = static_cast<std::uint32_t>(std::stoul(columns[3]));
        for (int i = 0; i < 4; ++i)
          item.times[i] = std::stoll(columns[static_cast<std::size_t>(4 + i)]);
        if (columns[0] == "link")
          item.link = columns[8];
        else if (columns[8] != "-")
          item.stream = ToBuffer(ReadFile(folder + "/streams/" + columns[8]));
      }
      items.push_back(std::move(item));
    }
    return items;
  }
};

TEST_F(ExportTest, GoldenEntriesComeBackInTheirOrderWithTheirStreams) {
  for (const char* name : {"basic", "names", "reparse", "streams", "times", "attributes-and-eas",
                           "base-sparse-links"}) {
    SCOPED_TRACE(name);
    const auto items = Golden(name);
    ASSERT_FALSE(items.empty());
    const std::string id = std::string("golden-") + name;
    std::vector<std::string> parents;
    if (std::any_of(items.begin(), items.end(), [](const Item& item) { return item.deleted; })) {
      if (!Exists("parent")) {
        ASSERT_EQ(Import("parent", {}, {Folder("Files")}), kOk);
      }
      parents = {"parent"};
    }
    ASSERT_EQ(Import(id, parents, items, nullptr, 1000), kOk)
        << LastError().path << ": " << LastError().message;
    const auto back = Export(id, parents);
    ASSERT_EQ(Paths(back), Paths(items));
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].deleted) continue;
      SCOPED_TRACE(items[i].path);
      EXPECT_EQ(back[i].link, items[i].link);
      EXPECT_EQ(back[i].attributes, items[i].attributes);
      EXPECT_TRUE(std::equal(std::begin(back[i].times), std::end(back[i].times),
                             std::begin(items[i].times)));
      EXPECT_EQ(Parse(back[i].stream), Parse(items[i].stream));
      if (items[i].link.empty() && (items[i].attributes & 0x410) == 0) {
        EXPECT_EQ(back[i].size, items[i].size);
      }
    }
    EXPECT_EQ(Verify(id), std::vector<std::string>());
  }
}

TEST_F(ExportTest, MetadataStreamsComeBeforeDataWhateverTheirOrderWas) {
  Item file = File("Files/f", "");
  file.stream.clear();
  AddStream(file.stream, StreamId::kAlternateData, "alt", 0, u":a:$DATA");
  AddStream(file.stream, StreamId::kData, "data");
  AddStream(file.stream, StreamId::kObjectId, std::string(64, 'i'));
  AddStream(file.stream, StreamId::kEaData, "eas");
  AddStream(file.stream, StreamId::kSecurity, Descriptor());
  ASSERT_EQ(Import("l", {}, {Folder("Files"), file}), kOk);
  std::vector<std::uint32_t> ids;
  for (const auto& stream : Parse(Export("l", {})[1].stream, false))
    ids.push_back(std::get<0>(stream));
  EXPECT_EQ(ids, (std::vector<std::uint32_t>{3, 7, 2, 1, 4}));
}

TEST_F(ExportTest, SeeksByPathAndByOrdinalAndGoesOnFromThere) {
  std::vector<std::uint64_t> ordinals;
  ASSERT_EQ(Import("l", {},
                   {Folder("Files"), File("Files/m", "mm"), Link("Files/a", "Files/m"),
                    File("Files/x", "xx"), File("Files/y", "y"), File("Files/X", "again"),
                    Gone("Files/w")},
                   &ordinals),
            kOk);
  void* context = BeginExport("l", {});
  ASSERT_NE(context, nullptr);
  vmcompute::Utf16 found = nullptr;
  vmcompute::FileBasicInfo info;
  std::int64_t size = 0;
  vmcompute::EntryDescription description;
  const auto seek = [&](const char16_t* name, std::uint64_t ordinal) {
    return table_.extensions->ExportLayerSeek(context, name, ordinal, &found, &info, &size);
  };
  ASSERT_EQ(seek(u"\\FILES\\Y", 0), kOk) << LastError().message;
  EXPECT_EQ(std::u16string(found), u"\\Files\\y");
  EXPECT_EQ(MainData(ReadAll(context)), "y");
  // By ordinal: the data where it was imported, although "a" comes first in order.
  ASSERT_EQ(seek(nullptr, ordinals[1]), kOk);
  EXPECT_EQ(std::u16string(found), u"\\Files\\m");
  ASSERT_EQ(table_.extensions->ExportLayerDescribe(context, &description), kOk);
  EXPECT_EQ(description.extra.link_target, nullptr);
  EXPECT_EQ(description.ordinal, ordinals[1]);
  EXPECT_EQ(MainData(ReadAll(context)), "mm");
  // By path: as Next shows it.
  ASSERT_EQ(seek(u"\\Files\\m", 0), kOk);
  ASSERT_EQ(table_.extensions->ExportLayerDescribe(context, &description), kOk);
  EXPECT_EQ(std::u16string(description.extra.link_target), u"\\Files\\a");
  char16_t* name = nullptr;
  std::uint32_t deleted = 0;
  ASSERT_EQ(table_.ExportLayerNext(context, &name, &info, &size, &deleted), kOk);
  EXPECT_EQ(std::u16string(name), u"\\Files\\y");
  table_.FreeString(name);
  EXPECT_EQ(seek(u"\\Files\\none", 0), vmcompute::kFileNotFound);
  EXPECT_EQ(seek(u"\\Files\\w", 0), vmcompute::kFileNotFound);
  EXPECT_EQ(seek(nullptr, ordinals[3]), vmcompute::kFileNotFound);  // replaced
  EXPECT_EQ(seek(nullptr, 1000), vmcompute::kFileNotFound);
  table_.extensions->ExportLayerAbort(context);
}

TEST_F(ExportTest, EndComplainsAboutWhatWasLeftAndAbortDoesNot) {
  ASSERT_EQ(Import("l", {}, {Folder("Files"), File("Files/f", std::string(5000, 'x'))}), kOk);
  void* context = BeginExport("l", {});
  char16_t* name = nullptr;
  vmcompute::FileBasicInfo info;
  std::int64_t size = 0;
  std::uint32_t deleted = 0;
  ASSERT_EQ(table_.ExportLayerNext(context, &name, &info, &size, &deleted), kOk);
  table_.FreeString(name);
  EXPECT_NE(table_.ExportLayerEnd(context), kOk);
  context = BeginExport("l", {});
  table_.extensions->ExportLayerAbort(context);
}

TEST_F(ExportTest, APayloadThatChangedFailsTheStreamBeforeItsEnd) {
  ASSERT_EQ(
      Import("l", {},
             {Folder("Files"), File("Files/f", std::string(5000, 'x')), File("Files/g", "12345")}),
      kOk);
  std::string data = ReadFile(home_path_ + "/l/Files/f");
  data[4000] = 'y';
  WriteFile(home_path_ + "/l/Files/f", data);
  WriteFile(home_path_ + "/l/Files/g", "123");
  for (const char16_t* path : {u"\\Files\\f", u"\\Files\\g"}) {
    void* context = BeginExport("l", {});
    ASSERT_EQ(table_.extensions->ExportLayerSeek(context, path, 0, nullptr, nullptr, nullptr), kOk);
    std::uint8_t room[1000];
    std::uint32_t read = 1;
    Hresult hr = kOk;
    while (hr == kOk && read != 0) hr = table_.ExportLayerRead(context, room, sizeof room, &read);
    EXPECT_EQ(hr, vmcompute::kInvalidData);
    EXPECT_EQ(LastCode(), Errc::kLayerDamaged);
    EXPECT_EQ(table_.ExportLayerEnd(context), vmcompute::kInvalidData);
  }
  const auto problems = Verify("l");
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].substr(0, 8), "Files/f:");
  EXPECT_EQ(problems[1].substr(0, 8), "Files/g:");
}

TEST_F(ExportTest, TellsAddedModifiedDeletedAndUnchanged) {
  Item folder = Folder("Files/d");
  ASSERT_EQ(
      Import(
          "base", {},
          {Folder("Files"), folder, File("Files/d/same", "1"), File("Files/d/bytes", "aaa"),
           File("Files/d/attributes", "1"), File("Files/d/time", "1"), File("Files/d/access", "1"),
           File("Files/d/security", "1"), File("Files/d/stream", "1"), File("Files/d/gone", "1"),
           File("Files/d/kind", "1"), File("Files/d/link", "1")}),
      kOk);
  Item attributes = File("Files/d/attributes", "1");
  attributes.attributes = 0x21;
  Item time = File("Files/d/time", "1");
  time.times[2] += 1;
  Item access = File("Files/d/access", "1");
  access.times[1] += 99;
  access.times[3] += 99;
  Item security = File("Files/d/security", "1");
  security.stream.clear();
  AddStream(security.stream, StreamId::kSecurity, Descriptor(19));
  AddStream(security.stream, StreamId::kData, "1");
  Item stream = File("Files/d/stream", "1");
  AddStream(stream.stream, StreamId::kAlternateData, "new", 0, u":n:$DATA");
  ASSERT_EQ(
      Import("l", {"base"},
             {Folder("Files"), folder, File("Files/d/same", "1"), File("Files/d/bytes", "aab"),
              attributes, time, access, security, stream, Gone("Files/d/gone"),
              Gone("Files/d/never"), Folder("Files/d/kind"), File("Files/d/new", "1"),
              File("Files/d/alink", "1"), Link("Files/d/link", "Files/d/alink")}),
      kOk);
  const std::map<std::string, ChangeKind> expected = {{"Files", ChangeKind::kUnchanged},
                                                      {"Files/d", ChangeKind::kUnchanged},
                                                      {"Files/d/same", ChangeKind::kUnchanged},
                                                      {"Files/d/bytes", ChangeKind::kModified},
                                                      {"Files/d/attributes", ChangeKind::kModified},
                                                      {"Files/d/time", ChangeKind::kModified},
                                                      {"Files/d/access", ChangeKind::kUnchanged},
                                                      {"Files/d/security", ChangeKind::kModified},
                                                      {"Files/d/stream", ChangeKind::kModified},
                                                      {"Files/d/gone", ChangeKind::kDeleted},
                                                      {"Files/d/never", ChangeKind::kUnchanged},
                                                      {"Files/d/kind", ChangeKind::kModified},
                                                      {"Files/d/new", ChangeKind::kAdded},
                                                      {"Files/d/alink", ChangeKind::kAdded},
                                                      {"Files/d/link", ChangeKind::kUnchanged}};
  const auto items = Export("l", {"base"});
  EXPECT_EQ(items.size(), expected.size());
  for (const auto& item : items) EXPECT_EQ(item.change, expected.at(item.path)) << item.path;
  for (const auto& item : Export("base", {}))
    EXPECT_EQ(item.change, ChangeKind::kAdded) << item.path;
}

TEST_F(ExportTest, MadeUpHivesAreNoChange) {
  ASSERT_EQ(Import("base", {}, {Folder("Files")}), kOk);
  const Buffer minimal = MinimalHive();
  std::vector<Item> items = {Folder("Files"), Folder("Hives")};
  for (const auto name : kDeltaNames)
    items.push_back(File("Hives/" + std::string(name), AsText(minimal)));
  ASSERT_EQ(Import("l", {"base"}, items), kOk);
  for (const auto& item : Export("l", {"base"}))
    EXPECT_EQ(item.change, ChangeKind::kUnchanged) << item.path;
  items[2] = File(items[2].path, HiveWith("something"));
  ASSERT_EQ(Import("m", {"base"}, items), kOk);
  const auto back = Export("m", {"base"});
  EXPECT_EQ(Find(back, "Hives")->change, ChangeKind::kAdded);
  EXPECT_EQ(Find(back, items[2].path)->change, ChangeKind::kAdded);
  EXPECT_EQ(Find(back, items[3].path)->change, ChangeKind::kUnchanged);
}

TEST_F(ExportTest, AChainThatIsNoTailOfTheLayersOwnIsRefused) {
  ASSERT_EQ(Import("base", {}, {Folder("Files")}), kOk);
  ASSERT_EQ(Import("other", {}, {Folder("Files")}), kOk);
  ASSERT_EQ(Import("l", {"base"}, {Folder("Files")}), kOk);
  Hresult hr = kOk;
  EXPECT_EQ(BeginExport("l", {"other"}, &hr), nullptr);
  EXPECT_EQ(hr, vmcompute::kInvalidParameter);
  EXPECT_EQ(BeginExport("none", {}, &hr), nullptr);
  EXPECT_EQ(LastCode(), Errc::kLayerNotFound);
  EXPECT_EQ(BeginExport("l", {"none"}, &hr), nullptr);
  EXPECT_EQ(LastCode(), Errc::kParentNotFound);
}

}  // namespace
}  // namespace wclayer::portable::test
