// One logical tar entry, extended headers applied.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/filetime.h"

namespace wclayer::tar {

struct SparseRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

using Records = std::vector<std::pair<std::string, std::string>>;

struct Entry {
  std::uint64_t index = 0;   // counts logical entries from 0
  std::uint64_t offset = 0;  // byte offset in the tar of the entry's first header block
  char type = '0';  // '\0' and '7' are given as '0' ('5' with a trailing slash); old-GNU 'S' as '0'
  std::string name;  // raw bytes, as in the tar
  std::string link_name;
  std::uint32_t mode = 0;
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::uint64_t size = 0;  // logical size (of the expanded file when sparse); for types 1 to 6,
                           // which have no payload, whatever the header says
  std::uint64_t stored_size = 0;  // payload bytes in the archive
  UnixTime mtime;
  std::optional<UnixTime> atime;
  std::optional<UnixTime> ctime;
  Records pax;  // every other record in effect (global and local; last wins; GNU.sparse.* left
                // out), keys unique, sorted; of a type 'g' entry all its records, which then apply
                // to later entries but for path, linkpath, size and GNU.sparse.*
  bool sparse = false;
  std::vector<SparseRange>
      ranges;           // ascending, non-overlapping, none empty; payload is their concatenation
  char raw_type = '0';  // the type byte as it stands
};

}  // namespace wclayer::tar
