#include "layer/entry_header.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "backup/ea.h"
#include "backup/reparse.h"
#include "base/utf16.h"
#include "layer/base64.h"
#include "layer/names.h"
#include "layer/vendor_records.h"

namespace wclayer::layer {
namespace {

constexpr std::uint32_t kModeFile = 0100000;
constexpr std::uint32_t kModeFolder = 0040000;
constexpr std::uint32_t kModeLink = 0120000;
constexpr std::uint32_t kModeHardLink = 0644;

using Attributes = std::vector<backup::ExtendedAttribute>;

void AddBase64(tar::Header& header, std::string key, Bytes value) {
  std::string text;
  AppendBase64(text, value);
  header.pax.emplace_back(std::move(key), std::move(text));
}

// ---- times

UnixTime TimeOf(const Item& item, Time which, WriterMode mode) {
  if (mode == WriterMode::kReference) return WrappedUnixOfFiletime(item.times[which]);
  UnixTime time = UnixOfFiletime(item.times[which]);
  time.nanos += item.time_remainder[which];
  return time;
}

// A time that the tar it came from did not give is not given here.
bool IsGiven(const Item& item, Time which, WriterMode mode) {
  return mode == WriterMode::kReference || (item.time_absent >> which & 1) == 0;
}

void AddTimes(const Item& item, WriterMode mode, tar::Header& header) {
  header.mtime = TimeOf(item, kWrite, mode);
  if (IsGiven(item, kAccess, mode)) header.atime = TimeOf(item, kAccess, mode);
  if (IsGiven(item, kChange, mode)) header.ctime = TimeOf(item, kChange, mode);
}

void AddBasicRecords(const Item& item, WriterMode mode, tar::Header& header) {
  AddTimes(item, mode, header);
  header.pax.emplace_back(kRecordAttributes, std::to_string(item.attributes));
  if (!IsGiven(item, kCreation, mode)) return;
  header.pax.emplace_back(kRecordCreationTime, tar::FormatTime(TimeOf(item, kCreation, mode)));
}

// ---- extended attributes

// Whether each attribute can be a record of its own.
bool FitRecords(const Attributes& sorted) {
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const std::string& name = sorted[i].name;
    if (name.find('=') != std::string::npos || name.find('\0') != std::string::npos) return false;
    if (i != 0 && sorted[i - 1].name == name) return false;
  }
  return true;
}

Status AddEas(Bytes list, WriterMode mode, tar::Header& header) {
  WCLAYER_ASSIGN(Attributes attributes, backup::ParseEas(list));
  std::stable_sort(attributes.begin(), attributes.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  if (mode == WriterMode::kStore && !FitRecords(attributes)) {
    AddBase64(header, std::string(kRecordEas), list);
    return {};
  }
  Buffer flags;
  for (const backup::ExtendedAttribute& attribute : attributes) {
    AddBase64(header, std::string(kRecordEaPrefix) + attribute.name, attribute.value);
    if (attribute.flags == 0) continue;
    flags.push_back(static_cast<std::byte>(attribute.flags));
    flags.push_back(static_cast<std::byte>(attribute.name.size()));
    Append(flags, AsBytes(attribute.name));
  }
  if (mode == WriterMode::kStore && !flags.empty()) {
    AddBase64(header, std::string(kRecordEaFlags), flags);
  }
  return {};
}

// ---- reparse points

Error UnsupportedTag(std::uint32_t tag) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%08X", tag);
  return Error(Errc::kUnsupported, std::string("unsupported reparse point ") + text.data());
}

// The buffer that an importer makes of the header's link name.
bool IsRebuilt(const backup::ReparsePoint& point, Bytes buffer) {
  std::u16string target = point.target;
  std::replace(target.begin(), target.end(), u'/', u'\\');
  const Buffer built = backup::BuildReparse(target, point.tag == backup::kTagMountPoint);
  return std::equal(built.begin(), built.end(), buffer.begin(), buffer.end());
}

Status AddReparse(Bytes buffer, WriterMode mode, tar::Header& header) {
  const std::uint32_t tag = backup::ReparseTag(buffer);
  if (tag != backup::kTagSymlink && tag != backup::kTagMountPoint) {
    if (mode == WriterMode::kReference) return UnsupportedTag(tag);
    AddBase64(header, std::string(kRecordReparse), buffer);
    return {};
  }
  WCLAYER_ASSIGN(const backup::ReparsePoint point, backup::ParseReparse(buffer));
  header.mode |= kModeLink;
  header.type = '2';
  header.link_name = ToUtf8(point.target);
  if (tag == backup::kTagMountPoint) header.pax.emplace_back(kRecordMountPoint, "1");
  if (mode == WriterMode::kStore && !IsRebuilt(point, buffer)) {
    AddBase64(header, std::string(kRecordReparse), buffer);
  }
  return {};
}

}  // namespace

void FileMetadata::Clear() {
  security.clear();
  eas.clear();
  reparse.clear();
  object_id.clear();
  others.clear();
}

tar::Header WhiteoutHeader(const Item& item) {
  tar::Header header;
  header.format = tar::Format::kAuto;
  if (item.opaque) {
    header.name = item.path + "/" + std::string(kOpaqueMarker);
  } else {
    header.name = item.path;
    header.name.insert(header.name.size() - BaseOf(item.path).size(), kWhiteoutPrefix);
  }
  return header;
}

tar::Header HardLinkHeader(const Item& item, WriterMode mode) {
  tar::Header header;
  header.type = '1';
  header.name = item.path;
  header.link_name = item.link_target;
  header.mode = kModeHardLink;
  AddBasicRecords(item, mode, header);
  return header;
}

Expected<tar::Header> MainHeader(const Item& item, const FileMetadata& metadata, bool has_data,
                                 WriterMode mode) {
  tar::Header header;
  header.name = item.path;
  header.type = item.directory() ? '5' : '0';
  header.mode = (item.directory() ? kModeFolder : 0) | (has_data ? kModeFile : 0);
  header.size = item.directory() ? 0 : item.size;
  AddBasicRecords(item, mode, header);
  if (!metadata.security.empty()) {
    AddBase64(header, std::string(kRecordRawSecurity), metadata.security);
  }
  if (!metadata.eas.empty()) WCLAYER_TRY(AddEas(metadata.eas, mode, header));
  if (!metadata.reparse.empty()) WCLAYER_TRY(AddReparse(metadata.reparse, mode, header));
  if (mode == WriterMode::kReference) return header;
  if (!metadata.object_id.empty()) {
    AddBase64(header, std::string(kRecordObjectId), metadata.object_id);
  }
  for (const auto& [id, data] : metadata.others) {
    AddBase64(header, std::string(kRecordStreamPrefix) + std::to_string(id), data);
  }
  if (!item.short_name.empty()) {
    AddBase64(header, std::string(kRecordShortName), std::as_bytes(std::span(item.short_name)));
  }
  return header;
}

tar::Header StreamHeader(const tar::Header& main, std::string_view stream, std::uint64_t size) {
  tar::Header header;
  header.name = main.name;
  header.name.append(":").append(stream);
  // The reference repeats the file's mode; it writes none of those that have no DATA stream.
  header.mode = (main.mode & kModeFile) != 0 ? main.mode : kModeFile;
  header.size = size;
  header.mtime = main.mtime;
  header.atime = main.atime;
  header.ctime = main.ctime;
  return header;
}

}  // namespace wclayer::layer
