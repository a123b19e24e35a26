#include "layer/exporter.h"

#include <algorithm>

#include "backup/stream.h"
#include "base/limits.h"
#include "base/utf16.h"
#include "layer/entry_header.h"
#include "layer/stream_pull.h"
#include "tar/writer.h"

namespace wclayer::layer {
namespace {

using backup::StreamId;

// A payload of up to this size is read at once, if need be into the next buffer.
constexpr std::size_t kSmallPayload = 32u << 10;

Error LayerDamaged(std::string what) {
  return Error(Errc::kLayerDamaged, std::move(what));
}

}  // namespace

// A tar is a chain of steps, each of which leaves bytes to hand over: a pending header, then
// payload read straight into the caller's buffer, then zeros.
struct TarExporter::State {
  State(ItemSource& from, WriterMode writer_mode) : source(&from), pull(from), mode(writer_mode) {}

  Expected<std::size_t> Fill(MutableBytes buffer);
  std::size_t TakePending(MutableBytes room);
  std::size_t TakeZeros(MutableBytes room);
  Expected<std::size_t> TakeData(MutableBytes room);
  Status NextSparseBlock();
  Status EndSparse();

  Status Step();
  Status Main();
  Status ReadMetadata(bool through_data);
  Status TakeMetadata();
  Status SkipToData();
  Status BeginMainData();
  Status NextStream();
  void BeginData(std::uint64_t bytes);
  Status AppendHeader(const tar::Header& made) { return tar::AppendHeader(pending, made); }

  ItemSource* source;
  StreamPull pull;
  const WriterMode mode;
  Item item;
  FileMetadata metadata;
  tar::Header header;  // of the item
  std::uint64_t entries = 0;

  Buffer pending;
  std::size_t pending_at = 0;
  std::uint64_t size = 0;       // of the data under way
  std::uint64_t position = 0;   // in it
  std::uint64_t data_left = 0;  // with the zeros of holes
  std::uint64_t zeros = 0;      // of the hole at `position`
  std::size_t padding = 0;      // zeros behind the data, or the tar's end
  bool sparse = false;          // the data comes in blocks
  bool has_data = false;        // the item has a DATA stream
  bool in_streams = false;
  bool looked_ahead = false;  // the pull stands at a stream that is still to be treated
  bool ended = false;
};

// ---- handing over

Expected<std::size_t> TarExporter::State::Fill(MutableBytes buffer) {
  std::size_t used = 0;
  while (used < buffer.size()) {
    const MutableBytes room = buffer.subspan(used);
    if (pending_at < pending.size()) {
      used += TakePending(room);
    } else if (data_left != 0) {
      const bool whole = position == 0 && data_left <= kSmallPayload && !sparse;
      if (whole && data_left > room.size() && data_left <= buffer.size()) break;
      auto taken = TakeData(room);
      if (!taken) return std::move(taken).error().At(item.path);
      used += *taken;
    } else if (padding != 0) {
      const std::size_t count = std::min(padding, room.size());
      std::fill_n(room.begin(), count, std::byte{0});
      padding -= count;
      used += count;
    } else if (ended) {
      break;
    } else {
      pending.clear();
      pending_at = 0;
      if (auto stepped = Step(); !stepped) return std::move(stepped).error().At(item.path);
    }
  }
  return used;
}

std::size_t TarExporter::State::TakePending(MutableBytes room) {
  const std::size_t count = std::min(pending.size() - pending_at, room.size());
  std::copy_n(pending.begin() + static_cast<std::ptrdiff_t>(pending_at), count, room.begin());
  pending_at += count;
  return count;
}

std::size_t TarExporter::State::TakeZeros(MutableBytes room) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(zeros, room.size()));
  std::fill_n(room.begin(), count, std::byte{0});
  zeros -= count;
  position += count;
  data_left -= count;
  return count;
}

Expected<std::size_t> TarExporter::State::TakeData(MutableBytes room) {
  if (zeros != 0) return TakeZeros(room);
  if (pull.left() == 0) {
    if (!sparse) {
      return LayerDamaged("the data is " + std::to_string(data_left) +
                          " bytes shorter than the file");
    }
    WCLAYER_TRY(NextSparseBlock());
    return std::size_t{0};
  }
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(data_left, room.size()));
  WCLAYER_ASSIGN(const std::size_t count, pull.Read(room.first(most)));
  position += count;
  data_left -= count;
  return count;
}

// Holes are written out with zeros, as the reference does (spec layer-formats §c.6).
Status TarExporter::State::NextSparseBlock() {
  WCLAYER_ASSIGN(const bool more, pull.Next());
  if (!more || pull.header().id != StreamId::kSparseBlock) {
    looked_ahead = more;
    return EndSparse();
  }
  const std::uint64_t offset = pull.sparse_offset();
  if (offset < position || offset > size || pull.left() > size - offset) {
    return LayerDamaged("sparse blocks that overlap or do not fit the file's size");
  }
  if (pull.left() == 0 && offset != size) {
    return LayerDamaged("the sparse data ends at " + std::to_string(offset) + ", the file at " +
                        std::to_string(size));
  }
  zeros = offset - position;
  return {};
}

// Without a closing block the rest is a hole.
Status TarExporter::State::EndSparse() {
  sparse = false;
  zeros = data_left;
  return {};
}

// ---- what comes next

