// Security descriptors of arbitrary bytes, and texts: each accepted descriptor has a text that
// gives an equivalent one back, and both are fixed points from then on.
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "backup/acl.h"
#include "backup/security.h"

namespace wclayer::backup {
namespace {

void Require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

bool Same(Bytes a, Bytes b) {
  return AsText(a) == AsText(b);
}

bool SameList(const std::optional<Acl>& a, const std::optional<Acl>& b) {
  if (a.has_value() != b.has_value()) return false;
  if (!a) return true;
  if (a->aces.size() != b->aces.size()) return false;
  for (std::size_t i = 0; i < a->aces.size(); ++i) {
    if (!Same(a->aces[i].whole, b->aces[i].whole)) return false;
  }
  return true;
}

void RequireEquivalent(Bytes a, Bytes b) {
  const auto left = ParseDescriptor(a);
  const auto right = ParseDescriptor(b);
  Require(left && right, "a descriptor that has a text is refused");
  Require(Same(left->owner, right->owner) && Same(left->group, right->group), "owner or group");
  const std::uint16_t present = left->control & (kDaclPresent | kSaclPresent);
  Require(present == (right->control & (kDaclPresent | kSaclPresent)), "a list comes or goes");
  if ((present & kDaclPresent) != 0) Require(SameList(left->dacl, right->dacl), "the DACL changes");
  if ((present & kSaclPresent) != 0) Require(SameList(left->sacl, right->sacl), "the SACL changes");
}

void CheckRoundTrip(Bytes descriptor, const std::string& text) {
  const auto back = FromSddl(text);
  // Parts that overlapped may be too large side by side.
  if (!back && back.error().code == Errc::kLimitExceeded) return;
  Require(back.has_value(), "a descriptor's text is refused");
  RequireEquivalent(descriptor, *back);
  const auto again = ToSddl(*back);
  Require(again && *again == text, "the text changes");
  const auto fixed = FromSddl(*again);
  Require(fixed && *fixed == *back, "the descriptor changes");
}

}  // namespace
}  // namespace wclayer::backup

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wclayer::backup;
  const wclayer::Bytes bytes = std::as_bytes(std::span(data, size));
  const auto text = ToSddl(bytes);
  Require(text.has_value() == CheckSecurityDescriptor(bytes).has_value(), "the check and the text");
  if (text) CheckRoundTrip(bytes, *text);
  if (const auto descriptor = FromSddl(wclayer::AsText(bytes))) {
    Require(CheckSecurityDescriptor(*descriptor).has_value(), "a text gives a bad descriptor");
    const auto written = ToSddl(*descriptor);
    Require(written.has_value(), "a descriptor made of a text has none");
    CheckRoundTrip(*descriptor, *written);
  }
  return 0;
}
