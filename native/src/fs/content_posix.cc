// The content of open files: reading, writing and copying ranges.
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/page_buffer.h"
#include "fs/dir.h"

namespace wclayer::fs {

Expected<std::size_t> ReadAt(int fd, MutableBytes buffer, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count =
        ::pread(fd, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
    if (count < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "pread", "");
    }
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Expected<std::size_t> ReadLast(int fd, MutableBytes buffer, std::uint64_t offset) {
  std::byte beyond{};
  std::size_t done = 0;
  for (;;) {
    const iovec parts[] = {{buffer.data() + done, buffer.size() - done}, {&beyond, 1}};
    const ssize_t count = ::preadv(fd, parts, 2, static_cast<off_t>(offset + done));
    if (count < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "preadv", "");
    }
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
    // Just what was expected of one byte more: the end, as a file's only short read is.
    if (done >= buffer.size()) break;
  }
  return done;
}

Status WriteAt(int fd, Bytes bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "pwrite", "");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

namespace {

constexpr std::uint64_t kSlabBytes = 1u << 20;

Error TooShort(std::uint64_t got, std::uint64_t size) {
  return Error(Errc::kLayerDamaged, "the file ends after " + std::to_string(got) + " bytes, " +
                                        std::to_string(size) + " are to be copied");
}

// Copies in the kernel what it can of a range that holds data; tells how much that was.
Expected<std::uint64_t> CopyRange(int from, int to, std::uint64_t offset, std::uint64_t size) {
  auto in = static_cast<off64_t>(offset);
  auto out = in;
  std::uint64_t done = 0;
  while (done < size) {
    const ssize_t count = ::copy_file_range(from, &in, to, &out, size - done, 0);
    if (count == 0) break;  // the end of the file; some file systems say so of any file
    if (count > 0) {
      done += static_cast<std::uint64_t>(count);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS ||
        errno == EPERM)
      break;
    return SystemError(errno, "copy_file_range", "");
  }
  return done;
}

Status CopyByHand(int from, int to, std::uint64_t offset, std::uint64_t size) {
  const std::uint64_t end = offset + size;
  PageBuffer slab(std::min(size, kSlabBytes));
  while (offset < end) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, slab.size()));
    WCLAYER_ASSIGN(const std::size_t count, ReadAt(from, MutableBytes(slab).first(piece), offset));
    if (count == 0) return TooShort(offset, end);
    WCLAYER_TRY(WriteAt(to, Bytes(slab).first(count), offset));
    offset += count;
  }
  return {};
}

// Makes `to` a reflink of `from`. False: the file system cannot, or not between these two.
Expected<bool> Clone(int from, int to, std::uint64_t size) {
  if (::ioctl(to, FICLONE, from) != 0) return false;
  WCLAYER_ASSIGN(const Info made, StatFd(to));
  if (made.size < size) return TooShort(made.size, size);
  // The whole file was cloned, `size` may be less.
  if (made.size > size && ::ftruncate(to, static_cast<off_t>(size)) != 0)
    return SystemError(errno, "ftruncate", "");
  return true;
}

}  // namespace

Status MakeSparse(int) {
  return {};
}

Status CopyContent(int from, int to, std::uint64_t size) {
  if (size == 0) return {};
  WCLAYER_ASSIGN(const bool cloned, Clone(from, to, size));
  if (cloned) return {};
  std::uint64_t done = 0;
  while (done < size) {
    const off_t data = ::lseek(from, static_cast<off_t>(done), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // nothing but a hole follows, or nothing at all
    if (data < 0) return SystemError(errno, "lseek", "");
    const auto begin = static_cast<std::uint64_t>(data);
    if (begin >= size) break;
    const off_t hole = ::lseek(from, data, SEEK_HOLE);
    if (hole < 0) return SystemError(errno, "lseek", "");
    const std::uint64_t end = std::min(static_cast<std::uint64_t>(hole), size);
    WCLAYER_ASSIGN(const std::uint64_t copied, CopyRange(from, to, begin, end - begin));
    if (copied < end - begin)
      WCLAYER_TRY(CopyByHand(from, to, begin + copied, end - begin - copied));
    done = end;
  }
  if (done == size) return {};
  // The rest is a hole, unless the source ends early: a copy never makes up zeros.
  WCLAYER_ASSIGN(const Info source, StatFd(from));
  if (source.size < size) return TooShort(source.size, size);
  if (::ftruncate(to, static_cast<off_t>(size)) != 0) return SystemError(errno, "ftruncate", "");
  return {};
}

}  // namespace wclayer::fs
