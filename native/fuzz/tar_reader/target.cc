// The tar reader on arbitrary bytes: it never fails otherwise than by an error, gives every byte
// back once and in order, and the pieces do not matter.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tar/header_block.h"
#include "tar/reader.h"
#include "tar/writer.h"

namespace wclayer::tar {
namespace {

void Require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class Checker : public Sink {
 public:
  Status OnRaw(Bytes bytes) override {
    Require(!bytes.empty() && !in_entry_, "raw bytes between an entry's start and end");
    bytes_ += AsText(bytes);
    return {};
  }
  Status OnEntry(const Entry& entry) override {
    Require(!in_entry_, "two entries at once");
    in_entry_ = true;
    left_ = entry.stored_size;
    Require(std::is_sorted(entry.pax.begin(), entry.pax.end()), "records out of order");
    std::uint64_t end = 0;
    std::uint64_t stored = 0;
    for (const SparseRange& range : entry.ranges) {
      Require(range.offset >= end && range.size > 0, "ranges out of order");
      end = range.offset + range.size;
      stored += range.size;
    }
    Require(end <= entry.size, "a range beyond the file's end");
    Require(!entry.sparse || stored == entry.stored_size, "ranges do not add up");
    entries_ += std::to_string(entry.offset) + entry.type + entry.name + '\0' + entry.link_name +
                '\0' + std::to_string(entry.size) + FormatTime(entry.mtime);
    for (const auto& [key, value] : entry.pax) entries_ += key + '=' + value + '\0';
    return {};
  }
  Status OnPayload(Bytes bytes) override {
    Require(in_entry_ && !bytes.empty() && bytes.size() <= left_, "payload that is none");
    left_ -= bytes.size();
    bytes_ += AsText(bytes);
    return {};
  }
  Status OnEntryEnd() override {
    Require(in_entry_ && left_ == 0, "an entry ends before its payload");
    in_entry_ = false;
    return {};
  }

  std::string bytes_;
  std::string entries_;

 private:
  bool in_entry_ = false;
  std::uint64_t left_ = 0;
};

std::string Read(Bytes tar, std::size_t piece, Checker& checker) {
  Reader reader(checker);
  while (!tar.empty()) {
    const std::size_t size = std::min(piece, tar.size());
    if (auto status = reader.Write(tar.first(size)); !status) return status.error().message;
    tar = tar.subspan(size);
  }
  const Status end = reader.Finish();
  return end ? "" : end.error().message;
}

// "????????" in place of a checksum stands for the right one, which a fuzzer would hardly find.
void RepairChecksums(Buffer& tar) {
  for (std::size_t at = 0; at + kBlock <= tar.size(); at += kBlock) {
    const MutableBytes block = MutableBytes(tar).subspan(at, kBlock);
    if (Slice(block, kChecksum) != "????????") continue;
    std::array<char, 8> digits{};
    std::snprintf(digits.data(), digits.size(), "%06o", Checksum(block));
    std::memcpy(block.data() + kChecksum.offset, digits.data(), digits.size());
  }
}

}  // namespace
}  // namespace wclayer::tar

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wclayer::tar;
  if (size == 0) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::size_t piece = 1 + std::to_integer<std::size_t>(bytes[size - 1]) * 5;
  wclayer::Buffer tar(bytes, bytes + size - 1);
  RepairChecksums(tar);
  Checker whole;
  Checker pieces;
  const std::string error = Read(tar, size, whole);
  Require(error == Read(tar, piece, pieces), "the error depends on the pieces");
  Require(whole.entries_ == pieces.entries_, "the entries depend on the pieces");
  if (error.empty()) {
    Require(whole.bytes_ == wclayer::AsText(tar) && pieces.bytes_ == whole.bytes_,
            "bytes are lost");
  }
  return 0;
}
