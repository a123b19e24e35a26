#include "vmcompute/guarded_call.h"

namespace wclayer::vmcompute {

std::uint32_t GuardedCall(void (*function)(void*), void* context) {
  function(context);
  return 0;
}

void StayLoaded() {}

}  // namespace wclayer::vmcompute
