// Extended attributes of arbitrary bytes: what is read can be written and read again.
#include <cstdio>
#include <cstdlib>

#include "backup/ea.h"

namespace wclayer::backup {
namespace {

void Require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

}  // namespace
}  // namespace wclayer::backup

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wclayer::backup;
  const auto read = ParseEas(std::as_bytes(std::span(data, size)));
  if (!read) return 0;
  const auto built = BuildEas(*read);
  // Padding that the input went without may pass the limit.
  if (!built && built.error().code == wclayer::Errc::kLimitExceeded) return 0;
  Require(built.has_value(), "what was read cannot be written");
  const auto again = ParseEas(*built);
  Require(again && again->size() == read->size(), "another number of attributes");
  for (std::size_t i = 0; i < read->size(); ++i) {
    const ExtendedAttribute& a = (*read)[i];
    const ExtendedAttribute& b = (*again)[i];
    Require(a.name == b.name && a.value == b.value && a.flags == b.flags, "an attribute changes");
  }
  return 0;
}
