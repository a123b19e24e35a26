#include "portable/export.h"

#include <algorithm>

#include "base/utf16.h"
#include "portable/names.h"

namespace wclayer::portable {

Expected<std::unique_ptr<Export>> Export::Begin(const std::shared_ptr<Home>& home,
                                                const std::string& id,
                                                const std::vector<std::string>& against) {
  WCLAYER_ASSIGN(auto content, OpenContent(home, id, against));
  return std::unique_ptr<Export>(new Export(std::move(content)));
}

// What every way to a new entry has in common.
Expected<bool> Export::Arrive(Expected<bool> there) {
  if (!there) {
    failed_ = there.error();
    return there;
  }
  streaming_ = false;
  described_ = false;
  resolved_ = false;
  name_.clear();
  if (*there && entry_.kind == Kind::kHardLink) {
    auto resolved = content_->ResolveLink(file_ = entry_);
    if (!resolved && resolved.error().code != Errc::kUnsupported) {
      failed_ = resolved.error();
      return std::move(resolved).error();
    }
    resolved_ = static_cast<bool>(resolved);
  }
  return there;
}

Expected<bool> Export::Next() {
  // An entry that has no stream at all need not be read.
  if (streaming_ && !stream_.complete()) unread_ = true;
  auto there = Arrive(content_->Next(entry_));
  ended_ = there && !*there;
  return there;
}

Expected<bool> Export::SeekPath(const std::string& path) {
  return Arrive(content_->SeekPath(path, entry_));
}

Expected<bool> Export::SeekOrdinal(std::uint64_t ordinal) {
  return Arrive(content_->SeekOrdinal(ordinal, entry_));
}

vmcompute::FileBasicInfo Export::Info() const {
  vmcompute::FileBasicInfo info;
  info.creation_time = entry_.times[0];
  info.last_access_time = entry_.times[1];
  info.last_write_time = entry_.times[2];
  info.change_time = entry_.times[3];
  info.attributes = entry_.attributes;
  return info;
}

std::int64_t Export::Size() const {
  return static_cast<std::int64_t>(resolved_ ? file_.size : entry_.size);
}

Status Export::BeginStream() {
  if (streaming_) return {};
  const bool as_file = entry_.kind == Kind::kHardLink && !described_;
  if (as_file && !resolved_)
    return Error(Errc::kUnsupported, "a hard link can only be read at its first name")
        .At(entry_.path);
  stream_.Begin(*content_, as_file ? file_ : entry_);
  streaming_ = true;
  return {};
}

Expected<std::size_t> Export::Read(MutableBytes buffer) {
  if (failed_) return *failed_;
  auto read = [&]() -> Expected<std::size_t> {
    WCLAYER_TRY(BeginStream());
    return stream_.Read(buffer);
  }();
  if (!read) failed_ = read.error();
  return read;
}

Status Export::Describe(vmcompute::EntryDescription& description) {
  described_ = true;
  description = {};
  description.extra.time_absent = entry_.time_absent;
  std::copy(std::begin(entry_.time_remainder), std::end(entry_.time_remainder),
            description.extra.time_remainder);
  description.ordinal = entry_.ordinal;
  description.has_data_stream = entry_.kind != Kind::kFile || entry_.has_data_stream;
  description.reparse_tag = entry_.reparse_tag;
  description.has_checksum = entry_.kind == Kind::kFile && entry_.has_checksum;
  description.checksum = description.has_checksum ? entry_.checksum : 0;
  if (!entry_.short_name.empty()) description.extra.short_name = entry_.short_name.c_str();
  if (entry_.kind == Kind::kTombstone) description.extra.opaque = entry_.opaque;
  if (entry_.kind == Kind::kHardLink) {
    link_target_ = PathToAbi(entry_.link_target);
    description.extra.link_target = link_target_.c_str();
  }
  return {};
}

Expected<vmcompute::ChangeKind> Export::Change() {
  WCLAYER_ASSIGN(const auto change, content_->Compare());
  return static_cast<vmcompute::ChangeKind>(change);
}

Status Export::Skip(std::uint64_t bytes) {
  if (failed_) return *failed_;
  WCLAYER_TRY(BeginStream());
  auto skipped = stream_.Skip(bytes);
  if (!skipped) failed_ = skipped.error();
  return skipped;
}

const std::u16string& Export::name() {
  if (name_.empty()) name_ = PathToAbi(entry_.path);
  return name_;
}

Status Export::End() {
  if (failed_) return *failed_;
  if (!ended_ || unread_)
    return Error(Errc::kInvalidArgument, "the export ended before everything was read");
  return {};
}

}  // namespace wclayer::portable
