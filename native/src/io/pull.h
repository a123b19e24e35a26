// A generator of bytes as a stream that is read: generate | digest | compress, digest | hand over.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "io/compression.h"
#include "io/stage.h"

namespace wclayer::io {

struct PullOptions {
  bool digest = true;  // of the plain bytes, and of the compressed ones
  CompressOptions compression;
  // Up to here everything runs in the reader's thread; what is longer gets threads of its own.
  std::uint64_t threads_from = 1u << 20;
  // But where nothing is to be done beside generating (no digest, no compression), only once the
  // reader takes this share of the time for itself: to hand bytes over costs more than a reader
  // that does nothing with them gives back. 0: at once.
  double least_reader_share = 0.25;
  StageOptions slabs;
};

// One reader at a time. Destroying it ends the threads; the generator's call under way is waited
// for.
class PullStream {
 public:
  // Fills some of the buffer (kLeastFill bytes at least); 0: the end. Called from one thread at a
  // time, not always the same.
  using Generate = std::function<Expected<std::size_t>(MutableBytes)>;
  static constexpr std::size_t kLeastFill = 64u << 10;

  PullStream(Generate generate, PullOptions options);
  ~PullStream();

  // At least one byte, or 0 at the end. A failure is final; bytes generated before it come first.
  Expected<std::size_t> Read(MutableBytes buffer);

  std::uint64_t plain_bytes() const;  // generated so far; from any thread
  // After the end. Without digests: "".
  const std::string& plain_digest() const;
  const std::string& packed_digest() const;  // of what was read; plain_digest() if not compressed
  std::uint64_t packed_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wclayer::io
