#include "layer/exporter.h"

#include <algorithm>

#include "base/limits.h"
#include "base/utf16.h"
#include "layer/names.h"
#include "layer/records.h"
#include "layer/stream_pull.h"
#include "tar/writer.h"

namespace wclayer::layer {
namespace {

constexpr std::uint32_t kModeFile = 0100000;
constexpr std::uint32_t kModeFolder = 040000;
constexpr std::uint32_t kModeSymlink = 0120000;
constexpr std::uint32_t kModeHardLink = 0644;

}  // namespace

// A tar is a chain of steps, each of which leaves bytes to hand over: a pending header, then
// payload read straight into the caller's buffer, then zeros.
struct TarExporter::State {
  State(ItemSource& from, WriterMode writer_mode)
      : source(&from), pull(from), reference(writer_mode == WriterMode::kReference) {}

  // ---- Handing over ----

  Expected<std::size_t> Fill(MutableBytes buffer) {
    std::size_t used = 0;
    while (used < buffer.size()) {
      const MutableBytes room = buffer.subspan(used);
      if (pending_at < pending.size()) {
        used += TakePending(room);
      } else if (zeros != 0) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(zeros, room.size()));
        std::fill_n(room.begin(), count, std::byte{0});
        zeros -= count;
        used += count;
      } else if (data_left != 0) {
        WCLAYER_ASSIGN(const std::size_t count, TakeData(room));
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

  std::size_t TakePending(MutableBytes room) {
    const std::size_t count = std::min(pending.size() - pending_at, room.size());
    std::copy_n(pending.begin() + static_cast<std::ptrdiff_t>(pending_at), count, room.begin());
    pending_at += count;
    return count;
  }

  // Main or alternate data: as they lie in the stream, holes as zeros.
  Expected<std::size_t> TakeData(MutableBytes room) {
    if (pull.left() != 0) {
      const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(data_left, room.size()));
      WCLAYER_ASSIGN(const std::size_t count, pull.Read(room.first(most)));
      data_left -= count;
      position += count;
      FinishDataIfDone();
      return count;
    }
    if (!sparse)
      return Error(Errc::kLayerDamaged, "the data is " + std::to_string(data_left) +
                                            " bytes shorter than the entry says");
    WCLAYER_ASSIGN(const bool more, pull.Next());
    std::uint64_t until = size;
    if (more && pull.header().id == backup::StreamId::kSparseBlock) {
      until = pull.sparse_offset();
    } else if (more) {
      looked_ahead = true;
      sparse = false;
    }
    if (until < position || until > size || pull_overflows()) {
      return Error(Errc::kLayerDamaged, "sparse blocks that do not fit the file's size");
    }
    zeros = until - position;
    data_left -= zeros;
    position = until;
    if (!more) {
      if (data_left != 0)
        return Error(Errc::kLayerDamaged, "the sparse data ends before the file's size");
      sparse = false;
    }
    FinishDataIfDone();
    return std::size_t{0};
  }
  bool pull_overflows() const {
    return sparse && pull.left() > size - std::min(size, pull.sparse_offset());
  }

  void FinishDataIfDone() {
    if (data_left != 0) return;
    zeros += tar::Padding(size);
  }

  // ---- What comes next ----

  Status Step() {
    if (in_streams) return NextStream();
    WCLAYER_ASSIGN(const bool more, source->Next(item));
    if (!more) {
      zeros = tar::kTrailerBytes;
      ended = true;
      return {};
    }
    ++entries;
    pull.Restart();
    looked_ahead = false;
    if (item.deleted) return Whiteout();
    if (!item.link_target.empty()) return HardLink();
    return Main();
  }

  Status Whiteout() {
    tar::Header header;
    header.format = tar::Format::kAuto;
    header.type = '0';
    if (item.opaque) {
      header.name = item.path + "/" + std::string(kOpaqueMarker);
    } else {
      header.name = item.path;
      header.name.insert(header.name.size() - BaseOf(item.path).size(), kWhiteoutPrefix);
    }
    return tar::AppendHeader(pending, header);
  }

  Status HardLink() {
    tar::Header header;
    header.type = '1';
    header.name = item.path;
    header.link_name = item.link_target;
    header.mode = kModeHardLink;
    WCLAYER_TRY(WriteRecords(item, {}, reference, header));
    return tar::AppendHeader(pending, header);
  }

