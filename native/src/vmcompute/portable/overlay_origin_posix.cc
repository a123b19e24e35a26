#include "portable/overlay_origin.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "io/digest.h"
#include "portable/names.h"

namespace wclayer::portable {
namespace {

constexpr char kMarkAttribute[] = "user.wclayer.entry";
constexpr std::size_t kMarkBytes = 12;
constexpr char kOriginAttribute[] = "trusted.overlay.origin";
// version, magic, length, flags, handle type, UUID of the file system (spec mounting §4)
constexpr std::size_t kOriginHeader = 21;
constexpr std::byte kOriginMagic{0xFB};
constexpr std::size_t kOriginMagicAt = 1;
constexpr std::size_t kOriginLengthAt = 2;
constexpr std::size_t kOriginTypeAt = 4;
constexpr std::size_t kMaxHandle = 128;  // MAX_HANDLE_SZ
constexpr std::size_t kMaxAttribute = 4096;

// The name relative to an open folder: extended attributes have no call of that form.
std::string ByDescriptor(const fs::Dir& folder, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(folder.fd()) + '/' + name;
}

bool NoSuchAttribute(int number) {
  return number == ENODATA || number == ENOTSUP || number == EPERM || number == EACCES;
}

std::string TextOf(std::uint8_t type, const void* bytes, std::size_t size) {
  std::string text(1, static_cast<char>(type));
  text.append(static_cast<const char*>(bytes), size);
  return text;
}

}  // namespace

Expected<std::string> HandleOf(const fs::Dir& folder, const std::string& name) {
  alignas(file_handle) char room[sizeof(file_handle) + kMaxHandle];
  auto* handle = reinterpret_cast<file_handle*>(room);
  handle->handle_bytes = kMaxHandle;
  int mount = 0;
  const int flags = name.empty() ? AT_EMPTY_PATH : 0;
  if (::name_to_handle_at(folder.fd(), name.c_str(), handle, &mount, flags) == 0)
    return TextOf(static_cast<std::uint8_t>(handle->handle_type),
                  room + offsetof(file_handle, f_handle), handle->handle_bytes);
  if (errno == ENOENT) return SystemError(errno, "name_to_handle_at", name);
  return std::string();
}

Expected<std::string> OriginHandleOf(const fs::Dir& folder, const std::string& name) {
  std::byte value[kOriginHeader + kMaxHandle];
  const auto got =
      ::lgetxattr(ByDescriptor(folder, name).c_str(), kOriginAttribute, value, sizeof value);
  if (got < 0) {
    if (NoSuchAttribute(errno) || errno == ERANGE) return std::string();
    return SystemError(errno, "lgetxattr", name);
  }
  const auto size = static_cast<std::size_t>(got);
  if (size <= kOriginHeader || value[kOriginMagicAt] != kOriginMagic ||
      static_cast<std::size_t>(value[kOriginLengthAt]) > size)
    return std::string();
  const auto length = static_cast<std::size_t>(value[kOriginLengthAt]);
  if (length <= kOriginHeader) return std::string();
  return TextOf(static_cast<std::uint8_t>(value[kOriginTypeAt]), value + kOriginHeader,
                length - kOriginHeader);
}

Expected<std::optional<std::string>> OverlayAttribute(const fs::Dir& folder, const char* name) {
  std::string value(kMaxAttribute, '\0');
  const std::string attribute = std::string("trusted.overlay.") + name;
  const auto got = ::fgetxattr(folder.fd(), attribute.c_str(), value.data(), value.size());
  if (got < 0) {
    if (NoSuchAttribute(errno)) return std::optional<std::string>();
    return SystemError(errno, "fgetxattr", attribute);
  }
  value.resize(static_cast<std::size_t>(got));
  return std::optional<std::string>(std::move(value));
}

std::uint64_t MarkOfLayer(std::string_view id) {
  const std::string folded = Fold(id);
  return io::Checksum(AsBytes(folded));
}

Status WriteMark(const fs::Dir& folder, const std::string& name, const EntryMark& mark) {
  std::byte value[kMarkBytes];
  StoreLe(value, mark.ordinal);
  StoreLe(value + 4, mark.layer);
  if (::lsetxattr(ByDescriptor(folder, name).c_str(), kMarkAttribute, value, sizeof value, 0) == 0)
    return {};
  if (NoSuchAttribute(errno) || errno == ENOSPC) return {};
  return SystemError(errno, "lsetxattr", name);
}

std::optional<EntryMark> ReadMark(const fs::Dir& folder, const std::string& name) {
  std::byte value[kMarkBytes];
  const auto got =
      ::lgetxattr(ByDescriptor(folder, name).c_str(), kMarkAttribute, value, sizeof value);
  if (got != static_cast<ssize_t>(sizeof value)) return std::nullopt;
  EntryMark mark;
  mark.ordinal = LoadLe<std::uint32_t>(value);
  mark.layer = LoadLe<std::uint64_t>(value + 4);
  return mark;
}

}  // namespace wclayer::portable
