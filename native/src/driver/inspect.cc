// Looking inside a layer without mounting it: ls, stat, cat, lint.
#include <deque>

#include "backup/ea.h"
#include "backup/reparse.h"
#include "backup/security.h"
#include "backup/stream.h"
#include "base/layer_id.h"
#include "base/limits.h"
#include "base/page_buffer.h"
#include "base/upcase.h"
#include "base/utf16.h"
#include "driver/core.h"
#include "io/digest.h"
#include "layer/skeleton.h"
#include "layer/stream_pull.h"

namespace wclayer {
namespace {

constexpr std::size_t kChunkBytes = 256u << 10;

Error NoEntry(const std::string& path) {
  return Error(Errc::kInvalidArgument, "the layer holds no such entry").At(path);
}

// What a backup stream tells beside the main data.
struct Metadata {
  Buffer security, eas, reparse, object_id;
  std::vector<std::pair<std::string, std::uint64_t>> streams;
  bool sparse = false;
};

// Reads the current item's stream, all but the data; `head_only`: up to that.
wclayer::Status ReadMetadata(LayerItems& source, Metadata& metadata, bool head_only) {
  layer::StreamPull pull(source);
  const auto take = [&](Buffer& to, std::size_t limit, const char* name) -> wclayer::Status {
    WCLAYER_ASSIGN(to, pull.ReadAll(limit, name));
    return {};
  };
  for (;;) {
    WCLAYER_ASSIGN(const bool more, pull.Next());
    if (!more) return {};
    const backup::StreamHeader& header = pull.header();
    switch (header.id) {
      case backup::StreamId::kSecurity:
        WCLAYER_TRY(
            take(metadata.security, kMaxSecurityDescriptorBytes, "kMaxSecurityDescriptorBytes"));
        break;
      case backup::StreamId::kEaData:
        WCLAYER_TRY(take(metadata.eas, kMaxEaBytes, "kMaxEaBytes"));
        break;
      case backup::StreamId::kReparse:
        WCLAYER_TRY(take(metadata.reparse, kMaxReparseBytes, "kMaxReparseBytes"));
        break;
      case backup::StreamId::kObjectId:
        WCLAYER_TRY(take(metadata.object_id, kMaxStreamNameBytes, "kMaxStreamNameBytes"));
        break;
      case backup::StreamId::kData:
        if (head_only) return {};
        metadata.sparse = (header.attributes & backup::kAttributeSparse) != 0;
        break;
      case backup::StreamId::kAlternateData: {
        WCLAYER_ASSIGN(const std::u16string plain, backup::PlainStreamName(header.name));
        metadata.streams.emplace_back(ToUtf8(plain), header.size);
        break;
      }
      default:
        break;
    }
  }
}

char KindOf(const layer::Item& item) {
  if (item.deleted) return 'w';
  if (!item.link_target.empty()) return 'h';
  if (item.reparse_tag == backup::kTagMountPoint) return 'j';
  if (item.reparse_tag == backup::kTagSymlink) return 'l';
  if (item.reparse_tag != 0) return 'r';
  return item.directory() ? 'd' : 'f';
}

Expected<EntryInfo> Describe(const layer::Item& item, Bytes reparse) {
  EntryInfo info;
  info.path = item.path;
  info.kind = KindOf(item);
  info.size_bytes = item.size;
  info.attributes = item.attributes;
  info.write_time = item.times[layer::kWrite];
  info.target = item.link_target;
  if (!reparse.empty()) {
    WCLAYER_ASSIGN(const backup::ReparsePoint point, backup::ParseReparse(reparse));
    info.target = ToUtf8(point.target);
  }
  return info;
}

// Moves an export to the entry `path`.
wclayer::Status Locate(LayerItems& source, bool can_seek, const std::string& path,
                       layer::Item& item) {
  if (can_seek) {
    auto status = source.SeekPath(path, item);
    if (!status && (status.error().hresult == vmcompute::kFileNotFound ||
                    status.error().hresult == vmcompute::kPathNotFound)) {
      return NoEntry(path);
    }
    return status;
  }
  for (;;) {
    WCLAYER_ASSIGN(const bool more, source.Next(item));
    if (!more) return NoEntry(path);
    if (EqualNoCaseUtf8(item.path, path)) return {};
  }
}

// Moves what `open` gives to the entry `path`. Deletions cannot be sought; they are met on the way
// through.
template <class Open>
Expected<std::unique_ptr<LayerItems>> OpenAt(Open open, bool can_seek, const std::string& path,
                                             layer::Item& item) {
  WCLAYER_ASSIGN(std::unique_ptr<LayerItems> source, open());
  can_seek = can_seek && source->can_seek();
  auto located = Locate(*source, can_seek, path, item);
  if (!located && can_seek && located.error().code == Errc::kInvalidArgument) {
    WCLAYER_ASSIGN(source, open());
    located = Locate(*source, false, path, item);
  }
  WCLAYER_TRY(std::move(located));
  return source;
}

class EntryList final : public Cursor<EntryInfo> {
 public:
  EntryList(std::unique_ptr<LayerRead> read, std::unique_ptr<LayerItems> source, std::string prefix)
      : read_(std::move(read)), source_(std::move(source)), prefix_(UpcaseUtf8(prefix)) {}

