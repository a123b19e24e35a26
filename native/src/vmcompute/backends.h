// The choice of a table: Microsoft's vmcompute.dll, or the portable store.
#pragma once

#include "base/expected.h"
#include "vmcompute/abi.h"

namespace wclayer::vmcompute {

enum class Backend : std::int32_t { kAuto = 0, kSystem = 1, kPortable = 2 };

struct Chosen {
  const Table* table = nullptr;  // lives as long as the process
  const char* name = "";         // "system" or "portable"
};

// kAuto: the system's table on Windows, the portable one elsewhere. kBackendUnavailable says what
// is missing and that backend=portable works everywhere.
Expected<Chosen> Choose(Backend backend);

}  // namespace wclayer::vmcompute
