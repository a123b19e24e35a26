#include "portable/checkout_table.h"

#include <algorithm>

#include "base/limits.h"
#include "io/digest.h"

namespace wclayer::portable {
namespace {

constexpr std::string_view kMagic = "WCLCHKT1";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kRowsAt = 12;
constexpr std::size_t kSumBytes = 8;
// Offsets in a row.
constexpr std::size_t kOrdinal = 4;
constexpr std::size_t kType = 8;
constexpr std::size_t kMarked = 9;
constexpr std::size_t kHandleLength = 10;
constexpr std::size_t kPathLength = 12;
constexpr std::size_t kMode = 16;
constexpr std::size_t kSize = 20;
constexpr std::size_t kInode = 28;
constexpr std::size_t kBirth = 36;
constexpr std::size_t kModified = 48;
constexpr std::size_t kChanged = 60;
constexpr std::size_t kRowBytes = 72;

constexpr std::size_t kFlushAt = 1u << 20;

Error TableDamaged(std::string_view what) {
  return Error(Errc::kLayerDamaged, "the checkout's table " + std::string(what)).At(kCheckoutTable);
}

}  // namespace

Expected<CheckoutTableWriter> CheckoutTableWriter::Create(const fs::Dir& folder,
                                                          std::string_view name) {
  CheckoutTableWriter writer;
  WCLAYER_ASSIGN(writer.file_, folder.CreateFile(name));
  writer.pending_.resize(kHeaderBytes);
  return writer;
}

Status CheckoutTableWriter::Flush() {
  WCLAYER_TRY(fs::WriteAt(file_.get(), pending_, at_));
  at_ += pending_.size();
  pending_.clear();
  return {};
}

Status CheckoutTableWriter::Add(const CheckoutRow& row) {
  AppendLe(pending_, row.origin.layer);
  AppendLe(pending_, row.origin.ordinal);
  AppendLe(pending_, static_cast<std::uint8_t>(row.info.type));
  AppendLe(pending_, static_cast<std::uint8_t>(row.marked ? 1 : 0));
  AppendLe(pending_, static_cast<std::uint16_t>(row.handle.size()));
  AppendLe(pending_, static_cast<std::uint32_t>(row.path.size()));
  AppendLe(pending_, row.info.mode);
  AppendLe(pending_, row.info.size);
  AppendLe(pending_, row.info.inode);
  AppendLe(pending_, row.info.btime_seconds);
  AppendLe(pending_, row.info.btime_nanos);
  AppendLe(pending_, row.info.mtime_seconds);
  AppendLe(pending_, row.info.mtime_nanos);
  AppendLe(pending_, row.info.ctime_seconds);
  AppendLe(pending_, row.info.ctime_nanos);
  Append(pending_, AsBytes(row.handle));
  Append(pending_, AsBytes(row.path));
  ++rows_;
  return pending_.size() >= kFlushAt ? Flush() : Status();
}

Status CheckoutTableWriter::Finish() {
  WCLAYER_TRY(Flush());
  Buffer header;
  Append(header, AsBytes(kMagic));
  AppendLe(header, kVersion);
  AppendLe(header, rows_);
  WCLAYER_TRY(fs::WriteAt(file_.get(), header, 0));
  io::StreamChecksum sum;
  Buffer piece(kFlushAt);
  for (std::uint64_t at = 0; at < at_;) {
    WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file_.get(), piece, at));
    if (got == 0) return TableDamaged("was cut while it was written");
    sum.Update(Bytes(piece).first(got));
    at += got;
  }
  Buffer end;
  AppendLe(end, sum.Value());
  WCLAYER_TRY(fs::WriteAt(file_.get(), end, at_));
  file_.reset();
  return {};
}

