// One export under way: entries in the reference order, each with its backup stream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"
#include "portable/content.h"
#include "portable/entry.h"
#include "portable/stream_source.h"
#include "vmcompute/abi.h"

namespace wclayer::portable {

// One thread at a time.
class Export {
 public:
  static Expected<std::unique_ptr<Export>> Begin(const std::shared_ptr<Home>& home,
                                                 const std::string& id,
                                                 const std::vector<std::string>& against);

  // The plain ABI knows no hard links: a caller that does not ask by Describe gets whole files.
  Expected<bool> Next();
  const Entry& entry() const { return entry_; }
  vmcompute::FileBasicInfo Info() const;
  // Of the current entry; a hard link counts as the file that a plain caller reads.
  std::int64_t Size() const;
  Expected<std::size_t> Read(MutableBytes buffer);
  // Texts in it live until the next call.
  Status Describe(vmcompute::EntryDescription& description);
  Expected<vmcompute::ChangeKind> Change();
  Status Skip(std::uint64_t bytes);
  Expected<bool> SeekPath(const std::string& path);
  Expected<bool> SeekOrdinal(std::uint64_t ordinal);
  const std::u16string& name();  // of the current entry, as the ABI gives it

  // What ExportLayerEnd complains about: entries or streams left unread, an earlier failure.
  Status End();

 private:
  explicit Export(std::unique_ptr<Content> content) : content_(std::move(content)) {}
  Expected<bool> Arrive(Expected<bool> there);
  Status BeginStream();

  std::unique_ptr<Content> content_;
  Entry entry_;
  Entry file_;  // of a hard link, as a plain caller sees it
  bool resolved_ = false;
  StreamSource stream_;
  bool streaming_ = false;
  bool described_ = false;
  bool ended_ = false;
  bool unread_ = false;  // some entry's stream was not read to its end
  std::optional<Error> failed_;
  std::u16string name_;
  std::u16string link_target_;
};

}  // namespace wclayer::portable
