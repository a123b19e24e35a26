// Tars of transport folders (spec layer-formats §f, oracle-cases §8).
#include "layer/transport.h"

#include "fs/dir.h"
#include "layer/support.h"
#include "tar/reader.h"

namespace wclayer::layer {
namespace {

namespace files = std::filesystem;

Status Untar(const std::string& tar, const std::string& folder, std::int64_t* size = nullptr,
             std::size_t piece = SIZE_MAX) {
  WCLAYER_ASSIGN(const auto untar, FolderUntar::Open(folder));
  for (std::size_t at = 0; at < tar.size(); at += std::min(piece, tar.size() - at)) {
    WCLAYER_TRY(untar->Write(AsBytes(std::string_view(tar).substr(at, piece))));
  }
  WCLAYER_TRY(untar->Finish());
  if (size != nullptr) *size = untar->size_bytes();
  return {};
}

Expected<std::string> TarOf(const std::string& folder, std::size_t buffer = 64u << 10) {
  WCLAYER_ASSIGN(const auto tar, FolderTar::Open(folder));
  return Drain(*tar, buffer);
}

void Put(const files::path& path, std::string_view text, files::perms mode = files::perms{0600}) {
  files::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  files::permissions(path, mode);
}

std::string Read(const files::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Listing final : tar::Sink {
  Status OnRaw(Bytes) override { return {}; }
  Status OnEntry(const tar::Entry& entry) override {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", entry.mode);
    text += std::string(1, entry.type) + " " + mode + " " + entry.name + " " +
            std::to_string(entry.size) + " " + std::to_string(entry.mtime.seconds) + "\n";
    return {};
  }
  Status OnPayload(Bytes) override { return {}; }
  Status OnEntryEnd() override { return {}; }
  std::string text;
};

std::string List(const std::string& tar) {
  Listing listing;
  tar::Reader reader(listing, {.strict_end = true});
  auto status = reader.Write(AsBytes(tar));
  if (status) status = reader.Finish();
  EXPECT_TRUE(status) << Describe(status);
  return listing.text;
}

// The word and stream of a stored file.
std::string Stored(std::string_view data) {
  Buffer bytes;
  AppendLe(bytes, std::uint32_t{32});
  std::string descriptor(1, '\x01');
  descriptor += std::string(19, '\0');
  Append(bytes,
         Encode({{backup::StreamId::kSecurity, 0, u"", 0, descriptor}, Data(std::string(data))}));
  return TextOf(bytes);
}

TEST(Transport, TarAndBack) {
  const TemporaryFolder from;
  const files::path root = from.path();
  Put(root / "tombstones.txt", "\xEF\xBB\xBFVersion 1.0\n\\gone\n");
  Put(root / "Files.$wcidirs$", "meta");
  Put(root / "Files/a.txt", Stored("text"), files::perms{0644});
  Put(root / "Files/read only", "r", files::perms{0444});
  Put(root / "Files/sub.$wcidirs$", "meta");
  Put(root / "Files/sub/b", std::string(100'000, 'b'));
  Put(root / u8"Files/\u00FC", "u");
  Put(root / "Hives/System_Delta", "regf");
  const auto folder = fs::Dir::OpenAbsolute(from.path());
  ASSERT_TRUE(folder) << Describe(folder);
  for (const auto& entry : files::recursive_directory_iterator(root)) {
    const auto name = entry.path().lexically_relative(root).generic_string();
    ASSERT_TRUE(folder->SetTimes(name, 1'500'000'000, 999'999'999)) << name;
  }
  const auto tar = TarOf(from.path());
  ASSERT_TRUE(tar) << Describe(tar);
  EXPECT_EQ(*tar, *TarOf(from.path(), 100));
  const std::string stored = std::to_string(Stored("text").size());
  EXPECT_EQ(List(*tar), "5 0755 Files/ 0 1500000000\n0 0755 Files/a.txt " + stored +
                            " 1500000000\n"
                            "0 0555 Files/read only 1 1500000000\n"
                            "5 0755 Files/sub/ 0 1500000000\n"
                            "0 0755 Files/sub/b 100000 1500000000\n"
                            "0 0755 Files/sub.$wcidirs$ 4 1500000000\n"
                            "0 0755 Files/\xC3\xBC 1 1500000000\n"
                            "0 0755 Files.$wcidirs$ 4 1500000000\n"
                            "5 0755 Hives/ 0 1500000000\n"
                            "0 0755 Hives/System_Delta 4 1500000000\n"
                            "0 0755 tombstones.txt 21 1500000000\n");
  EXPECT_EQ(RecogniseTar(AsBytes(*tar)), TarKind::kTransport);

  const TemporaryFolder to;
  std::int64_t size = 0;
  ASSERT_TRUE(Untar(*tar, to.path(), &size, 777));
  EXPECT_EQ(size, static_cast<std::int64_t>(100'000 + Stored("text").size() + 35));
  EXPECT_EQ(Read(files::path(to.path()) / "Files/a.txt"), Stored("text"));
  // The read-only file comes back writable, as the reference's does; all else is the same.
  files::permissions(files::path(to.path()) / "Files/read only", files::perms{0444});
  const auto again = TarOf(to.path());
  ASSERT_TRUE(again);
  EXPECT_TRUE(*again == *tar);
}

TEST(Transport, NothingLeavesTheFolder) {
  const TemporaryFolder outer;
  const files::path root = files::path(outer.path()) / "in";
  files::create_directories(root);
  Put(files::path(outer.path()) / "canary", "alive");
  for (const char* name : {"../canary", "/canary", "a/../../canary", "a\\b", "C:/canary", "..",
                           ".wh...", ".wh.", ".wh../canary", "a/.wh...", ".wclayer/store.json",
                           ".WCLAYER/x", ".wh..wclayer", "con", "a.", "a\x01"}) {
    EXPECT_FALSE(Untar(TarBuilder().File(name, "dead").Finish(), root.string())) << name;
  }
  EXPECT_EQ(Read(files::path(outer.path()) / "canary"), "alive");
}

TEST(Transport, LinksThatAreThereAreNotFollowed) {
  const TemporaryFolder outer;
  const files::path root = files::path(outer.path()) / "in";
  files::create_directories(root);
  Put(files::path(outer.path()) / "canary", "alive");
  files::create_directory_symlink("..", root / "up");
  EXPECT_FALSE(Untar(TarBuilder().File("up/canary", "dead").Finish(), root.string()));
  EXPECT_FALSE(Untar(TarBuilder().File("up/.wh.canary").Finish(), root.string()));
  EXPECT_FALSE(Untar(TarBuilder().Symlink("link", "..").Finish(), root.string()));
  EXPECT_FALSE(Untar(TarBuilder().Link("hard", "../canary").Finish(), root.string()));
  EXPECT_FALSE(Untar(TarBuilder().Link("hard", "up/canary").Finish(), root.string()));
  EXPECT_EQ(Read(files::path(outer.path()) / "canary"), "alive");
  // A file replaces the link itself.
  ASSERT_TRUE(Untar(TarBuilder().File("up", "a file now").Finish(), root.string()));
  EXPECT_EQ(Read(root / "up"), "a file now");
  EXPECT_EQ(Read(files::path(outer.path()) / "canary"), "alive");
}

TEST(Transport, UntarDoesWhatV110Did) {
  const TemporaryFolder folder;
  const files::path root = folder.path();
  Put(root / "old/keep/x", "x");
  Put(root / "old/gone/y", "y");
  Put(root / "whited/z", "z");
  Put(root / "file", "a file");
  Put(root / ".wclayer/store.json", "ours");
  tar::Header device;
  device.name = "dev";
  device.type = '3';
  std::int64_t size = 0;
  const auto done = Untar(TarBuilder()
                              .File("old/keep/new", "12345")
                              .File("old/.wh..wh..opq")
                              .File(".wh.whited")
                              .File(".wh.never there")
                              .Folder("file/")
                              .File("implied/parent/f", "678")
                              .File("name:stream", "not kept")
                              .Add(device)
                              .Link("linked", "implied/parent/f")
                              .File("implied/parent/g", "first")
                              .File("implied/parent/g", "second")
                              .Finish(),
                          folder.path(), &size, 100);
  ASSERT_TRUE(done) << Describe(done);
  EXPECT_EQ(size, 5 + 3 + 8 + 5 + 6);
  EXPECT_TRUE(files::exists(root / "old/keep/new"));
  EXPECT_FALSE(files::exists(root / "old/gone"));
  EXPECT_FALSE(files::exists(root / "whited"));
  EXPECT_TRUE(files::is_directory(root / "file"));
  EXPECT_EQ(Read(root / "linked"), "678");
  EXPECT_EQ(Read(root / "implied/parent/g"), "second");
  EXPECT_FALSE(files::exists(root / "name:stream"));
  EXPECT_FALSE(files::exists(root / "dev"));
  EXPECT_EQ(Read(root / ".wclayer/store.json"), "ours");
  // An opaque folder at the top leaves what the store keeps for itself.
  ASSERT_TRUE(Untar(TarBuilder().File(".wh..wh..opq").Finish(), folder.path()));
  EXPECT_FALSE(files::exists(root / "old"));
  EXPECT_EQ(Read(root / ".wclayer/store.json"), "ours");
}

TEST(Transport, DeepFoldersNeedNoDeepStack) {
  const TemporaryFolder from;
  std::string path = "Files";
  for (int i = 0; i < 150; ++i) path += "/d" + std::to_string(i);
  const std::string tar = TarBuilder().File(path + "/f", "deep").File("Files/z", "last").Finish();
  ASSERT_TRUE(Untar(tar, from.path()));
  const auto back = TarOf(from.path());
  ASSERT_TRUE(back) << Describe(back);
  const TemporaryFolder again;
  ASSERT_TRUE(Untar(*back, again.path()));
  EXPECT_EQ(Read(files::path(again.path()) / path / "f"), "deep");
}

TEST(Transport, LinksAndDevicesAreNoTransportFolder) {
  const TemporaryFolder folder;
  files::create_symlink("x", files::path(folder.path()) / "link");
  const auto tar = TarOf(folder.path());
  ASSERT_FALSE(tar);
  EXPECT_EQ(tar.error().path, "link");
}

TEST(Transport, RecognisesTars) {
  const auto kind = [](const std::string& tar) {
    return RecogniseTar(AsBytes(tar.substr(0, 64u << 10)));
  };
  EXPECT_EQ(kind(""), TarKind::kUnknown);
  EXPECT_EQ(kind(std::string(1024, '\0')), TarKind::kUnknown);
  EXPECT_EQ(kind("<html>"), TarKind::kUnknown);
  EXPECT_EQ(kind(ReadFixture("golden-oci/basic/expected.tar")), TarKind::kOci);
  EXPECT_EQ(kind(TarBuilder().Folder("Files/").File("Files/a", "text").Finish()), TarKind::kOci);
  EXPECT_EQ(kind(TarBuilder().Folder("Files/").File("Files.$wcidirs$", "m").Finish()),
            TarKind::kTransport);
  EXPECT_EQ(kind(TarBuilder().Folder("Files/").File("tombstones.txt", "m").Finish()),
            TarKind::kTransport);
  EXPECT_EQ(kind(TarBuilder().File("Files/tombstones.txt", "m").Finish()), TarKind::kOci);
  const std::string large = Stored(std::string(200'000, 'x'));
  EXPECT_EQ(kind(TarBuilder().Folder("Files/").File("Files/a", large).Finish()),
            TarKind::kTransport);
  EXPECT_EQ(kind(TarBuilder().Folder("Files").File("Files/a", large).Finish()), TarKind::kOci);
}

}  // namespace
}  // namespace wclayer::layer
