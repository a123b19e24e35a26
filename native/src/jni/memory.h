// Bytes that the core holds now, and the most it ever held, over the whole library.
#pragma once

#include <cstdint>

namespace wclayer::jni {

std::int64_t CurrentBytes();
std::int64_t HighWaterBytes();

}  // namespace wclayer::jni
