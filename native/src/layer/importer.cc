#include "layer/importer.h"

#include <algorithm>
#include <limits>
#include <set>

#include "backup/stream.h"
#include "base/limits.h"
#include "base/upcase.h"
#include "base/utf16.h"
#include "layer/entry_metadata.h"
#include "layer/links.h"
#include "layer/name_index.h"
#include "layer/names.h"
#include "layer/vendor_records.h"
#include "tar/reader.h"

namespace wclayer::layer {
namespace {

constexpr std::size_t kMaxWarnings = 100;

bool IsFileName(EntryKind kind) {
  return kind == EntryKind::kFile || kind == EntryKind::kLink;
}

// Whether an entry may come again as another (store §2). A further name of a file is a file.
bool SameKind(EntryKind a, EntryKind b) {
  return a == b || (IsFileName(a) && IsFileName(b));
}

EntryKind KindOf(const tar::Entry& entry, const Item& item) {
  if (entry.type == '1') return EntryKind::kLink;
  if (item.reparse_tag != 0) {
    return item.directory() ? EntryKind::kReparseFolder : EntryKind::kReparseFile;
  }
  return item.directory() ? EntryKind::kFolder : EntryKind::kFile;
}

Error BadTar(std::string what) {
  return Error(Errc::kBadArchive, std::move(what));
}

Error TypeRefused(char type) {
  switch (type) {
    case '3':
      return BadTar("a character device (type 3), which no Windows layer holds");
    case '4':
      return BadTar("a block device (type 4), which no Windows layer holds");
    default:
      return BadTar("a FIFO (type 6), which no Windows layer holds");
  }
}

}  // namespace

struct TarImporter::State final : tar::Sink {
  State(ItemSink& to, SkeletonWriter* kept, ImportOptions with)
      : sink(to), skeleton(kept), options(with), reader(*this, {.strict_end = with.strict_tar}) {}

  // tar::Sink
  Status OnRaw(Bytes bytes) override {
    return skeleton == nullptr ? Status() : skeleton->Raw(bytes);
  }
  Status OnEntry(const tar::Entry& entry) override;
  Status OnPayload(Bytes bytes) override;
  Status OnEntryEnd() override;

  Status Dispatch(const tar::Entry& entry);
  Status OnGlobal(const tar::Entry& entry) const;
  Status OnUnknown(const tar::Entry& entry);
  Status OnRoot(const tar::Entry& entry);
  Status OnWhiteout(const tar::Entry& entry, const LayerName& name);
  Status OnStream(const tar::Entry& entry, const LayerName& name);
  Status OnMain(const tar::Entry& entry, LayerName name);

  Status CheckTop(const tar::Entry& entry, const std::string& path, EntryKind kind);
  Status EnterFolder(std::string_view path, bool warn);
  Status ResolveLink(const tar::Entry& entry, const NameIndex::Key& own);
  Status Replace(const std::string& path, Known known);
  Status BeginItem(const NameIndex::Key& key, EntryKind kind);
  Status BeginData(const tar::Entry& entry);
  Status BeginPayload(const tar::Entry& entry, std::uint32_t stream);
  Status SkipPayload(const tar::Entry& entry);
  Status WriteSparse(Bytes bytes);
  Expected<std::uint64_t> SizeOf(std::uint64_t ordinal);
  void AddSize(std::uint64_t size);
  void Warn(std::string_view path, std::string_view what);

  ItemSink& sink;
  SkeletonWriter* skeleton;
  const ImportOptions options;
  tar::Reader reader;
  ImportSummary summary;
  std::uint64_t suppressed = 0;  // warnings beyond kMaxWarnings

  NameIndex index;
  Links links;
  MetadataReader metadata;
  std::string last_parent;  // a folder for sure
  Item item;
  Buffer head;  // backup-stream bytes before a payload

  // What a hard link leads to.
  std::string link_path;
  std::uint32_t link_first = kImpliedOrdinal;  // kImpliedOrdinal: a file of a parent layer
  bool link_to_itself = false;

  // The entry that alternate streams may follow.
  std::string main_path;
  bool takes_streams = false;
  std::uint64_t ordinal = 0;
  std::uint32_t streams = 0;
  std::set<std::string> stream_names;

