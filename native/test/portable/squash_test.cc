// Squashed exports of random chains against a simple model of what layers do to a tree.
#include "portable/chain.h"
#include "portable/hive.h"
#include "portable/names.h"
#include "store_fixture.h"

namespace wclayer::portable::test {
namespace {

using vmcompute::ChangeKind;
using vmcompute::kOk;

// Folded path → what is there: "/" for a folder, else the file's data.
using Model = std::map<std::string, std::string>;

void EraseBelow(Model& model, const std::string& folder, bool itself) {
  std::erase_if(model, [&](const auto& node) {
    return (itself && node.first == folder) || node.first.starts_with(folder + "/");
  });
}

void Apply(Model& model, const std::vector<Item>& layer) {
  const Model before = model;
  for (const auto& item : layer)
    if (item.deleted) EraseBelow(model, Fold(item.path), !item.opaque);
  std::map<std::string, std::string> own;
  for (const auto& item : layer) {
    if (item.deleted) continue;
    const std::string path = Fold(item.path);
    const bool folder = (item.attributes & 0x10) != 0 && item.link.empty();
    std::string data = "/";
    if (!folder && item.link.empty()) data = MainData(item.stream);
    if (!item.link.empty()) {
      const std::string target = Fold(item.link);
      data = own.contains(target) ? own.at(target) : before.at(target);
    }
    if (!folder || (model.contains(path) && model.at(path) != "/")) EraseBelow(model, path, true);
    model[path] = data;
    own[path] = data;
  }
}

class SquashTest : public StoreTest {
 protected:
  // A random layer that changes what the chain below shows.
  std::vector<Item> RandomLayer(std::mt19937& random, const Model& below, bool base) {
    const auto pick = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
    static const char* const kNames[] = {"a", "B", "b", "c.txt", "Dd", "dD", "e"};
    std::vector<Item> items = {Folder("Files")};
    Model own = {{"FILES", "/"}};
    std::vector<std::string> folders = {"Files"};
    const auto folder_below = [&](const std::string& path) {
      return below.contains(Fold(path)) && below.at(Fold(path)) == "/";
    };
    for (std::size_t i = 0, count = 4 + pick(14); i < count; ++i) {
      const std::string path =
          folders[pick(folders.size())] + "/" + kNames[pick(std::size(kNames))];
      if (own.contains(Fold(path))) continue;
      const auto kind = pick(base ? 6 : 10);
      if (kind < 2) {
        items.push_back(Folder(path));
        own[Fold(path)] = "/";
        folders.push_back(path);
        if (kind == 0 && !base && folder_below(path)) items.push_back(Opaque(path));
      } else if (kind < 5) {
        items.push_back(File(path, "data " + std::to_string(random() % 4)));
        own[Fold(path)] = "f";
      } else if (kind == 5) {
        std::vector<std::string> targets;
        for (const auto& [name, what] : own)
          if (what == "f") targets.push_back(name);
        if (targets.empty()) continue;
        items.push_back(Link(path, targets[pick(targets.size())]));
        own[Fold(path)] = "f";
      } else {
        items.push_back(Gone(path));
        own[Fold(path)] = "gone";
        if (kind == 9) {  // deleted and made again
          items.push_back(Folder(path));
          folders.push_back(path);
        }
      }
    }
    return items;
  }

  // What the store shows for a chain.
  Model Show(const std::vector<std::string>& ids) {
    Model model;
    Home home(home_path_);
    auto chain = portable::Chain::Open(home, ids);
    EXPECT_TRUE(chain.has_value());
    Walk(**chain, (*chain)->Top(), "", model);
    return model;
  }
  void Walk(portable::Chain& chain, const portable::Folder& folder, const std::string& path,
            Model& model) {
    const auto members = chain.List(folder);
    ASSERT_TRUE(members.has_value());
    for (const auto& member : *members) {
      const std::string inner = Join(path, member.node.name);
      Entry entry;
      ASSERT_TRUE(chain.Load(member.at, entry, true).has_value());
      const auto found = chain.Find(Fold(inner));
      ASSERT_TRUE(found.has_value() && found->has_value()) << inner;
      EXPECT_EQ((*found)->layer, member.at.layer);
      const auto by_disk = chain.FindDisk(entry.disk_path);
      ASSERT_TRUE(by_disk.has_value() && by_disk->has_value()) << inner;
      if (entry.directory()) {
        model[Fold(inner)] = "/";
        const auto deeper = chain.Enter(folder, member.node.name);
        ASSERT_TRUE(deeper.has_value());
        Walk(chain, *deeper, inner, model);
        continue;
      }
      const auto file = chain.OpenData(member.at, entry);
      ASSERT_TRUE(file.has_value());
      Buffer data(static_cast<std::size_t>(entry.size));
      ASSERT_EQ(*fs::ReadAt(file->get(), data, 0), data.size());
      model[Fold(inner)] = AsText(data);
    }
  }