Status TarExporter::State::Step() {
  if (in_streams) return NextStream();
  WCLAYER_ASSIGN(const bool more, source->Next(item));
  if (!more) {
    padding = tar::kTrailerBytes;
    ended = true;
    return {};
  }
  ++entries;
  pull.Restart();
  if (item.deleted) return AppendHeader(WhiteoutHeader(item));
  if (!item.link_target.empty()) return AppendHeader(HardLinkHeader(item, mode));
  return Main();
}

Status TarExporter::State::Main() {
  const bool read_twice = mode == WriterMode::kReference && item.seekable;
  WCLAYER_TRY(ReadMetadata(read_twice));
  WCLAYER_ASSIGN(header, MainHeader(item, metadata, has_data, mode));
  WCLAYER_TRY(AppendHeader(header));
  in_streams = true;
  if (read_twice && has_data) WCLAYER_TRY(SkipToData());
  return has_data ? BeginMainData() : Status();
}

// Up to the data; `through_data`: all there is (the reference's first pass of two, §c.6).
Status TarExporter::State::ReadMetadata(bool through_data) {
  metadata.Clear();
  has_data = false;
  looked_ahead = false;
  for (;;) {
    WCLAYER_ASSIGN(const bool more, pull.Next());
    if (!more) return {};
    const StreamId id = pull.header().id;
    if (id == StreamId::kData) {
      has_data = true;
      if (!through_data) return {};
    } else if (id == StreamId::kAlternateData) {
      // Those of folders and of files without data: the reference loses them (§c.5).
      if (mode == WriterMode::kReference) continue;
      looked_ahead = true;
      return {};
    } else {
      WCLAYER_TRY(TakeMetadata());
    }
  }
}

Status TarExporter::State::TakeMetadata() {
  const auto take = [&](Buffer& to, std::size_t limit, const char* name) -> Status {
    WCLAYER_ASSIGN(to, pull.ReadAll(limit, name));
    return {};
  };
  switch (pull.header().id) {
    case StreamId::kSecurity:
      return take(metadata.security, kMaxSecurityDescriptorBytes, "kMaxSecurityDescriptorBytes");
    case StreamId::kEaData:
      return take(metadata.eas, kMaxEaBytes, "kMaxEaBytes");
    case StreamId::kReparse:
      return take(metadata.reparse, kMaxReparseBytes, "kMaxReparseBytes");
    case StreamId::kObjectId:
      return take(metadata.object_id, kMaxStreamNameBytes, "kMaxStreamNameBytes");
    case StreamId::kSparseBlock:
      return {};
    default: {
      const auto id = static_cast<std::uint32_t>(pull.header().id);
      Buffer data;
      WCLAYER_TRY(take(data, kMaxStreamNameBytes, "kMaxStreamNameBytes"));
      metadata.others.emplace_back(id, std::move(data));
      return {};
    }
  }
}

// The reference's second pass.
Status TarExporter::State::SkipToData() {
  Item again;
  WCLAYER_TRY(source->Seek(item.ordinal, again));
  pull.Restart();
  for (;;) {
    WCLAYER_ASSIGN(const bool more, pull.Next());
    if (!more) return LayerDamaged("the data is gone when it is read again");
    if (pull.header().id == StreamId::kData) return {};
  }
}

Status TarExporter::State::BeginMainData() {
  const std::uint64_t stored = pull.header().size;
  const bool in_blocks = stored == 0 && (pull.header().attributes & backup::kAttributeSparse) != 0;
  if (!in_blocks && stored != header.size) {
    return LayerDamaged("mismatch between file size " + std::to_string(header.size) +
                        " and data size " + std::to_string(stored));
  }
  if (header.type != '0' && header.size != 0) {
    return Error(Errc::kUnsupported, "a link or folder with data, which no tar can hold");
  }
  BeginData(header.size);
  sparse = in_blocks;
  return {};
}

void TarExporter::State::BeginData(std::uint64_t bytes) {
  size = bytes;
  position = 0;
  data_left = bytes;
  zeros = 0;
  padding = tar::Padding(bytes);
  sparse = false;
}

// Behind the main data: alternate streams, each an entry of its own.
Status TarExporter::State::NextStream() {
  for (;;) {
    if (!looked_ahead) {
      WCLAYER_ASSIGN(const bool more, pull.Next());
      if (!more) break;
    }
    looked_ahead = false;
    const StreamId id = pull.header().id;
    if (id == StreamId::kAlternateData) {
      if ((pull.header().attributes & backup::kAttributeSparse) != 0) {
        return Error(Errc::kUnsupported, "a sparse alternate stream, which no tar can hold");
      }
      WCLAYER_ASSIGN(const std::u16string plain, backup::PlainStreamName(pull.header().name));
      const std::uint64_t bytes = pull.header().size;
      WCLAYER_TRY(AppendHeader(StreamHeader(header, ToUtf8(plain), bytes)));
      BeginData(bytes);
      return {};
    }
    const bool data = id == StreamId::kData && pull.left() != 0;
    if (data || (id == StreamId::kSparseBlock && pull.left() != 0)) {
      return LayerDamaged("main data where none can be any more");
    }
  }
  in_streams = false;
  return {};
}

// ---- the exporter

TarExporter::TarExporter(ItemSource& source, WriterMode mode)
    : state_(std::make_unique<State>(source, mode)) {}

TarExporter::~TarExporter() = default;

Expected<std::size_t> TarExporter::Fill(MutableBytes buffer) {
  return state_->Fill(buffer);
}

std::uint64_t TarExporter::entries() const {
  return state_->entries;
}

}  // namespace wclayer::layer
