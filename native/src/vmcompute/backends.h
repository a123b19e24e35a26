// The choice of a table: Microsoft's vmcompute.dll, or the portable store.
#pragma once

#include <memory>
#include <string>

#include "base/expected.h"
#include "vmcompute/abi.h"
#include "vmcompute/call_gate.h"
#include "vmcompute/host.h"

namespace wclayer::vmcompute {

enum class Backend : std::int32_t { kAuto = 0, kSystem = 1, kPortable = 2 };

// Which functions fill the system's table.
enum class Api : std::int32_t { kVmcompute = 0, kComputeStorage = 1 };

struct Chosen {
  const Table* table = nullptr;  // lives as long as the process
  std::string name;              // "system" or "portable"
  std::string disabled;  // what cannot be done for want of functions, in words; "" if nothing
  // Of a table of Windows; a table without them is called straight.
  std::shared_ptr<CallGate> gate = nullptr;
  std::shared_ptr<Host> host = nullptr;
};

// kAuto: the system's table on Windows, the portable one elsewhere. kBackendUnavailable says what
// is missing and that backend=portable works everywhere.
Expected<Chosen> Choose(Backend backend, Api api = Api::kVmcompute);

}  // namespace wclayer::vmcompute
