// Windows as far as Wine lacks it: BackupRead and BackupWrite with descriptors, extended
// attributes, reparse points, sparse files and alternate streams, over plain files and a table in
// memory.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backup/stream.h"
#include "base/windows.h"
#include "fs/dir.h"
#include "fs/win32.h"

namespace wclayer::test {

class FakeWin32 {
 public:
  // In place of Windows' calls for as long as it lives.
  FakeWin32() {
    fs::Win32 calls = fs::RealCalls();
    calls.BackupRead = &BackupRead;
    calls.BackupWrite = &BackupWrite;
    calls.NtQueryEaFile = &NtQueryEaFile;
    calls.NtCreateFile = &NtCreateFile;
    calls.GetFileInformationByHandle = &GetFileInformationByHandle;
    calls.GetFileInformationByHandleEx = &GetFileInformationByHandleEx;
    calls.SetFileInformationByHandle = &SetFileInformationByHandle;
    calls_ = calls;
    files_.clear();
    fs::ReplaceCallsForTest(&calls_);
  }
  ~FakeWin32() { fs::ReplaceCallsForTest(nullptr); }
  FakeWin32(const FakeWin32&) = delete;
  FakeWin32& operator=(const FakeWin32&) = delete;

 private:
  static constexpr ULONG kOpenReparsePoint = 0x00200000;
  static constexpr NTSTATUS kNoEas = static_cast<NTSTATUS>(0xC0000052u);
  static constexpr NTSTATUS kReparseInTheWay = static_cast<NTSTATUS>(0x8000002Du);
  using Key = std::pair<std::uint64_t, std::uint64_t>;
  struct Piece {
    backup::StreamHeader header;
    std::uint64_t offset = 0;
    Buffer data;
  };
  struct File {
    std::optional<FILE_BASIC_INFO> basic;
    std::vector<Piece> before;  // what BackupRead has in front of the data
    std::vector<Piece> blocks;  // of a sparse file: where data is
    bool sparse = false;
    bool has_data = false;
    std::vector<Piece> behind;
    Buffer eas;
    DWORD reparse_tag = 0;
  };

  static Key KeyOf(HANDLE handle) {
    BY_HANDLE_FILE_INFORMATION info{};
    fs::RealCalls().GetFileInformationByHandle(handle, &info);
    return {info.dwVolumeSerialNumber,
            std::uint64_t{info.nFileIndexHigh} << 32 | info.nFileIndexLow};
  }
  static DWORD AttributesOf(const File& file, DWORD real) {
    DWORD attributes = file.basic ? file.basic->FileAttributes : real;
    attributes |= real & FILE_ATTRIBUTE_DIRECTORY;
    if (file.reparse_tag != 0) attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
    if (file.sparse) attributes |= FILE_ATTRIBUTE_SPARSE_FILE;
    return attributes;
  }

