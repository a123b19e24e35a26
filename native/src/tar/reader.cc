#include "tar/reader.h"

#include <algorithm>
#include <array>
#include <string>

#include "tar/foreign.h"
#include "tar/header_block.h"
#include "tar/limits.h"
#include "tar/numbers.h"
#include "tar/pax.h"
#include "tar/sparse.h"
#include "tar/writer.h"

namespace wclayer::tar {
namespace {

constexpr bool IsExtended(char type) {
  return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

// '\0' and '7' are regular files; of old tars a directory is known by the slash alone.
char LogicalType(const Entry& entry) {
  switch (entry.raw_type) {
    case '\0':
    case '7':
      return entry.name.ends_with('/') ? '5' : '0';
    case 'S':
      return '0';
    default:
      return entry.raw_type;
  }
}

}  // namespace

struct Reader::State {
  State(Sink& to, ReaderOptions with) : sink(to), options(with) {}

  Status Write(Bytes bytes);
  Status Finish();

  // What the next byte belongs to.
  enum class Stage {
    kHeader,           // a header block or a zero block
    kExtended,         // the payload of an 'x', 'g', 'L' or 'K' header
    kExtendedPadding,  // and what fills its last block
    kSparseBlock,      // an extension block of an old-GNU sparse map
    kSparseMap,        // a PAX 1.0 sparse map
    kSparseMapPadding,
    kPayload,
    kPadding,
    kTrailer,  // after the end blocks
  };

  Status Step();
  Bytes TakeBlock();
  void Consume(std::size_t size);
  Status FlushRaw();

  Status OnHeader(Bytes block);
  Status OnZeroBlock();
  Status BeginExtended();
  Status OnExtendedData();
  Status EndExtended();
  Status EndGlobal();
  Status BeginEntry(Bytes block, Dialect dialect);
  Status ApplyExtended(SparseRecords& sparse);
  Status BeginOldGnuSparse(Bytes block, Dialect dialect);
  Status OnSparseBlock();
  Status BeginPaxSparse(const SparseRecords& sparse);
  Status OnSparseMap();
  Status OnSparseMapPadding();
  Status EndSparseHeader();
  Status EmitEntry();
  Status OnPayload();
  Status EndPayload();
  void ForgetExtended();

  Status CheckSize(std::uint64_t size) const;
  Status CheckEnd() const;
  Error At(Error error) const;
  Error Bad(std::string cause) const { return At(Error(Errc::kBadArchive, std::move(cause))); }

  Sink& sink;
  const ReaderOptions options;
  Stage stage = Stage::kHeader;
  std::optional<Error> failure;

  Bytes input;  // what is left of the caller's piece
  const std::byte* raw =
      nullptr;               // start of the consumed bytes of the piece that the sink has not seen
  std::uint64_t offset = 0;  // bytes consumed
  std::uint64_t index = 0;   // entries emitted

  std::array<std::byte, kBlock> block;  // collects a block that comes in pieces
  std::size_t block_fill = 0;
  std::uint64_t left = 0;   // bytes of the stage to come (payload, map and what fills their blocks)
  std::size_t padding = 0;  // bytes after it that fill the last block
  bool zero_block = false;  // the block before was the first end block
  bool complete = false;    // both end blocks were seen

  // Extended headers waiting for their entry.
  bool pending = false;
  std::uint64_t first_header = 0;  // offset of the first header of the entry
  std::size_t extended_bytes = 0;
  char extended_type = 0;
  PaxHeader local;
  PaxHeader global_header;
  GlobalRecords globals;
  std::string long_name;
  std::string long_link;

