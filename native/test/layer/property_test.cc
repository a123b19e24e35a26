// Made-up layers with every kind of entry: what is exported and imported is the same layer, the
// second export the same tar, and so is the replay.
#include <array>
#include <cstdio>

#include "backup/ea.h"
#include "backup/reparse.h"
#include "backup/security.h"
#include "layer/support.h"
#include "tar/reader.h"

namespace wclayer::layer {
namespace {

using backup::StreamId;

class Generator {
 public:
  Generator(std::uint64_t seed, bool plain_names) : random_(seed), plain_names_(plain_names) {}

  MemoryLayer Layer() {
    MemoryLayer layer;
    folders_ = {"Files"};
    Add(layer, FolderOf("Files"));
    const std::size_t entries = 5 + Below(60);
    for (std::size_t i = 0; i < entries; ++i) AddOne(layer);
    return layer;
  }

 private:
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  bool OneIn(std::uint64_t chances) { return Below(chances) == 0; }

  std::string Noise(std::size_t most) {
    std::string bytes(Below(most + 1), '\0');
    for (char& c : bytes) c = static_cast<char>(random_());
    return bytes;
  }

  std::string Name() {
    static const std::array<std::string, 8> kParts = {
        "a", "B b", "\xC3\xBC", "\xF0\x9F\x98\x80", "\xED\xA0\x80", "=x", "long-name-", "%20"};
    std::string name = "n" + std::to_string(count_++) + "-";
    if (plain_names_) return name;
    for (std::size_t i = Below(4); i > 0; --i) name += kParts[Below(kParts.size())];
    if (OneIn(10)) name += std::string(Below(150), 'w');
    return name + "x";
  }

  std::string Path() { return folders_[Below(folders_.size())] + "/" + Name(); }

