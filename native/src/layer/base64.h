// Standard padded base64 (RFC 4648), as the vendor records carry binary values.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::layer {

void AppendBase64(std::string& out, Bytes bytes);
Expected<Buffer> ParseBase64(std::string_view text);  // strict: padding, no line ends

}  // namespace wclayer::layer
