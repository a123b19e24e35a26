#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "fs/system.h"
#include "io/digest.h"
#include "portable/metadata.h"
#include "portable/metadata_file.h"
#include "portable/names.h"
#include "store_fixture.h"

namespace wclayer::portable::test {
namespace {

class MetadataTest : public testing::Test {
 protected:
  MetadataTest() { folder_ = *fs::Dir::OpenAbsolute(temporary_.path()); }

  std::unique_ptr<MetadataWriter> NewWriter() {
    EXPECT_TRUE(folder_.RemoveTree(kMetadataFile).has_value());
    auto writer = MetadataWriter::Create(folder_);
    EXPECT_TRUE(writer.has_value());
    return *std::move(writer);
  }
  std::unique_ptr<MetadataReader> NewReader(std::size_t blocks = 4) {
    auto reader = MetadataReader::Open(folder_, blocks);
    EXPECT_TRUE(reader.has_value()) << reader.error().ToString();
    return reader ? *std::move(reader) : nullptr;
  }
  std::string path() const { return temporary_.path() + "/" + kMetadataFile; }

  TemporaryFolder temporary_;
  fs::Dir folder_;
};

Entry Named(std::string path, Kind kind) {
  Entry entry;
  entry.path = std::move(path);
  entry.disk_path = entry.path;
  entry.kind = kind;
  return entry;
}

std::uint32_t MustAdd(MetadataWriter& writer, std::uint32_t parent, const Entry& entry) {
  auto ordinal = writer.Add(parent, entry);
  EXPECT_TRUE(ordinal.has_value()) << ordinal.error().ToString();
  return ordinal ? *ordinal : kNoOrdinal;
}

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }
  Buffer Bytes(std::size_t most) {
    Buffer bytes(Below(most + 1));
    for (auto& byte : bytes) byte = static_cast<std::byte>(random_());
    return bytes;
  }
  std::string Name(std::size_t number) {
    static const char* const kStems[] = {
        "a", "Readme", "ntdll.dll", "\xC3\xA4\xC3\xB6", "\xED\xA0\x80x", "z z", "-", "~"};
    return std::string(kStems[Below(std::size(kStems))]) + std::to_string(number);
  }

  Entry File(std::string path) {
    Entry entry = Named(std::move(path), Kind::kFile);
    Common(entry);
    entry.size = Below(1u << 20);
    entry.has_data_stream = Below(2) == 0;
    entry.data_attributes = static_cast<std::uint32_t>(Below(16));
    entry.checksum = random_();
    entry.has_checksum = Below(2) == 0;
    if (Below(5) == 0) {
      entry.sparse = true;
      std::uint64_t at = 0;
      for (std::uint64_t i = Below(20); i > 0; --i) {
        const DataRange range{at + Below(1000), 1 + Below(1000)};
        entry.ranges.push_back(range);
        at = range.offset + range.size;
      }
      entry.size = at + Below(5000);
    }
    return entry;
  }

  void Common(Entry& entry) {
    for (auto& time : entry.times) time = static_cast<std::int64_t>(random_());
    if (Below(3) == 0)
      for (auto& left : entry.time_remainder) left = static_cast<std::uint8_t>(Below(100));
    entry.time_absent = static_cast<std::uint8_t>(Below(16));
    if (Below(3) == 0) entry.short_name = std::u16string(1 + Below(12), u'\xD801');
    entry.attributes = static_cast<std::uint32_t>(random_());
    if (Below(4) != 0) entry.security = Buffer(20 + Below(5), static_cast<std::byte>(Below(7)));
    entry.security_attributes = static_cast<std::uint32_t>(Below(3));
    for (std::uint64_t i = Below(4); i > 1; --i) {
      StreamRecord stream;
      stream.header.id = Below(2) == 0 ? StreamId::kAlternateData : StreamId::kEaData;
      stream.header.attributes = static_cast<std::uint32_t>(random_());
      if (stream.header.id == StreamId::kAlternateData) stream.header.name = u":s\xD800:$DATA";
      stream.after_data = Below(2) == 0;
      stream.checksum = random_();
      if (Below(3) == 0) {
        stream.external = true;
        stream.header.size = Below(1u << 30);
        stream.offset = Below(1ull << 40);
      } else {
        stream.inline_data = Bytes(300);
        stream.header.size = stream.inline_data.size();
      }
      entry.streams.push_back(std::move(stream));
    }
    if (Below(8) == 0)
      entry.disk_path = ParentOf(entry.path).empty()
                            ? "other" + NameSuffix()
                            : Join(ParentOf(entry.disk_path), "other" + NameSuffix());
  }

 private:
  std::string NameSuffix() { return std::to_string(random_()); }
  std::mt19937_64 random_;
};

