// Files below a folder handle as backup streams (spec layer-formats §b), whole: what BackupRead and
// BackupWrite make of them on Windows, where the caller holds the privileges that takes (spec
// vmcompute-abi §10). Where files are bytes and nothing else, they are read and written as such,
// and HasBackupStreams says so.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "fs/dir.h"
#include "fs/stored_times.h"

namespace wclayer::fs {

// Whether files here can hold descriptors, streams, extended attributes and reparse data.
bool HasBackupStreams();

// A file to read its own data, a reparse point or not.
Expected<UniqueFd> OpenItself(const Dir& dir, std::string_view path);

enum class Security : bool { kLeave = false, kTake = true };

// One reader of one file or folder. A reparse point is read itself.
class BackupReader {
 public:
  static Expected<std::unique_ptr<BackupReader>> Open(const Dir& dir, std::string_view path,
                                                      Security security);
  virtual ~BackupReader() = default;
  virtual Expected<std::size_t> Read(MutableBytes buffer) = 0;  // 0: the end of the stream
  // The data of an EA stream, empty if there is none: BackupRead has it behind the main data.
  virtual Expected<Buffer> Eas() = 0;
  const StoredTimes& times() const { return times_; }  // with the attributes
  const Info& info() const { return info_; }
  // Equal for the names of one file.
  std::array<std::uint64_t, 2> file_id() const { return {info_.device, info_.inode}; }

 protected:
  StoredTimes times_;
  Info info_;
};

// Makes a file or folder, by the attributes, and restores a stream to it. It must not exist, but
// for a folder where `target` allows that. Times and attributes are set first and again at the end.
class BackupWriter {
 public:
  enum class Target { kNew, kNewOrFolder };
  static Expected<std::unique_ptr<BackupWriter>> Open(const Dir& dir, std::string_view path,
                                                      const StoredTimes& times, Security security,
                                                      Target target);
  virtual ~BackupWriter() = default;
  virtual Status Write(Bytes stream) = 0;
  virtual Status Finish() = 0;
};

// The same where a file is its bytes and nothing else.
Expected<std::unique_ptr<BackupReader>> OpenPlainReader(const Dir& dir, std::string_view path);
Expected<std::unique_ptr<BackupWriter>> OpenPlainWriter(const Dir& dir, std::string_view path,
                                                        const StoredTimes& times,
                                                        BackupWriter::Target target);

}  // namespace wclayer::fs