  // kSummed: stored, and the sink tells its checksum.
  enum class Target { kNone, kStored, kSummed, kExtra };
  Target target = Target::kNone;
  std::uint64_t payload_size = 0;
  bool sparse = false;
  std::vector<tar::SparseRange> ranges;
  std::size_t range = 0;         // the next one
  std::uint64_t range_left = 0;  // bytes of the one begun
  std::uint64_t sparse_size = 0;
};

// ---- one entry

Status TarImporter::State::OnEntry(const tar::Entry& entry) {
  ++summary.entries;
  if (skeleton != nullptr) WCLAYER_TRY(skeleton->CountEntry());
  target = Target::kNone;
  sparse = false;
  auto done = Dispatch(entry);
  if (done) return done;
  Error error = std::move(done).error();
  error.message = "tar entry " + std::to_string(entry.index) + ", header at byte " +
                  std::to_string(entry.offset) + ": " + error.message;
  // Names go to people: bytes that are no text would break what shows them.
  return std::move(error).At(IsWtf8(entry.name) ? entry.name : "(a name that is not UTF-8)");
}

Status TarImporter::State::Dispatch(const tar::Entry& entry) {
  switch (entry.type) {
    case '0':
    case '1':
    case '2':
    case '5':
      break;
    case 'g':
      return OnGlobal(entry);
    case '3':
    case '4':
    case '6':
      return TypeRefused(entry.type);
    default:
      return OnUnknown(entry);
  }
  WCLAYER_ASSIGN(LayerName name, ParseName(entry.name));
  if (name.path.empty()) return OnRoot(entry);
  if (name.whiteout) return OnWhiteout(entry, name);
  if (!name.stream.empty()) return OnStream(entry, name);
  if (entry.type != '5' && entry.name.ends_with('/')) {
    return Error(Errc::kUnsafePath, "a slash at the end of a name that is no folder's");
  }
  return OnMain(entry, std::move(name));
}

// Its records are in the skeleton and have been applied to the entries that follow; these three
// would make all of them one file (store §4).
Status TarImporter::State::OnGlobal(const tar::Entry& entry) const {
  for (const std::string_view key : {"path", "linkpath", "size"}) {
    if (FindRecord(entry, key) != nullptr) {
      return BadTar("a global extended header that sets '" + std::string(key) +
                    "' for all entries");
    }
  }
  return {};
}

// Dump directories, volume labels and what vendors made up: kept for the replay alone.
Status TarImporter::State::OnUnknown(const tar::Entry& entry) {
  const bool shown = entry.type > ' ' && entry.type <= '~';
  const std::string type =
      shown ? std::string(1, entry.type)
            : "0x" + std::to_string(static_cast<unsigned>(static_cast<unsigned char>(entry.type)));
  Warn(entry.name, "skipped, since its type '" + type + "' is unknown");
  return SkipPayload(entry);
}

Status TarImporter::State::OnRoot(const tar::Entry& entry) {
  if (entry.type != '5')
    return Error(Errc::kUnsafePath, "the root itself as something else than a folder");
  takes_streams = false;
  return {};
}

Status TarImporter::State::OnWhiteout(const tar::Entry& entry, const LayerName& name) {
  takes_streams = false;
  WCLAYER_TRY(EnterFolder(ParentOf(name.path), false));
  if (name.opaque) WCLAYER_TRY(EnterFolder(name.path, false));
  if (options.base_layer) Warn(name.path, "a whiteout in a base layer, which hides nothing");
  item = Item();
  item.path = name.path;
  item.deleted = true;
  item.opaque = name.opaque;
  // A deletion of what this very tar holds leaves that alone, whichever comes first (C13): the sink
  // knows, since it gets both.
  WCLAYER_ASSIGN(const std::uint64_t number, sink.Begin(item));
  (void)number;
  return SkipPayload(entry);
}

Status TarImporter::State::OnStream(const tar::Entry& entry, const LayerName& name) {
  if (entry.type != '0') return BadTar("an alternate stream that is not of type 0");
  const bool same = takes_streams && EqualNoCaseUtf8(name.path, main_path);
  if (!same) {
    return Error(Errc::kUnsafePath,
                 "a colon in a name, and it is no alternate stream of the entry right before it");
  }
  // Its size is not known before its data in a backup stream, so nobody writes such tars.
  if (entry.sparse) return BadTar("a sparse alternate stream");
  if (!stream_names.insert(UpcaseUtf8(name.stream)).second) {
    return BadTar("an alternate stream that is there already");
  }
  if (streams == kMaxStreamsPerFile) {
    return LimitError("kMaxStreamsPerFile", kMaxStreamsPerFile, streams + 1u);
  }
  ++streams;
  backup::StreamHeader header;
  header.id = backup::StreamId::kAlternateData;
  header.size = entry.size;
  WCLAYER_ASSIGN(const std::u16string wide, ToUtf16(name.stream));
  header.name = backup::StreamName(wide);
  head.clear();
  backup::AppendHeader(head, header);
  WCLAYER_TRY(sink.Write(head));
  return BeginPayload(entry, streams);
}

Status TarImporter::State::OnMain(const tar::Entry& entry, LayerName name) {
  takes_streams = false;
  head.clear();
  item.deleted = false;
  item.opaque = false;
  item.link_target.clear();
  WCLAYER_TRY(metadata.Read(entry, item, head));
  item.path = std::move(name.path);
  const EntryKind kind = KindOf(entry, item);
  WCLAYER_TRY(CheckTop(entry, item.path, kind));
  WCLAYER_TRY(EnterFolder(ParentOf(item.path), true));

  const NameIndex::Key key = NameIndex::KeyOf(item.path);
  const std::optional<Known> known = index.Find(key);
  if (known && !SameKind(known->kind, kind)) {
    return BadTar("the path is in the tar already, as another kind of entry");
  }
  if (kind == EntryKind::kLink) {
    WCLAYER_TRY(ResolveLink(entry, key));
    if (link_to_itself) {  // GNU tar writes these when it is given a file twice
      Warn(item.path, "a hard link to itself, which changes nothing");
      return {};
    }
  }
  if (known && known->ordinal != kImpliedOrdinal) WCLAYER_TRY(Replace(item.path, *known));
  WCLAYER_TRY(BeginItem(key, kind));
  if (kind == EntryKind::kLink) return {};
  main_path = item.path;
  takes_streams = true;
  streams = 0;
  stream_names.clear();
  return BeginData(entry);
}

Status TarImporter::State::CheckTop(const tar::Entry& entry, const std::string& path,
                                    EntryKind kind) {
  const std::string_view top = std::string_view(path).substr(0, path.find('/'));
  if (EqualNoCaseUtf8(top, "UtilityVM")) summary.has_utility_vm = true;
  if (path.find('/') == std::string::npos) {
    if (kind != EntryKind::kFolder) return BadTar("a top folder of a layer that is no folder");
    return {};
  }
  if (kind == EntryKind::kFile && EqualNoCaseUtf8(top, "Hives")) summary.has_hives = true;
  if (entry.type == '1' && !IsBelowFiles(path)) {
    return BadTar("a hard link outside Files/ and UtilityVM/Files/");
  }
  return {};
}

// Makes sure that entries may be below `path`. What the tar does not list is implied (C16).
Status TarImporter::State::EnterFolder(std::string_view path, bool warn) {
  if (path.empty() || path == last_parent) return {};
  std::vector<std::string_view> implied;
  for (std::string_view at = path; !at.empty(); at = ParentOf(at)) {
    const auto known = index.Find(NameIndex::KeyOf(at));
    if (!known) {
      implied.push_back(at);
      continue;
    }
    if (known->kind == EntryKind::kFolder) break;
    const bool file = IsFileName(known->kind);
    return Error(Errc::kUnsafePath, "below '" + std::string(at) + "', which this tar makes a " +
                                        (file ? "file" : "reparse point"));
  }
  for (; !implied.empty(); implied.pop_back()) {
    index.Set(NameIndex::KeyOf(implied.back()), Known());
    if (warn) Warn(implied.back(), "the folder is not in the tar, though something below it is");
  }
  last_parent = path;
  return {};
}

Status TarImporter::State::ResolveLink(const tar::Entry& entry, const NameIndex::Key& own) {
  WCLAYER_ASSIGN(link_path, ParseLinkTarget(entry.link_name));
  link_first = kImpliedOrdinal;
  NameIndex::Key key = NameIndex::KeyOf(link_path);
  const auto known = index.Find(key);
  if (known && known->kind != EntryKind::kFile && known->kind != EntryKind::kLink &&
      known->kind != EntryKind::kReparseFile) {
    return BadTar("a hard link to the folder '" + link_path + "'");
  }
  if (known) link_first = known->ordinal;
  if (known && known->kind == EntryKind::kLink) {
    // Unless the first name has become another file meanwhile, that is the one (C8).
    const auto first = links.Find(known->ordinal);
    if (first) {
      const NameIndex::Key first_key = NameIndex::KeyOf(first->path);
      const auto there = index.Find(first_key);
      link_first = first->ordinal;
      if (there && there->ordinal == first->ordinal) {
        link_path = first->path;
        key = first_key;
      }
    }
  }
  if (key.hash == own.hash && key.more == own.more && !known)
    return BadTar("a hard link to itself");
  link_to_itself = key.hash == own.hash && key.more == own.more;
  item.link_target = link_path;
  return {};
}

// An entry comes again: what the earlier one held is kept for the replay (C12).
Status TarImporter::State::Replace(const std::string& path, Known known) {
  if (known.kind != EntryKind::kFolder) {
    Warn(path, "the path is in the tar more than once; the last one counts");
  }
  if (known.kind == EntryKind::kLink) {
    if (const auto size = links.DropLink(known.ordinal)) {
      summary.size_bytes -= static_cast<std::int64_t>(*size);
    }
    return {};  // its payload is the first name's
  }
  if (known.kind == EntryKind::kFile && IsBelowFiles(path)) {
    WCLAYER_ASSIGN(const std::uint64_t size, SizeOf(known.ordinal));
    if (links.DropFirst(known.ordinal, size)) summary.size_bytes -= static_cast<std::int64_t>(size);
  }
  if (skeleton == nullptr) return {};
  return skeleton->MoveToExtra(known.ordinal, sink);
}

Status TarImporter::State::BeginItem(const NameIndex::Key& key, EntryKind kind) {
  WCLAYER_ASSIGN(ordinal, sink.Begin(item));
  if (ordinal >= kImpliedOrdinal) return LimitError("kMaxEntries", kMaxEntries, ordinal);
  const auto number = static_cast<std::uint32_t>(ordinal);
  if (kind != EntryKind::kLink) {
    index.Set(key, {number, kind});
    return {};
  }
  if (link_first != kImpliedOrdinal) {
    index.Set(key, {number, kind});
    links.Add(number, link_first, link_path);
    return {};
  }
  // A file of a parent: links do not cross layers, so the sink made a copy, a file of its own.
  index.Set(key, {number, EntryKind::kFile});
  WCLAYER_ASSIGN(const std::uint64_t size, SizeOf(ordinal));
  AddSize(size);
  return {};
}

// ---- payloads

// The main stream of a file. An empty one without a DATA stream has mode 0 (golden-oci/README.md).
Status TarImporter::State::BeginData(const tar::Entry& entry) {
  const bool has_data = entry.type == '0' && (entry.size != 0 || entry.mode != 0);
  if (has_data) {
    backup::StreamHeader header;
    header.attributes = entry.sparse ? backup::kAttributeSparse : 0;
    header.size = entry.sparse ? 0 : entry.size;
    backup::AppendHeader(head, header);
    if (IsBelowFiles(item.path)) AddSize(entry.size);
  }
  if (!head.empty()) WCLAYER_TRY(sink.Write(head));
  if (!has_data) return {};
  if (entry.sparse) {
    sparse = true;
    ranges = entry.ranges;
    range = 0;
    range_left = 0;
    sparse_size = entry.size;
  }
  return BeginPayload(entry, 0);
}

Status TarImporter::State::BeginPayload(const tar::Entry& entry, std::uint32_t stream) {
  if (entry.stored_size == 0) return {};
  target = Target::kStored;
  if (skeleton == nullptr) return {};
  if (stream == 0 && !entry.sparse && sink.tells_checksums()) {
    target = Target::kSummed;
    payload_size = entry.stored_size;
    return {};
  }
  return skeleton->BeginStored(ordinal, stream, entry.ranges);
}

Status TarImporter::State::SkipPayload(const tar::Entry& entry) {
  if (entry.stored_size == 0) return {};
  target = Target::kExtra;
  return skeleton == nullptr ? Status() : skeleton->BeginExtra();
}

Status TarImporter::State::OnPayload(Bytes bytes) {
  if (skeleton != nullptr && target != Target::kSummed) WCLAYER_TRY(skeleton->Payload(bytes));
  if (target != Target::kStored && target != Target::kSummed) return {};
  auto written = sparse ? WriteSparse(bytes) : sink.Write(bytes);
  if (!written) return std::move(written).error().At(item.path);
  return {};
}

Status TarImporter::State::WriteSparse(Bytes bytes) {
  while (!bytes.empty()) {
    if (range_left == 0) {
      if (range == ranges.size()) return Error(Errc::kInternal, "more data than ranges");
      range_left = ranges[range].size;
      head.clear();
      backup::AppendSparseBlock(head, ranges[range].offset, range_left);
      ++range;
      WCLAYER_TRY(sink.Write(head));
    }
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(range_left, bytes.size()));
    WCLAYER_TRY(sink.Write(bytes.first(size)));
    range_left -= size;
    bytes = bytes.subspan(size);
  }
  return {};
}

