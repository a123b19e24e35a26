// A value or an Error. [[nodiscard]]: nobody drops a failure by accident.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/error.h"

namespace wclayer {

template <class T>
class [[nodiscard]] Expected {
 public:
  Expected(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit on purpose
  Expected(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  template <class U>
  requires(!std::is_same_v<U, T> && std::is_convertible_v<U&&, T>)
      Expected(Expected<U>&& other)  // NOLINT
      : state_(other ? decltype(state_)(std::in_place_index<0>, std::move(*other))
                     : decltype(state_)(std::in_place_index<1>, std::move(other).error())) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  Error& error() & { return *std::get_if<1>(&state_); }
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Expected<void> {
 public:
  Expected() = default;
  Expected(Error error) : error_(std::move(error)) {}  // NOLINT

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Expected<void>;

}  // namespace wclayer

// Returns the error of `expression` from the enclosing function, if it has one.
#define WCLAYER_TRY(expression)                              \
  do {                                                       \
    if (auto wclayer_status = (expression); !wclayer_status) \
      return std::move(wclayer_status).error();              \
  } while (false)

#define WCLAYER_CONCAT_(a, b) a##b
#define WCLAYER_CONCAT(a, b) WCLAYER_CONCAT_(a, b)
#define WCLAYER_ASSIGN_(holder, target, expression) \
  auto holder = (expression);                       \
  if (!holder) return std::move(holder).error();    \
  target = *std::move(holder)
// WCLAYER_ASSIGN(auto x, F()): declares x as the value of F(), or returns F()'s error.
#define WCLAYER_ASSIGN(target, expression) \
  WCLAYER_ASSIGN_(WCLAYER_CONCAT(wclayer_value_, __LINE__), target, expression)
