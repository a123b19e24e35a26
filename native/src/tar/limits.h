// Limits that only the tar reader has; the others are in base/limits.h.
#pragma once

#include <cstddef>

#include "base/limits.h"

namespace wclayer::tar {

// Names and link names: the longest path, ':' and a stream name, at three bytes of UTF-8 a unit.
inline constexpr std::size_t kMaxTarNameBytes = 3 * (kMaxPathUnits + 1 + kMaxNameUnits);
inline constexpr std::size_t kMaxPaxRecords = 1u << 16;       // records of one extended header (X3)
inline constexpr std::size_t kMaxGlobalPaxBytes = 64u << 10;  // global records in effect together

}  // namespace wclayer::tar
