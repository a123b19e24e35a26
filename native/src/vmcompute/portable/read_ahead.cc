#include "portable/read_ahead.h"

#include <algorithm>

#include "portable/names.h"

namespace wclayer::portable {
namespace {

constexpr std::size_t kSlabs = 4;
constexpr std::size_t kSlabBytes = 256u << 10;

}  // namespace

Error WrongSize(bool shorter) {
  return Error(Errc::kLayerDamaged, shorter ? "the stored payload is shorter than it was"
                                            : "the stored payload is longer than it was");
}

Expected<fs::UniqueFd> FileOpener::Open(const std::string& disk_path) {
  WCLAYER_ASSIGN(const fs::Dir* folder, folders_.Open(ParentOf(disk_path)));
  return folder->OpenFile(NameOf(disk_path));
}

ReadAhead::ReadAhead(const fs::Dir& root) : ring_(kSlabs, kSlabBytes, 2), opener_(root) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    added_.notify_all();
  }
  ring_.Abandon();
}

Status ReadAhead::Add(std::vector<File> files) {
  {
    const std::lock_guard lock(mutex_);
    for (File& file : files) files_.push_back(std::move(file));
    added_.notify_all();
  }
  if (started_) return {};
  started_ = true;
  return thread_.Start(ring_, 0, [this] { return Run(); });
}

Expected<std::size_t> ReadAhead::Read(MutableBytes buffer) {
  if (taken_ == nullptr) {
    WCLAYER_ASSIGN(taken_, ring_.Next(1));
    if (taken_ == nullptr) return Error(Errc::kInternal, "read ahead of what was asked for");
    taken_at_ = 0;
  }
  const std::size_t count = std::min(buffer.size(), taken_->used - taken_at_);
  std::copy_n(taken_->bytes.begin() + static_cast<std::ptrdiff_t>(taken_at_), count,
              buffer.begin());
  taken_at_ += count;
  if (taken_at_ == taken_->used) {
    taken_ = nullptr;
    ring_.Pass(1);
  }
  return count;
}

Status ReadAhead::Skip(std::uint64_t bytes) {
  std::byte scratch[4096];
  while (bytes != 0) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, sizeof scratch));
    WCLAYER_ASSIGN(const std::size_t count, Read(MutableBytes(scratch, piece)));
    bytes -= count;
  }
  return {};
}

// ---- the thread

Status ReadAhead::Run() {
  File file;
  for (;;) {
    WCLAYER_ASSIGN(const bool more, Await(file));
    if (!more) return {};
    if (auto read = ReadFile(file); !read) {
      PassOn();
      Error error = std::move(read).error();
      error.path = file.path;
      return error;
    }
  }
}

// The next file; nobody waits for bytes that are here already. False: there are none any more.
Expected<bool> ReadAhead::Await(File& file) {
  std::unique_lock lock(mutex_);
  if (files_.empty() && !stop_) {
    lock.unlock();
    PassOn();
    lock.lock();
  }
  added_.wait(lock, [&] { return stop_ || !files_.empty(); });
  if (stop_) return false;
  file = std::move(files_.front());
  files_.pop_front();
  return true;
}

void ReadAhead::PassOn() {
  if (filling_ == nullptr || filling_->used == 0) return;
  filling_ = nullptr;
  ring_.Pass(0);
}

Status ReadAhead::ReadFile(const File& file) {
  WCLAYER_ASSIGN(const fs::UniqueFd fd, opener_.Open(file.disk_path));
  for (std::uint64_t at = 0; at < file.size;) {
    if (filling_ == nullptr) {
      WCLAYER_ASSIGN(filling_, ring_.Next(0));
    }
    const MutableBytes room = MutableBytes(filling_->bytes).subspan(filling_->used);
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(file.size - at, room.size()));
    const bool last = want == file.size - at;
    WCLAYER_ASSIGN(const std::size_t got, last ? fs::ReadLast(fd.get(), room.first(want), at)
                                               : fs::ReadAt(fd.get(), room.first(want), at));
    if (got != want) return WrongSize(got < want);
    filling_->used += want;
    at += want;
    if (filling_->used == filling_->bytes.size()) PassOn();
  }
  return {};
}

}  // namespace wclayer::portable
