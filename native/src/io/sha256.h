// The block function of SHA-256, by the CPU's instructions or without them. Each is tested alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wclayer::io {

using Sha256Blocks = void (*)(std::uint32_t state[8], const std::byte* data, std::size_t blocks);

void Sha256Portable(std::uint32_t state[8], const std::byte* data, std::size_t blocks);
#if defined(__x86_64__)
bool HaveShaNi();
void Sha256ShaNi(std::uint32_t state[8], const std::byte* data, std::size_t blocks);
#endif
#if defined(__aarch64__) && defined(__linux__)
bool HaveArmSha();
void Sha256Arm(std::uint32_t state[8], const std::byte* data, std::size_t blocks);
#endif
Sha256Blocks BestSha256();  // chosen once

}  // namespace wclayer::io
