// The vmcompute.dll layer ABI (spec vmcompute-abi §1–§3) as one table of functions, the same on
// every platform, and the optional entries of ours that the portable store offers beside it.
//
// Who calls the table need not know who fills it: vmcompute.dll (LoadSystemDll) or the portable
// store (Portable). An entry that a table lacks is null; the caller then takes the general way.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(_WIN32)
#define WCLAYER_ABI __stdcall
#else
#define WCLAYER_ABI
#endif

namespace wclayer::vmcompute {

using Hresult = std::int32_t;
using Utf16 = const char16_t*;  // NUL-terminated; not wchar_t, which has 4 bytes off Windows

struct Guid {
  std::uint32_t data1 = 0;
  std::uint16_t data2 = 0;
  std::uint16_t data3 = 0;
  std::uint8_t data4[8] = {};
  friend bool operator==(const Guid&, const Guid&) = default;
};

inline constexpr std::int32_t kDiffDriver = 0;
inline constexpr std::int32_t kFilterDriver = 1;

struct DriverInfo {
  std::int32_t flavour = kFilterDriver;
  Utf16 home_dir = nullptr;  // driver root, or "" with full paths as ids (spec §2)
};

// One parent. Arrays of these run from the immediate parent to the base layer.
struct LayerDescriptor {
  Guid id;  // NameToGuid of the last component of path
  std::uint32_t flags = 0;
  Utf16 path = nullptr;  // absolute
};

// FILE_BASIC_INFO. FILETIMEs; 0 in a time or in attributes means "leave as it is" when set.
struct FileBasicInfo {
  std::int64_t creation_time = 0;
  std::int64_t last_access_time = 0;
  std::int64_t last_write_time = 0;
  std::int64_t change_time = 0;
  std::uint32_t attributes = 0;
  std::uint32_t padding = 0;
};

static_assert(sizeof(Guid) == 16);
static_assert(sizeof(FileBasicInfo) == 40 && alignof(FileBasicInfo) == 8);
static_assert(offsetof(FileBasicInfo, last_access_time) == 8 &&
              offsetof(FileBasicInfo, last_write_time) == 16 &&
              offsetof(FileBasicInfo, change_time) == 24 &&
              offsetof(FileBasicInfo, attributes) == 32);
static_assert(sizeof(void*) != 8 ||
              (sizeof(DriverInfo) == 16 && offsetof(DriverInfo, home_dir) == 8));
static_assert(sizeof(void*) != 8 ||
              (sizeof(LayerDescriptor) == 32 && offsetof(LayerDescriptor, flags) == 16 &&
               offsetof(LayerDescriptor, path) == 24));

// HRESULT values that callers tell apart (spec §8).
constexpr Hresult FromWin32(std::uint32_t code) {
  return code == 0 ? 0 : static_cast<Hresult>(0x80070000u | (code & 0xFFFF));
}
inline constexpr Hresult kOk = 0;
inline constexpr Hresult kFileNotFound = FromWin32(2);
inline constexpr Hresult kPathNotFound = FromWin32(3);
inline constexpr Hresult kAccessDenied = FromWin32(5);
inline constexpr Hresult kInvalidData = FromWin32(13);
inline constexpr Hresult kOutOfMemory = FromWin32(14);
inline constexpr Hresult kNoMoreFiles = FromWin32(18);
inline constexpr Hresult kNotReady = FromWin32(21);
inline constexpr Hresult kSharingViolation = FromWin32(32);
inline constexpr Hresult kNotSupported = FromWin32(50);
inline constexpr Hresult kDevNotExist = FromWin32(55);
inline constexpr Hresult kInvalidParameter = FromWin32(87);
inline constexpr Hresult kDiskFull = FromWin32(112);
inline constexpr Hresult kInvalidName = FromWin32(123);
inline constexpr Hresult kProcNotFound = FromWin32(127);
inline constexpr Hresult kDirNotEmpty = FromWin32(145);
inline constexpr Hresult kBusy = FromWin32(170);
inline constexpr Hresult kAlreadyExists = FromWin32(183);
inline constexpr Hresult kCancelled = FromWin32(1223);
inline constexpr Hresult kIoDevice = FromWin32(1117);
inline constexpr Hresult kFilterNotAttached = static_cast<Hresult>(0x801F0015u);
inline constexpr Hresult kUnexpected = static_cast<Hresult>(0x8000FFFFu);  // E_UNEXPECTED

constexpr bool Failed(Hresult hr) {
  return hr < 0;
}

// ---- Optional entries of ours (store §8)
// ----------------------------------------------------------

// What an entry knows beyond FileBasicInfo and its backup stream.
struct EntryExtra {
  std::uint8_t time_absent = 0;  // bit i: time i (creation, access, write, change) was not given;
                                 // its FILETIME then equals the write time
  std::uint8_t time_remainder[4] = {};  // 0…99 ns beyond each FILETIME
  bool opaque = false;                  // tombstone only: hides everything below the folder `name`
  Utf16 link_target = nullptr;  // hard link: path of the first name ("\Files\a"), else null.
                                // In this layer, or else in the nearest parent that has it
                                // (then a copy is stored, C8). Such an entry has no stream.
  Utf16 short_name = nullptr;   // 8.3 name, at most kMaxShortNameUnits; null: none is known
};

enum class ChangeKind : std::uint32_t { kUnchanged = 0, kAdded = 1, kModified = 2, kDeleted = 3 };

// What ExportLayerDescribe tells of the entry the export stands at. Pointers live until the next
// call on the same context.
struct EntryDescription {
  EntryExtra extra;             // link_target: the first name in export order of a hard-linked file
  std::uint64_t ordinal = 0;    // its number in import order in the layer that holds it, from 0
  bool has_data_stream = true;  // false: an empty file stored without a DATA stream
  std::uint32_t reparse_tag = 0;
  // Of a file's main data, of a sparse one its ranges: XXH3, 64 bit. Where it is known, whoever
  // reads all of that data gets exactly what it is of, or an error.
  bool has_checksum = false;
  std::uint64_t checksum = 0;
};

// The last failure on this thread in words; strings live until the next failing call on this
// thread.
struct ErrorDetail {
  std::int32_t code = 0;  // an Errc, as its number
  std::int32_t sys_errno = 0;
  const char* operation = "";
  const char* path = "";
  const char* message = "";
};

// How the portable store is to behave for one home; set before the first other call, by Configure.
struct StoreOptions {
  bool force_checkout = false;  // never mount, lay out a private checkout instead
  bool force_legacy_mount =
      false;  // use mount(2) although fsopen/fsconfig is there (tests, Linux < 6.5)
  bool detach_on_unmount = false;  // MNT_DETACH a busy mount instead of failing
  std::uint32_t durability = 2;    // 0 none, 1 data, 2 full
};

struct Extensions {
  // Makes or opens the home's own folder (.wclayer), and sets options for later calls from this
  // process.
  Hresult(WCLAYER_ABI* Configure)(const DriverInfo*, const StoreOptions*) = nullptr;
  // The last call of who configured it: nothing stays open in the home for calls to come.
  Hresult(WCLAYER_ABI* Leave)(const DriverInfo*) = nullptr;
  // Finishes or undoes what killed processes left: staging, removals, copies. Does not unmount.
  Hresult(WCLAYER_ABI* Recover)(const DriverInfo*) = nullptr;
  // Fills `detail` for the last failure on this thread.
  void(WCLAYER_ABI* LastError)(ErrorDetail* detail) = nullptr;

