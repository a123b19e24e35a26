// Every limit on input that is not ours, by name. An error that a limit causes repeats the name and
// the number; docs/limits.md lists them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"

namespace wclayer {

// X3: all extended headers of one entry.
inline constexpr std::size_t kMaxPaxBytesPerEntry = 4u << 20;
inline constexpr std::size_t kMaxPathUnits = 32767;        // UTF-16 units of a path inside a layer
inline constexpr std::size_t kMaxNameUnits = 255;          // UTF-16 units of one component
inline constexpr std::size_t kMaxShortNameUnits = 12;      // UTF-16 units of an 8.3 name
inline constexpr std::size_t kMaxSparseRanges = 1u << 20;  // X4: ranges of one sparse file
inline constexpr std::size_t kMaxSecurityDescriptorBytes = 128u << 10;
inline constexpr std::size_t kMaxReparseBytes = 16u << 10;  // MAXIMUM_REPARSE_DATA_BUFFER_SIZE
inline constexpr std::size_t kMaxEaBytes = 64u << 10;  // NTFS: all extended attributes of a file
inline constexpr std::size_t kMaxStreamsPerFile = 4096;
inline constexpr std::size_t kMaxStreamNameBytes = 64u << 10;
inline constexpr std::size_t kMaxOtherStreams = 64;  // streams of a file that are no alternate data
inline constexpr std::size_t kMaxOpaqueStreamBytes = 1u << 20;  // one stream of a kind we only keep
inline constexpr std::size_t kMaxAclBytes = 65535;              // the ACL's own 16-bit size
inline constexpr std::size_t kMaxSddlBytes = 1u << 20;
inline constexpr std::size_t kMaxEntries = 16u << 20;  // entries of one layer
inline constexpr std::size_t kMaxChain = 500;          // layers of one chain
inline constexpr std::size_t kMaxIdLength = 128;
// One text (layerchain.json, a record, base-images.json), and the values in it, nested ones
// included.
inline constexpr std::size_t kMaxJsonBytes = 4u << 20;
inline constexpr std::size_t kMaxJsonValues = 64u << 10;
inline constexpr int kMaxJsonDepth = 16;
inline constexpr std::uint64_t kMaxExtraBytes = 1ull << 30;  // payloads kept for replay alone
inline constexpr std::uint64_t kMaxFileBytes = 1ull << 44;   // 16 TiB: one file or stream
inline constexpr std::uint32_t kMaxZstdWindowLog = 23;       // 8 MiB; an option raises it to 27

inline Error LimitError(const char* name, std::uint64_t limit, std::uint64_t got) {
  return Error(Errc::kLimitExceeded,
               std::to_string(got) + " is over the limit " + name + " = " + std::to_string(limit));
}

}  // namespace wclayer
