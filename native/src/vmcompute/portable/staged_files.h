// The files of a layer being built: made and written at once or, after Defer, by whoever runs what
// was put off (io/put_off.h), while the entries behind them are being looked at.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fs/dir.h"
#include "io/put_off.h"

namespace wclayer::portable {

// One file at a time, by one thread: Create, then anything in any order, then Close.
class StagedFiles {
 public:
  StagedFiles();

  // `path`: of the entry, for errors. `name`: in `dir`, which may be closed afterwards.
  Status Create(const std::shared_ptr<const fs::Dir>& dir, std::string_view name,
                std::string_view path, bool read_only);
  Status MakeSparse();
  Status Write(Bytes bytes, std::uint64_t offset);  // deferred: lent, not copied
  Status Resize(std::uint64_t size);
  Status Close();

  void Defer() { deferred_ = true; }
  void Seal() { put_off_.Seal(); }
  Status RunSealed() { return put_off_.RunSealed(); }
  Status Drain() { return put_off_.Drain(); }  // all of it is on disk now, but for open files

 private:
  enum class Act : std::uint8_t { kCreate, kMakeSparse, kWrite, kResize, kClose };
  struct Step {
    Act act = Act::kClose;
    bool read_only = false;
    std::uint32_t dir = 0;         // kCreate: which of the batch's
    std::uint32_t name_bytes = 0;  // kCreate: in the batch's text, and the path behind it
    std::uint32_t path_bytes = 0;
    std::uint64_t at = 0;  // offset or size; kCreate: where the text begins
    Bytes bytes;
  };
  struct Batch {
    std::vector<Step> steps;
    std::vector<std::shared_ptr<const fs::Dir>> dirs;
    std::string text;
    bool empty() const { return steps.empty(); }
    void clear();
  };

  Status Do(Step step);
  Status Run(Batch& batch);
  Status Take(const Batch& batch, const Step& step);

  bool deferred_ = false;
  std::atomic<std::size_t> open_dirs_{0};  // held open by what was put off
  // Of the thread that runs.
  fs::UniqueFd file_;
  std::string path_;
  io::PutOff<Batch> put_off_;
};

}  // namespace wclayer::portable