  Expected<bool> Next(EntryInfo& info) override {
    layer::Item item;
    for (;;) {
      WCLAYER_ASSIGN(const bool more, source_->Next(item));
      if (!more) {
        if (!prefix_.empty() && !found_) return NoEntry(prefix_);
        return false;
      }
      if (!Wanted(item.path)) continue;
      found_ = true;
      Metadata metadata;
      if (item.reparse_tag != 0) WCLAYER_TRY(ReadMetadata(*source_, metadata, true));
      WCLAYER_ASSIGN(info, Describe(item, metadata.reparse));
      return true;
    }
  }

 private:
  bool Wanted(const std::string& path) const {
    if (prefix_.empty()) return true;
    const std::string upper = UpcaseUtf8(path);
    return upper.starts_with(prefix_) &&
           (upper.size() == prefix_.size() || upper[prefix_.size()] == '/');
  }

  std::unique_ptr<LayerRead> read_;
  std::unique_ptr<LayerItems> source_;
  std::string prefix_;
  bool found_ = false;
};

// One stream of one file, holes as zeros.
class FileSource final : public ByteSource, private backup::Sink {
 public:
  FileSource(std::unique_ptr<LayerRead> read, std::unique_ptr<LayerItems> source,
             std::u16string stream, std::uint64_t size)
      : read_(std::move(read)),
        source_(std::move(source)),
        stream_(std::move(stream)),
        size_(size),
        decoder_(*this) {}

  // Reads up to where the wanted stream is known to exist.
  wclayer::Status Start(const std::string& path, const std::string& stream) {
    while (!seen_ && !ended_) WCLAYER_TRY(ReadMore());
    if (!stream.empty() && !seen_) {
      return Error(Errc::kInvalidArgument, "the entry has no stream '" + stream + "'").At(path);
    }
    return {};
  }

  Expected<std::size_t> Read(MutableBytes buffer) override {
    while (pending_.empty() && !ended_) {
      if (cancelled()) return Error(Errc::kCancelled, "cancelled by the caller");
      WCLAYER_TRY(ReadMore());
    }
    if (pending_.empty()) return std::size_t{0};
    Piece& piece = pending_.front();
    const std::uint64_t left = piece.zeros != 0 ? piece.zeros : piece.bytes.size() - piece.at;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    if (piece.zeros != 0) {
      std::fill_n(buffer.begin(), count, std::byte{0});
      piece.zeros -= count;
    } else {
      std::copy_n(piece.bytes.begin() + static_cast<std::ptrdiff_t>(piece.at), count,
                  buffer.begin());
      piece.at += count;
    }
    if (count == left) pending_.pop_front();
    return count;
  }

 private:
  struct Piece {
    std::uint64_t zeros = 0;
    Buffer bytes;
    std::size_t at = 0;
  };

