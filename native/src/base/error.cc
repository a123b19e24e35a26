#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace wclayer {
namespace {

Errc CodeOfErrno(int number) {
  switch (number) {
    case ENOSPC:
#ifdef EDQUOT
    case EDQUOT:
#endif
      return Errc::kNoSpace;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::kAccessDenied;
    case EBUSY:
      return Errc::kLayerBusy;
    default:
      return Errc::kIo;
  }
}

}  // namespace

Error::Error() noexcept = default;
Error::Error(Errc c, std::string what) noexcept : code(c), message(std::move(what)) {}
Error::Error(const Error&) = default;
Error::Error(Error&&) noexcept = default;
Error& Error::operator=(const Error&) = default;
Error& Error::operator=(Error&&) noexcept = default;
Error::~Error() = default;

Error Error::At(std::string_view where) && {
  if (path.empty()) path = where;
  return std::move(*this);
}

Error Error::In(std::string_view call) && {
  if (operation.empty()) operation = call;
  return std::move(*this);
}

Error Error::Of(std::string_view id) && {
  if (layer.empty()) layer = id;
  return std::move(*this);
}

std::string Error::ToString() const {
  std::string text;
  if (!operation.empty()) text += operation + ": ";
  if (!layer.empty()) text += "layer '" + layer + "': ";
  if (!path.empty()) text += "'" + path + "': ";
  text += message;
  char number[32];
  if (hresult != 0) {
    std::snprintf(number, sizeof number, " (0x%08x)", static_cast<std::uint32_t>(hresult));
    text += number;
  }
  if (sys_errno != 0) {
    std::snprintf(number, sizeof number, " (errno %d)", sys_errno);
    text += number;
  }
  return text;
}

Error SystemError(int number, std::string_view call, std::string_view path) {
  // Most that is looked for is not there, and the system's words take a while to find.
  static const std::string absent = std::generic_category().message(ENOENT);
  Error error(CodeOfErrno(number),
              number == ENOENT ? absent : std::generic_category().message(number));
  error.sys_errno = number;
  error.operation = call;
  error.path = path;
  return error;
}

}  // namespace wclayer