  static void ExpectOrdered(const std::vector<Item>& items) {
    for (std::size_t i = 1; i < items.size(); ++i) {
      const auto key = [](const Item& item) {
        std::vector<std::pair<int, std::string>> parts;
        for (const auto part : Components(item.path)) parts.emplace_back(1, part);
        if (item.deleted) parts.back().first = 0;
        return parts;
      };
      EXPECT_LT(key(items[i - 1]), key(items[i])) << items[i].path;
    }
  }
};

Model WithoutHives(Model model) {
  EraseBelow(model, "HIVES", true);
  return model;
}

TEST_F(SquashTest, RandomChainsShowTheSameTreeSquashedAndNot) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const std::size_t depth = 2 + random() % 5;
    std::vector<std::string> chain;  // nearest first
    std::vector<Model> shown(1);     // after 0, 1, … layers from the base
    for (std::size_t i = 0; i < depth; ++i) {
      const std::string id = "s" + std::to_string(seed) + "-" + std::to_string(i);
      const auto layer = RandomLayer(random, shown.back(), i == 0);
      ASSERT_EQ(Import(id, chain, layer), kOk) << LastError().path << ": " << LastError().message;
      chain.insert(chain.begin(), id);
      Model model = shown.back();
      Apply(model, layer);
      shown.push_back(model);
      ASSERT_EQ(Show(chain), model);
    }
    ASSERT_EQ(Verify(chain.front()), std::vector<std::string>());
    for (std::size_t tail = 0; tail < depth; ++tail) {
      SCOPED_TRACE("on top of " + std::to_string(tail) + " layers");
      const std::vector<std::string> below(chain.end() - static_cast<std::ptrdiff_t>(tail),
                                           chain.end());
      const auto items = Export(chain.front(), below);
      ExpectOrdered(items);
      std::vector<std::string> present;
      for (const auto& item : items) {
        const std::string folded = Fold(item.path);
        if (item.deleted) {
          // A layer's own whiteouts are kept, whatever they hide (C13); squashing leaves those out.
          const bool hides = shown[tail].contains(folded);
          EXPECT_TRUE(hides || tail + 1 == depth) << "a whiteout of nothing: " << item.path;
          EXPECT_EQ(item.change == ChangeKind::kDeleted, hides) << item.path;
          for (const auto& other : items) {
            EXPECT_FALSE(!other.deleted && SamePath(other.path, item.path)) << item.path;
          }
        } else if (!folded.starts_with("HIVES")) {
          EXPECT_EQ(item.change == ChangeKind::kAdded, !shown[tail].contains(folded)) << item.path;
        }
        EXPECT_FALSE(item.opaque);
      }
      const std::string id = "q" + std::to_string(seed) + "-" + std::to_string(tail);
      ASSERT_EQ(Import(id, below, items), kOk) << LastError().path << ": " << LastError().message;
      std::vector<std::string> squashed = below;
      squashed.insert(squashed.begin(), id);
      EXPECT_EQ(WithoutHives(Show(squashed)), shown.back());
      EXPECT_EQ(Verify(id), std::vector<std::string>());
    }
  }
}

TEST_F(SquashTest, HardLinksStayLinksAcrossTheSquash) {
  ASSERT_EQ(Import("base", {}, {Folder("Files"), File("Files/z", "base")}), kOk);
  ASSERT_EQ(Import("one", {"base"},
                   {Folder("Files"), File("Files/m", "one"), Link("Files/b", "Files/m"),
                    Link("Files/a", "Files/m")}),
            kOk);
  ASSERT_EQ(
      Import("two", {"one", "base"}, {Folder("Files"), Gone("Files/a"), File("Files/c", "two")}),
      kOk);
  const auto items = Export("two", {"base"});
  EXPECT_EQ(Find(items, "Files/a"), nullptr);  // nothing below has it
  ASSERT_NE(Find(items, "Files/b"), nullptr);
  EXPECT_EQ(Find(items, "Files/b")->link, "");
  EXPECT_EQ(MainData(Find(items, "Files/b")->stream), "one");
  EXPECT_EQ(Find(items, "Files/m")->link, "Files/b");
  const auto plain = Export("two", {"base"}, false);
  EXPECT_EQ(MainData(Find(plain, "Files/m")->stream), "one");
}

