#include "portable/failure.h"

#include <cerrno>
#include <string>

namespace wclayer::portable {
namespace {

// What LastError points to.
thread_local Error last_failure;

vmcompute::Hresult HresultOfErrno(int number) {
  switch (number) {
    case ENOENT:
      return vmcompute::kFileNotFound;
    case ENOTDIR:
      return vmcompute::kPathNotFound;
    case EEXIST:
      return vmcompute::kAlreadyExists;
    case ENOTEMPTY:
      return vmcompute::kDirNotEmpty;
    default:
      return vmcompute::kIoDevice;
  }
}

}  // namespace

vmcompute::Hresult HresultOf(const Error& error) {
  if (error.hresult != 0) return error.hresult;
  switch (error.code) {
    case Errc::kInvalidArgument:
      return vmcompute::kInvalidParameter;
    case Errc::kLayerNotFound:
      return vmcompute::kFileNotFound;
    case Errc::kLayerExists:
      return vmcompute::kAlreadyExists;
    case Errc::kParentNotFound:
      return vmcompute::kPathNotFound;
    case Errc::kLayerBusy:
      return vmcompute::kBusy;
    case Errc::kLayerDamaged:
    case Errc::kBadArchive:
    case Errc::kLimitExceeded:
    case Errc::kDigestMismatch:
      return vmcompute::kInvalidData;
    case Errc::kUnsafePath:
      return vmcompute::kInvalidName;
    case Errc::kUnsupported:
    case Errc::kHivesNotMergeable:
    case Errc::kBackendUnavailable:
    case Errc::kMountMismatch:
    case Errc::kCallTimeout:
    case Errc::kOsVersionMismatch:
      return vmcompute::kNotSupported;
    case Errc::kIo:
      return HresultOfErrno(error.sys_errno);
    case Errc::kNoSpace:
      return vmcompute::kDiskFull;
    case Errc::kAccessDenied:
      return vmcompute::kAccessDenied;
    case Errc::kCancelled:
      return vmcompute::kCancelled;
    case Errc::kPlatform:
    case Errc::kInternal:
      break;
  }
  return vmcompute::kUnexpected;
}

vmcompute::Hresult Remember(Error error) {
  const vmcompute::Hresult hr = HresultOf(error);
  last_failure = std::move(error);
  return hr;
}

vmcompute::Hresult RememberOutOfMemory() noexcept {
  last_failure.code = Errc::kInternal;
  last_failure.sys_errno = ENOMEM;
  last_failure.path.clear();
  last_failure.message.clear();
  last_failure.message.append("out of memory");  // short enough to need no allocation
  return vmcompute::kOutOfMemory;
}

void LastFailure(vmcompute::ErrorDetail* detail) {
  if (detail == nullptr) return;
  detail->code = static_cast<std::int32_t>(last_failure.code);
  detail->sys_errno = last_failure.sys_errno;
  detail->operation = last_failure.operation.c_str();
  detail->path = last_failure.path.c_str();
  detail->message = last_failure.message.c_str();
}

}  // namespace wclayer::portable