  struct Reading {
    Buffer bytes;
    std::size_t at = 0;
  };
  static void Put(Buffer& to, const Piece& piece) {
    backup::StreamHeader header = piece.header;
    header.size = piece.data.size();
    backup::AppendHeader(to, header);
    Append(to, piece.data);
  }
  static Buffer StreamOf(HANDLE handle, const File& file, bool security) {
    Buffer bytes;
    for (const Piece& piece : file.before) {
      if (piece.header.id == backup::StreamId::kSecurity && !security) continue;
      Put(bytes, piece);
    }
    BY_HANDLE_FILE_INFORMATION info{};
    fs::RealCalls().GetFileInformationByHandle(handle, &info);
    const std::uint64_t size = std::uint64_t{info.nFileSizeHigh} << 32 | info.nFileSizeLow;
    if ((info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0 && (size != 0 || file.has_data)) {
      Buffer data(static_cast<std::size_t>(size));
      const auto got = fs::ReadAt(windows::Descriptor(handle), data, 0);
      data.resize(got ? *got : 0);
      backup::StreamHeader header;
      header.attributes = file.sparse ? backup::kAttributeSparse : 0;
      header.size = file.sparse ? 0 : data.size();
      backup::AppendHeader(bytes, header);
      if (!file.sparse) Append(bytes, data);
      for (const Piece& block : file.blocks) {
        backup::AppendSparseBlock(bytes, block.offset, block.header.size);
        Append(bytes, Bytes(data).subspan(static_cast<std::size_t>(block.offset),
                                          static_cast<std::size_t>(block.header.size)));
      }
      if (file.sparse) backup::AppendSparseBlock(bytes, size, 0);
    }
    for (const Piece& piece : file.behind) Put(bytes, piece);
    if (!file.eas.empty()) {
      Piece eas;
      eas.header.id = backup::StreamId::kEaData;
      eas.data = file.eas;
      Put(bytes, eas);
    }
    return bytes;
  }
  static BOOL WINAPI BackupRead(HANDLE handle, BYTE* buffer, DWORD size, DWORD* count, BOOL abort,
                                BOOL security, void** context) {
    const std::lock_guard lock(mutex_);
    auto* reading = static_cast<Reading*>(*context);
    *count = 0;
    if (abort != FALSE) {
      delete reading;
      *context = nullptr;
      return TRUE;
    }
    if (reading == nullptr) {
      reading = new Reading{StreamOf(handle, files_[KeyOf(handle)], security != FALSE), 0};
      *context = reading;
    }
    *count = static_cast<DWORD>(std::min<std::size_t>(size, reading->bytes.size() - reading->at));
    std::copy_n(reading->bytes.begin() + static_cast<std::ptrdiff_t>(reading->at), *count,
                reinterpret_cast<std::byte*>(buffer));
    reading->at += *count;
    return TRUE;
  }

  // One BackupWrite: streams are kept as they come, the main data goes to the file.
  struct Writing final : backup::Sink {
    Writing(HANDLE to, bool with_security)
        : handle(to), key(KeyOf(to)), security(with_security), decoder(*this) {}
    Status OnStream(const backup::StreamHeader& header, std::uint64_t sparse_offset) override {
      File& file = files_[key];
      const bool block = header.id == backup::StreamId::kSparseBlock;
      target = nullptr;
      main = header.id == backup::StreamId::kData || block;
      at = sparse_offset;
      if (header.id == backup::StreamId::kData) {
        file.has_data = true;
        file.sparse = (header.attributes & backup::kAttributeSparse) != 0;
      }
      if (block) {
        WCLAYER_TRY(fs::Resize(windows::Descriptor(handle), sparse_offset));
        Piece piece;
        piece.offset = sparse_offset;
        piece.header.size = header.size - sizeof sparse_offset;
        if (piece.header.size != 0) file.blocks.push_back(std::move(piece));
      }
      if (main) return {};
      if (header.id == backup::StreamId::kSecurity && !security) return {};
      if (header.id == backup::StreamId::kEaData) {
        target = &file.eas;
        return {};
      }
      const bool behind = header.id == backup::StreamId::kAlternateData;
      auto& pieces = behind ? file.behind : file.before;
      pieces.push_back({header, 0, {}});
      pieces.back().header.attributes = 0;
      target = &pieces.back().data;
      reparse = header.id == backup::StreamId::kReparse;
      return {};
    }
    Status OnData(Bytes bytes) override {
      if (main) {
        WCLAYER_TRY(fs::WriteAt(windows::Descriptor(handle), bytes, at));
        at += bytes.size();
      } else if (target != nullptr) {
        Append(*target, bytes);
      }
      return {};
    }
    Status OnStreamEnd() override {
      if (reparse) files_[key].reparse_tag = LoadLe<std::uint32_t>(target->data());
      reparse = false;
      return {};
    }
    HANDLE handle;
    Key key;
    bool security;
    backup::Decoder decoder;
    Buffer* target = nullptr;
    bool main = false;
    bool reparse = false;
    std::uint64_t at = 0;
  };
  static BOOL WINAPI BackupWrite(HANDLE handle, BYTE* buffer, DWORD size, DWORD* count, BOOL abort,
                                 BOOL security, void** context) {
    const std::lock_guard lock(mutex_);
    auto* writing = static_cast<Writing*>(*context);
    *count = 0;
    if (abort != FALSE) {
      delete writing;
      *context = nullptr;
      return TRUE;
    }
    if (writing == nullptr) *context = writing = new Writing(handle, security != FALSE);
    const auto written =
        writing->decoder.Write(Bytes(reinterpret_cast<const std::byte*>(buffer), size));
    if (!written) {
      ::SetLastError(ERROR_INVALID_DATA);
      return FALSE;
    }
    *count = size;
    return TRUE;
  }

  static NTSTATUS NTAPI NtQueryEaFile(HANDLE handle, IO_STATUS_BLOCK* io, void* buffer,
                                      ULONG length, BOOLEAN, void*, ULONG, ULONG*, BOOLEAN) {
    const std::lock_guard lock(mutex_);
    const Buffer& eas = files_[KeyOf(handle)].eas;
    if (eas.empty() || eas.size() > length) return kNoEas;
    std::copy(eas.begin(), eas.end(), static_cast<std::byte*>(buffer));
    io->Information = eas.size();
    return 0;
  }

  static NTSTATUS NTAPI NtCreateFile(HANDLE* handle, ACCESS_MASK access, OBJECT_ATTRIBUTES* object,
                                     IO_STATUS_BLOCK* io, LARGE_INTEGER* allocation,
                                     ULONG attributes, ULONG share, ULONG disposition,
                                     ULONG options, void* ea, ULONG ea_length) {
    const NTSTATUS status = fs::RealCalls().NtCreateFile(
        handle, access & ~static_cast<ACCESS_MASK>(ACCESS_SYSTEM_SECURITY), object, io, allocation,
        attributes, share, disposition, options, ea, ea_length);
    if (status < 0) return status;
    const std::lock_guard lock(mutex_);
    const Key key = KeyOf(*handle);
    // Whoever had this number before is gone.
    if (io->Information == FILE_CREATED) files_.erase(key);
    const auto found = files_.find(key);
    const bool reparse = found != files_.end() && found->second.reparse_tag != 0;
    if (!reparse || (options & kOpenReparsePoint) != 0) return status;
    fs::RealCalls().CloseHandle(*handle);
    *handle = INVALID_HANDLE_VALUE;
    return kReparseInTheWay;
  }

  static BOOL WINAPI GetFileInformationByHandle(HANDLE handle, BY_HANDLE_FILE_INFORMATION* info) {
    if (fs::RealCalls().GetFileInformationByHandle(handle, info) == 0) return FALSE;
    const std::lock_guard lock(mutex_);
    if (const auto found = files_.find(KeyOf(handle)); found != files_.end())
      info->dwFileAttributes = AttributesOf(found->second, info->dwFileAttributes);
    return TRUE;
  }
  static BOOL WINAPI GetFileInformationByHandleEx(HANDLE handle, FILE_INFO_BY_HANDLE_CLASS kind,
                                                  void* buffer, DWORD size) {
    if (fs::RealCalls().GetFileInformationByHandleEx(handle, kind, buffer, size) == 0) return FALSE;
    if (kind != FileBasicInfo && kind != FileAttributeTagInfo) return TRUE;
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(KeyOf(handle));
    if (found == files_.end()) return TRUE;
    if (kind == FileAttributeTagInfo) {
      auto* tag = static_cast<FILE_ATTRIBUTE_TAG_INFO*>(buffer);
      tag->FileAttributes = AttributesOf(found->second, tag->FileAttributes);
      tag->ReparseTag = found->second.reparse_tag;
      return TRUE;
    }
    auto* basic = static_cast<FILE_BASIC_INFO*>(buffer);
    const DWORD attributes = AttributesOf(found->second, basic->FileAttributes);
    if (found->second.basic) *basic = *found->second.basic;
    basic->FileAttributes = attributes;
    return TRUE;
  }
  static BOOL WINAPI SetFileInformationByHandle(HANDLE handle, FILE_INFO_BY_HANDLE_CLASS kind,
                                                void* buffer, DWORD size) {
    if (kind != FileBasicInfo)
      return fs::RealCalls().SetFileInformationByHandle(handle, kind, buffer, size);
    FILE_BASIC_INFO now{};
    GetFileInformationByHandleEx(handle, FileBasicInfo, &now, sizeof now);
    const auto* given = static_cast<const FILE_BASIC_INFO*>(buffer);
    const auto take = [](LARGE_INTEGER& to, const LARGE_INTEGER& from) {
      if (from.QuadPart != 0) to = from;
    };
    take(now.CreationTime, given->CreationTime);
    take(now.LastAccessTime, given->LastAccessTime);
    take(now.LastWriteTime, given->LastWriteTime);
    take(now.ChangeTime, given->ChangeTime);
    if (given->FileAttributes != 0) now.FileAttributes = given->FileAttributes;
    FILE_BASIC_INFO real = *given;
    fs::RealCalls().SetFileInformationByHandle(handle, FileBasicInfo, &real, sizeof real);
    const std::lock_guard lock(mutex_);
    files_[KeyOf(handle)].basic = now;
    return TRUE;
  }

  static inline std::mutex mutex_;
  static inline std::map<Key, File> files_;
  static inline fs::Win32 calls_;
};

}  // namespace wclayer::test
