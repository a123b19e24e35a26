// Win32 backup streams (spec layer-formats §b): what BackupRead gives and BackupWrite takes, and
// what the streaming calls of vmcompute carry for each file.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::backup {

enum class StreamId : std::uint32_t {
  kData = 1,
  kEaData = 2,
  kSecurity = 3,
  kAlternateData = 4,
  kLink = 5,
  kProperty = 6,
  kObjectId = 7,
  kReparse = 8,
  kSparseBlock = 9,
  kTxfs = 10,
  kGhosted = 11,
};

inline constexpr std::uint32_t kAttributeModifiedWhenRead = 1;
inline constexpr std::uint32_t kAttributeContainsSecurity = 2;
inline constexpr std::uint32_t kAttributeSparse = 8;
inline constexpr std::size_t kStreamHeaderBytes = 20;

struct StreamHeader {
  StreamId id = StreamId::kData;
  std::uint32_t attributes = 0;
  std::uint64_t size =
      0;  // bytes of data that follow the name (a sparse block's 8 offset bytes included)
  std::u16string name;  // ":stream:$DATA" for kAlternateData, else empty
};

void AppendHeader(Buffer& out, const StreamHeader& header);
// Header and 8-byte offset of a sparse block that holds `data_size` bytes.
void AppendSparseBlock(Buffer& out, std::uint64_t offset, std::uint64_t data_size);
// "s" <-> ":s:$DATA".
std::u16string StreamName(std::u16string_view plain);
Expected<std::u16string> PlainStreamName(std::u16string_view full);

// Receives a decoded stream. Spans and headers live during the call only.
class Sink {
 public:
  virtual ~Sink() = default;
  // For kSparseBlock, `sparse_offset` is the file offset and header.size still counts its 8 bytes.
  virtual Status OnStream(const StreamHeader& header, std::uint64_t sparse_offset) = 0;
  virtual Status OnData(Bytes bytes) = 0;  // without the 8 offset bytes; never empty
  virtual Status OnStreamEnd() = 0;
};

// Push decoder of one file's backup stream; bytes may come in any pieces. The data is handed on
// where it lies: one Write inside a stream's data is one OnData. Unknown ids are passed on; which
// streams a file may have, how often and in which order (but for sparse blocks, which need data
// before them) is the sink's to judge. After an error only Reset helps.
class Decoder {
 public:
  explicit Decoder(Sink& sink) : sink_(&sink) {}
  Status Write(Bytes bytes);
  Status Finish();  // error "truncated" inside a header or data; then ready for the next file
  void Reset();

 private:
  enum class State { kHeader, kName, kSparseOffset, kData };
  // Each takes what it needs of `bytes`; false: it wants more of them.
  Expected<bool> TakeHeader(Bytes& bytes);
  Expected<bool> TakeName(Bytes& bytes);
  Expected<bool> TakeSparseOffset(Bytes& bytes);
  Expected<bool> TakeData(Bytes& bytes);
  Expected<bool> TakePart(Bytes& bytes);
  bool Collect(std::byte* into, std::size_t want, Bytes& bytes);
  Status CountStream();
  Status StartStream();
  Error At(Error error) const;  // names the stream it is about

  Sink* sink_;
  State state_ = State::kHeader;
  std::byte scratch_[kStreamHeaderBytes] = {};
  std::size_t have_ = 0;     // bytes of the header, name or offset that are there
  std::uint64_t left_ = 0;   // bytes of data that are not
  std::uint64_t start_ = 0;  // where the stream's header begins in the file's backup stream
  std::uint32_t name_bytes_ = 0;
  StreamHeader header_;
  std::size_t alternates_ = 0;
  std::size_t others_ = 0;
  std::size_t sparse_blocks_ = 0;  // of the data stream before them
  bool data_seen_ = false;
};

}  // namespace wclayer::backup
