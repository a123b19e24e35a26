#include "io/sha256.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "io/digest.h"
#include "io/streams.h"

namespace wclayer::io {
namespace {

struct Implementation {
  const char* name;
  Sha256Blocks run;
};

std::vector<Implementation> Implementations() {
  std::vector<Implementation> all = {{"portable", Sha256Portable}, {"best", BestSha256()}};
#if defined(__x86_64__)
  if (HaveShaNi()) all.push_back({"SHA-NI", Sha256ShaNi});
#endif
#if defined(__aarch64__) && defined(__linux__)
  if (HaveArmSha()) all.push_back({"ARMv8", Sha256Arm});
#endif
  return all;
}

std::string Hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned>(byte));
    text += two;
  }
  return text;
}

// FIPS 180-4 §5.1.1 padding around one block function, apart from class Sha256.
std::string DigestBy(Sha256Blocks run, std::string message) {
  const std::uint64_t bits = message.size() * 8;
  message += '\x80';
  while (message.size() % 64 != 56) message += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) message += static_cast<char>(bits >> shift);
  std::uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  run(state, AsBytes(message).data(), message.size() / 64);
  std::string text;
  for (const std::uint32_t word : state) {
    char eight[9];
    std::snprintf(eight, sizeof eight, "%08x", word);
    text += eight;
  }
  return text;
}

// FIPS 180-2 appendix B and NIST's example values.
const std::pair<std::string, std::string> kVectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
     "qrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {std::string(1'000'000, 'a'),
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

TEST(Sha256Test, EveryImplementationMatchesNistVectors) {
  for (const auto& [name, run] : Implementations()) {
    for (const auto& [message, digest] : kVectors)
      EXPECT_EQ(DigestBy(run, message), digest) << name;
  }
}

TEST(Sha256Test, MatchesNistVectors) {
  for (const auto& [message, digest] : kVectors) {
    Sha256 sha;
    sha.Update(AsBytes(message));
    EXPECT_EQ(Hex(sha.Finish()), digest);
  }
}

TEST(Sha256Test, ImplementationsAgreeOnEveryLength) {
  const std::string data = RandomBytes(600, 20);
  for (std::size_t size = 0; size <= data.size(); ++size) {
    const std::string message = data.substr(0, size);
    const std::string expected = DigestBy(Sha256Portable, message);
    for (const auto& [name, run] : Implementations())
      ASSERT_EQ(DigestBy(run, message), expected) << name << ", " << size << " bytes";
    Sha256 sha;
    sha.Update(AsBytes(message));
    ASSERT_EQ(sha.FinishText(), "sha256:" + expected) << size << " bytes";
  }
}

TEST(Sha256Test, PiecesDoNotMatter) {
  std::mt19937_64 random(21);
  for (int round = 0; round < 200; ++round) {
    const std::string data = RandomBytes(random() % 20'000, random());
    Sha256 sha;
    for (std::string_view rest = data; !rest.empty();) {
      const std::size_t count = std::min<std::size_t>(rest.size(), random() % 300);
      sha.Update(AsBytes(rest.substr(0, count)));
      rest.remove_prefix(count);
    }
    ASSERT_EQ(sha.FinishText(), "sha256:" + DigestBy(Sha256Portable, data)) << "round " << round;
  }
}

TEST(DigestTest, TextOfADigestIsStrict) {
  const std::string good = "sha256:" + kVectors[0].second;
  EXPECT_TRUE(CheckDigestText(good).has_value());
  for (const std::string& bad : {std::string(), std::string("sha256:"), good.substr(0, 70),
                                 good + "0", "SHA256" + good.substr(6), "sha256:E" + good.substr(8),
                                 "sha256:g" + good.substr(8), std::string(100'000, 'x')}) {
    const Status status = CheckDigestText(bad);
    ASSERT_FALSE(status.has_value()) << bad;
    EXPECT_EQ(status.error().code, Errc::kInvalidArgument);
    EXPECT_LT(status.error().message.size(), 300u);
  }
}

TEST(ChecksumTest, MatchesXxh3) {
  // The reference implementation's own test values for seed 0.
  EXPECT_EQ(Checksum({}), 0x2D06800538D394C2u);
  const std::string data = RandomBytes(100'000, 22);
  std::mt19937_64 random(23);
  StreamChecksum stream;
  for (int round = 0; round < 50; ++round) {
    const std::string_view message = std::string_view(data).substr(0, random() % data.size());
    stream.Reset();
    for (std::string_view rest = message; !rest.empty();) {
      const std::size_t count = std::min<std::size_t>(rest.size(), 1 + random() % 5000);
      stream.Update(AsBytes(rest.substr(0, count)));
      rest.remove_prefix(count);
    }
    ASSERT_EQ(stream.Value(), Checksum(AsBytes(message))) << message.size() << " bytes";
  }
}

TEST(ChecksumTest, WideOnesAreOfTheWholeMessage) {
  // The reference implementation's own value: 99aa06d3014798d8 6001c324468d497f.
  EXPECT_EQ(WideChecksum({}),
            (std::array<std::uint64_t, 2>{0x6001C324468D497Fu, 0x99AA06D3014798D8u}));
  std::string message = RandomBytes(1'000, 24);
  const auto before = WideChecksum(AsBytes(message));
  for (std::size_t at = 0; at < message.size(); at += 37) {
    message[at] = static_cast<char>(message[at] ^ 1);
    EXPECT_NE(WideChecksum(AsBytes(message))[0], before[0]);
    EXPECT_NE(WideChecksum(AsBytes(message))[1], before[1]);
    message[at] = static_cast<char>(message[at] ^ 1);
  }
  EXPECT_EQ(WideChecksum(AsBytes(message)), before);
}

TEST(DigestSinkTest, DigestsAndPassesOn) {
  Collector collector;
  DigestSink sink(&collector);
  ASSERT_TRUE(sink.Write(AsBytes("a")).has_value());
  ASSERT_TRUE(sink.Write(AsBytes("bc")).has_value());
  ASSERT_TRUE(sink.Finish().has_value());
  EXPECT_EQ(collector.data, "abc");
  EXPECT_TRUE(collector.finished);
  EXPECT_EQ(sink.bytes(), 3u);
  EXPECT_EQ(sink.Digest(), "sha256:" + kVectors[1].second);
}

TEST(DigestSinkTest, DigestsAlone) {
  DigestSink sink(nullptr);
  ASSERT_TRUE(sink.Write(AsBytes("abc")).has_value());
  ASSERT_TRUE(sink.Finish().has_value());
  EXPECT_EQ(sink.Digest(), "sha256:" + kVectors[1].second);
}

}  // namespace
}  // namespace wclayer::io
