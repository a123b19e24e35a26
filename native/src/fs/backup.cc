// Files that are bytes and nothing else: a backup stream of one has its data alone.
#include "fs/backup.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/filetime.h"
#include "base/limits.h"

namespace wclayer::fs {
namespace {

constexpr std::size_t kHeaderBytes = 20;
constexpr std::uint32_t kDataStream = 1;
constexpr std::uint32_t kSparseBlock = 9;
constexpr std::uint32_t kFileAttributes = 0x20;
constexpr std::uint32_t kDirectoryAttribute = 0x10;

class PlainReader final : public BackupReader {
 public:
  Status Start(const Dir& dir, std::string_view path) {
    WCLAYER_ASSIGN(info_, dir.Stat(path));
    const bool file = info_.type == Type::kFile;
    if (!file && info_.type != Type::kDirectory)
      return Error(Errc::kUnsupported, "neither a file nor a folder").At(path);
    if (file) {
      WCLAYER_ASSIGN(file_, dir.OpenFile(path));
      std::memcpy(head_, &kDataStream, sizeof kDataStream);
      std::memcpy(head_ + 8, &info_.size, sizeof info_.size);
    }
    const UnixTime written{info_.mtime_seconds, static_cast<std::int32_t>(info_.mtime_nanos)};
    std::int64_t time = 0;
    if (!FiletimeOfUnix(written, time, times_.time_remainder[2])) time = kFiletimeOfUnixEpoch;
    std::fill(std::begin(times_.times), std::end(times_.times), time);
    times_.time_absent = kAllButWriteTimeAbsent;
    times_.attributes = file ? kFileAttributes : kDirectoryAttribute;
    return {};
  }

  Expected<std::size_t> Read(MutableBytes buffer) override {
    if (!file_) return std::size_t{0};
    if (at_ < kHeaderBytes) {
      const auto count = std::min(static_cast<std::size_t>(kHeaderBytes - at_), buffer.size());
      std::memcpy(buffer.data(), head_ + at_, count);
      at_ += count;
      return count;
    }
    const std::uint64_t done = at_ - kHeaderBytes;
    const auto most =
        static_cast<std::size_t>(std::min<std::uint64_t>(info_.size - done, buffer.size()));
    WCLAYER_ASSIGN(const std::size_t count, ReadAt(file_.get(), buffer.first(most), done));
    if (count == 0 && most != 0)
      return Error(Errc::kIo, "the file became shorter while it was read");
    at_ += count;
    return count;
  }

  Expected<Buffer> Eas() override { return Buffer(); }

 private:
  UniqueFd file_;  // none of a folder
  std::byte head_[kHeaderBytes] = {};
  std::uint64_t at_ = 0;  // in header and data
};

// Of the stream it keeps the main data.
class PlainWriter final : public BackupWriter {
 public:
  Status Start(const Dir& dir, std::string_view path, const StoredTimes& times, Target target) {
    WCLAYER_ASSIGN(dir_, dir.Clone());
    path_ = path;
    times_ = times;
    if ((times.attributes & kDirectoryAttribute) == 0) {
      WCLAYER_ASSIGN(file_, dir.CreateFile(path));
      return {};
    }
    auto made = dir.MakeDir(path);
    const bool there = !made && made.error().sys_errno == EEXIST;
    return there && target == Target::kNewOrFolder ? Status() : made;
  }

  Status Write(Bytes stream) override {
    while (!stream.empty()) {
      if (!inside_) WCLAYER_TRY(TakeHead(stream));
      if (inside_) WCLAYER_TRY(TakeBody(stream));
    }
    return {};
  }

  Status Finish() override {
    if (inside_ || have_ != 0)
      return Error(Errc::kInvalidArgument, "a backup stream that is cut").At(path_);
    file_.reset();
    return SetAllTimes(dir_, path_, times_);
  }

 private:
  std::uint32_t Id() const {
    std::uint32_t id = 0;
    std::memcpy(&id, head_, sizeof id);
    return id;
  }
  std::size_t HeadBytes() const {
    if (have_ < sizeof(std::uint32_t)) return sizeof(std::uint32_t);  // it says how long it is
    return Id() == kSparseBlock ? sizeof head_ : kHeaderBytes;
  }

  Status TakeHead(Bytes& stream) {
    const std::size_t step = std::min(HeadBytes() - have_, stream.size());
    std::memcpy(head_ + have_, stream.data(), step);
    have_ += step;
    stream = stream.subspan(step);
    if (have_ < HeadBytes()) return {};
    have_ = 0;
    std::uint32_t name = 0;
    std::memcpy(&data_left_, head_ + 8, sizeof data_left_);
    std::memcpy(&name, head_ + 16, sizeof name);
    name_left_ = name;
    const bool block = Id() == kSparseBlock;
    main_ = Id() == kDataStream || (main_ && block);
    at_ = 0;
    if (block) WCLAYER_TRY(TakeOffset());
    inside_ = name_left_ != 0 || data_left_ != 0;
    return {};
  }

  Status TakeOffset() {
    std::memcpy(&at_, head_ + kHeaderBytes, sizeof at_);
    if (data_left_ < sizeof at_)
      return Error(Errc::kInvalidArgument, "a cut sparse block").At(path_);
    data_left_ -= sizeof at_;
    if (at_ > kMaxFileBytes) return LimitError("kMaxFileBytes", kMaxFileBytes, at_);
    return file_ && main_ ? Resize(file_.get(), at_) : Status();
  }

  Status TakeBody(Bytes& stream) {
    const auto name = static_cast<std::size_t>(std::min<std::uint64_t>(name_left_, stream.size()));
    stream = stream.subspan(name);
    name_left_ -= name;
    const auto data = static_cast<std::size_t>(std::min<std::uint64_t>(data_left_, stream.size()));
    if (main_ && file_) WCLAYER_TRY(WriteAt(file_.get(), stream.first(data), at_));
    stream = stream.subspan(data);
    at_ += data;
    data_left_ -= data;
    inside_ = name_left_ != 0 || data_left_ != 0;
    return {};
  }

  UniqueFd file_;  // none of a folder
  Dir dir_;
  std::string path_;
  StoredTimes times_;
  std::byte head_[kHeaderBytes + sizeof(std::uint64_t)] = {};  // with a sparse block's offset
  std::size_t have_ = 0;
  std::uint64_t name_left_ = 0;
  std::uint64_t data_left_ = 0;
  bool inside_ = false;  // a stream's name or data
  bool main_ = false;
  std::uint64_t at_ = 0;
};

}  // namespace

Expected<std::unique_ptr<BackupReader>> OpenPlainReader(const Dir& dir, std::string_view path) {
  auto reader = std::make_unique<PlainReader>();
  WCLAYER_TRY(reader->Start(dir, path));
  return std::unique_ptr<BackupReader>(std::move(reader));
}

Expected<std::unique_ptr<BackupWriter>> OpenPlainWriter(const Dir& dir, std::string_view path,
                                                        const StoredTimes& times,
                                                        BackupWriter::Target target) {
  auto writer = std::make_unique<PlainWriter>();
  WCLAYER_TRY(writer->Start(dir, path, times, target));
  return std::unique_ptr<BackupWriter>(std::move(writer));
}

}  // namespace wclayer::fs
