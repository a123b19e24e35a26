// What is asked of Windows itself around the calls of vmcompute.dll. Tests have a Windows of their
// own.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "base/privileges.h"

namespace wclayer::vmcompute {

class Host {
 public:
  virtual ~Host() = default;
  virtual std::chrono::milliseconds Now() = 0;  // never goes back
  virtual void Sleep(std::chrono::milliseconds time) = 0;

  // "10.0.20348.2402", or fewer parts.
  virtual Expected<std::string> OsVersion() = 0;
  // "NTFS", "ReFS", …: of the volume that a folder is on.
  virtual Expected<std::string> FileSystemOf(const std::string& folder) = 0;
  // Programs that have one of the files open: "a.exe (pid 12), …"; "" if none is known.
  virtual std::string HoldersOf(const std::vector<std::string>& files) = 0;
  // Detaches a virtual disk that is attached, whoever did it.
  virtual Status DetachDisk(const std::string& file) = 0;
  // To read layers, and to write them.
  virtual Expected<PrivilegeHold> HoldPrivileges(const std::vector<std::string>& names) = 0;
};

#if defined(_WIN32)
Host& ThisHost();  // lives as long as the process
#endif

}  // namespace wclayer::vmcompute