  Entry entry;
  std::uint64_t header_offset = 0;  // of the block being read, for messages
  std::vector<PaxRecord> merged;
  SparseMap sparse_map;
  PayloadMapParser map_parser;
};

// ---- pieces and positions

Status Reader::State::Write(Bytes bytes) {
  if (failure) return *failure;
  input = bytes;
  raw = bytes.data();
  while (!input.empty()) {
    if (auto status = Step(); !status) {
      failure = status.error();
      return status;
    }
  }
  if (auto status = FlushRaw(); !status) {
    failure = status.error();
    return status;
  }
  return {};
}

Status Reader::State::Step() {
  switch (stage) {
    case Stage::kHeader: {
      if (block_fill == 0) header_offset = offset;
      const Bytes whole = TakeBlock();
      return whole.empty() ? Status() : OnHeader(whole);
    }
    case Stage::kExtended:
      return OnExtendedData();
    case Stage::kExtendedPadding:
    case Stage::kPadding: {
      const std::size_t size = std::min(padding, input.size());
      Consume(size);
      padding -= size;
      if (padding != 0) return {};
      if (stage == Stage::kExtendedPadding) return EndExtended();
      stage = Stage::kHeader;
      return {};
    }
    case Stage::kSparseBlock:
      return OnSparseBlock();
    case Stage::kSparseMap:
      return OnSparseMap();
    case Stage::kSparseMapPadding:
      return OnSparseMapPadding();
    case Stage::kPayload:
      return OnPayload();
    case Stage::kTrailer:
      Consume(input.size());
      return {};
  }
  return Error(Errc::kInternal, "tar reader in no stage");
}

void Reader::State::Consume(std::size_t size) {
  input = input.subspan(size);
  offset += size;
}

// The next block: in place when the piece has it whole, else collected. Empty: not all here yet.
Bytes Reader::State::TakeBlock() {
  if (block_fill == 0 && input.size() >= kBlock) {
    const Bytes whole = input.first(kBlock);
    Consume(kBlock);
    return whole;
  }
  const std::size_t size = std::min(kBlock - block_fill, input.size());
  std::copy_n(input.begin(), size, block.begin() + static_cast<std::ptrdiff_t>(block_fill));
  block_fill += size;
  Consume(size);
  if (block_fill < kBlock) return {};
  block_fill = 0;
  return block;
}

Status Reader::State::FlushRaw() {
  const std::byte* end = input.data();
  if (raw == end) return {};
  const Bytes bytes(raw, end);
  raw = end;
  return sink.OnRaw(bytes);
}

Error Reader::State::At(Error error) const {
  error.message = "tar entry " + std::to_string(index) + ", header at byte " +
                  std::to_string(header_offset) + ": " + error.message;
  return error;
}

Status Reader::State::CheckSize(std::uint64_t size) const {
  if (size > kMaxFileBytes) return At(LimitError("kMaxFileBytes", kMaxFileBytes, size));
  return {};
}

// ---- header blocks

Status Reader::State::OnHeader(Bytes header) {
  if (IsZeroBlock(header)) return OnZeroBlock();
  if (zero_block) {
    return Bad("a single zero block, then more: an archive ends with two zero blocks");
  }
  if (auto status = VerifyChecksum(header); !status) {
    if (header_offset == 0) return Error(Errc::kBadArchive, DescribeForeign(header));
    return At(std::move(status).error());
  }
  const Dialect dialect = DialectOf(header);
  if (auto status = ReadHeaderBlock(header, dialect, entry); !status) {
    return At(std::move(status).error());
  }
  if (!pending) first_header = header_offset;
  return IsExtended(entry.raw_type) ? BeginExtended() : BeginEntry(header, dialect);
}

Status Reader::State::OnZeroBlock() {
  if (!zero_block) {
    zero_block = true;
    return {};
  }
  complete = true;
  stage = Stage::kTrailer;
  return {};
}

// ---- extended headers

Status Reader::State::BeginExtended() {
  extended_type = entry.raw_type;
  if (extended_type == 'g') {
    // Readers disagree whether the entry's own records survive the global ones in between.
    if (pending) return Bad("a global extended header between an extended header and its entry");
    global_header.Clear();
  } else {
    pending = true;
    if (extended_type == 'x') local.Clear();  // of several the last one counts
    if (extended_type == 'L') long_name.clear();
    if (extended_type == 'K') long_link.clear();
  }
  if (entry.size > kMaxPaxBytesPerEntry - extended_bytes) {
    return At(
        LimitError("kMaxPaxBytesPerEntry", kMaxPaxBytesPerEntry, extended_bytes + entry.size));
  }
  if (extended_type != 'g') extended_bytes += static_cast<std::size_t>(entry.size);
  left = entry.size;
  padding = Padding(entry.size);
  stage = Stage::kExtended;
  return left == 0 ? EndExtended() : Status();
}

Status Reader::State::OnExtendedData() {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, input.size()));
  std::string& text = extended_type == 'x'   ? local.text()
                      : extended_type == 'g' ? global_header.text()
                      : extended_type == 'L' ? long_name
                                             : long_link;
  text.append(AsText(input.first(size)));
  Consume(size);
  left -= size;
  if (left != 0) return {};
  if (padding == 0) return EndExtended();
  stage = Stage::kExtendedPadding;
  return {};
}

Status Reader::State::EndExtended() {
  stage = Stage::kHeader;
  switch (extended_type) {
    case 'x':
      if (auto status = local.Parse(); !status) return At(std::move(status).error());
      return {};
    case 'g':
      return EndGlobal();
    default: {
      std::string& text = extended_type == 'L' ? long_name : long_link;
      text.resize(UpToNul(text).size());
      return {};
    }
  }
}

