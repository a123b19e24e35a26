#include "io/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "io/sha256.h"

namespace wclayer::io {
namespace {

constexpr std::size_t kBlockBytes = 64;

}  // namespace

void Sha256::Update(Bytes bytes) {
  const Sha256Blocks run = BestSha256();
  const std::size_t have = length_ % kBlockBytes;
  length_ += bytes.size();
  if (have != 0) {
    const std::size_t count = std::min(kBlockBytes - have, bytes.size());
    std::copy_n(bytes.begin(), count, block_ + have);
    bytes = bytes.subspan(count);
    if (have + count < kBlockBytes) return;
    run(state_, block_, 1);
  }
  const std::size_t whole = bytes.size() / kBlockBytes;
  if (whole != 0) run(state_, bytes.data(), whole);
  bytes = bytes.subspan(whole * kBlockBytes);
  std::copy(bytes.begin(), bytes.end(), block_);
}

std::array<std::byte, 32> Sha256::Finish() {
  const std::uint64_t bits = length_ * 8;
  std::byte tail[2 * kBlockBytes] = {};
  std::size_t have = length_ % kBlockBytes;
  std::copy_n(block_, have, tail);
  tail[have] = std::byte{0x80};
  const std::size_t blocks = have < kBlockBytes - 8 ? 1 : 2;
  StoreLe(tail + blocks * kBlockBytes - 8, __builtin_bswap64(bits));
  BestSha256()(state_, tail, blocks);
  std::array<std::byte, 32> digest;
  for (std::size_t i = 0; i < 8; ++i) StoreLe(digest.data() + 4 * i, __builtin_bswap32(state_[i]));
  return digest;
}

std::string Sha256::FinishText() {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text = "sha256:";
  for (const std::byte byte : Finish()) {
    text += kHex[static_cast<unsigned>(byte) >> 4];
    text += kHex[static_cast<unsigned>(byte) & 15];
  }
  return text;
}

Status CheckDigestText(std::string_view digest) {
  const bool good = digest.size() == 71 && digest.starts_with("sha256:") &&
                    digest.find_first_not_of("0123456789abcdef", 7) == std::string_view::npos;
  if (good) return {};
  return Error(Errc::kInvalidArgument, "not a digest: '" + std::string(digest.substr(0, 100)) +
                                           "' (sha256: and 64 lower-case hex digits)");
}

std::uint64_t Checksum(Bytes bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::array<std::uint64_t, 2> WideChecksum(Bytes bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

struct StreamChecksum::State {
  XXH3_state_t xxh;
};

StreamChecksum::StreamChecksum() : state_(new State) {
  Reset();
}
StreamChecksum::~StreamChecksum() {
  delete state_;
}
void StreamChecksum::Reset() {
  XXH3_64bits_reset(&state_->xxh);
}
void StreamChecksum::Update(Bytes bytes) {
  XXH3_64bits_update(&state_->xxh, bytes.data(), bytes.size());
}
std::uint64_t StreamChecksum::Value() const {
  return XXH3_64bits_digest(&state_->xxh);
}

Status DigestSink::Write(Bytes bytes) {
  sha_.Update(bytes);
  bytes_ += bytes.size();
  return next_ == nullptr ? Status() : next_->Write(bytes);
}

Status DigestSink::Finish() {
  return next_ == nullptr ? Status() : next_->Finish();
}

}  // namespace wclayer::io
