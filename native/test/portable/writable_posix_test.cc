// What a writable layer's user changed, the same for overlays and checkouts.
#include "backup/reparse.h"
#include "backup/security.h"
#include "portable/hive.h"
#include "writable_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::kOk;
using Strings = std::vector<std::string>;

Item Symlink(std::string path, std::u16string_view target, bool folder) {
  Item item;
  item.path = std::move(path);
  item.attributes = folder ? 0x410 : 0x420;
  AddStream(item.stream, StreamId::kSecurity, Descriptor(), backup::kAttributeContainsSecurity);
  const Buffer data = backup::BuildReparse(target, false);
  AddStream(item.stream, StreamId::kReparse, AsText(data));
  return item;
}

Item WithTimes(Item item, std::int64_t first) {
  for (int i = 0; i < 4; ++i) item.times[i] = first + i;
  return item;
}

// A file with everything an edit must keep.
Item Rich(std::string path, std::string_view data) {
  Item item = WithTimes(File(std::move(path), data), 132000000000000000);
  item.attributes = 0x22;  // hidden
  item.stream.clear();
  AddStream(item.stream, StreamId::kSecurity, Descriptor(19), backup::kAttributeContainsSecurity);
  AddStream(item.stream, StreamId::kData, data);
  AddStream(item.stream, StreamId::kAlternateData, "note", 0, u":note:$DATA");
  AddStream(item.stream, StreamId::kAlternateData, std::string(10000, 'n'), 0, u":large:$DATA");
  return item;
}

std::string SecurityOf(const Item& item) {
  for (const auto& [id, name, attributes, data] : Parse(item.stream))
    if (id == static_cast<std::uint32_t>(StreamId::kSecurity)) return data;
  return "";
}
std::string StreamOf(const Item& item, std::u16string_view wanted) {
  for (const auto& [id, name, attributes, data] : Parse(item.stream))
    if (id == static_cast<std::uint32_t>(StreamId::kAlternateData) && name == wanted) return data;
  return "";
}
std::u16string TargetOf(const Item& item) {
  for (const auto& [id, name, attributes, data] : Parse(item.stream))
    if (id == static_cast<std::uint32_t>(StreamId::kReparse)) {
      const auto point = backup::ParseReparse(AsBytes(data));
      return point ? point->target : u"?";
    }
  return u"";
}

class WritableLayer : public WritableTest {
 protected:
  // Three layers: the middle one deletes, the top one has an opaque folder.
  void MakeChain() {
    Item readonly = File("Files/readonly", "ro");
    readonly.attributes = 0x21;
    ASSERT_EQ(Import("base", {},
                     {Folder("Files"), Folder("Files/dir"), Rich("Files/dir/a.txt", "aaa"),
                      File("Files/dir/b.txt", "bbb"), Folder("Files/dir/sub"),
                      File("Files/dir/sub/deep", "deep"), File("Files/edit.txt", "edit me"),
                      File("Files/gone", "1"), Folder("Files/old"), File("Files/old/hidden", "h"),
                      File("Files/old/stays", "s"), readonly, Rich("Files/rich.bin", "rich"),
                      Folder("Files/tree"), File("Files/tree/one", "1"), Folder("Files/tree/in"),
                      Rich("Files/tree/in/two", "2"), File("Files/linked1", "linked"),
                      Link("Files/linked2", "Files/linked1")}),
              kOk)
        << LastError().path << LastError().message;
    ASSERT_EQ(Import("middle", {"base"},
                     {Folder("Files"), Gone("Files/gone"), Folder("Files/dir"),
                      File("Files/dir/c.txt", "ccc"), Folder("Files/links"),
                      Symlink("Files/links/tofile", u"..\\edit.txt", false),
                      Symlink("Files/links/tofolder", u"C:\\dir", true)}),
              kOk)
        << LastError().path << LastError().message;
    ASSERT_EQ(Import("top", {"middle", "base"},
                     {Folder("Files"), Folder("Files/old"), Opaque("Files/old"),
                      File("Files/old/fresh", "f"), WithTimes(File("Files/UPPER.txt", "u"), 5)}),
              kOk)
        << LastError().path << LastError().message;
  }

