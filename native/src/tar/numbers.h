// The numbers of tar headers: octal, base-256 and decimal text, each read as Go's archive/tar reads
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace wclayer::tar {

// A header field: octal digits among spaces and NULs, nothing (0), or GNU base-256 when the top bit
// of the first byte is set (two's complement). Empty: not a number, or one that 64 bits do not
// hold.
std::optional<std::int64_t> ParseNumericField(std::string_view field);

// Decimal digits with an optional sign, leading zeros allowed, at least one digit.
std::optional<std::int64_t> ParseDecimal(std::string_view text);

}  // namespace wclayer::tar
