#include "layer/stored_file.h"

#include <algorithm>

#include "base/limits.h"
#include "fs/dir.h"

namespace wclayer::layer {
namespace {

using backup::StreamId;

constexpr std::size_t kMaxStoredStreams = kMaxSparseRanges + kMaxStreamsPerFile + kMaxOtherStreams;
constexpr std::uint32_t kMaxKnownId = 64;

Error NotWhole() {
  return Error(Errc::kBadArchive, "a stored file whose backup stream is not whole");
}

Expected<StoredStream> ReadOne(int file, std::uint64_t at, std::uint64_t end) {
  std::byte raw[backup::kStreamHeaderBytes];
  WCLAYER_ASSIGN(std::size_t got, fs::ReadAt(file, raw, at));
  if (got != sizeof raw) return NotWhole();
  StoredStream stream;
  stream.head_at = at;
  stream.header.id = static_cast<StreamId>(LoadLe<std::uint32_t>(raw));
  stream.header.attributes = LoadLe<std::uint32_t>(raw + 4);
  stream.header.size = LoadLe<std::uint64_t>(raw + 8);
  const auto name = LoadLe<std::uint32_t>(raw + 16);
  at += sizeof raw;
  const auto id = static_cast<std::uint32_t>(stream.header.id);
  if (id == 0 || id > kMaxKnownId || name % 2 != 0) return NotWhole();
  if (name > kMaxStreamNameBytes)
    return LimitError("kMaxStreamNameBytes", kMaxStreamNameBytes, name);
  if (name > end - at || stream.header.size > end - at - name) return NotWhole();
  stream.header.name.resize(name / 2);
  if (name != 0) {
    WCLAYER_ASSIGN(got,
                   fs::ReadAt(file, std::as_writable_bytes(std::span(stream.header.name)), at));
    if (got != name) return NotWhole();
  }
  stream.data_at = at + name;
  stream.data_size = stream.header.size;
  if (stream.header.id != StreamId::kSparseBlock) return stream;
  std::byte offset[sizeof stream.sparse_offset];
  if (stream.data_size < sizeof offset) return NotWhole();
  WCLAYER_ASSIGN(got, fs::ReadAt(file, offset, stream.data_at));
  if (got != sizeof offset) return NotWhole();
  stream.sparse_offset = LoadLe<std::uint64_t>(offset);
  stream.data_at += sizeof offset;
  stream.data_size -= sizeof offset;
  return stream;
}

// Of the main data's blocks, the one that holds `offset` or else begins behind it.
Expected<std::size_t> ReadMain(int file, const std::vector<StoredStream>& streams,
                               std::uint64_t offset, MutableBytes buffer) {
  const std::uint64_t size = MainSize(streams);
  if (offset >= size) return std::size_t{0};
  buffer =
      buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - offset)));
  std::uint64_t hole_end = size;
  bool main = false;
  for (const StoredStream& stream : streams) {
    if (stream.header.id == StreamId::kData) main = true;
    if (stream.header.id == StreamId::kAlternateData) main = false;
    const bool block = stream.header.id == StreamId::kSparseBlock;
    if (!main || (stream.header.id != StreamId::kData && !block)) continue;
    const std::uint64_t begin = block ? stream.sparse_offset : 0;
    if (begin > offset) {
      hole_end = std::min(hole_end, begin);
      continue;
    }
    const std::uint64_t inside = offset - begin;
    if (inside >= stream.data_size) continue;
    const auto most =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), stream.data_size - inside));
    return fs::ReadAt(file, buffer.first(most), stream.data_at + inside);
  }
  const auto zeros =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), hole_end - offset));
  std::fill_n(buffer.begin(), zeros, std::byte{0});
  return zeros;
}

}  // namespace

fs::StoredTimes TimesOf(const Item& item) {
  fs::StoredTimes stored;
  std::copy(std::begin(item.times), std::end(item.times), stored.times);
  std::copy(std::begin(item.time_remainder), std::end(item.time_remainder), stored.time_remainder);
  stored.time_absent = item.time_absent;
  stored.attributes = item.attributes;
  return stored;
}

Expected<std::vector<StoredStream>> ReadStoredStreams(int file, std::uint64_t at) {
  WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(file));
  if (at > info.size) return NotWhole();
  std::vector<StoredStream> streams;
  while (at < info.size) {
    if (streams.size() == kMaxStoredStreams)
      return LimitError("kMaxSparseRanges", kMaxSparseRanges, streams.size());
    WCLAYER_ASSIGN(StoredStream stream, ReadOne(file, at, info.size));
    at = stream.data_at + stream.data_size;
    streams.push_back(std::move(stream));
  }
  return streams;
}

std::uint64_t MainSize(const std::vector<StoredStream>& streams) {
  std::uint64_t size = 0;
  bool main = false;
  for (const StoredStream& stream : streams) {
    if (stream.header.id == StreamId::kData) {
      main = true;
      size = stream.data_size;
    } else if (stream.header.id == StreamId::kAlternateData) {
      main = false;
    } else if (main && stream.header.id == StreamId::kSparseBlock &&
               stream.sparse_offset <= kMaxFileBytes) {
      size = std::max(size, stream.sparse_offset + stream.data_size);
    }
  }
  return size;
}

Expected<std::size_t> ReadStoredData(int file, const std::vector<StoredStream>& streams,
                                     std::uint32_t number, std::uint64_t offset,
                                     MutableBytes buffer) {
  if (number == 0) return ReadMain(file, streams, offset, buffer);
  for (const StoredStream& stream : streams) {
    if (stream.header.id != StreamId::kAlternateData || --number != 0) continue;
    if (offset >= stream.data_size) return std::size_t{0};
    const auto most =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), stream.data_size - offset));
    return fs::ReadAt(file, buffer.first(most), stream.data_at + offset);
  }
  return std::size_t{0};
}

}  // namespace wclayer::layer
