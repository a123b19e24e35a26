#include "driver/remembered.h"

#include <fstream>
#include <thread>

#include "driver/fixture.h"

namespace wclayer {
namespace {

// Longer than folders have to stay as they are before anything read of them is remembered.
void LetFoldersAge() {
  std::this_thread::sleep_for(std::chrono::milliseconds(2'100));
}

// Every layer as a line; those of a driver that has just been opened are read, not remembered.
std::vector<std::string> ListedLines(Driver& driver) {
  std::vector<std::string> lines;
  const auto layers = driver.List();
  EXPECT_TRUE(layers) << layers.error().ToString();
  if (!layers) return lines;
  for (const LayerSummary& layer : *layers) {
    lines.push_back(layer.id + " " + layer.kind + " " + layer.state + " on '" + layer.parent +
                    "' " + std::to_string(layer.size_bytes) + " " + layer.diff_id);
  }
  return lines;
}

class RememberedTest : public test::DriverTest {
 protected:
  // Lists, and expects what another driver sees.
  std::vector<std::string> Listed() {
    std::vector<std::string> lines = ListedLines(*driver_);
    DriverOptions options;
    options.home = home_.string();
    auto fresh = Driver::Open(test::TableUnderTest(), "portable", options);
    EXPECT_TRUE(fresh);
    if (fresh) {
      EXPECT_EQ(lines, ListedLines(**fresh));
    }
    return lines;
  }
};

TEST_F(RememberedTest, AValueIsReadOnceUntilAFolderChanges) {
  std::filesystem::create_directories(home_ / "a" / ".wclayer");
  const auto home = fs::Dir::OpenAbsolute(home_.string());
  ASSERT_TRUE(home);
  Remembered<int> remembered;
  int reads = 0;
  const auto get = [&] {
    const auto value = remembered.Get(
        *home, "a", [&]() -> Expected<std::optional<int>> { return std::optional<int>(++reads); });
    return value ? **value : -1;
  };
  EXPECT_EQ(get(), 1);
  EXPECT_EQ(get(), 2) << "the folder is too young: its next change may have the same time";
  LetFoldersAge();
  EXPECT_EQ(get(), 3);
  EXPECT_EQ(get(), 3);
  std::ofstream(home_ / "a" / "layerchain.json") << "null";
  EXPECT_EQ(get(), 4);
  std::ofstream(home_ / "a" / ".wclayer" / "record.json") << "{}";
  LetFoldersAge();
  EXPECT_EQ(get(), 5);
  EXPECT_EQ(get(), 5);
  remembered.Keep({});
  EXPECT_EQ(get(), 6);
}

TEST_F(RememberedTest, NothingAndErrorsAreNotRemembered) {
  std::filesystem::create_directories(home_ / "a" / ".wclayer");
  const auto home = fs::Dir::OpenAbsolute(home_.string());
  ASSERT_TRUE(home);
  LetFoldersAge();
  Remembered<int> remembered;
  int reads = 0;
  const auto nothing = [&]() -> Expected<std::optional<int>> {
    if (++reads == 1) return Error(Errc::kIo, "once");
    return std::optional<int>();
  };
  EXPECT_FALSE(remembered.Get(*home, "a", nothing));
  EXPECT_TRUE(remembered.Get(*home, "a", nothing));
  EXPECT_TRUE(remembered.Get(*home, "a", nothing));
  EXPECT_EQ(reads, 3);
}

// What became of layers that a driver has in mind: each state, from each way that leads to it.
TEST_F(RememberedTest, AListIsWhatADriverThatStartsSees) {
  Open();
  ASSERT_TRUE(Apply("base", "", test::BaseTar()));
  ASSERT_TRUE(Apply("child", "base", test::ChildTar()));
  ASSERT_TRUE(Apply("broken", "base", test::ChildTar()));
  ASSERT_TRUE(Apply("gone", "base", test::ChildTar()));
  ASSERT_TRUE(driver_->Create("filled", "base", 0));
  ASSERT_TRUE(driver_->CreateReadWrite("writable", "child", 0));
  LetFoldersAge();
  EXPECT_EQ(Listed().size(), 6U);
  const auto line = [&](const std::string& id) {
    for (const std::string& each : Listed())
      if (each.starts_with(id + " "))
        return each.substr(id.size() + 1, each.find(" on") - id.size() - 1);
    return std::string();
  };
  EXPECT_EQ(line("filled"), "layer created");
  ASSERT_TRUE(Apply("filled", "base", test::ChildTar()));
  EXPECT_EQ(line("filled"), "layer committed");
  ASSERT_TRUE(driver_->Get("writable", false));
  EXPECT_EQ(line("writable"), "writable mounted");
  ASSERT_TRUE(driver_->Put("writable"));
  EXPECT_EQ(line("writable"), "writable created");
  std::filesystem::remove(home_ / "broken" / ".wclayer" / "metadata");
  EXPECT_EQ(line("broken"), "layer damaged");
  auto repair = driver_->Repair("broken", {});
  ASSERT_TRUE(repair);
  ASSERT_TRUE((*repair)->Write(test::ChildTar()));
  ASSERT_TRUE((*repair)->Finish());
  EXPECT_EQ(line("broken"), "layer committed");
  ASSERT_TRUE(driver_->Remove("gone", false));
  EXPECT_EQ(line("gone"), "");
  ASSERT_TRUE(Apply("gone", "", test::BaseTar()));
  EXPECT_EQ(line("gone"), "base committed");
}

// The children of a layer are remembered too; a parent is not removed because of what was.
TEST_F(RememberedTest, ALayerIsAParentFromItsChildsFirstMomentToItsLast) {
  Open();
  ASSERT_TRUE(Apply("base", "", test::BaseTar()));
  ASSERT_TRUE(Apply("other", "", test::BaseTar()));
  ASSERT_TRUE(Apply("child", "base", test::ChildTar()));
  LetFoldersAge();
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(driver_->Remove("base", false).error().code, Errc::kLayerBusy);
  ASSERT_TRUE(driver_->Remove("child", false));
  ASSERT_TRUE(Apply("child", "other", test::ChildTar()));
  EXPECT_EQ(driver_->Remove("other", false).error().code, Errc::kLayerBusy);
  ASSERT_TRUE(driver_->Remove("base", false));
  ASSERT_TRUE(driver_->Remove("child", false));
  ASSERT_TRUE(driver_->Remove("other", false));
}

}  // namespace
}  // namespace wclayer
