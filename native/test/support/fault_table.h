// A table that counts its calls and fails the n-th one: every failure a driver can meet, one at a
// time.
#pragma once

#include <atomic>
#include <string>

#include "vmcompute/abi.h"

namespace wclayer::test {

struct Fault {
  const vmcompute::Table* inner = nullptr;
  std::atomic<int> calls{0};
  std::atomic<int> fail_at{-1};  // counted from 0; -1: never
  std::atomic<vmcompute::Hresult> with{vmcompute::kIoDevice};
  std::atomic<bool> failed{false};

  bool Hit() {
    const bool hit = calls.fetch_add(1) == fail_at.load();
    if (hit) failed = true;
    return hit;
  }
};
inline Fault fault;  // the table's functions have no context of their own

template <auto Member, class F>
struct Wrapped;
template <auto Member, class... A>
struct Wrapped<Member, vmcompute::Hresult(WCLAYER_ABI*)(A...)> {
  static vmcompute::Hresult WCLAYER_ABI Call(A... a) {
    if (fault.Hit()) return fault.with;
    return (fault.inner->*Member)(a...);
  }
};
// Releasing calls (ImportLayerEnd, ExportLayerEnd, the aborts, FreeString) are counted only where
// they can fail without leaking what they own; so they are passed on unwrapped.
inline vmcompute::Table FaultTable(const vmcompute::Table& inner) {
  fault.inner = &inner;
  vmcompute::Table table = inner;
#define WCLAYER_WRAP(NAME) \
  table.NAME = &Wrapped<&vmcompute::Table::NAME, decltype(vmcompute::Table::NAME)>::Call
  WCLAYER_WRAP(ActivateLayer);
  WCLAYER_WRAP(PrepareLayer);
  WCLAYER_WRAP(GetLayerMountPath);
  WCLAYER_WRAP(CreateLayer);
  WCLAYER_WRAP(CreateSandboxLayer);
  WCLAYER_WRAP(ExpandSandboxSize);
  WCLAYER_WRAP(LayerExists);
  WCLAYER_WRAP(ExportLayer);
  WCLAYER_WRAP(ImportLayer);
  WCLAYER_WRAP(NameToGuid);
  WCLAYER_WRAP(ImportLayerBegin);
  WCLAYER_WRAP(ImportLayerWrite);
  WCLAYER_WRAP(ExportLayerBegin);
  WCLAYER_WRAP(ExportLayerNext);
  WCLAYER_WRAP(ExportLayerRead);
#undef WCLAYER_WRAP
  return table;
}

}  // namespace wclayer::test
