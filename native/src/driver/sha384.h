// SHA-384 of a short text: the ids of central base images are made of it (vmcompute-abi §5).
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.h"

namespace wclayer {

std::array<std::byte, 48> Sha384(std::string_view text);

}  // namespace wclayer
