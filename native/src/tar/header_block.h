// One 512-byte header block: where its fields are, how its number fields are read, which dialect it
// is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/bytes.h"
#include "base/expected.h"
#include "tar/entry.h"

namespace wclayer::tar {

struct Field {
  std::size_t offset;
  std::size_t size;
};

// POSIX ustar, of which v7 is the part before kMagic.
inline constexpr Field kName{0, 100};
inline constexpr Field kMode{100, 8};
inline constexpr Field kUid{108, 8};
inline constexpr Field kGid{116, 8};
inline constexpr Field kSize{124, 12};
inline constexpr Field kMtime{136, 12};
inline constexpr Field kChecksum{148, 8};
inline constexpr std::size_t kType = 156;
inline constexpr Field kLinkName{157, 100};
inline constexpr Field kMagic{257, 6};
inline constexpr Field kVersion{263, 2};
inline constexpr Field kDevMajor{329, 8};
inline constexpr Field kDevMinor{337, 8};
inline constexpr Field kPrefix{345, 155};
// star
inline constexpr Field kStarPrefix{345, 131};
inline constexpr Field kStarAtime{476, 12};
inline constexpr Field kStarCtime{488, 12};
inline constexpr Field kStarTrailer{508, 4};
// GNU
inline constexpr Field kGnuAtime{345, 12};
inline constexpr Field kGnuCtime{357, 12};
inline constexpr Field kGnuSparse{386, 4 * 24};
inline constexpr std::size_t kGnuIsExtended = 482;
inline constexpr Field kGnuRealSize{483, 12};
// GNU extension block of a sparse map
inline constexpr Field kExtensionSparse{0, 21 * 24};
inline constexpr std::size_t kExtensionIsExtended = 504;

enum class Dialect { kV7, kUstar, kStar, kGnu };

inline std::string_view Slice(Bytes block, Field field) {
  return AsText(block.subspan(field.offset, field.size));
}
inline std::string_view UpToNul(std::string_view text) {
  return text.substr(0, text.find('\0'));
}
// ASCII as Go's tar has it: NUL is not. Compared without a sign: plain char has none on ARM.
inline bool IsAsciiCharacter(char c) {
  return c != '\0' && static_cast<unsigned char>(c) < 0x80;
}
inline bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), IsAsciiCharacter);
}

bool IsZeroBlock(Bytes block);

// The sum of the block's bytes with the checksum field taken as spaces, as unsigned bytes.
std::uint32_t Checksum(Bytes block);

// Compares the block with its checksum field; sums of signed bytes, which old tars wrote, count
// too.
Status VerifyChecksum(Bytes block);

Dialect DialectOf(Bytes block);

// Sets from a verified block: name, link_name, mode, uid, gid, size, mtime, atime, ctime, raw_type.
Status ReadHeaderBlock(Bytes block, Dialect dialect, Entry& entry);

// True for the types that have no data whatever their size field says: links, devices, directories
// and FIFOs.
bool IsHeaderOnly(char type);

}  // namespace wclayer::tar
