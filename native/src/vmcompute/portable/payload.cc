#include "portable/payload.h"

#include <cerrno>

#include "backup/reparse.h"
#include "base/limits.h"
#include "portable/metadata.h"

namespace wclayer::portable {

using backup::StreamId;

Expected<std::uint64_t> StreamsWriter::Begin() {
  if (!file_) {
    { WCLAYER_ASSIGN(const auto made, folder_->CreateFile(kStreamsFile)); }
    WCLAYER_ASSIGN(file_, folder_->OpenForUpdate(kStreamsFile));
  }
  return at_;
}

Status StreamsWriter::Write(Bytes bytes) {
  WCLAYER_TRY(fs::WriteAt(file_.get(), bytes, at_));
  at_ += bytes.size();
  return {};
}

Expected<std::size_t> StreamsWriter::Read(std::uint64_t offset, MutableBytes buffer) const {
  if (!file_) return Error(Errc::kInternal, "there are no stored streams yet");
  return fs::ReadAt(file_.get(), buffer, offset);
}

void PayloadWriter::Begin(Entry& entry, Create create) {
  entry_ = &entry;
  create_ = std::move(create);
  file_made_ = false;
  target_ = Target::kNone;
  seen_data_ = false;
  seen_security_ = false;
  blocks_of_main_ = false;
  blocks_of_other_ = false;
  closed_ = false;
  at_ = 0;
  entry.has_data_stream = false;
  main_sum_.Reset();
}

Error PayloadWriter::Malformed(std::string_view what) const {
  return Error(Errc::kBadArchive, "the backup stream is malformed: " + std::string(what))
      .At(entry_->path);
}

Status PayloadWriter::OpenFile() {
  if (file_made_) return {};
  WCLAYER_TRY(create_());
  file_made_ = true;
  return entry_->sparse ? files_->MakeSparse() : Status();
}

Status PayloadWriter::OnStream(const backup::StreamHeader& header, std::uint64_t sparse_offset) {
  if (header.id == StreamId::kSparseBlock) {
    if (blocks_of_main_) return BeginBlock(header, sparse_offset);
    if (!blocks_of_other_) return Malformed("a sparse block follows no data");
    WCLAYER_TRY(BeginRecord(header));
    // Kept as it came: the 8 bytes of its offset are part of its data.
    std::byte offset[8];
    StoreLe(offset, sparse_offset);
    return OnData(offset);
  }
  blocks_of_main_ = header.id == StreamId::kData;
  blocks_of_other_ = header.id == StreamId::kAlternateData;
  if (header.id == StreamId::kData) return BeginMain(header);
  if (header.id != StreamId::kSecurity) return BeginRecord(header);
  if (seen_security_) return Malformed("a second security descriptor");
  if (header.size > kMaxSecurityDescriptorBytes)
    return LimitError("kMaxSecurityDescriptorBytes", kMaxSecurityDescriptorBytes, header.size)
        .At(entry_->path);
  seen_security_ = true;
  entry_->security.clear();
  entry_->security.reserve(static_cast<std::size_t>(header.size));
  entry_->security_attributes = header.attributes;
  target_ = Target::kSecurity;
  return {};
}

Status PayloadWriter::BeginMain(const backup::StreamHeader& header) {
  if (seen_data_) return Malformed("a second main data stream");
  if (entry_->directory() && header.size != 0) return Malformed("main data of a folder");
  if (header.size > kMaxFileBytes)
    return LimitError("kMaxFileBytes", kMaxFileBytes, header.size).At(entry_->path);
  seen_data_ = true;
  entry_->has_data_stream = !entry_->directory();
  entry_->data_attributes = header.attributes;
  entry_->size = header.size;
  target_ = Target::kMain;
  return {};
}

Status PayloadWriter::BeginBlock(const backup::StreamHeader& header, std::uint64_t offset) {
  if (header.size < 8) return Malformed("a sparse block without an offset");
  const std::uint64_t size = header.size - 8;
  if (offset > kMaxFileBytes || size > kMaxFileBytes - offset)
    return LimitError("kMaxFileBytes", kMaxFileBytes, offset).At(entry_->path);
  if (entry_->directory()) return Malformed("a sparse block of a folder");
  if (closed_) return Malformed("a sparse block follows the closing one");
  if (!entry_->sparse && entry_->size != 0) {
    // All bytes were in the DATA stream already; nothing but the closing block can follow.
    if (size != 0 || offset != entry_->size) return Malformed("sparse blocks beside whole data");
    closed_ = true;
    target_ = Target::kNone;
    return {};
  }
  if (offset < entry_->size) return Malformed("sparse blocks overlap or are out of order");
  entry_->sparse = true;
  entry_->size = offset + size;
  if (size == 0) {
    closed_ = true;
    target_ = Target::kNone;
    return {};
  }
  if (entry_->ranges.size() >= kMaxSparseRanges)
    return LimitError("kMaxSparseRanges", kMaxSparseRanges, entry_->ranges.size() + 1)
        .At(entry_->path);
  entry_->ranges.push_back({offset, size});
  at_ = offset;
  target_ = Target::kMain;
  return {};
}

Status PayloadWriter::BeginRecord(const backup::StreamHeader& header) {
  if (entry_->streams.size() >= kMaxStreamsPerFile)
    return LimitError("kMaxStreamsPerFile", kMaxStreamsPerFile, entry_->streams.size() + 1)
        .At(entry_->path);
  const auto limit = [&](const char* name, std::size_t most) -> Status {
    if (header.size <= most) return {};
    return LimitError(name, most, header.size).At(entry_->path);
  };
  bool small = header.size <= kMaxInlineStream;
  if (header.id == StreamId::kReparse) {
    WCLAYER_TRY(limit("kMaxReparseBytes", kMaxReparseBytes));
    if (entry_->Reparse() != nullptr) return Malformed("a second reparse point");
    small = true;
  } else if (header.id == StreamId::kEaData) {
    WCLAYER_TRY(limit("kMaxEaBytes", kMaxEaBytes));
    small = true;
  } else {
    WCLAYER_TRY(limit("kMaxFileBytes", kMaxFileBytes));
  }
  StreamRecord record;
  record.header = header;
  record.after_data = seen_data_;
  record.external = !small;
  if (record.external) {
    WCLAYER_ASSIGN(record.offset, streams_->Begin());
  } else {
    record.inline_data.reserve(static_cast<std::size_t>(header.size));
  }
  entry_->streams.push_back(std::move(record));
  target_ = small ? Target::kInline : Target::kExternal;
  stream_sum_.Reset();
  return {};
}

Status PayloadWriter::OnData(Bytes bytes) {
  switch (target_) {
    case Target::kMain:
      WCLAYER_TRY(OpenFile());
      main_sum_.Update(bytes);
      WCLAYER_TRY(files_->Write(bytes, at_));
      at_ += bytes.size();
      return {};
    case Target::kSecurity:
      Append(entry_->security, bytes);
      return {};
    case Target::kInline:
      stream_sum_.Update(bytes);
      Append(entry_->streams.back().inline_data, bytes);
      return {};
    case Target::kExternal:
      stream_sum_.Update(bytes);
      return streams_->Write(bytes);
    case Target::kNone:
      break;
  }
  return Malformed("data without a stream");
}

Status PayloadWriter::OnStreamEnd() {
  if (target_ == Target::kInline || target_ == Target::kExternal) {
    StreamRecord& record = entry_->streams.back();
    record.checksum = stream_sum_.Value();
    if (record.header.id == StreamId::kReparse) {
      entry_->reparse_tag = backup::ReparseTag(record.inline_data);
      if (entry_->reparse_tag == 0) return Malformed("reparse data too short to hold a tag");
    }
  }
  target_ = Target::kNone;
  return {};
}

Expected<bool> PayloadWriter::Finish() {
  if (entry_->kind == Kind::kFile) {
    entry_->checksum = main_sum_.Value();
    entry_->has_checksum = true;
    if (entry_->sparse && entry_->size != 0) {
      WCLAYER_TRY(OpenFile());
      WCLAYER_TRY(files_->Resize(entry_->size));
    }
  }
  entry_ = nullptr;
  if (file_made_) WCLAYER_TRY(files_->Close());
  return file_made_;
}

}  // namespace wclayer::portable
