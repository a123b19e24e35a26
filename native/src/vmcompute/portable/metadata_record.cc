#include "portable/metadata_record.h"

#include <algorithm>

#include "base/limits.h"
#include "base/utf16.h"
#include "portable/names.h"
#include "vmcompute/abi.h"

namespace wclayer::portable {
namespace {

enum Flag : std::uint16_t {
  kOpaqueFlag = 1,
  kHasDataFlag = 2,
  kSparseFlag = 4,
  kDiskNameFlag = 8,
  kRemaindersFlag = 16,
  kReparseFlag = 32,
  kChecksumFlag = 64,
  kShortNameFlag = 128,
};
enum StreamFlag : std::uint8_t { kAfterData = 1, kExternal = 2 };

void PutVarint(Buffer& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::byte>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::byte>(value));
}

std::uint64_t Zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t Unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

// Times are stored as differences that wrap, so that every pair of values has one.
std::int64_t Minus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t Plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

void PutText(Buffer& out, std::string_view text) {
  PutVarint(out, text.size());
  Append(out, AsBytes(text));
}

// Takes values off the front of a record; after the first one that is not there everything is zero.
class Cursor {
 public:
  Cursor(Bytes bytes, std::uint64_t offset) : bytes_(bytes), offset_(offset) {}

  std::uint64_t Varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) return Fail();
      const auto byte = static_cast<std::uint64_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) return Fail();
      value |= (byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return Fail();
  }
  std::uint32_t Word() {
    const std::uint64_t value = Varint();
    return value > UINT32_MAX ? static_cast<std::uint32_t>(Fail())
                              : static_cast<std::uint32_t>(value);
  }
  template <class T>
  T Fixed() {
    if (bytes_.size() - at_ < sizeof(T)) return static_cast<T>(Fail());
    const T value = LoadLe<T>(bytes_.data() + at_);
    at_ += sizeof(T);
    return value;
  }
  Bytes Take(std::uint64_t size) {
    if (size > bytes_.size() - at_) {
      Fail();
      return {};
    }
    const Bytes taken = bytes_.subspan(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
    return taken;
  }
  std::string_view Text() { return AsText(Take(Varint())); }
  // A count of things that take at least one byte each.
  std::size_t Count(std::size_t limit) {
    const std::uint64_t count = Varint();
    if (count > limit || count > bytes_.size() - at_) return static_cast<std::size_t>(Fail());
    return static_cast<std::size_t>(count);
  }
  std::uint64_t Fail() {
    failed_ = true;
    at_ = bytes_.size();
    return 0;
  }
  bool failed() const { return failed_; }
  bool AtEnd() const { return at_ == bytes_.size(); }
  Error Damaged(std::string_view what) const { return MetadataDamaged(what, offset_ + at_); }

 private:
  Bytes bytes_;
  std::uint64_t offset_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

bool SafeDiskName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxDiskNameBytes && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

std::uint16_t FlagsOf(const Entry& entry, bool disk_differs) {
  unsigned flags = 0;
  if (entry.opaque) flags |= kOpaqueFlag;
  if (entry.has_data_stream) flags |= kHasDataFlag;
  if (entry.sparse) flags |= kSparseFlag;
  if (disk_differs) flags |= kDiskNameFlag;
  if (std::any_of(std::begin(entry.time_remainder), std::end(entry.time_remainder),
                  [](std::uint8_t left) { return left != 0; }))
    flags |= kRemaindersFlag;
  if (entry.Reparse() != nullptr) flags |= kReparseFlag;
  if (entry.has_checksum) flags |= kChecksumFlag;
  if (!entry.short_name.empty()) flags |= kShortNameFlag;
  return static_cast<std::uint16_t>(flags);
}

void PutTimes(Buffer& out, const Entry& entry, std::uint16_t flags) {
  AppendLe(out, entry.times[2]);
  for (const int i : {0, 1, 3}) PutVarint(out, Zigzag(Minus(entry.times[i], entry.times[2])));
  AppendLe(out, entry.time_absent);
  if ((flags & kRemaindersFlag) != 0)
    for (const auto left : entry.time_remainder) AppendLe(out, left);
}

void PutStream(Buffer& out, const StreamRecord& stream) {
  PutVarint(out, static_cast<std::uint32_t>(stream.header.id));
  PutVarint(out, stream.header.attributes);
  PutVarint(out, stream.header.size);
  PutText(out, ToUtf8(stream.header.name));
  AppendLe(out, static_cast<std::uint8_t>((stream.after_data ? kAfterData : 0) |
                                          (stream.external ? kExternal : 0)));
  if (stream.external)
    PutVarint(out, stream.offset);
  else
    Append(out, stream.inline_data);
  AppendLe(out, stream.checksum);
}

Expected<std::vector<DataRange>> TakeRanges(Cursor& cursor, std::uint64_t size) {
  std::vector<DataRange> ranges(cursor.Count(kMaxSparseRanges));
  std::uint64_t at = 0;
  for (auto& range : ranges) {
    const std::uint64_t gap = cursor.Varint();
    const std::uint64_t bytes = cursor.Varint();
    if (cursor.failed() || gap > size - at || bytes > size - at - gap)
      return cursor.Damaged("a sparse range lies outside its file");
    range = {at + gap, bytes};
    at += gap + bytes;
  }
  return ranges;
}

Status TakeStream(Cursor& cursor, StreamRecord& stream) {
  stream.header.id = static_cast<backup::StreamId>(cursor.Word());
  stream.header.attributes = cursor.Word();
  stream.header.size = cursor.Varint();
  auto name = ToUtf16(cursor.Text());
  if (!name) return cursor.Damaged("the name of a stream is not UTF-8");
  stream.header.name = *std::move(name);
  const auto flags = cursor.Fixed<std::uint8_t>();
  stream.after_data = (flags & kAfterData) != 0;
  stream.external = (flags & kExternal) != 0;
  if (stream.external) {
    stream.offset = cursor.Varint();
    if (stream.header.size > kMaxFileBytes || stream.offset > (1ull << 62))
      return cursor.Damaged("a stream is over kMaxFileBytes");
  } else {
    const Bytes data = cursor.Take(stream.header.size);
    stream.inline_data.assign(data.begin(), data.end());
  }
  stream.checksum = cursor.Fixed<std::uint64_t>();
  if (cursor.failed()) return cursor.Damaged("a stream is cut short");
  return {};
}

Expected<Node> TakeHead(Cursor& cursor, std::uint16_t& flags) {
  Node node;
  const auto kind = cursor.Fixed<std::uint8_t>();
  flags = cursor.Fixed<std::uint16_t>();
  const std::uint32_t parent = cursor.Word();
  node.parent = parent == 0 ? kNoOrdinal : parent - 1;
  node.name = cursor.Text();
  node.disk_name = (flags & kDiskNameFlag) != 0 ? std::string(cursor.Text()) : node.name;
  if (cursor.failed() || kind > static_cast<std::uint8_t>(Kind::kTombstone))
    return cursor.Damaged("the head of an entry is malformed");
  if (!CheckComponent(node.name) || !SafeDiskName(node.disk_name))
    return cursor.Damaged("the name of an entry is not one that can be stored");
  node.kind = static_cast<Kind>(kind);
  node.opaque = (flags & kOpaqueFlag) != 0;
  node.reparse = (flags & kReparseFlag) != 0;
  return node;
}

}  // namespace

