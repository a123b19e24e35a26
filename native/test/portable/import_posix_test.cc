// What an import makes of entries and streams, and what it leaves when it fails.
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backup/reparse.h"
#include "io/digest.h"
#include "portable/home.h"
#include "portable/metadata.h"
#include "portable/names.h"
#include "store_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::kOk;

class ImportTest : public StoreTest {};

Buffer EveryStream(std::uint32_t seed) {
  std::string large(10000, 'x');
  for (std::size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>((i * 31 + seed) % 251);
  Buffer out;
  AddStream(out, StreamId::kSecurity, Descriptor(), 2);
  AddStream(out, StreamId::kEaData, std::string("\0\0\0\0\0\3\2\0FOO\0xy", 14), 1);
  AddStream(out, StreamId::kReparse, std::string("\x1b\0\0\x80\4\0\0\0abcd", 12));
  AddStream(out, StreamId::kObjectId, std::string(64, 'o'));
  AddStream(out, StreamId::kLink, "");
  AddStream(out, StreamId::kProperty, "props");
  AddStream(out, StreamId::kTxfs, large);
  AddStream(out, static_cast<StreamId>(77), "unknown");
  AddStream(out, StreamId::kData, "main data");
  AddStream(out, StreamId::kAlternateData, "small", 0, u":a:$DATA");
  AddStream(out, StreamId::kAlternateData, large, 4, u":l\xD800rge:$DATA");
  AddStream(out, StreamId::kAlternateData, "", 8, u":sparse:$DATA");
  backup::AppendSparseBlock(out, 65536, 3);
  Append(out, AsBytes("abc"));
  backup::AppendSparseBlock(out, 70000, 0);
  AddStream(out, StreamId::kAlternateData, large + large, 0, u":z:$DATA");
  return out;
}

TEST_F(ImportTest, KeepsEveryKindOfStreamByteForByte) {
  Item file = File("Files/f", "");
  file.stream = EveryStream(1);
  file.attributes = 0x420;
  Item folder = Folder("Files/d");
  folder.attributes = 0x10 | 0x400;
  folder.stream = FolderStream();
  AddStream(folder.stream, StreamId::kReparse, std::string("\x1b\0\0\x90\4\0\0\0abcd", 12));
  AddStream(folder.stream, StreamId::kAlternateData, "of a folder", 0, u":s:$DATA");
  Item empty = File("Files/e", "");
  empty.stream.clear();
  AddStream(empty.stream, StreamId::kAlternateData, "of an empty file", 0, u":s:$DATA");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1} << 20}) {
    const std::string id = "layer-" + std::to_string(piece);
    ASSERT_EQ(Import(id, {}, {Folder("Files"), file, folder, empty}, nullptr, piece), kOk)
        << LastError().message;
    for (const std::size_t room : {std::size_t{1} << 16, std::size_t{13}}) {
      const auto items = Export(id, {}, true, room);
      ASSERT_EQ(Paths(items), (std::vector<std::string>{"Files", "Files/d", "Files/e", "Files/f"}));
      EXPECT_EQ(items[1].stream, folder.stream);
      EXPECT_EQ(items[1].reparse_tag, 0x9000001Bu);
      EXPECT_EQ(items[2].stream, empty.stream);
      EXPECT_FALSE(items[2].has_data_stream);
      EXPECT_EQ(items[3].stream, file.stream);
      EXPECT_EQ(items[3].size, 9);
      EXPECT_EQ(items[3].attributes, 0x420u);
      EXPECT_TRUE(
          std::equal(std::begin(items[3].times), std::end(items[3].times), std::begin(file.times)));
    }
    EXPECT_EQ(Verify(id), std::vector<std::string>());
  }
}

TEST_F(ImportTest, KeepsTimesBeyondFiletimesAndOutsideLinux) {
  Item file = File("Files/f", "x");
  const std::int64_t odd[] = {0, -5, INT64_MAX, INT64_MIN};
  std::copy(std::begin(odd), std::end(odd), file.times);
  file.time_absent = 5;
  for (int i = 0; i < 4; ++i) file.time_remainder[i] = static_cast<std::uint8_t>(33 * i);
  ASSERT_EQ(Import("l", {}, {Folder("Files"), file}), kOk);
  const auto items = Export("l", {});
  ASSERT_EQ(items.size(), 2u);
  EXPECT_TRUE(std::equal(std::begin(odd), std::end(odd), items[1].times));
  EXPECT_TRUE(std::equal(std::begin(file.time_remainder), std::end(file.time_remainder),
                         items[1].time_remainder));
  EXPECT_EQ(items[1].time_absent, 5);
}

Buffer Sparse(std::uint64_t data, std::vector<std::pair<std::uint64_t, std::string>> blocks,
              std::uint64_t size) {
  Buffer out;
  AddStream(out, StreamId::kData, std::string(static_cast<std::size_t>(data), 'd'), 8);
  for (const auto& [offset, bytes] : blocks) {
    backup::AppendSparseBlock(out, offset, bytes.size());
    Append(out, AsBytes(bytes));
  }
  if (size != UINT64_MAX) backup::AppendSparseBlock(out, size, 0);
  return out;
}

