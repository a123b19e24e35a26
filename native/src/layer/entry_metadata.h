// What a tar entry says of a file beside its payload: times, attributes and the backup streams that
// come before the data.
#pragma once

#include <string>
#include <unordered_map>

#include "base/bytes.h"
#include "base/expected.h"
#include "layer/item.h"
#include "tar/entry.h"

namespace wclayer::layer {

class MetadataReader {
 public:
  // Sets times, attributes, short name and reparse tag of `item` from an entry of type 0, 1, 2 or
  // 5, and appends its SECURITY, EA, REPARSE, OBJECT_ID and other small streams to `head`.
  Status Read(const tar::Entry& entry, Item& item, Buffer& head);

 private:
  Status ReadSecurity(const tar::Entry& entry, Buffer& head);

  // Most entries have one of few descriptors: those are decoded and checked once.
  std::unordered_map<std::string, Buffer> descriptors_;
};

// The value of the entry's record `key`, or null.
const std::string* FindRecord(const tar::Entry& entry, std::string_view key);

}  // namespace wclayer::layer
