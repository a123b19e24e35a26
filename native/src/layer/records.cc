#include "layer/records.h"

#include <algorithm>
#include <charconv>

#include "backup/ea.h"
#include "backup/reparse.h"
#include "backup/security.h"
#include "backup/stream.h"
#include "base/filetime.h"
#include "base/limits.h"
#include "base/utf16.h"
#include "layer/base64.h"

namespace wclayer::layer {
namespace {

constexpr std::string_view kFileAttributes = "MSWINDOWS.fileattr";
constexpr std::string_view kRawSecurity = "MSWINDOWS.rawsd";
constexpr std::string_view kTextSecurity = "MSWINDOWS.sd";
constexpr std::string_view kMountPoint = "MSWINDOWS.mountpoint";
constexpr std::string_view kEaPrefix = "MSWINDOWS.xattr.";
constexpr std::string_view kCreationTime = "LIBARCHIVE.creationtime";
constexpr std::string_view kObjectId = "WCLAYER.objectid";
constexpr std::string_view kReparse = "WCLAYER.reparse";
constexpr std::string_view kEaFlags = "WCLAYER.eaflags";
// docker 1.11 wrote FILETIMEs of its own.
constexpr std::string_view kOldTimes[4] = {"MSWINDOWS.createtime", "MSWINDOWS.accesstime",
                                           "MSWINDOWS.writetime", "MSWINDOWS.changetime"};

constexpr std::uint32_t kAttributeDirectory = 0x10;
constexpr std::uint32_t kAttributeReparse = 0x400;

Error Bad(std::string_view key, const std::string& why) {
  return Error(Errc::kBadArchive, "the record " + std::string(key) + " is " + why);
}

template <class T>
bool ParseNumber(std::string_view text, T& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size();
}

Status SetTime(Item& item, Time which, UnixTime time) {
  if (!FiletimeOfUnix(time, item.times[which], item.time_remainder[which])) {
    return Error(Errc::kBadArchive,
                 "the time " + tar::FormatTime(time) + " is beyond what Windows can hold");
  }
  return {};
}

Status ReadTimes(const tar::Entry& entry, Item& item) {
  WCLAYER_TRY(SetTime(item, kWrite, entry.mtime));
  const std::string* old[4] = {};
  const std::string* creation = nullptr;
  for (const auto& [key, value] : entry.pax) {
    if (key == kCreationTime) creation = &value;
    for (int i = 0; i < 4; ++i) {
      if (key == kOldTimes[i]) old[i] = &value;
    }
  }
  const auto absent = [&](Time which) -> Status {
    if (old[which] != nullptr) {
      if (!ParseNumber(*old[which], item.times[which])) return Bad(kOldTimes[which], "no number");
      return {};
    }
    item.times[which] = item.times[kWrite];
    item.time_remainder[which] = item.time_remainder[kWrite];
    item.time_absent = static_cast<std::uint8_t>(item.time_absent | 1u << which);
    return {};
  };
  WCLAYER_TRY(entry.atime ? SetTime(item, kAccess, *entry.atime) : absent(kAccess));
  WCLAYER_TRY(entry.ctime ? SetTime(item, kChange, *entry.ctime) : absent(kChange));
  if (creation == nullptr) return absent(kCreation);
  auto time = tar::ParseTime(*creation);
  if (!time) return Bad(kCreationTime, "no time: '" + creation->substr(0, 40) + "'");
  return SetTime(item, kCreation, *time);
}

Expected<Buffer> ReadEas(const tar::Entry& entry) {
  std::vector<backup::ExtendedAttribute> eas;
  Buffer flags;
  for (const auto& [key, value] : entry.pax) {
    if (key == kEaFlags) {
      WCLAYER_ASSIGN(flags, ParseBase64(value));
      continue;
    }
    if (!key.starts_with(kEaPrefix)) continue;
    auto raw = ParseBase64(value);
    if (!raw) return Bad(key, "not base64");
    eas.push_back({key.substr(kEaPrefix.size()), *std::move(raw), 0});
  }
  if (eas.empty()) return Buffer();
  if (!flags.empty()) {
    if (flags.size() != eas.size())
      return Bad(kEaFlags, "not one byte for each extended attribute");
    for (std::size_t i = 0; i < eas.size(); ++i) eas[i].flags = static_cast<std::uint8_t>(flags[i]);
  }
  return backup::BuildEas(eas);
}

}  // namespace

Status ReadRecords(const tar::Entry& entry, Item& item, FileMetadata& metadata,
                   std::string& warning) {
  metadata = {};
  WCLAYER_TRY(ReadTimes(entry, item));
  const bool link = entry.type == '2';
  bool mount_point = false;
  bool attributes_given = false;
  const std::string* text_security = nullptr;
  for (const auto& [key, value] : entry.pax) {
    if (key == kFileAttributes) {
      if (!ParseNumber(value, item.attributes))
        return Bad(key, "no 32-bit number: '" + value.substr(0, 40) + "'");
      attributes_given = true;
    } else if (key == kRawSecurity) {
      auto raw = ParseBase64(value);
      if (!raw) return Bad(key, "not base64");
      metadata.security = *std::move(raw);
      if (auto good = backup::CheckSecurityDescriptor(metadata.security); !good)
        return Bad(key, "bad: " + good.error().message);
    } else if (key == kTextSecurity) {
      text_security = &value;
    } else if (key == kMountPoint) {
      mount_point = true;  // its presence counts, not its value
    } else if (key == kObjectId) {
      auto raw = ParseBase64(value);
      if (!raw || raw->size() > 1024) return Bad(key, "no base64 of an object id");
      metadata.object_id = *std::move(raw);
    } else if (key == kReparse) {
      auto raw = ParseBase64(value);
      if (!raw) return Bad(key, "not base64");
      metadata.reparse = *std::move(raw);
      auto point = backup::ParseReparse(metadata.reparse);
      if (!point) return Bad(key, "bad: " + point.error().message);
    }
  }
  if (metadata.security.empty() && text_security != nullptr) {
    auto raw = backup::FromSddl(*text_security);
    if (!raw) return Bad(kTextSecurity, "bad: " + raw.error().message);
    metadata.security = *std::move(raw);
  }
  WCLAYER_ASSIGN(metadata.eas, ReadEas(entry));

  if (!attributes_given) {
    item.attributes = entry.type == '5' ? kAttributeDirectory : 0;
    if (link) item.attributes = kAttributeReparse | (mount_point ? kAttributeDirectory : 0);
  }
  if (entry.type == '5') item.attributes |= kAttributeDirectory;
  if (entry.type == '0' && item.directory()) {
    item.attributes &= ~kAttributeDirectory;
    warning = "a file whose attributes say folder; stored as the file it is";
  }
  if (link && metadata.reparse.empty()) {
    // Windows separates with backslashes; a tar made elsewhere may not (spec layer-formats §c.7).
    auto target = ToUtf16(entry.link_name);
    if (!target) return Error(Errc::kBadArchive, "a link's target is not UTF-8");
    for (char16_t& unit : *target) {
      if (unit == u'/') unit = u'\\';
    }
    if (target->size() > kMaxReparseBytes / 4 - 64) {
      return LimitError("kMaxReparseBytes", kMaxReparseBytes, target->size() * 4);
    }
    metadata.reparse = backup::BuildReparse(*target, mount_point);
  }
  if (!metadata.reparse.empty()) item.reparse_tag = backup::ReparseTag(metadata.reparse);
  return {};
}

void WriteTimes(const Item& item, bool reference, tar::Header& header) {
  const auto time = [&](Time which) {
    if (reference) return WrappedUnixOfFiletime(item.times[which]);
    UnixTime exact = UnixOfFiletime(item.times[which]);
    exact.nanos += item.time_remainder[which];
    return exact;
  };
  header.mtime = time(kWrite);
  header.atime = time(kAccess);
  header.ctime = time(kChange);
}

Status WriteRecords(const Item& item, const FileMetadata& metadata, bool reference,
                    tar::Header& header) {
  WriteTimes(item, reference, header);
  UnixTime creation = reference ? WrappedUnixOfFiletime(item.times[kCreation])
                                : UnixOfFiletime(item.times[kCreation]);
  if (!reference) creation.nanos += item.time_remainder[kCreation];
  header.pax.emplace_back(kCreationTime, tar::FormatTime(creation));
  header.pax.emplace_back(kFileAttributes, std::to_string(item.attributes));
  const auto add = [&](std::string_view key, Bytes value) {
    std::string text;
    AppendBase64(text, value);
    header.pax.emplace_back(key, std::move(text));
  };
  if (!metadata.security.empty()) add(kRawSecurity, metadata.security);
  if (!metadata.eas.empty()) {
    WCLAYER_ASSIGN(std::vector<backup::ExtendedAttribute> eas, backup::ParseEas(metadata.eas));
    std::stable_sort(eas.begin(), eas.end(),
                     [](const auto& a, const auto& b) { return a.name < b.name; });
    Buffer flags;
    bool any_flag = false;
    for (const backup::ExtendedAttribute& ea : eas) {
      add(std::string(kEaPrefix) + ea.name, ea.value);
      flags.push_back(static_cast<std::byte>(ea.flags));
      any_flag = any_flag || ea.flags != 0;
    }
    if (any_flag && !reference) add(kEaFlags, flags);
  }
  if (!metadata.object_id.empty() && !reference) add(kObjectId, metadata.object_id);
  if (metadata.reparse.empty()) return {};
  const std::uint32_t tag = backup::ReparseTag(metadata.reparse);
  if (tag != backup::kTagSymlink && tag != backup::kTagMountPoint) {
    if (reference) return Error(Errc::kUnsupported, "an unsupported reparse point");
    add(kReparse, metadata.reparse);
    return {};
  }
  WCLAYER_ASSIGN(const backup::ReparsePoint point, backup::ParseReparse(metadata.reparse));
  header.link_name = ToUtf8(point.target);
  if (tag == backup::kTagMountPoint) header.pax.emplace_back(kMountPoint, "1");
  // What the target alone would not give back.
  std::u16string slashes = point.target;
  for (char16_t& unit : slashes) {
    if (unit == u'/') unit = u'\\';
  }
  const bool rebuilt =
      backup::BuildReparse(slashes, tag == backup::kTagMountPoint) == metadata.reparse;
  if (!rebuilt && !reference) add(kReparse, metadata.reparse);
  return {};
}

void AppendMetadataStreams(const FileMetadata& metadata, Buffer& stream) {
  const auto add = [&](backup::StreamId id, std::uint32_t attributes, const Buffer& data) {
    if (data.empty()) return;
    backup::AppendHeader(stream, {id, attributes, data.size(), {}});
    Append(stream, data);
  };
  add(backup::StreamId::kSecurity, backup::kAttributeContainsSecurity, metadata.security);
  add(backup::StreamId::kEaData, 0, metadata.eas);
  add(backup::StreamId::kReparse, 0, metadata.reparse);
  add(backup::StreamId::kObjectId, 0, metadata.object_id);
}

}  // namespace wclayer::layer
