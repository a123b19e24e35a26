// What the tests of streams share: sinks that keep, fail or wait, inputs made from a seed, and the
// command line tools as peers.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/sink.h"
#include "support/temporary_folder.h"

namespace wclayer::io {

class Collector : public ByteSink {
 public:
  Status Write(Bytes bytes) override {
    EXPECT_FALSE(finished);
    data += AsText(bytes);
    return {};
  }
  Status Finish() override {
    EXPECT_FALSE(finished);
    finished = true;
    return {};
  }
  std::string data;
  bool finished = false;
};

// Fails in the call after `good` bytes, and must not be called again.
class FailingSink final : public ByteSink {
 public:
  explicit FailingSink(std::size_t good) : good_(good) {}
  Status Write(Bytes bytes) override {
    EXPECT_FALSE(failed) << "written to after a failure";
    if (bytes.size() <= good_) {
      good_ -= bytes.size();
      return {};
    }
    failed = true;
    return Error(Errc::kNoSpace, "no room for this");
  }
  Status Finish() override {
    EXPECT_FALSE(failed) << "finished after a failure";
    failed = true;
    return Error(Errc::kNoSpace, "no room for this");
  }
  bool failed = false;

 private:
  std::size_t good_;
};

inline Status WriteInPieces(ByteSink& sink, std::string_view data, std::size_t piece) {
  for (std::size_t at = 0; at < data.size(); at += piece)
    WCLAYER_TRY(sink.Write(AsBytes(data.substr(at, piece))));
  return {};
}

inline std::string ReadAll(int fd, std::size_t piece) {
  std::string data;
  Buffer buffer(piece);
  for (;;) {
    const auto count = ReadSome(fd, buffer);
    EXPECT_TRUE(count.has_value());
    if (!count || *count == 0) return data;
    data += AsText(Bytes(buffer).first(*count));
  }
}

inline std::string RandomBytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string data(size, '\0');
  for (char& c : data) c = static_cast<char>(random());
  return data;
}

// Words of an invented language, the short ones more often: gzip makes about a third of it.
inline std::string Prose(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> words;
  for (int i = 0; i < 4000; ++i) {
    std::string word;
    for (std::size_t n = 2 + random() % 9; n != 0; --n)
      word += static_cast<char>('a' + std::min(random() % 26, random() % 26));
    words.push_back(std::move(word));
  }
  std::string data;
  data.reserve(size + 32);
  while (data.size() < size) {
    const std::size_t rank = std::min({random() % 4000, random() % 4000, random() % 4000});
    data += words[rank];
    data += random() % 12 == 0 ? ".\r\n" : " ";
  }
  data.resize(size);
  return data;
}

// As layers are: prose, incompressible bytes and zeros by turns.
inline std::string Mixture(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string data;
  while (data.size() < size) {
    const std::size_t run = 1 + random() % 200'000;
    switch (random() % 3) {
      case 0:
        data += Prose(run, random());
        break;
      case 1:
        data += RandomBytes(run, random());
        break;
      default:
        data.append(run, '\0');
    }
  }
  data.resize(size);
  return data;
}

// A folder of this test alone, gone after it.
class Workspace {
 public:
  Workspace() : path_(test::MakeTemporaryFolder("io")) {}
  ~Workspace() { std::filesystem::remove_all(path_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  std::string File(const std::string& name) const { return (path_ / name).string(); }
  void Put(const std::string& name, std::string_view data) const {
    std::ofstream out(File(name), std::ios::binary);
    out.write(data.data(), static_cast<std::streamsize>(data.size()));
    ASSERT_TRUE(out.good());
  }
  std::string Get(const std::string& name) const {
    std::ifstream in(File(name), std::ios::binary);
    EXPECT_TRUE(in.good()) << name;
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // The exit status of `command`, run in the folder; what it prints is in the file "messages".
  int Run(const std::string& command) const {
    return std::system(("cd '" + path_.string() + "' && { " + command + "; } 2> messages").c_str());
  }

 private:
  std::filesystem::path path_;
};

// What `command` makes of `input`, read from its standard input.
inline std::string Through(const std::string& command, std::string_view input) {
  const Workspace work;
  work.Put("in", input);
  EXPECT_EQ(work.Run(command + " < in > out"), 0) << command << ": " << work.Get("messages");
  return work.Get("out");
}

}  // namespace wclayer::io
