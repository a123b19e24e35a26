// Headers, byte for byte as Go's archive/tar writes them (spec layer-formats §c.3): what the
// reference exporter uses, so a layer that we write has the digest that Docker's would have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/expected.h"
#include "tar/entry.h"

namespace wclayer::tar {

enum class Format {
  kPax,   // Go's FormatPAX: atime and ctime become records, mtime when it has a fraction; an entry
          // that needs no record at all is plain ustar
  kAuto,  // Go's default (whiteouts, v1.10 tars): ustar, and PAX records only where a field needs
          // them; atime and ctime are dropped, mtime is rounded to seconds
};

struct Header {
  Format format = Format::kPax;
  std::string name;       // (W)UTF-8
  std::string link_name;  // (W)UTF-8
  char type = '0';
  std::uint32_t mode = 0;
  std::uint64_t size = 0;
  UnixTime mtime;
  std::optional<UnixTime> atime;
  std::optional<UnixTime> ctime;
  Records pax;  // vendor records, any order
};

// Appends the extended header (if any) and the header block, or changes nothing and tells what the
// header cannot hold (kInvalidArgument). Records named like a header field and GNU.sparse.* are
// left out unless they repeat the field's value, as Go does. The payload, then Padding(size) zero
// bytes, follow; a tar ends with kTrailerBytes zero bytes.
Status AppendHeader(Buffer& out, const Header& header);

inline constexpr std::size_t kBlock = 512;
inline constexpr std::size_t kTrailerBytes = 2 * kBlock;
inline std::size_t Padding(std::uint64_t size) {
  return static_cast<std::size_t>((kBlock - size % kBlock) % kBlock);
}

// "-1.5", "12.000000001": seconds and up to nine digits (spec layer-formats §c.3). Reading: digits
// after the ninth are dropped, as the reference does; other characters, a number that does not fit
// or a text longer than kMaxTimeChars are errors, in bounded time (X2).
inline constexpr std::size_t kMaxTimeChars = 64;
std::string FormatTime(UnixTime time);
Expected<UnixTime> ParseTime(std::string_view text);

}  // namespace wclayer::tar
