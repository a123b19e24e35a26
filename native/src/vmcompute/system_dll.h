// Microsoft's vmcompute.dll.
#pragma once

#include <string>

#include "base/expected.h"
#include "vmcompute/abi.h"

namespace wclayer::vmcompute {

struct SystemDll {
  Table table;           // lives as long as the process
  std::string disabled;  // as BindTable says it
};

// Loads vmcompute.dll from the system directory and nowhere else, so that no file beside a program
// or in its working folder takes its place. kBackendUnavailable: it is not there, or lacks what is
// needed; the error says where it was looked for.
Expected<SystemDll> LoadSystemDll(const std::string& name = "vmcompute.dll");

// The same with computestorage.dll in front of it (computestorage.h).
Expected<SystemDll> LoadComputeStorage(const std::string& name = "computestorage.dll");

}  // namespace wclayer::vmcompute
