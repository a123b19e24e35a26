// The system calls of the core, one by one, in the programs that try crashes and faults. They are
// linked with --wrap (see CMakeLists.txt): every call that the core's own objects make comes here
// first. What ships has no such seam, so it costs nothing there.
#pragma once

#include <cstddef>

namespace wclayer::crash {

enum class Op {
  kOther,   // reads, looks up, closes
  kCreate,  // opens a file that may be made by it
  kMakeDir,
  kMakeLink,  // symbolic or hard link, device
  kRemove,
  kRemoveDir,
  kRename,
  kExchange,
  kWrite,       // pwrite, write, copy_file_range, ftruncate, ioctl
  kRead,        // pread, preadv, read
  kChange,      // mode, times, attributes
  kMount,       // mounts and unmounts
  kSyncFile,    // fdatasync, fsync of a file
  kSyncFolder,  // fsync of a folder
  kSyncAll,     // syncfs
};

struct Call {
  const char* name = "";
  Op op = Op::kOther;
  int fd = -1;                 // the file, or the folder that `path` is below
  const char* path = nullptr;  // what is made, removed or renamed
  int to_fd = -1;
  const char* to_path = nullptr;
  std::size_t* length = nullptr;  // of a read or write: may be made smaller

  bool changes() const { return op != Op::kOther && op != Op::kRead; }
};

class Hook {
 public:
  virtual ~Hook() = default;
  // 0: the call is made. Else it is not, and fails with this errno; -1: it is not, and succeeds.
  virtual int Before(Call& call) = 0;
  virtual void After(const Call& call, long result) = 0;
};

// All calls of all threads, but those made in a hook itself. Null: none.
void Install(Hook* hook);

// While it lives, the calls of this thread pass unseen.
class Unseen {
 public:
  Unseen();
  ~Unseen();
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;
};

}  // namespace wclayer::crash
