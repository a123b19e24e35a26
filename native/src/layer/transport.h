// The v1.10 transport tar (spec layer-formats §f): a plain tar of a transport folder, both ways.
#pragma once

#include <memory>
#include <string>

#include "base/expected.h"
#include "io/sink.h"

namespace wclayer::layer {

// Pulls the tar of `folder`: names relative, '/', folders with a trailing slash, sorted by bytes,
// depth first.
class FolderTar {
 public:
  enum class Reading { kKeep, kRemove };  // kRemove: files go as soon as they have been read
  static Expected<std::unique_ptr<FolderTar>> Open(const std::string& folder,
                                                   Reading reading = Reading::kKeep);
  ~FolderTar();
  Expected<std::size_t> Fill(MutableBytes buffer);  // 0: the end
  std::uint64_t entries() const;

 private:
  FolderTar();
  struct State;
  std::unique_ptr<State> state_;
};

// Unpacks such a tar into a folder; nothing can leave it (X1), nor reach its ".wclayer". Whiteouts
// act on the folder itself; an opaque one leaves what this tar has unpacked. Devices, pipes and
// names with a colon are left out, as v1.10 does; symbolic links are refused.
class FolderUntar final : public io::ByteSink {
 public:
  static Expected<std::unique_ptr<FolderUntar>> Open(const std::string& folder);
  ~FolderUntar() override;
  Status Write(Bytes bytes) override;
  Status Finish() override;
  std::int64_t size_bytes() const;  // Σ header sizes, as v1.10 returns
  std::uint64_t entries() const;

 private:
  FolderUntar();
  struct State;
  std::unique_ptr<State> state_;
};

// Recognises a tar by its first entries: transport tars have names ending in ".$wcidirs$", a
// "tombstones.txt" at the top, or, where the head holds neither, folders with a trailing slash and
// a file without vendor records that begins with an attribute word and a backup stream. `head` is
// the first plain-tar bytes (up to 64 KiB); kOci unless there is a reason, kUnknown when not even
// one entry is there.
enum class TarKind { kUnknown, kOci, kTransport };
TarKind RecogniseTar(Bytes head);

}  // namespace wclayer::layer
