// Our vmcompute.dll in the system directory and how programs name a home and its layers.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/bytes.h"
#include "base/utf16.h"
#include "support/temporary_folder.h"
#include "vmcompute/system_dll.h"

namespace wclayer::vmcompute::test {

namespace files = std::filesystem;

inline const Table& Dll() {
  static const auto dll = LoadSystemDll();
  if (!dll) {
    ADD_FAILURE() << dll.error().ToString();
    std::abort();
  }
  return dll->table;
}

// A file of a transport folder: its attributes and a backup stream with its data.
inline std::string Stored(std::string_view data) {
  Buffer bytes;
  AppendLe(bytes, std::uint32_t{0x20});
  AppendLe(bytes, std::uint32_t{1});  // BACKUP_DATA
  AppendLe(bytes, std::uint32_t{0});
  AppendLe(bytes, std::uint64_t{data.size()});
  AppendLe(bytes, std::uint32_t{0});
  Append(bytes, AsBytes(data));
  return std::string(AsText(bytes));
}

inline void Put(const files::path& path, std::string_view text) {
  files::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string Get(const files::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

enum class Caller { kDocker, kHcsshim };

// How a program names a home and its layers.
class DllTest : public testing::TestWithParam<Caller> {
 protected:
  DllTest()
      : folder_(::wclayer::test::MakeTemporaryFolder("dll")),
        home_((folder_ / "home").u16string()) {
    files::create_directories(folder_ / "home");
    if (GetParam() == Caller::kHcsshim)
      info_.home_dir = u"";
    else
      info_.home_dir = home_.c_str();
  }
  ~DllTest() override { files::remove_all(folder_); }

  std::u16string PathOf(const std::u16string& name) const { return home_ + u"\\" + name; }
  std::u16string Id(const std::u16string& name) const {
    return GetParam() == Caller::kHcsshim ? PathOf(name) : name;
  }
  LayerDescriptor Describe(const std::u16string& name, std::u16string& path) const {
    path = PathOf(name);
    LayerDescriptor layer;
    EXPECT_EQ(Dll().NameToGuid(name.c_str(), &layer.id), kOk);
    layer.path = path.c_str();
    return layer;
  }
  // The protocol of two calls (§4).
  std::u16string MountPath(const std::u16string& name) const {
    std::size_t length = 0;
    EXPECT_EQ(Dll().GetLayerMountPath(&info_, Id(name).c_str(), &length, nullptr), kOk);
    std::u16string path(length, u'\0');
    EXPECT_EQ(Dll().GetLayerMountPath(&info_, Id(name).c_str(), &length, path.data()), kOk);
    EXPECT_EQ(path.find(u'\0'), length - 1) << "the length counts the NUL";
    return path.substr(0, path.find(u'\0'));
  }
  void ImportBase() {
    ASSERT_EQ(Dll().CreateLayer(&info_, Id(u"base").c_str(), u""), kOk);
    ASSERT_EQ(Dll().CreateLayer(&info_, Id(u"base").c_str(), u""), kOk) << "at every start";
    const files::path from = folder_ / "import";
    Put(from / "Files" / "a.txt", Stored("alpha"));
    Put(from / "Files" / "dir" / "b.txt", Stored("beta"));
    ASSERT_EQ(Dll().ImportLayer(&info_, Id(u"base").c_str(), from.u16string().c_str(), nullptr, 0),
              kOk);
  }

  files::path folder_;
  std::u16string home_;
  DriverInfo info_;
};

}  // namespace wclayer::vmcompute::test
