// Windows as the driver asks it. Calls that only some Windows have, or that are rarely needed, are
// looked up when they are: a program that never mounts needs neither virtdisk.dll nor rstrtmgr.dll.
#include "vmcompute/host.h"

#include <thread>

#include "base/windows.h"
// after windows.h
#include <restartmanager.h>
#include <virtdisk.h>

namespace wclayer::vmcompute {
namespace {

constexpr std::size_t kMaxHolders = 16;  // named in a message

// A function of a DLL of the system directory; null: this Windows does not have it.
template <class Function>
Function* Find(const wchar_t* dll, const char* name) {
  const HMODULE module = ::LoadLibraryExW(dll, nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (module == nullptr) return nullptr;
  return reinterpret_cast<Function*>(reinterpret_cast<void (*)()>(::GetProcAddress(module, name)));
}

Error Missing(const char* dll, const char* name) {
  return Error(Errc::kUnsupported, std::string(dll) + " of this Windows has no " + name);
}

class RestartManager {
 public:
  RestartManager()
      : start_(Find<decltype(::RmStartSession)>(L"rstrtmgr.dll", "RmStartSession")),
        add_(Find<decltype(::RmRegisterResources)>(L"rstrtmgr.dll", "RmRegisterResources")),
        list_(Find<decltype(::RmGetList)>(L"rstrtmgr.dll", "RmGetList")),
        end_(Find<decltype(::RmEndSession)>(L"rstrtmgr.dll", "RmEndSession")) {}

  std::string Holders(std::vector<LPCWSTR> files) const {
    if (start_ == nullptr || add_ == nullptr || list_ == nullptr || end_ == nullptr) return {};
    DWORD session = 0;
    WCHAR key[CCH_RM_SESSION_KEY + 1] = {};
    if (start_(&session, 0, key) != ERROR_SUCCESS) return {};
    std::string names;
    if (add_(session, static_cast<UINT>(files.size()), files.data(), 0, nullptr, 0, nullptr) ==
        ERROR_SUCCESS)
      names = List(session);
    end_(session);
    return names;
  }

 private:
  std::string List(DWORD session) const {
    RM_PROCESS_INFO found[kMaxHolders];
    UINT needed = 0;
    UINT count = kMaxHolders;
    DWORD reasons = 0;
    const DWORD code = list_(session, &needed, &count, found, &reasons);
    if (code != ERROR_SUCCESS) return {};  // more than kMaxHolders included: none is given then
    std::string names;
    for (UINT i = 0; i < count; ++i) {
      if (!names.empty()) names += ", ";
      names += windows::Narrow(found[i].strAppName) + " (pid " +
               std::to_string(found[i].Process.dwProcessId) + ")";
    }
    return names;
  }

  decltype(::RmStartSession)* start_;
  decltype(::RmRegisterResources)* add_;
  decltype(::RmGetList)* list_;
  decltype(::RmEndSession)* end_;
};

class WindowsHost final : public Host {
 public:
  std::chrono::milliseconds Now() override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now().time_since_epoch());
  }
  void Sleep(std::chrono::milliseconds time) override { std::this_thread::sleep_for(time); }

  // Not GetVersionEx, which tells what the program's manifest says it was made for.
  Expected<std::string> OsVersion() override {
    using Get = LONG WINAPI(OSVERSIONINFOW*);
    auto* get = Find<Get>(L"ntdll.dll", "RtlGetVersion");
    OSVERSIONINFOW version{};
    version.dwOSVersionInfoSize = sizeof version;
    if (get == nullptr || get(&version) < 0) return Missing("ntdll.dll", "RtlGetVersion");
    return std::to_string(version.dwMajorVersion) + "." + std::to_string(version.dwMinorVersion) +
           "." + std::to_string(version.dwBuildNumber);
  }

  Expected<std::string> FileSystemOf(const std::string& folder) override {
    WCLAYER_ASSIGN(const std::wstring path, windows::LongPath(folder));
    std::wstring volume(path.size() + MAX_PATH, L'\0');
    if (::GetVolumePathNameW(path.c_str(), volume.data(), static_cast<DWORD>(volume.size())) == 0)
      return windows::LastError("GetVolumePathName", folder);
    wchar_t name[MAX_PATH + 1] = {};
    if (::GetVolumeInformationW(volume.c_str(), nullptr, 0, nullptr, nullptr, nullptr, name,
                                static_cast<DWORD>(std::size(name))) == 0)
      return windows::LastError("GetVolumeInformation", folder);
    return windows::Narrow(name);
  }

  std::string HoldersOf(const std::vector<std::string>& files) override {
    std::vector<std::wstring> paths;
    for (const std::string& file : files)
      if (auto path = windows::Wide(file)) paths.push_back(*std::move(path));
    std::vector<LPCWSTR> pointers;
    for (const std::wstring& path : paths) pointers.push_back(path.c_str());
    return pointers.empty() ? std::string() : RestartManager().Holders(std::move(pointers));
  }

  Status DetachDisk(const std::string& file) override {
    constexpr wchar_t kDll[] = L"virtdisk.dll";
    auto* open = Find<decltype(::OpenVirtualDisk)>(kDll, "OpenVirtualDisk");
    auto* detach = Find<decltype(::DetachVirtualDisk)>(kDll, "DetachVirtualDisk");
    if (open == nullptr || detach == nullptr) return Missing("virtdisk.dll", "DetachVirtualDisk");
    WCLAYER_ASSIGN(const std::wstring path, windows::Wide(file));
    VIRTUAL_STORAGE_TYPE any{};  // unknown device and vendor: the file says
    HANDLE disk = nullptr;
    DWORD code = open(&any, path.c_str(), VIRTUAL_DISK_ACCESS_DETACH, OPEN_VIRTUAL_DISK_FLAG_NONE,
                      nullptr, &disk);
    if (code != ERROR_SUCCESS) return windows::Failure(code, "OpenVirtualDisk", file);
    code = detach(disk, DETACH_VIRTUAL_DISK_FLAG_NONE, 0);
    ::CloseHandle(disk);
    if (code != ERROR_SUCCESS) return windows::Failure(code, "DetachVirtualDisk", file);
    return {};
  }

  Expected<PrivilegeHold> HoldPrivileges(const std::vector<std::string>& names) override {
    return ProcessPrivileges().Acquire(names);
  }
};

}  // namespace

Host& ThisHost() {
  static WindowsHost host;
  return host;
}

}  // namespace wclayer::vmcompute