Error MetadataDamaged(std::string_view what, std::uint64_t offset) {
  return Error(Errc::kLayerDamaged,
               std::string(what) + " (metadata, byte " + std::to_string(offset) + ")");
}

Expected<Buffer> EncodeRecord(const Entry& entry, const RecordLinks& links) {
  const auto name = NameOf(entry.path);
  const auto disk = NameOf(entry.disk_path);
  const bool disk_differs = !disk.empty() && disk != name;
  const std::uint16_t flags = FlagsOf(entry, disk_differs);
  Buffer out;
  out.reserve(96 + name.size() + disk.size());
  AppendLe(out, std::uint32_t{0});
  AppendLe(out, static_cast<std::uint8_t>(entry.kind));
  AppendLe(out, flags);
  PutVarint(out, links.parent == kNoOrdinal ? 0 : std::uint64_t{links.parent} + 1);
  PutText(out, name);
  if (disk_differs) PutText(out, disk);
  if (entry.kind != Kind::kTombstone) {
    PutTimes(out, entry, flags);
    if ((flags & kShortNameFlag) != 0) PutText(out, ToUtf8(entry.short_name));
    PutVarint(out, entry.attributes);
    PutVarint(out, entry.reparse_tag);
    PutVarint(out, links.security_offset);
    PutVarint(out, links.security_bytes);
    PutVarint(out, entry.security_attributes);
    if (entry.kind == Kind::kFile) {
      PutVarint(out, entry.size);
      PutVarint(out, entry.data_attributes);
      AppendLe(out, entry.checksum);
      PutVarint(out, entry.ranges.size());
      std::uint64_t at = 0;
      for (const auto& range : entry.ranges) {
        PutVarint(out, range.offset - at);
        PutVarint(out, range.size);
        at = range.offset + range.size;
      }
    }
    if (entry.kind == Kind::kHardLink) PutVarint(out, links.group);
    PutVarint(out, entry.streams.size());
    for (const auto& stream : entry.streams) PutStream(out, stream);
  }
  if (out.size() > kMaxRecordBytes)
    return LimitError("kMaxRecordBytes", kMaxRecordBytes, out.size()).At(entry.path);
  StoreLe(out.data(), static_cast<std::uint32_t>(out.size()));
  return out;
}