Status TarImporter::State::OnEntryEnd() {
  if (sparse && sparse_size != 0) {
    head.clear();
    backup::AppendSparseBlock(head, sparse_size, 0);
    WCLAYER_TRY(sink.Write(head));
  }
  if (target == Target::kNone || skeleton == nullptr) return {};
  if (target != Target::kSummed) return skeleton->EndPayload();
  WCLAYER_ASSIGN(const std::uint64_t checksum, sink.Checksum());
  return skeleton->Stored(ordinal, payload_size, checksum);
}

// ---- sums and warnings

// The size of a file that was stored. Seldom asked, so it is searched for instead of remembered.
Expected<std::uint64_t> TarImporter::State::SizeOf(std::uint64_t number) {
  std::byte byte{};
  const auto reaches = [&](std::uint64_t offset) -> Expected<bool> {
    WCLAYER_ASSIGN(const std::size_t got, sink.ReadBack(number, 0, offset, {&byte, 1}));
    return got != 0;
  };
  std::uint64_t above = 1;  // the file ends at or before this
  for (; above <= kMaxFileBytes; above *= 2) {
    WCLAYER_ASSIGN(const bool more, reaches(above - 1));
    if (!more) break;
  }
  std::uint64_t below = above / 2;  // and not before this
  --above;
  while (below < above) {
    const std::uint64_t middle = below + (above - below) / 2;
    WCLAYER_ASSIGN(const bool more, reaches(middle));
    if (more) {
      below = middle + 1;
    } else {
      above = middle;
    }
  }
  return below;
}

