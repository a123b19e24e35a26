#include "tar/foreign.h"

#include <algorithm>
#include <array>

namespace wclayer::tar {
namespace {

struct Kind {
  std::string_view magic;
  const char* name;
};

constexpr std::array kBinary = {
    Kind{"\x1F\x8B", "gzip data"},
    Kind{"\x28\xB5\x2F\xFD", "zstd data"},
    Kind{"BZh", "bzip2 data"},
    Kind{"\xFD"
         "7zXZ",
         "xz data"},
    Kind{"PK\x03\x04", "a zip archive"},
    Kind{"MSWIM", "a WIM image"},
    Kind{"vhdxfile", "a VHDX disk"},
    Kind{"MZ", "a Windows program"},
};

const char* TextKind(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos) return nullptr;
  if (text[at] == '<') return text.substr(at).starts_with("<?xml") ? "XML" : "an HTML page";
  return text[at] == '{' || text[at] == '[' ? "JSON" : nullptr;
}

}  // namespace

std::string DescribeForeign(Bytes start) {
  std::string_view text = AsText(start);
  const char* name = nullptr;
  for (const Kind& kind : kBinary) {
    if (name == nullptr && text.starts_with(kind.magic)) name = kind.name;
  }
  if (name == nullptr) name = TextKind(text);
  constexpr std::size_t kShown = 40;
  std::string shown(text.substr(0, kShown));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  std::string message = "not a tar";
  if (name != nullptr) message.append(": it looks like ").append(name);
  return message + "; it begins with '" + shown + "'";
}

}  // namespace wclayer::tar
