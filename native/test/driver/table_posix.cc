#include "driver/fixture.h"

namespace wclayer::test {

const vmcompute::Table& TableUnderTest() {
  return vmcompute::Portable();
}

}  // namespace wclayer::test
