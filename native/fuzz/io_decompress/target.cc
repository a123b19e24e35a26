// The decompressor on arbitrary bytes: it never fails otherwise than by an error, keeps its limits,
// and the pieces do not matter. The first byte says how the second run is cut.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "io/compression.h"

namespace wclayer::io {
namespace {

constexpr std::uint64_t kMostOutput = 1u << 20;

void Require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class Checker final : public ByteSink {
 public:
  Status Write(Bytes bytes) override {
    Require(!finished && !bytes.empty(), "an empty piece, or one behind the end");
    data += AsText(bytes);
    Require(data.size() <= kMostOutput, "more output than allowed");
    return {};
  }
  Status Finish() override {
    Require(!finished, "finished twice");
    finished = true;
    return {};
  }
  std::string data;
  bool finished = false;
};

struct Outcome {
  bool good = false;
  std::string data;
};

Outcome Decompress(Bytes packed, std::size_t piece) {
  Checker checker;
  Decompressor decompressor(checker, {.max_zstd_window_log = 18, .max_output_bytes = kMostOutput});
  Status status;
  while (status && !packed.empty()) {
    const std::size_t count = std::min(piece, packed.size());
    status = decompressor.Write(packed.first(count));
    packed = packed.subspan(count);
  }
  if (status) status = decompressor.Finish();
  Require(checker.finished == status.has_value(), "the next stage's end differs from ours");
  if (!status) {
    const Errc code = status.error().code;
    Require(code == Errc::kBadArchive || code == Errc::kLimitExceeded, "an unexpected error");
    Require(!status.error().message.empty(), "an error without a message");
    Require(!decompressor.Finish().has_value(), "a failure that is not final");
  }
  return {status.has_value(), std::move(checker.data)};
}

}  // namespace
}  // namespace wclayer::io

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using wclayer::io::Require;
  if (size == 0) return 0;
  const wclayer::Bytes packed = std::as_bytes(std::span(data, size)).subspan(1);
  const auto whole = wclayer::io::Decompress(packed, packed.size() + 1);
  const auto pieces = wclayer::io::Decompress(packed, 1 + data[0] % 64);
  Require(whole.good == pieces.good, "the pieces decide whether it is valid");
  Require(!whole.good || whole.data == pieces.data, "the pieces change the data");
  return 0;
}