TEST_F(SquashTest, HivesFollowTheirRules) {
  const Buffer minimal = MinimalHive();
  const auto hives = [&](std::vector<Item> items, const std::string& system) {
    items.push_back(Folder("Hives"));
    for (const auto name : kDeltaNames)
      items.push_back(File("Hives/" + std::string(name),
                           name == "System_Delta" && !system.empty() ? system : AsText(minimal)));
    return items;
  };
  ASSERT_EQ(Import("base", {},
                   {Folder("Files"), Folder("Hives"), File("Hives/System_Base", HiveWith("base"))}),
            kOk);
  ASSERT_EQ(Import("none", {"base"}, {Folder("Files"), File("Files/1", "")}), kOk);
  ASSERT_EQ(Import("empty", {"none", "base"}, hives({Folder("Files"), File("Files/2", "")}, "")),
            kOk);
  ASSERT_EQ(
      Import("full", {"empty", "none", "base"}, hives({Folder("Files")}, HiveWith("changes"))),
      kOk);
  ASSERT_EQ(Import("more", {"full", "empty", "none", "base"},
                   hives({Folder("Files")}, HiveWith("other"))),
            kOk);
  ASSERT_EQ(Import("plain", {"none", "base"}, {Folder("Files"), File("Files/3", "")}), kOk);

  auto items = Export("plain", {"base"});  // none has hives: empty ones
  for (const auto name : kDeltaNames) {
    const Item* hive = Find(items, "Hives/" + std::string(name));
    ASSERT_NE(hive, nullptr);
    EXPECT_EQ(MainData(hive->stream), AsText(minimal));
    EXPECT_EQ(hive->times[2], Find(items, "Files")->times[2]);
    EXPECT_EQ(hive->change, ChangeKind::kUnchanged);
  }
  items = Export("full", {"none", "base"});  // one has content
  EXPECT_EQ(MainData(Find(items, "Hives/System_Delta")->stream), HiveWith("changes"));
  Hresult hr = kOk;
  EXPECT_EQ(BeginExport("more", {"empty", "none", "base"}, &hr), nullptr);
  EXPECT_EQ(LastCode(), Errc::kHivesNotMergeable);
  EXPECT_NE(std::string(LastError().message).find("'more', 'full'"), std::string::npos)
      << LastError().message;
  items = Export("empty", {});  // the whole chain has the base's own
  EXPECT_EQ(MainData(Find(items, "Hives/System_Base")->stream), HiveWith("base"));
  EXPECT_EQ(Find(items, "Hives/System_Delta"), nullptr);
  EXPECT_EQ(BeginExport("full", {}, &hr), nullptr);
  EXPECT_EQ(LastCode(), Errc::kHivesNotMergeable);
}

TEST_F(SquashTest, LongChainsOpenAndMerge) {
  std::vector<std::string> chain;
  for (int i = 0; i < 128; ++i) {
    const std::string id = "l" + std::to_string(i);
    std::vector<Item> items = {Folder("Files"), Folder("Files/d"),
                               File("Files/d/f" + std::to_string(i), id), File("Files/d/last", id)};
    if (i > 0) items.push_back(Gone("Files/d/f" + std::to_string(i - 1)));
    ASSERT_EQ(Import(id, chain, items), kOk) << LastError().message;
    chain.insert(chain.begin(), id);
  }
  const Model model = Show(chain);
  EXPECT_EQ(model.size(), 4u);
  EXPECT_EQ(model.at("FILES/D/LAST"), "l127");
  const auto items = Export("l127", {});
  EXPECT_EQ(Paths(items),
            (std::vector<std::string>{"Files", "Files/d", "Files/d/f127", "Files/d/last"}));
}

}  // namespace
}  // namespace wclayer::portable::test
