#include "driver/items.h"

#include <algorithm>
#include <limits>

#include "base/quietly.h"
#include "base/utf16.h"

namespace wclayer {

using vmcompute::FileBasicInfo;
using vmcompute::Hresult;

void ToTableName(std::string_view path, std::u16string& name) {
  name.clear();
  name.push_back(u'\\');
  if (IsAscii(path)) {
    name.append(path.begin(), path.end());
  } else {
    name += WideText(path);
  }
  std::replace(name.begin(), name.end(), u'/', u'\\');
}

std::string FromTableName(std::u16string_view name) {
  if (!name.empty() && name.front() == u'\\') name.remove_prefix(1);
  std::string path = ToUtf8(name);
  std::replace(path.begin(), path.end(), '\\', '/');
  return path;
}

Expected<std::unique_ptr<TableImport>> TableImport::Begin(const Platform& platform,
                                                          const std::string& id,
                                                          const Descriptors& parents,
                                                          bool replace) {
  std::unique_ptr<TableImport> import(new TableImport(platform, id));
  if (replace) {
    const auto name = platform.NameOf(id);
    WCLAYER_TRY(platform.Check(
        platform.extensions()->ImportLayerReplace(name->driver(), name->layer(), parents.data(),
                                                  parents.size(), &import->context_),
        "ImportLayerReplace", id));
    return import;
  }
  WCLAYER_ASSIGN(import->context_, import->calls_.BeginImport(parents));
  return import;
}

TableImport::~TableImport() {
  if (context_ == nullptr) return;
  platform_->extensions()->ImportLayerAbort(context_);
}

Expected<std::uint64_t> TableImport::Begin(const layer::Item& item) {
  ToTableName(item.path, name_);
  FileBasicInfo info;
  info.creation_time = item.times[layer::kCreation];
  info.last_access_time = item.times[layer::kAccess];
  info.last_write_time = item.times[layer::kWrite];
  info.change_time = item.times[layer::kChange];
  info.attributes = item.attributes;
  const FileBasicInfo* given = item.deleted ? nullptr : &info;

  vmcompute::EntryExtra extra;
  extra.time_absent = item.time_absent;
  std::copy(std::begin(item.time_remainder), std::end(item.time_remainder), extra.time_remainder);
  extra.opaque = item.opaque;
  if (!item.short_name.empty()) extra.short_name = item.short_name.c_str();
  if (!item.link_target.empty()) {
    ToTableName(item.link_target, target_);
    extra.link_target = target_.c_str();
  }
  std::uint64_t ordinal = 0;
  const Hresult hr =
      platform_->extensions()->ImportLayerEntry(context_, name_.c_str(), given, &extra, &ordinal);
  if (auto status = platform_->Check(hr, "ImportLayerEntry", id_); !status) {
    return std::move(status).error().At(item.path);
  }
  return ordinal;
}

Status TableImport::Write(Bytes stream) {
  return calls_.ImportWrite(context_, stream);
}

Expected<std::size_t> TableImport::ReadBack(std::uint64_t ordinal, std::uint32_t stream,
                                            std::uint64_t offset, MutableBytes buffer) {
  std::uint32_t read = 0;
  const auto length = static_cast<std::uint32_t>(
      std::min<std::size_t>(buffer.size(), std::numeric_limits<std::uint32_t>::max()));
  WCLAYER_TRY(platform_->Check(platform_->extensions()->ImportLayerReadBack(
                                   context_, ordinal, stream, offset,
                                   reinterpret_cast<std::uint8_t*>(buffer.data()), length, &read),
                               "ImportLayerReadBack", id_));
  return static_cast<std::size_t>(read);
}

Expected<std::uint64_t> TableImport::Checksum() {
  std::uint64_t checksum = 0;
  WCLAYER_TRY(platform_->Check(platform_->extensions()->ImportLayerChecksum(context_, &checksum),
                               "ImportLayerChecksum", id_));
  return checksum;
}

Status TableImport::Defer() {
  return platform_->Check(platform_->extensions()->ImportLayerDefer(context_), "ImportLayerDefer",
                          id_);
}

Status TableImport::Seal() {
  return platform_->Check(platform_->extensions()->ImportLayerSeal(context_), "ImportLayerSeal",
                          id_);
}

Status TableImport::RunSealed() {
  return platform_->Check(platform_->extensions()->ImportLayerRunSealed(context_),
                          "ImportLayerRunSealed", id_);
}

Expected<std::string> TableImport::Folder() {
  vmcompute::Utf16 folder = nullptr;
  WCLAYER_TRY(platform_->Check(platform_->extensions()->ImportLayerFolder(context_, &folder),
                               "ImportLayerFolder", id_));
  return ToUtf8(folder);
}

Status TableImport::End() {
  if (!platform_->direct()) return calls_.ImportEnd(std::exchange(context_, nullptr));
  // Straight: whoever needed memory on the way would lose the context when there is none.
  return platform_->Check(platform_->table().ImportLayerEnd(std::exchange(context_, nullptr)),
                          "vmcompute!ImportLayerEnd", id_);
}

Expected<std::unique_ptr<TableExport>> TableExport::Begin(const Platform& platform,
                                                          const std::string& id,
                                                          const Descriptors& against) {
  std::unique_ptr<TableExport> source(new TableExport(platform, id));
  WCLAYER_ASSIGN(source->context_, source->calls_.BeginExport(against));
  return source;
}

TableExport::~TableExport() {
  if (context_ == nullptr) return;
  if (platform_->extensions() != nullptr) {
    platform_->extensions()->ExportLayerAbort(context_);
  } else {
    Quietly([this] { return calls_.ExportEnd(context_); });  // complains about what was left unread
  }
}

Status TableExport::Fill(layer::Item& item, std::u16string_view name, const FileBasicInfo& info,
                         std::int64_t size, bool deleted) {
  item.path = FromTableName(name);
  item.deleted = deleted;
  item.opaque = false;
  item.link_target.clear();
  item.short_name.clear();
  item.times[layer::kCreation] = info.creation_time;
  item.times[layer::kAccess] = info.last_access_time;
  item.times[layer::kWrite] = info.last_write_time;
  item.times[layer::kChange] = info.change_time;
  item.attributes = info.attributes;
  item.size = size < 0 ? 0 : static_cast<std::uint64_t>(size);
  item.time_absent = 0;
  item.has_data_stream = true;
  item.reparse_tag = 0;
  item.has_checksum = false;
  current_ = item.path;
  deleted_ = deleted;
  if (platform_->extensions() == nullptr) return {};
  description_ = {};
  WCLAYER_TRY(
      platform_->Check(platform_->extensions()->ExportLayerDescribe(context_, &description_),
                       "ExportLayerDescribe", id_));
  const vmcompute::EntryExtra& extra = description_.extra;
  item.opaque = extra.opaque;
  item.time_absent = extra.time_absent;
  std::copy(std::begin(extra.time_remainder), std::end(extra.time_remainder), item.time_remainder);
  if (extra.short_name != nullptr) item.short_name = extra.short_name;
  if (extra.link_target != nullptr) item.link_target = FromTableName(extra.link_target);
  item.has_data_stream = description_.has_data_stream;
  item.reparse_tag = description_.reparse_tag;
  item.has_checksum = description_.has_checksum;
  item.checksum = description_.checksum;
  item.ordinal = description_.ordinal;
  return {};
}

Expected<bool> TableExport::Next(layer::Item& item) {
  WCLAYER_ASSIGN(const bool more, calls_.ExportNext(context_, entry_));
  if (!more) return false;
  WCLAYER_TRY(Fill(item, entry_.name, entry_.info, entry_.size, entry_.deleted));
  return true;
}

Expected<std::size_t> TableExport::Read(MutableBytes buffer) {
  auto read = calls_.ExportRead(context_, buffer);
  if (!read) return std::move(read).error().At(current_);
  return read;
}

Status TableExport::Skip(std::uint64_t bytes) {
  if (platform_->extensions() == nullptr) return ItemSource::Skip(bytes);
  const Hresult hr = platform_->extensions()->ExportLayerSkip(context_, bytes);
  if (auto status = platform_->Check(hr, "ExportLayerSkip", id_); !status)
    return std::move(status).error().At(current_);
  return {};
}

Status TableExport::SeekTo(const char16_t* name, std::uint64_t ordinal, layer::Item& item) {
  if (platform_->extensions() == nullptr) {
    return Error(Errc::kUnsupported, "this backend exports layers in order only");
  }
  vmcompute::Utf16 found = nullptr;
  FileBasicInfo info;
  std::int64_t size = 0;
  WCLAYER_TRY(platform_->Check(
      platform_->extensions()->ExportLayerSeek(context_, name, ordinal, &found, &info, &size),
      "ExportLayerSeek", id_));
  return Fill(item, std::u16string(found), info, size, false);
}

Status TableExport::Seek(std::uint64_t ordinal, layer::Item& item) {
  return SeekTo(nullptr, ordinal, item);
}

Status TableExport::SeekPath(const std::string& path, layer::Item& item) {
  std::u16string name;
  ToTableName(path, name);
  if (auto status = SeekTo(name.c_str(), 0, item); !status)
    return std::move(status).error().At(path);
  return {};
}

Expected<vmcompute::ChangeKind> TableExport::Change() {
  if (platform_->extensions() == nullptr) {
    return deleted_ ? vmcompute::ChangeKind::kDeleted : vmcompute::ChangeKind::kModified;
  }
  auto change = vmcompute::ChangeKind::kUnchanged;
  const Hresult hr = platform_->extensions()->ExportLayerChange(context_, &change);
  if (auto status = platform_->Check(hr, "ExportLayerChange", id_); !status)
    return std::move(status).error().At(current_);
  return change;
}

}  // namespace wclayer