  const Strings parents_ = {"top", "middle", "base"};
};

TEST_F(WritableLayer, ShowsTheChainAndNothingIsChanged) {
  MakeChain();
  const auto items = SameEverywhere(parents_, [](const std::string& root) {
    EXPECT_EQ(ReadFile(root + "/dir/a.txt"), "aaa");
    EXPECT_EQ(ReadFile(root + "/dir/c.txt"), "ccc");
    EXPECT_FALSE(files::exists(root + "/gone"));
    EXPECT_FALSE(files::exists(root + "/old/hidden"));
    EXPECT_EQ(ReadFile(root + "/old/fresh"), "f");
    EXPECT_EQ(ReadFile(root + "/links/tofile"), "edit me");
    EXPECT_EQ(ReadFile(root + "/links/tofolder/b.txt"), "bbb");
    EXPECT_FALSE(files::exists(root + "/Files"));
    // Opened for writing, with nothing written: a copy, but no change.
    const int file = ::open((root + "/edit.txt").c_str(), O_RDWR);
    EXPECT_GE(file, 0);
    ::close(file);
    EXPECT_EQ(::chmod((root + "/dir").c_str(), 0755), 0);
  });
  EXPECT_EQ(Paths(items),
            (Strings{"Files", "Hives", "Hives/DefaultUser_Delta", "Hives/Sam_Delta",
                     "Hives/Security_Delta", "Hives/Software_Delta", "Hives/System_Delta"}));
  EXPECT_EQ(Changes(items), Strings());
  ASSERT_GE(items.size(), 7u);
  EXPECT_EQ(items[0].times[2], Folder("").times[2]);
  EXPECT_TRUE(IsMinimalHive(AsBytes(MainData(items[2].stream))));
}

