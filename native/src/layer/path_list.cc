#include "layer/path_list.h"

#include <cstring>

#include "base/limits.h"
#include "io/digest.h"

namespace wclayer::layer {
namespace {

constexpr char kMagic[] = {'W', 'C', 'L', 'P', 'A', 'T', 'H', '1'};
constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kSumAt = 24;
constexpr std::size_t kListTailBytes = 64u << 10;
// Three bytes of UTF-8 for a unit of UTF-16 at most.
constexpr std::uint64_t kMaxPathBytes = 3 * kMaxPathUnits;

Error ListDamaged(const char* what) {
  return Error(Errc::kLayerDamaged, std::string("the list of paths ") + what).At(kPathListFile);
}

}  // namespace

Expected<PathListWriter> PathListWriter::Create(const fs::Dir& folder) {
  PathListWriter list;
  WCLAYER_ASSIGN(list.file_, folder.CreateFile(kPathListFile));
  list.offsets_.push_back(kHeaderBytes);
  return list;
}

Expected<std::uint64_t> PathListWriter::Add(std::string_view path) {
  if (size() == kMaxEntries) return LimitError("kMaxEntries", kMaxEntries, size() + 1);
  tail_ += path;
  offsets_.push_back(offsets_.back() + path.size());
  if (tail_.size() >= kListTailBytes) WCLAYER_TRY(Flush());
  return size() - 1;
}

Status PathListWriter::Flush() {
  WCLAYER_TRY(fs::WriteAt(file_.get(), AsBytes(tail_), offsets_.back() - tail_.size()));
  tail_.clear();
  return {};
}

Expected<std::string> PathListWriter::At(std::uint64_t ordinal) {
  if (ordinal >= size()) return Error(Errc::kInternal, "no entry of this number");
  const std::uint64_t at = offsets_[ordinal];
  const auto bytes = static_cast<std::size_t>(offsets_[ordinal + 1] - at);
  const std::uint64_t written = offsets_.back() - tail_.size();
  if (at >= written) return tail_.substr(static_cast<std::size_t>(at - written), bytes);
  std::string path(bytes, '\0');
  WCLAYER_ASSIGN(const std::size_t got,
                 fs::ReadAt(file_.get(), std::as_writable_bytes(std::span(path)), at));
  if (got != bytes) return ListDamaged("ends too early");
  return path;
}

Status PathListWriter::Finish() {
  WCLAYER_TRY(Flush());
  WCLAYER_TRY(fs::WriteAt(file_.get(), std::as_bytes(std::span(offsets_)), offsets_.back()));
  Buffer header;
  Append(header, std::as_bytes(std::span(kMagic)));
  AppendLe(header, size());
  AppendLe(header, offsets_.back());
  AppendLe(header, io::Checksum(header));
  return fs::WriteAt(file_.get(), header, 0);
}

Expected<bool> PathList::Exists(const fs::Dir& folder) {
  return folder.Exists(kPathListFile);
}

Expected<PathList> PathList::Open(const fs::Dir& folder) {
  PathList list;
  WCLAYER_ASSIGN(list.file_, folder.OpenFile(kPathListFile));
  std::byte header[kHeaderBytes];
  WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(list.file_.get(), header, 0));
  if (got != sizeof header || std::memcmp(header, kMagic, sizeof kMagic) != 0 ||
      io::Checksum(Bytes(header).first(kSumAt)) != LoadLe<std::uint64_t>(header + kSumAt)) {
    return ListDamaged("has a wrong header");
  }
  list.size_ = LoadLe<std::uint64_t>(header + 8);
  list.offsets_at_ = LoadLe<std::uint64_t>(header + 16);
  WCLAYER_ASSIGN(const fs::Info info, fs::StatFd(list.file_.get()));
  if (list.size_ > kMaxEntries || list.offsets_at_ > info.size ||
      info.size - list.offsets_at_ != (list.size_ + 1) * sizeof(std::uint64_t)) {
    return ListDamaged("is not of the size it says");
  }
  return list;
}

Expected<std::string> PathList::At(std::uint64_t ordinal) const {
  if (ordinal >= size_) return Error(Errc::kLayerNotFound, "no entry of this number");
  std::byte ends[2 * sizeof(std::uint64_t)];
  WCLAYER_ASSIGN(std::size_t got,
                 fs::ReadAt(file_.get(), ends, offsets_at_ + ordinal * sizeof(std::uint64_t)));
  const auto from = LoadLe<std::uint64_t>(ends);
  const auto to = LoadLe<std::uint64_t>(ends + sizeof(std::uint64_t));
  if (got != sizeof ends || from < kHeaderBytes || from > to || to > offsets_at_ ||
      to - from > kMaxPathBytes) {
    return ListDamaged("holds an offset that cannot be");
  }
  std::string path(static_cast<std::size_t>(to - from), '\0');
  WCLAYER_ASSIGN(got, fs::ReadAt(file_.get(), std::as_writable_bytes(std::span(path)), from));
  if (got != path.size()) return ListDamaged("ends too early");
  return path;
}

}  // namespace wclayer::layer