void ExpectSame(const Entry& a, const Entry& b) {
  EXPECT_EQ(a.path, b.path);
  EXPECT_EQ(a.disk_path, b.disk_path) << a.path;
  EXPECT_EQ(a.kind, b.kind) << a.path;
  EXPECT_EQ(a.opaque, b.opaque);
  if (a.kind == Kind::kTombstone) return;
  EXPECT_TRUE(std::equal(std::begin(a.times), std::end(a.times), std::begin(b.times))) << a.path;
  EXPECT_EQ(a.short_name, b.short_name);
  EXPECT_TRUE(std::equal(std::begin(a.time_remainder), std::end(a.time_remainder),
                         std::begin(b.time_remainder)));
  EXPECT_EQ(a.time_absent, b.time_absent);
  EXPECT_EQ(a.attributes, b.attributes);
  EXPECT_EQ(a.security, b.security) << a.path;
  EXPECT_EQ(a.security_attributes, b.security_attributes);
  EXPECT_EQ(a.size, b.size);
  EXPECT_EQ(a.has_data_stream, b.has_data_stream);
  EXPECT_EQ(a.data_attributes, b.data_attributes);
  EXPECT_EQ(a.checksum, b.checksum);
  EXPECT_EQ(a.has_checksum, b.has_checksum);
  EXPECT_EQ(a.sparse, b.sparse);
  ASSERT_EQ(a.ranges.size(), b.ranges.size()) << a.path;
  for (std::size_t i = 0; i < a.ranges.size(); ++i) {
    EXPECT_EQ(a.ranges[i].offset, b.ranges[i].offset);
    EXPECT_EQ(a.ranges[i].size, b.ranges[i].size);
  }
  ASSERT_EQ(a.streams.size(), b.streams.size()) << a.path;
  for (std::size_t i = 0; i < a.streams.size(); ++i) {
    EXPECT_EQ(a.streams[i].header.id, b.streams[i].header.id);
    EXPECT_EQ(a.streams[i].header.attributes, b.streams[i].header.attributes);
    EXPECT_EQ(a.streams[i].header.size, b.streams[i].header.size);
    EXPECT_EQ(a.streams[i].header.name, b.streams[i].header.name);
    EXPECT_EQ(a.streams[i].after_data, b.streams[i].after_data);
    EXPECT_EQ(a.streams[i].external, b.streams[i].external);
    EXPECT_EQ(a.streams[i].inline_data, b.streams[i].inline_data);
    EXPECT_EQ(a.streams[i].offset, b.streams[i].offset);
    EXPECT_EQ(a.streams[i].checksum, b.streams[i].checksum);
  }
}

TEST_F(MetadataTest, KeepsEverythingOfRandomTrees) {
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Generator make(seed);
    auto writer = NewWriter();
    std::vector<Entry> entries;
    std::vector<std::uint32_t> folders = {kNoOrdinal};
    const std::size_t count = 50 + make.Below(800);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t parent = folders[make.Below(folders.size())];
      const std::string folder = parent == kNoOrdinal ? "" : entries[parent].path;
      const std::string disk_folder = parent == kNoOrdinal ? "" : entries[parent].disk_path;
      Entry entry = make.File(Join(folder, make.Name(i)));
      entry.disk_path = Join(disk_folder, NameOf(entry.disk_path));
      const auto kind = make.Below(10);
      if (kind < 3) {
        Entry directory = Named(entry.path, Kind::kDirectory);
        directory.disk_path = entry.disk_path;
        make.Common(directory);
        directory.disk_path = Join(disk_folder, NameOf(directory.disk_path));
        directory.opaque = make.Below(4) == 0;
        entry = directory;
      } else if (kind == 3) {
        const std::string disk = entry.disk_path;
        entry = Named(entry.path, Kind::kTombstone);
        entry.disk_path = disk;
      }
      const std::uint32_t ordinal = MustAdd(*writer, parent, entry);
      ASSERT_EQ(ordinal, i);
      entries.push_back(entry);
      if (entry.kind == Kind::kDirectory) folders.push_back(ordinal);
    }
    for (int i = 0; i < 20; ++i) {  // what is written can be read and changed before the end
      const std::size_t at = make.Below(entries.size());
      Entry read;
      ASSERT_TRUE(writer->Read(static_cast<std::uint32_t>(at), read).has_value());
      ExpectSame(read, entries[at]);
      if (entries[at].kind != Kind::kDirectory) continue;
      entries[at].attributes ^= 2;
      ASSERT_TRUE(writer->Update(static_cast<std::uint32_t>(at), entries[at]).has_value());
    }
    ASSERT_TRUE(writer->Finish().has_value());

    auto reader = NewReader(2 + make.Below(4));
    ASSERT_NE(reader, nullptr);
    ASSERT_EQ(reader->entries(), entries.size());
    ASSERT_EQ(reader->size(), entries.size());
    const auto whole = reader->CheckAll();
    ASSERT_TRUE(whole.has_value()) << whole.error().ToString();
    std::vector<std::size_t> shuffled(entries.size());
    for (std::size_t i = 0; i < shuffled.size(); ++i) shuffled[i] = i;
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(seed));
    for (const std::size_t i : shuffled) {
      Entry read;
      ASSERT_TRUE(reader->Read(static_cast<std::uint32_t>(i), read).has_value());
      ExpectSame(read, entries[i]);
      auto found = reader->FindPath(Fold(entries[i].path));
      ASSERT_TRUE(found.has_value());
      EXPECT_EQ(*found, i) << entries[i].path;
    }
    EXPECT_EQ(*reader->FindPath("no/such"), kNoOrdinal);

    // The reference order: depth-first by bytes, a folder's tombstones first in it.
    std::vector<std::size_t> order(entries.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto key = [&](std::size_t i) {
      std::vector<std::pair<int, std::string>> parts;
      for (const auto part : Components(entries[i].path)) parts.emplace_back(1, part);
      if (entries[i].kind == Kind::kTombstone) parts.back().first = 0;
      return parts;
    };
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
    for (std::uint32_t place = 0; place < reader->size(); ++place)
      ASSERT_EQ(*reader->OrdinalAt(place), order[place]) << entries[order[place]].path;
  }
}

