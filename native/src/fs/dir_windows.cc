#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/filetime.h"
#include "fs/nt.h"
#include "fs/system.h"

namespace wclayer::fs {
namespace {

constexpr std::uint32_t kNanosPerSecond = 1'000'000'000;
constexpr std::uint32_t kOwnerWrite = 0200;
// FILE_TRAVERSE for names below, FILE_LIST_DIRECTORY for listing.
constexpr ACCESS_MASK kFolderAccess = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES;

constexpr int kRenameInformation = 10;
constexpr int kLinkInformation = 11;
constexpr int kRenameInformationEx = 65;
constexpr ULONG kRenameReplace = 0x1;
constexpr ULONG kRenamePosix = 0x2;
constexpr ULONG kRenameIgnoreReadonly = 0x40;

Error Unsupported(std::string_view path, const char* what) {
  return Error(Errc::kUnsupported, std::string(what) + " cannot be kept on Windows' file systems")
      .At(path);
}

Expected<UniqueFd> OpenFolder(int dir, std::string_view path, ACCESS_MASK access = kFolderAccess) {
  WCLAYER_TRY(CheckPath(path));
  NtOpenRequest request;
  request.access = access;
  request.options = FILE_DIRECTORY_FILE;
  return NtOpen(dir, path, request);
}

// The folder that holds the last component of a path, opened only if there is more than one.
struct Split {
  UniqueFd parent;
  int fd = -1;
  std::string name;
};

Expected<Split> SplitPath(int dir, std::string_view path) {
  WCLAYER_TRY(CheckName(path));
  Split split;
  split.fd = dir;
  const std::size_t cut = path.rfind('/');
  if (cut != std::string_view::npos) {
    auto parent = OpenFolder(dir, path.substr(0, cut));
    if (!parent) {
      parent.error().path = path;
      return std::move(parent).error();
    }
    split.parent = *std::move(parent);
    split.fd = split.parent.get();
  }
  split.name = cut == std::string_view::npos ? path : path.substr(cut + 1);
  return split;
}

// FILE_RENAME_INFORMATION and FILE_LINK_INFORMATION, which are the same.
std::vector<std::int64_t> NameInformation(ULONG flags, int folder, std::wstring_view name) {
  struct Layout {
    ULONG flags;
    HANDLE root;
    ULONG length;
    wchar_t name[1];
  };
  const std::size_t bytes = name.size() * sizeof(wchar_t);
  std::vector<std::int64_t> buffer((sizeof(Layout) + bytes) / sizeof(std::int64_t) + 1);
  auto* const information = reinterpret_cast<Layout*>(buffer.data());
  information->flags = flags;  // of the older classes a byte: to replace or not
  information->root = windows::Handle(folder);
  information->length = static_cast<ULONG>(bytes);
  std::memcpy(information->name, name.data(), bytes);
  return buffer;
}

NTSTATUS SetName(int entry, int information_class, ULONG flags, int folder,
                 std::wstring_view name) {
  auto information = NameInformation(flags, folder, name);
  return SetInformation(entry, information.data(),
                        static_cast<ULONG>(information.size() * sizeof(std::int64_t)),
                        information_class);
}

Status RenameOpen(int entry, int folder, const std::string& name, bool replace) {
  WCLAYER_ASSIGN(const std::wstring units, windows::Wide(name));
  const ULONG flags = kRenamePosix | kRenameIgnoreReadonly | (replace ? kRenameReplace : ULONG{0});
  NTSTATUS status = SetName(entry, kRenameInformationEx, flags, folder, units);
  if (IsUnknownCall(status))
    status = SetName(entry, kRenameInformation, replace ? 1 : 0, folder, units);
  if (status >= 0) return {};
  return windows::NtFailure(status, "NtSetInformationFile", name);
}

Status RenameAt(const Split& from, const Split& to, bool replace) {
  return Patiently([&]() -> Status {
    WCLAYER_ASSIGN(const UniqueFd entry, OpenEntry(from.fd, from.name, DELETE));
    return RenameOpen(entry.get(), to.fd, to.name, replace);
  });
}

// A name in folder `fd` that nobody has.
Expected<Split> FreshNameIn(int fd) {
  std::uint64_t random = 0;
  WCLAYER_TRY(RandomBytes(MutableBytes(reinterpret_cast<std::byte*>(&random), sizeof random)));
  char name[32];
  std::snprintf(name, sizeof name, "~%016llx.tmp", static_cast<unsigned long long>(random));
  Split fresh;
  fresh.fd = fd;
  fresh.name = name;
  return fresh;
}

// Windows cannot exchange two names in one step. A process that is killed in between leaves the old
// entry under a name of its own, and `to` absent or new: never half of either.
Status Exchange(const Split& from, const Split& to) {
  WCLAYER_ASSIGN(const Split aside, FreshNameIn(to.fd));
  WCLAYER_TRY(RenameAt(to, aside, false));
  if (auto moved = RenameAt(from, to, false); !moved) {
    auto back = RenameAt(aside, to, false);
    if (!back) moved.error().message += "; and then " + back.error().ToString();
    return moved;
  }
  return RenameAt(aside, from, false);
}

Status FlushFile(int dir, const std::string& name) {
  auto file = OpenEntry(dir, name, FILE_WRITE_DATA);
  if (!file && file.error().sys_errno == EACCES) {
    // Nobody may open a READONLY file for writing, and who may not write may not flush.
    WCLAYER_ASSIGN(const UniqueFd entry, OpenEntry(dir, name, FILE_WRITE_ATTRIBUTES));
    WCLAYER_ASSIGN(const Info info, StatFd(entry.get()));
    if ((info.mode & kOwnerWrite) != 0) return std::move(file).error();
    WCLAYER_TRY(SetFileMode(entry.get(), info.mode | kOwnerWrite));
    file = OpenEntry(dir, name, FILE_WRITE_DATA);
    WCLAYER_TRY(SetFileMode(entry.get(), info.mode));
  }
  if (!file) return std::move(file).error();
  if (Calls().FlushFileBuffers(windows::Handle(file->get())) == 0)
    return windows::LastError("FlushFileBuffers", name);
  return {};
}

// Flushes every file below, where the whole volume cannot be flushed at once.
Status FlushTree(const Dir& dir) {
  std::vector<std::string> folders = {""};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    WCLAYER_ASSIGN(const Dir here, dir.OpenDir(folder));
    WCLAYER_ASSIGN(const auto listed, here.List());
    for (const Listed& item : listed) {
      if (item.type == Type::kFile) WCLAYER_TRY(FlushFile(here.fd(), item.name));
      if (item.type == Type::kDirectory)
        folders.push_back(folder.empty() ? item.name : folder + "/" + item.name);
    }
  }
  return {};
}

// "\\?\Volume{…}" of the volume that holds an open folder; "": it has no such name.
std::wstring VolumeOf(int dir) {
  std::wstring path(MAX_PATH, L'\0');
  for (;;) {
    const DWORD length = Calls().GetFinalPathNameByHandleW(
        windows::Handle(dir), path.data(), static_cast<DWORD>(path.size()), VOLUME_NAME_GUID);
    if (length == 0) return L"";
    const bool fits = length < path.size();
    path.resize(length);
    if (fits) break;
  }
  const std::size_t end = path.find(L'}');
  return end == std::wstring::npos ? std::wstring() : path.substr(0, end + 1);
}

bool FlushVolume(int dir) {
  const std::wstring volume = VolumeOf(dir);
  if (volume.empty()) return false;
  const UniqueFd handle(windows::Descriptor(
      Calls().CreateFileW(volume.c_str(), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                          nullptr, OPEN_EXISTING, 0, nullptr)));
  return handle && Calls().FlushFileBuffers(windows::Handle(handle.get())) != 0;
}

Status CheckAbsolute(const std::string& path) {
  if (IsAbsolute(path)) return {};
  return Error(Errc::kInvalidArgument, "an absolute path is needed, such as C:\\layers").At(path);
}

}  // namespace

