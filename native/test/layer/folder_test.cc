// Transport folders item by item: what is written, what is read of odd ones, lists of paths, and
// trees of files.
#include <gtest/gtest.h>

#include <filesystem>

#include "backup/hive.h"
#include "layer/folder_sink.h"
#include "layer/folder_source.h"
#include "layer/support.h"

namespace wclayer::layer {
namespace {

namespace files = std::filesystem;

class FolderTest : public testing::Test {
 protected:
  std::string Make(const std::string& name) {
    files::create_directories(folder_.path() + "/" + name);
    return folder_.path() + "/" + name;
  }
  void Put(const std::string& name, std::string_view bytes) {
    const files::path path = files::path(folder_.path()) / name;
    files::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::string Get(const std::string& name) const {
    std::ifstream file(files::path(folder_.path()) / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static std::string Word(std::uint32_t attributes, const std::vector<Stream>& streams) {
    Buffer bytes;
    AppendLe(bytes, attributes);
    Append(bytes, Encode(streams));
    return TextOf(bytes);
  }
  std::unique_ptr<FolderSink> Sink(const std::vector<std::string>& parents, bool tree = false) {
    FolderSink::Folders folders;
    folders.transport = Make("t");
    folders.own = Make("own");
    if (tree) folders.tree = Make("tree");
    folders.parents = parents;
    auto sink = FolderSink::Open(folders);
    EXPECT_TRUE(sink) << Describe(sink);
    return *std::move(sink);
  }
  static Item Named(std::string path, std::uint32_t attributes = 0x20) {
    Item item;
    item.path = std::move(path);
    item.attributes = attributes;
    for (std::int64_t& time : item.times) time = 133444736000000000;
    return item;
  }
  static void Add(FolderSink& sink, const Item& item, const std::vector<Stream>& streams = {}) {
    const auto ordinal = sink.Begin(item);
    ASSERT_TRUE(ordinal) << Describe(ordinal);
    if (!streams.empty()) {
      const auto written = sink.Write(Encode(streams));
      ASSERT_TRUE(written) << Describe(written);
    }
  }

  const TemporaryFolder folder_;
};

struct Line {
  std::string path;
  std::string content;  // main data
  std::vector<backup::StreamId> ids;
  Item item;
};

std::vector<Line> ReadLayer(const std::string& folder, FolderSource::Reading reading) {
  auto source = FolderSource::Open(folder, reading);
  EXPECT_TRUE(source) << Describe(source);
  std::vector<Line> lines;
  if (!source) return lines;
  for (;;) {
    Line line;
    const auto more = (*source)->Next(line.item);
    EXPECT_TRUE(more) << Describe(more);
    if (!more || !*more) return lines;
    Buffer stream;
    Buffer piece(5);
    for (;;) {
      const auto got = (*source)->Read(piece);
      EXPECT_TRUE(got) << Describe(got);
      if (!got || *got == 0) break;
      Append(stream, Bytes(piece).first(*got));
    }
    const auto streams = Decode(stream);
    line.path = (line.item.deleted ? "-" : "") + line.item.path;
    line.content = Content(streams, 0);
    for (const Stream& each : streams) line.ids.push_back(each.id);
    lines.push_back(std::move(line));
  }
}

std::vector<std::string> PathsOf(const std::vector<Line>& lines) {
  std::vector<std::string> paths;
  for (const Line& line : lines) paths.push_back(line.path);
  return paths;
}

TEST_F(FolderTest, AFolderOfWindowsIsReadAsTheReferenceReadsIt) {
  Put("t/tombstones.txt",
      "\xEF\xBB\xBFVersion 1.0\r\n\\gone\r\n\\sub\\b\r\n\\sub\\a\r\n\\no\\x\r\n");
  Put("t/Hives/System_Delta", "hive");
  Put("t/Files.txt", "what does not belong here");
  Put("t/Files/z", Word(0x21, {Data("zed"), {backup::StreamId::kSecurity, 0, u"", 0, "sd"}}));
  Put("t/Files/sub/in", Word(0x20, {Data("inside")}));
  Put("t/Files/sub.$wcidirs$", Word(0x12, {{backup::StreamId::kSecurity, 0, u"", 0, "sd"}}));
  Put("t/Files/old", TextOf(Encode({Data("without a word")})));  // TP4
  const auto hive_time = files::last_write_time(folder_.path() + "/t/Hives/System_Delta");
  files::last_write_time(folder_.path() + "/t/Hives/System_Delta",
                         hive_time - std::chrono::hours(100));
  const auto lines = ReadLayer(folder_.path() + "/t", FolderSource::Reading::kKeep);
  EXPECT_EQ(PathsOf(lines),
            (std::vector<std::string>{"Files", "-Files/gone", "Files/old", "Files/sub",
                                      "-Files/sub/a", "-Files/sub/b", "Files/sub/in", "Files/z",
                                      "Hives", "Hives/System_Delta", "-Files/no/x"}));
  ASSERT_EQ(lines.size(), 11U);
  EXPECT_EQ(lines[2].content, "without a word");
  EXPECT_EQ(lines[3].item.attributes, 0x12U);
  EXPECT_EQ(lines[7].content, "zed");
  EXPECT_EQ(lines[7].item.attributes, 0x21U);
  EXPECT_EQ(lines[7].item.size, 3U);
  // A tar header needs the descriptor before the data.
  EXPECT_EQ(lines[7].ids, (std::vector{backup::StreamId::kSecurity, backup::StreamId::kData}));
  EXPECT_EQ(lines[9].content, "hive");
  // The tops have the times of the hives.
  EXPECT_EQ(lines[0].item.times[kWrite], lines[9].item.times[kWrite]);
  EXPECT_EQ(lines[8].item.times[kWrite], lines[9].item.times[kWrite]);
}

TEST_F(FolderTest, FilesGoAsTheyAreRead) {
  Put("t/Hives/System_Delta", "hive");
  Put("t/Files/a", Word(0x20, {Data("a")}));
  Put("t/Files/d/b", Word(0x20, {Data("b")}));
  Put("t/Files/d.$wcidirs$", Word(0x10, {}));
  EXPECT_EQ(ReadLayer(folder_.path() + "/t", FolderSource::Reading::kRemove).size(), 6U);
  std::vector<std::string> left;
  for (const auto& item : files::recursive_directory_iterator(folder_.path() + "/t")) {
    if (item.is_regular_file()) left.push_back(item.path().filename().string());
  }
  EXPECT_EQ(left, (std::vector<std::string>{"System_Delta"}));
}

TEST_F(FolderTest, WhatIsNoTransportFolderIsRefused) {
  Put("head/tombstones.txt", "Version 2.0\n");
  auto head = FolderSource::Open(folder_.path() + "/head", FolderSource::Reading::kKeep);
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Errc::kBadArchive);
  Put("line/tombstones.txt", "Version 1.0\ngone\n");
  EXPECT_FALSE(FolderSource::Open(folder_.path() + "/line", FolderSource::Reading::kKeep));
  Put("cut/Files/a", Word(0x20, {Data("a long content")}).substr(0, 30));
  auto cut = FolderSource::Open(folder_.path() + "/cut", FolderSource::Reading::kKeep);
  ASSERT_TRUE(cut);
  Item item;
  ASSERT_TRUE((*cut)->Next(item));
  const auto next = (*cut)->Next(item);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, Errc::kBadArchive);
  EXPECT_EQ(next.error().path, "Files/a");
}

// C15: before the platform sees it.
TEST_F(FolderTest, ABrokenHiveIsRefusedByName) {
  std::string broken(AsText(backup::MinimalHive()));
  broken[0] = 'x';
  for (const std::string& hive : {std::string("short"), broken}) {
    auto sink = Sink({});
    Add(*sink, Named("Hives", 0x10));
    ASSERT_TRUE(sink->Begin(Named("Hives/System_Delta")));
    ASSERT_TRUE(sink->Write(Encode({Data(hive)})));
    const auto finished = sink->Finish();
    ASSERT_FALSE(finished) << hive.size() << " bytes";
    EXPECT_EQ(finished.error().code, Errc::kBadArchive);
    EXPECT_EQ(finished.error().path, "Hives/System_Delta");
    sink.reset();  // Windows keeps the name of an open file, and remove_all tries for ever
    std::filesystem::remove_all(folder_.path() + "/t");
    std::filesystem::remove_all(folder_.path() + "/own");
  }
}

TEST_F(FolderTest, ItemsBecomeTheDocumentedFiles) {
  auto sink = Sink({});
  Add(*sink, Named("Files", 0x10));
  Add(*sink, Named("Files/a"), {Data("alpha")});
  Item gone = Named("Files/gone");
  gone.deleted = true;
  Add(*sink, gone);
  Item kept = Named("Files/A");
  kept.deleted = true;
  Add(*sink, kept);
  Add(*sink, Named("Hives", 0x10));
  const std::string hive(AsText(backup::MinimalHive()));
  Add(*sink, Named("Hives/Sam_Delta"), {Data(hive), Alternate(u"s", "dropped")});
  Item link = Named("Files/b");
  link.link_target = "Files/a";
  Add(*sink, link);
  Add(*sink, Named("Files/implied/deep/x"), {Data("x")});
  ASSERT_TRUE(sink->Finish());
  EXPECT_EQ(Get("t/Files.$wcidirs$"), Word(0x10, {}));
  EXPECT_EQ(Get("t/Files/a"), Word(0x20, {Data("alpha")}));
  EXPECT_TRUE(files::equivalent(folder_.path() + "/t/Files/a", folder_.path() + "/t/Files/b"));
  EXPECT_EQ(Get("t/Hives/Sam_Delta"), hive);
  EXPECT_EQ(Get("t/tombstones.txt"), "\xEF\xBB\xBFVersion 1.0\n\\gone\n");
  EXPECT_EQ(Get("t/Files/implied/deep/x"), Word(0x20, {Data("x")}));
  const auto own = fs::Dir::OpenAbsolute(folder_.path() + "/own");
  const auto paths = PathList::Open(*own);
  ASSERT_TRUE(paths) << Describe(paths);
  EXPECT_EQ(*paths->At(1), "Files/a");
}

TEST_F(FolderTest, WhatAReplaceIsAndWhereLinksLeadThen) {
  auto sink = Sink({});
  Add(*sink, Named("Files", 0x10));
  Add(*sink, Named("Files/first"), {Data("one")});
  for (const char* name : {"Files/second", "Files/third"}) {
    Item link = Named(name);
    link.link_target = "Files/first";
    Add(*sink, link);
  }
  const auto replaced = sink->Begin(Named("Files/FIRST"));
  ASSERT_TRUE(replaced);
  ASSERT_TRUE(sink->Write(Encode({Data("two")})));
  Buffer back(10);
  const auto got = sink->ReadBack(*replaced, 0, 1, back);
  ASSERT_TRUE(got) << Describe(got);
  EXPECT_EQ(AsText(Bytes(back).first(*got)), "wo");
  ASSERT_TRUE(sink->Finish());
  const auto stored = fs::Dir::OpenAbsolute(folder_.path() + "/t/Files");
  EXPECT_EQ(stored->List()->size(), 3U) << "one name, whatever its case";
  EXPECT_EQ(Get("t/Files/FIRST"), Word(0x20, {Data("two")}));
  EXPECT_EQ(Get("t/Files/second"), Word(0x20, {Data("one")}));

  // As a table leaves the layer: whole files.
  for (const char* name : {"FIRST", "second", "third"})
    Put(std::string("layer/Files/") + name, "?");
  const auto layer = fs::Dir::OpenAbsolute(folder_.path() + "/layer");
  ASSERT_TRUE(sink->Settle(*layer));
  const std::string at = folder_.path() + "/layer/Files/";
  EXPECT_TRUE(files::equivalent(at + "second", at + "third"));
  EXPECT_FALSE(files::equivalent(at + "second", at + "FIRST"));
}

TEST_F(FolderTest, ANameOfTheFormatIsRefused) {
  auto sink = Sink({});
  Add(*sink, Named("Files", 0x10));
  const auto refused = sink->Begin(Named("Files/x.$wcidirs$"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnsupported);
  Item vm = Named("UtilityVM/Files/x");
  vm.deleted = true;
  ASSERT_TRUE(sink->Begin(vm));
  const auto finished = sink->Finish();
  ASSERT_FALSE(finished) << "a deletion outside Files";
  EXPECT_EQ(finished.error().path, "UtilityVM/Files/x");
}

TEST_F(FolderTest, AUtilityVmIsAWholeTree) {
  const std::string boot = "p/UtilityVM/Files/EFI/Microsoft/Boot/";
  Put(boot + "BCD", "parent's store");
  Put(boot + "bcd.LOG1", "parent's log");
  Put("p/UtilityVM/Files/a", "a");
  Put("p/UtilityVM/Files/b/c", "c");
  Put("p/UtilityVM/Files/b/d", "d");
  auto sink = Sink({folder_.path() + "/p"}, true);
  Add(*sink, Named("Files", 0x10));
  Add(*sink, Named("Files/x"), {Data("x")});
  Add(*sink, Named("UtilityVM", 0x10));
  Add(*sink, Named("UtilityVM/Files", 0x10));
  Add(*sink, Named("UtilityVM/Files/EFI/Microsoft/Boot/BCD.LOG"), {Data("log")});
  Item opaque = Named("UtilityVM/Files/b");
  opaque.deleted = opaque.opaque = true;
  Add(*sink, opaque);
  Add(*sink, Named("UtilityVM/Files/b/d"), {Data("new d")});
  ASSERT_TRUE(sink->Finish());
  EXPECT_FALSE(sink->whole_tree());
  EXPECT_FALSE(files::exists(folder_.path() + "/t/UtilityVM"));
  EXPECT_FALSE(files::exists(folder_.path() + "/tree/Files"));
  const auto same = [&](const std::string& name) {
    return files::equivalent(folder_.path() + "/tree/UtilityVM/Files/" + name,
                             folder_.path() + "/p/UtilityVM/Files/" + name);
  };
  EXPECT_TRUE(same("a"));
  EXPECT_FALSE(same("EFI/Microsoft/Boot/BCD"));
  EXPECT_FALSE(same("EFI/Microsoft/Boot/bcd.LOG1"));
  EXPECT_EQ(Get("tree/UtilityVM/Files/EFI/Microsoft/Boot/BCD"), "parent's store");
  EXPECT_EQ(Get("tree/bcd.log.bak"), "log");
  EXPECT_FALSE(files::exists(folder_.path() + "/tree/bcd.bak"));
  EXPECT_FALSE(files::exists(folder_.path() + "/tree/UtilityVM/Files/b/c"));
  EXPECT_EQ(Get("tree/UtilityVM/Files/b/d"), "new d");
  EXPECT_EQ(Get("p/UtilityVM/Files/b/d"), "d");
}

TEST_F(FolderTest, ADamagedListOfPathsIsSeen) {
  const auto dir = fs::Dir::OpenAbsolute(Make("list"));
  auto writer = PathListWriter::Create(*dir);
  ASSERT_TRUE(writer);
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(writer->Add("Files/some folder/" + std::to_string(i)));
  EXPECT_EQ(*writer->At(0), "Files/some folder/0");
  EXPECT_EQ(*writer->At(2999), "Files/some folder/2999");
  EXPECT_FALSE(writer->At(3000));
  ASSERT_TRUE(writer->Finish());
  const auto list = PathList::Open(*dir);
  ASSERT_TRUE(list) << Describe(list);
  EXPECT_EQ(*list->At(1234), "Files/some folder/1234");
  EXPECT_EQ(list->At(3000).error().code, Errc::kLayerNotFound);

  const std::string good = Get("list/paths");
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    std::string bad = good;
    const std::size_t at = i < 32 ? static_cast<std::size_t>(i) : random() % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1 + random() % 255));
    if (i % 10 == 9) bad.resize(random() % bad.size());
    Put("list/paths", bad);
    const auto opened = PathList::Open(*dir);
    if (i < 32) {
      EXPECT_FALSE(opened) << "byte " << i;
    }
    if (!opened) continue;
    // Whatever it says, nothing beyond the file and the limits is read.
    for (const std::uint64_t ordinal : {0U, 1U, 1499U, 2999U}) {
      const auto path = opened->At(ordinal);
      if (path) {
        EXPECT_LE(path->size(), good.size());
      }
    }
  }
}

}  // namespace
}  // namespace wclayer::layer
