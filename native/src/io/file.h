// Descriptors as sources and sinks.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique.h"
#include "io/sink.h"

namespace wclayer::io {

void CloseDescriptor(int fd);
using UniqueFd = Unique<int, CloseDescriptor, -1>;

Expected<UniqueFd> OpenForReading(const std::string& path);    // O_CLOEXEC; a folder is an error
Expected<UniqueFd> CreateForWriting(const std::string& path);  // truncates; 0600

class FileSink final : public ByteSink {
 public:
  explicit FileSink(int fd) : fd_(fd) {}  // borrowed
  Status Write(Bytes bytes) override;     // EINTR and short writes handled
  Status Finish() override { return {}; }

 private:
  int fd_;
};

// Reads up to buffer.size() bytes; 0 at the end.
Expected<std::size_t> ReadSome(int fd, MutableBytes buffer);

}  // namespace wclayer::io
