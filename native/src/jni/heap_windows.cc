#include "jni/heap.h"

#include <malloc.h>

#include <cstdint>
#include <cstdlib>

namespace wclayer::jni::heap {

void* New(std::size_t size) {
  return std::malloc(size);
}
std::size_t SizeOf(void* block) {
  return ::_msize(block);
}
void Delete(void* block) {
  std::free(block);
}
// Before an aligned block stands where the heap's own block begins.
void* NewAligned(std::size_t size, std::size_t align) {
  void* whole = std::malloc(size + align + sizeof(void*));
  if (whole == nullptr) return nullptr;
  const auto first = reinterpret_cast<std::uintptr_t>(whole) + sizeof(void*);
  auto* block = reinterpret_cast<void**>((first + align - 1) & ~(align - 1));
  block[-1] = whole;
  return block;
}
std::size_t SizeOfAligned(void* block, std::size_t) {
  return ::_msize(static_cast<void**>(block)[-1]);
}
void DeleteAligned(void* block) {
  std::free(static_cast<void**>(block)[-1]);
}

}  // namespace wclayer::jni::heap
