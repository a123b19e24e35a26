#include "layer/importer.h"

#include <algorithm>
#include <atomic>

#include "backup/stream.h"
#include "base/limits.h"
#include "base/upcase.h"
#include "base/utf16.h"
#include "layer/name_index.h"
#include "layer/names.h"
#include "layer/records.h"
#include "tar/reader.h"

namespace wclayer::layer {
namespace {

constexpr std::size_t kMaxWarnings = 100;

}  // namespace

struct TarImporter::State final : tar::Sink {
  // Where the payload of the current tar entry goes.
  enum class Payload { kNone, kStored, kExtra };

  State(ItemSink& to, SkeletonWriter* keep, ImportOptions given)
      : sink(&to),
        skeleton(keep),
        options(given),
        reader(*this, {.strict_end = given.strict_tar}) {}

  // ---- tar::Sink ----

  Status OnRaw(Bytes bytes) override {
    return skeleton == nullptr ? Status() : skeleton->Raw(bytes);
  }

  Status OnEntry(const tar::Entry& entry) override {
    auto done = Dispatch(entry);
    if (done) return {};
    Error error = std::move(done).error();
    error.message += " (entry " + std::to_string(entry.index) + " at offset " +
                     std::to_string(entry.offset) + ")";
    return std::move(error).At(entry.name);
  }

  Status OnPayload(Bytes bytes) override {
    if (payload == Payload::kNone) return Error(Errc::kInternal, "payload without an entry");
    if (skeleton != nullptr) WCLAYER_TRY(skeleton->Payload(bytes));
    if (payload == Payload::kExtra) return {};
    if (ranges.empty()) return sink->Write(bytes);
    return WriteRanges(bytes);
  }

  Status OnEntryEnd() override {
    entries.fetch_add(1, std::memory_order_relaxed);
    if (payload == Payload::kNone) return {};
    if (skeleton != nullptr) WCLAYER_TRY(skeleton->EndPayload());
    payload = Payload::kNone;
    return {};
  }

  // ---- Decisions (docs/formats.md has the table) ----

  Status Dispatch(const tar::Entry& entry) {
    payload = Payload::kNone;
    switch (entry.type) {
      case 'g':
        return {};  // the reader applies it to what follows
      case '0':
      case '2':
      case '5':
        break;
      case '1':
        return HardLink(entry);
      case '3':
      case '4':
      case '6':
        return Error(Errc::kBadArchive, std::string("a device or pipe (type '") + entry.type +
                                            "') cannot be in a Windows layer");
      default:
        return Unknown(entry);
    }
    WCLAYER_ASSIGN(const LayerName name, ParseName(entry.name));
    if (name.path.empty()) return entry.type == '5' ? Status() : Unknown(entry);
    if (name.whiteout) return Whiteout(entry, name);
    if (!name.stream.empty()) return AlternateStream(entry, name);
    return Main(entry, name);
  }

  Status Unknown(const tar::Entry& entry) {
    Warn("an entry of unknown type '" + std::string(1, entry.type) + "' is kept for replay alone",
         entry.name);
    if (entry.stored_size == 0) return {};
    payload = Payload::kExtra;
    return skeleton == nullptr ? Status() : skeleton->BeginExtra();
  }

  Status Whiteout(const tar::Entry& entry, const LayerName& name) {
    if (options.base_layer)
      Warn("a base layer has nothing to delete; the whiteout has no effect", entry.name);
    Item item;
    item.path = name.path;
    item.deleted = true;
    item.opaque = name.opaque;
    WCLAYER_TRY(CheckParent(name.path));
    WCLAYER_ASSIGN(const std::uint64_t ordinal, sink->Begin(item));
    (void)ordinal;
    main.clear();
    if (entry.stored_size == 0) return {};
    payload =
        Payload::kExtra;  // a whiteout with content: nobody needs it, but the tar must come back
    return skeleton == nullptr ? Status() : skeleton->BeginExtra();
  }

  // What is there under a name already: decides between merging, replacing and refusing (store §2).
  Status Replace(const std::string& key, EntryKind kind, const std::string& path) {
    const Known* known = index.Find(key);
    if (known == nullptr) return {};
    const bool was_file = known->kind == EntryKind::kFile || known->kind == EntryKind::kLink;
    const bool is_file = kind == EntryKind::kFile || kind == EntryKind::kLink;
    if (known->kind == EntryKind::kFolder && kind == EntryKind::kFolder) return {};
    if (!(was_file && is_file) && known->kind != kind) {
      return Error(Errc::kBadArchive, "the name was used before, for another kind of entry");
    }
    Warn("the name appears twice; the last one counts", path);
    const std::uint64_t ordinal = known->ordinal;
    if (known->kind == EntryKind::kFile) WCLAYER_TRY(TakeBack(ordinal, path));
    return {};
  }

