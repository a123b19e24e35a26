// The bytes of a skeleton file.
//
//   header   64 bytes: magic "WCLSKEL2"; u64 offset, size and XXH3 of the moves; u64 entries of the
//            tar; u64 XXH3 of the header's bytes before; zeros
//   blocks   u32 plain size, u32 packed size, u64 XXH3 of the packed bytes, which follow:
//            one zstd stream that is flushed at the end of each block, so that a block may refer to
//            the ones before it (window 1 MiB) and yet is checked before any of it is used
//   moves    ordinal, stream, payload number, offset in "extra" for each payload that a duplicate
//            replaced: the payloads of that stream before that number are there now
//
// The plain bytes are operations, each whole in its block:
//   RAW     1, u32 size, bytes                        header blocks, padding, what is no payload
//   STORED  2, ordinal, stream, size, u64 XXH3        a payload that the layer holds
//   EXTRA   3, offset, size, u64 XXH3                 a payload in the file "extra"
//   ENTRY   4                                         a tar entry's header is complete
//   END     5                                         the last operation of the last block
//
// Numbers are LEB128 (7 bits a byte, low first) unless a width is named. Payloads are numbered from
// 0, in order.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace wclayer::layer::skeleton {

inline constexpr char kMagic[8] = {'W', 'C', 'L', 'S', 'K', 'E', 'L', '2'};
inline constexpr std::size_t kHeaderBytes = 64;
inline constexpr std::size_t kHeaderSumAt = 40;
inline constexpr std::size_t kBlockHeaderBytes = 16;
inline constexpr std::size_t kMaxBlockBytes = 256u << 10;  // plain
inline constexpr std::size_t kMaxPackedBytes = 2 * kMaxBlockBytes;
inline constexpr std::size_t kMaxMovedPayloads = 1u << 18;
inline constexpr const char* kFile = "skeleton";
inline constexpr const char* kExtraFile = "extra";
inline constexpr int kWindowLog = 20;
inline constexpr int kLevel = 1;

enum Op : std::uint8_t { kRaw = 1, kStored = 2, kExtra = 3, kEntry = 4, kEnd = 5 };

// One payload that is in "extra" instead of the layer.
struct Move {
  std::uint64_t ordinal = 0;
  std::uint64_t stream = 0;
  std::uint64_t before = 0;  // of the payloads of that stream, those numbered lower
  std::uint64_t offset = 0;
  auto operator<=>(const Move&) const = default;
};

inline void AppendNumber(Buffer& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::byte>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::byte>(value));
}

// Takes a number off the front of `bytes`; false: there is none, or it does not fit 64 bits.
inline bool TakeNumber(Bytes& bytes, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint64_t>(bytes.front());
    bytes = bytes.subspan(1);
    if (shift == 63 && byte > 1) return false;
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace wclayer::layer::skeleton
