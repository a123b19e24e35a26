// The C library's heap: blocks that know their size, of any alignment.
#pragma once

#include <cstddef>

namespace wclayer::jni::heap {

void* New(std::size_t size);  // null: no memory
std::size_t SizeOf(void* block);
void Delete(void* block);
// Of more than the usual alignment: only the functions of these names take such a block.
void* NewAligned(std::size_t size, std::size_t align);
std::size_t SizeOfAligned(void* block, std::size_t align);
void DeleteAligned(void* block);

}  // namespace wclayer::jni::heap
