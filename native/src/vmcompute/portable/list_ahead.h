// The names below a folder and what stat says of each, listed in a thread of its own ahead of who
// walks the tree: half of the time of comparing a checkout is these system calls, the other half is
// looking the names up.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/expected.h"
#include "fs/dir.h"

namespace wclayer::portable {

struct ListedName {
  std::string name;
  fs::Info info;
};
using ListedNames = std::vector<ListedName>;  // sorted by bytes

// One thread uses it. The folder outlives it. Any order of asking is right; depth-first with the
// names of a folder sorted by bytes is what the thread goes by.
class ListAhead {
 public:
  explicit ListAhead(const fs::Dir& root) : root_(&root) {}
  ~ListAhead();

  // What the folder `path` below the root holds, whole; names that vanish on the way are left out.
  // Nothing: there is no such folder any more.
  Expected<std::optional<ListedNames>> List(const std::string& path);

 private:
  using Result = Expected<std::optional<ListedNames>>;

  Result ListNow(const std::string& path) const;
  void LeaveOut(const std::string& path);
  void AddFolders(const std::string& path, const Result& listed);
  std::optional<Result> TakeReady(const std::string& path, std::unique_lock<std::mutex>& lock);
  Status StartThread();
  void Run();
  bool HasWork() const;

  const fs::Dir* root_;

  std::mutex mutex_;
  std::condition_variable work_;      // for the thread: more folders, or room for what they hold
  std::condition_variable done_;      // for the user: the folder in work is listed
  std::vector<std::string> pending_;  // folders to be listed, the next one last
  std::unordered_set<std::string> out_of_order_;  // of them, those that the user has listed
  std::unordered_map<std::string, Result> ready_;
  std::size_t names_ready_ = 0;
  std::optional<std::string> in_work_;  // by the thread
  bool stop_ = false;
  std::size_t asked_ = 0;
  std::thread thread_;
};

}  // namespace wclayer::portable
