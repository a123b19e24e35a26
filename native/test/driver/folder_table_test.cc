// A table that cannot stream: layers go through transport folders, and are the same layers.
#include <fstream>

#include "driver/fixture.h"
#include "support/fault_table.h"
#include "support/folder_table.h"

namespace wclayer::test {
namespace {

class FolderTable : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    table_ = WithoutStreaming(TableUnderTest());
    Open(table_);
  }

  // The same layer as the streaming calls see it.
  Expected<Buffer> DiffByStreaming(const std::string& id) {
    driver_.reset();
    Open();
    DiffOptions options;
    options.rebuild = true;
    auto tar = Diff(id, options);
    driver_.reset();
    Open(table_);
    return tar;
  }

  std::vector<std::string> Temporary() const {
    std::vector<std::string> names;
    const auto folder = home_ / ".wclayer" / "tmp";
    if (!std::filesystem::exists(folder)) return names;
    for (const auto& item : std::filesystem::directory_iterator(folder))
      names.push_back(item.path().filename().string());
    return names;
  }

  vmcompute::Table table_;
};

TEST_F(FolderTable, WhatWasAppliedComesBackByteForByte) {
  const Buffer base = BaseTar();
  const auto applied = Apply("base", "", base);
  ASSERT_TRUE(applied) << applied.error().ToString();
  EXPECT_EQ(applied->size_bytes, 13);
  const auto child = Apply("child", "base", ChildTar(), 700);
  ASSERT_TRUE(child) << child.error().ToString();
  EXPECT_TRUE(Temporary().empty());
  EXPECT_TRUE(*Diff("base") == base);
  StreamResult result;
  EXPECT_TRUE(*Diff("child", {}, &result) == ChildTar());
  EXPECT_EQ(result.diff_id, child->diff_id);
  EXPECT_TRUE(Temporary().empty()) << "a replay needs no export";
  EXPECT_EQ(*driver_->DiffSize("child", {}), child->size_bytes);
  const auto problems = driver_->Verify({}, VerifyDepth::kFull);
  ASSERT_TRUE(problems) << problems.error().ToString();
  EXPECT_TRUE(problems->empty()) << problems->front().path << problems->front().problem;

  // A second one of the same id is refused, and an expected digest finds the stored result.
  const auto again = Apply("child", "base", ChildTar());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kLayerExists);
}

TEST_F(FolderTable, ARebuiltTarMakesTheSameLayer) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
  DiffOptions rebuild;
  rebuild.rebuild = true;
  const auto tar = Diff("child", rebuild);
  ASSERT_TRUE(tar) << tar.error().ToString();
  EXPECT_TRUE(Temporary().empty());
  const auto again = Apply("again", "base", *tar);
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_TRUE(*Diff("again", rebuild) == *tar);
}

TEST_F(FolderTable, BothFormatsComeOutAndGoIn) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
  DiffOptions transport;
  transport.format = ArchiveFormat::kTransport;
  const auto tar = Diff("child", transport);
  ASSERT_TRUE(tar) << tar.error().ToString();
  EXPECT_TRUE(Temporary().empty());
  const auto applied = Apply("again", "base", *tar);
  ASSERT_TRUE(applied) << applied.error().ToString();
  EXPECT_TRUE(*Diff("again", transport) == *tar);
}

TEST_F(FolderTable, ALayerIsMountedAndItsChangesAreSeen) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
  EXPECT_EQ(
      *ChangeLines("child"),
      (std::vector<std::string>{"C Files/dir/a.txt", "D Files/dir/b.txt", "A Files/new.txt"}));
  ASSERT_TRUE(driver_->CreateReadWrite("c", "child", 0));
  const auto path = driver_->Get("c", false);
  ASSERT_TRUE(path) << path.error().ToString();
  const std::filesystem::path root(*path);
  EXPECT_TRUE(std::filesystem::exists(root / "new.txt"));
  EXPECT_TRUE(std::filesystem::exists(root / "link.txt"));
  EXPECT_FALSE(std::filesystem::exists(root / "dir" / "b.txt"));
  std::filesystem::remove(root / "keep.txt");
  const auto changes = ChangeLines("c");
  ASSERT_TRUE(changes) << changes.error().ToString();
  EXPECT_EQ(*changes, (std::vector<std::string>{"D Files/keep.txt"}));
  ASSERT_TRUE(Diff("c"));
  ASSERT_TRUE(driver_->Put("c"));
  EXPECT_TRUE(Temporary().empty());
  EXPECT_EQ(driver_->List()->at(1).kind, "writable");
  EXPECT_FALSE(Apply("c", "child", ChildTar())) << "a writable layer is no target";
  for (const char* id : {"c", "child", "base"}) ASSERT_TRUE(driver_->Remove(id, false));
}

