#include <algorithm>

#include "base/limits.h"
#include "portable/names.h"
#include "portable/transport.h"

namespace wclayer::portable {
namespace {

using fs::StoredTimes;

constexpr std::string_view kBom = "\xEF\xBB\xBF";
constexpr std::size_t kMaxTombstonesBytes = 64u << 20;
constexpr std::size_t kWord = sizeof(std::uint32_t);
constexpr std::uint32_t kFolderAttributes = 0x10;
constexpr std::uint32_t kFileAttributes = 0x20;

bool IsFolderMetadata(std::string_view name) {
  return name.size() > kFolderSuffix.size() &&
         name.substr(name.size() - kFolderSuffix.size()) == kFolderSuffix;
}

// Whether the bytes from `at` to the end of the file are whole streams, one behind the other.
Expected<bool> HoldsStreams(int file, std::uint64_t at, std::uint64_t size) {
  std::byte head[backup::kStreamHeaderBytes];
  while (at < size) {
    WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file, head, at));
    if (got != sizeof head) return false;
    const auto id = LoadLe<std::uint32_t>(head);
    const auto bytes = LoadLe<std::uint64_t>(head + 8);
    const auto name = LoadLe<std::uint32_t>(head + 16);
    if (id == 0 || id > 64 || name > kMaxStreamNameBytes) return false;
    at += sizeof head;
    if (name > size - at || bytes > size - at - name) return false;
    at += name + bytes;
  }
  return true;
}

class FolderReader {
 public:
  FolderReader(Import& import, fs::Dir root)
      : import_(&import), root_(std::move(root)), piece_(kPiece) {}

  Status Run() {
    WCLAYER_ASSIGN(auto listed, root_.List());
    std::erase_if(listed, [](const fs::Listed& item) { return item.name == kTombstonesFile; });
    stack_.push_back({"", std::move(listed), 0});
    while (!stack_.empty()) {
      Frame& frame = stack_.back();
      if (frame.next == frame.items.size()) {
        stack_.pop_back();
        continue;
      }
      const fs::Listed item = std::move(frame.items[frame.next++]);
      auto done = PutItem(frame.path, item);
      if (!done) return std::move(done).error().At(Join(stack_.back().path, item.name));
    }
    return PutTombstones();
  }

 private:
  struct Frame {
    std::string path;
    std::vector<fs::Listed> items;
    std::size_t next;
  };

  Status PutItem(const std::string& folder, const fs::Listed& item) {
    const std::string path = Join(folder, item.name);
    if (item.type == fs::Type::kDirectory) return PutFolder(path);
    if (item.type != fs::Type::kFile)
      return Error(Errc::kUnsafePath, "a transport folder holds nothing but files and folders")
          .At(path);
    if (IsFolderMetadata(item.name)) {
      const auto of = path.substr(0, path.size() - kFolderSuffix.size());
      WCLAYER_ASSIGN(const auto info, root_.Exists(of));
      if (info) return {};  // read with its folder
      return Error(Errc::kBadArchive, "metadata of a folder that is not there").At(path);
    }
    if (folder.empty())
      return Error(Errc::kBadArchive, "a file that does not belong here").At(path);
    WCLAYER_ASSIGN(const auto file, root_.OpenFile(path));
    if (SamePath(path.substr(0, path.find('/')), "Hives")) return PutPlain(path, file.get());
    return PutStored(path, file.get(), kFileAttributes);
  }

  Status PutFolder(const std::string& path) {
    WCLAYER_ASSIGN(const bool stored, root_.Exists(path + std::string(kFolderSuffix)));
    if (stored) {
      WCLAYER_ASSIGN(const auto file, root_.OpenFile(path + std::string(kFolderSuffix)));
      WCLAYER_TRY(PutStored(path, file.get(), kFolderAttributes));
    }
    WCLAYER_ASSIGN(const auto dir, root_.OpenDir(path));
    WCLAYER_ASSIGN(auto items, dir.List());
    // One without metadata is as the nearest parent has it (C16): made when something is put into
    // it. An empty one stands for itself; top folders may be there for no more than the format.
    if (!stored && items.empty() && path.find('/') != std::string::npos) {
      WCLAYER_ASSIGN(const auto info, root_.Stat(path));
      WCLAYER_ASSIGN(const auto times, fs::ReadStoredTimes(-1, info, kFolderAttributes));
      WCLAYER_TRY(Add(path, times));
    }
    stack_.push_back({path, std::move(items), 0});
    return {};
  }

