#include "fs/system.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/filetime.h"

namespace wclayer::fs {

bool IsAbsolute(std::string_view path) {
  return path.starts_with('/');
}

std::string Canonical(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  if (real) return real.get();
  std::string text = path;
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string PathKey(const std::string& canonical) {
  return canonical;
}

Status CheckPresent(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return SystemError(errno, "stat", path);
  return {};
}

bool IsGone(const Error& error) {
  return IsAbsent(error) || error.sys_errno == ESTALE;
}

Status RandomBytes(MutableBytes bytes) {
  while (!bytes.empty()) {
    const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno != EINTR) return SystemError(errno, "getrandom", "");
    if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

std::int64_t FiletimeNow() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return kFiletimeOfUnixEpoch + now.tv_sec * 10000000 + now.tv_nsec / 100;
}

std::uint64_t ProcessId() {
  return static_cast<std::uint64_t>(::getpid());
}

Expected<UniqueFd> UnnamedFile() {
  UniqueFd file(::memfd_create("wclayer", MFD_CLOEXEC));
  if (!file) return SystemError(errno, "memfd_create", "");
  return file;
}

}  // namespace wclayer::fs
