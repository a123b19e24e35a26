#include "backup/stream.h"

#include <algorithm>

#include "base/limits.h"

namespace wclayer::backup {
namespace {

constexpr std::u16string_view kDataSuffix = u":$DATA";

Error BadStream(const std::string& what) {
  return Error(Errc::kBadArchive, "backup stream: " + what);
}

struct Limit {
  const char* name;
  std::uint64_t bytes;
};

// The most data a stream may hold.
Limit LimitOf(StreamId id) {
  switch (id) {
    case StreamId::kData:
    case StreamId::kAlternateData:
    case StreamId::kSparseBlock:
      return {"kMaxFileBytes", kMaxFileBytes};
    case StreamId::kSecurity:
      return {"kMaxSecurityDescriptorBytes", kMaxSecurityDescriptorBytes};
    case StreamId::kReparse:
      return {"kMaxReparseBytes", kMaxReparseBytes};
    case StreamId::kEaData:
      return {"kMaxEaBytes", kMaxEaBytes};
    default:
      return {"kMaxOpaqueStreamBytes", kMaxOpaqueStreamBytes};
  }
}

}  // namespace

void AppendHeader(Buffer& out, const StreamHeader& header) {
  AppendLe(out, static_cast<std::uint32_t>(header.id));
  AppendLe(out, header.attributes);
  AppendLe(out, header.size);
  AppendLe(out, static_cast<std::uint32_t>(header.name.size() * sizeof(char16_t)));
  Append(out, std::as_bytes(std::span(header.name)));
}

void AppendSparseBlock(Buffer& out, std::uint64_t offset, std::uint64_t data_size) {
  AppendHeader(out, {StreamId::kSparseBlock, kAttributeSparse, data_size + sizeof offset, {}});
  AppendLe(out, offset);
}

std::u16string StreamName(std::u16string_view plain) {
  std::u16string name = u":";
  name += plain;
  name += kDataSuffix;
  return name;
}

Expected<std::u16string> PlainStreamName(std::u16string_view full) {
  if (full.size() <= 1 + kDataSuffix.size() || full.front() != u':' ||
      !full.ends_with(kDataSuffix)) {
    return BadStream("an alternate stream's name is not of the form :name:$DATA");
  }
  return std::u16string(full.substr(1, full.size() - 1 - kDataSuffix.size()));
}

Error Decoder::At(Error error) const {
  error.message += " (stream " + std::to_string(static_cast<std::uint32_t>(header_.id)) +
                   " at byte " + std::to_string(start_) + ")";
  return error;
}

bool Decoder::Collect(std::byte* into, std::size_t want, Bytes& bytes) {
  const std::size_t count = std::min(want - have_, bytes.size());
  std::copy_n(bytes.begin(), count, into + have_);
  have_ += count;
  bytes = bytes.subspan(count);
  if (have_ < want) return false;
  have_ = 0;
  return true;
}

Expected<bool> Decoder::TakeHeader(Bytes& bytes) {
  if (bytes.empty() || !Collect(scratch_, kStreamHeaderBytes, bytes)) return false;
  header_.id = static_cast<StreamId>(LoadLe<std::uint32_t>(scratch_));
  header_.attributes = LoadLe<std::uint32_t>(scratch_ + 4);
  header_.size = LoadLe<std::uint64_t>(scratch_ + 8);
  name_bytes_ = LoadLe<std::uint32_t>(scratch_ + 16);
  if (name_bytes_ > kMaxStreamNameBytes)
    return At(LimitError("kMaxStreamNameBytes", kMaxStreamNameBytes, name_bytes_));
  if (name_bytes_ % sizeof(char16_t) != 0) return At(BadStream("a name of an odd number of bytes"));
  const Limit limit = LimitOf(header_.id);
  if (header_.size > limit.bytes) return At(LimitError(limit.name, limit.bytes, header_.size));
  WCLAYER_TRY(CountStream());
  left_ = header_.size;
  header_.name.resize(name_bytes_ / sizeof(char16_t));
  state_ = State::kName;
  return true;
}

Status Decoder::CountStream() {
  switch (header_.id) {
    case StreamId::kSparseBlock:
      if (!data_seen_) return At(BadStream("a sparse block without a data stream before it"));
      // One block more than ranges: the closing one, which holds the size alone.
      if (++sparse_blocks_ > kMaxSparseRanges + 1)
        return At(LimitError("kMaxSparseRanges", kMaxSparseRanges, sparse_blocks_));
      return {};
    case StreamId::kAlternateData:
      data_seen_ = true;
      sparse_blocks_ = 0;
      if (++alternates_ > kMaxStreamsPerFile)
        return At(LimitError("kMaxStreamsPerFile", kMaxStreamsPerFile, alternates_));
      return {};
    default:
      if (header_.id == StreamId::kData) {
        data_seen_ = true;
        sparse_blocks_ = 0;
      }
      if (++others_ > kMaxOtherStreams)
        return At(LimitError("kMaxOtherStreams", kMaxOtherStreams, others_));
      return {};
  }
}

Expected<bool> Decoder::TakeName(Bytes& bytes) {
  auto* name = reinterpret_cast<std::byte*>(header_.name.data());
  if (!Collect(name, name_bytes_, bytes)) return false;
  WCLAYER_TRY(StartStream());
  return true;
}

Status Decoder::StartStream() {
  if (header_.id == StreamId::kSparseBlock) {
    if (header_.size < sizeof(std::uint64_t))
      return At(BadStream("a sparse block of less than 8 bytes"));
    state_ = State::kSparseOffset;
    return {};
  }
  state_ = State::kData;
  return sink_->OnStream(header_, 0);
}

Expected<bool> Decoder::TakeSparseOffset(Bytes& bytes) {
  if (!Collect(scratch_, sizeof(std::uint64_t), bytes)) return false;
  left_ -= sizeof(std::uint64_t);
  const auto offset = LoadLe<std::uint64_t>(scratch_);
  if (offset > kMaxFileBytes || left_ > kMaxFileBytes - offset)
    return At(LimitError("kMaxFileBytes", kMaxFileBytes, std::max(offset, left_)));
  state_ = State::kData;
  WCLAYER_TRY(sink_->OnStream(header_, offset));
  return true;
}

Expected<bool> Decoder::TakeData(Bytes& bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  if (count != 0) {
    const Bytes data = bytes.first(count);
    bytes = bytes.subspan(count);
    left_ -= count;
    WCLAYER_TRY(sink_->OnData(data));
  }
  if (left_ != 0) return false;
  start_ += kStreamHeaderBytes + name_bytes_ + header_.size;
  state_ = State::kHeader;
  WCLAYER_TRY(sink_->OnStreamEnd());
  return true;
}

Expected<bool> Decoder::TakePart(Bytes& bytes) {
  switch (state_) {
    case State::kHeader:
      return TakeHeader(bytes);
    case State::kName:
      return TakeName(bytes);
    case State::kSparseOffset:
      return TakeSparseOffset(bytes);
    case State::kData:
      return TakeData(bytes);
  }
  return false;
}

Status Decoder::Write(Bytes bytes) {
  for (;;) {
    WCLAYER_ASSIGN(const bool again, TakePart(bytes));
    if (!again) return {};
  }
}

Status Decoder::Finish() {
  if (state_ == State::kHeader && have_ == 0) {
    Reset();
    return {};
  }
  const std::uint64_t missing = left_;
  Error error =
      state_ == State::kData
          ? At(BadStream("truncated, missing " + std::to_string(missing) + " bytes of data"))
          : BadStream("truncated in the header at byte " + std::to_string(start_));
  Reset();
  return error;
}

void Decoder::Reset() {
  *this = Decoder(*sink_);
}

}  // namespace wclayer::backup
