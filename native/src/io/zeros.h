// Padding behind compressed data: tape programs write zeros up to a block's end, which do no harm.
#pragma once

#include <algorithm>

#include "base/bytes.h"

namespace wclayer::io {

inline std::size_t LeadingZeros(Bytes bytes) {
  const auto other =
      std::find_if(bytes.begin(), bytes.end(), [](std::byte byte) { return byte != std::byte{0}; });
  return static_cast<std::size_t>(other - bytes.begin());
}

}  // namespace wclayer::io
