// Reparse data: symbolic links and junctions decoded and encoded as the reference does, other tags
// opaque.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::backup {

inline constexpr std::uint32_t kTagMountPoint = 0xA0000003;
inline constexpr std::uint32_t kTagSymlink = 0xA000000C;

struct ReparsePoint {
  std::uint32_t tag = 0;
  std::u16string target;      // print name: what the tar carries
  std::u16string substitute;  // substitute name
  bool relative = false;      // symlink flag
};

// Checks lengths and offsets of any buffer; decodes the two link tags (target empty for others).
Expected<ReparsePoint> ParseReparse(Bytes buffer);
std::uint32_t ReparseTag(Bytes buffer);  // 0: too short
// The buffer go-winio builds for a target from a tar (spec layer-formats §b); empty: the target
// does not fit the format's 16-bit lengths. Whoever stores it checks kMaxReparseBytes.
Buffer BuildReparse(std::u16string_view target, bool mount_point);

}  // namespace wclayer::backup