TEST_F(WritableLayer, TheEditScript) {
  MakeChain();
  const auto items = SameEverywhere(parents_, [](const std::string& root) {
    WriteFile(root + "/new.txt", "new");
    Touch(root + "/new.txt", 1500000000);
    Append(root + "/edit.txt", " more");
    Touch(root + "/edit.txt", 1500000001);
    Append(root + "/rich.bin", "er");
    Touch(root + "/rich.bin", 1500000002);
    files::remove(root + "/dir/b.txt");
    files::create_directory(root + "/dir/b.txt");  // over a deleted file
    Touch(root + "/dir/b.txt", 1500000003);
    WriteFile(root + "/gone", "again");  // over a name that a layer deleted
    Touch(root + "/gone", 1500000004);
    Rename(root + "/dir/a.txt", root + "/moved.txt");
    Append(root + "/moved.txt", "+");
    Touch(root + "/moved.txt", 1500000005);
    ASSERT_EQ(::chmod((root + "/readonly").c_str(), 0644), 0);
    ASSERT_EQ(::chmod((root + "/UPPER.txt").c_str(), 0444), 0);
    files::create_symlink("dir/c.txt", root + "/link");
    Touch(root + "/link", 1500000006);
    files::create_symlink("../dir/sub", root + "/links/folder");
    Touch(root + "/links/folder", 1500000007);
    files::create_symlink("/dir/sub/deep", root + "/links/rooted");
    Touch(root + "/links/rooted", 1500000008);
    files::create_hard_link(root + "/new.txt", root + "/dir/also.txt");
    files::remove_all(root + "/tree/in");
    WriteFile(root + "/tree/in", "a file now");
    Touch(root + "/tree/in", 1500000009);
    files::remove_all(root + "/old");
    files::create_directory(root + "/old");
    WriteFile(root + "/old/other", "o");
    Touch(root + "/old/other", 1500000010);
    for (const char* folder : {"/old", "/tree", "/links", "/dir", ""})
      Touch(root + folder, 1500000011);
  });
  EXPECT_EQ(FilePaths(items), (Strings{"Files",
                                       "Files/UPPER.txt",
                                       "Files/dir",
                                       "-Files/dir/a.txt",
                                       "Files/dir/also.txt",
                                       "Files/dir/b.txt",
                                       "Files/edit.txt",
                                       "Files/gone",
                                       "Files/link",
                                       "Files/links",
                                       "Files/links/folder",
                                       "Files/links/rooted",
                                       "Files/moved.txt",
                                       "Files/new.txt",
                                       "Files/old",
                                       "-Files/old/fresh",
                                       "Files/old/other",
                                       "Files/readonly",
                                       "Files/rich.bin",
                                       "Files/tree",
                                       "Files/tree/in"}));
  EXPECT_EQ(Changes(items),
            (Strings{"A Files/dir/also.txt", "A Files/gone",         "A Files/link",
                     "A Files/links/folder", "A Files/links/rooted", "A Files/moved.txt",
                     "A Files/new.txt",      "A Files/old/other",    "C Files",
                     "C Files/UPPER.txt",    "C Files/dir",          "C Files/dir/b.txt",
                     "C Files/edit.txt",     "C Files/links",        "C Files/old",
                     "C Files/readonly",     "C Files/rich.bin",     "C Files/tree",
                     "C Files/tree/in",      "D Files/dir/a.txt",    "D Files/old/fresh"}));

  // An edited file keeps descriptor, attributes, creation time and streams.
  for (const char* path : {"Files/rich.bin", "Files/moved.txt"}) {
    const Item* rich = Find(items, path);
    ASSERT_NE(rich, nullptr);
    EXPECT_EQ(SecurityOf(*rich), Descriptor(19)) << path;
    EXPECT_EQ(rich->attributes, 0x22u) << path;
    EXPECT_EQ(rich->times[0], 132000000000000000) << path;
    EXPECT_EQ(StreamOf(*rich, u":note:$DATA"), "note") << path;
    EXPECT_EQ(StreamOf(*rich, u":large:$DATA"), std::string(10000, 'n')) << path;
  }
  EXPECT_EQ(MainData(Find(items, "Files/rich.bin")->stream), "richer");
  EXPECT_EQ(MainData(Find(items, "Files/moved.txt")->stream), "aaa+");
  EXPECT_EQ(Find(items, "Files/rich.bin")->times[2], Filetime(1500000002));

  const Item* made = Find(items, "Files/dir/b.txt");
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->attributes, 0x10u);
  EXPECT_EQ(SecurityOf(*made), AsText(backup::DefaultDirectoryDescriptor()));
  for (const auto time : made->times) EXPECT_EQ(time, Filetime(1500000003));
  EXPECT_EQ(SecurityOf(*Find(items, "Files/gone")), AsText(backup::DefaultFileDescriptor()));

  EXPECT_EQ(Find(items, "Files/readonly")->attributes, 0x20u);
  EXPECT_EQ(Find(items, "Files/UPPER.txt")->attributes, 0x21u);
  // What Linux cannot hold stays exact as long as nobody sets the time.
  EXPECT_EQ(Find(items, "Files/UPPER.txt")->times[2], 7);

  EXPECT_EQ(TargetOf(*Find(items, "Files/link")), u"dir\\c.txt");
  EXPECT_EQ(Find(items, "Files/link")->attributes, 0x420u);
  EXPECT_EQ(TargetOf(*Find(items, "Files/links/folder")), u"..\\dir\\sub");
  EXPECT_EQ(Find(items, "Files/links/folder")->attributes, 0x410u);
  EXPECT_EQ(TargetOf(*Find(items, "Files/links/rooted")), u"\\dir\\sub\\deep");
  EXPECT_EQ(Find(items, "Files/links/rooted")->attributes, 0x420u);

  EXPECT_EQ(Find(items, "Files/dir/also.txt")->link, "");
  EXPECT_EQ(Find(items, "Files/new.txt")->link, "Files/dir/also.txt");
}

