// Counts what the core allocates: Natives.memory() shows it, and tests hold it against the promise
// of bounded memory. Replaces operator new and delete within this library alone (nothing is
// exported).
#include "jni/memory.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> current{0};
std::atomic<std::int64_t> high_water{0};

void* Count(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  const auto size = static_cast<std::int64_t>(malloc_usable_size(block));
  const std::int64_t now = current.fetch_add(size, std::memory_order_relaxed) + size;
  std::int64_t seen = high_water.load(std::memory_order_relaxed);
  while (now > seen && !high_water.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
  return block;
}

void Uncount(void* block) noexcept {
  if (block == nullptr) return;
  current.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(block)),
                    std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  return Count(std::malloc(size == 0 ? 1 : size));
}
void* operator new(std::size_t size, std::align_val_t align) {
  return Count(std::aligned_alloc(
      static_cast<std::size_t>(align),
      (size + static_cast<std::size_t>(align) - 1) & ~(static_cast<std::size_t>(align) - 1)));
}
void operator delete(void* block) noexcept {
  Uncount(block);
}
void operator delete(void* block, std::size_t) noexcept {
  Uncount(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  Uncount(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  Uncount(block);
}

namespace wclayer::jni {

std::int64_t CurrentBytes() {
  return current.load(std::memory_order_relaxed);
}
std::int64_t HighWaterBytes() {
  return high_water.load(std::memory_order_relaxed);
}

}  // namespace wclayer::jni
