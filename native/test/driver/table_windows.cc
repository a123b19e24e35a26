#include <cstdlib>

#include "driver/fixture.h"
#include "vmcompute/backends.h"

namespace wclayer::test {

// WCLAYER_TEST_BACKEND=system: what vmcompute.dll the system directory holds, which is ours.
const vmcompute::Table& TableUnderTest() {
  const char* backend = std::getenv("WCLAYER_TEST_BACKEND");
  const bool system = backend != nullptr && std::string_view(backend) == "system";
  static const auto chosen =
      vmcompute::Choose(system ? vmcompute::Backend::kSystem : vmcompute::Backend::kPortable);
  if (!chosen) {
    ADD_FAILURE() << chosen.error().ToString();
    std::abort();
  }
  return *chosen->table;
}

}  // namespace wclayer::test