  wclayer::Status ReadMore() {
    if (chunk_.empty()) chunk_ = PageBuffer(kChunkBytes);
    WCLAYER_ASSIGN(const std::size_t count, source_->Read(chunk_));
    if (count != 0) return decoder_.Write(Bytes(chunk_).first(count));
    WCLAYER_TRY(decoder_.Finish());
    ended_ = true;
    if (stream_.empty()) Zeros(size_);
    return {};
  }
  void Zeros(std::uint64_t until) {
    if (until > position_) pending_.push_back({until - position_, {}, 0});
    position_ = std::max(position_, until);
  }

  wclayer::Status OnStream(const backup::StreamHeader& header,
                           std::uint64_t sparse_offset) override {
    if (header.id == backup::StreamId::kSparseBlock) {
      if (wanted_) Zeros(sparse_offset);
      return {};
    }
    wanted_ = stream_.empty() ? header.id == backup::StreamId::kData
                              : header.id == backup::StreamId::kAlternateData &&
                                    EqualNoCase(header.name, stream_);
    seen_ = seen_ || wanted_;
    return {};
  }
  wclayer::Status OnData(Bytes bytes) override {
    if (!wanted_) return {};
    pending_.push_back({0, Buffer(bytes.begin(), bytes.end()), 0});
    position_ += bytes.size();
    return {};
  }
  wclayer::Status OnStreamEnd() override { return {}; }

