// On Windows: Microsoft's functions unless the portable store is asked for.
#include "vmcompute/backends.h"
#include "vmcompute/system_dll.h"

namespace wclayer::vmcompute {

Expected<Chosen> Choose(Backend backend) {
  if (backend == Backend::kPortable) return Chosen{&Portable(), "portable"};
  static const Expected<SystemDll> dll = LoadSystemDll();
  if (!dll) {
    Error error = dll.error();
    return error;
  }
  return Chosen{&dll->table, "system"};
}

}  // namespace wclayer::vmcompute
