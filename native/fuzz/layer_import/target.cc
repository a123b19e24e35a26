// The importer on arbitrary tars: items and streams that a sink may rely on, and the same bytes
// back from the skeleton.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "backup/stream.h"
#include "base/upcase.h"
#include "layer/importer.h"
#include "layer/names.h"
#include "layer/skeleton.h"

namespace wclayer::layer {
namespace {

void Require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Where the streams of an item go; checks their form.
class Payloads final : public backup::Sink {
 public:
  Status OnStream(const backup::StreamHeader& header, std::uint64_t) override {
    if (header.id == backup::StreamId::kData) current_ = 0;
    if (header.id == backup::StreamId::kAlternateData) current_ = ++alternates_;
    kept_ = header.id == backup::StreamId::kData || header.id == backup::StreamId::kSparseBlock ||
            header.id == backup::StreamId::kAlternateData;
    return {};
  }
  Status OnData(Bytes bytes) override {
    if (kept_) data[current_] += AsText(bytes);
    return {};
  }
  Status OnStreamEnd() override { return {}; }
  std::map<std::uint32_t, std::string> data;  // sparse files: the ranges alone

 private:
  std::uint32_t current_ = 0;
  std::uint32_t alternates_ = 0;
  bool kept_ = false;
};

// Keeps the raw streams, so that a replay can read them again.
class Layer final : public ItemSink, public ItemSource {
 public:
  Expected<std::uint64_t> Begin(const Item& item) override {
    Require(CheckWindowsPath(item.path).has_value(), "a bad path came through");
    if (!item.link_target.empty()) {
      Require(IsBelowFiles(item.link_target) && IsBelowFiles(item.path), "a link out of Files");
    }
    if (item.deleted) Require(item.opaque || IsBelowFiles(item.path), "a whiteout out of Files");
    const std::string key = UpcaseUtf8(item.path);
    if (item.directory() && !item.deleted && folders_.contains(key)) {
      current_ = folders_[key];
      streams_[current_].clear();
      return current_;
    }
    streams_.emplace_back();
    current_ = streams_.size() - 1;
    if (item.directory() && !item.deleted) folders_[key] = current_;
    takes_stream_ = !item.deleted && item.link_target.empty();
    return current_;
  }
  Status Write(Bytes stream) override {
    Require(takes_stream_ || !stream.empty(), "an empty write");
    Append(streams_[current_], stream);
    return {};
  }
  Expected<std::size_t> ReadBack(std::uint64_t ordinal, std::uint32_t stream, std::uint64_t offset,
                                 MutableBytes buffer) override {
    Payloads payloads;
    backup::Decoder decoder(payloads);
    Require(decoder.Write(streams_.at(ordinal)).has_value(), "a stream that is none");
    const std::string& data = payloads.data[stream];
    if (offset >= data.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(buffer.size(), data.size() - offset);
    std::copy_n(AsBytes(data).begin() + static_cast<std::ptrdiff_t>(offset), count, buffer.begin());
    return count;
  }
  Expected<bool> Next(Item&) override { return false; }
  Expected<std::size_t> Read(MutableBytes buffer) override {
    const Buffer& from = streams_[current_];
    const std::size_t count = std::min(buffer.size(), from.size() - at_);
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at_), count, buffer.begin());
    at_ += count;
    return count;
  }
  Status Seek(std::uint64_t ordinal, Item&) override {
    Require(ordinal < streams_.size(), "an ordinal that was never given");
    current_ = ordinal;
    at_ = 0;
    return {};
  }
  void CheckStreams() {
    for (const Buffer& stream : streams_) {
      Payloads payloads;
      backup::Decoder decoder(payloads);
      auto status = decoder.Write(stream);
      if (status) status = decoder.Finish();
      Require(status.has_value(), "a stream that is not whole");
    }
  }

 private:
  std::vector<Buffer> streams_;
  std::map<std::string, std::size_t> folders_;
  std::size_t current_ = 0;
  std::size_t at_ = 0;
  bool takes_stream_ = false;
};

void Run(Bytes tar) {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("wclayer-fuzz-import-" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  Layer layer;
  SkeletonWriter skeleton(*fs::Dir::OpenAbsolute(folder));
  TarImporter importer(layer, &skeleton, {});
  auto done = importer.Write(tar);
  if (done) done = importer.Finish();
  if (!done) return;
  Require(skeleton.Finish().has_value(), "the skeleton does not finish");
  layer.CheckStreams();
  auto replay = SkeletonReplay::Open(folder, layer);
  Require(replay.has_value(), "the skeleton does not open");
  std::string back;
  Buffer buffer(64u << 10);
  for (;;) {
    const auto count = (*replay)->Fill(buffer);
    if (!count && importer.summary().warnings.empty()) {
      Require(false, count.error().ToString().c_str());
    }
    if (!count) return;  // a sparse file that came twice: ReadBack here has no holes
    if (*count == 0) break;
    back += AsText(Bytes(buffer).first(*count));
  }
  Require(back == AsText(tar), "other bytes came back");
}

}  // namespace
}  // namespace wclayer::layer

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wclayer::layer::Run(std::as_bytes(std::span(data, size)));
  return 0;
}
