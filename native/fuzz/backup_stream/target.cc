// Backup streams of arbitrary bytes: the pieces they come in make no difference, and what is
// decoded has the bytes it was decoded from.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "backup/stream.h"

namespace wclayer::backup {
namespace {

void Require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Encodes what it is given.
class Encoder : public Sink {
 public:
  Status OnStream(const StreamHeader& header, std::uint64_t sparse_offset) override {
    Require(!open_, "a stream begins inside another");
    open_ = true;
    left_ = header.size;
    AppendHeader(out, header);
    if (header.id == StreamId::kSparseBlock) {
      Require(left_ >= sizeof sparse_offset, "a sparse block without an offset");
      AppendLe(out, sparse_offset);
      left_ -= sizeof sparse_offset;
    }
    if (header.id == StreamId::kAlternateData) {
      const auto plain = PlainStreamName(header.name);
      Require(!plain || StreamName(*plain) == header.name, "a stream's name changes");
    }
    return {};
  }
  Status OnData(Bytes bytes) override {
    Require(open_ && !bytes.empty() && bytes.size() <= left_, "data that no stream has");
    left_ -= bytes.size();
    Append(out, bytes);
    return {};
  }
  Status OnStreamEnd() override {
    Require(open_ && left_ == 0, "a stream ends before its data");
    open_ = false;
    return {};
  }

  Buffer out;

 private:
  bool open_ = false;
  std::uint64_t left_ = 0;
};

struct Outcome {
  Buffer encoded;
  std::string error;
};

Outcome Decode(Bytes stream, std::size_t piece) {
  Encoder encoder;
  Decoder decoder(encoder);
  Status status;
  for (Bytes rest = stream; status && !rest.empty();) {
    const Bytes next = rest.first(std::min(piece, rest.size()));
    status = decoder.Write(next);
    rest = rest.subspan(next.size());
  }
  if (status) status = decoder.Finish();
  return {std::move(encoder.out), status ? "" : status.error().ToString()};
}

}  // namespace
}  // namespace wclayer::backup

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wclayer::backup;
  if (size == 0) return 0;
  const wclayer::Bytes stream = std::as_bytes(std::span(data + 1, size - 1));
  const Outcome whole = Decode(stream, stream.size() + 1);
  Require(whole.encoded.size() <= stream.size() &&
              std::equal(whole.encoded.begin(), whole.encoded.end(), stream.begin()),
          "the streams have other bytes");
  Require(!whole.error.empty() || whole.encoded.size() == stream.size(), "bytes are lost");
  const Outcome pieces = Decode(stream, std::size_t{1} + data[0] % 32);
  Require(pieces.error == whole.error, "pieces make another error");
  Require(pieces.encoded == whole.encoded, "pieces make other streams");
  return 0;
}
