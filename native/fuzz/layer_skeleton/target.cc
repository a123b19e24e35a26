// Skeleton files with arbitrary operations, behind right checksums too: errors, never a crash.
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "backup/stream.h"
#include "io/digest.h"
#include "layer/skeleton.h"
#include "layer/skeleton_format.h"

namespace wclayer::layer {
namespace {

// Every entry has the same main data and two alternate streams.
class Source final : public ItemSource {
 public:
  Source() {
    for (const auto id : {backup::StreamId::kData, backup::StreamId::kAlternateData,
                          backup::StreamId::kAlternateData}) {
      backup::StreamHeader header;
      header.id = id;
      header.size = 3;
      if (id == backup::StreamId::kAlternateData) header.name = u":s:$DATA";
      backup::AppendHeader(stream_, header);
      Append(stream_, AsBytes("abc"));
    }
  }
  Expected<bool> Next(Item&) override { return false; }
  Expected<std::size_t> Read(MutableBytes buffer) override {
    const std::size_t count = std::min(buffer.size(), stream_.size() - at_);
    std::copy_n(stream_.begin() + static_cast<std::ptrdiff_t>(at_), count, buffer.begin());
    at_ += count;
    return count;
  }
  Status Seek(std::uint64_t ordinal, Item&) override {
    if (ordinal > 100) return Error(Errc::kLayerNotFound, "no such entry");
    at_ = 0;
    return {};
  }

 private:
  Buffer stream_;
  std::size_t at_ = 0;
};

void Replay(const std::string& folder, Bytes file) {
  {
    std::ofstream out(folder + "/skeleton", std::ios::binary | std::ios::trunc);
    out << AsText(file);
  }
  Source source;
  auto replay = SkeletonReplay::Open(folder, source);
  if (!replay) return;
  Buffer buffer(64u << 10);
  std::uint64_t total = 0;
  for (;;) {
    const auto count = (*replay)->Fill(buffer);
    if (!count || *count == 0) return;
    total += *count;
    if (total > (64u << 20)) {
      std::fprintf(stderr, "broken: a small skeleton gives a large tar\n");
      std::abort();
    }
  }
}

// The first byte says how much of the input is the list of moves; the rest are operations.
Buffer Sealed(Bytes input) {
  const std::size_t moves_size =
      std::min<std::size_t>(static_cast<std::size_t>(input[0]), input.size() - 1);
  const Bytes moves = input.subspan(1, moves_size);
  const Bytes plain = input.subspan(1 + moves_size);
  Buffer body;
  if (!plain.empty()) {
    Buffer packed(ZSTD_compressBound(plain.size()));
    packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
    AppendLe(body, static_cast<std::uint32_t>(plain.size()));
    AppendLe(body, static_cast<std::uint32_t>(packed.size()));
    AppendLe(body, io::Checksum(packed));
    Append(body, packed);
  }
  Buffer file;
  Append(file, std::as_bytes(std::span(skeleton::kMagic)));
  AppendLe(file, static_cast<std::uint64_t>(skeleton::kHeaderBytes + body.size()));
  AppendLe(file, static_cast<std::uint64_t>(moves.size()));
  AppendLe(file, io::Checksum(moves));
  AppendLe(file, std::uint64_t{1});
  AppendLe(file, io::Checksum(file));
  file.resize(skeleton::kHeaderBytes);
  Append(file, body);
  Append(file, moves);
  return file;
}

void Run(Bytes input) {
  static const std::string folder = [] {
    std::string path = std::filesystem::temp_directory_path() /
                       ("wclayer-fuzz-skeleton-" + std::to_string(getpid()));
    std::filesystem::create_directories(path);
    std::ofstream(path + "/extra") << "some extra bytes";
    return path;
  }();
  if (input.empty()) return;
  if ((input[0] & std::byte{1}) != std::byte{0}) {
    Replay(folder, input.subspan(1));
  } else {
    Replay(folder, Sealed(input));
  }
}

}  // namespace
}  // namespace wclayer::layer

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wclayer::layer::Run(std::as_bytes(std::span(data, size)));
  return 0;
}
