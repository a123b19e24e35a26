// What ends a thread of ours, as an Error: an exception must not leave a thread.
#pragma once

#include <exception>
#include <new>
#include <string>

#include "base/expected.h"

namespace wclayer::io {

// Texts of up to 15 characters live in the string itself: making this Error needs no memory.
inline Error OutOfMemory() noexcept {
  return Error(Errc::kInternal, "out of memory");
}

inline Error UnexpectedException(const std::exception& exception) noexcept {
  try {
    return Error(Errc::kInternal, std::string("unexpected exception: ") + exception.what());
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  }
}

// Runs `body`, which gives a Status, and gives that or the exception it threw.
template <class Body>
Status Guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  } catch (const std::exception& exception) {
    return UnexpectedException(exception);
  }
}

}  // namespace wclayer::io
