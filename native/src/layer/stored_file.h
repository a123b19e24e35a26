// The files of a transport folder (spec layer-formats §a.2): an attribute word and a backup stream,
// of which the parts are found without reading the data.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "backup/stream.h"
#include "base/expected.h"
#include "fs/stored_times.h"
#include "layer/item.h"

namespace wclayer::layer {

inline constexpr std::string_view kFolderSuffix = ".$wcidirs$";
inline constexpr char kTombstonesFile[] = "tombstones.txt";
inline constexpr std::string_view kTombstonesMark =
    "\xEF\xBB\xBF";  // UTF-8's, which may be missing
inline constexpr std::string_view kTombstonesVersion = "Version 1.0";
inline constexpr std::size_t kAttributeWordBytes = 4;
// Of a file that has no such word and whose stored times are lost.
inline constexpr std::uint32_t kPlainFileAttributes = 0x20;

// One stream of a stored file.
struct StoredStream {
  backup::StreamHeader header;
  std::uint64_t sparse_offset = 0;
  std::uint64_t head_at = 0;  // where its header begins in the file
  std::uint64_t data_at = 0;  // behind name and sparse offset
  std::uint64_t data_size = 0;
};

fs::StoredTimes TimesOf(const Item& item);

// The streams from `at` to the file's end. kBadArchive: they are no whole streams.
Expected<std::vector<StoredStream>> ReadStoredStreams(int file, std::uint64_t at);
// Bytes that the main data reads as, holes included.
std::uint64_t MainSize(const std::vector<StoredStream>& streams);
// Some bytes of that, or of the `number`-th alternate stream; 0: the end, or no such stream.
Expected<std::size_t> ReadStoredData(int file, const std::vector<StoredStream>& streams,
                                     std::uint32_t number, std::uint64_t offset,
                                     MutableBytes buffer);

}  // namespace wclayer::layer
