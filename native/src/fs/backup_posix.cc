// No file system of Linux holds what a backup stream does.
#include "fs/backup.h"

namespace wclayer::fs {

bool HasBackupStreams() {
  return false;
}

Expected<UniqueFd> OpenItself(const Dir& dir, std::string_view path) {
  return dir.OpenFile(path);
}

Expected<std::unique_ptr<BackupReader>> BackupReader::Open(const Dir& dir, std::string_view path,
                                                           Security) {
  return OpenPlainReader(dir, path);
}

Expected<std::unique_ptr<BackupWriter>> BackupWriter::Open(const Dir& dir, std::string_view path,
                                                           const StoredTimes& times, Security,
                                                           Target target) {
  return OpenPlainWriter(dir, path, times, target);
}

}  // namespace wclayer::fs
