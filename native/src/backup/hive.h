// Registry hives, as far as layers need them: recognise a broken one (C15), know an empty delta,
// make one.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::backup {

// The files that clients of real layers require in "Hives" (spec layer-formats §a.1), sorted.
inline constexpr std::array<std::string_view, 5> kDeltaNames = {
    "DefaultUser_Delta", "Sam_Delta", "Security_Delta", "Software_Delta", "System_Delta"};
bool IsDeltaName(std::string_view name);

// Base block: magic, sizes, checksum; first bin: magic. kLayerDamaged says what is wrong.
Status CheckHive(Bytes head, std::uint64_t file_size);
inline constexpr std::size_t kHiveHeadBytes = 4096 + 32;

// Whether a layer's file must be a hive: those of Hives/ that clients load, and the boot store.
bool MustBeHive(std::string_view path);

// A root key without subkeys and values, and nothing else that counts.
bool IsMinimalHive(Bytes hive);
inline constexpr std::size_t kMinimalHiveLimit = 64u << 10;  // larger ones are never minimal

// The same 8,192 bytes every time: base block, one bin with the root key and its security cell.
Buffer MinimalHive();

}  // namespace wclayer::backup
