// Owner of one operating-system handle: UniqueFd is `Unique<int, CloseFd, -1>`.
#pragma once

#include <utility>

namespace wclayer {

template <class T, void (*Close)(T), T kNone>
class Unique {
 public:
  Unique() = default;
  explicit Unique(T value) : value_(value) {}
  Unique(Unique&& other) noexcept : value_(other.release()) {}
  Unique& operator=(Unique&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~Unique() { reset(); }

  T get() const { return value_; }
  explicit operator bool() const { return value_ != kNone; }
  T release() { return std::exchange(value_, kNone); }
  void reset(T value = kNone) {
    if (value_ != kNone) Close(value_);
    value_ = value;
  }

 private:
  T value_ = kNone;
};

}  // namespace wclayer