  // ImportLayerNext with all that is known; info null: a tombstone. Gives the entry's ordinal.
  Hresult(WCLAYER_ABI* ImportLayerEntry)(void* context, Utf16 name, const FileBasicInfo*,
                                         const EntryExtra*, std::uint64_t* ordinal) = nullptr;
  // Reads back the payload of an entry of this import (stream 0: main data; n: the n-th alternate
  // stream); `read` = 0 at its end. Used before a later duplicate replaces it.
  Hresult(WCLAYER_ABI* ImportLayerReadBack)(void* context, std::uint64_t ordinal,
                                            std::uint32_t stream, std::uint64_t offset,
                                            std::uint8_t* buffer, std::uint32_t length,
                                            std::uint32_t* read) = nullptr;
  // The checksum (XXH3, 64 bit) of the main data that ImportLayerWrite was given for the current
  // entry, of a sparse file its ranges.
  Hresult(WCLAYER_ABI* ImportLayerChecksum)(void* context, std::uint64_t* checksum) = nullptr;
  // Lets the making of files be done by another thread. After Defer main data given to
  // ImportLayerWrite is not copied: it must live until an ImportLayerRunSealed that follows the
  // next ImportLayerSeal has come back. RunSealed may be called from a thread of its own while the
  // import goes on; ImportLayerEnd does what is left.
  Hresult(WCLAYER_ABI* ImportLayerDefer)(void* context) = nullptr;
  Hresult(WCLAYER_ABI* ImportLayerSeal)(void* context) = nullptr;
  Hresult(WCLAYER_ABI* ImportLayerRunSealed)(void* context) = nullptr;
  // The private folder (".wclayer") of the layer being built, an absolute path that lives as long
  // as the context. What the caller writes there becomes visible with the layer, or goes with it.
  Hresult(WCLAYER_ABI* ImportLayerFolder)(void* context, Utf16* folder) = nullptr;
  // As ImportLayerBegin, for a layer that is there and not writable: ImportLayerEnd puts the new
  // content in place of what the layer holds, by one rename.
  Hresult(WCLAYER_ABI* ImportLayerReplace)(const DriverInfo*, Utf16 id, const LayerDescriptor*,
                                           std::uint32_t, void** context) = nullptr;
  // Undoes the import and frees the context, instead of ImportLayerEnd.
  void(WCLAYER_ABI* ImportLayerAbort)(void* context) = nullptr;

