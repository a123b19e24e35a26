#include "portable/list_ahead.h"

#include <algorithm>
#include <cerrno>

#include "fs/system.h"
#include "io/thread_error.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

constexpr std::size_t kAskedBeforeAhead = 16;  // a few folders are not worth a thread
// What lies ready at most, but for the folder that goes beyond it.
constexpr std::size_t kFoldersReady = 256;
constexpr std::size_t kNamesReady = 16'384;
constexpr std::size_t kNext = 16;  // folders that are soon asked for, in the order that is gone by

std::size_t CountOf(const Expected<std::optional<ListedNames>>& listed) {
  return listed && *listed ? (*listed)->size() : 0;
}

}  // namespace

ListAhead::~ListAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    work_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

ListAhead::Result ListAhead::List(const std::string& path) {
  std::unique_lock lock(mutex_);
  if (auto ready = TakeReady(path, lock)) return *std::move(ready);
  // The thread has not come to it: nobody waits for that.
  LeaveOut(path);
  lock.unlock();
  Result listed = ListNow(path);
  lock.lock();
  AddFolders(path, listed);
  if (++asked_ >= kAskedBeforeAhead && !thread_.joinable()) WCLAYER_TRY(StartThread());
  return listed;
}

std::optional<ListAhead::Result> ListAhead::TakeReady(const std::string& path,
                                                      std::unique_lock<std::mutex>& lock) {
  done_.wait(lock, [&] { return in_work_ != path; });
  const auto at = ready_.find(path);
  if (at == ready_.end()) return std::nullopt;
  Result listed = std::move(at->second);
  ready_.erase(at);
  names_ready_ -= CountOf(listed);
  // A thread that is woken for each folder costs more than it does.
  if (ready_.size() <= kFoldersReady / 2 && names_ready_ <= kNamesReady / 2) work_.notify_one();
  return listed;
}

// The thread need not list it any more.
void ListAhead::LeaveOut(const std::string& path) {
  const auto end =
      pending_.rbegin() + static_cast<std::ptrdiff_t>(std::min(pending_.size(), kNext));
  const auto at = std::find(pending_.rbegin(), end, path);
  if (at != end) {
    pending_.erase(std::next(at).base());
  } else if (asked_ != 0) {
    out_of_order_.insert(path);
  }
}

// The folders in it come next.
void ListAhead::AddFolders(const std::string& path, const Result& listed) {
  if (!listed || !*listed) return;
  const ListedNames& names = **listed;
  for (auto name = names.rbegin(); name != names.rend(); ++name)
    if (name->info.type == fs::Type::kDirectory) pending_.push_back(Join(path, name->name));
  work_.notify_one();
}

ListAhead::Result ListAhead::ListNow(const std::string& path) const {
  const auto gone_or = [](Error error) -> Result {
    if (fs::IsGone(error)) return std::optional<ListedNames>();
    return error;
  };
  const auto dir = root_->OpenDir(path);
  if (!dir) return gone_or(dir.error());
  auto found = dir->List();
  if (!found) return gone_or(std::move(found).error());  // removed since it was opened
  std::vector<fs::Listed>& listed = *found;
  ListedNames names;
  names.reserve(listed.size());
  for (fs::Listed& item : listed) {
    auto info = dir->Stat(item.name);
    if (info) {
      names.push_back({std::move(item.name), *info});
    } else if (!fs::IsGone(info.error())) {
      return std::move(info).error();
    }
  }
  return std::optional<ListedNames>(std::move(names));
}

// ---- the thread

Status ListAhead::StartThread() {
  return io::StartThread(thread_, [this] { Run(); });
}

bool ListAhead::HasWork() const {
  return !pending_.empty() && ready_.size() < kFoldersReady && names_ready_ < kNamesReady;
}

void ListAhead::Run() {
  std::unique_lock lock(mutex_);
  // Without memory for what it found the thread ends: the user lists the rest alone, and is told
  // then.
  const Status ended = io::Guarded([&]() -> Status {
    for (;;) {
      work_.wait(lock, [&] { return stop_ || HasWork(); });
      if (stop_) return {};
      std::string next = std::move(pending_.back());
      pending_.pop_back();
      if (out_of_order_.erase(next) != 0) continue;
      in_work_ = std::move(next);
      lock.unlock();
      Result listed = ListNow(*in_work_);
      lock.lock();
      AddFolders(*in_work_, listed);
      names_ready_ += CountOf(listed);
      ready_.emplace(*in_work_, std::move(listed));
      in_work_.reset();
      done_.notify_one();
    }
  });
  if (ended) return;
  if (!lock.owns_lock()) lock.lock();
  in_work_.reset();
  done_.notify_one();
}

}  // namespace wclayer::portable
