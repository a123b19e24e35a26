// Whether an image made for one Windows runs on another (C18).
#pragma once

#include <string>
#include <string_view>

#include "base/expected.h"

namespace wclayer {

// "10.0.20348.2402" or fewer parts, each a decimal number. kOsVersionMismatch: the image's build
// (the third part, or an earlier one) is newer than the host's, so that vmcompute may fail with
// anything, or succeed with a layer that does not start. kInvalidArgument: the image's version is
// no version.
Status CheckOsVersion(std::string_view image, std::string_view host);

}  // namespace wclayer
