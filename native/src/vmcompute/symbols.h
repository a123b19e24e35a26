// The table of a vmcompute.dll, filled by looking up its functions by name.
#pragma once

#include <functional>
#include <string>

#include "base/expected.h"
#include "vmcompute/abi.h"

namespace wclayer::vmcompute {

// The address of an exported function; null: there is none.
using FindSymbol = std::function<void*(const char* name)>;

// All functions of the table. kBackendUnavailable names every one that is missing and without which
// no layer can be used. A single missing function that few need answers kProcNotFound; what is
// missing of the streaming functions makes all eight null. `disabled` says what cannot be done for
// such reasons, in words, "" if nothing. FreeString is left to the caller.
Expected<Table> BindTable(const FindSymbol& find, std::string& disabled);

}  // namespace wclayer::vmcompute
