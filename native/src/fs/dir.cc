// What a folder does by its other members, on every system.
#include "fs/dir.h"

#include <algorithm>
#include <cerrno>

namespace wclayer::fs {

Status Dir::MakeHardLink(std::string_view existing, std::string_view path) const {
  return MakeHardLinkTo(*this, existing, path);
}

Expected<bool> Dir::Exists(std::string_view path) const {
  auto info = Stat(path);
  if (info) return true;
  if (info.error().sys_errno == ENOENT || info.error().sys_errno == ENOTDIR) return false;
  return std::move(info).error();
}

Expected<std::vector<Listed>> Dir::List() const {
  std::vector<Listed> all;
  WCLAYER_TRY(Visit([&](std::string_view name, Type type) -> Status {
    all.push_back({std::string(name), type});
    return {};
  }));
  std::sort(all.begin(), all.end(),
            [](const Listed& a, const Listed& b) { return a.name < b.name; });
  return all;
}

Status Dir::MakeSmall(std::string_view path, std::string_view bytes) const {
  const auto make = [&]() -> Status {
    WCLAYER_ASSIGN(UniqueFd file, CreateFile(path));
    WCLAYER_TRY(WriteAt(file.get(), AsBytes(bytes), 0));
    return CloseWritten(std::move(file));
  };
  auto made = make();
  if (!made) made.error().path = path;
  return made;
}

Expected<std::string> Dir::ReadSmall(std::string_view path, std::size_t limit) const {
  WCLAYER_ASSIGN(UniqueFd file, OpenFile(path));
  WCLAYER_ASSIGN(const Info info, StatFd(file.get()));
  if (info.type != Type::kFile) return Error(Errc::kLayerDamaged, "not a regular file").At(path);
  if (info.size > limit) {
    return Error(Errc::kLimitExceeded, std::to_string(info.size) + " bytes, at most " +
                                           std::to_string(limit) + " are read of such a file")
        .At(path);
  }
  std::string text(info.size, '\0');
  WCLAYER_ASSIGN(const std::size_t count,
                 ReadAt(file.get(), std::as_writable_bytes(std::span(text)), 0));
  text.resize(count);
  return text;
}

}  // namespace wclayer::fs
