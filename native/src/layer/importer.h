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
