// The tar header of an entry of a layer: the fields and vendor records that the reference writes
// (spec layer-formats §c.3–§c.4), and in store mode the ones of ours (store §3).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"
#include "layer/exporter.h"
#include "layer/item.h"
#include "tar/writer.h"

namespace wclayer::layer {

// The streams of a file that become records of its header.
struct FileMetadata {
  Buffer security;
  Buffer eas;      // FILE_FULL_EA_INFORMATION list
  Buffer reparse;  // REPARSE_DATA_BUFFER
  Buffer object_id;
  std::vector<std::pair<std::uint32_t, Buffer>> others;  // by stream id
  void Clear();
};

tar::Header WhiteoutHeader(const Item& item);
tar::Header HardLinkHeader(const Item& item, WriterMode mode);
// `has_data`: there is a DATA stream.
Expected<tar::Header> MainHeader(const Item& item, const FileMetadata& metadata, bool has_data,
                                 WriterMode mode);
// Of an alternate stream of the file that `main` is the header of.
tar::Header StreamHeader(const tar::Header& main, std::string_view stream, std::uint64_t size);

}  // namespace wclayer::layer
