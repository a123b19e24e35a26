// Tars come back byte for byte, and nothing damaged is handed on as if it were whole.
#include "layer/skeleton.h"

#include "layer/skeleton_format.h"
#include "layer/support.h"

namespace wclayer::layer {
namespace {

// A tar applied with its skeleton kept.
class Kept {
 public:
  explicit Kept(const std::string& tar, std::size_t piece = SIZE_MAX, bool sums = false) {
    layer.sums = sums;
    SkeletonWriter skeleton(*fs::Dir::OpenAbsolute(folder.path()));
    status = Import(tar, layer, &skeleton, {}, &summary, piece);
    if (status) status = skeleton.Finish();
    EXPECT_TRUE(status) << Describe(status);
  }

  Expected<std::string> Replay(std::size_t buffer = 64u << 10) {
    auto source = MemorySource::Of(layer, 5000);
    WCLAYER_ASSIGN(auto replay, SkeletonReplay::Open(folder.path(), source));
    auto tar = Drain(*replay, buffer);
    seeks = source.seeks;
    return tar;
  }

  std::string Path(const char* name) const { return folder.path() + "/" + name; }
  std::string Read(const char* name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  void Write(const char* name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary | std::ios::trunc) << bytes;
  }

  TemporaryFolder folder;
  MemoryLayer layer;
  ImportSummary summary;
  Status status;
  std::size_t seeks = 0;
};

void ExpectBack(const std::string& tar) {
  for (const std::size_t piece : {SIZE_MAX, std::size_t{700}}) {
    Kept kept(tar, piece);
    for (const std::size_t buffer :
         {std::size_t{64} << 10, std::size_t{1} << 20, std::size_t{999}}) {
      const auto back = kept.Replay(buffer);
      ASSERT_TRUE(back) << Describe(back);
      EXPECT_TRUE(*back == tar) << back->size() << " bytes instead of " << tar.size();
    }
  }
}

TEST(Skeleton, GivesEveryByteBack) {
  const std::string big(200'000, 'b');
  const std::string tar = TarBuilder()
                              .Folder("Files")
                              .File("Files/a", "text")
                              .File("Files/a:s", "stream")
                              .File("Files/a:t", "other stream")
                              .File("Files/big", big)
                              .File("Files/big:s", big)
                              .File("Files/.wh.x", "a whiteout with data")
                              .Add(Typed('V', "label"))
                              .Add(Typed('D', "dump"), "unknown data")
                              .Link("Files/b", "Files/a")
                              .Finish();
  ExpectBack(tar);
  ExpectBack(tar + std::string(300'000, '\0'));  // GNU tar's blocking, and more
  ExpectBack(tar + "trailing garbage" + big);
  ExpectBack(tar.substr(0, tar.size() - 1024));  // no end blocks (C14)
  ExpectBack(tar.substr(0, tar.size() - 700));
  ExpectBack(std::string(1024, '\0'));
}

TEST(Skeleton, KeepsWhatADuplicateReplaces) {
  const std::string big(150'000, 'x');
  ExpectBack(TarBuilder()
                 .Folder("Files")
                 .Folder("Files/d")
                 .File("Files/d:s", "stream of a folder")
                 .File("Files/a", "first")
                 .File("Files/a:one", big)
                 .File("Files/a:two", "2")
                 .Link("Files/l", "Files/a")
                 .File("Files/A", big)
                 .Add(Typed('D', "dump"), "between")
                 .Folder("Files/D")
                 .File("Files/D:s", "another stream")
                 .File("Files/D:t", "and more")
                 .File("Files/a", "third")
                 .Folder("Files/d")
                 .File("Files/d:s", "the last")
                 .Finish());
}

// Where the store has a payload's checksum nobody computes it again.
TEST(Skeleton, TakesTheStoresChecksums) {
  const std::string big(200'000, 'b');
  const std::string tar = TarBuilder()
                              .Folder("Files")
                              .File("Files/a", "text")
                              .File("Files/a:s", "stream")
                              .File("Files/big", big)
                              .File("Files/none", "")
                              .File("Files/A", "again")
                              .Add(Typed('D', "dump"), "unknown data")
                              .Finish();
  Kept told(tar, 700, true);
  const Kept computed(tar, 700);
  EXPECT_EQ(told.Read(skeleton::kFile), computed.Read(skeleton::kFile));
  EXPECT_EQ(told.Read(skeleton::kExtraFile), computed.Read(skeleton::kExtraFile));
  for (const std::size_t buffer : {std::size_t{1} << 20, std::size_t{999}}) {
    const auto back = told.Replay(buffer);
    ASSERT_TRUE(back) << Describe(back);
    EXPECT_TRUE(*back == tar);
  }
  // The store answers for what it gives …
  MemoryLayer::Entry& entry = told.layer.entries[told.layer.names.at("FILES/BIG")];
  ASSERT_TRUE(entry.item.has_checksum);
  entry.stream.back() ^= std::byte{1};
  EXPECT_TRUE(told.Replay());
  // … and that has to be what the tar held.
  entry.item.checksum ^= 1;
  for (const std::size_t buffer : {std::size_t{1} << 20, std::size_t{999}}) {
    const auto back = told.Replay(buffer);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, Errc::kLayerDamaged);
    EXPECT_EQ(back.error().path, "Files/big");
  }
}

TEST(Skeleton, SeeksOncePerFile) {
  Kept kept(
      TarBuilder().File("Files/a", "1").File("Files/a:s", "2").File("Files/a:t", "3").Finish());
  ASSERT_TRUE(kept.Replay());
  EXPECT_EQ(kept.seeks, 1u);
}

// Sparse entries: the archived ranges, whatever the dialect; and a duplicate of one.
TEST(Skeleton, KeepsTheTarsOfOthers) {
  const TemporaryFolder work;
  const std::filesystem::path root = work.path();
  std::filesystem::create_directories(root / "Files/folder");
  const auto shell = [&](const std::string& command) {
    ASSERT_EQ(std::system(("cd '" + work.path() + "' && " + command).c_str()), 0) << command;
  };
  {
    std::ofstream(root / "Files/text") << "some text\n";
    std::ofstream sparse(root / "Files/holes", std::ios::binary);
    for (const int at : {0, 1'000'000, 3'000'000}) {
      sparse.seekp(at);
      sparse << std::string(5000, static_cast<char>('a' + at / 1'000'000));
    }
    sparse.seekp(5'000'000);
    sparse << "end";
    std::ofstream(root / "Files/folder/empty");
  }
  shell("truncate -s 3000000 Files/nothing");
  shell("tar --format=gnu --sparse -cf gnu.tar Files");
  shell("tar --format=posix --sparse --sparse-version=0.1 -cf pax01.tar Files");
  shell("tar --format=posix --sparse --sparse-version=1.0 -cf pax10.tar Files");
  shell("tar --format=ustar -cf ustar.tar ./Files Files/text");
  shell("bsdtar --format=pax -cf bsd.tar Files");
  shell("cp gnu.tar twice.tar && tar --format=gnu --sparse -rf twice.tar Files/holes");
  shell(
      "python3 -c \"import tarfile; t = tarfile.open('python.tar', 'w'); t.add('Files'); "
      "t.close()\"");
  for (const char* name :
       {"gnu.tar", "pax01.tar", "pax10.tar", "ustar.tar", "bsd.tar", "twice.tar", "python.tar"}) {
    SCOPED_TRACE(name);
    std::ifstream file(root / name, std::ios::binary);
    const std::string tar{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    ExpectBack(tar);
    Kept kept(tar);
    const std::string holes = Content(kept.layer.StreamsOf("Files/holes"), 0);
    ASSERT_EQ(holes.size(), 5'000'003u);
    EXPECT_EQ(holes.substr(1'000'000, 5000), std::string(5000, 'b'));
    EXPECT_EQ(holes.substr(4'999'999), std::string("\0end", 4));
    EXPECT_EQ(Content(kept.layer.StreamsOf("Files/nothing"), 0), std::string(3'000'000, '\0'));
  }
}

TEST(Skeleton, AChangedSmallPayloadIsFoundBeforeItIsHandedOn) {
  Kept kept(TarBuilder().File("Files/a", std::string(1000, 'a')).Finish());
  MemoryLayer::Entry& entry = kept.layer.entries.back();
  const Buffer whole = entry.stream;
  const auto expect_damage = [&](const Buffer& stream, const char* what) {
    entry.stream = whole;
    auto source = MemorySource::Of(kept.layer);
    entry.stream = stream;
    auto replay = SkeletonReplay::Open(kept.folder.path(), source);
    ASSERT_TRUE(replay);
    Buffer buffer(64u << 10);
    const auto first = (*replay)->Fill(buffer);
    ASSERT_FALSE(first) << what;
    EXPECT_EQ(first.error().code, Errc::kLayerDamaged) << what;
    EXPECT_EQ(first.error().path, "Files/a") << what;
  };
  Buffer stream = whole;
  stream.back() ^= std::byte{1};
  expect_damage(stream, "changed");
  expect_damage(Encode({Data(std::string(999, 'a'))}), "shorter");
  expect_damage(Encode({Data(std::string(1001, 'a'))}), "longer");
  expect_damage({}, "missing");
  stream = whole;
  stream.pop_back();
  expect_damage(stream, "cut");
  stream.resize(7);
  expect_damage(stream, "cut in a header");
  entry.stream = whole;
  entry.replaced = true;  // the entry itself is gone
  const auto back = kept.Replay();
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, Errc::kLayerDamaged);
}

TEST(Skeleton, AChangedLargePayloadFailsTheStreamBeforeItsEnd) {
  Kept kept(TarBuilder().File("Files/a", std::string(300'000, 'a')).Finish());
  kept.layer.entries.back().stream.back() ^= std::byte{1};
  auto source = MemorySource::Of(kept.layer);
  auto replay = SkeletonReplay::Open(kept.folder.path(), source);
  ASSERT_TRUE(replay);
  const auto tar = Drain(**replay);
  ASSERT_FALSE(tar);
  EXPECT_EQ(tar.error().code, Errc::kLayerDamaged);
  EXPECT_EQ(tar.error().path, "Files/a");
}

TEST(Skeleton, AChangedExtraIsFound) {
  Kept kept(TarBuilder().File("Files/a", "first").File("Files/a", "second").Finish());
  const std::string extra = kept.Read(skeleton::kExtraFile);
  EXPECT_EQ(extra, "first");
  kept.Write(skeleton::kExtraFile, "fIrst");
  ASSERT_FALSE(kept.Replay());
  EXPECT_EQ(kept.Replay().error().code, Errc::kLayerDamaged);
  kept.Write(skeleton::kExtraFile, "fir");
  EXPECT_EQ(kept.Replay().error().code, Errc::kLayerDamaged);
  std::filesystem::remove(kept.Path(skeleton::kExtraFile));
  EXPECT_EQ(kept.Replay().error().code, Errc::kLayerDamaged);
}

// Every byte of the file is covered by some checksum, but for the zeros that fill the header.
TEST(Skeleton, EveryFlippedByteIsFound) {
  TarBuilder builder;
  builder.Folder("Files").File("Files/a", "first").File("Files/a", "second");
  builder.Add(Typed('D', "dump"), "extra");
  const std::string tar = builder.Finish();
  Kept kept(tar);
  const std::string whole = kept.Read(skeleton::kFile);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string broken = whole;
      broken[at] = static_cast<char>(broken[at] ^ (1 << bit));
      kept.Write(skeleton::kFile, broken);
      const auto back = kept.Replay();
      if (at >= skeleton::kHeaderSumAt + 8 && at < skeleton::kHeaderBytes) {
        EXPECT_TRUE(back && *back == tar) << at;
      } else {
        ASSERT_FALSE(back) << "byte " << at;
        EXPECT_EQ(back.error().code, Errc::kLayerDamaged) << back.error().ToString();
      }
    }
  }
}

TEST(Skeleton, EveryCutIsFound) {
  Kept kept(TarBuilder().Folder("Files").File("Files/a", "1").File("Files/a", "2").Finish());
  const std::string whole = kept.Read(skeleton::kFile);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    kept.Write(skeleton::kFile, whole.substr(0, size));
    const auto back = kept.Replay();
    ASSERT_FALSE(back) << size;
    EXPECT_EQ(back.error().code, Errc::kLayerDamaged);
  }
  kept.Write(skeleton::kFile, whole + "x");
  EXPECT_FALSE(kept.Replay());
}

TEST(Skeleton, OneThatWasNeverFinishedIsNone) {
  const TemporaryFolder folder;
  EXPECT_FALSE(*SkeletonReplay::Exists(folder.path()));
  EXPECT_FALSE(*SkeletonReplay::Exists(folder.path() + "/none"));
  {
    SkeletonWriter writer(*fs::Dir::OpenAbsolute(folder.path()));
    ASSERT_TRUE(writer.Raw(AsBytes(std::string(1 << 20, 'r'))));
  }
  EXPECT_TRUE(*SkeletonReplay::Exists(folder.path()));
  MemorySource source({});
  const auto replay = SkeletonReplay::Open(folder.path(), source);
  ASSERT_FALSE(replay);
  EXPECT_EQ(replay.error().code, Errc::kLayerDamaged);
}

// GNU tar stores a file that it is given twice as a hard link to itself.
TEST(Skeleton, KeepsALinkToItself) {
  const std::string tar =
      TarBuilder().Folder("Files").File("./Files/a", "x").Link("Files/a", "./Files/a").Finish();
  ExpectBack(tar);
  Kept kept(tar);
  EXPECT_EQ(kept.summary.warnings.size(), 1u);
  EXPECT_EQ(kept.summary.size_bytes, 1);
}

TEST(Skeleton, IsSmall) {
  TarBuilder tar;
  tar.Folder("Files");
  constexpr int kFiles = 3000;
  std::mt19937_64 random(1);
  const std::string descriptors[] = {std::string(200, 'A'), std::string(280, 'B')};
  for (int i = 0; i < kFiles; ++i) {
    tar::Header header =
        Typed('0', "Files/Windows/WinSxS/amd64_component-" + std::to_string(random() % 100000) +
                       "/file" + std::to_string(i) + ".dll");
    header.mode = 0100000;
    header.mtime = {1'600'000'000 + static_cast<std::int64_t>(random() % 100'000'000),
                    static_cast<std::int32_t>(random() % 10'000'000 * 100)};
    header.atime = header.mtime;
    header.ctime = header.mtime;
    header.pax = {{"LIBARCHIVE.creationtime", tar::FormatTime(header.mtime)},
                  {"MSWINDOWS.fileattr", "32"},
                  {"WCLAYER.stream.6", descriptors[i % 2]}};
    std::string data(100, '\0');
    for (char& c : data) c = static_cast<char>(random());
    tar.Add(header, data);
  }
  Kept kept(tar.Finish());
  EXPECT_LE(kept.Read(skeleton::kFile).size(), kFiles * 120u);
}

}  // namespace
}  // namespace wclayer::layer