void TarImporter::State::AddSize(std::uint64_t size) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const auto more = static_cast<std::int64_t>(size);  // at most kMaxFileBytes
  summary.size_bytes = summary.size_bytes > most - more ? most : summary.size_bytes + more;
}

void TarImporter::State::Warn(std::string_view path, std::string_view what) {
  if (summary.warnings.size() == kMaxWarnings - 1) {
    ++suppressed;
    return;
  }
  const std::string shown = IsWtf8(path) ? std::string(path) : "(a name that is not UTF-8)";
  summary.warnings.push_back("'" + shown + "': " + std::string(what));
}

// ---- the stage

TarImporter::TarImporter(ItemSink& sink, SkeletonWriter* skeleton, ImportOptions options)
    : state_(std::make_unique<State>(sink, skeleton, options)) {}

TarImporter::~TarImporter() = default;

Status TarImporter::Write(Bytes bytes) {
  return state_->reader.Write(bytes);
}

Status TarImporter::Finish() {
  WCLAYER_TRY(state_->reader.Finish());
  const std::uint64_t size = state_->reader.offset();
  if (size == 0) return BadTar("empty: not even the two zero blocks that end a tar");
  if (state_->reader.ends_in_extended()) {
    return BadTar("truncated at byte " + std::to_string(size) +
                  ", between an extended header and its entry");
  }
  if (state_->suppressed != 0) {
    state_->summary.warnings.push_back("and " + std::to_string(state_->suppressed) +
                                       " more warnings");
    state_->suppressed = 0;
  }
  return {};
}

const ImportSummary& TarImporter::summary() const {
  return state_->summary;
}

std::uint64_t TarImporter::entries() const {
  return state_->summary.entries;
}

}  // namespace wclayer::layer
