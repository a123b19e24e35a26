#include "fs/system.h"

#include <cerrno>

namespace wclayer::fs {

bool IsAbsent(const Error& error) {
  return error.sys_errno == ENOENT || error.sys_errno == ENOTDIR;
}

Expected<std::string> FreshName() {
  std::byte bytes[16];
  WCLAYER_TRY(RandomBytes(bytes));
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[std::to_integer<int>(byte >> 4)];
    text += "0123456789abcdef"[std::to_integer<int>(byte & std::byte{15})];
  }
  return text;
}

}  // namespace wclayer::fs
