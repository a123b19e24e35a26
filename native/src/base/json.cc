#include "base/json.h"

#include <algorithm>
#include <charconv>

#include "base/limits.h"
#include "base/utf16.h"

namespace wclayer {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Expected<Json> Whole() {
    WCLAYER_ASSIGN(Json value, Value(0));
    SkipSpace();
    if (at_ != text_.size()) return Bad("something follows the value");
    return value;
  }

 private:
  Error Bad(const std::string& why) const {
    return Error(Errc::kInvalidArgument, "bad JSON at byte " + std::to_string(at_) + ": " + why);
  }
  void SkipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }
  bool Take(char c) {
    SkipSpace();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool Word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  Expected<Json> Value(int depth) {
    if (depth > kMaxJsonDepth)
      return LimitError("kMaxJsonDepth", kMaxJsonDepth, static_cast<std::uint64_t>(depth));
    if (++values_ > kMaxJsonValues) return LimitError("kMaxJsonValues", kMaxJsonValues, values_);
    SkipSpace();
    if (at_ >= text_.size()) return Bad("the text ends too early");
    const char c = text_[at_];
    Json value;
    if (c == '{') return Members(depth);
    if (c == '[') return Items(depth);
    if (c == '"') {
      WCLAYER_ASSIGN(value.string, Text());
      value.kind = Json::Kind::kString;
      return value;
    }
    if (Word("null")) return value;
    if (Word("true")) return Json::Of(true);
    if (Word("false")) return Json::Of(false);
    return Number();
  }

  Expected<Json> Number() {
    const char* begin = text_.data() + at_;
    const char* end = text_.data() + text_.size();
    std::int64_t number = 0;
    const auto [stop, code] = std::from_chars(begin, end, number);
    if (code != std::errc() || stop == begin) return Bad("neither a value nor a 64-bit number");
    const char* digits = *begin == '-' ? begin + 1 : begin;
    if (*digits == '0' && stop != digits + 1) return Bad("a number with a leading zero");
    if (stop != end && (*stop == '.' || *stop == 'e' || *stop == 'E'))
      return Bad("a number with a fraction or exponent");
    at_ = static_cast<std::size_t>(stop - text_.data());
    return Json::Of(number);
  }

  Expected<Json> Items(int depth) {
    ++at_;
    Json list = Json::Array();
    if (Take(']')) return list;
    do {
      WCLAYER_ASSIGN(Json item, Value(depth + 1));
      list.array.push_back(std::move(item));
    } while (Take(','));
    if (!Take(']')) return Bad("',' or ']' expected");
    return list;
  }

  Expected<Json> Members(int depth) {
    ++at_;
    Json members = Json::Object();
    if (Take('}')) return members;
    do {
      SkipSpace();
      if (at_ >= text_.size() || text_[at_] != '"') return Bad("a name in quotes expected");
      WCLAYER_ASSIGN(const std::string key, Text());
      if (!Take(':')) return Bad("':' expected");
      WCLAYER_ASSIGN(Json value, Value(depth + 1));
      members.Add(key, std::move(value));
    } while (Take(','));
    if (!Take('}')) return Bad("',' or '}' expected");
    return members;
  }

  Expected<std::string> Text() {
    ++at_;
    std::string text;
    std::u16string units;  // of \u escapes in a row, since two of them may be one character
    for (;;) {
      const std::size_t plain = std::min(text_.find_first_of("\"\\", at_), text_.size());
      const std::string_view run = text_.substr(at_, plain - at_);
      if (std::any_of(run.begin(), run.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
        return Bad("a control character in a text");
      at_ = plain;
      const bool escaped_unit = run.empty() && text_.substr(at_).starts_with("\\u");
      if (!escaped_unit) {
        text += ToUtf8(units);
        units.clear();
      }
      text += run;
      if (at_ + 1 >= text_.size() && !text_.substr(at_).starts_with('"'))
        return Bad("a text without its closing quote");
      if (text_[at_++] == '"') break;
      if (text_[at_] == 'u') {
        WCLAYER_ASSIGN(const char16_t unit, EscapedUnit());
        units += unit;
        continue;
      }
      static constexpr std::string_view kFrom = "\"\\/bfnrt";
      static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
      const std::size_t simple = kFrom.find(text_[at_]);
      if (simple == std::string_view::npos) return Bad("an unknown escape");
      text += kTo[simple];
      ++at_;
    }
    if (!IsWtf8(text)) return Bad("a text that is not UTF-8");
    return text;
  }

  Expected<char16_t> EscapedUnit() {
    const std::string_view digits = text_.substr(at_ + 1, 4);
    std::uint16_t unit = 0;
    const auto [stop, code] =
        std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
    if (digits.size() != 4 || code != std::errc() || stop != digits.data() + 4)
      return Bad("\\u takes four hex digits");
    at_ += 5;
    return static_cast<char16_t>(unit);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

// How many bytes at the start of `text` are one character; 0: they are none.
std::size_t CharacterBytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return text.size() >= length && IsWtf8(text.substr(0, length)) ? length : 0;
}

void WriteEscape(std::string& out, std::uint32_t unit) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[unit >> shift & 15];
}

bool IsPlain(char c) {
  return c >= ' ' && c < 0x7F && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

void WriteText(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t length = 0; !text.empty();
       text.remove_prefix(std::max<std::size_t>(length, 1))) {
    length = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), IsPlain) -
                                      text.begin());
    if (length != 0) {
      out += text.substr(0, length);
      continue;
    }
    length = CharacterBytes(text);
    const std::string_view character = text.substr(0, length);
    const auto c = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      WriteEscape(out, 0xFFFD);
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += character;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == '<' || c == '>' || c == '&') {
      WriteEscape(out, c);
    } else if (character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9") {
      WriteEscape(out, character[2] == '\xA8' ? 0x2028 : 0x2029);
    } else if (c == 0xED && static_cast<unsigned char>(text[1]) >= 0xA0) {
      // A lone surrogate: valid JSON only as an escape.
      WriteEscape(out, 0xD000u | (static_cast<unsigned char>(text[1]) & 0x3Fu) << 6 |
                           (static_cast<unsigned char>(text[2]) & 0x3Fu));
    } else {
      out += character;
    }
  }
  out += '"';
}