// A global header is an entry of its own, and its records apply to later ones.
Status Reader::State::EndGlobal() {
  if (auto status = global_header.Parse(); !status) return At(std::move(status).error());
  if (auto status = globals.Merge(global_header.records()); !status) {
    return At(std::move(status).error());
  }
  entry.type = 'g';
  entry.size = 0;
  entry.stored_size = 0;
  entry.pax.clear();
  for (const PaxRecord& record : global_header.records()) {
    if (record.key == "path" && !record.value.empty()) entry.name.assign(record.value);
    entry.pax.emplace_back(record.key, record.value);
  }
  entry.sparse = false;
  entry.ranges.clear();
  padding = 0;
  return EmitEntry();
}

void Reader::State::ForgetExtended() {
  pending = false;
  extended_bytes = 0;
  local.Clear();
  long_name.clear();
  long_link.clear();
}

// ---- entries

Status Reader::State::BeginEntry(Bytes header, Dialect dialect) {
  SparseRecords sparse;
  WCLAYER_TRY(ApplyExtended(sparse));
  entry.type = LogicalType(entry);
  WCLAYER_TRY(CheckSize(entry.size));
  entry.stored_size = IsHeaderOnly(entry.type) ? 0 : entry.size;
  padding = Padding(entry.stored_size);
  entry.sparse = false;
  entry.ranges.clear();
  if (entry.raw_type == 'S') return BeginOldGnuSparse(header, dialect);
  return BeginPaxSparse(sparse);
}

Status Reader::State::ApplyExtended(SparseRecords& sparse) {
  std::span<const PaxRecord> records = local.records();
  if (!globals.views().empty()) {
    MergeRecords(globals.views(), local.records(), merged);
    records = merged;
  }
  if (auto status = ApplyRecords(records, entry, sparse); !status) {
    return At(std::move(status).error());
  }
  if (!long_name.empty()) entry.name = long_name;
  if (!long_link.empty()) entry.link_name = long_link;
  if (!sparse.name.empty()) entry.name.assign(sparse.name);
  const std::size_t longest = std::max(entry.name.size(), entry.link_name.size());
  if (longest > kMaxTarNameBytes) {
    return At(LimitError("kMaxTarNameBytes", kMaxTarNameBytes, longest));
  }
  return {};
}

Status Reader::State::BeginOldGnuSparse(Bytes header, Dialect dialect) {
  // star uses the same type byte for a map of its own.
  if (dialect != Dialect::kGnu) return Bad("sparse entry (type S) that is not GNU's");
  const auto logical = ParseNumericField(Slice(header, kGnuRealSize));
  if (!logical || *logical < 0) return Bad("sparse entry without a real size");
  entry.size = static_cast<std::uint64_t>(*logical);
  WCLAYER_TRY(CheckSize(entry.size));
  entry.sparse = true;
  sparse_map.Clear();
  if (auto status = AddOldGnuSlots(Slice(header, kGnuSparse), sparse_map); !status) {
    return At(std::move(status).error());
  }
  if (header[kGnuIsExtended] == std::byte{0}) return EndSparseHeader();
  stage = Stage::kSparseBlock;
  return {};
}

Status Reader::State::OnSparseBlock() {
  const Bytes extension = TakeBlock();
  if (extension.empty()) return {};
  if (auto status = AddOldGnuSlots(Slice(extension, kExtensionSparse), sparse_map); !status) {
    return At(std::move(status).error());
  }
  return extension[kExtensionIsExtended] == std::byte{0} ? EndSparseHeader() : Status();
}

Status Reader::State::BeginPaxSparse(const SparseRecords& sparse) {
  auto kind = PaxSparseKind(sparse, local.sparse_pairs());
  if (!kind) return At(std::move(kind).error());
  if (*kind == PaxSparse::kNone) return EmitEntry();
  if (IsHeaderOnly(entry.type)) return Bad("sparse entry of a type that has no data");

  const std::string_view size = sparse.size.empty() ? sparse.real_size : sparse.size;
  if (!size.empty()) {
    const auto logical = ParseDecimal(size);
    if (!logical || *logical < 0) return Bad("GNU.sparse.realsize is not a size");
    entry.size = static_cast<std::uint64_t>(*logical);
    WCLAYER_TRY(CheckSize(entry.size));
  }
  entry.sparse = true;
  sparse_map.Clear();
  if (*kind == PaxSparse::kInPayload) {
    map_parser.Clear();
    left = entry.stored_size;
    if (left == 0) return Bad("sparse map: no payload that could begin with it");
    stage = Stage::kSparseMap;
    return {};
  }
  if (auto status = AddRecordRanges(sparse, local.sparse_pairs(), sparse_map); !status) {
    return At(std::move(status).error());
  }
  return EndSparseHeader();
}

