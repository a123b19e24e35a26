// Failures as the ABI carries them: an HRESULT, and the words behind it per thread.
#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "base/expected.h"
#include "vmcompute/abi.h"

namespace wclayer::portable {

vmcompute::Hresult HresultOf(const Error& error);
// Keeps the error for LastError on this thread and gives its HRESULT.
vmcompute::Hresult Remember(Error error);
vmcompute::Hresult RememberOutOfMemory() noexcept;  // allocates nothing
void LastFailure(vmcompute::ErrorDetail* detail);

// Runs one function of the table: no exception leaves it. `body` returns a Status or an Expected of
// an HRESULT that is no failure.
template <class Body>
vmcompute::Hresult Call(const char* operation, Body&& body) noexcept {
  try {
    auto result = std::forward<Body>(body)();
    if (!result) return Remember(std::move(result).error().In(operation));
    if constexpr (std::is_same_v<decltype(result), Expected<vmcompute::Hresult>>) return *result;
    return vmcompute::kOk;
  } catch (const std::bad_alloc&) {
    return RememberOutOfMemory();
  } catch (...) {
    return vmcompute::kUnexpected;
  }
}

}  // namespace wclayer::portable
