// A layer written as a transport folder (spec layer-formats §a.2), for tables that take no stream.
// What ImportLayer cannot do is done to the layer afterwards, by Settle, in the order of the
// reference: deletions, hard links, times of folders.
//
// - Names are spelled as their first use in the tar, so that a file system with case holds each
//   once.
// - A hard link is a further name of the stored file, so that every table makes a whole file of it;
//   Settle turns that into a link of the layer. A link to a parent's file is a copy (C8).
// - Deletions go into tombstones.txt as far as nothing of this layer bears their name (C13); an
//   opaque one becomes one for each name that the parents have there.
// - A folder that the tar does not list is as the nearest parent has it: its metadata is written
//   where files carry it, else left to the table.
// - Where files carry what a backup stream does, UtilityVM is written as itself (TreeSink), and of
// a
//   base layer everything is.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "backup/stream.h"
#include "fs/dir.h"
#include "fs/stored_times.h"
#include "layer/item.h"
#include "layer/name_index.h"
#include "layer/path_list.h"
#include "layer/stored_file.h"
#include "layer/tree_sink.h"

namespace wclayer::layer {

// Where links of a layer lead to: names of one file, of which the first one holds it.
class LinkGroups {
 public:
  void Add(const std::string& name, const std::string& first);
  // The file or link of this name is replaced: what linked to it gets another first name.
  void Drop(const std::string& name);
  const std::map<std::string, std::set<std::string>>& groups() const { return groups_; }
  std::string FirstOf(const std::string& name) const;  // `name` itself if it is no link

 private:
  std::map<std::string, std::set<std::string>> groups_;  // first name → the others
  std::unordered_map<std::string, std::string> first_;
};

// Files of the parents, nearest first.
class ParentFolders {
 public:
  static Expected<ParentFolders> Open(const std::vector<std::string>& paths);
  // The nearest parent that holds `path`, as a file or as a folder; null: none does.
  Expected<const fs::Dir*> Find(std::string_view path, fs::Type type) const;
  // The names in folder `path` of all parents, each once.
  Expected<std::set<std::string>> List(std::string_view path) const;
  bool empty() const { return dirs_.empty(); }

 private:
  std::vector<fs::Dir> dirs_;
};

class FolderSink final : public ItemSink {
 public:
  struct Folders {
    std::string transport;  // to be filled, empty
    std::string own;        // where the list of paths goes (PathList)
    std::string tree;       // for what is written as itself; "": nothing is
    std::vector<std::string> parents;
  };
  static Expected<std::unique_ptr<FolderSink>> Open(const Folders& folders);
  Expected<std::uint64_t> Begin(const Item& item) override;
  Status Write(Bytes stream) override;
  Expected<std::size_t> ReadBack(std::uint64_t ordinal, std::uint32_t stream, std::uint64_t offset,
                                 MutableBytes buffer) override;
  Status Finish();                                 // the folder is whole
  Status Settle(const fs::Dir& layer) const;       // after ImportLayer
  bool whole_tree() const { return whole_tree_; }  // nothing is left for ImportLayer

 private:
  struct Tombstone {
    std::string path;
    bool opaque;
  };
  // The main data of a file below Hives, which is stored as it is.
  class PlainData final : public backup::Sink {
   public:
    explicit PlainData(FolderSink& to) : to_(&to) {}
    Status OnStream(const backup::StreamHeader& header, std::uint64_t sparse_offset) override;
    Status OnData(Bytes bytes) override;
    Status OnStreamEnd() override { return {}; }

   private:
    FolderSink* to_;
    bool main_ = false;
  };

  FolderSink() : plain_(*this), decoder_(plain_) {}
  bool InTree(std::string_view path) const;
  Status EnterTree();
  Expected<std::uint64_t> Name(const NameIndex::Key& key, EntryKind kind, const std::string& path);
  Status Enter(std::string_view path, const Item& below);
  Status MakeImpliedFolder(const std::string& path, const Item& below);
  Status BeginFolder(const std::string& path, bool known);
  Status BeginLink(const Item& item, const std::string& path);
  Status CopyFromParent(const Item& item, const std::string& path);
  Status BeginStored(const std::string& path, const fs::StoredTimes& times);
  Status Put(Bytes bytes);
  Status Flush();
  Status EndItem();
  Status Hide(std::vector<std::string> folders);
  Status RemoveFromTree(const Tombstone& tombstone, bool held);
  Status WriteTombstones();

  fs::Dir root_;
  std::unique_ptr<TreeSink> tree_;
  bool whole_tree_ = false;
  bool cloned_ = false;   // the utility VM is there, if there is one
  bool in_tree_ = false;  // the current item
  std::string hive_;      // the current item's path, if it has to be a hive (C15)
  ParentFolders parents_;
  std::unique_ptr<PathListWriter> paths_;
  NameIndex index_;
  LinkGroups links_;
  std::vector<Tombstone> tombstones_;
  std::vector<std::string> deleted_;  // what of them is left
  std::vector<std::pair<std::uint64_t, fs::StoredTimes>> folders_;

  std::string parent_;  // the last folder entered, as the tar spells it, and as it is stored
  std::string parent_stored_;
  fs::Dir parent_dir_;

  fs::UniqueFd file_;  // of the current item
  fs::StoredTimes times_;
  bool is_plain_ = false;
  std::uint64_t written_ = 0;
  Buffer tail_;  // not written yet
  PlainData plain_;
  backup::Decoder decoder_;

  std::uint64_t read_ordinal_ = UINT64_MAX;  // what ReadBack has open
  fs::UniqueFd read_file_;
  std::vector<StoredStream> read_streams_;
};

}  // namespace wclayer::layer