  // The metadata streams come before the data: one pass is enough (layer/item.h).
  Status Main() {
    metadata = {};
    bool has_data = false;
    sparse = false;
    for (;;) {
      WCLAYER_ASSIGN(const bool more, pull.Next());
      if (!more) break;
      looked_ahead = false;
      const backup::StreamId id = pull.header().id;
      if (id == backup::StreamId::kData) {
        has_data = true;
        break;
      }
      if (id == backup::StreamId::kAlternateData) {
        looked_ahead = true;
        break;
      }
      WCLAYER_TRY(TakeMetadata(id));
    }
    tar::Header header;
    header.name = item.path;
    const std::uint32_t tag = metadata.reparse.empty() ? 0 : ReparseTagOf(metadata.reparse);
    const bool link = tag == 0xA0000003u || tag == 0xA000000Cu;
    if (link) {
      header.type = '2';
      header.mode = kModeSymlink | (item.directory() ? kModeFolder : 0);
    } else if (item.directory()) {
      header.type = '5';
      header.mode = kModeFolder;
    } else {
      header.type = '0';
      header.mode = has_data ? kModeFile : 0;
      header.size = has_data ? item.size : 0;
    }
    WCLAYER_TRY(WriteRecords(item, metadata, reference, header));
    WCLAYER_TRY(tar::AppendHeader(pending, header));
    in_streams = true;
    main_had_data = has_data;
    if (header.type != '0' || !has_data) return {};
    sparse = pull.header().size != item.size ||
             (pull.header().attributes & backup::kAttributeSparse) != 0;
    if (pull.header().size != 0 && pull.header().size != item.size) {
      return Error(Errc::kLayerDamaged, "mismatch between file size " + std::to_string(item.size) +
                                            " and data size " + std::to_string(pull.header().size));
    }
    StartData(item.size);
    return {};
  }

  static std::uint32_t ReparseTagOf(const Buffer& buffer) {
    return buffer.size() < 4 ? 0 : LoadLe<std::uint32_t>(buffer.data());
  }

  Status TakeMetadata(backup::StreamId id) {
    switch (id) {
      case backup::StreamId::kSecurity: {
        WCLAYER_ASSIGN(metadata.security,
                       pull.ReadAll(kMaxSecurityDescriptorBytes, "kMaxSecurityDescriptorBytes"));
        return {};
      }
      case backup::StreamId::kEaData: {
        WCLAYER_ASSIGN(metadata.eas, pull.ReadAll(kMaxEaBytes, "kMaxEaBytes"));
        return {};
      }
      case backup::StreamId::kReparse: {
        WCLAYER_ASSIGN(metadata.reparse, pull.ReadAll(kMaxReparseBytes, "kMaxReparseBytes"));
        return {};
      }
      case backup::StreamId::kObjectId: {
        WCLAYER_ASSIGN(metadata.object_id, pull.ReadAll(kMaxStreamNameBytes, "object id"));
        return {};
      }
      default:
        return {};  // transactional and link data: no tar carries them
    }
  }

  void StartData(std::uint64_t bytes) {
    size = bytes;
    position = 0;
    data_left = bytes;
    if (data_left == 0) sparse = false;
  }

  // Behind the main data: alternate streams, each an entry of its own.
  Status NextStream() {
    for (;;) {
      if (!looked_ahead) {
        WCLAYER_ASSIGN(const bool more, pull.Next());
        if (!more) {
          in_streams = false;
          return {};
        }
      }
      looked_ahead = false;
      if (pull.header().id != backup::StreamId::kAlternateData)
        continue;  // sparse terminators and the like
      // The reference loses the streams of folders and of files without data (spec layer-formats
      // §c.5).
      if (reference && !main_had_data) continue;
      WCLAYER_ASSIGN(const std::u16string plain, backup::PlainStreamName(pull.header().name));
      tar::Header header;
      header.name = item.path + ":" + ToUtf8(plain);
      header.type = '0';
      header.mode = kModeFile;
      header.size = pull.header().size;
      WriteTimes(item, reference, header);
      WCLAYER_TRY(tar::AppendHeader(pending, header));
      StartData(header.size);
      return {};
    }
  }

  ItemSource* source;
  StreamPull pull;
  bool reference;
  Item item;
  FileMetadata metadata;
  std::uint64_t entries = 0;

  Buffer pending;
  std::size_t pending_at = 0;
  std::uint64_t zeros = 0;
  std::uint64_t size = 0;      // of the data under way
  std::uint64_t position = 0;  // in it
  std::uint64_t data_left = 0;
  bool sparse = false;
  bool main_had_data = false;
  bool in_streams = false;
  bool looked_ahead = false;  // the pull stands at a stream that is still to be treated
  bool ended = false;
};

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
