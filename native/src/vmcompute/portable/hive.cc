#include "portable/hive.h"

#include "fs/dir.h"

namespace wclayer::portable {

Status CheckHiveFile(int file, std::string_view path, bool may_be_empty) {
  WCLAYER_ASSIGN(const auto info, fs::StatFd(file));
  if (info.size == 0 && may_be_empty) return {};
  Buffer head(backup::kHiveHeadBytes);
  WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(file, head, 0));
  head.resize(got);
  auto checked = backup::CheckHive(head, info.size);
  if (!checked) return std::move(checked).error().At(path);
  return {};
}

}  // namespace wclayer::portable
