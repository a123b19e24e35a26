// Files and folders as BackupRead and BackupWrite see them.
#include "fs/backup.h"

#include <algorithm>
#include <cerrno>

#include "fs/nt.h"
#include "fs/system.h"

namespace wclayer::fs {
namespace {

constexpr ULONG kOpen = 1;
constexpr ULONG kCreate = 2;
constexpr ULONG kOpenIf = 3;
// Neither can be set by name: they come with the stream.
constexpr DWORD kNotSettable =
    FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_SPARSE_FILE;
constexpr std::size_t kMaxEaListBytes = 64u << 10;
constexpr std::size_t kMaxPiece = 1u << 30;
constexpr NTSTATUS kNoEas = static_cast<NTSTATUS>(0xC0000052u);        // STATUS_NO_EAS_ON_FILE
constexpr NTSTATUS kNoMoreEas = static_cast<NTSTATUS>(0x80000012u);    // STATUS_NO_MORE_EAS
constexpr NTSTATUS kEasNotThere = static_cast<NTSTATUS>(0xC000004Fu);  // STATUS_EAS_NOT_SUPPORTED

// Whether BackupRead does more than say that it cannot, which is what Wine's does.
bool BackupReadWorks() {
  const auto file = UnnamedFile();
  if (!file || RealCalls().BackupRead == nullptr || RealCalls().BackupWrite == nullptr)
    return false;
  BYTE bytes[32];
  DWORD count = 0;
  void* context = nullptr;
  const HANDLE handle = windows::Handle(file->get());
  const BOOL read =
      RealCalls().BackupRead(handle, bytes, sizeof bytes, &count, FALSE, FALSE, &context);
  if (context != nullptr) RealCalls().BackupRead(handle, bytes, 0, &count, TRUE, FALSE, &context);
  return read != 0;
}

StoredTimes TimesOf(const FILE_BASIC_INFO& basic) {
  StoredTimes stored;
  stored.times[0] = basic.CreationTime.QuadPart;
  stored.times[1] = basic.LastAccessTime.QuadPart;
  stored.times[2] = basic.LastWriteTime.QuadPart;
  stored.times[3] = basic.ChangeTime.QuadPart;
  stored.attributes = basic.FileAttributes;
  return stored;
}

}  // namespace

bool HasBackupStreams() {
  if (&Calls() != &RealCalls()) return Calls().BackupRead != nullptr;
  static const bool works = BackupReadWorks();
  return works;
}

Expected<UniqueFd> OpenItself(const Dir& dir, std::string_view path) {
  return OpenEntry(dir.fd(), path, FILE_GENERIC_READ);
}

// ---- reading

namespace {

class Reader final : public BackupReader {
 public:
  ~Reader() override {
    if (context_ == nullptr) return;
    DWORD count = 0;
    Calls().BackupRead(windows::Handle(file_.get()), nullptr, 0, &count, TRUE, security_,
                       &context_);
  }

  Status Start(const Dir& dir, std::string_view path, Security security) {
    WCLAYER_TRY(CheckPath(path));
    path_ = path;
    security_ = security == Security::kTake ? TRUE : FALSE;
    NtOpenRequest request;
    request.access = FILE_GENERIC_READ;
    if (security_ != FALSE) request.access |= ACCESS_SYSTEM_SECURITY;
    request.disposition = kOpen;
    request.options = FILE_OPEN_REPARSE_POINT;
    WCLAYER_ASSIGN(file_, NtOpen(dir.fd(), path, request));
    WCLAYER_ASSIGN(info_, StatFd(file_.get()));
    FILE_BASIC_INFO basic{};
    if (Calls().GetFileInformationByHandleEx(windows::Handle(file_.get()), FileBasicInfo, &basic,
                                             sizeof basic) == 0)
      return windows::LastError("GetFileInformationByHandleEx", path);
    times_ = TimesOf(basic);
    return {};
  }

  Expected<std::size_t> Read(MutableBytes buffer) override {
    DWORD count = 0;
    if (Calls().BackupRead(windows::Handle(file_.get()), reinterpret_cast<BYTE*>(buffer.data()),
                           static_cast<DWORD>(std::min(buffer.size(), kMaxPiece)), &count, FALSE,
                           security_, &context_) == 0)
      return windows::LastError("BackupRead", path_);
    return std::size_t{count};
  }

