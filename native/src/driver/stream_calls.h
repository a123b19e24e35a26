// The streaming calls of the table. A table of Windows gets them through the gate with copies of
// all that they use, since such a call may outlive its caller; the portable one gets them straight.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "driver/platform.h"

namespace wclayer {

class StreamCalls {
 public:
  StreamCalls(const Platform& platform, std::string id)
      : platform_(&platform), id_(std::move(id)) {}

  // Gives the context of the stream.
  Expected<void*> BeginImport(const Descriptors& parents) const;
  Expected<void*> BeginExport(const Descriptors& parents) const;

  Status ImportWrite(void* context, Bytes bytes) const;
  Status ImportEnd(void* context) const;

  struct Entry {
    std::u16string name;
    vmcompute::FileBasicInfo info;
    std::int64_t size = 0;
    bool deleted = false;
  };
  Expected<bool> ExportNext(void* context, Entry& entry) const;  // false: the end
  Expected<std::size_t> ExportRead(void* context, MutableBytes buffer) const;
  Status ExportEnd(void* context) const;

 private:
  const Platform* platform_;
  std::string id_;
};

}  // namespace wclayer