Status Reader::State::OnSparseMap() {
  const auto available = static_cast<std::size_t>(std::min<std::uint64_t>(left, input.size()));
  auto used = map_parser.Feed(input.first(available), sparse_map);
  if (!used) return At(std::move(used).error());
  Consume(*used);
  left -= *used;
  if (map_parser.done()) {
    stage = Stage::kSparseMapPadding;
    return OnSparseMapPadding();
  }
  if (left == 0) return Bad("sparse map: the payload ends within it");
  return {};
}

Status Reader::State::OnSparseMapPadding() {
  // The map began on a block boundary, so it ends where offset is on one again.
  const std::size_t wanted = Padding(offset % kBlock);
  if (wanted > left) return Bad("sparse map: the payload ends within the map's last block");
  const std::size_t size = std::min(wanted, input.size());
  Consume(size);
  left -= size;
  if (size < wanted) return {};
  entry.stored_size = left;
  return EndSparseHeader();
}

Status Reader::State::EndSparseHeader() {
  if (auto status = sparse_map.Check(entry.size, entry.stored_size); !status) {
    return At(std::move(status).error().At(entry.name));
  }
  entry.ranges.swap(sparse_map.ranges());
  return EmitEntry();
}

// Everything of the header is known and, but for the payload, consumed.
Status Reader::State::EmitEntry() {
  if (index == kMaxEntries) return At(LimitError("kMaxEntries", kMaxEntries, index + 1));
  entry.index = index;
  entry.offset = first_header;
  WCLAYER_TRY(FlushRaw());
  WCLAYER_TRY(sink.OnEntry(entry));
  ++index;
  ForgetExtended();
  left = entry.stored_size;
  stage = Stage::kPayload;
  return left == 0 ? EndPayload() : Status();
}

Status Reader::State::OnPayload() {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, input.size()));
  const Bytes payload = input.first(size);
  WCLAYER_TRY(FlushRaw());
  Consume(size);
  raw = input.data();
  left -= size;
  WCLAYER_TRY(sink.OnPayload(payload));
  return left == 0 ? EndPayload() : Status();
}

Status Reader::State::EndPayload() {
  stage = padding == 0 ? Stage::kHeader : Stage::kPadding;
  return sink.OnEntryEnd();
}

// ---- the end

Status Reader::State::Finish() {
  if (failure) return *failure;
  if (auto status = CheckEnd(); !status) {
    failure = status.error();
    return status;
  }
  return {};
}

Status Reader::State::CheckEnd() const {
  const auto truncated = [&](const std::string& where) {
    return Bad("truncated at byte " + std::to_string(offset) + ", " + where);
  };
  switch (stage) {
    case Stage::kHeader: {
      const Bytes part = Bytes(block).first(block_fill);
      const bool zero = part.empty() || (part[0] == std::byte{0} && IsZeroBlock(part));
      if (!zero && header_offset == 0) return Error(Errc::kBadArchive, DescribeForeign(part));
      if (!zero) return truncated("within a header block");
      break;
    }
    case Stage::kExtended:
    case Stage::kExtendedPadding:
      return truncated("within an extended header");
    case Stage::kSparseBlock:
    case Stage::kSparseMap:
    case Stage::kSparseMapPadding:
      return truncated("within a sparse map");
    case Stage::kPayload: {
      Error error = Error(Errc::kBadArchive, "truncated at byte " + std::to_string(offset) + ", " +
                                                 std::to_string(entry.stored_size - left) + " of " +
                                                 std::to_string(entry.stored_size) +
                                                 " bytes of data are there");
      error.message = "tar entry " + std::to_string(entry.index) + ", header at byte " +
                      std::to_string(entry.offset) + ": " + error.message;
      return std::move(error).At(entry.name);
    }
    case Stage::kPadding:
    case Stage::kTrailer:
      break;
  }
  // Some writers (umoci) leave out the last padding and the end blocks; no data is lost by that.
  if (options.strict_end && !complete) {
    return truncated(stage == Stage::kPadding ? "within the padding of the last file"
                                              : "the two zero blocks that end a tar are missing");
  }
  return {};
}

// ---- Reader

Reader::Reader(Sink& sink, ReaderOptions options)
    : state_(std::make_unique<State>(sink, options)) {}
Reader::~Reader() = default;

Status Reader::Write(Bytes bytes) {
  return state_->Write(bytes);
}
Status Reader::Finish() {
  return state_->Finish();
}
std::uint64_t Reader::offset() const {
  return state_->offset;
}
std::uint64_t Reader::entries() const {
  return state_->index;
}
bool Reader::ends_in_extended() const {
  return state_->pending && !state_->complete;
}

}  // namespace wclayer::tar
