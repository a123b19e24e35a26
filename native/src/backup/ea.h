// Extended attributes: FILE_FULL_EA_INFORMATION lists (spec layer-formats §b).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::backup {

struct ExtendedAttribute {
  std::string name;        // ANSI bytes, 1…255
  Buffer value;            // ≤ 65,535 bytes
  std::uint8_t flags = 0;  // 0x80: NEED_EA
};

Expected<std::vector<ExtendedAttribute>> ParseEas(Bytes buffer);
Expected<Buffer> BuildEas(const std::vector<ExtendedAttribute>& attributes);

}  // namespace wclayer::backup
