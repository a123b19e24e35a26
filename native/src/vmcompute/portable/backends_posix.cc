// Off Windows there is one table. (On Windows the loader of vmcompute.dll stands beside it.)
#include "vmcompute/backends.h"

namespace wclayer::vmcompute {

Expected<Chosen> Choose(Backend backend, Api) {
  if (backend == Backend::kSystem) {
    return Error(Errc::kBackendUnavailable,
                 "vmcompute.dll exists on Windows only; backend=portable (or auto) works here")
        .In("Open");
  }
  return Chosen{&Portable(), "portable", ""};
}

}  // namespace wclayer::vmcompute