  // An earlier file is about to be replaced: its payload stays for replay, its size no longer
  // counts.
  Status TakeBack(std::uint64_t ordinal, const std::string& path) {
    if (IsBelowFiles(path)) {
      std::byte chunk[65536];
      for (std::uint64_t at = 0;;) {
        WCLAYER_ASSIGN(const std::size_t count, sink->ReadBack(ordinal, 0, at, chunk));
        if (count == 0) {
          summary.size_bytes -= static_cast<std::int64_t>(at);
          break;
        }
        at += count;
      }
    }
    return skeleton == nullptr ? Status() : skeleton->MoveToExtra(ordinal, *sink);
  }

  // Nothing may be put below a file or a reparse point of this tar.
  Status CheckParent(std::string_view path) {
    const std::string_view parent = ParentOf(path);
    if (parent.empty() || parent == checked_parent) return {};
    const std::string key = UpcaseUtf8(parent);
    const Known* known = index.Find(key);
    if (known != nullptr && known->kind != EntryKind::kFolder) {
      return Error(Errc::kUnsafePath,
                   "the entry lies below a file or a reparse point of the same tar");
    }
    if (known == nullptr) {
      WCLAYER_TRY(CheckParent(parent));
      WCLAYER_TRY(index.Set(key, {NameIndex::kImplied, EntryKind::kFolder}));
    }
    checked_parent = parent;
    return {};
  }

  Status HardLink(const tar::Entry& entry) {
    WCLAYER_ASSIGN(const LayerName name, ParseName(entry.name));
    if (name.path.empty() || name.whiteout || !name.stream.empty()) {
      return Error(Errc::kBadArchive, "a hard link with a name that cannot be one");
    }
    if (!IsBelowFiles(name.path))
      return Error(Errc::kBadArchive, "a hard link outside Files/ and UtilityVM/Files/");
    Item item;
    item.path = name.path;
    auto target = ParseLinkTarget(entry.link_name);
    if (!target) return std::move(target).error().At(entry.link_name);
    item.link_target = *std::move(target);
    FileMetadata unused;
    std::string warning;
    WCLAYER_TRY(ReadRecords(entry, item, unused, warning));
    WCLAYER_TRY(CheckParent(name.path));
    const std::string key = UpcaseUtf8(name.path);
    const std::string target_key = UpcaseUtf8(item.link_target);
    if (key == target_key) return Error(Errc::kBadArchive, "a hard link to itself");
    const Known* known = index.Find(target_key);
    if (known != nullptr && known->kind != EntryKind::kFile && known->kind != EntryKind::kLink) {
      return Error(Errc::kBadArchive,
                   "a hard link to '" + item.link_target + "', which is no file");
    }
    WCLAYER_TRY(Replace(key, EntryKind::kLink, name.path));
    auto ordinal = sink->Begin(item);
    if (!ordinal) {
      Error error = std::move(ordinal).error();
      if (error.code == Errc::kLayerNotFound) {
        error.code = Errc::kBadArchive;
        error.message = "a hard link to '" + item.link_target +
                        "', which is neither an earlier file of this tar nor a file of a parent";
      }
      return error;
    }
    main.clear();
    return index.Set(key, {*ordinal, EntryKind::kLink});
  }

  Status AlternateStream(const tar::Entry& entry, const LayerName& name) {
    if (entry.type != '0')
      return Error(Errc::kBadArchive, "an alternate stream that is not a file entry");
    if (main.empty() || name.path != main) {
      return Error(Errc::kUnsafePath,
                   "a colon in a name, and no file of that name directly before");
    }
    if (entry.sparse) return Error(Errc::kBadArchive, "a sparse alternate stream");
    if (++streams > kMaxStreamsPerFile)
      return LimitError("kMaxStreamsPerFile", kMaxStreamsPerFile, streams);
    WCLAYER_ASSIGN(const std::u16string plain, ToUtf16(name.stream));
    head.clear();
    backup::AppendHeader(
        head, {backup::StreamId::kAlternateData, 0, entry.size, backup::StreamName(plain)});
    WCLAYER_TRY(sink->Write(head));
    return BeginStored(entry, static_cast<std::uint32_t>(streams));
  }

