// Asks a real NTFS volume (ntfs-3g on an image): it takes what the store kept of a layer and gives
// it back, and what it makes of its own a layer can hold. Needs root, FUSE and ntfs-3g; run by
// ./build test ntfs. Where something of that is missing it fails and says what.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>

#include "backup/ea.h"
#include "layer/base64.h"
#include "tar/writer.h"
#include "vmcompute/backends.h"
#include "wclayer/driver.h"

namespace wclayer {
namespace {

namespace files = std::filesystem;

// What a program may set; the others follow from what the file is (MS-FSCC 2.6).
constexpr std::uint32_t kSettable = 0x1 | 0x2 | 0x4 | 0x20 | 0x100 | 0x1000 | 0x2000;
constexpr std::uint32_t kShown = kSettable | 0x10 | 0x400;

struct Ran {
  int status = -1;
  std::string said;
};

Ran Shell(const std::string& command) {
  Ran ran;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> part{};
  for (std::size_t size; (size = fread(part.data(), 1, part.size(), pipe)) > 0;) {
    ran.said.append(part.data(), size);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ran.status = WEXITSTATUS(status);
  return ran;
}

std::optional<std::string> Attribute(const std::string& path, const char* name) {
  std::string value(70'000, '\0');
  const auto size = lgetxattr(path.c_str(), name, value.data(), value.size());
  if (size < 0) return std::nullopt;
  value.resize(static_cast<std::size_t>(size));
  return value;
}

void SetAttribute(const std::string& path, const char* name, std::string_view value) {
  ASSERT_EQ(lsetxattr(path.c_str(), name, value.data(), value.size(), 0), 0)
      << name << " of " << path << ": " << std::strerror(errno);
}

template <class T>
std::string BigEndian(T value) {
  std::string bytes;
  for (std::size_t i = sizeof(T); i-- > 0;) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::uint64_t FromBigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// NTFS tells them in another order: creation, write, access, change.
std::string TimesOf(const EntryDetails& details) {
  std::string bytes;
  for (const int i : {0, 2, 1, 3}) bytes += BigEndian(static_cast<std::uint64_t>(details.times[i]));
  return bytes;
}

std::string EasOf(const EntryDetails& details) {
  std::vector<backup::ExtendedAttribute> attributes;
  for (const auto& [name, value] : details.eas) {
    backup::ExtendedAttribute attribute;
    attribute.name = name;
    attribute.value = value;
    attributes.push_back(std::move(attribute));
  }
  const auto list = backup::BuildEas(attributes);
  return list ? std::string(AsText(*list)) : "";
}

// On the volume the last entry's offset leads behind it, in a backup stream it is 0.
std::string WithLastOffset(std::string list, bool on_volume) {
  for (std::size_t at = 0; at + sizeof(std::uint32_t) <= list.size();) {
    auto* offset = reinterpret_cast<std::byte*>(list.data() + at);
    const auto next = LoadLe<std::uint32_t>(offset);
    if (next == 0 || at + next >= list.size()) {
      StoreLe(offset, static_cast<std::uint32_t>(on_volume ? list.size() - at : 0));
      break;
    }
    at += next;
  }
  return list;
}

std::map<std::string, std::string> EaMap(std::string_view list) {
  std::map<std::string, std::string> values;
  const auto attributes = backup::ParseEas(AsBytes(list));
  EXPECT_TRUE(attributes);
  if (attributes) {
    for (const auto& each : *attributes) values[each.name] = AsText(each.value);
  }
  return values;
}

class NtfsOracle : public testing::Test {
 protected:
  void SetUp() override {
    root_ = files::path(testing::TempDir()) / ("wclayer-ntfs-" + std::to_string(getpid()));
    files::create_directories(root_ / "volume");
    ASSERT_EQ(geteuid(), 0u) << "this test mounts an NTFS image, which takes root";
    const std::string image = (root_ / "image").string();
    Ran made = Shell("truncate -s 96M '" + image + "' && mkntfs -q -F '" + image + "'");
    ASSERT_EQ(made.status, 0) << "mkntfs (package ntfs-3g): " << made.said;
    Mount();
    DriverOptions options;
    options.home = (root_ / "home").string();
    options.durability = DurabilityLevel::kNone;
    auto driver = Driver::Open(vmcompute::Portable(), "portable", options);
    ASSERT_TRUE(driver) << driver.error().ToString();
    driver_ = *std::move(driver);
  }
  void TearDown() override {
    driver_.reset();
    if (mounted_) Unmount();
    files::remove_all(root_);
  }

  void Mount() {
    const Ran done = Shell("ntfs-3g -o noatime,streams_interface=windows '" +
                           (root_ / "image").string() + "' '" + (root_ / "volume").string() + "'");
    ASSERT_EQ(done.status, 0) << "ntfs-3g (package ntfs-3g, needs /dev/fuse): " << done.said;
    mounted_ = true;
  }
  void Unmount() {
    const Ran done = Shell("umount '" + (root_ / "volume").string() + "'");
    ASSERT_EQ(done.status, 0) << done.said;
    mounted_ = false;
  }

  void Apply(const std::string& id, Bytes tar) {
    auto apply = driver_->ApplyDiff(id, {});
    ASSERT_TRUE(apply) << apply.error().ToString();
    const Status written = (*apply)->Write(tar);
    ASSERT_TRUE(written) << written.error().ToString();
    const auto done = (*apply)->Finish();
    ASSERT_TRUE(done) << done.error().ToString();
  }

  // Every entry of a layer but deletions and what is not below Files.
  void ForEach(const std::string& id,
               const std::function<void(const EntryDetails&, const std::string&)>& each) {
    auto entries = driver_->Entries(id, "Files");
    ASSERT_TRUE(entries) << entries.error().ToString();
    EntryInfo info;
    for (;;) {
      const auto more = (*entries)->Next(info);
      ASSERT_TRUE(more) << more.error().ToString();
      if (!*more) return;
      if (info.kind == 'w') continue;
      const auto details = driver_->Stat(id, info.path);
      ASSERT_TRUE(details) << details.error().ToString();
      SCOPED_TRACE(info.path);
      each(*details, (root_ / "volume" / info.path).string());
      if (HasFatalFailure()) return;
    }
  }

  std::string Content(const std::string& id, const std::string& path, const std::string& stream) {
    auto source = driver_->OpenFile(id, path, stream);
    EXPECT_TRUE(source) << source.error().ToString();
    std::string content;
    if (!source) return content;
    Buffer slab(64u << 10);
    for (;;) {
      const auto count = (*source)->Read(slab);
      EXPECT_TRUE(count) << count.error().ToString();
      if (!count || *count == 0) return content;
      content += AsText(Bytes(slab).first(*count));
    }
  }

  void Put(const std::string& id, const EntryDetails& details, const std::string& path);
  void PutMetadata(const EntryDetails& details, const std::string& path);
  void Compare(const std::string& id, const EntryDetails& details, const std::string& path,
               bool copied);
  void ToVolumeAndBack(const std::string& id, Bytes tar);

  files::path root_;
  bool mounted_ = false;
  std::unique_ptr<Driver> driver_;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void NtfsOracle::Put(const std::string& id, const EntryDetails& details, const std::string& path) {
  if (details.info.kind == 'h') {
    files::create_hard_link(root_ / "volume" / details.info.target, path);
    return;
  }
  const bool folder = (details.info.attributes & 0x10) != 0;
  if (folder) {
    files::create_directory(path);
  } else {
    std::ofstream(path, std::ios::binary) << Content(id, details.info.path, "");
  }
  for (const auto& [name, size] : details.streams) {
    std::ofstream stream(path + ":" + name, std::ios::binary);
    stream << Content(id, details.info.path, name);
    ASSERT_TRUE(stream.flush()) << name;
  }
}

// Once everything is there: what is put into a folder changes its times, and nothing can be put
// into a reparse point.
void NtfsOracle::PutMetadata(const EntryDetails& details, const std::string& path) {
  if (details.info.kind == 'h') return;
  if (!details.security.empty()) SetAttribute(path, "system.ntfs_acl", AsText(details.security));
  if (!details.eas.empty())
    SetAttribute(path, "system.ntfs_ea", WithLastOffset(EasOf(details), true));
  if (!details.reparse.empty()) {
    SetAttribute(path, "system.ntfs_reparse_data", AsText(details.reparse));
  }
  SetAttribute(path, "system.ntfs_attrib_be", BigEndian(details.info.attributes & kSettable));
  SetAttribute(path, "system.ntfs_times_be", TimesOf(details));
}

void NtfsOracle::Compare(const std::string& id, const EntryDetails& details,
                         const std::string& path, bool copied) {
  if (!details.security.empty()) {
    EXPECT_EQ(Attribute(path, "system.ntfs_acl"), std::string(AsText(details.security)));
  }
  const auto eas = Attribute(path, "system.ntfs_ea");
  ASSERT_EQ(eas.has_value(), !details.eas.empty());
  if (eas) {
    EXPECT_EQ(EaMap(WithLastOffset(*eas, false)), EaMap(EasOf(details)));
  }
  const auto reparse = Attribute(path, "system.ntfs_reparse_data");
  ASSERT_EQ(reparse.has_value(), !details.reparse.empty());
  if (reparse) {
    EXPECT_EQ(*reparse, AsText(details.reparse));
  }
  const auto attributes = Attribute(path, "system.ntfs_attrib_be");
  ASSERT_TRUE(attributes);
  EXPECT_EQ(FromBigEndian(*attributes) & kShown, details.info.attributes & kShown);
  const auto times = Attribute(path, "system.ntfs_times_be");
  ASSERT_TRUE(times);
  // ntfs-3g lets nobody set the change time: it is compared the other way alone.
  const std::size_t known = copied ? 3 * sizeof(std::uint64_t) : times->size();
  EXPECT_EQ(times->substr(0, known), TimesOf(details).substr(0, known));
  // ntfs-3g shows SYSTEM files of 0 and 1 bytes as the pipes and sockets of Interix.
  const bool special = (details.info.attributes & 0x4) != 0 && details.info.size_bytes < 2;
  if (details.reparse.empty() && (details.info.attributes & 0x10) == 0 && !special) {
    EXPECT_TRUE(ReadFile(path) == Content(id, details.info.path, ""));
  }
  for (const auto& [name, size] : details.streams) {
    const std::string stream = ReadFile(path + ":" + name);
    EXPECT_EQ(stream.size(), size) << name;
    EXPECT_TRUE(stream == Content(id, details.info.path, name)) << name;
  }
}

void NtfsOracle::ToVolumeAndBack(const std::string& id, Bytes tar) {
  Apply(id, tar);
  if (HasFatalFailure()) return;
  ForEach(id, [&](const auto& details, const auto& path) { Put(id, details, path); });
  if (HasFatalFailure()) return;
  // Children first: their making touches the folders above.
  std::vector<std::pair<EntryDetails, std::string>> entries;
  ForEach(id, [&](const auto& details, const auto& path) { entries.emplace_back(details, path); });
  std::reverse(entries.begin(), entries.end());
  for (const auto& [details, path] : entries) {
    PutMetadata(details, path);
    if (HasFatalFailure()) return;
  }
  Unmount();
  Mount();
  if (HasFatalFailure()) return;
  std::size_t compared = 0;
  ForEach(id, [&](const auto& details, const auto& path) {
    ++compared;
    Compare(id, details, path, true);
  });
  EXPECT_EQ(compared, entries.size());
  EXPECT_GT(compared, 1u);
}

class NtfsGolden : public NtfsOracle, public testing::WithParamInterface<const char*> {};

TEST_P(NtfsGolden, AVolumeKeepsWhatTheStoreKept) {
  const std::string tar =
      ReadFile(std::string(WCLAYER_FIXTURES) + "/golden-oci/" + GetParam() + "/expected.tar");
  ToVolumeAndBack("golden", AsBytes(tar));
}

INSTANTIATE_TEST_SUITE_P(Sets, NtfsGolden,
                         testing::Values("attributes-and-eas", "base-sparse-links", "basic",
                                         "names", "reparse", "streams", "times"),
                         [](const auto& set) {
                           std::string name = set.param;
                           std::erase(name, '-');
                           return name;
                         });

// The other way: what NTFS gave a file of its own, as a layer and back.
TEST_F(NtfsOracle, TheStoreKeepsWhatAVolumeMade) {
  const std::string volume = (root_ / "volume").string();
  files::create_directories(volume + "/Files/d");
  std::ofstream(volume + "/Files/d/a.txt") << "made by the volume";
  std::ofstream(volume + "/Files/d/a.txt:note") << "a stream";
  files::create_symlink("a.txt", volume + "/Files/d/link");
  Unmount();
  Mount();
  Buffer tar;
  const auto add = [&](const std::string& name, char type, const std::string& data) {
    tar::Header header;
    header.name = name;
    header.type = type;
    header.mode = type == '5' ? 040000 : 0100000;
    header.size = data.size();
    const std::string path = volume + "/" + name;
    if (name.find(':') == std::string::npos) {
      const auto security = Attribute(path, "system.ntfs_acl");
      const auto attributes = Attribute(path, "system.ntfs_attrib_be");
      const auto times = Attribute(path, "system.ntfs_times_be");
      ASSERT_TRUE(security && attributes && times && times->size() == 32);
      std::string base64;
      layer::AppendBase64(base64, AsBytes(*security));
      header.pax = {{"MSWINDOWS.fileattr", std::to_string(FromBigEndian(*attributes))},
                    {"MSWINDOWS.rawsd", base64}};
      const auto time = [&](std::size_t at) {
        return UnixOfFiletime(static_cast<std::int64_t>(FromBigEndian(times->substr(at, 8))));
      };
      header.mtime = time(8);
      header.atime = time(16);
      header.ctime = time(24);
      header.pax.push_back({"LIBARCHIVE.creationtime", tar::FormatTime(time(0))});
      std::sort(header.pax.begin(), header.pax.end());
    }
    const Status status = tar::AppendHeader(tar, header);
    ASSERT_TRUE(status) << status.error().ToString();
    Append(tar, AsBytes(data));
    tar.resize(tar.size() + tar::Padding(data.size()));
  };
  add("Files", '5', "");
  add("Files/d", '5', "");
  add("Files/d/a.txt", '0', ReadFile(volume + "/Files/d/a.txt"));
  add("Files/d/a.txt:note", '0', ReadFile(volume + "/Files/d/a.txt:note"));
  tar.resize(tar.size() + tar::kTrailerBytes);
  Apply("made", tar);
  std::size_t compared = 0;
  ForEach("made", [&](const auto& details, const auto& path) {
    ++compared;
    Compare("made", details, path, false);
    EXPECT_FALSE(details.sddl.empty());
  });
  EXPECT_EQ(compared, 3u);
  const auto security = Attribute(volume + "/Files/d/a.txt", "system.ntfs_acl");
  ASSERT_TRUE(security);
  const auto details = driver_->Stat("made", "Files/d/a.txt");
  ASSERT_TRUE(details);
  EXPECT_EQ(*security, AsText(details->security));
  EXPECT_EQ(Content("made", "Files/d/a.txt", "note"), "a stream");
}

}  // namespace
}  // namespace wclayer
