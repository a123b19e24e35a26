// The few JSON texts of a store (layerchain.json, records, base-images.json), read from bytes that
// may be hostile: size-limited, depth-limited, duplicate keys: last wins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"

namespace wclayer {

// A JSON value of the shapes we use. Numbers are 64-bit integers; a fraction is an error.
struct Json {
  enum class Kind { kNull, kBool, kInt, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string string;  // (W)UTF-8
  std::vector<Json> array;
  struct Member;
  std::vector<Member> object;  // in order of writing

  static Json Of(std::string_view text);
  static Json Of(const char* text);  // not the bool
  static Json Of(std::int64_t number);
  static Json Of(bool value);
  static Json Array();
  static Json Object();
  Json& Add(std::string_view key, Json value);  // appends a member, returns *this

  const Json* Find(std::string_view key) const;  // null: absent or not an object
  std::string StringOr(std::string_view key, std::string_view otherwise) const;
  std::int64_t IntOr(std::string_view key, std::int64_t otherwise) const;
  bool BoolOr(std::string_view key, bool otherwise) const;
};

struct Json::Member {
  std::string key;
  Json value;
};

// Limits: kMaxJsonBytes, kMaxJsonValues, kMaxJsonDepth. A lone surrogate's escape (\ud800) is read
// into WTF-8.
Expected<Json> ParseJson(std::string_view text);
// Compact; escapes as Go's encoding/json does (<, >, & as \u003c…, bytes that are no UTF-8 as
// \ufffd), but keeps lone surrogates, as their escapes.
std::string WriteJson(const Json& value);

}  // namespace wclayer