  std::unique_ptr<LayerRead> read_;
  std::unique_ptr<LayerItems> source_;
  std::u16string stream_;  // empty: the main data
  std::uint64_t size_;
  backup::Decoder decoder_;
  PageBuffer chunk_;
  std::deque<Piece> pending_;
  std::uint64_t position_ = 0;
  bool wanted_ = false;
  bool seen_ = false;
  bool ended_ = false;
};

}  // namespace

Expected<std::unique_ptr<Cursor<EntryInfo>>> Core::Entries(const std::string& id,
                                                           const std::string& prefix) {
  const auto open = [&]() -> Expected<std::unique_ptr<Cursor<EntryInfo>>> {
    WCLAYER_ASSIGN(const Found found, Find(id));
    WCLAYER_ASSIGN(const ParentChain chain, home_.ReadChain(found.id));
    WCLAYER_ASSIGN(auto read, LayerRead::Open(*this, found, chain));
    WCLAYER_ASSIGN(auto source, OpenItems(found, *read, true));
    return std::unique_ptr<Cursor<EntryInfo>>(
        std::make_unique<EntryList>(std::move(read), std::move(source), prefix));
  };
  auto cursor = open();
  if (!cursor) return std::move(cursor).error().In("Entries").Of(id);
  return cursor;
}

Expected<EntryDetails> Core::Stat(const std::string& id, const std::string& path) {
  const auto look = [&]() -> Expected<EntryDetails> {
    WCLAYER_ASSIGN(const Found found, Find(id));
    WCLAYER_ASSIGN(const ParentChain chain, home_.ReadChain(found.id));
    WCLAYER_ASSIGN(const auto read, LayerRead::Open(*this, found, chain));
    layer::Item item;
    WCLAYER_ASSIGN(const auto source, OpenAt([&] { return OpenItems(found, *read, false); },
                                             found.committed(), path, item));
    const layer::Item named = item;
    if (!item.link_target.empty())
      WCLAYER_TRY(Locate(*source, found.committed(), named.link_target, item));
    Metadata metadata;
    if (!named.deleted) WCLAYER_TRY(ReadMetadata(*source, metadata, false));
    EntryDetails details;
    WCLAYER_ASSIGN(details.info, Describe(named, metadata.reparse));
    details.info.size_bytes = item.size;
    details.info.attributes = item.attributes;  // of a hard link: the file's
    details.info.write_time = item.times[layer::kWrite];
    std::copy(std::begin(item.times), std::end(item.times), details.times);
    details.time_absent = item.time_absent;
    std::copy(std::begin(item.time_remainder), std::end(item.time_remainder),
              details.time_remainder);
    if (!metadata.security.empty()) {
      WCLAYER_ASSIGN(details.sddl, backup::ToSddl(metadata.security));
    }
    if (!metadata.eas.empty()) {
      WCLAYER_ASSIGN(auto eas, backup::ParseEas(metadata.eas));
      for (auto& ea : eas) details.eas.emplace_back(std::move(ea.name), std::move(ea.value));
    }
    details.security = std::move(metadata.security);
    details.reparse_tag = item.reparse_tag;
    details.reparse = std::move(metadata.reparse);
    details.streams = std::move(metadata.streams);
    details.object_id = std::move(metadata.object_id);
    details.sparse = metadata.sparse;
    details.short_name = ToUtf8(item.short_name);
    return details;
  };
  auto details = look();
  if (!details) return std::move(details).error().In("Stat").Of(id);
  return details;
}

Expected<std::unique_ptr<ByteSource>> Core::OpenFile(const std::string& id, const std::string& path,
                                                     const std::string& stream) {
  const auto open = [&]() -> Expected<std::unique_ptr<ByteSource>> {
    WCLAYER_ASSIGN(const Found found, Find(id));
    WCLAYER_ASSIGN(const ParentChain chain, home_.ReadChain(found.id));
    WCLAYER_ASSIGN(auto read, LayerRead::Open(*this, found, chain));
    layer::Item item;
    WCLAYER_ASSIGN(auto source, OpenAt([&] { return OpenItems(found, *read, false); },
                                       found.committed(), path, item));
    if (!item.link_target.empty()) {
      const std::string target = item.link_target;
      WCLAYER_TRY(Locate(*source, found.committed(), target, item));
    }
    if (item.deleted) return Error(Errc::kInvalidArgument, "the layer deletes this path").At(path);
    if (item.directory() && stream.empty())
      return Error(Errc::kInvalidArgument, "a folder has no data").At(path);
    WCLAYER_ASSIGN(std::u16string name, ToUtf16(stream));
    if (!name.empty()) name = backup::StreamName(name);
    auto file = std::make_unique<FileSource>(std::move(read), std::move(source), std::move(name),
                                             item.size);
    WCLAYER_TRY(file->Start(path, stream));
    return std::unique_ptr<ByteSource>(std::move(file));
  };
  auto source = open();
  if (!source) return std::move(source).error().In("OpenFile").Of(id);
  return source;
}

Expected<std::vector<Problem>> Core::Lint(const std::string& id) {
  const auto look = [&]() -> Expected<std::vector<Problem>> {
    WCLAYER_ASSIGN(const Found found, Find(id));
    WCLAYER_ASSIGN(const ParentChain chain, home_.ReadChain(found.id));
    WCLAYER_ASSIGN(const auto read, LayerRead::Open(*this, found, chain));
    WCLAYER_ASSIGN(const auto source, OpenItems(found, *read, true));
    std::vector<Problem> problems;
    layer::Item item;
    for (;;) {
      WCLAYER_ASSIGN(const bool more, source->Next(item));
      if (!more) return problems;
      // The roots and the hives of the reference exporter carry no descriptors either
      // (layer-formats §a.3).
      const bool below =
          item.path.starts_with("Files/") || item.path.starts_with("UtilityVM/Files/");
      if (!below || item.deleted || !item.link_target.empty()) continue;
      if (item.attributes == 0) {
        problems.push_back(
            {id, item.path, "no file attributes (MSWINDOWS.fileattr): Windows needs at least one"});
      }
      Metadata metadata;
      WCLAYER_TRY(ReadMetadata(*source, metadata, true));
      if (metadata.security.empty()) {
        problems.push_back(
            {id, item.path,
             "no security descriptor (MSWINDOWS.rawsd): containers get 'access denied'"});
      }
    }
  };
  auto problems = look();
  if (!problems) return std::move(problems).error().In("Lint").Of(id);
  return problems;
}

}  // namespace wclayer