TEST_F(MetadataTest, AnotherNameHoldsTheDataWhenTheFirstIsReplaced) {
  auto writer = NewWriter();
  const auto folder = MustAdd(*writer, kNoOrdinal, Named("Files", Kind::kDirectory));
  Entry file = Named("Files/m", Kind::kFile);
  file.size = 77;
  const auto first = MustAdd(*writer, folder, file);
  Entry link = Named("Files/z", Kind::kHardLink);
  link.first_name = first;
  const auto z = MustAdd(*writer, folder, link);
  link = Named("Files/a", Kind::kHardLink);
  link.first_name = z;  // a link to a link
  const auto a = MustAdd(*writer, folder, link);
  ASSERT_TRUE(writer->Remove(first).has_value());
  const auto again = MustAdd(*writer, folder, Named("Files/m", Kind::kFile));
  link = Named("Files/q", Kind::kHardLink);
  link.first_name = z;
  const auto q = MustAdd(*writer, folder, link);
  ASSERT_TRUE(writer->Finish().has_value());

  auto reader = NewReader();
  ASSERT_TRUE(reader->CheckAll().has_value());
  EXPECT_EQ(reader->entries(), 6u);
  EXPECT_EQ(reader->size(), 5u);
  EXPECT_EQ(*reader->PlaceOf(first), kNoOrdinal);
  Entry entry;
  EXPECT_FALSE(reader->Read(first, entry).has_value());
  const auto group = reader->GroupOf(q);
  ASSERT_TRUE(group.has_value() && group->has_value());
  EXPECT_EQ((*group)->leader, a);  // the first in the reference order
  ASSERT_TRUE(reader->Read((*group)->file, entry).has_value());
  EXPECT_EQ(entry.kind, Kind::kFile);
  EXPECT_EQ(entry.size, 77u);
  for (const auto name : {a, z, q}) {
    const auto same = reader->GroupOf(name);
    ASSERT_TRUE(same.has_value() && same->has_value()) << name;
    EXPECT_EQ((*same)->file, (*group)->file);
  }
  EXPECT_FALSE(reader->GroupOf(again)->has_value());
}

TEST_F(MetadataTest, GrowsWithTheNumberOfEntriesAndKeepsEachDescriptorOnce) {
  const auto size_of = [&](std::uint32_t count) {
    auto writer = NewWriter();
    auto folder = MustAdd(*writer, kNoOrdinal, Named("Files", Kind::kDirectory));
    const auto top = folder;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::string in = "Files/" + std::to_string(i / 200);
      if (i % 200 == 0) folder = MustAdd(*writer, top, Named(in, Kind::kDirectory));
      Entry entry = Named(in + "/file-" + std::to_string(1000000 - i), Kind::kFile);
      entry.security = Buffer(150, static_cast<std::byte>(i % 200));
      MustAdd(*writer, folder, entry);
    }
    EXPECT_TRUE(writer->Finish().has_value());
    return files::file_size(path());
  };
  const auto small = size_of(10000);
  const auto large = size_of(100000);
  EXPECT_LT(large, small * 11);
  EXPECT_LT(large / 100000, 120u);  // far less than one descriptor each
  auto reader = NewReader(8);
  const auto whole = reader->CheckAll();
  EXPECT_TRUE(whole.has_value()) << whole.error().ToString();
  Entry entry;
  ASSERT_TRUE(reader->Read(*reader->FindPath("files/499/FILE-900001"), entry).has_value());
  EXPECT_EQ(entry.security, Buffer(150, static_cast<std::byte>(99999 % 200)));
}

