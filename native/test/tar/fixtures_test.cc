// The tars of other projects and what Go's reader finds in them (spec oracle-cases §12).
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tar/support.h"

namespace wclayer::tar {
namespace {

struct Case {
  std::string fixture;
  std::vector<std::string> entries;  // "<type><raw type> <name>[ -> <link>] <size>/<stored size>"
  std::string error = "";            // part of the message; empty: none
};

std::string Repeat(std::string_view text, std::size_t times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

std::string Numbers(int last) {
  std::string all;
  for (int i = 1; i <= last; ++i) all += std::to_string(i);
  return all;
}

std::string Summary(const Entry& entry) {
  std::string text{entry.type, entry.raw_type == '\0' ? '.' : entry.raw_type};
  text += " " + entry.name;
  if (!entry.link_name.empty()) text += " -> " + entry.link_name;
  return text + " " + std::to_string(entry.size) + "/" + std::to_string(entry.stored_size);
}

std::vector<Case> Cases() {
  const std::string longnames = Repeat("longname/", 15);
  const std::string image1 = "17d1436ef796af2fc2210cc37c4672e5aa1b62cb08ac4b95dd15372321105a66/";
  const std::string image2 = "25445a0fc5025c3917a0cd6e307d92322540e0da691614312ddea22511b71513/";
  const std::string image3 = "9c7cb910d84346a3fbf3cc2be046f44bf0af7f11eb8db2ef1f45e93c1202faac/";
  return {
      {"tar-go/file-and-dir", {"00 small.txt 5/5", "55 dir/ 0/0"}},
      {"tar-go/gnu-incremental",
       {"DD test2/ 14/14", "00 test2/foo 64/64", "0S test2/sparse 536870912/0"}},
      {"tar-go/gnu-long-nul", {"00 0123456789 0/0"}},
      {"tar-go/gnu-nil-sparse-data", {"0S sparse.db 1000/1000"}},
      {"tar-go/gnu-nil-sparse-hole", {"0S sparse.db 1000/0"}},
      {"tar-go/gnu-not-utf8",
       {"00 hi\x80\x81\x82\x83"
        "bye 0/0"}},
      {"tar-go/gnu-sparse-big", {"0S gnu-sparse 60000000000/3072"}},
      {"tar-go/gnu-utf8", {"00 " + Repeat("☺☻☹", 18) + " 0/0"}},
      {"tar-go/invalid-go17", {"0. " + Repeat("a", 97) + "/foo 0/0"}},
      {"tar-go/pax-bad-hdr-file", {}, "the record has no newline"},
      {"tar-go/pax-bad-mtime-file", {}, "time '999xxx9324.432432444444'"},
      {"tar-go/pax-global-records",
       {"gg global1 0/0", "00 file1 0/0", "00 file2 0/0", "gg GlobalHead.0.0 0/0", "00 file3 0/0",
        "00 file4 0/0"}},
      {"tar-go/pax-nil-sparse-data", {"00 sparse.db 1000/1000"}},
      {"tar-go/pax-nil-sparse-hole", {"00 sparse.db 1000/0"}},
      {"tar-go/pax-nul-path", {}, "NUL"},
      {"tar-go/pax-nul-xattrs", {}, "NUL"},
      {"tar-go/pax-pos-size-file", {"00 foo 999/999"}},
      {"tar-go/pax-records", {"00 file 0/0"}},
      {"tar-go/pax-sparse-big", {"00 pax-sparse 60000000000/3072"}},
      {"tar-go/trailing-slash", {"55 " + Repeat("123456789/", 30) + " 0/0"}},
      {"tar-go/ustar-file-devs", {"00 file 0/0"}},

      {"tar-go-winio/gnu", {"00 small.txt 5/5", "00 small2.txt 11/11"}},
      {"tar-go-winio/gnu-multi-hdrs",
       {"22 GNU2/GNU2/long-path-name -> GNU4/GNU4/long-linkpath-name 0/0"}},
      {"tar-go-winio/hardlink", {"00 file.txt 15/15", "11 hard.txt -> file.txt 0/0"}},
      {"tar-go-winio/hdr-only",
       {"55 dir/ 0/0", "66 fifo 0/0", "00 file 46/46", "11 hardlink -> file 0/0", "33 null 0/0",
        "44 sda 0/0", "22 symlink -> file 0/0", "22 badlink -> missing 0/0", "55 dir/ 5/0",
        "66 fifo 5/0", "00 file 46/46", "11 hardlink -> file 5/0", "33 null 5/0", "44 sda 5/0",
        "22 symlink -> file 5/0", "22 badlink -> missing 5/0"}},
      {"tar-go-winio/issue10968", {}, "entry 0, header at byte 0: mode field"},
      {"tar-go-winio/issue11169", {}, "truncated at byte 602, within an extended header"},
      {"tar-go-winio/issue12435", {}, "entry 0, header at byte 0: mode field"},
      {"tar-go-winio/neg-size", {}, "entry 0, header at byte 0: mode field"},
      {"tar-go-winio/nil-uid", {"00 P1050238.JPG.log 14/14"}},
      {"tar-go-winio/pax", {"00 a/" + Numbers(100) + " 7/7", "22 a/b -> " + Numbers(100) + " 0/0"}},
      {"tar-go-winio/pax-multi-hdrs", {"22 bar -> PAX4/PAX4/long-linkpath-name 0/0"}},
      {"tar-go-winio/pax-path-hdr", {}},
      {"tar-go-winio/sparse-formats",
       {"0S sparse-gnu 200/95", "00 sparse-posix-0.0 200/95", "00 sparse-posix-0.1 200/95",
        "00 sparse-posix-1.0 200/95", "00 end 4/4"}},
      {"tar-go-winio/star", {"00 small.txt 5/5", "00 small2.txt 11/11"}},
      {"tar-go-winio/ustar", {"00 " + longnames + "file.txt 6/6"}},
      {"tar-go-winio/ustar-file-reg", {"00 foo 684/684"}},
      {"tar-go-winio/v7", {"0. small.txt 5/5", "0. small2.txt 11/11"}},
      {"tar-go-winio/writer",
       {"00 small.txt 5/5", "00 small2.txt 11/11", "22 link.txt -> small.txt 0/0"}},
      {"tar-go-winio/writer-big",
       {"00 tmp/16gig.txt 17179869184/17179869184"},
       "truncated at byte 4096, 3584 of 17179869184 bytes"},
      {"tar-go-winio/writer-big-long",
       {"00 " + longnames + "16gig.txt 17179869184/17179869184"},
       "truncated at byte 4096, 3584 of 17179869184 bytes"},
      {"tar-go-winio/xattrs", {"00 small.txt 5/5", "00 small2.txt 11/11"}},

      {"tar-moby/docker-save-emptyLayer",
       {"55 " + image1 + " 0/0", "00 " + image1 + "VERSION 3/3", "00 " + image1 + "json 562/562",
        "00 " + image1 + "layer.tar 512/512", "55 " + image2 + " 0/0",
        "00 " + image2 + "VERSION 3/3", "00 " + image2 + "json 1529/1529",
        "00 " + image2 + "layer.tar 10240/10240", "55 " + image3 + " 0/0",
        "00 " + image3 + "VERSION 3/3", "00 " + image3 + "json 1509/1509",
        "00 " + image3 + "layer.tar 0/0", "00 repositories 114/114"}},
      {"tar-moby/tarsum-collision-0", {"00 file 6/6", "00 file 6/6"}},
      {"tar-moby/tarsum-xattr-layer", {"00 file 0/0"}},
  };
}

Log ReadAll(const std::string& fixture, Status& status) {
  Log log;
  status = ReadWhole(ReadFixture(fixture + ".tar"), log);
  return log;
}

Log ReadGoodFixture(const std::string& fixture) {
  Status status;
  Log log = ReadAll(fixture, status);
  EXPECT_TRUE(status) << fixture << ": " << status.error().ToString();
  return log;
}

std::string PaxOf(const Entry& entry, const std::string& key) {
  for (const auto& [name, value] : entry.pax) {
    if (name == key) return value;
  }
  return "no such record";
}

// C5, C14.
TEST(Fixtures, GiveWhatGoGives) {
  for (const Case& expected : Cases()) {
    SCOPED_TRACE(expected.fixture);
    const std::string tar = ReadFixture(expected.fixture + ".tar");
    ASSERT_FALSE(tar.empty());
    Log log;
    const Status status = ReadWhole(tar, log);
    std::vector<std::string> entries;
    for (const Entry& entry : log.entries) entries.push_back(Summary(entry));
    EXPECT_EQ(entries, expected.entries);
    if (expected.error.empty()) {
      ASSERT_TRUE(status) << status.error().ToString();
      EXPECT_EQ(log.input, tar);
      EXPECT_FALSE(log.empty_piece);
    } else {
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error().code, Errc::kBadArchive);
      EXPECT_NE(status.error().message.find(expected.error), std::string::npos)
          << status.error().message;
    }
  }
}

TEST(Fixtures, AreAllInTheTable) {
  std::set<std::string> tested;
  for (const Case& expected : Cases()) tested.insert(expected.fixture + ".tar");
  std::set<std::string> present;
  for (const char* folder : {"tar-go", "tar-go-winio", "tar-moby"}) {
    const auto path = std::filesystem::path(WCLAYER_FIXTURES) / folder;
    for (const auto& file : std::filesystem::directory_iterator(path)) {
      present.insert(std::string(folder) + "/" + file.path().filename().string());
    }
  }
  EXPECT_EQ(tested, present);
}

TEST(Fixtures, GiveTheSameEventsInAnyPieces) {
  constexpr unsigned kSeed = 20161;
  std::mt19937 random(kSeed);
  for (const Case& expected : Cases()) {
    SCOPED_TRACE(expected.fixture + ", seed " + std::to_string(kSeed));
    const std::string tar = ReadFixture(expected.fixture + ".tar");
    Log whole;
    const Status status = ReadWhole(tar, whole);
    const auto check = [&](auto next_size) {
      Log log;
      const Status pieces = ReadInPieces(tar, log, {}, next_size);
      ASSERT_EQ(status.has_value(), pieces.has_value());
      EXPECT_FALSE(log.empty_piece);
      if (!status) {
        EXPECT_EQ(status.error().message, pieces.error().message);
        ASSERT_EQ(log.entries.size(), whole.entries.size());
      } else {
        ASSERT_EQ(log.events, whole.events);
      }
    };
    check([] { return 1; });
    check([] { return 511; });
    check([] { return 513; });
    std::uniform_int_distribution<int> any(1, 2000);
    for (int round = 0; round < 5; ++round) check([&] { return any(random); });
  }
}

TEST(Fixtures, GlobalRecordsApplyButForNames) {
  const Log log = ReadGoodFixture("tar-go/pax-global-records");
  ASSERT_EQ(log.entries.size(), 6u);
  EXPECT_EQ(log.entries[0].pax, (Records{{"mtime", "1500000000.0"}, {"path", "global1"}}));
  EXPECT_EQ(log.entries[1].mtime, (UnixTime{1500000000, 0}));
  EXPECT_EQ(log.entries[2].offset, 1536u);  // of its extended header
  EXPECT_EQ(log.entries[3].pax, (Records{{"path", ""}}));
  EXPECT_EQ(log.entries[5].mtime, (UnixTime{1400000000, 0}));  // its own record
  EXPECT_TRUE(log.entries[5].pax.empty());
}

TEST(Fixtures, KeepUnknownAndBinaryRecords) {
  const Log records = ReadGoodFixture("tar-go/pax-records");
  EXPECT_EQ(
      records.entries[0].pax,
      (Records{{"GOLANG.pkg", "tar"}, {"comment", "Hello, 世界"}, {"uname", Repeat("long", 10)}}));
  const Log xattr = ReadGoodFixture("tar-moby/tarsum-xattr-layer");
  EXPECT_EQ(PaxOf(xattr.entries[0], "SCHILY.xattr.security.capability"),
            std::string("\x01\0\0\x02\xC0", 5) + std::string(15, '\0'));
}

TEST(Fixtures, HaveTimesOfEveryDialect) {
  const Log pax = ReadGoodFixture("tar-go-winio/pax");
  EXPECT_EQ(pax.entries[0].mtime, (UnixTime{1350244992, 23960108}));
  EXPECT_EQ(pax.entries[0].atime, (UnixTime{1350244992, 23960108}));
  const Log star = ReadGoodFixture("tar-go-winio/star");
  EXPECT_EQ(star.entries[0].atime, (UnixTime{1244592783, 0}));
  EXPECT_EQ(star.entries[0].ctime, (UnixTime{1244592783, 0}));
  const Log gnu = ReadGoodFixture("tar-go/gnu-incremental");
  EXPECT_EQ(gnu.entries[0].atime, (UnixTime{1441974501, 0}));
  EXPECT_EQ(gnu.entries[0].ctime, (UnixTime{1441973436, 0}));
  EXPECT_EQ(ReadGoodFixture("tar-go-winio/v7").entries[0].atime, std::nullopt);
  const Log owner = ReadGoodFixture("tar-go/invalid-go17");  // base-256
  EXPECT_EQ(owner.entries[0].uid, 010000000u);
}

TEST(Fixtures, HaveTheSameMapInEverySparseFormat) {
  const Log log = ReadGoodFixture("tar-go-winio/sparse-formats");
  ASSERT_EQ(log.entries.size(), 5u);
  for (std::size_t i = 0; i < 4; ++i) {
    SCOPED_TRACE(log.entries[i].name);
    EXPECT_TRUE(log.entries[i].sparse);
    ASSERT_EQ(log.entries[i].ranges.size(), 95u);
    for (std::size_t k = 0; k < 95; ++k) {
      EXPECT_EQ(log.entries[i].ranges[k].offset, 2 * k + 1);
      EXPECT_EQ(log.entries[i].ranges[k].size, 1u);
    }
    EXPECT_EQ(log.payloads[i], log.payloads[0]);
    EXPECT_EQ(log.payloads[i].size(), 95u);
    EXPECT_TRUE(log.entries[i].pax.empty());
  }
  EXPECT_FALSE(log.entries[4].sparse);
  EXPECT_EQ(log.payloads[4], "end\n");

  const Log big = ReadGoodFixture("tar-go/pax-sparse-big");
  ASSERT_EQ(big.entries[0].ranges.size(), 6u);
  EXPECT_EQ(big.entries[0].ranges[5].offset, 59999999488u);
}

TEST(Fixtures, NestedDockerSaveLayersAreTarsToo) {
  const Log outer = ReadGoodFixture("tar-moby/docker-save-emptyLayer");
  for (const std::size_t i : {std::size_t{3}, std::size_t{7}, std::size_t{11}}) {
    Log inner;
    const Status status = ReadWhole(outer.payloads[i], inner);
    ASSERT_TRUE(status) << status.error().ToString();
    EXPECT_EQ(inner.input, outer.payloads[i]);
  }
}

}  // namespace
}  // namespace wclayer::tar