  void SetTimes(Item& item) {
    item.times[kWrite] = AnyTime();
    item.time_remainder[kWrite] = Remainder();
    for (const auto which : {kCreation, kAccess, kChange}) {
      const bool absent = OneIn(6);
      item.times[which] = absent ? item.times[kWrite] : AnyTime();
      item.time_remainder[which] = absent ? std::uint8_t{0} : Remainder();
      if (absent) item.time_absent = static_cast<std::uint8_t>(item.time_absent | 1u << which);
    }
  }
  std::int64_t AnyTime() {
    switch (Below(4)) {
      case 0:
        return static_cast<std::int64_t>(random_() >> 1);  // any year to 30828
      case 1:
        return -static_cast<std::int64_t>(Below(1u << 30));
      case 2:
        return 116444736000000000 - static_cast<std::int64_t>(Below(100'000'000));
      default:
        return 133444736000000000 + static_cast<std::int64_t>(Below(10'000'000'000));
    }
  }
  std::uint8_t Remainder() { return static_cast<std::uint8_t>(OneIn(4) ? Below(100) : 0); }

  std::vector<Stream> Metadata(Item& item) {
    std::vector<Stream> streams;
    const auto add = [&](StreamId id, std::string data) {
      streams.push_back({id, 0, u"", 0, std::move(data)});
    };
    if (!OneIn(4)) {
      add(StreamId::kSecurity,
          std::string(AsText(OneIn(2) ? backup::DefaultFileDescriptor()
                                      : backup::DefaultDirectoryDescriptor())));
    }
    if (OneIn(4)) add(StreamId::kEaData, Eas());
    if (OneIn(4)) {
      add(StreamId::kReparse, Reparse());
      item.attributes |= kAttributeReparsePoint;
    }
    if (OneIn(6)) add(StreamId::kObjectId, Noise(48) + std::string(16, 'o'));
    if (OneIn(10)) add(StreamId::kTxfs, Noise(60));
    if (OneIn(10)) item.short_name = u"SHORT~1.TXT";
    return streams;
  }

  std::string Eas() {
    std::vector<backup::ExtendedAttribute> attributes;
    for (std::size_t i = 0; i <= Below(4); ++i) {
      backup::ExtendedAttribute attribute;
      attribute.name = std::string(1, static_cast<char>('A' + i)) + (OneIn(8) ? "=" : "");
      Append(attribute.value, AsBytes(Noise(100)));
      attribute.flags = OneIn(3) ? 0x80 : 0;
      attributes.push_back(std::move(attribute));
    }
    return TextOf(*backup::BuildEas(attributes));
  }

  std::string Reparse() {
    link_ = !OneIn(3);
    if (link_) {
      static const std::array<std::u16string, 5> kTargets = {u"..\\x", u"C:\\Users\\\u00FC",
                                                             u"\\\\?\\Volume{1}\\", u"a/b", u""};
      return TextOf(backup::BuildReparse(kTargets[Below(kTargets.size())], OneIn(2)));
    }
    Buffer buffer;
    AppendLe(buffer, static_cast<std::uint32_t>(0x80000020u + Below(4)));
    AppendLe(buffer, std::uint32_t{0});
    Append(buffer, AsBytes(Noise(50)));
    return TextOf(buffer);
  }

  void AddAlternates(std::vector<Stream>& streams) {
    if (!OneIn(3)) return;
    for (std::size_t i = 0; i <= Below(3); ++i) {
      streams.push_back(Alternate(u"s\u00FC" + std::u16string(i + 1, u'x'), Noise(2000)));
    }
  }

  MemoryLayer::Entry FolderOf(std::string path) {
    MemoryLayer::Entry entry;
    entry.item.path = std::move(path);
    entry.item.attributes = kAttributeDirectory;
    SetTimes(entry.item);
    return entry;
  }

  void AddOne(MemoryLayer& layer) {
    switch (Below(8)) {
      case 0: {
        MemoryLayer::Entry entry = FolderOf(Path());
        std::vector<Stream> streams = Metadata(entry.item);
        AddAlternates(streams);
        entry.stream = Encode(streams);
        if ((entry.item.attributes & kAttributeReparsePoint) == 0) {
          folders_.push_back(entry.item.path);
        }
        return Add(layer, std::move(entry));
      }
      case 1: {
        MemoryLayer::Entry entry;
        entry.item.path = Path();
        entry.item.deleted = true;
        return Add(layer, std::move(entry));
      }
      case 2: {
        if (files_.empty()) return;
        MemoryLayer::Entry entry;
        entry.item.path = Path();
        entry.item.link_target = files_[Below(files_.size())];
        entry.item.attributes = 32;
        SetTimes(entry.item);
        return Add(layer, std::move(entry));
      }
      default:
        return AddFile(layer);
    }
  }

  void AddFile(MemoryLayer& layer) {
    MemoryLayer::Entry entry;
    entry.item.path = Path();
    entry.item.attributes = static_cast<std::uint32_t>(Below(1u << 20)) &
                            ~(kAttributeDirectory | kAttributeReparsePoint | kAttributeSparseFile);
    SetTimes(entry.item);
    link_ = false;
    std::vector<Stream> streams = Metadata(entry.item);
    const bool bare = (entry.item.attributes & kAttributeReparsePoint) != 0 && link_;
    if (!bare && !OneIn(6)) {
      if (OneIn(5)) {
        AddSparse(streams);
      } else {
        streams.push_back(Data(Noise(OneIn(10) ? 200'000 : 3000)));
      }
    }
    AddAlternates(streams);
    entry.stream = Encode(streams);
    files_.push_back(entry.item.path);
    Add(layer, std::move(entry));
  }

  void AddSparse(std::vector<Stream>& streams) {
    streams.push_back({StreamId::kData, backup::kAttributeSparse, u"", 0, ""});
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < Below(4); ++i) {
      at += Below(100'000);
      streams.push_back({StreamId::kSparseBlock, backup::kAttributeSparse, u"", at, Noise(500)});
      at += streams.back().data.size();
      if (streams.back().data.empty()) streams.pop_back();
    }
    at += Below(1000);
    streams.push_back({StreamId::kSparseBlock, backup::kAttributeSparse, u"", at, ""});
  }

  static void Add(MemoryLayer& layer, MemoryLayer::Entry entry) {
    if (!entry.item.deleted) layer.names[UpcaseUtf8(entry.item.path)] = layer.entries.size();
    layer.entries.push_back(std::move(entry));
  }

  std::mt19937_64 random_;
  bool plain_names_;
  int count_ = 0;
  bool link_ = false;
  std::vector<std::string> folders_;
  std::vector<std::string> files_;
};

// A stream list with the main data as it reads: a sparse file comes back with its zeros.
std::vector<Stream> Flattened(const Buffer& stream) {
  const std::vector<Stream> streams = Decode(stream);
  std::vector<Stream> flat;
  for (const Stream& each : streams) {
    if (each.id == StreamId::kSparseBlock) continue;
    flat.push_back(each);
    if (each.id != StreamId::kData) continue;
    flat.back().attributes = 0;
    flat.back().data = Content(streams, 0);
  }
  return flat;
}

void ExpectSameEntry(const MemoryLayer::Entry& made, const MemoryLayer::Entry& back) {
  const Item& a = made.item;
  const Item& b = back.item;
  SCOPED_TRACE(a.path);
  EXPECT_EQ(a.path, b.path);
  EXPECT_EQ(a.deleted, b.deleted);
  if (a.deleted) return;
  EXPECT_EQ(a.link_target.empty(), b.link_target.empty());
  EXPECT_EQ(a.attributes, b.attributes);
  EXPECT_EQ(a.time_absent, b.time_absent);
  EXPECT_EQ(a.short_name, b.short_name);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(a.times[i], b.times[i]) << i;
    EXPECT_EQ(a.time_remainder[i], b.time_remainder[i]) << i;
  }
  EXPECT_TRUE(Flattened(made.stream) == Flattened(back.stream));
}

// The links of a made-up layer lead to the first name in export order, as a store's do.
void LeadLinks(MemoryLayer& layer) {
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < layer.entries.size(); ++i) {
    const Item& item = layer.entries[i].item;
    if (!item.link_target.empty()) groups[item.link_target].push_back(i);
  }
  for (auto& [first, links] : groups) {
    // A link that would come before its file is dropped: it would be the first name.
    auto source = MemorySource::Of(layer);
    bool seen = false;
    Item item;
    while (*source.Next(item)) {
      if (item.path == first) seen = true;
      if (item.link_target == first && !seen) {
        layer.entries[layer.names.at(UpcaseUtf8(item.path))].replaced = true;
      }
    }
  }
}

std::string Exported(const MemoryLayer& layer, std::size_t piece) {
  auto source = MemorySource::Of(layer, piece);
  TarExporter exporter(source, WriterMode::kStore);
  const auto tar = Drain(exporter, piece == SIZE_MAX ? 1u << 20 : 64u << 10);
  EXPECT_TRUE(tar) << Describe(tar);
  return tar ? *tar : "";
}

// C2, C4.
TEST(Property, ALayerSurvivesTheTar) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    MemoryLayer made = Generator(seed, false).Layer();
    LeadLinks(made);
    const std::string tar = Exported(made, SIZE_MAX);
    ASSERT_EQ(tar, Exported(made, 100));

    const TemporaryFolder folder;
    MemoryLayer back;
    auto skeleton = SkeletonWriter::Create(folder.path());
    ASSERT_TRUE(skeleton);
    ImportSummary summary;
    const auto imported = Import(tar, back, skeleton->get(), {}, &summary, 1 + seed * 97);
    ASSERT_TRUE(imported) << Describe(imported);
    ASSERT_TRUE((*skeleton)->Finish());
    EXPECT_TRUE(summary.warnings.empty()) << summary.warnings.front();

    std::vector<MemoryLayer::Entry> expected;
    for (const MemoryLayer::Entry& entry : made.entries) {
      if (!entry.replaced) expected.push_back(entry);
    }
    ASSERT_EQ(back.entries.size(), expected.size());
    for (const MemoryLayer::Entry& entry : expected) {
      if (entry.item.deleted) continue;
      const MemoryLayer::Entry* found = back.Find(entry.item.path);
      ASSERT_NE(found, nullptr) << entry.item.path;
      ExpectSameEntry(entry, *found);
    }
    EXPECT_TRUE(Exported(back, SIZE_MAX) == tar);

    auto source = MemorySource::Of(back);
    auto replay = SkeletonReplay::Open(folder.path(), source);
    ASSERT_TRUE(replay) << Describe(replay);
    const auto replayed = Drain(**replay);
    ASSERT_TRUE(replayed) << Describe(replayed);
    EXPECT_TRUE(*replayed == tar);
    if (testing::Test::HasFailure()) return;
  }
}

// What bsdtar lists is what our reader sees.
TEST(Property, BsdtarSeesTheSameEntries) {
  struct Names final : tar::Sink {
    Status OnRaw(Bytes) override { return {}; }
    Status OnEntry(const tar::Entry& entry) override {
      names += entry.name + "\n";
      return {};
    }
    Status OnPayload(Bytes) override { return {}; }
    Status OnEntryEnd() override { return {}; }
    std::string names;
  };
  const TemporaryFolder folder;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    MemoryLayer made = Generator(seed, true).Layer();
    for (auto& entry : made.entries) {  // names of streams are not ASCII
      std::vector<Stream> streams = Decode(entry.stream);
      std::erase_if(streams, [](const Stream& s) { return s.id == StreamId::kAlternateData; });
      entry.stream = Encode(streams);
    }
    LeadLinks(made);
    const std::string tar = Exported(made, SIZE_MAX);
    Names ours;
    tar::Reader reader(ours);
    ASSERT_TRUE(reader.Write(AsBytes(tar)));
    ASSERT_TRUE(reader.Finish());
    const std::string path = folder.path() + "/layer.tar";
    std::ofstream(path, std::ios::binary) << tar;
    FILE* pipe = popen(("LC_ALL=C.UTF-8 bsdtar -tf '" + path + "'").c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string theirs;
    std::array<char, 4096> part{};
    for (std::size_t size; (size = fread(part.data(), 1, part.size(), pipe)) > 0;) {
      theirs.append(part.data(), size);
    }
    EXPECT_EQ(pclose(pipe), 0);
    EXPECT_EQ(theirs, ours.names);
  }
}

}  // namespace
}  // namespace wclayer::layer
