// On Windows: Microsoft's functions unless the portable store is asked for.
#include <mutex>

#include "vmcompute/backends.h"
#include "vmcompute/system_dll.h"

namespace wclayer::vmcompute {
namespace {

// The gate of this process. It lives as long as a driver that uses it and no longer: its threads
// are gone before the library can be unloaded.
std::shared_ptr<CallGate> SharedGate() {
  static std::mutex mutex;
  static std::weak_ptr<CallGate> last;
  const std::lock_guard lock(mutex);
  auto gate = last.lock();
  if (gate == nullptr) {
    gate = std::make_shared<CallGate>();
    last = gate;
  }
  return gate;
}

const Expected<SystemDll>& Dll(Api api) {
  if (api == Api::kVmcompute) {
    static const Expected<SystemDll> dll = LoadSystemDll();
    return dll;
  }
  static const Expected<SystemDll> dll = LoadComputeStorage();
  return dll;
}

}  // namespace

Expected<Chosen> Choose(Backend backend, Api api) {
  if (backend == Backend::kPortable) return Chosen{&Portable(), "portable", ""};
  const Expected<SystemDll>& dll = Dll(api);
  if (!dll) {
    Error error = dll.error();
    return error;
  }
  // ThisHost is nobody's: it lives as long as the process.
  std::shared_ptr<Host> host(std::shared_ptr<void>(), &ThisHost());
  return Chosen{&dll->table, "system", dll->disabled, SharedGate(), std::move(host)};
}

}  // namespace wclayer::vmcompute
