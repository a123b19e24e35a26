// A home in a temporary folder, small layer tars, and the moves every driver test makes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/remove_folder.h"
#include "support/temporary_folder.h"
#include "tar/writer.h"
#include "wclayer/driver.h"

namespace wclayer::test {

struct TarEntry {
  std::string name;
  char type = '0';
  std::string content;
  std::string link;
};

// A Windows layer tar as a plain tool would write it: no vendor records.
inline Buffer MakeTar(const std::vector<TarEntry>& entries) {
  Buffer tar;
  for (const TarEntry& entry : entries) {
    tar::Header header;
    header.format = tar::Format::kAuto;
    header.name = entry.name;
    header.type = entry.type;
    header.link_name = entry.link;
    header.mode = entry.type == '5' ? 040000 : 0100000;
    header.size = entry.content.size();
    header.mtime = {1700000000, 0};
    EXPECT_TRUE(tar::AppendHeader(tar, header)) << entry.name;
    Append(tar, AsBytes(entry.content));
    tar.resize(tar.size() + tar::Padding(entry.content.size()));
  }
  tar.resize(tar.size() + tar::kTrailerBytes);
  return tar;
}

inline std::vector<TarEntry> BaseEntries() {
  return {{"Files", '5', "", ""},
          {"Files/dir", '5', "", ""},
          {"Files/dir/a.txt", '0', "alpha", ""},
          {"Files/dir/b.txt", '0', "beta", ""},
          {"Files/keep.txt", '0', "keep", ""},
          {"Files/link.txt", '1', "", "Files/keep.txt"}};
}

inline Buffer BaseTar() {
  return MakeTar(BaseEntries());
}

// Those, and enough files that a helper makes them while the rest is parsed.
inline std::vector<TarEntry> HelpedEntries() {
  auto entries = BaseEntries();
  for (int i = 10; i < 25; ++i)
    entries.push_back({"Files/many/" + std::to_string(i) + ".txt", '0',
                       std::string(1000, static_cast<char>('a' + i - 10)), ""});
  return entries;
}

inline Buffer ChildTar() {
  return MakeTar({{"Files", '5', "", ""},
                  {"Files/dir", '5', "", ""},
                  {"Files/dir/.wh.b.txt", '0', "", ""},
                  {"Files/dir/a.txt", '0', "alpha two", ""},
                  {"Files/new.txt", '0', "new", ""}});
}

// The portable store, directly or (on Windows) through the vmcompute.dll that it is built as.
const vmcompute::Table& TableUnderTest();

class DriverTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = info->name();
    std::replace(name.begin(), name.end(), '/', '-');  // of a parameter
    home_ = MakeTemporaryFolder(name);
    std::filesystem::remove(home_);  // the driver makes it
  }
  void TearDown() override {
    driver_.reset();
    RemoveFolder(home_);
  }

  void Open(const vmcompute::Table& table = TableUnderTest(), bool checkout = false) {
    DriverOptions options;
    options.home = home_.string();
    options.durability = DurabilityLevel::kNone;
    options.lock_wait = std::chrono::milliseconds(20'000);
    options.force_checkout = checkout;
    auto driver = Driver::Open(table, "portable", options);
    ASSERT_TRUE(driver) << driver.error().ToString();
    driver_ = *std::move(driver);
  }

  Expected<ApplyResult> Apply(const std::string& id, const std::optional<std::string>& parent,
                              Bytes tar, std::size_t piece = 1u << 20) {
    ApplyOptions options;
    options.parent = parent;
    WCLAYER_ASSIGN(auto apply, driver_->ApplyDiff(id, options));
    for (std::size_t at = 0; at < tar.size(); at += piece) {
      WCLAYER_TRY(apply->Write(tar.subspan(at, std::min(piece, tar.size() - at))));
    }
    return apply->Finish();
  }

  Expected<Buffer> Diff(const std::string& id, DiffOptions options = {},
                        StreamResult* result = nullptr) {
    WCLAYER_ASSIGN(auto source, driver_->Diff(id, options));
    Buffer tar;
    Buffer slab(100'000);
    for (;;) {
      WCLAYER_ASSIGN(const std::size_t count, source->Read(slab));
      if (count == 0) break;
      Append(tar, Bytes(slab).first(count));
    }
    if (result != nullptr) *result = source->Result();
    return tar;
  }

  Expected<std::vector<std::string>> ChangeLines(const std::string& id,
                                                 const std::optional<std::string>& parent = {}) {
    WCLAYER_ASSIGN(auto cursor, driver_->Changes(id, parent));
    std::vector<std::string> lines;
    Change change;
    for (;;) {
      WCLAYER_ASSIGN(const bool more, cursor->Next(change));
      if (!more) return lines;
      lines.push_back(std::string(1, change.kind) + " " + change.path);
    }
  }

  // Every path below the home but locks (which stay) and the contents of files.
  std::vector<std::string> Listing() const {
    std::vector<std::string> paths;
    for (const auto& item : std::filesystem::recursive_directory_iterator(home_)) {
      const std::string path = item.path().lexically_relative(home_).generic_string();
      if (path.starts_with(".wclayer/locks/")) continue;
      paths.push_back(path);
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  std::filesystem::path home_;
  std::unique_ptr<Driver> driver_;
};

}  // namespace wclayer::test
