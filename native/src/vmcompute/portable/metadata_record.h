// One record of the metadata file (format: metadata.h), to and from bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/expected.h"
#include "portable/entry.h"
#include "portable/metadata.h"

namespace wclayer::portable {

inline constexpr std::size_t kMaxRecordBytes = 64u
                                               << 20;  // one entry without its external payloads
inline constexpr std::size_t kRecordHeadBytes =
    2048;  // more than length, kind, flags and names take
inline constexpr std::size_t kMinRecordBytes = 9;

// Where the parts of a record that lie elsewhere are.
struct RecordLinks {
  std::uint32_t parent = kNoOrdinal;
  std::uint64_t security_offset = 0;
  std::uint32_t security_bytes = 0;
  std::uint32_t group = kNoOrdinal;  // hard links
};

Error MetadataDamaged(std::string_view what, std::uint64_t offset);

// The record of `entry`; its last path components are its names.
Expected<Buffer> EncodeRecord(const Entry& entry, const RecordLinks& links);

// The length that a record says it has, from its first 4 bytes.
Expected<std::uint32_t> RecordLength(Bytes head, std::uint64_t offset);
// Kind, parent and names, from the first kRecordHeadBytes (or all) of a record.
Expected<Node> DecodeHead(Bytes head, std::uint64_t offset);
// Everything: path and disk_path of `entry` become the single components, security stays empty.
Status DecodeRecord(Bytes record, std::uint64_t offset, Entry& entry, RecordLinks& links);

}  // namespace wclayer::portable