TEST_F(FolderTable, EntriesAreListedDescribedAndRead) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
  const auto cursor = driver_->Entries("child", "");
  ASSERT_TRUE(cursor) << cursor.error().ToString();
  std::vector<std::string> lines;
  EntryInfo info;
  while (*(*cursor)->Next(info)) {
    if (!info.path.starts_with("Hives")) lines.push_back(std::string(1, info.kind) + info.path);
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"dFiles", "dFiles/dir", "wFiles/dir/b.txt",
                                             "fFiles/dir/a.txt", "fFiles/new.txt"}));
  const auto details = driver_->Stat("child", "files/DIR/a.txt");
  ASSERT_TRUE(details) << details.error().ToString();
  EXPECT_EQ(details->info.size_bytes, 9U);
  EXPECT_EQ(driver_->Stat("child", "Files/none").error().code, Errc::kInvalidArgument);
  const auto file = driver_->OpenFile("child", "Files/dir/a.txt", "");
  ASSERT_TRUE(file) << file.error().ToString();
  Buffer content(100);
  content.resize(*(*file)->Read(content));
  EXPECT_EQ(AsText(content), "alpha two");
}

TEST_F(FolderTable, WhiteoutsAndLinksMeanWhatTheyMeanElsewhere) {
  ASSERT_TRUE(Apply("base", "",
                    MakeTar({{"Files", '5', "", ""},
                             {"Files/d", '5', "", ""},
                             {"Files/d/one", '0', "1", ""},
                             {"Files/d/two", '0', "2", ""},
                             {"Files/d/sub", '5', "", ""},
                             {"Files/d/sub/deep", '0', "3", ""},
                             {"Files/gone", '0', "gone", ""},
                             {"Files/kept", '0', "kept", ""},
                             {"Files/shared", '0', "of the parent", ""}})));
  const auto tar = MakeTar({{"Files", '5', "", ""},
                            {"Files/.wh.gone", '0', "", ""},
                            {"Files/.wh.KEPT", '0', "", ""},
                            {"Files/kept", '0', "again", ""},
                            {"Files/d", '5', "", ""},
                            {"Files/d/.wh..wh..opq", '0', "", ""},
                            {"Files/D/two", '0', "new two", ""},
                            {"Files/d/sub", '5', "", ""},
                            {"Files/copy", '1', "", "Files/shared"},
                            {"Files/first", '0', "one file", ""},
                            {"Files/second", '1', "", "Files/first"},
                            {"Files/first", '0', "another", ""}});
  const auto applied = Apply("child", "base", tar);
  ASSERT_TRUE(applied) << applied.error().ToString();
  EXPECT_EQ(applied->warnings.size(), 1U);
  EXPECT_EQ(applied->size_bytes, 5 + 7 + 13 + 8 + 7);
  EXPECT_EQ(*driver_->DiffSize("child", {}), applied->size_bytes);
  EXPECT_TRUE(*Diff("child") == tar);

  ASSERT_TRUE(driver_->CreateReadWrite("c", "child", 0));
  const auto path = driver_->Get("c", false);
  ASSERT_TRUE(path) << path.error().ToString();
  const std::filesystem::path root(*path);
  const auto exists = [&](const char* name) { return std::filesystem::exists(root / name); };
  EXPECT_FALSE(exists("gone"));
  EXPECT_FALSE(exists("d/one"));
  EXPECT_TRUE(exists("d/sub"));
  EXPECT_FALSE(exists("d/sub/deep"));
  EXPECT_EQ(std::filesystem::file_size(root / "d/two"), 7U);
  EXPECT_EQ(std::filesystem::file_size(root / "kept"), 5U);
  EXPECT_EQ(std::filesystem::file_size(root / "copy"), 13U);
  EXPECT_EQ(std::filesystem::file_size(root / "second"), 8U);
  EXPECT_EQ(std::filesystem::file_size(root / "first"), 7U);
  ASSERT_TRUE(driver_->Put("c"));
  const auto problems = driver_->Verify({}, VerifyDepth::kFull);
  ASSERT_TRUE(problems);
  EXPECT_TRUE(problems->empty()) << problems->front().path << problems->front().problem;

  const auto nowhere =
      Apply("n", "base", MakeTar({{"Files", '5', "", ""}, {"Files/l", '1', "", "Files/none"}}));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, Errc::kBadArchive) << nowhere.error().ToString();
  EXPECT_FALSE(driver_->Exists("n"));
}

TEST_F(FolderTable, LinksOfOneLayerAreOneFileOnDisk) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  const auto files = home_ / "base" / "Files";
  EXPECT_TRUE(std::filesystem::equivalent(files / "keep.txt", files / "link.txt"));
  // The documented limit: a transport folder knows no links, so that a tar rebuilt from one holds
  // two files.
  DiffOptions rebuild;
  rebuild.rebuild = true;
  const auto tar = Diff("base", rebuild);
  ASSERT_TRUE(tar);
  const auto again = Apply("again", "", *tar);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->size_bytes, 17);
  EXPECT_EQ(*driver_->DiffSize("base", {}), 13) << "as it was applied";
  // The portable store's layer has it as the link that was made after ImportLayer.
  driver_.reset();
  Open();
  std::filesystem::remove(home_ / "base" / ".wclayer" / "record.json");
  EXPECT_EQ(*driver_->DiffSize("base", {}), 13);
}

