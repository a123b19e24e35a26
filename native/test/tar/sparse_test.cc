#include "tar/sparse.h"

#include <gtest/gtest.h>

#include "tar/limits.h"
#include "tar/support.h"

namespace wclayer::tar {
namespace {

std::string Octal(std::uint64_t value) {
  std::string digits(11, '0');
  for (std::size_t i = digits.size(); i-- > 0; value >>= 3) {
    digits[i] = static_cast<char>('0' + (value & 7));
  }
  return digits + std::string(1, '\0');
}

std::string Slots(const std::vector<SparseRange>& ranges, std::size_t from, std::size_t count) {
  std::string slots;
  for (std::size_t i = from; i < std::min(ranges.size(), from + count); ++i) {
    slots += Octal(ranges[i].offset) + Octal(ranges[i].size);
  }
  return slots;
}

std::string OldGnu(const std::vector<SparseRange>& ranges, std::uint64_t logical,
                   const std::string& data) {
  const std::size_t in_header = 4;
  const std::size_t in_extension = 21;
  std::string tar = RawHeader('S', "sparse", data.size())
                        .Gnu()
                        .Set(kGnuSparse, Slots(ranges, 0, in_header))
                        .Set({kGnuIsExtended, 1}, ranges.size() > in_header ? "\x01" : "")
                        .Octal(kGnuRealSize, logical)
                        .Block();
  for (std::size_t at = in_header; at < ranges.size(); at += in_extension) {
    std::string block = Slots(ranges, at, in_extension);
    block.resize(kBlock);
    if (at + in_extension < ranges.size()) block[kExtensionIsExtended] = 1;
    tar += block;
  }
  return tar + Padded(data);
}

std::string PaxMap(const std::vector<SparseRange>& ranges) {
  std::string map;
  for (const SparseRange& range : ranges) {
    map +=
        (map.empty() ? "" : ",") + std::to_string(range.offset) + "," + std::to_string(range.size);
  }
  return map;
}

std::string Pax01(const std::string& map, const std::string& blocks, std::uint64_t logical,
                  const std::string& data) {
  return Extended('x', Record("GNU.sparse.size", std::to_string(logical)) +
                           Record("GNU.sparse.numblocks", blocks) + Record("GNU.sparse.map", map)) +
         File("sparse", data);
}

std::string Pax10(const std::string& map, std::uint64_t logical, const std::string& data,
                  const std::string& minor = "0") {
  return Extended('x', Record("GNU.sparse.major", "1") + Record("GNU.sparse.minor", minor) +
                           Record("GNU.sparse.name", "real name") +
                           Record("GNU.sparse.realsize", std::to_string(logical))) +
         File("GNUSparseFile.1/name", Padded(map) + data);
}

std::string Lines(const std::vector<SparseRange>& ranges) {
  std::string lines = std::to_string(ranges.size()) + "\n";
  for (const SparseRange& range : ranges) {
    lines += std::to_string(range.offset) + "\n" + std::to_string(range.size) + "\n";
  }
  return lines;
}

std::string RefusalOf(const std::string& tar) {
  Log log;
  const Status status = ReadWhole(tar, log);
  EXPECT_TRUE(log.entries.empty());
  return status ? "no error" : status.error().message;
}

TEST(Sparse, MapsOfAnyLengthInEveryFormat) {
  for (const std::size_t count : {0, 1, 3, 4, 5, 24, 25, 26, 46, 47, 200, 3000}) {
    std::vector<SparseRange> ranges;
    std::string data;
    for (std::size_t i = 0; i < count; ++i) {
      ranges.push_back({i * 1000, 1 + i % 7});
      data.append(1 + i % 7, static_cast<char>('a' + i % 26));
    }
    const std::uint64_t logical = count * 1000 + 5;
    for (const std::string& entry : {OldGnu(ranges, logical, data),
                                     Pax01(PaxMap(ranges), std::to_string(count), logical, data),
                                     Pax10(Lines(ranges), logical, data)}) {
      if (count == 0 && entry[156] == 'x' && entry.find("sparse.map") != std::string::npos) {
        continue;  // an empty map without a version is no sparse file
      }
      const std::string tar = entry + File("next", "n") + kEnd;
      Log log;
      const Status status = ReadWhole(tar, log);
      ASSERT_TRUE(status) << count << ": " << status.error().ToString();
      EXPECT_EQ(log.input, tar);
      ASSERT_EQ(log.entries.size(), 2u);
      const Entry& sparse = log.entries[0];
      EXPECT_TRUE(sparse.sparse);
      EXPECT_EQ(sparse.type, '0');
      EXPECT_EQ(sparse.size, logical);
      EXPECT_EQ(sparse.stored_size, data.size());
      EXPECT_EQ(PaxMap(sparse.ranges), PaxMap(ranges));
      EXPECT_EQ(log.payloads[0], data);
      EXPECT_EQ(log.payloads[1], "n");
      EXPECT_FALSE(log.entries[1].sparse);
      EXPECT_TRUE(log.entries[1].ranges.empty());
      Log pieces;
      ASSERT_TRUE(ReadInPieces(tar, pieces, {}, [] { return 1; }));
      EXPECT_EQ(pieces.events, log.events);
    }
  }
}

TEST(Sparse, Version10TakesItsNameFromTheRecord) {
  Log log;
  ASSERT_TRUE(ReadWhole(Pax10(Lines({{0, 1}}), 9, "x") + kEnd, log));
  EXPECT_EQ(log.entries[0].name, "real name");
  EXPECT_EQ(log.events[0].kind, 'r');
  EXPECT_EQ(log.events[0].text.size(), 1024u + 512u + 512u);  // the map is no payload
}

TEST(Sparse, EmptyRangesAreDropped) {
  Log log;
  ASSERT_TRUE(ReadWhole(OldGnu({{0, 2}, {7, 0}, {9, 0}}, 9, "ab") + kEnd, log));
  EXPECT_EQ(PaxMap(log.entries[0].ranges), "0,2");
}

TEST(Sparse, BadMaps) {
  const struct {
    std::string map;
    std::string blocks;
    std::string_view message;
  } cases[] = {
      {"0,1,0,1", "2", "begins before the one before it ends"},
      {"5,1,0,1", "2", "begins before the one before it ends"},
      {"0,1,9,2", "2", "it ends at 11, beyond the file's 10 bytes"},
      {"0,1", "1", "its ranges hold 1 bytes, the archive 2"},
      {"0,3", "1", "its ranges hold 3 bytes, the archive 2"},
      {"0,1,5,1", "1", "announces 1 ranges, the map has 4 numbers"},
      {"0,1,5", "2", "announces 2 ranges, the map has 3 numbers"},
      {"0,1,", "1", "ends with a comma"},
      {"0,x", "1", "'x' is not an offset"},
      {"0,-1", "1", "'-1' is not an offset"},
      {"0,2", "", "'' is not an offset, size or count"},
      {"0,2", "1048577", "kMaxSparseRanges"},
      {"9223372036854775807,2", "1", "kMaxFileBytes"},
  };
  for (const auto& bad : cases) {
    ExpectContains(RefusalOf(Pax01(bad.map, bad.blocks, 10, "ab") + kEnd), bad.message);
  }
}

TEST(Sparse, BadRepeatedRecords) {
  const std::string offset = Record("GNU.sparse.offset", "0");
  const std::string size = Record("GNU.sparse.numbytes", "2");
  for (const auto& [records, message] : std::vector<std::pair<std::string, std::string>>{
           {size + offset, "do not take turns"},
           {offset + offset, "do not take turns"},
           {offset + size + offset, "has no numbytes"},
           {offset + Record("GNU.sparse.numbytes", "1,5"), "is not an offset or a size"},
       }) {
    ExpectContains(RefusalOf(Extended('x', Record("GNU.sparse.numblocks", "1") + records) +
                             File("f", "ab") + kEnd),
                   message);
  }
}

TEST(Sparse, BadMapsInThePayload) {
  for (const auto& [lines, message] : std::vector<std::pair<std::string, std::string>>{
           {"x\n", "is not a decimal number"},
           {"\n", "is empty"},
           {"-1\n", "is not a decimal number"},
           {"1\n0\n9999999999999999999\n", "is not a decimal number"},
           {"1048577\n", "kMaxSparseRanges"},
           {"2\n0\n1\n0\n1\n", "begins before"},
           {"1\n0\n5\n", "its ranges hold 5 bytes, the archive 2"},
           {"1\n0\n", "is not a decimal number"},  // runs into the zeros that fill the block
       }) {
    ExpectContains(RefusalOf(Pax10(lines, 10, "ab") + kEnd), message);
  }
  const std::string version = Record("GNU.sparse.major", "1") + Record("GNU.sparse.minor", "0");
  ExpectContains(RefusalOf(Extended('x', version) + File("f", "") + kEnd), "no payload");
  ExpectContains(RefusalOf(Extended('x', version) + File("f", "1\n0\n") + kEnd),
                 "the payload ends within it");
  ExpectContains(RefusalOf(Extended('x', version) + File("f", "1\n0\n1\n") + kEnd),
                 "the payload ends within the map's last block");
  ExpectContains(RefusalOf(Extended('x', version) + File("f", std::string(600, '1'))),
                 "is not a decimal number");
}

TEST(Sparse, UnknownVersionsAndTypesWithoutData) {
  ExpectContains(RefusalOf(Pax10("0\n", 0, "", "7") + kEnd), "unknown version '1.7'");
  ExpectContains(RefusalOf(Extended('x', Record("GNU.sparse.map", "0,0") +
                                             Record("GNU.sparse.numblocks", "1")) +
                           File("dir", "", '5') + kEnd),
                 "a type that has no data");
}

TEST(Sparse, BadOldGnuHeaders) {
  ExpectContains(RefusalOf(RawHeader('S', "star", 0).Block() + kEnd), "that is not GNU's");
  ExpectContains(
      RefusalOf(RawHeader('S', "s", 0).Gnu().Set(kGnuRealSize, "nonsense").Block() + kEnd),
      "without a real size");
  ExpectContains(RefusalOf(RawHeader('S', "s", 0).Gnu().Set(kGnuSparse, "nonsense").Block() + kEnd),
                 "not a number of zero or more");
  const std::vector<SparseRange> ranges(30, SparseRange{0, 0});
  const std::string tar = OldGnu(ranges, 0, "");
  ExpectContains(RefusalOf(tar.substr(0, 512)), "within a sparse map");
  ExpectContains(RefusalOf(tar.substr(0, 1030)), "within a sparse map");
}

TEST(Sparse, RangesAreCounted) {
  // Extension blocks without end: refused at the limit, whatever the size of the stream.
  Log log;
  Reader reader(log);
  const std::string slot = Octal(0) + Octal(0);
  std::string block;
  for (int i = 0; i < 21; ++i) block += slot;
  block.resize(kBlock);
  block[kExtensionIsExtended] = 1;
  ASSERT_TRUE(
      reader.Write(AsBytes(RawHeader('S', "s", 0).Gnu().Set({kGnuIsExtended, 1}, "\x01").Block())));
  Status status;
  std::size_t blocks = 0;
  while (status && blocks < kMaxSparseRanges) {
    status = reader.Write(AsBytes(block));
    ++blocks;
  }
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kLimitExceeded);
  EXPECT_EQ(blocks, kMaxSparseRanges / 21 + 1);
}

}  // namespace
}  // namespace wclayer::tar