  Status Add(const std::string& path, const StoredTimes& stored) {
    ImportedEntry given;
    given.path = path;
    std::copy(std::begin(stored.times), std::end(stored.times), given.times);
    std::copy(std::begin(stored.time_remainder), std::end(stored.time_remainder),
              given.time_remainder);
    given.time_absent = stored.time_absent;
    given.attributes = stored.attributes;
    WCLAYER_ASSIGN(const auto ordinal, import_->Add(given));
    (void)ordinal;
    return {};
  }

  Status PutStored(const std::string& path, int file, std::uint32_t default_attributes) {
    WCLAYER_ASSIGN(const auto info, fs::StatFd(file));
    WCLAYER_ASSIGN(auto times, fs::ReadStoredTimes(file, info, default_attributes));
    std::uint64_t at = 0;
    // TP4 wrote no attribute word. Where both readings fit, the newer form is meant.
    bool word = info.size >= kWord;
    if (word) {
      WCLAYER_ASSIGN(word, HoldsStreams(file, kWord, info.size));
    }
    if (word) {
      std::byte attributes[kWord];
      WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file, attributes, 0));
      if (got != kWord) return Error(Errc::kBadArchive, "the file is cut short");
      times.attributes = LoadLe<std::uint32_t>(attributes);
      at = kWord;
    } else {
      times.attributes = default_attributes;
    }
    if (default_attributes == kFolderAttributes)
      times.attributes |= kFolderAttributes;
    else
      times.attributes &= ~kFolderAttributes;
    WCLAYER_TRY(Add(path, times));
    return Copy(file, at);
  }

  Status PutPlain(const std::string& path, int file) {
    WCLAYER_ASSIGN(const auto info, fs::StatFd(file));
    WCLAYER_ASSIGN(const auto times, fs::ReadStoredTimes(file, info, kFileAttributes));
    WCLAYER_TRY(Add(path, times));
    backup::StreamHeader header;
    header.size = info.size;
    Buffer head;
    backup::AppendHeader(head, header);
    WCLAYER_TRY(import_->Write(head));
    return Copy(file, 0);
  }

  Status Copy(int file, std::uint64_t at) {
    while (true) {
      WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file, piece_, at));
      if (got == 0) return {};
      WCLAYER_TRY(import_->Write(Bytes(piece_).first(got)));
      at += got;
    }
  }

  Status PutTombstones() {
    WCLAYER_ASSIGN(const bool there, root_.Exists(kTombstonesFile));
    if (!there) return {};
    WCLAYER_ASSIGN(const auto text, root_.ReadSmall(kTombstonesFile, kMaxTombstonesBytes));
    std::string_view rest = text;
    if (rest.starts_with(kBom)) rest.remove_prefix(kBom.size());
    bool head = true;
    while (head || !rest.empty()) {
      auto line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (head && line != "Version 1.0")
        return Error(Errc::kBadArchive, "its first line is not 'Version 1.0'").At(kTombstonesFile);
      if (!head && !line.empty()) WCLAYER_TRY(PutTombstone(line));
      head = false;
    }
    return {};
  }

  Status PutTombstone(std::string_view line) {
    if (line.front() != '\\')
      return Error(Errc::kBadArchive, "a line does not begin with '\\'").At(kTombstonesFile);
    ImportedEntry given;
    given.path = "Files" + std::string(line);
    std::replace(given.path.begin(), given.path.end(), '\\', '/');
    given.tombstone = true;
    WCLAYER_ASSIGN(const auto ordinal, import_->Add(given));
    (void)ordinal;
    return {};
  }

  Import* import_;
  fs::Dir root_;
  std::vector<Frame> stack_;
  Buffer piece_;
};

}  // namespace

Status ImportFromFolder(const std::shared_ptr<Home>& home, const std::string& id,
                        const std::vector<std::string>& parents, const std::string& folder) {
  WCLAYER_ASSIGN(auto root, fs::Dir::OpenAbsolute(folder));
  WCLAYER_ASSIGN(const auto import, Import::Begin(home, id, parents));
  FolderReader reader(*import, std::move(root));
  WCLAYER_TRY(reader.Run());
  return import->EndUnsettled();
}

}  // namespace wclayer::portable