TEST_F(ImportTest, SparseFilesAreHolesOnDiskAndComeBackInTheirForm) {
  constexpr std::uint64_t kHuge = 70ull << 30;
  std::vector<Item> items = {Folder("Files")};
  const auto add = [&](const char* name, Buffer stream) {
    Item item = File(name, "");
    item.attributes = 0x220;
    item.stream = std::move(stream);
    items.push_back(std::move(item));
  };
  add("Files/empty", Sparse(0, {}, UINT64_MAX));
  add("Files/empty-closed", Sparse(0, {}, 0));
  add("Files/hole", Sparse(0, {}, kHuge));
  add("Files/one", Sparse(16, {}, UINT64_MAX));
  add("Files/two", Sparse(0, {{0, "abc"}, {1000000, std::string(5000, 'z')}}, kHuge + 5));
  ASSERT_EQ(Import("l", {}, items), kOk) << LastError().message;
  const auto back = Export("l", {});
  ASSERT_EQ(back.size(), items.size());
  for (const auto& item : items) {
    const Item* same = Find(back, item.path);
    ASSERT_NE(same, nullptr) << item.path;
    EXPECT_EQ(same->stream, item.stream) << item.path;
  }
  EXPECT_EQ(Find(back, "Files/two")->size, static_cast<std::int64_t>(kHuge + 5));
  struct stat info;
  ASSERT_EQ(::stat((home_path_ + "/l/Files/two").c_str(), &info), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), kHuge + 5);
  EXPECT_LT(info.st_blocks * 512, 1 << 20);
  EXPECT_EQ(Verify("l"), std::vector<std::string>());
}

TEST_F(ImportTest, LinuxSeesPlainFilesWithPrivateModes) {
  Item readonly = File("Files/ro", "data");
  readonly.attributes = 0x21;
  Item folder = Folder("Files/d");
  folder.attributes = 0x11;
  ASSERT_EQ(Import("l", {}, {Folder("Files"), readonly, folder, File("Files/d/rw", "more")}), kOk);
  const auto mode = [&](const char* path) {
    struct stat info;
    EXPECT_EQ(::lstat((home_path_ + "/l/" + path).c_str(), &info), 0) << path;
    return info.st_mode;
  };
  EXPECT_EQ(mode("Files/ro"), static_cast<mode_t>(S_IFREG | 0400));
  EXPECT_EQ(mode("Files/d"), static_cast<mode_t>(S_IFDIR | 0700));
  EXPECT_EQ(mode("Files/d/rw"), static_cast<mode_t>(S_IFREG | 0600));
  EXPECT_EQ(ReadFile(home_path_ + "/l/Files/ro"), "data");
  char names[64];
  EXPECT_EQ(::listxattr((home_path_ + "/l/Files/ro").c_str(), names, sizeof names), 0);
}

Item LinkTo(const std::string& path, const std::u16string& target, bool junction) {
  Item item = junction ? Folder(path) : File(path, "");
  item.attributes = junction ? 0x410 : 0x420;
  item.stream.clear();
  const Buffer reparse = backup::BuildReparse(target, junction);
  AddStream(item.stream, StreamId::kReparse, AsText(reparse));
  return item;
}

TEST_F(ImportTest, LinksOnDiskNeverLeaveTheLayer) {
  const std::vector<std::tuple<std::string, std::u16string, bool, std::string>> cases = {
      {"Files/a", u"b.txt", false, "b.txt"},
      {"Files/d/a", u"..\\b\\c", false, "../b/c"},
      {"Files/d/b", u"..\\..\\..\\..\\etc\\passwd", false, "../etc/passwd"},
      {"Files/d/e/c", u"C:\\Windows\\x", false, "../../Windows/x"},
      {"Files/d/e/d", u"C:\\d\\x", true, "../x"},
      {"Files/f", u"\\rooted\\x", false, "rooted/x"},
      {"Files/g", u"\\\\server\\share\\x", false, "UNC/server/share/x"},
      {"Files/h", u"\\\\?\\Volume{1}\\..\\..\\..\\etc", true, "etc"},
      {"Files/i", u"C:\\", true, "."},
      {"Files/j", u"D:\\data", true, "D:/data"},
  };
  std::vector<Item> items = {Folder("Files"), Folder("Files/d"), Folder("Files/d/e")};
  for (const auto& [path, target, junction, text] : cases)
    items.push_back(LinkTo(path, target, junction));
  ASSERT_EQ(Import("l", {}, items), kOk) << LastError().path << LastError().message;
  const auto back = Export("l", {});
  for (const auto& item : items) EXPECT_EQ(Find(back, item.path)->stream, item.stream) << item.path;
  for (const auto& [path, target, junction, text] : cases) {
    char got[4096] = {};
    ASSERT_GT(::readlink((home_path_ + "/l/" + path).c_str(), got, sizeof got - 1), 0) << path;
    EXPECT_EQ(std::string(got), text) << path;
    EXPECT_NE(got[0], '/');
  }
  EXPECT_EQ(Verify("l"), std::vector<std::string>());
}

TEST_F(ImportTest, NothingIsPutBelowAFileOrALink) {
  const auto link = LinkTo("Files/d", u"C:\\Windows", true);
  EXPECT_NE(Import("l", {}, {Folder("Files"), link, File("Files/d/x", "1")}), kOk);
  EXPECT_EQ(LastCode(), Errc::kUnsafePath);
  EXPECT_NE(Import("l", {}, {Folder("Files"), File("Files/f", ""), File("Files/F/x", "1")}), kOk);
  EXPECT_EQ(LastCode(), Errc::kUnsafePath);
  EXPECT_FALSE(Exists("l"));
}