Expected<CheckoutTable> CheckoutTable::Open(const fs::Dir& folder) {
  CheckoutTable table;
  WCLAYER_ASSIGN(const auto file, folder.OpenFile(kCheckoutTable));
  WCLAYER_ASSIGN(const auto info, fs::StatFd(file.get()));
  if (info.type != fs::Type::kFile || info.size < kHeaderBytes + kSumBytes)
    return TableDamaged("is too short");
  constexpr std::uint64_t kMost = std::uint64_t{kMaxEntries} * (kRowBytes + 256);
  if (info.size > kMost) return LimitError("kMaxEntries", kMost, info.size).At(kCheckoutTable);
  table.bytes_.resize(static_cast<std::size_t>(info.size));
  WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file.get(), table.bytes_, 0));
  if (got != table.bytes_.size()) return TableDamaged("is shorter than it was");
  WCLAYER_TRY(table.Index());
  return table;
}

Status CheckoutTable::Index() {
  const Bytes body = Bytes(bytes_).first(bytes_.size() - kSumBytes);
  if (AsText(body.first(kMagic.size())) != kMagic) return TableDamaged("has no magic");
  if (io::Checksum(body) != LoadLe<std::uint64_t>(bytes_.data() + body.size()))
    return TableDamaged("has a wrong checksum");
  if (LoadLe<std::uint32_t>(bytes_.data() + kMagic.size()) != kVersion)
    return Error(Errc::kUnsupported, "the checkout was made by a newer version").At(kCheckoutTable);
  const auto count = LoadLe<std::uint32_t>(bytes_.data() + kRowsAt);
  std::size_t at = kHeaderBytes;
  rows_.reserve(std::min<std::size_t>(count, body.size() / kRowBytes));
  for (std::uint32_t i = 0; i < count; ++i) {
    if (body.size() - at < kRowBytes) return TableDamaged("ends inside a row");
    const std::byte* row = bytes_.data() + at;
    const std::size_t variable = std::size_t{LoadLe<std::uint16_t>(row + kHandleLength)} +
                                 LoadLe<std::uint32_t>(row + kPathLength);
    if (body.size() - at - kRowBytes < variable) return TableDamaged("ends inside a row");
    rows_.emplace(LoadLe<std::uint64_t>(row + kInode), at);
    at += kRowBytes + variable;
  }
  if (at != body.size()) return TableDamaged("has bytes behind its rows");
  return {};
}

CheckoutRow CheckoutTable::RowAt(std::size_t offset) const {
  const std::byte* at = bytes_.data() + offset;
  CheckoutRow row;
  row.origin.layer = LoadLe<std::uint32_t>(at);
  row.origin.ordinal = LoadLe<std::uint32_t>(at + kOrdinal);
  row.info.type = static_cast<fs::Type>(at[kType]);
  row.marked = at[kMarked] != std::byte{0};
  row.info.mode = LoadLe<std::uint32_t>(at + kMode);
  row.info.size = LoadLe<std::uint64_t>(at + kSize);
  row.info.inode = LoadLe<std::uint64_t>(at + kInode);
  row.info.btime_seconds = LoadLe<std::int64_t>(at + kBirth);
  row.info.btime_nanos = LoadLe<std::uint32_t>(at + kBirth + 8);
  row.info.mtime_seconds = LoadLe<std::int64_t>(at + kModified);
  row.info.mtime_nanos = LoadLe<std::uint32_t>(at + kModified + 8);
  row.info.ctime_seconds = LoadLe<std::int64_t>(at + kChanged);
  row.info.ctime_nanos = LoadLe<std::uint32_t>(at + kChanged + 8);
  const Bytes rest = Bytes(bytes_).subspan(offset + kRowBytes);
  const std::size_t handle = LoadLe<std::uint16_t>(at + kHandleLength);
  row.handle = AsText(rest.first(handle));
  row.path = AsText(rest.subspan(handle, LoadLe<std::uint32_t>(at + kPathLength)));
  return row;
}

bool CheckoutRow::BornWith(const fs::Info& other) const {
  return info.inode == other.inode && info.btime_seconds == other.btime_seconds &&
         info.btime_nanos == other.btime_nanos;
}

bool CheckoutRow::Untouched(const fs::Info& other) const {
  return info.size == other.size && info.mode == other.mode &&
         info.mtime_seconds == other.mtime_seconds && info.mtime_nanos == other.mtime_nanos &&
         info.ctime_seconds == other.ctime_seconds && info.ctime_nanos == other.ctime_nanos;
}

}  // namespace wclayer::portable
