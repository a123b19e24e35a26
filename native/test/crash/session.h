// What a user does with a home, from the first open to the last removal, as the programs that try
// crashes and faults run it: small layers, so that one thread makes every call in the same order.
#pragma once

#include <set>
#include <string>

#include "wclayer/driver.h"

namespace wclayer::crash {

struct Setting {
  std::string home;
  bool checkout = false;
  DurabilityLevel durability = DurabilityLevel::kFull;
};

Expected<std::unique_ptr<Driver>> OpenDriver(const Setting& setting);

// Runs the session. `step` tells how many steps have returned, to whoever shares its memory.
Status RunSession(const Setting& setting, int& step);

// The whole tar of a layer.
Expected<Buffer> ReadDiff(Driver& driver, const std::string& id);

// The layers that must be there when so many steps have returned; the next step may have got
// through as well.
std::set<std::string> LayersAfter(int step);
int StepCount();

// Takes the session's layers away, so that it can be run again.
Status Reset(Driver& driver);

}  // namespace wclayer::crash
