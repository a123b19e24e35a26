#include "layer/entry_metadata.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "backup/ea.h"
#include "backup/reparse.h"
#include "backup/security.h"
#include "backup/stream.h"
#include "base/limits.h"
#include "base/utf16.h"
#include "layer/base64.h"
#include "layer/names.h"
#include "layer/vendor_records.h"
#include "tar/writer.h"

namespace wclayer::layer {
namespace {

using backup::StreamId;

constexpr std::uint32_t kModeTypeMask = 0170000;
constexpr std::uint32_t kModeDirectory = 0040000;
constexpr std::uint32_t kModeDirectoryLink = 0160000;

// Of descriptors that are kept: how many, and the longest text. The system's have some 200 bytes.
constexpr std::size_t kMostKept = 1024;
constexpr std::size_t kMostKeptText = 1024;

Error BadRecord(std::string_view key, std::string_view why) {
  return Error(Errc::kBadArchive, "PAX record " + std::string(key) + ": " + std::string(why));
}

Expected<Buffer> Decode(std::string_view key, std::string_view text) {
  auto bytes = ParseBase64(text);
  if (!bytes) return BadRecord(key, bytes.error().message);
  return bytes;
}

template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status AppendStream(Buffer& head, StreamId id, Bytes data) {
  backup::StreamHeader header;
  header.id = id;
  header.size = data.size();
  backup::AppendHeader(head, header);
  Append(head, data);
  return {};
}

// ---- times

Status SetTime(Item& item, Time which, UnixTime time) {
  if (FiletimeOfUnix(time, item.times[which], item.time_remainder[which])) return {};
  return Error(Errc::kBadArchive,
               "the time " + tar::FormatTime(time) + " is beyond what Windows can hold");
}

// docker 1.11 wrote FILETIMEs beside the header's whole seconds; the reference ignores what it
// cannot read, and so do we.
std::optional<std::int64_t> OldTime(const tar::Entry& entry, std::string_view key) {
  const std::string* text = FindRecord(entry, key);
  return text == nullptr ? std::nullopt : ParseNumber<std::int64_t>(*text);
}

void SetFiletime(Item& item, Time which, std::int64_t filetime) {
  item.times[which] = filetime;
  item.time_remainder[which] = 0;
}

void SetOldOrAbsent(const tar::Entry& entry, std::string_view key, Time which, Item& item) {
  if (const auto old = OldTime(entry, key)) {
    SetFiletime(item, which, *old);
    return;
  }
  SetFiletime(item, which, item.times[kWrite]);
  item.time_absent = static_cast<std::uint8_t>(item.time_absent | 1u << which);
}

Status SetTimes(const tar::Entry& entry, Item& item) {
  item.time_absent = 0;
  WCLAYER_TRY(SetTime(item, kWrite, entry.mtime));
  const auto old = OldTime(entry, kRecordOldWriteTime);
  if (old && entry.mtime.nanos == 0 && UnixOfFiletime(*old).seconds == entry.mtime.seconds) {
    SetFiletime(item, kWrite, *old);
  }
  const auto set = [&](const std::optional<UnixTime>& time, Time which,
                       std::string_view old_key) -> Status {
    if (time) return SetTime(item, which, *time);
    SetOldOrAbsent(entry, old_key, which, item);
    return {};
  };
  WCLAYER_TRY(set(entry.atime, kAccess, kRecordOldAccessTime));
  WCLAYER_TRY(set(entry.ctime, kChange, kRecordOldChangeTime));
  std::optional<UnixTime> creation;
  if (const std::string* text = FindRecord(entry, kRecordCreationTime); text && !text->empty()) {
    auto parsed = tar::ParseTime(*text);
    if (!parsed) return BadRecord(kRecordCreationTime, parsed.error().message);
    creation = *parsed;
  }
  return set(creation, kCreation, kRecordOldCreationTime);
}

// ---- attributes

Status SetAttributes(const tar::Entry& entry, Item& item) {
  const std::string* text = FindRecord(entry, kRecordAttributes);
  item.attributes = 0;
  if (text != nullptr) {
    const auto given = ParseNumber<std::uint32_t>(*text);
    if (!given) return BadRecord(kRecordAttributes, "not a decimal number of 32 bits");
    item.attributes = *given;
  } else if (entry.sparse) {
    item.attributes = kAttributeSparseFile;
  }
  switch (entry.type) {
    case '5':
      item.attributes |= kAttributeDirectory;
      break;
    case '2': {
      item.attributes |= kAttributeReparsePoint;
      const std::uint32_t type = entry.mode & kModeTypeMask;
      if (text == nullptr && (type == kModeDirectory || type == kModeDirectoryLink)) {
        item.attributes |= kAttributeDirectory;
      }
      break;
    }
    default:
      item.attributes &= ~kAttributeDirectory;
  }
  return {};
}

// ---- streams

Status ApplyEaFlags(std::string_view text, std::vector<backup::ExtendedAttribute>& attributes) {
  WCLAYER_ASSIGN(const Buffer flags, Decode(kRecordEaFlags, text));
  for (std::size_t at = 0; at < flags.size();) {
    if (flags.size() - at < 2) return BadRecord(kRecordEaFlags, "cut short");
    const auto flag = static_cast<std::uint8_t>(flags[at]);
    const auto length = static_cast<std::size_t>(flags[at + 1]);
    at += 2;
    if (flags.size() - at < length) return BadRecord(kRecordEaFlags, "cut short");
    const std::string_view name = AsText(Bytes(flags).subspan(at, length));
    at += length;
    const auto named = std::find_if(attributes.begin(), attributes.end(),
                                    [&](const auto& attribute) { return attribute.name == name; });
    if (named == attributes.end()) {
      return BadRecord(kRecordEaFlags, "an attribute that the entry does not have");
    }
    named->flags = flag;
  }
  return {};
}

Status AppendEas(const tar::Entry& entry, Buffer& head) {
  if (const std::string* text = FindRecord(entry, kRecordEas)) {
    WCLAYER_ASSIGN(const Buffer list, Decode(kRecordEas, *text));
    const auto attributes = backup::ParseEas(list);
    if (!attributes) return BadRecord(kRecordEas, attributes.error().message);
    if (attributes->empty()) return BadRecord(kRecordEas, "an empty list");
    return AppendStream(head, StreamId::kEaData, list);
  }
  std::vector<backup::ExtendedAttribute> attributes;
  std::size_t total = 0;
  for (const auto& [key, value] : entry.pax) {
    if (!key.starts_with(kRecordEaPrefix)) continue;
    backup::ExtendedAttribute attribute;
    attribute.name = key.substr(kRecordEaPrefix.size());
    WCLAYER_ASSIGN(attribute.value, Decode(key, value));
    total += attribute.name.size() + attribute.value.size();
    if (total > kMaxEaBytes) return LimitError("kMaxEaBytes", kMaxEaBytes, total);
    attributes.push_back(std::move(attribute));
  }
  const std::string* flags = FindRecord(entry, kRecordEaFlags);
  if (flags != nullptr) WCLAYER_TRY(ApplyEaFlags(*flags, attributes));
  if (attributes.empty()) return {};
  WCLAYER_ASSIGN(const Buffer list, backup::BuildEas(attributes));
  return AppendStream(head, StreamId::kEaData, list);
}

Expected<Buffer> ReparseOfLink(const tar::Entry& entry) {
  auto target = ToUtf16(entry.link_name);
  if (!target) return Error(Errc::kBadArchive, "the link's target is not UTF-8");
  std::replace(target->begin(), target->end(), u'/', u'\\');
  const bool mount_point = FindRecord(entry, kRecordMountPoint) != nullptr;
  Buffer buffer = backup::BuildReparse(*target, mount_point);
  if (buffer.size() > kMaxReparseBytes) {
    return LimitError("kMaxReparseBytes", kMaxReparseBytes, buffer.size());
  }
  return buffer;
}

// A buffer that is given whole must say the same as the entry that everybody else reads.
Status CheckGivenReparse(const tar::Entry& entry, Bytes buffer) {
  auto parsed = backup::ParseReparse(buffer);
  if (!parsed) return BadRecord(kRecordReparse, parsed.error().message);
  const backup::ReparsePoint& point = *parsed;
  const bool link = point.tag == backup::kTagSymlink || point.tag == backup::kTagMountPoint;
  if (link != (entry.type == '2')) {
    return BadRecord(kRecordReparse, "it does not fit the type of the entry");
  }
  if (!link) return {};
  const bool mount_point = FindRecord(entry, kRecordMountPoint) != nullptr;
  if (mount_point != (point.tag == backup::kTagMountPoint) ||
      ToUtf8(point.target) != entry.link_name) {
    return BadRecord(kRecordReparse, "it leads to another target than the entry");
  }
  return {};
}

Status AppendReparse(const tar::Entry& entry, Item& item, Buffer& head) {
  item.reparse_tag = 0;
  const std::string* text = FindRecord(entry, kRecordReparse);
  if (text == nullptr && entry.type != '2') return {};
  Buffer buffer;
  if (text != nullptr) {
    WCLAYER_ASSIGN(buffer, Decode(kRecordReparse, *text));
    WCLAYER_TRY(CheckGivenReparse(entry, buffer));
  } else {
    WCLAYER_ASSIGN(buffer, ReparseOfLink(entry));
  }
  item.reparse_tag = backup::ReparseTag(buffer);
  return AppendStream(head, StreamId::kReparse, buffer);
}

Status SetShortName(const tar::Entry& entry, Item& item) {
  item.short_name.clear();
  const std::string* text = FindRecord(entry, kRecordShortName);
  if (text == nullptr) return {};
  WCLAYER_ASSIGN(const Buffer name, Decode(kRecordShortName, *text));
  if (name.size() % 2 != 0 || name.size() > 2 * kMaxShortNameUnits) {
    return BadRecord(kRecordShortName, "not an 8.3 name");
  }
  item.short_name.resize(name.size() / 2);
  std::memcpy(item.short_name.data(), name.data(), name.size());
  const std::string plain = ToUtf8(item.short_name);
  if (plain.find('/') != std::string::npos || !CheckWindowsPath(plain)) {
    return BadRecord(kRecordShortName, "not an 8.3 name");
  }
  return {};
}

// Streams of our records that have a number instead of a name.
bool IsNumberedStream(StreamId id) {
  return id == StreamId::kLink || id == StreamId::kProperty || id == StreamId::kTxfs ||
         static_cast<std::uint32_t>(id) >= static_cast<std::uint32_t>(StreamId::kGhosted);
}

Status AppendSmallStreams(const tar::Entry& entry, Buffer& head) {
  const auto append = [&](StreamId id, std::string_view key, std::string_view text) -> Status {
    WCLAYER_ASSIGN(const Buffer data, Decode(key, text));
    if (data.size() > kMaxStreamNameBytes) {
      return LimitError("kMaxStreamNameBytes", kMaxStreamNameBytes, data.size());
    }
    return AppendStream(head, id, data);
  };
  if (const std::string* text = FindRecord(entry, kRecordObjectId)) {
    WCLAYER_TRY(append(StreamId::kObjectId, kRecordObjectId, *text));
  }
  for (const auto& [key, value] : entry.pax) {
    if (!key.starts_with(kRecordStreamPrefix)) continue;
    const auto number =
        ParseNumber<std::uint32_t>(std::string_view(key).substr(kRecordStreamPrefix.size()));
    if (!number || !IsNumberedStream(static_cast<StreamId>(*number))) {
      return BadRecord(key, "not a stream that a record can hold");
    }
    WCLAYER_TRY(append(static_cast<StreamId>(*number), key, value));
  }
  return {};
}

}  // namespace

const std::string* FindRecord(const tar::Entry& entry, std::string_view key) {
  const auto found = std::lower_bound(
      entry.pax.begin(), entry.pax.end(), key,
      [](const auto& record, std::string_view wanted) { return record.first < wanted; });
  return found != entry.pax.end() && found->first == key ? &found->second : nullptr;
}

Status MetadataReader::ReadSecurity(const tar::Entry& entry, Buffer& head) {
  const std::string* raw = FindRecord(entry, kRecordRawSecurity);
  const std::string* text = raw != nullptr ? raw : FindRecord(entry, kRecordSddl);
  if (text == nullptr || text->empty()) return {};
  if (raw == nullptr) {
    auto descriptor = backup::FromSddl(*text);
    if (!descriptor) return BadRecord(kRecordSddl, descriptor.error().message);
    return AppendStream(head, StreamId::kSecurity, *descriptor);
  }
  if (const auto known = descriptors_.find(*text); known != descriptors_.end())
    return AppendStream(head, StreamId::kSecurity, known->second);
  WCLAYER_ASSIGN(Buffer descriptor, Decode(kRecordRawSecurity, *text));
  if (descriptor.size() > kMaxSecurityDescriptorBytes) {
    return LimitError("kMaxSecurityDescriptorBytes", kMaxSecurityDescriptorBytes,
                      descriptor.size());
  }
  if (auto checked = backup::CheckSecurityDescriptor(descriptor); !checked) {
    return BadRecord(kRecordRawSecurity, checked.error().message);
  }
  WCLAYER_TRY(AppendStream(head, StreamId::kSecurity, descriptor));
  if (text->size() > kMostKeptText) return {};
  if (descriptors_.size() == kMostKept) descriptors_.clear();
  descriptors_.emplace(*text, std::move(descriptor));
  return {};
}

Status MetadataReader::Read(const tar::Entry& entry, Item& item, Buffer& head) {
  WCLAYER_TRY(SetTimes(entry, item));
  WCLAYER_TRY(SetAttributes(entry, item));
  item.short_name.clear();
  item.reparse_tag = 0;
  if (entry.type == '1') return {};  // a further name of a file that has all the rest
  WCLAYER_TRY(SetShortName(entry, item));
  WCLAYER_TRY(ReadSecurity(entry, head));
  WCLAYER_TRY(AppendEas(entry, head));
  WCLAYER_TRY(AppendReparse(entry, item, head));
  return AppendSmallStreams(entry, head);
}

}  // namespace wclayer::layer