  Expected<Buffer> Eas() override {
    Buffer eas;
    if (Calls().NtQueryEaFile == nullptr) return eas;
    eas.resize(kMaxEaListBytes);
    IO_STATUS_BLOCK io{};
    const NTSTATUS status =
        Calls().NtQueryEaFile(windows::Handle(file_.get()), &io, eas.data(),
                              static_cast<ULONG>(eas.size()), FALSE, nullptr, 0, nullptr, TRUE);
    if (status == kNoEas || status == kNoMoreEas || status == kEasNotThere || IsUnknownCall(status))
      return Buffer();
    if (status < 0) return windows::NtFailure(status, "NtQueryEaFile", path_);
    eas.resize(std::min(eas.size(), static_cast<std::size_t>(io.Information)));
    return eas;
  }

 private:
  UniqueFd file_;
  std::string path_;
  BOOL security_ = FALSE;
  void* context_ = nullptr;
};

// ---- writing

class Writer final : public BackupWriter {
 public:
  ~Writer() override { Release(); }

  Status Start(const Dir& dir, std::string_view path, const StoredTimes& times, Security security,
               Target target) {
    WCLAYER_TRY(CheckName(path));
    path_ = path;
    security_ = security == Security::kTake ? TRUE : FALSE;
    const bool folder = (times.attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    NtOpenRequest request;
    request.access = FILE_GENERIC_READ | FILE_GENERIC_WRITE | WRITE_DAC | WRITE_OWNER;
    if (security_ != FALSE) request.access |= ACCESS_SYSTEM_SECURITY;
    request.disposition = folder && target == Target::kNewOrFolder ? kOpenIf : kCreate;
    request.options =
        FILE_OPEN_REPARSE_POINT | (folder ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE);
    WCLAYER_ASSIGN(file_, NtOpen(dir.fd(), path, request));
    const auto set = [](LARGE_INTEGER& to, std::int64_t time) {
      to.QuadPart = std::max<std::int64_t>(time, 1);  // 0 means "leave it"
    };
    set(basic_.CreationTime, times.times[0]);
    set(basic_.LastAccessTime, times.times[1]);
    set(basic_.LastWriteTime, times.times[2]);
    set(basic_.ChangeTime, times.times[3]);
    basic_.FileAttributes = times.attributes & ~kNotSettable;
    return SetBasic();
  }

  Status Write(Bytes stream) override {
    while (!stream.empty()) {
      auto* const from = reinterpret_cast<BYTE*>(const_cast<std::byte*>(stream.data()));
      DWORD count = 0;
      if (Calls().BackupWrite(windows::Handle(file_.get()), from,
                              static_cast<DWORD>(std::min(stream.size(), kMaxPiece)), &count, FALSE,
                              security_, &context_) == 0)
        return windows::LastError("BackupWrite", path_);
      if (count == 0) return SystemError(EIO, "BackupWrite", path_);
      stream = stream.subspan(count);
    }
    return {};
  }

  Status Finish() override {
    Release();
    WCLAYER_TRY(SetBasic());
    file_.reset();
    return {};
  }

 private:
  Status SetBasic() {
    if (Calls().SetFileInformationByHandle(windows::Handle(file_.get()), FileBasicInfo, &basic_,
                                           sizeof basic_) == 0)
      return windows::LastError("SetFileInformationByHandle", path_);
    return {};
  }
  void Release() {
    if (context_ == nullptr) return;
    DWORD count = 0;
    Calls().BackupWrite(windows::Handle(file_.get()), nullptr, 0, &count, TRUE, security_,
                        &context_);
    context_ = nullptr;
  }

  UniqueFd file_;
  std::string path_;
  FILE_BASIC_INFO basic_{};
  BOOL security_ = FALSE;
  void* context_ = nullptr;
};

}  // namespace

Expected<std::unique_ptr<BackupReader>> BackupReader::Open(const Dir& dir, std::string_view path,
                                                           Security security) {
  if (!HasBackupStreams()) return OpenPlainReader(dir, path);
  auto reader = std::make_unique<Reader>();
  WCLAYER_TRY(reader->Start(dir, path, security));
  return std::unique_ptr<BackupReader>(std::move(reader));
}

Expected<std::unique_ptr<BackupWriter>> BackupWriter::Open(const Dir& dir, std::string_view path,
                                                           const StoredTimes& times,
                                                           Security security, Target target) {
  if (!HasBackupStreams()) return OpenPlainWriter(dir, path, times, target);
  auto writer = std::make_unique<Writer>();
  WCLAYER_TRY(writer->Start(dir, path, times, security, target));
  return std::unique_ptr<BackupWriter>(std::move(writer));
}

}  // namespace wclayer::fs
