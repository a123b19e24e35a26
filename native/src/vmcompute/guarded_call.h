// Calls code that is not ours so that a structured exception in it does not end the process.
#pragma once

#include <cstdint>

namespace wclayer::vmcompute {

// Runs function(context) and gives the code of the structured exception that left it, 0 if none
// did. What the exception interrupted is in no known state afterwards. Off Windows there are no
// such exceptions: a crash there is a crash.
std::uint32_t GuardedCall(void (*function)(void*), void* context);

// Keeps the library that this code is in from being unloaded: a thread that does not come back is
// left in it. Off Windows nothing is needed: there is no system table whose calls could hang.
void StayLoaded();

}  // namespace wclayer::vmcompute