  // More about the entry that ExportLayerNext just gave.
  Hresult(WCLAYER_ABI* ExportLayerDescribe)(void* context, EntryDescription* description) = nullptr;
  // How that entry differs from the parent chain given to ExportLayerBegin: looked up, and file
  // data compared if need be, only when asked.
  Hresult(WCLAYER_ABI* ExportLayerChange)(void* context, ChangeKind* change) = nullptr;
  // Passes over bytes of the entry's stream, which need not be read for that (nor are they
  // checked). kInvalidData if the stream has fewer.
  Hresult(WCLAYER_ABI* ExportLayerSkip)(void* context, std::uint64_t bytes) = nullptr;
  // Moves the export of a layer's own content (committed layers) to an entry; then Describe and
  // Read work as after ExportLayerNext, and Next goes on behind it. By path ("\Files\a", compared
  // as NTFS does) when `name` is not null, else by ordinal. kFileNotFound if there is none.
  Hresult(WCLAYER_ABI* ExportLayerSeek)(void* context, Utf16 name, std::uint64_t ordinal,
                                        Utf16* found, FileBasicInfo* info,
                                        std::int64_t* size) = nullptr;
  // Ends an export at any point without complaint (ExportLayerEnd reports what was left unread).
  void(WCLAYER_ABI* ExportLayerAbort)(void* context) = nullptr;