  Status Main(const tar::Entry& entry, const LayerName& name) {
    Item item;
    item.path = name.path;
    std::string warning;
    WCLAYER_TRY(ReadRecords(entry, item, metadata, warning));
    if (!warning.empty()) Warn(warning, name.path);
    EntryKind kind = item.directory() ? EntryKind::kFolder : EntryKind::kFile;
    if (item.reparse_tag != 0) kind = EntryKind::kReparse;
    if (name.path.find('/') == std::string::npos && kind != EntryKind::kFolder) {
      return Error(Errc::kBadArchive, "Files, Hives and UtilityVM must be folders");
    }
    WCLAYER_TRY(CheckParent(name.path));
    const std::string key = UpcaseUtf8(name.path);
    WCLAYER_TRY(Replace(key, kind, name.path));
    item.size = entry.size;
    // An empty file without a DATA stream is written with mode 0 (spec layer-formats §c.3).
    item.has_data_stream = entry.type == '0' && (entry.size != 0 || entry.mode != 0);
    WCLAYER_ASSIGN(main_ordinal, sink->Begin(item));
    WCLAYER_TRY(index.Set(key, {main_ordinal, kind}));
    main = name.path;
    streams = 0;
    Note(key);
    head.clear();
    AppendMetadataStreams(metadata, head);
    if (item.has_data_stream) AppendData(entry);
    if (!head.empty()) WCLAYER_TRY(sink->Write(head));
    if (entry.type != '0') return {};
    if (IsBelowFiles(name.path)) summary.size_bytes += static_cast<std::int64_t>(entry.size);
    return BeginStored(entry, 0);
  }

  void AppendData(const tar::Entry& entry) {
    ranges.clear();
    if (!entry.sparse) {
      backup::AppendHeader(head, {backup::StreamId::kData, 0, entry.size, {}});
      return;
    }
    // DATA of size 0, one block for each range, a terminator at the file's size (spec layer-formats
    // §b).
    backup::AppendHeader(head, {backup::StreamId::kData, backup::kAttributeSparse, 0, {}});
    for (const tar::SparseRange& range : entry.ranges) {
      if (range.size != 0) ranges.push_back(range);
    }
    range_at = 0;
    range_done = 0;
    sparse_size = entry.size;
    if (ranges.empty()) backup::AppendSparseBlock(head, sparse_size, 0);
  }

  Status WriteRanges(Bytes bytes) {
    while (!bytes.empty()) {
      if (range_at == ranges.size()) return Error(Errc::kInternal, "more sparse data than ranges");
      const tar::SparseRange& range = ranges[range_at];
      if (range_done == 0) {
        head.clear();
        backup::AppendSparseBlock(head, range.offset, range.size);
        WCLAYER_TRY(sink->Write(head));
      }
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), range.size - range_done));
      WCLAYER_TRY(sink->Write(bytes.first(count)));
      bytes = bytes.subspan(count);
      range_done += count;
      if (range_done < range.size) continue;
      range_done = 0;
      if (++range_at < ranges.size()) continue;
      head.clear();
      backup::AppendSparseBlock(head, sparse_size, 0);
      WCLAYER_TRY(sink->Write(head));
    }
    return {};
  }

  Status BeginStored(const tar::Entry& entry, std::uint32_t stream) {
    if (stream != 0) ranges.clear();
    if (entry.stored_size == 0) return {};
    payload = Payload::kStored;
    return skeleton == nullptr ? Status() : skeleton->BeginStored(main_ordinal, stream);
  }

  void Note(const std::string& key) {
    if (key.starts_with("HIVES/")) summary.has_hives = true;
    if (key.starts_with("UTILITYVM/")) summary.has_utility_vm = true;
  }

  void Warn(const std::string& what, const std::string& path) {
    ++warnings;
    if (summary.warnings.size() < kMaxWarnings - 1) summary.warnings.push_back(path + ": " + what);
  }

  ItemSink* sink;
  SkeletonWriter* skeleton;
  ImportOptions options;
  tar::Reader reader;
  ImportSummary summary;
  std::atomic<std::uint64_t> entries{0};
  std::size_t warnings = 0;
  NameIndex index;
  std::string checked_parent;

  std::string main;                // the file or folder that alternate streams may follow
  std::uint64_t main_ordinal = 0;  // its number
  std::size_t streams = 0;         // alternate streams it has so far
  Payload payload = Payload::kNone;
  FileMetadata metadata;
  Buffer head;
  std::vector<tar::SparseRange> ranges;  // of a sparse file under way
  std::size_t range_at = 0;
  std::uint64_t range_done = 0;
  std::uint64_t sparse_size = 0;
};

TarImporter::TarImporter(ItemSink& sink, SkeletonWriter* skeleton, ImportOptions options)
    : state_(std::make_unique<State>(sink, skeleton, options)) {}

TarImporter::~TarImporter() = default;

Status TarImporter::Write(Bytes bytes) {
  return state_->reader.Write(bytes);
}

Status TarImporter::Finish() {
  WCLAYER_TRY(state_->reader.Finish());
  State& state = *state_;
  state.summary.entries = state.entries.load(std::memory_order_relaxed);
  if (state.warnings > state.summary.warnings.size()) {
    state.summary.warnings.push_back(
        std::to_string(state.warnings - state.summary.warnings.size()) + " more warnings");
  }
  return {};
}

const ImportSummary& TarImporter::summary() const {
  return state_->summary;
}
std::uint64_t TarImporter::entries() const {
  return state_->entries.load(std::memory_order_relaxed);
}

}  // namespace wclayer::layer
