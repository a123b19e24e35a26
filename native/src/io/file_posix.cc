#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace wclayer::io {

void CloseDescriptor(int fd) {
  ::close(fd);
}

Expected<UniqueFd> OpenForReading(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return SystemError(errno, "open", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return SystemError(errno, "fstat", path);
  if (S_ISDIR(info.st_mode)) return SystemError(EISDIR, "open", path);
  return fd;
}

Expected<UniqueFd> CreateForWriting(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return SystemError(errno, "open", path);
  return fd;
}

Status FileSink::Write(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "write", "");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Expected<std::size_t> ReadSome(int fd, MutableBytes buffer) {
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return SystemError(errno, "read", "");
  }
}

}  // namespace wclayer::io
