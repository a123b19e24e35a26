// Many layers through transport folders: what the streaming calls make of the same tar.
#include <filesystem>

#include "driver/fixture.h"
#include "layer/generator.h"
#include "support/folder_table.h"

namespace wclayer::test {
namespace {

class FolderSets : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    folders_ = WithoutStreaming(TableUnderTest());
    Open();
    ASSERT_TRUE(Apply("base", "",
                      MakeTar({{"Files", '5', "", ""}, {"Files/old", '0', "of the parent", ""}})));
  }

  void Use(const vmcompute::Table& table) {
    driver_.reset();
    Open(table);
  }

  // Applies the tar both ways. The replay is the tar; what each store then tells is compared.
  void Check(std::string_view tar, const std::string& parent, bool same_rebuild) {
    DiffOptions rebuild;
    rebuild.rebuild = true;
    Use(folders_);
    const auto folder = Apply("folder", parent, AsBytes(tar));
    ASSERT_TRUE(folder) << folder.error().ToString();
    const auto replay = Diff("folder");
    ASSERT_TRUE(replay) << replay.error().ToString();
    EXPECT_TRUE(AsText(*replay) == tar);
    const auto by_folder = Diff("folder", rebuild);
    ASSERT_TRUE(by_folder) << by_folder.error().ToString();

    Use(TableUnderTest());
    const auto streamed = Apply("streamed", parent, AsBytes(tar));
    ASSERT_TRUE(streamed) << streamed.error().ToString();
    EXPECT_EQ(folder->size_bytes, streamed->size_bytes);
    EXPECT_EQ(folder->warnings, streamed->warnings);
    const auto ours = Diff("folder", rebuild);
    const auto theirs = Diff("streamed", rebuild);
    ASSERT_TRUE(ours && theirs);
    if (same_rebuild) {
      EXPECT_TRUE(*ours == *theirs) << "the stores differ";
      // The tar made of the exported folder is another one where it must be (hives), and means the
      // same.
      ASSERT_TRUE(driver_->Remove("streamed", false));
      const auto again = Apply("streamed", parent, *by_folder);
      ASSERT_TRUE(again) << again.error().ToString();
      EXPECT_EQ(Listed("streamed"), Listed("folder"));
    }
    const auto problems = driver_->Verify({"folder"}, VerifyDepth::kFull);
    ASSERT_TRUE(problems);
    EXPECT_TRUE(problems->empty()) << problems->front().path << ": " << problems->front().problem;
    ASSERT_TRUE(driver_->Remove("folder", false));
    ASSERT_TRUE(driver_->Remove("streamed", false));
  }

  std::vector<std::string> Listed(const std::string& id) {
    std::vector<std::string> lines;
    const auto cursor = driver_->Entries(id, "");
    EXPECT_TRUE(cursor);
    EntryInfo info;
    for (;;) {
      const auto more = (*cursor)->Next(info);
      EXPECT_TRUE(more) << more.error().ToString();
      if (!more || !*more) return lines;
      if (info.path.starts_with("Hives")) continue;
      lines.push_back(info.kind + info.path + " " + std::to_string(info.size_bytes) + " " +
                      std::to_string(info.attributes) + " " + std::to_string(info.write_time) +
                      " " + info.target);
    }
  }

  vmcompute::Table folders_;
};

// Without hard links and short names, which the folder calls cannot tell a store (docs/windows.md).
TEST_F(FolderSets, MadeUpLayers) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    layer::MemoryLayer made = layer::Generator(seed, false).Layer();
    for (auto& entry : made.entries) {
      if (!entry.item.link_target.empty()) entry.replaced = true;
      entry.item.short_name.clear();
    }
    Check(layer::Exported(made, SIZE_MAX), "base", true);
    if (HasFailure()) return;
  }
}

TEST_F(FolderSets, MadeUpLayersWithLinks) {
  for (std::uint64_t seed = 100; seed <= 110; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    layer::MemoryLayer made = layer::Generator(seed, true).Layer();
    layer::LeadLinks(made);
    Check(layer::Exported(made, SIZE_MAX), "base", false);
    if (HasFailure()) return;
  }
}

TEST_F(FolderSets, GoldenSets) {
  for (const char* set : {"attributes-and-eas", "base-sparse-links", "basic", "names", "reparse",
                          "streams", "times"}) {
    SCOPED_TRACE(set);
    const bool links = std::string_view(set) == "base-sparse-links";
    Check(layer::ReadFixture(std::string("golden-oci/") + set + "/expected.tar"),
          links ? "" : "base", !links);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace wclayer::test
