// What the backup tests share: fixtures, and a sink that keeps what it is given.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "backup/stream.h"

namespace wclayer::backup::test {

inline Buffer ReadFixture(const std::filesystem::path& path) {
  std::ifstream file(std::filesystem::path(WCLAYER_FIXTURES) / path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const Bytes bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

// All recorded backup streams, relative to the fixtures, sorted.
inline std::vector<std::filesystem::path> GoldenStreams(const std::string& folder = "") {
  const std::filesystem::path root(WCLAYER_FIXTURES);
  std::vector<std::filesystem::path> all;
  for (const auto& item :
       std::filesystem::recursive_directory_iterator(root / "golden-oci" / folder)) {
    if (item.path().extension() == ".bin") all.push_back(item.path().lexically_relative(root));
  }
  std::sort(all.begin(), all.end());
  EXPECT_FALSE(all.empty());
  return all;
}

inline std::string Hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[static_cast<unsigned>(byte) >> 4];
    text += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return text;
}

struct Part {
  StreamHeader header;
  std::uint64_t sparse_offset = 0;
  Buffer data;
  std::size_t pieces = 0;  // OnData calls
  bool ended = false;
};

class Recorder : public Sink {
 public:
  Status OnStream(const StreamHeader& header, std::uint64_t sparse_offset) override {
    EXPECT_TRUE(parts.empty() || parts.back().ended);
    parts.push_back({header, sparse_offset, {}, 0, false});
    return Fail();
  }
  Status OnData(Bytes bytes) override {
    EXPECT_FALSE(bytes.empty());
    EXPECT_FALSE(parts.back().ended);
    Append(parts.back().data, bytes);
    ++parts.back().pieces;
    last = bytes;
    return Fail();
  }
  Status OnStreamEnd() override {
    EXPECT_FALSE(parts.back().ended);
    parts.back().ended = true;
    return Fail();
  }

  std::vector<Part> parts;
  Bytes last;
  int fail_at = -1;  // the call that fails, counted from 0

 private:
  Status Fail() {
    if (calls_++ != fail_at) return {};
    return Error(Errc::kNoSpace, "the sink is full");
  }
  int calls_ = 0;
};

// The bytes of the streams again.
inline Buffer Encode(const std::vector<Part>& parts) {
  Buffer out;
  for (const Part& part : parts) {
    AppendHeader(out, part.header);
    if (part.header.id == StreamId::kSparseBlock) AppendLe(out, part.sparse_offset);
    Append(out, part.data);
  }
  return out;
}

}  // namespace wclayer::backup::test