Expected<Dir> Dir::OpenAbsolute(const std::string& path) {
  WCLAYER_TRY(CheckAbsolute(path));
  WCLAYER_ASSIGN(const std::wstring name, windows::LongPath(path));
  UniqueFd fd(windows::Descriptor(Calls().CreateFileW(name.c_str(), kFolderAccess | SYNCHRONIZE,
                                                      kShareAll, nullptr, OPEN_EXISTING,
                                                      FILE_FLAG_BACKUP_SEMANTICS, nullptr)));
  if (!fd) return windows::LastError("CreateFile", path);
  BY_HANDLE_FILE_INFORMATION info{};
  if (Calls().GetFileInformationByHandle(windows::Handle(fd.get()), &info) == 0)
    return windows::LastError("GetFileInformationByHandle", path);
  if ((info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
    return SystemError(ENOTDIR, "CreateFile", path);
  return Dir(std::move(fd));
}

Expected<Dir> Dir::MakeAbsolute(const std::string& path, std::uint32_t mode) {
  (void)mode;  // who may use a folder is inherited from the one that it is made in
  auto there = OpenAbsolute(path);
  if (there || there.error().sys_errno != ENOENT) return there;
  WCLAYER_ASSIGN(const std::wstring name, windows::LongPath(path));
  // The roots `\\?\C:\` and `\\?\UNC\server\share\` are there or cannot be made.
  std::size_t end = name.starts_with(L"\\\\?\\UNC\\") ? 8 : 4;
  for (; end <= name.size(); ++end) {
    if (end != name.size() && name[end] != L'\\') continue;
    if (Calls().CreateDirectoryW(name.substr(0, end).c_str(), nullptr) != 0) continue;
    const DWORD code = ::GetLastError();
    if (end == name.size() && code != ERROR_ALREADY_EXISTS)
      return windows::Failure(code, "CreateDirectory", path);
  }
  return OpenAbsolute(path);
}

Expected<Dir> Dir::Clone() const {
  return OpenDir("");
}

Expected<Dir> Dir::OpenDir(std::string_view path) const {
  WCLAYER_ASSIGN(UniqueFd opened, OpenFolder(fd(), path));
  return Dir(std::move(opened));
}

Expected<UniqueFd> Dir::OpenFile(std::string_view path) const {
  WCLAYER_TRY(CheckPath(path));
  NtOpenRequest request;
  request.access = FILE_GENERIC_READ;
  return NtOpen(fd(), path, request);
}

Expected<UniqueFd> Dir::OpenForUpdate(std::string_view path) const {
  WCLAYER_TRY(CheckPath(path));
  NtOpenRequest request;
  request.access = FILE_GENERIC_READ | FILE_GENERIC_WRITE;
  return NtOpen(fd(), path, request);
}

Expected<UniqueFd> Dir::CreateFile(std::string_view path, std::uint32_t mode) const {
  WCLAYER_TRY(CheckName(path));
  NtOpenRequest request;
  request.access = FILE_GENERIC_READ | FILE_GENERIC_WRITE;
  request.disposition = FILE_CREATE;
  request.options = FILE_NON_DIRECTORY_FILE;
  if ((mode & kOwnerWrite) == 0) request.attributes = FILE_ATTRIBUTE_READONLY;
  return NtOpen(fd(), path, request);
}

Expected<Stamp> Dir::StampOf(std::string_view path) const {
  const auto info = Stat(path);
  if (!info && (info.error().sys_errno == ENOENT || info.error().sys_errno == ENOTDIR))
    return Stamp();
  if (!info) return info.error();
  return Stamp{info->inode, info->size, info->ctime_seconds, info->ctime_nanos};
}

Expected<Stamp> Dir::StampOfAbsolute(const std::string& path) {
  const std::size_t name = path.find_last_of(kSeparator) + 1;
  auto folder = OpenAbsolute(path.substr(0, name));
  if (folder) return folder->StampOf(std::string_view(path).substr(name));
  if (IsGone(folder.error())) return Stamp();
  return std::move(folder).error();
}

Expected<Info> Dir::Stat(std::string_view path) const {
  if (path.empty()) return StatFd(fd());
  WCLAYER_ASSIGN(const UniqueFd entry, OpenEntry(fd(), path, FILE_READ_ATTRIBUTES));
  auto info = StatFd(entry.get());
  if (!info) info.error().path = path;
  return info;
}

Expected<std::string> Dir::ReadLink(std::string_view path) const {
  return Unsupported(path, "a link of Linux");
}

Status Dir::Visit(const std::function<Status(std::string_view, Type)>& visit) const {
  // A handle of its own: the position of a folder is shared by all users of one.
  WCLAYER_ASSIGN(const UniqueFd own, OpenFolder(fd(), ""));
  return ReadEntries(own.get(), [&](const Found& found) { return visit(found.name, found.type); });
}

Status Dir::MakeDir(std::string_view path, std::uint32_t mode) const {
  (void)mode;
  WCLAYER_TRY(CheckName(path));
  NtOpenRequest request;
  request.access = FILE_TRAVERSE;
  request.disposition = FILE_CREATE;
  request.options = FILE_DIRECTORY_FILE;
  WCLAYER_ASSIGN(const UniqueFd made, NtOpen(fd(), path, request));
  return {};
}

Status Dir::MakeDirs(std::string_view path, std::uint32_t mode) const {
  auto there = OpenDir(path);
  if (there) return {};
  if (there.error().sys_errno != ENOENT) return std::move(there).error();
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    auto made = MakeDir(path.substr(0, end), mode);
    if (!made && made.error().sys_errno != EEXIST) return made;
  }
  // What is there already may be something else than a folder.
  return OpenDir(path) ? Status() : SystemError(ENOTDIR, "NtCreateFile", path);
}

Status Dir::MakeSymlink(std::string_view target, std::string_view path) const {
  (void)target;
  return Unsupported(path, "a link of Linux");
}

Status Dir::MakeHardLinkTo(const Dir& from, std::string_view existing,
                           std::string_view path) const {
  WCLAYER_ASSIGN(const Split to, SplitPath(fd(), path));
  WCLAYER_ASSIGN(const std::wstring units, windows::Wide(to.name));
  WCLAYER_ASSIGN(const UniqueFd entry, OpenEntry(from.fd(), existing, FILE_WRITE_ATTRIBUTES));
  const NTSTATUS status = SetName(entry.get(), kLinkInformation, 0, to.fd, units);
  if (status >= 0) return {};
  return windows::NtFailure(status, "NtSetInformationFile", path);
}

Status Dir::MakeWhiteout(std::string_view path) const {
  return Unsupported(path, "a whiteout of overlayfs");
}

Status Dir::Remove(std::string_view path) const {
  WCLAYER_TRY(CheckName(path));
  return Patiently([&]() -> Status {
    WCLAYER_ASSIGN(const UniqueFd entry,
                   OpenEntry(fd(), path, DELETE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES));
    return DeleteOpen(entry.get(), path);
  });
}

Status Dir::SetMode(std::string_view path, std::uint32_t mode) const {
  WCLAYER_ASSIGN(const UniqueFd entry, OpenEntry(fd(), path, FILE_WRITE_ATTRIBUTES));
  auto set = SetFileMode(entry.get(), mode);
  if (!set) set.error().path = path;
  return set;
}

Status Dir::SetTimes(std::string_view path, std::int64_t mtime_seconds,
                     std::uint32_t mtime_nanos) const {
  WCLAYER_ASSIGN(const UniqueFd entry, OpenEntry(fd(), path, FILE_WRITE_ATTRIBUTES));
  auto set = SetFileTimes(entry.get(), mtime_seconds, mtime_nanos);
  if (!set) set.error().path = path;
  return set;
}

Status Dir::Rename(std::string_view from, const Dir& to_dir, std::string_view to,
                   RenameMode mode) const {
  WCLAYER_ASSIGN(const Split source, SplitPath(fd(), from));
  WCLAYER_ASSIGN(const Split target, SplitPath(to_dir.fd(), to));
  auto renamed = mode == RenameMode::kExchange
                     ? Exchange(source, target)
                     : RenameAt(source, target, mode == RenameMode::kReplace);
  if (renamed) return renamed;
  Error error = std::move(renamed).error();
  error.path = error.sys_errno == EEXIST ? to : from;
  error.message += ", renaming '" + std::string(from) + "' to '" + std::string(to) + "'";
  if (error.sys_errno == EEXIST) error.code = Errc::kLayerExists;
  return error;
}

Status Dir::ReplaceSmall(std::string_view path, std::string_view bytes,
                         Durability durability) const {
  WCLAYER_ASSIGN(const Split split, SplitPath(fd(), path));
  WCLAYER_ASSIGN(const Split temporary, FreshNameIn(split.fd));
  const auto write = [&]() -> Status {
    NtOpenRequest request;
    request.access = FILE_GENERIC_WRITE;
    request.disposition = FILE_CREATE;
    request.options = FILE_NON_DIRECTORY_FILE;
    WCLAYER_ASSIGN(const UniqueFd file, NtOpen(split.fd, temporary.name, request));
    WCLAYER_TRY(WriteAt(file.get(), AsBytes(bytes), 0));
    if (durability == Durability::kFull &&
        Calls().FlushFileBuffers(windows::Handle(file.get())) == 0)
      return windows::LastError("FlushFileBuffers", path);
    return {};
  };
  auto done = write();
  if (done) done = RenameAt(temporary, split, true);
  if (done) return durability == Durability::kFull ? Sync() : Status();
  if (auto entry = OpenEntry(split.fd, temporary.name, DELETE)) {
    const auto removed = DeleteOpen(entry->get(), temporary.name);
    (void)removed.has_value();
  }
  done.error().path = path;
  return done;
}

Status Dir::SyncFileSystem() const {
  // Needs an administrator's rights, as most work on layers does.
  if (FlushVolume(fd())) return {};
  return FlushTree(*this);
}

Status Dir::Sync() const {
  // Needs the right to change the folder; what cannot be flushed keeps its changes in the volume's
  // log, which comes before those of any later flush.
  const auto folder = OpenFolder(fd(), "", FILE_ADD_FILE);
  if (folder) (void)Calls().FlushFileBuffers(windows::Handle(folder->get()));
  return {};
}

Expected<Info> StatFd(int fd) {
  BY_HANDLE_FILE_INFORMATION info{};
  if (Calls().GetFileInformationByHandle(windows::Handle(fd), &info) == 0)
    return windows::LastError("GetFileInformationByHandle", "");
  FILE_BASIC_INFO basic{};
  if (Calls().GetFileInformationByHandleEx(windows::Handle(fd), FileBasicInfo, &basic,
                                           sizeof basic) == 0)
    return windows::LastError("GetFileInformationByHandleEx", "");
  FILE_ATTRIBUTE_TAG_INFO tag{};
  if ((info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
      Calls().GetFileInformationByHandleEx(windows::Handle(fd), FileAttributeTagInfo, &tag,
                                           sizeof tag) == 0)
    return windows::LastError("GetFileInformationByHandleEx", "");
  return InfoOf(info, basic, tag.ReparseTag);
}

Status SetFileMode(int fd, std::uint32_t mode) {
  FILE_BASIC_INFO basic{};
  if (Calls().GetFileInformationByHandleEx(windows::Handle(fd), FileBasicInfo, &basic,
                                           sizeof basic) == 0)
    return windows::LastError("GetFileInformationByHandleEx", "");
  // READONLY means nothing to Windows on a folder, and keeps Explorer's own mark there.
  if ((basic.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0) return {};
  FILE_BASIC_INFO change{};
  change.FileAttributes = basic.FileAttributes & ~static_cast<DWORD>(FILE_ATTRIBUTE_READONLY);
  if ((mode & kOwnerWrite) == 0) change.FileAttributes |= FILE_ATTRIBUTE_READONLY;
  if (change.FileAttributes == 0) change.FileAttributes = FILE_ATTRIBUTE_NORMAL;
  if (Calls().SetFileInformationByHandle(windows::Handle(fd), FileBasicInfo, &change,
                                         sizeof change) == 0)
    return windows::LastError("SetFileInformationByHandle", "");
  return {};
}

Status CloseWritten(UniqueFd) {
  return {};
}

Status SettleFile(int fd, bool flush) {
  if (flush && Calls().FlushFileBuffers(windows::Handle(fd)) == 0)
    return windows::LastError("FlushFileBuffers", "");
  return {};
}

Status Resize(int fd, std::uint64_t size) {
  FILE_END_OF_FILE_INFO end{};
  end.EndOfFile.QuadPart = static_cast<std::int64_t>(size);
  if (Calls().SetFileInformationByHandle(windows::Handle(fd), FileEndOfFileInfo, &end,
                                         sizeof end) == 0)
    return windows::LastError("SetFileInformationByHandle", "");
  return {};
}

Status SetFileTimes(int fd, std::int64_t mtime_seconds, std::uint32_t mtime_nanos) {
  if (mtime_nanos >= kNanosPerSecond) {
    return Error(Errc::kInvalidArgument,
                 std::to_string(mtime_nanos) + " ns are a second or more, in a write time");
  }
  std::int64_t filetime = 0;
  std::uint8_t remainder = 0;
  const UnixTime time{mtime_seconds, static_cast<std::int32_t>(mtime_nanos)};
  if (!FiletimeOfUnix(time, filetime, remainder)) return SystemError(EINVAL, "SetFileTime", "");
  FILE_BASIC_INFO change{};
  // 0 and less would mean "leave it": no file system of Windows knows a time before 1601.
  change.LastWriteTime.QuadPart = std::max<std::int64_t>(filetime, 1);
  if (Calls().SetFileInformationByHandle(windows::Handle(fd), FileBasicInfo, &change,
                                         sizeof change) == 0)
    return windows::LastError("SetFileInformationByHandle", "");
  return {};
}

}  // namespace wclayer::fs
