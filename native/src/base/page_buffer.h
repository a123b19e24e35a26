// Memory that files and pipes are read into and written from.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace wclayer {

// A block of fixed size, 64 bytes behind the start of a page of memory; what it holds at first is
// unspecified. malloc puts large blocks 16 bytes behind one. Files are read from the starts of
// pages, and processors of AMD's Zen family copy with `rep movsb`, as kernels and C libraries do,
// seven times slower when the target lies less than 32 bytes behind the source, places in their
// pages compared (docs/performance.md). From 64 on, in steps of a tar's 512, nothing lies so near:
// neither pages nor the content of a Java array, which begins 16 bytes behind one.
class PageBuffer {
 public:
  PageBuffer() = default;
  explicit PageBuffer(std::size_t size) : size_(size) {
    if (size > static_cast<std::size_t>(-1) - kPlace) throw std::bad_array_new_length();
    if (size != 0) page_ = static_cast<std::byte*>(::operator new(size + kPlace, kPage));
  }
  ~PageBuffer() {
    if (page_ != nullptr) ::operator delete(page_, kPage);
  }
  PageBuffer(PageBuffer&& other) noexcept
      : page_(std::exchange(other.page_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    std::swap(page_, other.page_);
    std::swap(size_, other.size_);
    return *this;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::byte* data() { return page_ == nullptr ? nullptr : page_ + kPlace; }
  const std::byte* data() const { return page_ == nullptr ? nullptr : page_ + kPlace; }
  std::byte* begin() { return data(); }
  std::byte* end() { return data() + size_; }
  const std::byte* begin() const { return data(); }
  const std::byte* end() const { return data() + size_; }

 private:
  static constexpr std::align_val_t kPage{4096};
  static constexpr std::size_t kPlace = 64;
  std::byte* page_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace wclayer
