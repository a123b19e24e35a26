// Every allocation of the program: counted, and one of them failing if asked for. Those of static
// libraries (zstd, libdeflate) come here by --wrap, those of shared ones do not.
#pragma once

namespace wclayer::crash {

inline constexpr long kNever = -1;

void FailAllocation(long point);  // the one after so many others; kNever: none
long AllocationsAsked();          // since the start
long BlocksAlive();               // made by new and not deleted

}  // namespace wclayer::crash
