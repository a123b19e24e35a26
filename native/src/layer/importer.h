// Tar → layer: every decision about what a Windows layer tar may hold and what it means
// (spec layer-formats §c.7, store §2–§4). The table that the decision's docs show is
// docs/formats.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/sink.h"
#include "layer/item.h"
#include "layer/skeleton.h"

namespace wclayer::layer {

struct ImportOptions {
  bool strict_tar = false;
  bool base_layer = false;  // no parents
};

struct ImportSummary {
  std::int64_t size_bytes = 0;  // sum of main files below Files/ and UtilityVM/Files/, hard links
                                // once; what a duplicate replaced does not count
  std::uint64_t entries = 0;    // tar entries
  bool has_hives = false;
  bool has_utility_vm = false;
  std::vector<std::string> warnings;  // at most 100; the last one says how many more
};

// The decisions that no specification makes for us:
// - Folders that the tar does not list are left to the sink, with a warning (layer/item.h).
// - A whiteout and the thing itself in one tar both reach the sink, which keeps the thing (C13). In
//   a base layer a whiteout is kept, with a warning.
// - Files replace files, links and the reverse; a folder, a symbolic link or another reparse point
//   does not come after anything else under its name.
// - A file of size 0 has a DATA stream unless the header's mode is 0, as the reference writes it.
// - docker 1.11's MSWINDOWS.*time records count where the header has no such time; its write time
//   where it refines the header's whole seconds.
// - A hard link to itself changes nothing (GNU tar writes these); a link to a link leads to the
//   first name, unless that has become another file since.
//
// A ByteSink for the plain tar. Finish: everything handed over; then summary() is complete.
class TarImporter final : public io::ByteSink {
 public:
  // `skeleton` null: none is kept. Both outlive the importer.
  TarImporter(ItemSink& sink, SkeletonWriter* skeleton, ImportOptions options);
  ~TarImporter() override;
  Status Write(Bytes bytes) override;
  Status Finish() override;
  const ImportSummary& summary() const;
  std::uint64_t entries() const;  // so far; from the writing thread

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wclayer::layer
