// The backup stream of one entry on its way to the disk: main data into its file, large streams
// into the layer's "streams" file, everything else into the entry.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "backup/stream.h"
#include "base/expected.h"
#include "fs/dir.h"
#include "io/digest.h"
#include "portable/entry.h"
#include "portable/staged_files.h"

namespace wclayer::portable {

inline constexpr std::size_t kMaxInlineStream = 4096;  // larger alternate streams go to "streams"

// The layer's "streams" file while it is written. Made when first needed.
class StreamsWriter {
 public:
  explicit StreamsWriter(const fs::Dir& folder) : folder_(&folder) {}
  Expected<std::uint64_t> Begin();  // where the next stream starts
  Status Write(Bytes bytes);
  Expected<std::size_t> Read(std::uint64_t offset, MutableBytes buffer) const;

 private:
  const fs::Dir* folder_;
  fs::UniqueFd file_;
  std::uint64_t at_ = 0;
};

class PayloadWriter final : public backup::Sink {
 public:
  using Create = std::function<Status()>;  // of the file that `files` will write
  PayloadWriter(StreamsWriter& streams, StagedFiles& files) : streams_(&streams), files_(&files) {}

  // From here on streams belong to `entry`; `create` makes its file when the first byte comes.
  void Begin(Entry& entry, Create create);
  std::uint64_t Checksum() const { return main_sum_.Value(); }  // of the main data so far
  // The stream is complete: sizes, checksum and reparse tag are in the entry. Whether a file was
  // made; it is closed.
  Expected<bool> Finish();

  Status OnStream(const backup::StreamHeader& header, std::uint64_t sparse_offset) override;
  Status OnData(Bytes bytes) override;
  Status OnStreamEnd() override;

 private:
  enum class Target { kNone, kMain, kSecurity, kInline, kExternal };
  Status BeginMain(const backup::StreamHeader& header);
  Status BeginBlock(const backup::StreamHeader& header, std::uint64_t offset);
  Status BeginRecord(const backup::StreamHeader& header);
  Status OpenFile();
  Error Malformed(std::string_view what) const;

  StreamsWriter* streams_;
  StagedFiles* files_;
  Entry* entry_ = nullptr;
  Create create_;
  bool file_made_ = false;
  Target target_ = Target::kNone;
  bool seen_data_ = false;
  bool seen_security_ = false;
  bool blocks_of_main_ = false;   // a sparse block now belongs to the main data
  bool blocks_of_other_ = false;  // … to the alternate stream before it
  bool closed_ = false;           // the block that ends a sparse file was there
  std::uint64_t at_ = 0;
  io::StreamChecksum main_sum_;
  io::StreamChecksum stream_sum_;
};

}  // namespace wclayer::portable
