#include "layer/stream_pull.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace wclayer::layer {
namespace {

Error Truncated() {
  return Error(Errc::kLayerDamaged, "a backup stream ends too early");
}

}  // namespace

Expected<std::uint64_t> ItemSink::Checksum() {
  return Error(Errc::kUnsupported, "this sink tells no checksums");
}

Status ItemSource::Skip(std::uint64_t bytes) {
  std::byte scratch[4096];
  while (bytes != 0) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, sizeof scratch));
    WCLAYER_ASSIGN(const std::size_t count, Read(MutableBytes(scratch, piece)));
    if (count == 0) return Truncated();
    bytes -= count;
  }
  return {};
}

Expected<bool> StreamPull::Exactly(MutableBytes buffer) {
  std::size_t have = 0;
  while (have < buffer.size()) {
    WCLAYER_ASSIGN(const std::size_t count, source_->Read(buffer.subspan(have)));
    if (count == 0) {
      if (have == 0) return false;
      return Truncated();
    }
    have += count;
  }
  return true;
}

Expected<bool> StreamPull::Next() {
  if (left_ != 0) WCLAYER_TRY(source_->Skip(std::exchange(left_, 0)));
  std::byte raw[backup::kStreamHeaderBytes];
  WCLAYER_ASSIGN(const bool more, Exactly(raw));
  if (!more) return false;
  header_.id = static_cast<backup::StreamId>(LoadLe<std::uint32_t>(raw));
  header_.attributes = LoadLe<std::uint32_t>(raw + 4);
  header_.size = LoadLe<std::uint64_t>(raw + 8);
  const auto name_bytes = LoadLe<std::uint32_t>(raw + 16);
  if (name_bytes > kMaxStreamNameBytes)
    return LimitError("kMaxStreamNameBytes", kMaxStreamNameBytes, name_bytes);
  if (name_bytes % 2 != 0)
    return Error(Errc::kLayerDamaged, "a stream name of an odd number of bytes");
  header_.name.resize(name_bytes / 2);
  if (name_bytes != 0) {
    WCLAYER_ASSIGN(const bool named, Exactly(std::as_writable_bytes(std::span(header_.name))));
    if (!named) return Truncated();
  }
  left_ = header_.size;
  sparse_offset_ = 0;
  if (header_.id == backup::StreamId::kSparseBlock) {
    if (header_.size < sizeof sparse_offset_)
      return Error(Errc::kLayerDamaged, "a sparse block of less than 8 bytes");
    WCLAYER_ASSIGN(const bool there,
                   Exactly(std::as_writable_bytes(std::span(&sparse_offset_, 1))));
    if (!there) return Truncated();
    left_ -= sizeof sparse_offset_;
  }
  return true;
}

Expected<std::size_t> StreamPull::Read(MutableBytes buffer) {
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer.size()));
  if (most == 0) return std::size_t{0};
  WCLAYER_ASSIGN(const std::size_t count, source_->Read(buffer.first(most)));
  if (count == 0) return Truncated();
  left_ -= count;
  return count;
}

Expected<Buffer> StreamPull::ReadAll(std::size_t limit, const char* limit_name) {
  if (left_ > limit) return LimitError(limit_name, limit, left_);
  Buffer data(static_cast<std::size_t>(left_));
  if (data.empty()) return data;
  WCLAYER_ASSIGN(const bool there, Exactly(data));
  if (!there) return Truncated();
  left_ = 0;
  return data;
}

}  // namespace wclayer::layer
