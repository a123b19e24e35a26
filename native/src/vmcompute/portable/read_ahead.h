// The data of the files that an export comes to next, opened and read in a thread of its own: half
// of the time of an export of small files is system calls, the other half is headers.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/expected.h"
#include "fs/dir.h"
#include "io/stage_thread.h"
#include "portable/folder_opener.h"

namespace wclayer::portable {

// A stored file that is not as long as the metadata says.
Error WrongSize(bool shorter);

// Opens files below a folder; the folder of the file before is kept open. One thread at a time.
class FileOpener {
 public:
  explicit FileOpener(const fs::Dir& root) : folders_(root) {}
  Expected<fs::UniqueFd> Open(const std::string& disk_path);

 private:
  FolderOpener folders_;
};

// One thread uses it. The folder outlives it.
class ReadAhead {
 public:
  struct File {
    std::string path;  // for messages
    std::string disk_path;
    std::uint64_t size = 0;
  };

  explicit ReadAhead(const fs::Dir& root);
  ~ReadAhead();
  // Files whose data is read one behind the other, after those added before.
  Status Add(std::vector<File> files);
  // Some of the next bytes, at least one; no more than were added. What went wrong with a file is
  // the answer in the place of its bytes, from then on.
  Expected<std::size_t> Read(MutableBytes buffer);
  Status Skip(std::uint64_t bytes);

 private:
  Status Run();
  Expected<bool> Await(File& file);
  Status ReadFile(const File& file);
  void PassOn();

  io::SlabRing ring_;
  io::SlabRing::Slab* taken_ = nullptr;  // the user's
  std::size_t taken_at_ = 0;

  // The thread's own.
  FileOpener opener_;
  io::SlabRing::Slab* filling_ = nullptr;

  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<File> files_;
  bool stop_ = false;
  bool started_ = false;
  io::StageThread thread_;
};

}  // namespace wclayer::portable
