#include "jni/heap.h"

#include <malloc.h>

#include <cstdlib>

namespace wclayer::jni::heap {

void* New(std::size_t size) {
  return std::malloc(size);
}
std::size_t SizeOf(void* block) {
  return malloc_usable_size(block);
}
void Delete(void* block) {
  std::free(block);
}
void* NewAligned(std::size_t size, std::size_t align) {
  return std::aligned_alloc(align, (size + align - 1) & ~(align - 1));
}
std::size_t SizeOfAligned(void* block, std::size_t) {
  return malloc_usable_size(block);
}
void DeleteAligned(void* block) {
  std::free(block);
}

}  // namespace wclayer::jni::heap
