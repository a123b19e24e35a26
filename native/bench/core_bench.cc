// The core without Java, for the benchmarks: reads commands from stdin, a line each, words
// separated by tabs, and answers each with "ok NUMBER" or "error TEXT".
//
//   open HOME        further commands work on this home, durability=none       ok 0
//   diff ID          Diff from metadata, plain, read to its end                ok tar bytes
//   apply ID TAR     ApplyDiff of a base layer                                 ok tar bytes
//   remove ID                                                                  ok 0
//   read FOLDER      reads every file below a folder, and nothing else         ok bytes
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/page_buffer.h"
#include "wclayer/driver.h"

namespace wclayer {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

Error Complaint(std::string text) {
  return Error(Errc::kInvalidArgument, std::move(text));
}

class Bench {
 public:
  Expected<std::uint64_t> Do(const std::vector<std::string>& words) {
    const std::string& command = words[0];
    if (command == "open" && words.size() == 2) return Open(words[1]);
    if (command == "read" && words.size() == 2) return ReadTree(AT_FDCWD, words[1].c_str());
    if (driver_ == nullptr) return Complaint("no home is open");
    if (command == "diff" && words.size() == 2) return Diff(words[1]);
    if (command == "apply" && words.size() == 3) return Apply(words[1], words[2]);
    if (command == "remove" && words.size() == 2) return Remove(words[1]);
    return Complaint("unknown command");
  }

 private:
  Expected<std::uint64_t> Open(const std::string& home) {
    if (home == home_) return std::uint64_t{0};
    DriverOptions options;
    options.home = home;
    options.durability = DurabilityLevel::kNone;
    WCLAYER_ASSIGN(driver_, Driver::Open(table_, "portable", options));
    home_ = home;
    return std::uint64_t{0};
  }

  Expected<std::uint64_t> Diff(const std::string& id) {
    DiffOptions options;
    options.rebuild = true;
    std::unique_ptr<ByteSource> source;
    WCLAYER_ASSIGN(source, driver_->Diff(id, options));
    for (std::size_t count = 1; count != 0;) {
      WCLAYER_ASSIGN(count, source->Read(piece_));
    }
    return source->Result().tar_bytes;
  }

  Expected<std::uint64_t> Apply(const std::string& id, const std::string& tar) {
    ApplyOptions options;
    options.parent = "";
    std::unique_ptr<ApplyStream> apply;
    WCLAYER_ASSIGN(apply, driver_->ApplyDiff(id, options));
    const int file = ::open(tar.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return SystemError(errno, "open", tar);
    Status status;
    ssize_t count = 1;
    while (status && count > 0) {
      const auto room = apply->Room();
      if (!room) {
        status = room.error();
        break;
      }
      const MutableBytes into = room->empty() ? MutableBytes(piece_) : *room;
      count = ::read(file, into.data(), into.size());
      if (count <= 0) break;
      const Bytes came = into.first(static_cast<std::size_t>(count));
      status = room->empty() ? apply->Write(came) : apply->Filled(came.size());
    }
    ::close(file);
    if (!status) return std::move(status).error();
    if (count < 0) return SystemError(errno, "read", tar);
    ApplyResult result;
    WCLAYER_ASSIGN(result, apply->Finish());
    return result.tar_bytes;
  }

  Expected<std::uint64_t> Remove(const std::string& id) {
    WCLAYER_TRY(driver_->Remove(id, false));
    return std::uint64_t{0};
  }

  Expected<std::uint64_t> ReadTree(int parent, const char* name) {
    const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* folder = fd < 0 ? nullptr : ::fdopendir(fd);
    if (folder == nullptr) return SystemError(errno, "openat", name);
    const std::unique_ptr<DIR, int (*)(DIR*)> closing(folder, &::closedir);
    std::uint64_t total = 0;
    while (const dirent* entry = ::readdir(folder)) {
      const std::string_view child = entry->d_name;
      if (child == "." || child == "..") continue;
      std::uint64_t bytes = 0;
      if (entry->d_type == DT_DIR) {
        WCLAYER_ASSIGN(bytes, ReadTree(fd, entry->d_name));
      } else {
        WCLAYER_ASSIGN(bytes, ReadFile(fd, entry->d_name));
      }
      total += bytes;
    }
    return total;
  }

  Expected<std::uint64_t> ReadFile(int folder, const char* name) {
    const int file = ::openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return SystemError(errno, "openat", name);
    std::uint64_t total = 0;
    ssize_t count = 0;
    while ((count = ::read(file, piece_.data(), piece_.size())) > 0) {
      total += static_cast<std::uint64_t>(count);
      if (static_cast<std::size_t>(count) < piece_.size()) break;  // a short read ends a file
    }
    ::close(file);
    if (count < 0) return SystemError(errno, "read", name);
    return total;
  }

  const vmcompute::Table& table_ = vmcompute::Portable();
  PageBuffer piece_ = PageBuffer(kPieceBytes);
  std::string home_;
  std::unique_ptr<Driver> driver_;
};

std::vector<std::string> Split(const std::string& line) {
  std::vector<std::string> words(1);
  for (const char c : line) {
    if (c == '\t') {
      words.emplace_back();
    } else {
      words.back().push_back(c);
    }
  }
  return words;
}

int Run() {
  Bench bench;
  for (std::string line; std::getline(std::cin, line);) {
    const Expected<std::uint64_t> result = bench.Do(Split(line));
    if (result) {
      std::cout << "ok " << *result << std::endl;
    } else {
      std::cout << "error " << result.error().ToString() << std::endl;
    }
  }
  return 0;
}

}  // namespace
}  // namespace wclayer

int main() {
  return wclayer::Run();
}
