// Counts what the core allocates: Natives.memory() shows it, and tests hold it against the promise
// of bounded memory. Replaces operator new and delete within this library alone (nothing is
// exported).
#include "jni/memory.h"

#include <atomic>
#include <new>

#include "jni/heap.h"

namespace {

namespace heap = wclayer::jni::heap;

std::atomic<std::int64_t> current{0};
std::atomic<std::int64_t> high_water{0};

void* Count(void* block, std::size_t bytes) {
  const auto size = static_cast<std::int64_t>(bytes);
  const std::int64_t now = current.fetch_add(size, std::memory_order_relaxed) + size;
  std::int64_t seen = high_water.load(std::memory_order_relaxed);
  while (now > seen && !high_water.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
  return block;
}

void Uncount(std::size_t bytes) noexcept {
  current.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
}

void Free(void* block) noexcept {
  if (block == nullptr) return;
  Uncount(heap::SizeOf(block));
  heap::Delete(block);
}

void FreeAligned(void* block, std::align_val_t align) noexcept {
  if (block == nullptr) return;
  Uncount(heap::SizeOfAligned(block, static_cast<std::size_t>(align)));
  heap::DeleteAligned(block);
}

}  // namespace

void* operator new(std::size_t size) {
  void* block = heap::New(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  return Count(block, heap::SizeOf(block));
}
void* operator new(std::size_t size, std::align_val_t align) {
  const auto bytes = static_cast<std::size_t>(align);
  void* block = heap::NewAligned(size == 0 ? 1 : size, bytes);
  if (block == nullptr) throw std::bad_alloc();
  return Count(block, heap::SizeOfAligned(block, bytes));
}
void operator delete(void* block) noexcept {
  Free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  Free(block);
}
void operator delete(void* block, std::align_val_t align) noexcept {
  FreeAligned(block, align);
}
void operator delete(void* block, std::size_t, std::align_val_t align) noexcept {
  FreeAligned(block, align);
}

namespace wclayer::jni {

std::int64_t CurrentBytes() {
  return current.load(std::memory_order_relaxed);
}
std::int64_t HighWaterBytes() {
  return high_water.load(std::memory_order_relaxed);
}

}  // namespace wclayer::jni
