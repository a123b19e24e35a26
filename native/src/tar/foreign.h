// Names what somebody handed over instead of a tar.
#pragma once

#include <string>

#include "base/bytes.h"

namespace wclayer::tar {

// "not a tar: it looks like an HTML page; it begins with '<!DOCTYPE html>'"; `start`: the first
// bytes.
std::string DescribeForeign(Bytes start);

}  // namespace wclayer::tar