// ---- Damage
// ----------------------------------------------------------------------------------------

std::string SmallFile(MetadataWriter& writer) {
  const auto folder = MustAdd(writer, kNoOrdinal, Named("Files", Kind::kDirectory));
  Generator make(99);
  std::uint32_t first = 0;
  for (int i = 0; i < 12; ++i)
    first = MustAdd(writer, folder, make.File("Files/" + make.Name(static_cast<std::size_t>(i))));
  Entry link = Named("Files/link", Kind::kHardLink);
  link.first_name = first;
  MustAdd(writer, folder, link);
  MustAdd(writer, folder, Named("Files/gone", Kind::kTombstone));
  return {};
}

// A reader of these bytes, which never touch a disk.
Expected<std::unique_ptr<MetadataReader>> ReaderOf(Bytes bytes) {
  fs::UniqueFd file = *fs::UnnamedFile();
  EXPECT_TRUE(fs::WriteAt(file.get(), bytes, 0).has_value());
  return MetadataReader::OpenFd(std::move(file), 2);
}

bool Whole(std::string_view bytes) {
  auto reader = ReaderOf(AsBytes(bytes));
  return reader && (*reader)->CheckAll().has_value();
}

TEST_F(MetadataTest, NoticesEveryFlippedByteAndEveryCut) {
  {
    auto writer = NewWriter();
    SmallFile(*writer);
    ASSERT_TRUE(writer->Finish().has_value());
  }
  std::ifstream in(path(), std::ios::binary);
  std::stringstream stream;
  stream << in.rdbuf();
  const std::string good = stream.str();
  ASSERT_TRUE(Whole(good));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    ASSERT_FALSE(Whole(bad)) << "byte " << i << " of " << good.size();
  }
  for (std::size_t size = 0; size < good.size(); size += 7)
    ASSERT_FALSE(Whole(good.substr(0, size))) << "cut to " << size;
}

// Makes the checksums right again, so that what is behind them is reached.
void Reseal(Buffer& file) {
  const std::size_t footer = file.size() - kFooterBytes;
  std::uint64_t body = LoadLe<std::uint64_t>(file.data() + footer + 8 + 16 + kSectionCount * 16);
  if (body > footer) return;
  std::size_t at = static_cast<std::size_t>(body);
  for (std::uint64_t block = 0; block * kMetadataBlock < body && at + 8 <= footer;
       ++block, at += 8) {
    const std::size_t from = static_cast<std::size_t>(block * kMetadataBlock);
    const std::size_t size =
        std::min<std::size_t>(kMetadataBlock, static_cast<std::size_t>(body) - from);
    StoreLe(file.data() + at, io::Checksum(Bytes(file).subspan(from, size)));
  }
  StoreLe(file.data() + file.size() - 16,
          io::Checksum(Bytes(file).subspan(static_cast<std::size_t>(body),
                                           footer - static_cast<std::size_t>(body))));
  StoreLe(file.data() + file.size() - 8,
          io::Checksum(Bytes(file).subspan(footer, kFooterBytes - 8)));
}

TEST_F(MetadataTest, BelievesNothingBehindRightChecksums) {
  {
    auto writer = NewWriter();
    SmallFile(*writer);
    ASSERT_TRUE(writer->Finish().has_value());
  }
  std::ifstream in(path(), std::ios::binary);
  std::stringstream stream;
  stream << in.rdbuf();
  const std::string good = stream.str();
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    Buffer bad = ToBuffer(good);
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips)
      bad[random() % bad.size()] = static_cast<std::byte>(random());
    Reseal(bad);
    auto reader = ReaderOf(bad);
    if (!reader) {
      ++refused;
      continue;
    }
    Entry entry;
    for (std::uint32_t i = 0; i < (*reader)->entries() && i < 64; ++i) {
      const auto read = (*reader)->Read(i, entry);
      const auto group = (*reader)->GroupOf(i);
      const auto children = (*reader)->Children(i, [](Node&) -> Status { return {}; });
      if (!read || !group || !children) ++refused;
    }
    const auto whole = (*reader)->CheckAll();
    if (!whole) {
      EXPECT_NE(whole.error().message, "");
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace wclayer::portable::test
