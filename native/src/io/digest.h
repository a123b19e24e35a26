// SHA-256 with the CPU's instructions where it has them, and the checksum of stored payloads.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/expected.h"
#include "io/sink.h"

namespace wclayer::io {

class Sha256 {
 public:
  void Update(Bytes bytes);
  std::array<std::byte, 32> Finish();  // once
  std::string FinishText();            // "sha256:" + 64 hex digits

 private:
  std::uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::uint64_t length_ = 0;
  std::byte block_[64] = {};
};

// "sha256:<64 lower-case hex>" or an error.
Status CheckDigestText(std::string_view digest);

// XXH3, 64 bit.
std::uint64_t Checksum(Bytes bytes);
// XXH3, 128 bit: two halves.
std::array<std::uint64_t, 2> WideChecksum(Bytes bytes);
class StreamChecksum {
 public:
  StreamChecksum();
  ~StreamChecksum();
  StreamChecksum(const StreamChecksum&) = delete;
  StreamChecksum& operator=(const StreamChecksum&) = delete;
  void Reset();
  void Update(Bytes bytes);
  std::uint64_t Value() const;

 private:
  struct State;
  State* state_;  // 64-byte aligned
};

// Passes bytes on and digests them.
class DigestSink final : public ByteSink {
 public:
  explicit DigestSink(ByteSink* next) : next_(next) {}  // next null: digest only
  Status Write(Bytes bytes) override;
  Status Finish() override;
  std::uint64_t bytes() const { return bytes_; }
  std::string Digest() { return sha_.FinishText(); }  // once, after Finish

 private:
  ByteSink* next_;
  Sha256 sha_;
  std::uint64_t bytes_ = 0;
};

}  // namespace wclayer::io