Expected<std::uint32_t> RecordLength(Bytes head, std::uint64_t offset) {
  if (head.size() < sizeof(std::uint32_t)) return MetadataDamaged("an entry is cut short", offset);
  const auto length = LoadLe<std::uint32_t>(head.data());
  if (length < kMinRecordBytes || length > kMaxRecordBytes)
    return MetadataDamaged("the length of an entry is impossible", offset);
  return length;
}

Expected<Node> DecodeHead(Bytes head, std::uint64_t offset) {
  Cursor cursor(head, offset);
  cursor.Fixed<std::uint32_t>();
  std::uint16_t flags = 0;
  return TakeHead(cursor, flags);
}

Status DecodeRecord(Bytes record, std::uint64_t offset, Entry& entry, RecordLinks& links) {
  Cursor cursor(record, offset);
  cursor.Fixed<std::uint32_t>();
  std::uint16_t flags = 0;
  WCLAYER_ASSIGN(Node node, TakeHead(cursor, flags));
  entry = Entry();
  links = RecordLinks();
  links.parent = node.parent;
  entry.kind = node.kind;
  entry.opaque = node.opaque;
  entry.path = std::move(node.name);
  entry.disk_path = std::move(node.disk_name);
  entry.has_data_stream = (flags & kHasDataFlag) != 0;
  entry.sparse = (flags & kSparseFlag) != 0;
  entry.has_checksum = (flags & kChecksumFlag) != 0;
  if (entry.kind != Kind::kTombstone) {
    entry.times[2] = cursor.Fixed<std::int64_t>();
    for (const int i : {0, 1, 3}) entry.times[i] = Plus(Unzigzag(cursor.Varint()), entry.times[2]);
    entry.time_absent = cursor.Fixed<std::uint8_t>();
    if ((flags & kRemaindersFlag) != 0)
      for (auto& left : entry.time_remainder) left = cursor.Fixed<std::uint8_t>();
    if ((flags & kShortNameFlag) != 0) {
      auto short_name = ToUtf16(cursor.Text());
      if (!short_name || short_name->size() > kMaxShortNameUnits)
        return cursor.Damaged("a short name is malformed");
      entry.short_name = *std::move(short_name);
    }
    entry.attributes = cursor.Word();
    entry.reparse_tag = cursor.Word();
    links.security_offset = cursor.Varint();
    links.security_bytes = cursor.Word();
    entry.security_attributes = cursor.Word();
    if (links.security_bytes > kMaxSecurityDescriptorBytes)
      return cursor.Damaged("a security descriptor is over kMaxSecurityDescriptorBytes");
    if (entry.kind == Kind::kFile) {
      entry.size = cursor.Varint();
      entry.data_attributes = cursor.Word();
      entry.checksum = cursor.Fixed<std::uint64_t>();
      if (entry.size > kMaxFileBytes) return cursor.Damaged("a file is over kMaxFileBytes");
      WCLAYER_ASSIGN(entry.ranges, TakeRanges(cursor, entry.size));
    }
    if (entry.kind == Kind::kHardLink) links.group = cursor.Word();
    entry.streams.resize(cursor.Count(kMaxStreamsPerFile));
    for (auto& stream : entry.streams) WCLAYER_TRY(TakeStream(cursor, stream));
  }
  if (cursor.failed() || !cursor.AtEnd()) return cursor.Damaged("an entry is malformed");
  return {};
}

}  // namespace wclayer::portable
