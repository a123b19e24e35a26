// Exports of more than a few files are read ahead in a thread: the bytes and the failures are the
// same.
#include <random>

#include "store_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::kOk;

class ReadAheadTest : public StoreTest {
 protected:
  static std::string Noise(std::mt19937_64& random, std::size_t size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
  }

  // Files of every size that matters here, and what is no file between them.
  static std::vector<Item> Many(std::mt19937_64& random) {
    static constexpr std::size_t kSizes[] = {0, 1, 100, 3'000, 70'000, 262'144, 600'000};
    std::vector<Item> items = {Folder("Files")};
    std::string folder = "Files";
    for (int i = 0; i < 250; ++i) {
      const std::string path = folder + "/f" + std::to_string(i);
      switch (random() % 12) {
        case 0:
          folder = (random() % 2 == 0 ? "Files" : folder) + "/d" + std::to_string(i);
          items.push_back(Folder(folder));
          break;
        case 1: {
          Item item = File(path, Noise(random, 500));
          AddStream(item.stream, StreamId::kAlternateData, "alternate", 0, u":a:$DATA");
          items.push_back(item);
          break;
        }
        case 2:
          for (std::size_t at = items.size() - 1; at > 0; --at) {
            if (items[at].stream.empty() || (items[at].attributes & 0x10) != 0) continue;
            items.push_back(Link(path, items[at].path));
            break;
          }
          break;
        default:
          // Large ones are few: the sizes' order is their rank.
          items.push_back(File(path, Noise(random, kSizes[random() % (random() % 7 + 1)])));
      }
    }
    return items;
  }
};

TEST_F(ReadAheadTest, EveryByteComesBackInOrderAndByOrdinal) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const std::vector<Item> items = Many(random);
    const std::string id = "many" + std::to_string(seed);
    std::vector<std::uint64_t> ordinals;
    ASSERT_EQ(Import(id, {}, items, &ordinals, 100'000), kOk) << LastError().message;
    for (const std::size_t piece : {1'000u, 1u << 16, 1u << 20}) {
      const auto back = Export(id, {}, true, piece);
      ASSERT_EQ(back.size(), items.size());
      for (const Item& item : items) {
        const Item* found = Find(back, item.path);
        ASSERT_NE(found, nullptr) << item.path;
        ASSERT_TRUE(!item.link.empty() || !found->link.empty() ||
                    Parse(found->stream) == Parse(item.stream))
            << item.path;
      }
    }
  }
}

// As replays go, and as nobody goes: forwards, backwards, leaving data unread, changing the order.
TEST_F(ReadAheadTest, AnyWayThroughALayer) {
  std::mt19937_64 layer_random(5);
  const std::vector<Item> items = Many(layer_random);
  std::vector<std::uint64_t> ordinals;
  ASSERT_EQ(Import("many", {}, items, &ordinals, 100'000), kOk);
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    void* context = BeginExport("many", {});
    ASSERT_NE(context, nullptr);
    std::size_t at = 0;
    bool by_ordinal = true;
    for (int step = 0; step < 400; ++step) {
      if (random() % 60 == 0) by_ordinal = !by_ordinal;
      if (random() % 40 == 0) at = random() % items.size();
      std::string path;
      if (by_ordinal) {
        at = (at + 1) % items.size();
        const Item& item = items[at];
        if (!item.link.empty()) continue;
        vmcompute::Utf16 name = nullptr;
        vmcompute::FileBasicInfo info;
        std::int64_t size = 0;
        ASSERT_EQ(
            table_.extensions->ExportLayerSeek(context, nullptr, ordinals[at], &name, &info, &size),
            kOk);
        path = PathOf(name);
        ASSERT_EQ(path, item.path);
      } else {
        char16_t* name = nullptr;
        vmcompute::FileBasicInfo info;
        std::int64_t size = 0;
        std::uint32_t deleted = 0;
        const Hresult hr = table_.ExportLayerNext(context, &name, &info, &size, &deleted);
        if (hr == vmcompute::kNoMoreFiles) {
          by_ordinal = true;
          continue;
        }
        ASSERT_EQ(hr, kOk) << LastError().message;
        path = PathOf(name);
        table_.FreeString(name);
      }
      if (random() % 10 == 0) continue;  // its data stays unread
      if (random() % 10 == 0) {          // or only some of it is read
        std::byte some[50];
        std::uint32_t read = 0;
        ASSERT_EQ(table_.ExportLayerRead(context, reinterpret_cast<std::uint8_t*>(some),
                                         sizeof some, &read),
                  kOk);
        continue;
      }
      const Buffer stream = ReadAll(context);
      const auto item = std::find_if(items.begin(), items.end(),
                                     [&](const Item& each) { return each.path == path; });
      ASSERT_NE(item, items.end());
      if (!item->link.empty()) continue;
      ASSERT_TRUE(Parse(stream) == Parse(item->stream)) << path;
    }
    table_.extensions->ExportLayerAbort(context);
  }
}

// What happened to a file on disk is said at that file, not at the one that is read meanwhile.
TEST_F(ReadAheadTest, AFileThatIsGoneOrOfAnotherSizeIsNamed) {
  std::vector<Item> items = {Folder("Files")};
  for (int i = 100; i < 200; ++i)
    items.push_back(File("Files/f" + std::to_string(i), std::string(2'000, 'x')));
  ASSERT_EQ(Import("base", {}, items), kOk);
  const std::string file = home_path_ + "/base/Files/f170";
  for (const int bytes : {1'999, 2'001, -1}) {
    SCOPED_TRACE(bytes);
    const bool gone = bytes < 0;
    if (gone) {
      files::remove(file);
    } else {
      files::resize_file(file, static_cast<std::uintmax_t>(bytes));
    }
    void* context = BeginExport("base", {});
    ASSERT_NE(context, nullptr);
    std::string last;
    for (;;) {
      char16_t* name = nullptr;
      vmcompute::FileBasicInfo info;
      std::int64_t size = 0;
      std::uint32_t deleted = 0;
      ASSERT_EQ(table_.ExportLayerNext(context, &name, &info, &size, &deleted), kOk);
      last = PathOf(name);
      table_.FreeString(name);
      Buffer room(10'000);
      std::uint32_t read = 1;
      Hresult hr = kOk;
      while (hr == kOk && read != 0)
        hr = table_.ExportLayerRead(context, reinterpret_cast<std::uint8_t*>(room.data()),
                                    static_cast<std::uint32_t>(room.size()), &read);
      if (hr != kOk) break;
    }
    EXPECT_EQ(last, "Files/f170");
    EXPECT_STREQ(LastError().path, "Files/f170");
    EXPECT_EQ(LastCode(), gone ? Errc::kIo : Errc::kLayerDamaged) << LastError().message;
    table_.extensions->ExportLayerAbort(context);
  }
}

}  // namespace
}  // namespace wclayer::portable::test
