#include "portable/staged_files.h"

namespace wclayer::portable {
namespace {

// Folders that may be held open for files yet to be made; a process may have 1,024 open files.
constexpr std::size_t kMaxOpenDirs = 128;

}  // namespace

void StagedFiles::Batch::clear() {
  steps.clear();
  dirs.clear();
  text.clear();
}

StagedFiles::StagedFiles() : put_off_([this](Batch& batch) { return Run(batch); }) {}

Status StagedFiles::Create(const std::shared_ptr<const fs::Dir>& dir, std::string_view name,
                           std::string_view path, bool read_only) {
  Batch& batch = put_off_.current();
  if (batch.dirs.empty() || batch.dirs.back() != dir) {
    batch.dirs.push_back(dir);
    ++open_dirs_;
  }
  Step step;
  step.act = Act::kCreate;
  step.read_only = read_only;
  step.dir = static_cast<std::uint32_t>(batch.dirs.size() - 1);
  step.at = batch.text.size();
  step.name_bytes = static_cast<std::uint32_t>(name.size());
  step.path_bytes = static_cast<std::uint32_t>(path.size());
  batch.text += name;
  batch.text += path;
  WCLAYER_TRY(Do(step));
  return open_dirs_ < kMaxOpenDirs ? Status() : Drain();
}

Status StagedFiles::MakeSparse() {
  Step step;
  step.act = Act::kMakeSparse;
  return Do(step);
}

Status StagedFiles::Write(Bytes bytes, std::uint64_t offset) {
  Step step;
  step.act = Act::kWrite;
  step.at = offset;
  step.bytes = bytes;
  return Do(step);
}

Status StagedFiles::Resize(std::uint64_t size) {
  Step step;
  step.act = Act::kResize;
  step.at = size;
  return Do(step);
}

Status StagedFiles::Close() {
  return Do(Step());
}

Status StagedFiles::Do(Step step) {
  put_off_.current().steps.push_back(step);
  return deferred_ ? Status() : Drain();
}

Status StagedFiles::Run(Batch& batch) {
  Status done;
  for (const Step& step : batch.steps) {
    done = Take(batch, step);
    if (done) continue;
    file_.reset();
    done.error().path = path_;
    break;
  }
  open_dirs_ -= batch.dirs.size();
  return done;
}

Status StagedFiles::Take(const Batch& batch, const Step& step) {
  switch (step.act) {
    case Act::kCreate: {
      const std::string_view text = std::string_view(batch.text).substr(step.at);
      path_ = text.substr(step.name_bytes, step.path_bytes);
      WCLAYER_ASSIGN(file_, batch.dirs[step.dir]->CreateFile(text.substr(0, step.name_bytes),
                                                             step.read_only ? 0400 : 0600));
      return {};
    }
    case Act::kMakeSparse:
      return fs::MakeSparse(file_.get());
    case Act::kWrite:
      return fs::WriteAt(file_.get(), step.bytes, step.at);
    case Act::kResize:
      return fs::Resize(file_.get(), step.at);
    case Act::kClose:
      file_.reset();
      return {};
  }
  return Error(Errc::kInternal, "a step that there is not");
}

}  // namespace wclayer::portable
