#include "fs/folder_names.h"

#include <algorithm>
#include <cerrno>

#include "base/upcase.h"

namespace wclayer::fs {
namespace {

bool IsCapital(char c) {
  return c >= 'A' && c <= 'Z';
}

bool HasCapital(std::string_view name) {
  return std::any_of(name.begin(), name.end(), IsCapital);
}

Expected<bool> IsFolder(const Dir& home, std::string_view name) {
  const auto info = home.Stat(name);
  if (info) return info->type == Type::kDirectory;
  if (info.error().sys_errno == ENOENT) return false;
  return info.error();
}

}  // namespace

Expected<std::string> FindFolder(const Dir& home, std::string_view name) {
  WCLAYER_ASSIGN(const bool exact, IsFolder(home, name));
  if (exact) return std::string(name);
  WCLAYER_ASSIGN(const bool capitals, home.Exists(kCapitalsFile));
  if (!capitals) {
    if (!HasCapital(name)) return std::string();
    const std::string small = LowerAscii(name);
    WCLAYER_ASSIGN(const bool there, IsFolder(home, small));
    return there ? small : std::string();
  }
  std::string found;
  WCLAYER_TRY(home.Visit([&](std::string_view other, Type type) -> Status {
    if (type == Type::kDirectory && EqualNoCaseAscii(other, name)) found = other;
    return {};
  }));
  return found;
}

Status NoteCapitals(const Dir& home, std::string_view name) {
  if (!HasCapital(name)) return {};
  WCLAYER_ASSIGN(const bool noted, home.Exists(kCapitalsFile));
  if (noted) return {};
  WCLAYER_TRY(home.MakeDirs(".wclayer"));
  // Nothing is lost with it in a power failure: who opens the home next looks at each name.
  return home.ReplaceSmall(kCapitalsFile, "", Durability::kNone);
}

Status NoteCapitalsOfAll(const Dir& home) {
  std::string capital;
  WCLAYER_TRY(home.Visit([&](std::string_view name, Type type) -> Status {
    if (type == Type::kDirectory && HasCapital(name)) capital = name;
    return {};
  }));
  return NoteCapitals(home, capital);
}

}  // namespace wclayer::fs