TEST_F(FolderTable, ALayerOfTheFolderPathIsOneOfTheStreamingPath) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(Apply("child", "base", ChildTar()));
  const auto ours = DiffByStreaming("child");
  ASSERT_TRUE(ours) << ours.error().ToString();
  driver_.reset();
  Open();
  EXPECT_TRUE(*Diff("child") == ChildTar()) << "replayed by path with the other table too";
  ASSERT_TRUE(Apply("streamed", "base", ChildTar()));
  const auto theirs = DiffByStreaming("streamed");
  ASSERT_TRUE(theirs);
  EXPECT_TRUE(*ours == *theirs);
}

TEST_F(FolderTable, AnUnfinishedImportIsUndoneByTheNextOpen) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(driver_->Create("stub", "base", 0));
  const auto before = Listing();
  driver_.reset();
  // As a killed process leaves it: marks without locks, layers without records.
  const auto tmp = home_ / ".wclayer" / "tmp";
  for (const auto& [id, existed] : {std::pair{"half", false}, std::pair{"stub", true}}) {
    const auto folder = tmp / (std::string(id) + "-0badcafe");
    std::filesystem::create_directories(folder / "layer" / "Files");
    std::ofstream(folder / "begun.json")
        << "{\"id\":\"" << id << "\",\"existed\":" << (existed ? "true" : "false") << "}";
    std::filesystem::create_directories(home_ / id / "Files");
    std::ofstream(home_ / id / "Files" / "x") << "half";
  }
  const auto folder = tmp / "base-0badcafe";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "begun.json") << "{\"id\":\"base\",\"existed\":false}";
  Open(table_);
  EXPECT_EQ(Listing(), before);
  EXPECT_FALSE(driver_->Exists("half"));
  EXPECT_TRUE(*Diff("base") == BaseTar()) << "a layer with a record is whole";
  ASSERT_TRUE(Apply("stub", "base", ChildTar()));
}

TEST_F(FolderTable, EveryFailureLeavesNothing) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  ASSERT_TRUE(driver_->Create("stub", "base", 0));
  driver_.reset();
  fault.fail_at = -1;
  table_ = WithoutStreaming(FaultTable(TableUnderTest()));
  Open(table_);
  DiffOptions rebuild;
  rebuild.rebuild = true;
  ASSERT_TRUE(Diff("base", rebuild));  // the portable store's layer settles at its first use
  const auto before = Listing();
  for (const char* id : {"new", "stub"}) {
    for (int n = 0;; ++n) {
      ASSERT_LT(n, 1000);
      fault.calls = 0;
      fault.failed = false;
      fault.fail_at = n;
      const auto applied = Apply(id, "base", ChildTar());
      fault.fail_at = -1;
      if (!fault.failed) {
        ASSERT_TRUE(applied) << applied.error().ToString();
        ASSERT_GT(n, 3);
        ASSERT_TRUE(driver_->Remove(id, false));
        if (std::string_view(id) == "stub") {
          ASSERT_TRUE(driver_->Create(id, "base", 0));
        }
        break;
      }
      EXPECT_FALSE(applied) << "call " << n;
      ASSERT_EQ(Listing(), before) << id << ", call " << n;
    }
  }
  // So do those of a Diff.
  for (int n = 0;; ++n) {
    ASSERT_LT(n, 1000);
    fault.calls = 0;
    fault.failed = false;
    fault.fail_at = n;
    const auto tar = Diff("base", rebuild);
    fault.fail_at = -1;
    ASSERT_EQ(Listing(), before) << "call " << n;
    if (fault.failed) continue;
    ASSERT_TRUE(tar);
    ASSERT_GT(n, 1);
    break;
  }
}

TEST_F(FolderTable, ADiffThatIsClosedEarlyLeavesNothing) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  for (const ArchiveFormat format : {ArchiveFormat::kOci, ArchiveFormat::kTransport}) {
    DiffOptions options;
    options.format = format;
    options.rebuild = true;
    auto source = driver_->Diff("base", options);
    ASSERT_TRUE(source);
    EXPECT_EQ(Temporary().size(), 1U);
    Buffer some(1000);
    ASSERT_TRUE((*source)->Read(some));
    source->reset();
    EXPECT_TRUE(Temporary().empty());
  }
}

TEST_F(FolderTable, ACutTarLeavesNothing) {
  ASSERT_TRUE(Apply("base", "", BaseTar()));
  const auto before = Listing();
  Buffer cut = ChildTar();
  cut.resize(2000);
  ASSERT_FALSE(Apply("child", "base", cut));
  EXPECT_EQ(Listing(), before);
}

}  // namespace
}  // namespace wclayer::test