  // Whether the layer holds content (committed), is writable, is mounted now: bits 1, 2, 4; 8:
  // damaged.
  Hresult(WCLAYER_ABI* LayerState)(const DriverInfo*, Utf16 id, std::uint32_t* state) = nullptr;
  // Checks metadata, stored names and sizes of a committed layer, and the checksums of its payloads
  // if `payloads` is not 0; calls `report` for each problem (path inside the layer, what is wrong;
  // UTF-8), from the calling thread.
  Hresult(WCLAYER_ABI* VerifyLayer)(const DriverInfo*, Utf16 id, std::uint32_t payloads, void* user,
                                    void (*report)(void* user, const char* path,
                                                   const char* problem)) = nullptr;
  // Registers a folder as a base image (GetBaseImages lists it; its folder name is an id of this
  // home).
  Hresult(WCLAYER_ABI* AddBaseImage)(const DriverInfo*, Utf16 folder) = nullptr;
};

inline constexpr std::uint32_t kStateCommitted = 1;
inline constexpr std::uint32_t kStateWritable = 2;
inline constexpr std::uint32_t kStateMounted = 4;
inline constexpr std::uint32_t kStateDamaged = 8;

// ---- The table
// ------------------------------------------------------------------------------------

struct Table {
  Hresult(WCLAYER_ABI* ActivateLayer)(const DriverInfo*, Utf16 id) = nullptr;
  Hresult(WCLAYER_ABI* DeactivateLayer)(const DriverInfo*, Utf16 id) = nullptr;
  Hresult(WCLAYER_ABI* PrepareLayer)(const DriverInfo*, Utf16 id, const LayerDescriptor*,
                                     std::uint32_t) = nullptr;
  Hresult(WCLAYER_ABI* UnprepareLayer)(const DriverInfo*, Utf16 id) = nullptr;
  Hresult(WCLAYER_ABI* GetLayerMountPath)(const DriverInfo*, Utf16 id, std::size_t* length,
                                          char16_t* buffer) = nullptr;
  Hresult(WCLAYER_ABI* CreateLayer)(const DriverInfo*, Utf16 id, Utf16 parent) = nullptr;
  Hresult(WCLAYER_ABI* CreateSandboxLayer)(const DriverInfo*, Utf16 id, Utf16 parent,
                                           const LayerDescriptor*, std::uint32_t) = nullptr;
  Hresult(WCLAYER_ABI* ExpandSandboxSize)(const DriverInfo*, Utf16 id,
                                          std::uint64_t size_bytes) = nullptr;
  Hresult(WCLAYER_ABI* DestroyLayer)(const DriverInfo*, Utf16 id) = nullptr;
  Hresult(WCLAYER_ABI* LayerExists)(const DriverInfo*, Utf16 id, std::uint32_t* exists) = nullptr;
  Hresult(WCLAYER_ABI* CopyLayer)(const DriverInfo*, Utf16 source, Utf16 target,
                                  const LayerDescriptor*, std::uint32_t) = nullptr;
  Hresult(WCLAYER_ABI* ExportLayer)(const DriverInfo*, Utf16 id, Utf16 folder,
                                    const LayerDescriptor*, std::uint32_t) = nullptr;
  Hresult(WCLAYER_ABI* ImportLayer)(const DriverInfo*, Utf16 id, Utf16 folder,
                                    const LayerDescriptor*, std::uint32_t) = nullptr;
  Hresult(WCLAYER_ABI* GetBaseImages)(char16_t** json) = nullptr;  // free with FreeString
  Hresult(WCLAYER_ABI* NameToGuid)(Utf16 name, Guid* guid) = nullptr;
  Hresult(WCLAYER_ABI* ProcessBaseImage)(Utf16 path) = nullptr;
  Hresult(WCLAYER_ABI* ProcessUtilityImage)(Utf16 path) = nullptr;
  Hresult(WCLAYER_ABI* GrantVmAccess)(Utf16 vm_id, Utf16 path) = nullptr;

  // Streaming import and export: all eight or none.
  Hresult(WCLAYER_ABI* ImportLayerBegin)(const DriverInfo*, Utf16 id, const LayerDescriptor*,
                                         std::uint32_t, void** context) = nullptr;
  Hresult(WCLAYER_ABI* ImportLayerNext)(void* context, Utf16 name, const FileBasicInfo*) = nullptr;
  Hresult(WCLAYER_ABI* ImportLayerWrite)(void* context, const std::uint8_t* buffer,
                                         std::uint32_t length) = nullptr;
  Hresult(WCLAYER_ABI* ImportLayerEnd)(void* context) = nullptr;
  Hresult(WCLAYER_ABI* ExportLayerBegin)(const DriverInfo*, Utf16 id, const LayerDescriptor*,
                                         std::uint32_t, void** context) = nullptr;
  Hresult(WCLAYER_ABI* ExportLayerNext)(
      void* context, char16_t** name, FileBasicInfo*, std::int64_t* size,
      std::uint32_t* deleted) = nullptr;  // free name with FreeString
  Hresult(WCLAYER_ABI* ExportLayerRead)(void* context, std::uint8_t* buffer, std::uint32_t length,
                                        std::uint32_t* read) = nullptr;
  Hresult(WCLAYER_ABI* ExportLayerEnd)(void* context) = nullptr;

  // Frees the strings this table allocated (CoTaskMemFree on Windows).
  void(WCLAYER_ABI* FreeString)(void*) = nullptr;

  const Extensions* extensions = nullptr;
};

// What the portable store adds to Microsoft's meaning of the descriptors of ExportLayer*: they name
// the chain that the export is *against*. The layer's own full chain gives the layer's own diff; a
// shorter tail of it gives the layers above that tail squashed; none gives the whole chain squashed
// (which, for a base layer, is its own content).
const Table& Portable();

}  // namespace wclayer::vmcompute
