// The vendor records of a Windows layer tar (spec layer-formats §c.4) and our own (store §3), both
// ways.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/expected.h"
#include "layer/item.h"
#include "tar/entry.h"
#include "tar/writer.h"

namespace wclayer::layer {

// What a tar entry says of a file beyond its data.
struct FileMetadata {
  Buffer security;  // raw descriptor; empty: none
  Buffer eas;       // FILE_FULL_EA_INFORMATION list
  Buffer reparse;   // REPARSE_DATA_BUFFER
  Buffer object_id;
};

// Times, attributes and metadata of a main entry. Gives warnings through `warn`, one sentence each.
Status ReadRecords(const tar::Entry& entry, Item& item, FileMetadata& metadata,
                   std::string& warning);

// Adds what `item` and `metadata` need to a header whose name and type are set.
Status WriteRecords(const Item& item, const FileMetadata& metadata, bool reference,
                    tar::Header& header);
// The four times alone, as every entry of a layer carries them.
void WriteTimes(const Item& item, bool reference, tar::Header& header);

// The metadata streams that come before the data of a file, in the writer's order.
void AppendMetadataStreams(const FileMetadata& metadata, Buffer& stream);

}  // namespace wclayer::layer
