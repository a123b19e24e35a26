// The tar of a transport folder (spec layer-formats §f).
#include <algorithm>
#include <vector>

#include "fs/dir.h"
#include "layer/transport.h"
#include "tar/writer.h"

namespace wclayer::layer {
namespace {

// What v1.10's archive does on Windows: (permissions & 0755) | 0111 (oracle-cases §8), where Go
// shows the owner's permissions for everybody: the mode does not depend on a umask.
constexpr std::uint32_t ModeOf(std::uint32_t permissions) {
  const std::uint32_t owner = permissions >> 6 & 7;
  return ((owner << 6 | owner << 3 | owner) & 0755) | 0111;
}
static_assert(ModeOf(0000) == 0111 && ModeOf(0777) == 0755 && ModeOf(0644) == 0755);
static_assert(ModeOf(0755) == 0755 && ModeOf(0444) == 0555 && ModeOf(0600) == 0755);

}  // namespace

struct FolderTar::State {
  // One folder on the way down.
  struct Level {
    fs::Dir dir;
    std::string path;  // "" at the top, else with a trailing slash
    std::vector<fs::Listed> entries;
    std::size_t next = 0;
  };

  Status Push(fs::Dir dir, std::string path) {
    Level level;
    WCLAYER_ASSIGN(level.entries, dir.List());
    level.dir = std::move(dir);
    level.path = std::move(path);
    levels.push_back(std::move(level));
    if (levels.size() > fs::kOpenLevels + 1)
      levels[levels.size() - fs::kOpenLevels - 1].dir = fs::Dir();
    return {};
  }

  // Opens the level's folder again if its handle was given up.
  Status OpenLevel(Level& level) {
    if (level.dir) return {};
    WCLAYER_ASSIGN(level.dir,
                   root.OpenDir(std::string_view(level.path).substr(0, level.path.size() - 1)));
    return {};
  }

  Status Step() {
    if (!read.empty()) {
      file.reset();
      WCLAYER_TRY(root.Remove(std::exchange(read, {})));
    }
    if (levels.empty()) {
      zeros = tar::kTrailerBytes;
      ended = true;
      return {};
    }
    Level& level = levels.back();
    if (level.next == level.entries.size()) {
      levels.pop_back();
      return {};
    }
    WCLAYER_TRY(OpenLevel(level));
    const fs::Listed& entry = level.entries[level.next++];
    WCLAYER_ASSIGN(const fs::Info info, level.dir.Stat(entry.name));
    tar::Header header;
    header.format = tar::Format::kAuto;
    header.name = level.path + entry.name;
    header.mode = ModeOf(info.mode);
    header.mtime = {info.mtime_seconds, 0};
    ++entries;
    if (info.type == fs::Type::kDirectory) {
      header.type = '5';
      header.name += '/';
      WCLAYER_TRY(tar::AppendHeader(pending, header));
      WCLAYER_ASSIGN(fs::Dir child, level.dir.OpenDir(entry.name));
      return Push(std::move(child), header.name);
    }
    if (info.type != fs::Type::kFile) {
      return Error(Errc::kBadArchive,
                   "neither a file nor a folder; a transport folder holds no such thing")
          .At(header.name);
    }
    header.size = info.size;
    WCLAYER_ASSIGN(file, level.dir.OpenFile(entry.name));
    file_left = info.size;
    file_at = 0;
    padding = tar::Padding(info.size);
    name = header.name;
    if (reading == Reading::kRemove) read = header.name;
    return tar::AppendHeader(pending, header);
  }

  Expected<std::size_t> Fill(MutableBytes buffer) {
    std::size_t used = 0;
    while (used < buffer.size()) {
      const MutableBytes room = buffer.subspan(used);
      if (pending_at < pending.size()) {
        const std::size_t count = std::min(pending.size() - pending_at, room.size());
        std::copy_n(pending.begin() + static_cast<std::ptrdiff_t>(pending_at), count, room.begin());
        pending_at += count;
        used += count;
      } else if (file_left != 0) {
        const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(file_left, room.size()));
        WCLAYER_ASSIGN(const std::size_t count, fs::ReadAt(file.get(), room.first(most), file_at));
        if (count == 0)
          return Error(Errc::kIo, "the file became shorter while it was read").At(name);
        file_at += count;
        file_left -= count;
        used += count;
        if (file_left == 0) zeros = padding;
      } else if (zeros != 0) {
        const std::size_t count = std::min(zeros, room.size());
        std::fill_n(room.begin(), count, std::byte{0});
        zeros -= count;
        used += count;
      } else if (ended) {
        break;
      } else {
        pending.clear();
        pending_at = 0;
        WCLAYER_TRY(Step());
      }
    }
    return used;
  }

  fs::Dir root;
  std::vector<Level> levels;
  Buffer pending;
  std::size_t pending_at = 0;
  Reading reading = Reading::kKeep;
  std::string read;  // goes when the next entry comes
  fs::UniqueFd file;
  std::string name;
  std::uint64_t file_left = 0;
  std::uint64_t file_at = 0;
  std::size_t padding = 0;
  std::size_t zeros = 0;
  bool ended = false;
  std::uint64_t entries = 0;
};

FolderTar::FolderTar() : state_(std::make_unique<State>()) {}
FolderTar::~FolderTar() = default;

Expected<std::unique_ptr<FolderTar>> FolderTar::Open(const std::string& folder, Reading reading) {
  std::unique_ptr<FolderTar> tar(new FolderTar);
  tar->state_->reading = reading;
  WCLAYER_ASSIGN(tar->state_->root, fs::Dir::OpenAbsolute(folder));
  WCLAYER_ASSIGN(fs::Dir top, tar->state_->root.Clone());
  WCLAYER_TRY(tar->state_->Push(std::move(top), ""));
  return tar;
}

Expected<std::size_t> FolderTar::Fill(MutableBytes buffer) {
  return state_->Fill(buffer);
}
std::uint64_t FolderTar::entries() const {
  return state_->entries;
}

}  // namespace wclayer::layer
