// What failed, on what, and why: the one error value of the core. No exception is thrown for a
// failure that input, the disk or Windows can cause; see Expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace wclayer {

// The kinds of failure a caller can tell apart. Java has one exception class for each
// (dev.wclayer.LayerException and its subclasses); the numbers are shared with it and never change.
enum class Errc : std::int32_t {
  kInvalidArgument = 1,      // the call is wrong whatever the state of the store
  kLayerNotFound = 2,        // no layer of that id
  kLayerExists = 3,          // the layer is there already (or filled already)
  kParentNotFound = 4,       // the parent named does not exist or cannot be a parent
  kLayerBusy = 5,            // in use: mounted, being read or written, has children, lock held
  kLayerDamaged = 6,         // what is stored is not what was stored
  kBadArchive = 7,           // the tar, gzip or zstd stream is malformed or truncated
  kUnsafePath = 8,           // a name that leaves the layer, or that Windows cannot hold
  kLimitExceeded = 9,        // a named limit was passed
  kDigestMismatch = 10,      // the digest is not the expected one
  kUnsupported = 11,         // asked for something this backend or layer cannot do
  kHivesNotMergeable = 12,   // several squashed layers carry registry deltas
  kIo = 13,                  // the file system refused (sys_errno says why)
  kNoSpace = 14,             // ENOSPC, EDQUOT
  kAccessDenied = 15,        // EACCES, EPERM, a missing privilege
  kPlatform = 16,            // vmcompute failed (hresult says why)
  kCancelled = 17,           // the caller cancelled
  kBackendUnavailable = 18,  // vmcompute.dll missing, kernel without what is needed
  kMountMismatch = 19,       // layer recorded as overlay (or checkout), which is not possible here
  kInternal = 20,            // a broken promise of our own
  kCallTimeout = 21,         // a call of vmcompute has not returned in time
  kOsVersionMismatch = 22,   // the image needs a newer Windows than this host
};

struct Error {
  Errc code = Errc::kInternal;
  std::int32_t hresult = 0;    // 0: the failure did not come from vmcompute
  std::int32_t sys_errno = 0;  // 0: the failure did not come from the operating system
  std::string operation;  // the call that failed: "ApplyDiff", "openat2", "vmcompute!ActivateLayer"
  std::string layer;      // layer id, UTF-8; empty if none is meant
  std::string path;       // path inside the layer (or of a file outside), UTF-8; empty if none
  std::string message;    // what is wrong and what would help, one line, no full stop

  // None of these is inline: at every call of something that can fail they would be most of the
  // code.
  Error() noexcept;
  Error(Errc c, std::string what) noexcept;
  Error(const Error&);
  Error(Error&&) noexcept;
  Error& operator=(const Error&);
  Error& operator=(Error&&) noexcept;
  ~Error();

  // The outermost caller that knows a detail fills it in; what is there already stays.
  Error At(std::string_view where) &&;
  Error In(std::string_view call) &&;
  Error Of(std::string_view id) &&;

  // "ApplyDiff: layer 'x': 'Files/a': message (errno 28)": everything on one line.
  std::string ToString() const;
};

// An Error for errno `number` of system call `call` on `path`; the code follows from the number.
Error SystemError(int number, std::string_view call, std::string_view path);

}  // namespace wclayer