TEST_F(ImportTest, RefusesNamesThatLeaveTheLayerOrThatWindowsCannotHold) {
  const std::vector<std::u16string> bad = {u"",
                                           u"\\",
                                           u"\\Files\\..\\x",
                                           u"\\Files\\.",
                                           u"\\Files\\\\x",
                                           u"\\Files\\a:b",
                                           u"\\Files\\a/b",
                                           u"\\Files\\a*",
                                           u"\\Other",
                                           u"\\.wclayer\\metadata",
                                           u"\\layerchain.json",
                                           u"\\..\\x",
                                           u"\\Files\\a\x01",
                                           u"\\Files\\x\\\\",
                                           u"\\Files\\" + std::u16string(256, u'n')};
  for (const auto& name : bad) {
    void* context = nullptr;
    ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &context), kOk);
    const auto info = InfoOf(File("x", ""));
    EXPECT_NE(table_.ImportLayerNext(context, name.c_str(), &info), kOk) << ToUtf8(name);
    EXPECT_NE(table_.ImportLayerEnd(context), kOk);
    EXPECT_FALSE(Exists("l"));
  }
}

TEST_F(ImportTest, HostileStreamsFailTheImportAndLeaveNothing) {
  const auto before = Listing();
  const auto stream = [](auto&& build) {
    Buffer out;
    build(out);
    return out;
  };
  const auto header = [](Buffer& out, StreamId id, std::uint64_t size) {
    StreamHeader head;
    head.id = id;
    head.size = size;
    backup::AppendHeader(out, head);
  };
  const std::vector<Buffer> bad = {
      stream([](Buffer& out) { out.resize(7); }),
      stream([&](Buffer& out) { header(out, StreamId::kData, 10); }),
      stream([&](Buffer& out) { header(out, StreamId::kData, 1ull << 60); }),
      stream([&](Buffer& out) { header(out, StreamId::kSecurity, 1ull << 40); }),
      stream([&](Buffer& out) { header(out, StreamId::kEaData, 1ull << 20); }),
      stream([&](Buffer& out) { header(out, StreamId::kReparse, 20000); }),
      stream([](Buffer& out) { AddStream(out, StreamId::kReparse, "ab"); }),
      stream([](Buffer& out) {
        AddStream(out, StreamId::kData, "a");
        AddStream(out, StreamId::kData, "b");
      }),
      stream([](Buffer& out) {
        AddStream(out, StreamId::kSecurity, Descriptor());
        AddStream(out, StreamId::kSecurity, Descriptor());
      }),
      stream([](Buffer& out) { backup::AppendSparseBlock(out, 0, 0); }),
      stream([](Buffer& out) {
        AddStream(out, StreamId::kData, "", 8);
        backup::AppendSparseBlock(out, 100, 1);
        Append(out, AsBytes("x"));
        backup::AppendSparseBlock(out, 50, 1);
        Append(out, AsBytes("y"));
      }),
      stream([](Buffer& out) {
        AddStream(out, StreamId::kData, "", 8);
        backup::AppendSparseBlock(out, UINT64_MAX - 3, 1);
        Append(out, AsBytes("x"));
      }),
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    Item item = File("Files/x", "");
    item.stream = bad[i];
    EXPECT_NE(Import("l", {}, {Folder("Files"), item, File("Files/y", "after")}), kOk)
        << "case " << i;
    EXPECT_NE(std::string(LastError().message), "") << i;
    EXPECT_EQ(Listing(), before) << i;
  }
}

TEST_F(ImportTest, TheFirstFailureIsWhatEndReturns) {
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &context), kOk);
  const auto folder = InfoOf(Folder(""));
  const auto file = InfoOf(File("", ""));
  ASSERT_EQ(table_.ImportLayerNext(context, u"\\Files", &folder), kOk);
  ASSERT_EQ(table_.ImportLayerNext(context, u"\\Files\\a", &file), kOk);
  EXPECT_EQ(table_.ImportLayerNext(context, u"\\Files\\a\\b", &file), vmcompute::kInvalidName);
  EXPECT_EQ(table_.ImportLayerNext(context, u"\\Files\\c", &file), vmcompute::kInvalidName);
  EXPECT_EQ(table_.ImportLayerEnd(context), vmcompute::kInvalidName);
  EXPECT_NE(std::string(LastError().message).find("no folder"), std::string::npos);
  EXPECT_FALSE(Exists("l"));
}

TEST_F(ImportTest, AbortLeavesTheStubAsItWas) {
  ASSERT_EQ(table_.CreateLayer(&info_, u"l", u""), kOk);
  WriteFile(home_path_ + "/l/layerchain.json", "null");
  const auto before = Listing();
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &context), kOk);
  std::uint64_t ordinal = 0;
  ASSERT_EQ(Put(context, Folder("Files"), ordinal), kOk);
  ASSERT_EQ(Put(context, File("Files/f", std::string(100000, 'f')), ordinal), kOk);
  EXPECT_NE(Listing(), before);
  table_.extensions->ImportLayerAbort(context);
  EXPECT_EQ(Listing(), before);
  EXPECT_EQ(StateOf("l"), 0u);
}