TEST_F(WritableLayer, ARenamedFolderIsADeletionAndTheWholeTree) {
  MakeChain();
  const auto items = SameEverywhere(parents_, [](const std::string& root) {
    Rename(root + "/tree", root + "/wood");
    Append(root + "/wood/one", "!");
    Touch(root + "/wood/one", 1500000000);
    Rename(root + "/wood/in", root + "/dir/in");
    Rename(root + "/dir/sub", root + "/wood/in");  // and its old name is taken
    for (const char* folder : {"/wood/in", "/wood", "/dir/in", "/dir", ""})
      Touch(root + folder, 1500000001);
  });
  EXPECT_EQ(FilePaths(items), (Strings{"Files", "-Files/tree", "Files/dir", "-Files/dir/sub",
                                       "Files/dir/in", "Files/dir/in/two", "Files/wood",
                                       "Files/wood/in", "Files/wood/in/deep", "Files/wood/one"}));
  const Item* two = Find(items, "Files/dir/in/two");
  ASSERT_NE(two, nullptr);
  EXPECT_EQ(SecurityOf(*two), Descriptor(19));
  EXPECT_EQ(two->times[2], 132000000000000002);
  EXPECT_EQ(StreamOf(*two, u":large:$DATA"), std::string(10000, 'n'));
  EXPECT_EQ(MainData(Find(items, "Files/wood/in/deep")->stream), "deep");
  EXPECT_EQ(MainData(Find(items, "Files/wood/one")->stream), "1!");
}

TEST_F(WritableLayer, AFolderMadeAgainHidesItsOldChildrenAtEveryDepth) {
  MakeChain();
  const auto items = SameEverywhere(parents_, [](const std::string& root) {
    files::remove_all(root + "/dir");
    files::create_directories(root + "/dir/sub");
    WriteFile(root + "/dir/sub/other", "x");
    Touch(root + "/dir/sub/other", 1500000000);
    for (const char* folder : {"/dir/sub", "/dir", ""}) Touch(root + folder, 1500000001);
  });
  EXPECT_EQ(FilePaths(items), (Strings{"Files", "Files/dir", "-Files/dir/a.txt", "-Files/dir/b.txt",
                                       "-Files/dir/c.txt", "Files/dir/sub", "-Files/dir/sub/deep",
                                       "Files/dir/sub/other"}));
  // Made again, it is the parents' folder of that path.
  EXPECT_EQ(SecurityOf(*Find(items, "Files/dir")), Descriptor());
}

TEST_F(WritableLayer, HardLinksOfLayersArePartedAndKnownAgain) {
  MakeChain();
  const auto items = SameEverywhere(parents_, [](const std::string& root) {
    Append(root + "/linked1", "!");  // the other name keeps the old bytes
    EXPECT_EQ(ReadFile(root + "/linked2"), "linked");
    Touch(root + "/linked1", 1500000000);
    Rename(root + "/linked2", root + "/dir/renamed");
    // A user's link to a layer's file: both names are written down.
    files::create_hard_link(root + "/edit.txt", root + "/dir/edit2");
    for (const char* folder : {"/dir", ""}) Touch(root + folder, 1500000001);
  });
  EXPECT_EQ(FilePaths(items), (Strings{"Files", "-Files/linked2", "Files/dir", "Files/dir/edit2",
                                       "Files/dir/renamed", "Files/edit.txt", "Files/linked1"}));
  EXPECT_EQ(Find(items, "Files/edit.txt")->link, "Files/dir/edit2");
  EXPECT_EQ(MainData(Find(items, "Files/dir/edit2")->stream), "edit me");
  EXPECT_EQ(SecurityOf(*Find(items, "Files/dir/renamed")), Descriptor());
  EXPECT_EQ(Find(items, "Files/dir/renamed")->times[2], File("", "").times[2]);
}

