// The bytes of a skeleton file.
//
//   header   64 bytes: magic "WCLSKEL1", u64 offset, size and XXH3 of the list of moved payloads,
//   zeros body     one zstd frame (with content checksum) of operations:
//              RAW     1, size, bytes              header blocks, padding, whatever is no payload
//              STORED  2, ordinal, stream, size, u64 XXH3   a payload that the layer holds
//              EXTRA   3, offset, size, u64 XXH3   a payload in the file "extra"
//              END     4
//   moved    pairs of payload number and offset in "extra": STORED payloads that a duplicate
//   replaced
//
// Numbers are LEB128 (7 bits a byte, low first) unless a width is named. Payloads are numbered in
// order.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace wclayer::layer::skeleton {

inline constexpr char kMagic[8] = {'W', 'C', 'L', 'S', 'K', 'E', 'L', '1'};
inline constexpr std::size_t kHeaderBytes = 64;
inline constexpr const char* kFile = "skeleton";
inline constexpr const char* kExtraFile = "extra";
inline constexpr int kWindowLog = 20;
inline constexpr int kLevel = 4;

enum Op : std::uint8_t { kRaw = 1, kStored = 2, kExtra = 3, kEnd = 4 };

inline void AppendNumber(Buffer& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::byte>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::byte>(value));
}

}  // namespace wclayer::layer::skeleton
