// GNU tar and bsdtar read what we write.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "tar/support.h"

namespace wclayer::tar {
namespace {

// GNU tar would name every vendor record on standard error.
constexpr const char* kGnuTar = "tar --warning=no-unknown-keyword";
constexpr const char* kBsdTar = "bsdtar";

struct Output {
  int exit_code = -1;
  std::string text;
};

Output Shell(const std::string& command) {
  Output output;
  FILE* pipe = popen(("LC_ALL=C.UTF-8 TZ=UTC " + command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> part{};
  for (std::size_t size; (size = fread(part.data(), 1, part.size(), pipe)) > 0;) {
    output.text.append(part.data(), size);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) output.exit_code = WEXITSTATUS(status);
  return output;
}

class Peers : public testing::Test {
 protected:
  Peers()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("wclayer-peers-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Peers() override { std::filesystem::remove_all(folder_); }

  std::string Path() const { return (folder_ / "peer.tar").string(); }

  void Add(const Header& header, std::string_view data = "") {
    const Status status = AppendHeader(tar_, header);
    ASSERT_TRUE(status) << status.error().ToString();
    Append(tar_, AsBytes(data));
    tar_.resize(tar_.size() + Padding(data.size()));
  }
  void Save() {
    tar_.resize(tar_.size() + kTrailerBytes);
    std::ofstream(Path(), std::ios::binary) << AsText(tar_);
  }

  std::filesystem::path folder_;
  Buffer tar_;
};

Header Named(const std::string& name, char type = '0') {
  Header header;
  header.name = name;
  header.type = type;
  header.mode = type == '5' ? 0755 : 0644;
  header.mtime = {1700000002, 100};
  header.atime = UnixTime{1700000003, 0};
  header.ctime = UnixTime{-1, 500000000};
  header.pax = {{"MSWINDOWS.fileattr", "32"}, {"MSWINDOWS.rawsd", "AQAEgA=="}};
  return header;
}

TEST_F(Peers, AreInstalled) {
  const Output gnu = Shell("tar --version");
  EXPECT_EQ(gnu.exit_code, 0) << gnu.text;
  ExpectContains(gnu.text, "GNU tar");
  const Output bsd = Shell("bsdtar --version");
  EXPECT_EQ(bsd.exit_code, 0) << bsd.text;
  ExpectContains(bsd.text, "libarchive");
}

TEST_F(Peers, ListAndReadEverything) {
  const std::string long_name = "Files/" + std::string(90, 'l') + "/" + std::string(120, 'n');
  const std::string split_name = std::string(90, 'd') + "/" + std::string(90, 'f');
  Add(Named("Files", '5'));
  Header data = Named("Files/Grüße 😀.txt");
  data.size = 6;
  Add(data, "grüß");
  data.name = long_name;
  data.size = 3;
  Add(data, "abc");
  Header split;
  split.format = Format::kAuto;
  split.name = split_name;
  split.size = 5;
  split.mode = 0644;
  Add(split, "split");
  Header link = Named("Files/hard", '1');
  link.link_name = long_name;
  Add(link);
  Header symlink = Named("Files/soft", '2');
  symlink.link_name = "C:\\Ziel\\ä";
  Add(symlink);
  Save();
  for (const std::string tool : {kGnuTar, kBsdTar}) {
    SCOPED_TRACE(tool);
    const Output list = Shell(tool + " -tvf " + Path());
    EXPECT_EQ(list.exit_code, 0) << list.text;
    ExpectContains(list.text, "Files/Grüße 😀.txt\n");
    ExpectContains(list.text, long_name + "\n");
    ExpectContains(list.text, split_name + "\n");
    ExpectContains(list.text, "Files/hard link to " + long_name + "\n");
    ExpectContains(list.text, "Files/soft -> C:");
    EXPECT_EQ(std::count(list.text.begin(), list.text.end(), '\n'), 6) << list.text;
    const Output files = Shell(tool + " -xOf " + Path());
    EXPECT_EQ(files.exit_code, 0) << files.text;
    EXPECT_EQ(files.text, "grüßabcsplit");
  }
  ExpectContains(Shell(std::string(kGnuTar) + " --full-time -tvf " + Path()).text,
                 "2023-11-14 22:13:22.0000001 ");
}

TEST_F(Peers, ListTheGoldenNames) {
  // Our own headers over the golden payloads are the golden tars (golden_test.cc).
  for (const std::string tool : {kGnuTar, kBsdTar}) {
    const Output list =
        Shell(tool + " -tf " + WCLAYER_FIXTURES + "/golden-oci/streams/expected.tar");
    EXPECT_EQ(list.exit_code, 0) << list.text;
  }
}

TEST_F(Peers, TakeSizesBeyondOctal) {
  Header header = Named("big");
  header.size = (std::uint64_t{8} << 30) + 1;
  Add(header);
  std::ofstream file(Path(), std::ios::binary);
  file << AsText(tar_);
  // A hole for the data: both tools seek over it.
  file.seekp(static_cast<std::streamoff>(tar_.size() + header.size + Padding(header.size)));
  tar_.clear();
  header = Named("next");
  Add(header);
  file << AsText(tar_) << kEnd;
  file.close();
  ASSERT_TRUE(file);
  for (const std::string tool : {kGnuTar, kBsdTar}) {
    SCOPED_TRACE(tool);
    const Output list = Shell(tool + " -tvf " + Path());
    EXPECT_EQ(list.exit_code, 0) << list.text;
    ExpectContains(list.text, "8589934593");
    ExpectContains(list.text, "next\n");
  }
}

}  // namespace
}  // namespace wclayer::tar