TEST_F(WritableLayer, ReplacedAndExchangedFiles) {
  MakeChain();
  const auto items = SameEverywhere(parents_, [](const std::string& root) {
    // As editors save: a new file over the old name.
    WriteFile(root + "/rich.bin.tmp", "saved");
    Touch(root + "/rich.bin.tmp", 1500000000);
    Rename(root + "/rich.bin.tmp", root + "/rich.bin");
    // One layer's file over another's.
    Rename(root + "/dir/a.txt", root + "/dir/c.txt");
    // A copy has the copier's metadata.
    files::copy_file(root + "/tree/in/two", root + "/copy");
    Touch(root + "/copy", 1500000001);
    // A link replaced by a file, and a layer's link moved.
    files::remove(root + "/links/tofolder");
    WriteFile(root + "/links/tofolder", "plain");
    Touch(root + "/links/tofolder", 1500000002);
    Rename(root + "/links/tofile", root + "/links/renamed");
    // Only the time.
    Touch(root + "/UPPER.txt", 1500000003);
    // Only the spelling.
    Rename(root + "/edit.txt", root + "/EDIT.txt");
    for (const char* folder : {"/links", "/dir", ""}) Touch(root + folder, 1500000004);
  });
  EXPECT_EQ(FilePaths(items),
            (Strings{"Files", "Files/EDIT.txt", "Files/UPPER.txt", "Files/copy", "Files/dir",
                     "-Files/dir/a.txt", "Files/dir/c.txt", "Files/links", "-Files/links/tofile",
                     "Files/links/renamed", "Files/links/tofolder", "Files/rich.bin"}));
  EXPECT_EQ(SecurityOf(*Find(items, "Files/rich.bin")), Descriptor(19));
  EXPECT_EQ(SecurityOf(*Find(items, "Files/dir/c.txt")), Descriptor(19));
  EXPECT_EQ(SecurityOf(*Find(items, "Files/copy")), AsText(backup::DefaultFileDescriptor()));
  EXPECT_EQ(SecurityOf(*Find(items, "Files/links/tofolder")),
            AsText(backup::DefaultFileDescriptor()));
  EXPECT_EQ(TargetOf(*Find(items, "Files/links/renamed")), u"..\\edit.txt");
  EXPECT_EQ(Find(items, "Files/UPPER.txt")->times[2], Filetime(1500000003));
  EXPECT_EQ(Find(items, "Files/UPPER.txt")->times[0], 5);
}

TEST_F(WritableLayer, ADiffBecomesALayerThatShowsTheSame) {
  MakeChain();
  const auto items = SameEverywhere(parents_, [](const std::string& root) {
    files::remove_all(root + "/dir");
    files::create_directories(root + "/dir/sub");
    WriteFile(root + "/dir/sub/x", "x");
    Rename(root + "/tree", root + "/wood");
    for (const char* path : {"/dir/sub/x", "/dir/sub", "/dir", "/wood", ""})
      Touch(root + path, 1500000000);
  });
  const Strings before = Changes(items);
  ASSERT_EQ(Import("next", parents_, items), kOk) << LastError().path << LastError().message;
  EXPECT_EQ(Changes(Export("next", parents_)), before);
  Strings on = parents_;
  on.insert(on.begin(), "next");
  const auto none = SameEverywhere(on, [](const std::string& root) {
    EXPECT_EQ(ReadFile(root + "/dir/sub/x"), "x");
    EXPECT_FALSE(files::exists(root + "/dir/a.txt"));
    EXPECT_FALSE(files::exists(root + "/dir/sub/deep"));
    EXPECT_EQ(ReadFile(root + "/wood/in/two"), "2");
    EXPECT_FALSE(files::exists(root + "/tree"));
  });
  EXPECT_EQ(FilePaths(none), Strings{"Files"});
}

