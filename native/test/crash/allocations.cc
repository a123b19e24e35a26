#include "crash/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

using wclayer::crash::kNever;

std::atomic<long> countdown{kNever};  // to the allocation that fails
std::atomic<long> asked{0};
std::atomic<long> alive{0};  // made by new

bool Fails() {
  asked.fetch_add(1, std::memory_order_relaxed);
  if (countdown.load(std::memory_order_relaxed) < 0) return false;
  return countdown.fetch_sub(1, std::memory_order_relaxed) == 0;
}

}  // namespace

extern "C" {
void* __real_malloc(size_t size);
void* __real_calloc(size_t count, size_t size);
void* __real_realloc(void* block, size_t size);
void* __wrap_malloc(size_t size) {
  return Fails() ? nullptr : __real_malloc(size);
}
void* __wrap_calloc(size_t count, size_t size) {
  return Fails() ? nullptr : __real_calloc(count, size);
}
void* __wrap_realloc(void* block, size_t size) {
  return Fails() ? nullptr : __real_realloc(block, size);
}
}

void* operator new(std::size_t size) {
  void* block = Fails() ? nullptr : __real_malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  alive.fetch_add(1, std::memory_order_relaxed);
  return block;
}
void* operator new(std::size_t size, std::align_val_t align) {
  void* block = nullptr;
  if (Fails() || ::posix_memalign(&block, static_cast<std::size_t>(align), size) != 0)
    throw std::bad_alloc();
  alive.fetch_add(1, std::memory_order_relaxed);
  return block;
}
// The rest too: a sanitizer has its own of each, which would not know these.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* block = Fails() ? nullptr : __real_malloc(size == 0 ? 1 : size);
  if (block != nullptr) alive.fetch_add(1, std::memory_order_relaxed);
  return block;
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& tag) noexcept {
  return operator new(size, tag);
}
void operator delete(void* block) noexcept {
  if (block != nullptr) alive.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  operator delete(block);
}
void operator delete(void* block, const std::nothrow_t&) noexcept {
  operator delete(block);
}
void operator delete[](void* block) noexcept {
  operator delete(block);
}
void operator delete[](void* block, std::size_t) noexcept {
  operator delete(block);
}
void operator delete[](void* block, const std::nothrow_t&) noexcept {
  operator delete(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  operator delete(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  operator delete(block);
}

namespace wclayer::crash {

void FailAllocation(long point) {
  countdown.store(point, std::memory_order_relaxed);
}
long AllocationsAsked() {
  return asked.load(std::memory_order_relaxed);
}
long BlocksAlive() {
  return alive.load(std::memory_order_relaxed);
}

}  // namespace wclayer::crash
