#include "vmcompute/system_dll.h"

#include "base/windows.h"
// after windows.h
#include <objbase.h>

#include "vmcompute/computestorage.h"
#include "vmcompute/symbols.h"

namespace wclayer::vmcompute {
namespace {

constexpr char kRemedy[] =
    "; the Windows feature Containers brings it, and backend=portable works without it";
constexpr char kStorageRemedy[] =
    "; Windows Server 2019 brought it, and api=vmcompute works without it";

std::string SystemPath(const std::string& name) {
  wchar_t folder[MAX_PATH + 1];
  const UINT length = ::GetSystemDirectoryW(folder, static_cast<UINT>(std::size(folder)));
  const bool known = length != 0 && length < std::size(folder);
  return known ? windows::Narrow({folder, length}) + "\\" + name : name;
}

Error Unavailable(Error error, const std::string& path, const char* remedy = kRemedy) {
  error.code = Errc::kBackendUnavailable;
  error.message += remedy;
  error.path = path;
  return error;
}

// Never unloaded: threads of its own may be running in it.
Expected<HMODULE> Load(const std::string& name) {
  WCLAYER_ASSIGN(const std::wstring file, windows::Wide(name));
  const HMODULE module = ::LoadLibraryExW(file.c_str(), nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (module == nullptr) return windows::LastError("LoadLibraryEx", "");
  return module;
}

FindSymbol SymbolsOf(HMODULE module) {
  return [module](const char* symbol) {
    return reinterpret_cast<void*>(reinterpret_cast<void (*)()>(::GetProcAddress(module, symbol)));
  };
}

// What the functions of the DLL allocate for their callers comes from COM's allocator (spec §1).
void WCLAYER_ABI FreeString(void* text) {
  ::CoTaskMemFree(text);
}

DWORD AttributesOf(Utf16 path) {
  return ::GetFileAttributesW(reinterpret_cast<const wchar_t*>(path));
}
bool FolderExists(Utf16 path) {
  const DWORD attributes = AttributesOf(path);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}
bool FileExists(Utf16 path) {
  const DWORD attributes = AttributesOf(path);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}
Hresult Done(BOOL done) {
  return done != 0 ? kOk : FromWin32(::GetLastError());
}
Hresult MakeFolder(Utf16 path) {
  return Done(::CreateDirectoryW(reinterpret_cast<const wchar_t*>(path), nullptr));
}
Hresult CopyDisk(Utf16 from, Utf16 to) {
  return Done(::CopyFileW(reinterpret_cast<const wchar_t*>(from),
                          reinterpret_cast<const wchar_t*>(to), TRUE));
}
constexpr LayerFiles kWindowsFiles = {FolderExists, FileExists, MakeFolder, CopyDisk};

// Filled when computestorage.dll is loaded, once in a process (Choose).
StorageSet& SetOnce() {
  static StorageSet set;
  return set;
}
const StorageSet& Set() {
  return SetOnce();
}

}  // namespace

Expected<SystemDll> LoadSystemDll(const std::string& name) {
  const std::string path = SystemPath(name);
  auto module = Load(name);
  if (!module) return Unavailable(std::move(module).error(), path);
  SystemDll dll;
  auto table = BindTable(SymbolsOf(*module), dll.disabled);
  if (!table) return Unavailable(std::move(table).error().In("GetProcAddress"), path);
  dll.table = *std::move(table);
  dll.table.FreeString = FreeString;
  return dll;
}

Expected<SystemDll> LoadComputeStorage(const std::string& name) {
  const std::string path = SystemPath(name);
  auto module = Load(name);
  if (!module) return Unavailable(std::move(module).error(), path, kStorageRemedy);
  auto storage = BindComputeStorage(SymbolsOf(*module));
  if (!storage)
    return Unavailable(std::move(storage).error().In("GetProcAddress"), path, kStorageRemedy);
  WCLAYER_ASSIGN(SystemDll dll, LoadSystemDll());
  SetOnce() = StorageSet{*storage, kWindowsFiles, dll.table};
  dll.table = StorageTable<Set>::Make();
  return dll;
}

}  // namespace wclayer::vmcompute