TEST_F(WritableLayer, ASquashReadsItToo) {
  MakeChain();
  for (const Way way : Ways()) {
    SCOPED_TRACE(NameOfWay(way));
    const std::string id = std::string("sq") + std::to_string(static_cast<int>(way));
    Use(way);
    MakeWritable(id, parents_);
    const std::string root = Mount(id, parents_);
    ASSERT_NE(root, "");
    Rename(root + "/dir/a.txt", root + "/moved");
    Append(root + "/edit.txt", "!");
    files::create_hard_link(root + "/edit.txt", root + "/hard");
    const auto items = Export(id, {"base"});
    const Item* moved = Find(items, "Files/moved");
    ASSERT_NE(moved, nullptr);
    EXPECT_EQ(MainData(moved->stream), "aaa");
    EXPECT_EQ(StreamOf(*moved, u":large:$DATA"), std::string(10000, 'n'));
    EXPECT_EQ(MainData(Find(items, "Files/edit.txt")->stream), "edit me!");
    EXPECT_EQ(Find(items, "Files/hard")->link, "Files/edit.txt");
    EXPECT_NE(Find(items, "Files/dir/c.txt"), nullptr);
    EXPECT_EQ(Unmount(id), kOk);
  }
}

TEST_F(WritableLayer, WhatWindowsCannotHoldIsRefusedByName) {
  MakeChain();
  const std::vector<std::pair<std::function<void(const std::string&)>, Strings>> cases = {
      {[](const std::string& root) { WriteFile(root + "/EDIT.TXT", "x"); },
       {"EDIT.TXT", "edit.txt"}},
      {[](const std::string& root) { ASSERT_EQ(::mkfifo((root + "/dir/fifo").c_str(), 0600), 0); },
       {"Files/dir/fifo"}},
      {[](const std::string& root) { WriteFile(root + "/a:b", "x"); }, {"Files/a:b"}},
      {[](const std::string& root) { WriteFile(root + "/bad\xFF", "x"); }, {"bad"}},
  };
  for (const Way way : Ways()) {
    SCOPED_TRACE(NameOfWay(way));
    Use(way);
    for (const auto& [edit, words] : cases) {
      const std::string id = "bad" + std::to_string(++layers_);
      MakeWritable(id, parents_);
      const std::string root = Mount(id, parents_);
      ASSERT_NE(root, "");
      edit(root);
      void* context = nullptr;
      const Chain chain = Parents(parents_);
      Hresult hr =
          table_.ExportLayerBegin(&info_, Wide(id).c_str(), chain.data(), chain.size(), &context);
      while (hr == kOk) {
        char16_t* name = nullptr;
        vmcompute::FileBasicInfo info;
        std::int64_t size = 0;
        std::uint32_t deleted = 0;
        hr = table_.ExportLayerNext(context, &name, &info, &size, &deleted);
        table_.FreeString(name);
      }
      EXPECT_NE(hr, vmcompute::kNoMoreFiles);
      const std::string said = std::string(LastError().path) + ' ' + LastError().message;
      for (const auto& word : words) EXPECT_NE(said.find(word), std::string::npos) << said;
      if (context != nullptr) table_.extensions->ExportLayerAbort(context);
      EXPECT_EQ(Unmount(id), kOk);
    }
  }
}

TEST_F(WritableLayer, OnNothing) {
  const auto items = SameEverywhere({}, [](const std::string& root) {
    files::create_directory(root + "/d");
    WriteFile(root + "/d/f", "f");
    for (const char* path : {"/d/f", "/d", ""}) Touch(root + path, 1500000000);
  });
  EXPECT_EQ(Paths(items), (Strings{"Files", "Files/d", "Files/d/f"}));
  EXPECT_EQ(Changes(items), (Strings{"A Files", "A Files/d", "A Files/d/f"}));
}

TEST_F(WritableLayer, NeverMountedIsUnchanged) {
  MakeChain();
  MakeWritable("idle", parents_);
  EXPECT_EQ(FilePaths(Export("idle", parents_)), Strings{"Files"});
  EXPECT_EQ(Changes(Export("idle", parents_)), Strings());
}

}  // namespace
}  // namespace wclayer::portable::test