// Files may be made by another thread; what the import itself needs of them is made at once.
TEST_F(ImportTest, FilesThatArePutOffAreMadeByWhoRunsThem) {
  const auto& ours = *table_.extensions;
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &context), kOk);
  vmcompute::Utf16 folder = nullptr;
  ASSERT_EQ(ours.ImportLayerFolder(context, &folder), kOk);
  const std::string files = files::path(ToUtf8(folder)).parent_path().string() + "/Files/";
  std::uint64_t ordinal = 0;
  ASSERT_EQ(Put(context, Folder("Files"), ordinal), kOk);
  ASSERT_EQ(ours.ImportLayerDefer(context), kOk);
  const Item first = File("Files/first", std::string(10'000, '1'));
  const Item second = File("Files/second", std::string(10'000, '2'));
  ASSERT_EQ(Put(context, first, ordinal), kOk);
  ASSERT_EQ(Put(context, second, ordinal), kOk);
  ASSERT_EQ(ours.ImportLayerRunSealed(context), kOk);  // nothing is sealed
  EXPECT_FALSE(files::exists(files + "first"));
  ASSERT_EQ(ours.ImportLayerSeal(context), kOk);
  std::thread other([&] { EXPECT_EQ(ours.ImportLayerRunSealed(context), kOk); });
  other.join();
  EXPECT_EQ(ReadFile(files + "first"), std::string(10'000, '1'));

  // A further name, what is read back, and what comes again need the file itself.
  const Item third = File("Files/third", std::string(5'000, '3'));
  ASSERT_EQ(Put(context, third, ordinal), kOk);
  Item link = File("Files/link", "");
  link.stream.clear();
  link.link = "Files/third";
  ASSERT_EQ(Put(context, link, ordinal), kOk);
  EXPECT_EQ(ReadFile(files + "link"), std::string(5'000, '3'));
  const Item fourth = File("Files/fourth", std::string(5'000, '4'));
  ASSERT_EQ(Put(context, fourth, ordinal), kOk);
  std::uint8_t byte = 0;
  std::uint32_t read = 0;
  ASSERT_EQ(ours.ImportLayerReadBack(context, ordinal, 0, 4'999, &byte, 1, &read), kOk);
  EXPECT_EQ(read, 1u);
  EXPECT_EQ(byte, '4');
  const Item again = File("Files/FOURTH", std::string(7, '5'));
  ASSERT_EQ(Put(context, again, ordinal), kOk);
  ASSERT_EQ(Put(context, File("Files/empty", ""), ordinal), kOk);
  ASSERT_EQ(table_.ImportLayerEnd(context), kOk) << LastError().message;
  const std::string layer = home_path_ + "/l/Files/";
  EXPECT_EQ(ReadFile(layer + "second"), std::string(10'000, '2'));
  EXPECT_EQ(ReadFile(layer + "FOURTH"), std::string(7, '5'));
  EXPECT_FALSE(files::exists(layer + "fourth"));
  EXPECT_EQ(ReadFile(layer + "empty"), "");
}

TEST_F(ImportTest, AFailureOfWhatWasPutOffNamesTheFileAndEndsTheImport) {
  const auto& ours = *table_.extensions;
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &context), kOk);
  vmcompute::Utf16 folder = nullptr;
  ASSERT_EQ(ours.ImportLayerFolder(context, &folder), kOk);
  const std::string files = files::path(ToUtf8(folder)).parent_path().string() + "/Files/";
  std::uint64_t ordinal = 0;
  ASSERT_EQ(Put(context, Folder("Files"), ordinal), kOk);
  ASSERT_EQ(ours.ImportLayerDefer(context), kOk);
  const Item item = File("Files/taken", "data");
  ASSERT_EQ(Put(context, item, ordinal), kOk);
  WriteFile(files + "taken", "by somebody else");
  ASSERT_EQ(ours.ImportLayerSeal(context), kOk);
  EXPECT_EQ(ours.ImportLayerRunSealed(context), vmcompute::kAlreadyExists);
  EXPECT_EQ(std::string(LastError().path), "Files/taken");
  EXPECT_EQ(table_.ImportLayerEnd(context), vmcompute::kAlreadyExists);
  EXPECT_FALSE(Exists("l"));
  EXPECT_TRUE(files::is_empty(home_path_ + "/.wclayer/staging"));
}

// However many folders files are put off in, few of them are held open.
TEST_F(ImportTest, FoldersOfFilesPutOffAreNotAllHeldOpen) {
  const auto& ours = *table_.extensions;
  const auto open_files = [] {
    return std::distance(files::directory_iterator("/proc/self/fd"), files::directory_iterator());
  };
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &context), kOk);
  std::uint64_t ordinal = 0;
  ASSERT_EQ(Put(context, Folder("Files"), ordinal), kOk);
  ASSERT_EQ(ours.ImportLayerDefer(context), kOk);
  const auto before = open_files();
  std::vector<Item> items;
  for (int number = 0; number < 2'000; ++number) {
    const std::string path = "Files/d" + std::to_string(number);
    items.push_back(Folder(path));
    items.push_back(File(path + "/f", std::to_string(number)));
  }
  for (const Item& item : items) ASSERT_EQ(Put(context, item, ordinal), kOk);
  EXPECT_LT(open_files() - before, 200);
  ASSERT_EQ(table_.ImportLayerEnd(context), kOk);
  EXPECT_EQ(ReadFile(home_path_ + "/l/Files/d1999/f"), "1999");
}

TEST_F(ImportTest, FillsACreatedLayerAndKeepsItsFiles) {
  ASSERT_EQ(table_.CreateLayer(&info_, u"Layer", u""), kOk);
  WriteFile(home_path_ + "/Layer/layerchain.json", "[\"kept\"]");
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"LAYER", nullptr, 0, &context), kOk);
  vmcompute::Utf16 folder = nullptr;
  ASSERT_EQ(table_.extensions->ImportLayerFolder(context, &folder), kOk);
  WriteFile(ToUtf8(folder) + "/record.json", "{}");
  std::uint64_t ordinal = 0;
  ASSERT_EQ(Put(context, Folder("Files"), ordinal), kOk);
  ASSERT_EQ(table_.ImportLayerEnd(context), kOk) << LastError().message;
  EXPECT_EQ(StateOf("layer"), vmcompute::kStateCommitted);
  EXPECT_EQ(ReadFile(home_path_ + "/Layer/layerchain.json"), "[\"kept\"]");
  EXPECT_EQ(ReadFile(home_path_ + "/Layer/.wclayer/record.json"), "{}");
  EXPECT_TRUE(files::is_empty(home_path_ + "/.wclayer/staging"));
  // Filled once.
  EXPECT_EQ(table_.ImportLayerBegin(&info_, u"Layer", nullptr, 0, &context),
            vmcompute::kAlreadyExists);
  EXPECT_EQ(LastCode(), Errc::kLayerExists);
}

// Beside what a driver records, no file for them alone.
TEST_F(ImportTest, ARecordSaysTheParents) {
  ASSERT_EQ(Import("base", {}, {Folder("Files")}), kOk);
  EXPECT_TRUE(files::exists(home_path_ + "/base/.wclayer/parents.json"));
  const std::vector<std::string> parents = {"base"};
  const Chain chain = Parents(parents);
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", chain.data(), chain.size(), &context), kOk);
  vmcompute::Utf16 folder = nullptr;
  ASSERT_EQ(table_.extensions->ImportLayerFolder(context, &folder), kOk);
  WriteFile(ToUtf8(folder) + "/record.json", "{\"parents\":[\"base\"]}");
  std::uint64_t ordinal = 0;
  ASSERT_EQ(Put(context, Folder("Files"), ordinal), kOk);
  ASSERT_EQ(table_.ImportLayerEnd(context), kOk) << LastError().message;
  EXPECT_FALSE(files::exists(home_path_ + "/l/.wclayer/parents.json"));
  portable::Home home(home_path_);
  const auto recorded = home.ParentsOf("l");
  ASSERT_TRUE(recorded);
  EXPECT_EQ(*recorded, parents);
}

TEST_F(ImportTest, TwoImportsOfOneIdMakeOneLayer) {
  void* a = nullptr;
  void* b = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &a), kOk);
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &b), kOk);
  std::uint64_t ordinal = 0;
  ASSERT_EQ(Put(a, File("Files/a", "a"), ordinal), kOk);
  ASSERT_EQ(Put(b, File("Files/b", "b"), ordinal), kOk);
  EXPECT_EQ(table_.ImportLayerEnd(a), kOk);
  EXPECT_EQ(table_.ImportLayerEnd(b), vmcompute::kAlreadyExists);
  EXPECT_EQ(Paths(Export("l", {})), (std::vector<std::string>{"Files", "Files/a"}));
  EXPECT_TRUE(files::is_empty(home_path_ + "/.wclayer/staging"));
}

TEST_F(ImportTest, MissingFoldersAreMadeAsTheParentHasThem) {
  Item theirs = Folder("Files/d");
  theirs.attributes = 0x12;
  ASSERT_EQ(Import("base", {}, {Folder("Files"), theirs, File("Files/d/old", "old")}), kOk);
  ASSERT_EQ(Import("l", {"base"}, {File("Files/D/e/new", "new")}), kOk) << LastError().message;
  const auto items = Export("l", {"base"});
  ASSERT_EQ(Paths(items),
            (std::vector<std::string>{"Files", "Files/D", "Files/D/e", "Files/D/e/new"}));
  EXPECT_EQ(items[1].attributes, 0x12u);
  EXPECT_EQ(items[1].stream, theirs.stream);
  EXPECT_EQ(items[1].change, vmcompute::ChangeKind::kUnchanged);
  EXPECT_EQ(items[2].attributes, 0x10u);
  EXPECT_EQ(items[2].times[2], items[3].times[2]);
  EXPECT_EQ(items[3].change, vmcompute::ChangeKind::kAdded);
  EXPECT_EQ(Verify("l"), std::vector<std::string>());
  EXPECT_TRUE(files::exists(home_path_ + "/l/Files/d/e/new"));  // the parent's spelling on disk
}

TEST_F(ImportTest, NamesCompareAsNtfsDoesAndKeepTheirSpelling) {
  ASSERT_EQ(Import("base", {},
                   {Folder("Files"), Folder("Files/Dir"), File("Files/Dir/\xC3\x84.txt", "1")}),
            kOk);
  ASSERT_EQ(Import("child", {"base"},
                   {Folder("Files"), Folder("Files/DIR"), File("Files/DIR/\xC3\xA4.TXT", "22")}),
            kOk);
  const auto items = Export("child", {"base"});
  EXPECT_EQ(Paths(items),
            (std::vector<std::string>{"Files", "Files/DIR", "Files/DIR/\xC3\xA4.TXT"}));
  EXPECT_EQ(items[2].change, vmcompute::ChangeKind::kModified);
  EXPECT_EQ(ReadFile(home_path_ + "/child/Files/Dir/\xC3\x84.txt"), "22");
  EXPECT_EQ(Verify("child"), std::vector<std::string>());
}

TEST_F(ImportTest, HoldsNamesThatLinuxCannot) {
  std::u16string wide(255, u'\u30A2');  // 765 bytes of UTF-8
  const std::string longest = ToUtf8(wide);
  wide[254] = u'\u30A4';
  const std::string other = ToUtf8(wide);
  const std::string surrogate = "\xED\xA0\x80lone\xED\xB0\x81";
  std::string deep = "Files";
  std::vector<Item> items = {Folder("Files")};
  for (int i = 0; i < 60; ++i) {  // 60 × 255 units: beyond PATH_MAX
    deep += "/" + (i % 2 == 0 ? longest : other);
    items.push_back(Folder(deep));
  }
  items.push_back(File(deep + "/" + surrogate, "deep"));
  items.push_back(File("Files/" + surrogate, "s"));
  ASSERT_EQ(Import("l", {}, items), kOk) << LastError().path << ": " << LastError().message;
  const auto back = Export("l", {});
  ASSERT_EQ(back.size(), items.size());
  const Item* bottom = Find(back, deep + "/" + surrogate);
  ASSERT_NE(bottom, nullptr);
  EXPECT_EQ(MainData(bottom->stream), "deep");
  EXPECT_EQ(Verify("l"), std::vector<std::string>());
  // A child's other spelling of the long name lies under the same name on disk.
  std::string lower = "Files/" + longest + "/x";
  ASSERT_EQ(Import("c", {"l"}, {File(lower, "x")}), kOk);
  EXPECT_EQ(Verify("c"), std::vector<std::string>());
  EXPECT_EQ(table_.DestroyLayer(&info_, u"l"), kOk) << LastError().message;
}

TEST_F(ImportTest, HardLinksPointToTheFirstNameInOrderWhateverTheOrderOfImport) {
  ASSERT_EQ(Import("l", {},
                   {Folder("Files"), File("Files/m", "data"), Link("Files/z", "Files/m"),
                    Link("Files/a", "Files/Z")}),
            kOk)
      << LastError().message;
  const auto items = Export("l", {});
  ASSERT_EQ(Paths(items), (std::vector<std::string>{"Files", "Files/a", "Files/m", "Files/z"}));
  EXPECT_EQ(items[1].link, "");
  EXPECT_EQ(MainData(items[1].stream), "data");
  EXPECT_EQ(items[2].link, "Files/a");
  EXPECT_EQ(items[3].link, "Files/a");
  EXPECT_TRUE(items[2].stream.empty());
  // A caller that knows no links gets whole files.
  const auto plain = Export("l", {}, false);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(MainData(plain[i].stream), "data") << i;
    EXPECT_EQ(plain[i].size, 4);
  }
  struct stat info;
  ASSERT_EQ(::stat((home_path_ + "/l/Files/z").c_str(), &info), 0);
  EXPECT_EQ(info.st_nlink, 3u);
  EXPECT_EQ(Verify("l"), std::vector<std::string>());
}

TEST_F(ImportTest, ALinkToAFileOfAParentIsACopyWithEverything) {
  Item file = File("Files/f", "");
  file.stream = EveryStream(9);
  file.attributes = 0x21;
  ASSERT_EQ(Import("base", {}, {Folder("Files"), file, Link("Files/g", "Files/f")}), kOk);
  ASSERT_EQ(Import("child", {"base"},
                   {Folder("Files"), Gone("Files/f"), Link("Files/copy", "Files/F"),
                    Link("Files/two", "Files/copy"), Link("Files/three", "Files/G")}),
            kOk)
      << LastError().message;
  const auto items = Export("child", {"base"});
  ASSERT_EQ(Paths(items), (std::vector<std::string>{"Files", "-Files/f", "Files/copy",
                                                    "Files/three", "Files/two"}));
  EXPECT_EQ(items[2].stream, file.stream);
  EXPECT_EQ(items[2].attributes, 0x21u);
  EXPECT_EQ(items[3].stream, file.stream);
  EXPECT_EQ(items[4].link, "Files/copy");
  EXPECT_EQ(Verify("child"), std::vector<std::string>());
  EXPECT_NE(Import("bad", {"base"}, {Link("Files/x", "Files/none")}), kOk);
  EXPECT_EQ(LastCode(), Errc::kBadArchive);
  EXPECT_NE(Import("bad", {"base"}, {Link("Files/x", "Files")}), kOk);
  EXPECT_NE(Import("bad", {"base"}, {Link("Files/x", "Files/x")}), kOk);
}

TEST_F(ImportTest, ARepeatedFileReplacesAndOtherNamesOfTheOldOneStay) {
  std::vector<std::uint64_t> ordinals;
  ASSERT_EQ(Import("l", {},
                   {Folder("Files"), File("Files/a", "old"), Link("Files/b", "Files/a"),
                    File("Files/A", "newer"), Link("Files/c", "Files/b"), File("Files/d", "1"),
                    Link("Files/d", "Files/a")},
                   &ordinals),
            kOk)
      << LastError().message;
  const auto items = Export("l", {});
  ASSERT_EQ(Paths(items),
            (std::vector<std::string>{"Files", "Files/A", "Files/b", "Files/c", "Files/d"}));
  EXPECT_EQ(MainData(items[1].stream), "newer");
  EXPECT_EQ(MainData(items[2].stream), "old");
  EXPECT_EQ(items[3].link, "Files/b");
  EXPECT_EQ(items[4].link, "Files/A");
  EXPECT_EQ(ordinals, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Verify("l"), std::vector<std::string>());
}

TEST_F(ImportTest, ARepeatedFolderMergesAndTheLastMetadataWins) {
  Item again = Folder("Files/D");
  again.attributes = 0x12;
  again.stream.clear();  // brings no descriptor: the old one stays
  ASSERT_EQ(Import("l", {},
                   {Folder("Files"), Folder("Files/d"), File("Files/d/x", "x"), again,
                    File("Files/d/y", "y"), Folder("Files")}),
            kOk);
  const auto items = Export("l", {});
  ASSERT_EQ(Paths(items), (std::vector<std::string>{"Files", "Files/d", "Files/d/x", "Files/d/y"}));
  EXPECT_EQ(items[1].attributes, 0x12u);
  EXPECT_EQ(items[1].stream, FolderStream());
}

TEST_F(ImportTest, AFileInTheWayOfAFolderIsAClash) {
  EXPECT_EQ(Import("l", {}, {Folder("Files"), File("Files/x", ""), Folder("Files/X")}),
            vmcompute::kAlreadyExists);
  EXPECT_EQ(Import("l", {}, {Folder("Files"), Folder("Files/x"), File("Files/X", "")}),
            vmcompute::kAlreadyExists);
  EXPECT_EQ(
      Import("l", {},
             {Folder("Files"), Folder("Files/x"), File("Files/y", ""), Link("Files/X", "Files/y")}),
      vmcompute::kAlreadyExists);
  EXPECT_FALSE(Exists("l"));
}

TEST_F(ImportTest, ADeletionAndTheThingItselfKeepTheThing) {
  ASSERT_EQ(Import("base", {},
                   {Folder("Files"), File("Files/f", "1"), Folder("Files/d"),
                    File("Files/d/x", "x"), Folder("Files/d/s"), File("Files/d/s/y", "y"),
                    Folder("Files/o"), File("Files/o/x", "x")}),
            kOk);
  for (const bool first : {true, false}) {
    const std::string id = first ? "first" : "last";
    std::vector<Item> items = {Folder("Files")};
    if (first) items.insert(items.end(), {Gone("Files/f"), Gone("Files/D")});
    items.insert(items.end(), {File("Files/f", "2"), Folder("Files/d"), Folder("Files/d/s"),
                               File("Files/d/s/new", "n"), Opaque("Files/o")});
    if (!first) items.insert(items.end(), {Gone("Files/f"), Gone("Files/D")});
    ASSERT_EQ(Import(id, {"base"}, items), kOk) << LastError().message;
    const auto back = Export(id, {"base"});
    EXPECT_EQ(Paths(back), (std::vector<std::string>{"Files", "Files/d", "-Files/d/x", "Files/d/s",
                                                     "-Files/d/s/y", "Files/d/s/new", "Files/f",
                                                     "Files/o", "-Files/o/x"}))
        << id;
    for (const auto& item : back)
      EXPECT_EQ(item.change == vmcompute::ChangeKind::kDeleted, item.deleted) << item.path;
    EXPECT_EQ(Verify(id), std::vector<std::string>());
  }
}

TEST_F(ImportTest, AWhiteoutOfNothingIsKept) {
  ASSERT_EQ(Import("base", {}, {Folder("Files")}), kOk);
  ASSERT_EQ(Import("l", {"base"}, {Folder("Files"), Gone("Files/none"), Gone("Files/none")}), kOk);
  const auto items = Export("l", {"base"});
  EXPECT_EQ(Paths(items), (std::vector<std::string>{"Files", "-Files/none"}));
  EXPECT_EQ(items[1].change, vmcompute::ChangeKind::kUnchanged);
}

TEST_F(ImportTest, ReadsBackWhatADuplicateIsAboutToReplace) {
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &context), kOk);
  std::uint64_t folder = 0;
  std::uint64_t file = 0;
  ASSERT_EQ(Put(context, Folder("Files"), folder), kOk);
  Item item = File("Files/f", std::string(70000, 'p'));
  AddStream(item.stream, StreamId::kAlternateData, "one", 0, u":one:$DATA");
  AddStream(item.stream, StreamId::kAlternateData, std::string(9000, 't'), 0, u":two:$DATA");
  ASSERT_EQ(Put(context, item, file), kOk);
  const auto read = [&](std::uint32_t stream) {
    std::string all;
    while (true) {
      std::uint8_t room[1000];
      std::uint32_t got = 0;
      EXPECT_EQ(table_.extensions->ImportLayerReadBack(context, file, stream, all.size(), room,
                                                       sizeof room, &got),
                kOk)
          << LastError().message;
      if (got == 0) return all;
      all.append(reinterpret_cast<char*>(room), got);
    }
  };
  EXPECT_EQ(read(0), std::string(70000, 'p'));
  EXPECT_EQ(read(1), "one");
  EXPECT_EQ(read(2), std::string(9000, 't'));
  EXPECT_EQ(read(3), "");
  std::uint64_t again = 0;
  ASSERT_EQ(Put(context, File("Files/f", "short"), again), kOk);
  EXPECT_NE(again, file);
  ASSERT_EQ(table_.ImportLayerEnd(context), kOk);
  EXPECT_EQ(MainData(Export("l", {})[1].stream), "short");
}

// Whoever keeps checksums of its own beside the store's need not compute them.
TEST_F(ImportTest, TellsTheChecksumsOfMainData) {
  const auto& ours = *table_.extensions;
  void* context = nullptr;
  ASSERT_EQ(table_.ImportLayerBegin(&info_, u"l", nullptr, 0, &context), kOk);
  std::uint64_t sum = 0;
  EXPECT_EQ(ours.ImportLayerChecksum(context, nullptr), vmcompute::kInvalidParameter);
  const auto put = [&](const Item& item) {
    std::uint64_t ordinal = 0;
    EXPECT_EQ(Put(context, item, ordinal), kOk) << LastError().message;
    EXPECT_EQ(ours.ImportLayerChecksum(context, &sum), kOk) << LastError().message;
    return sum;
  };
  put(Folder("Files"));
  const std::string big(70'000, 'p');
  Item streams = File("Files/f", big);
  AddStream(streams.stream, StreamId::kAlternateData, "one", 0, u":one:$DATA");
  EXPECT_EQ(put(streams), io::Checksum(AsBytes(big)));
  Item sparse = File("Files/s", "");
  sparse.stream = Sparse(0, {{0, "abc"}, {1'000'000, "def"}}, 2'000'000);
  EXPECT_EQ(put(sparse), io::Checksum(AsBytes(std::string_view("abcdef"))));
  EXPECT_EQ(put(File("Files/none", "")), io::Checksum({}));
  ASSERT_EQ(table_.ImportLayerEnd(context), kOk);

  context = BeginExport("l", {});
  for (const auto& [name, expected] :
       {std::pair{u"\\Files\\f", io::Checksum(AsBytes(big))},
        {u"\\Files\\s", io::Checksum(AsBytes(std::string_view("abcdef")))},
        {u"\\Files\\none", io::Checksum({})}}) {
    vmcompute::Utf16 found = nullptr;
    vmcompute::FileBasicInfo info;
    std::int64_t size = 0;
    vmcompute::EntryDescription description;
    ASSERT_EQ(ours.ExportLayerSeek(context, name, 0, &found, &info, &size), kOk);
    ASSERT_EQ(ours.ExportLayerDescribe(context, &description), kOk);
    EXPECT_TRUE(description.has_checksum);
    EXPECT_EQ(description.checksum, expected);
  }
  vmcompute::Utf16 found = nullptr;
  vmcompute::FileBasicInfo info;
  std::int64_t size = 0;
  vmcompute::EntryDescription description;
  ASSERT_EQ(ours.ExportLayerSeek(context, u"\\Files", 0, &found, &info, &size), kOk);
  ASSERT_EQ(ours.ExportLayerDescribe(context, &description), kOk);
  EXPECT_FALSE(description.has_checksum);
  ours.ExportLayerAbort(context);
}

TEST_F(ImportTest, TwentyThousandFilesInAnyOrder) {
  std::vector<std::string> paths;
  for (int i = 0; i < 20000; ++i)
    paths.push_back("Files/d" + std::to_string(i % 50) + "/f" + std::to_string(i));
  std::shuffle(paths.begin(), paths.end(), std::mt19937(5));
  std::vector<Item> items;
  for (const auto& path : paths) items.push_back(File(path, path));
  ASSERT_EQ(Import("l", {}, items), kOk);
  const auto back = Export("l", {});
  ASSERT_EQ(back.size(), 20051u);
  for (std::size_t i = 1; i < back.size(); ++i)
    ASSERT_LT(CompareDepthFirst(back[i - 1].path, back[i].path), 0);
  for (std::size_t i = 0; i < back.size(); i += 97)
    if ((back[i].attributes & 0x10) == 0) {
      EXPECT_EQ(MainData(back[i].stream), back[i].path);
    }
}

// C15: a broken hive is refused before the layer is accepted, and named.
TEST_F(ImportTest, BrokenHivesAreRefusedByName) {
  const std::string good = ReadFile(std::string(WCLAYER_FIXTURES) + "/bin/bcd-minimal.hive");
  const auto imported = [&](const std::string& path, const std::string& hive) {
    std::vector<Item> items = {Folder("Files")};
    for (std::size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1))
      items.push_back(Folder(path.substr(0, slash)));
    items.push_back(File(path, hive));
    return Import("l", {}, items);
  };
  const auto before = Listing();
  std::string magic = good;
  magic[0] = 'R';
  std::string sum = good;
  sum[508] = static_cast<char>(sum[508] ^ 1);
  std::string bin = good;
  bin[4096] = 'H';
  for (const std::string& broken : {magic, sum, bin, good.substr(0, 8000), std::string("hive")}) {
    for (const char* path :
         {"Hives/System_Delta", "hives/SAM_BASE", "UtilityVM/Files/EFI/Microsoft/Boot/BCD"}) {
      ASSERT_NE(imported(path, broken), kOk) << path;
      EXPECT_EQ(LastCode(), Errc::kBadArchive) << LastError().message;
      EXPECT_STREQ(LastError().path, path);
    }
  }
  EXPECT_EQ(Listing(), before);
  // Logs and what else lies there are none of these.
  EXPECT_EQ(imported("Hives/System_Delta.LOG1", "log"), kOk) << LastError().message;
  ASSERT_EQ(table_.DestroyLayer(&info_, u"l"), kOk);
  EXPECT_EQ(imported("Hives/System_Delta", good), kOk) << LastError().message;
}

}  // namespace
}  // namespace wclayer::portable::test
