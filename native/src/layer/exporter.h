// Layer → tar, in the bytes of the reference writer (spec layer-formats §c) and reproducibly.
#pragma once

#include <memory>

#include "layer/item.h"

namespace wclayer::layer {

enum class WriterMode {
  kReference,  // entries + streams → what hcsshim + Go write: drops what they drop, wraps times
               // (golden sets)
  kStore,      // every Diff: exact times, and what the reference drops as extra entries and records
               // (store §3)
};

class TarExporter {
 public:
  TarExporter(ItemSource& source, WriterMode mode);
  ~TarExporter();
  // Fills as much of `buffer` (≥ 64 KiB) as it can without waiting for more room; 0: the end of the
  // tar. Headers, payload and padding are built in place; payload bytes are read straight into the
  // buffer.
  Expected<std::size_t> Fill(MutableBytes buffer);
  std::uint64_t entries() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wclayer::layer