void Write(std::string& out, const Json& value) {
  switch (value.kind) {
    case Json::Kind::kNull:
      out += "null";
      return;
    case Json::Kind::kBool:
      out += value.boolean ? "true" : "false";
      return;
    case Json::Kind::kInt:
      out += std::to_string(value.integer);
      return;
    case Json::Kind::kString:
      WriteText(out, value.string);
      return;
    case Json::Kind::kArray: {
      out += '[';
      const char* separator = "";
      for (const Json& item : value.array) {
        out += separator;
        separator = ",";
        Write(out, item);
      }
      out += ']';
      return;
    }
    case Json::Kind::kObject: {
      out += '{';
      const char* separator = "";
      for (const auto& [key, item] : value.object) {
        out += separator;
        separator = ",";
        WriteText(out, key);
        out += ':';
        Write(out, item);
      }
      out += '}';
      return;
    }
  }
}

}  // namespace

Json Json::Of(std::string_view text) {
  Json value;
  value.kind = Kind::kString;
  value.string = text;
  return value;
}

Json Json::Of(const char* text) {
  return Of(std::string_view(text));
}

Json Json::Of(std::int64_t number) {
  Json value;
  value.kind = Kind::kInt;
  value.integer = number;
  return value;
}

Json Json::Of(bool boolean) {
  Json value;
  value.kind = Kind::kBool;
  value.boolean = boolean;
  return value;
}

Json Json::Array() {
  Json value;
  value.kind = Kind::kArray;
  return value;
}

Json Json::Object() {
  Json value;
  value.kind = Kind::kObject;
  return value;
}

Json& Json::Add(std::string_view key, Json value) {
  object.push_back({std::string(key), std::move(value)});
  return *this;
}

const Json* Json::Find(std::string_view key) const {
  // The last of equal keys wins.
  for (auto at = object.rbegin(); at != object.rend(); ++at) {
    if (at->key == key) return &at->value;
  }
  return nullptr;
}

std::string Json::StringOr(std::string_view key, std::string_view otherwise) const {
  const Json* found = Find(key);
  return found != nullptr && found->kind == Kind::kString ? found->string : std::string(otherwise);
}

std::int64_t Json::IntOr(std::string_view key, std::int64_t otherwise) const {
  const Json* found = Find(key);
  return found != nullptr && found->kind == Kind::kInt ? found->integer : otherwise;
}

bool Json::BoolOr(std::string_view key, bool otherwise) const {
  const Json* found = Find(key);
  return found != nullptr && found->kind == Kind::kBool ? found->boolean : otherwise;
}

Expected<Json> ParseJson(std::string_view text) {
  if (text.size() > kMaxJsonBytes) return LimitError("kMaxJsonBytes", kMaxJsonBytes, text.size());
  return Parser(text).Whole();
}

std::string WriteJson(const Json& value) {
  std::string out;
  Write(out, value);
  return out;
}

}  // namespace wclayer
