#include "backup/stream.h"

#include <algorithm>

#include "base/limits.h"

namespace wclayer::backup {
namespace {

constexpr std::u16string_view kDataSuffix = u":$DATA";

Error Bad(const std::string& what) {
  return Error(Errc::kBadArchive, "backup stream: " + what);
}

// The most data a stream may hold. Main and alternate data go to disk as they come; the rest is
// kept in memory.
std::uint64_t LimitOf(StreamId id, const char*& name) {
  switch (id) {
    case StreamId::kData:
    case StreamId::kAlternateData:
    case StreamId::kSparseBlock:
      name = "kMaxFileBytes";
      return kMaxFileBytes;
    case StreamId::kSecurity:
      name = "kMaxSecurityDescriptorBytes";
      return kMaxSecurityDescriptorBytes;
    case StreamId::kReparse:
      name = "kMaxReparseBytes";
      return kMaxReparseBytes;
    case StreamId::kEaData:
      name = "kMaxEaBytes";
      return kMaxEaBytes;
    default:
      name = "kMaxStreamNameBytes";
      return kMaxStreamNameBytes;
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
    return Bad("an alternate stream's name is not of the form :name:$DATA");
  }
  return std::u16string(full.substr(1, full.size() - 1 - kDataSuffix.size()));
}

Status Decoder::StartStream() {
  const char* name = "";
  const std::uint64_t limit = LimitOf(header_.id, name);
  if (header_.size > limit) return LimitError(name, limit, header_.size);
  left_ = header_.size;
  if (header_.id == StreamId::kSparseBlock) {
    if (header_.size < sizeof(std::uint64_t)) return Bad("a sparse block of less than 8 bytes");
    state_ = State::kSparseOffset;
    return {};
  }
  state_ = State::kData;
  return sink_->OnStream(header_, 0);
}

Status Decoder::Write(Bytes bytes) {
  // Takes `want` bytes into scratch_ or the name; false when they are not all there yet.
  const auto collect = [&](std::size_t want) {
    const std::size_t count = std::min(want - have_, bytes.size());
    std::copy_n(bytes.begin(), count, scratch_ + have_);
    have_ += count;
    bytes = bytes.subspan(count);
    if (have_ < want) return false;
    have_ = 0;
    return true;
  };
  for (;;) {
    switch (state_) {
      case State::kHeader: {
        if (bytes.empty() || !collect(kStreamHeaderBytes)) return {};
        header_.id = static_cast<StreamId>(LoadLe<std::uint32_t>(scratch_));
        header_.attributes = LoadLe<std::uint32_t>(scratch_ + 4);
        header_.size = LoadLe<std::uint64_t>(scratch_ + 8);
        name_bytes_ = LoadLe<std::uint32_t>(scratch_ + 16);
        header_.name.clear();
        if (name_bytes_ > kMaxStreamNameBytes)
          return LimitError("kMaxStreamNameBytes", kMaxStreamNameBytes, name_bytes_);
        if (name_bytes_ % sizeof(char16_t) != 0)
          return Bad("a stream name of an odd number of bytes");
        header_.name.resize(name_bytes_ / sizeof(char16_t));
        state_ = State::kName;
        break;
      }
      case State::kName: {
        const std::size_t count = std::min<std::size_t>(name_bytes_ - have_, bytes.size());
        std::memcpy(reinterpret_cast<std::byte*>(header_.name.data()) + have_, bytes.data(), count);
        have_ += count;
        bytes = bytes.subspan(count);
        if (have_ < name_bytes_) return {};
        have_ = 0;
        WCLAYER_TRY(StartStream());
        break;
      }
      case State::kSparseOffset: {
        if (!collect(sizeof(std::uint64_t))) return {};
        left_ -= sizeof(std::uint64_t);
        const auto offset = LoadLe<std::uint64_t>(scratch_);
        if (offset > kMaxFileBytes || left_ > kMaxFileBytes - offset) {
          return LimitError("kMaxFileBytes", kMaxFileBytes, std::max(offset, left_));
        }
        state_ = State::kData;
        WCLAYER_TRY(sink_->OnStream(header_, offset));
        break;
      }
      case State::kData: {
        if (left_ != 0) {
          if (bytes.empty()) return {};
          const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
          left_ -= count;
          const Bytes data = bytes.first(count);
          bytes = bytes.subspan(count);
          WCLAYER_TRY(sink_->OnData(data));
          if (left_ != 0) return {};
        }
        state_ = State::kHeader;
        WCLAYER_TRY(sink_->OnStreamEnd());
        break;
      }
    }
  }
}

Status Decoder::Finish() {
  const bool clean = state_ == State::kHeader && have_ == 0;
  const std::uint64_t missing = state_ == State::kData ? left_ : 0;
  Reset();
  if (clean) return {};
  return Bad(missing != 0 ? "truncated, missing " + std::to_string(missing) + " bytes"
                          : "truncated in a header");
}

void Decoder::Reset() {
  state_ = State::kHeader;
  have_ = 0;
  left_ = 0;
}

}  // namespace wclayer::backup
