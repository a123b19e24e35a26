// What a destructor does that can fail: nobody is left to hear of it.
#pragma once

#include <new>
#include <utility>

namespace wclayer {

// Runs `work`, which gives a Status, and drops its failure; memory that runs out in it too, which
// must not leave a destructor. What it leaves undone is found by the next recovery.
template <class Work>
void Quietly(Work&& work) noexcept {
  try {
    auto done = std::forward<Work>(work)();
    (void)done.has_value();
  } catch (const std::bad_alloc&) {  // nothing to be done about it
  }
}

}  // namespace wclayer
