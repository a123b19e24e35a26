#include "tar/header_block.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "tar/numbers.h"

namespace wclayer::tar {
namespace {

Expected<std::int64_t> Number(Bytes block, Field field, const char* what) {
  const std::string_view text = Slice(block, field);
  if (const auto value = ParseNumericField(text)) return *value;
  std::string shown;
  for (const char c : text) shown += c >= ' ' && c <= '~' ? c : '?';
  return Error(Errc::kBadArchive, std::string(what) + " field '" + shown + "' is not a number");
}

Expected<std::uint64_t> Unsigned(Bytes block, Field field, const char* what, std::uint64_t max) {
  WCLAYER_ASSIGN(const std::int64_t value, Number(block, field, what));
  if (value < 0 || static_cast<std::uint64_t>(value) > max) {
    return Error(Errc::kBadArchive, std::string(what) + " field holds " + std::to_string(value) +
                                        ", which is out of range");
  }
  return static_cast<std::uint64_t>(value);
}

// GNU headers have atime and ctime where ustar has its prefix.
// Go before 1.8 wrote a ustar prefix into GNU headers: times that are no numbers are taken for
// that.
Expected<std::string_view> ReadGnuTimes(Bytes block, Entry& entry) {
  const auto read = [&](Field field, std::optional<UnixTime>& time) {
    const std::string_view text = Slice(block, field);
    if (text[0] == '\0') return true;
    const auto seconds = ParseNumericField(text);
    if (seconds) time = UnixTime{*seconds, 0};
    return seconds.has_value();
  };
  if (read(kGnuAtime, entry.atime) && read(kGnuCtime, entry.ctime)) return std::string_view();
  entry.atime.reset();
  entry.ctime.reset();
  const std::string_view prefix = UpToNul(Slice(block, kPrefix));
  return IsAscii(prefix) ? prefix : std::string_view();
}

Expected<std::string_view> ReadDialectFields(Bytes block, Dialect dialect, Entry& entry) {
  switch (dialect) {
    case Dialect::kUstar:
      return UpToNul(Slice(block, kPrefix));
    case Dialect::kStar: {
      WCLAYER_ASSIGN(const std::int64_t atime, Number(block, kStarAtime, "access time"));
      WCLAYER_ASSIGN(const std::int64_t ctime, Number(block, kStarCtime, "change time"));
      entry.atime = UnixTime{atime, 0};
      entry.ctime = UnixTime{ctime, 0};
      return UpToNul(Slice(block, kStarPrefix));
    }
    case Dialect::kGnu:
      return ReadGnuTimes(block, entry);
    case Dialect::kV7:
      break;
  }
  return std::string_view();
}

}  // namespace

bool IsZeroBlock(Bytes block) {
  return block[0] == std::byte{0} &&
         std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
}

std::uint32_t Checksum(Bytes block) {
  // Eight bytes at a time into four 16-bit lanes: 64 words add at most 64 * 2 * 255 < 65536 to a
  // lane.
  constexpr std::uint64_t kEvenBytes = 0x00FF00FF00FF00FF;
  std::uint64_t lanes = 0;
  for (std::size_t at = 0; at < block.size(); at += sizeof(std::uint64_t)) {
    const auto word = LoadLe<std::uint64_t>(block.data() + at);
    lanes += (word & kEvenBytes) + (word >> 8 & kEvenBytes);
  }
  std::uint32_t sum = 0;
  for (; lanes != 0; lanes >>= 16) sum += static_cast<std::uint32_t>(lanes & 0xFFFF);
  for (const char c : Slice(block, kChecksum)) sum -= static_cast<unsigned char>(c);
  return sum + static_cast<std::uint32_t>(kChecksum.size) * ' ';
}

Status VerifyChecksum(Bytes block) {
  const auto stored = ParseNumericField(Slice(block, kChecksum));
  const std::uint32_t sum = Checksum(block);
  if (stored && *stored == sum) return {};
  std::int64_t signed_sum = static_cast<std::int64_t>(kChecksum.size) * ' ';
  for (const char c : AsText(block)) signed_sum += static_cast<signed char>(c);
  for (const char c : Slice(block, kChecksum)) signed_sum -= static_cast<signed char>(c);
  if (stored && *stored == signed_sum) return {};
  return Error(Errc::kBadArchive, "bad header checksum: the block sums to " + std::to_string(sum) +
                                      ", its checksum field says " +
                                      (stored ? std::to_string(*stored) : "nothing readable"));
}

Dialect DialectOf(Bytes block) {
  const std::string_view magic = Slice(block, kMagic);
  if (magic == std::string_view("ustar\0", 6)) {
    return Slice(block, kStarTrailer) == std::string_view("tar\0", 4) ? Dialect::kStar
                                                                      : Dialect::kUstar;
  }
  if (magic == "ustar " && Slice(block, kVersion) == std::string_view(" \0", 2)) {
    return Dialect::kGnu;
  }
  return Dialect::kV7;
}

Status ReadHeaderBlock(Bytes block, Dialect dialect, Entry& entry) {
  entry.raw_type = static_cast<char>(block[kType]);
  WCLAYER_ASSIGN(const std::uint64_t mode,
                 Unsigned(block, kMode, "mode", std::numeric_limits<std::uint32_t>::max()));
  entry.mode = static_cast<std::uint32_t>(mode);
  // Owners mean nothing in a Windows layer; GNU tars may hold negative ones, which stay their 64
  // bits.
  WCLAYER_ASSIGN(const std::int64_t uid, Number(block, kUid, "uid"));
  WCLAYER_ASSIGN(const std::int64_t gid, Number(block, kGid, "gid"));
  entry.uid = static_cast<std::uint64_t>(uid);
  entry.gid = static_cast<std::uint64_t>(gid);
  WCLAYER_ASSIGN(entry.size,
                 Unsigned(block, kSize, "size", std::numeric_limits<std::int64_t>::max()));
  WCLAYER_ASSIGN(const std::int64_t mtime, Number(block, kMtime, "mtime"));
  entry.mtime = UnixTime{mtime, 0};
  entry.atime.reset();
  entry.ctime.reset();
  WCLAYER_ASSIGN(const std::string_view prefix, ReadDialectFields(block, dialect, entry));

  entry.name.assign(prefix);
  if (!prefix.empty()) entry.name += '/';
  entry.name += UpToNul(Slice(block, kName));
  entry.link_name.assign(UpToNul(Slice(block, kLinkName)));
  return {};
}

bool IsHeaderOnly(char type) {
  return type >= '1' && type <= '6';
}

}  // namespace wclayer::tar
