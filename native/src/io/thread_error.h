// What keeps a thread of ours from starting, or ends it, as an Error: an exception must not leave a
// thread.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

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

// Makes `thread` one that runs `body`.
template <class Body>
Status StartThread(std::thread& thread, Body&& body) {
  try {
    thread = std::thread(std::forward<Body>(body));
  } catch (const std::system_error& failed) {
    return SystemError(failed.code().value(), "pthread_create", "");
  }
  return {};
}

}  // namespace wclayer::io
