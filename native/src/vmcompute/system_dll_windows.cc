#include "vmcompute/system_dll.h"

#include "base/windows.h"
// after windows.h
#include <objbase.h>

#include "vmcompute/symbols.h"

namespace wclayer::vmcompute {
namespace {

constexpr char kRemedy[] =
    "; the Windows feature Containers brings it, and backend=portable works without it";

std::string SystemPath(const std::string& name) {
  wchar_t folder[MAX_PATH + 1];
  const UINT length = ::GetSystemDirectoryW(folder, static_cast<UINT>(std::size(folder)));
  const bool known = length != 0 && length < std::size(folder);
  return known ? windows::Narrow({folder, length}) + "\\" + name : name;
}

Error Unavailable(Error error, const std::string& path) {
  error.code = Errc::kBackendUnavailable;
  error.message += kRemedy;
  return std::move(error).At(path);
}

// What the functions of the DLL allocate for their callers comes from COM's allocator (spec §1).
void WCLAYER_ABI FreeString(void* text) {
  ::CoTaskMemFree(text);
}

}  // namespace

Expected<SystemDll> LoadSystemDll(const std::string& name) {
  const std::string path = SystemPath(name);
  WCLAYER_ASSIGN(const std::wstring file, windows::Wide(name));
  const HMODULE module = ::LoadLibraryExW(file.c_str(), nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (module == nullptr) return Unavailable(windows::LastError("LoadLibraryEx", ""), path);
  // Never unloaded: threads of its own may be running in it.
  SystemDll dll;
  auto table = BindTable(
      [module](const char* symbol) {
        return reinterpret_cast<void*>(
            reinterpret_cast<void (*)()>(::GetProcAddress(module, symbol)));
      },
      dll.disabled);
  if (!table) return Unavailable(std::move(table).error().In("GetProcAddress"), path);
  dll.table = *std::move(table);
  dll.table.FreeString = FreeString;
  return dll;
}

}  // namespace wclayer::vmcompute
