// One layer being imported: entries in any order that puts folders before what they hold (or leaves
// them out), into a staging folder that becomes the layer at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.h"
#include "portable/chain.h"
#include "portable/home.h"
#include "portable/metadata.h"
#include "portable/payload.h"
#include "portable/staging.h"
#include "vmcompute/abi.h"

namespace wclayer::portable {

// An entry as the caller gives it.
struct ImportedEntry {
  std::string path;
  bool tombstone = false;
  bool opaque = false;      // tombstones: of everything below the folder `path`
  std::string link_target;  // hard links
  std::int64_t times[4] = {};
  std::uint8_t time_absent = 0;
  std::uint8_t time_remainder[4] = {};
  std::uint32_t attributes = 0;
  std::u16string short_name;  // 8.3
};

// One thread at a time, but for RunSealed. After the first failure every call gives that failure
// again.
class Import {
 public:
  // `parents`: ids, immediate parent first.
  static Expected<std::unique_ptr<Import>> Begin(std::shared_ptr<Home> home, std::string id,
                                                 std::vector<std::string> parents);
  // The new content of a layer that is there: End puts it in the place of what the layer holds.
  static Expected<std::unique_ptr<Import>> Replace(std::shared_ptr<Home> home, std::string id,
                                                   std::vector<std::string> parents);
  ~Import();  // undoes everything, unless End succeeded

  Expected<std::uint64_t> Add(const ImportedEntry& given);
  // An entry that cannot even be named: the import has failed.
  Error Fail(Error error);
  Status Write(Bytes stream);  // of the entry added last
  Expected<std::size_t> ReadBack(std::uint64_t ordinal, std::uint32_t stream, std::uint64_t offset,
                                 MutableBytes buffer);
  // Of the main data that Write was given so far for the entry added last.
  Expected<std::uint64_t> Checksum();
  // From now on files are made and written by RunSealed, by End, or when something needs them; main
  // data given to Write lives until then (io/put_off.h).
  void Defer() { files_.Defer(); }
  void Seal() { files_.Seal(); }
  Status RunSealed();                                       // from another thread
  const std::u16string& folder() const { return folder_; }  // the private folder, absolute
  Status End();
  // For callers that work on in the layer's folder: it stays the same folder, and the layer settles
  // at its first use (settle.h).
  Status EndUnsettled();

 private:
  // A folder of the layer on the way to where entries are being put.
  struct Level {
    std::string name;  // as the caller spells it
    std::uint32_t ordinal = kNoOrdinal;
    std::string path;
    std::string disk_path;
    std::shared_ptr<const fs::Dir> dir;  // opened when the first entry is put into it
    Folder parents;                      // what the parent layers have there
  };
  struct Existing {
    std::uint32_t ordinal = kNoOrdinal;
    Node node;
  };

  Import(std::shared_ptr<Home> home, std::string id, std::vector<std::string> parents);
  static Expected<std::unique_ptr<Import>> Start(std::unique_ptr<Import> import);
  template <class T, class Call>
  Expected<T> Guard(Call&& call);
  Status FinishStaging();
  Expected<std::uint64_t> AddChecked(const ImportedEntry& given);
  Expected<std::uint64_t> AddTombstone(const ImportedEntry& given, const Existing& existing);
  Expected<std::uint64_t> AddFolder(const ImportedEntry& given, const Existing& existing);
  Expected<std::uint64_t> AddFile(const ImportedEntry& given, const Existing& existing);
  Expected<std::uint64_t> AddLink(const ImportedEntry& given, const Existing& existing);
  Status LinkOnDisk(const Entry& first, const Entry& link);
  Status FillFromParent(const ImportedEntry& given, const std::string& target);
  Status CopyPayload(const Found& found, const Entry& from);

  Expected<Existing> Find(std::uint32_t parent, std::string_view name) const;
  // Makes levels_ lead to the folder `path`, making the folders that are missing.
  Status Enter(std::string_view path, const ImportedEntry& for_entry);
  Status Descend(std::string_view name, const ImportedEntry& for_entry);
  Expected<std::uint32_t> MakeImplicitFolder(std::string_view name, bool opaque,
                                             const ImportedEntry& for_entry);
  Expected<const fs::Dir*> OpenLevel();
  Expected<std::string> SpellOnDisk(std::string_view name);
  Expected<Entry> NewEntry(const ImportedEntry& given, Kind kind);
  Status ReplaceExisting(const Existing& existing);
  Status SetOpaque(const Existing& folder);
  void BeginPayload();
  Status FinishEntry();
  Status PutFolderOnDisk();
  Status CheckStoredHive();
  Status CreateFile();
  Status PutWithoutData();

  std::shared_ptr<Home> home_;
  std::string id_;
  bool replaces_ = false;
  std::vector<std::string> parent_ids_;
  std::unique_ptr<Chain> chain_;
  std::unique_ptr<Staging> staging_;
  fs::Dir private_;
  std::u16string folder_;
  std::unique_ptr<MetadataWriter> metadata_;
  std::unique_ptr<StreamsWriter> streams_;
  StagedFiles files_;
  std::unique_ptr<PayloadWriter> payload_;
  std::unique_ptr<backup::Decoder> decoder_;
  std::vector<Level> levels_;
  std::optional<Error> failed_;

  // The entry being received.
  Entry entry_;
  bool open_ = false;
  std::uint32_t entry_parent_ = kNoOrdinal;
  std::uint32_t merging_ = kNoOrdinal;  // the folder that the entry repeats

  // What ReadBack read from last.
  std::uint64_t read_ordinal_ = UINT64_MAX;
  Entry read_entry_;
  fs::UniqueFd read_file_;
};

}  // namespace wclayer::portable
