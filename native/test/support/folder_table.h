// A table without the eight streaming entries and without ours: what a Windows has today.
#pragma once

#include "vmcompute/abi.h"

namespace wclayer::test {

inline vmcompute::Table WithoutStreaming(vmcompute::Table table) {
  table.extensions = nullptr;
  table.ImportLayerBegin = nullptr;
  table.ImportLayerNext = nullptr;
  table.ImportLayerWrite = nullptr;
  table.ImportLayerEnd = nullptr;
  table.ExportLayerBegin = nullptr;
  table.ExportLayerNext = nullptr;
  table.ExportLayerRead = nullptr;
  table.ExportLayerEnd = nullptr;
  return table;
}

}  // namespace wclayer::test
