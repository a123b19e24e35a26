#include "backup/ea.h"

#include "base/limits.h"

namespace wclayer::backup {
namespace {

constexpr std::size_t kEaHeaderBytes = 8;  // next, flags, name length, value length

Error BadEa(const std::string& what) {
  return Error(Errc::kBadArchive, "invalid extended attribute buffer: " + what);
}

}  // namespace

Expected<std::vector<ExtendedAttribute>> ParseEas(Bytes buffer) {
  std::vector<ExtendedAttribute> all;
  if (buffer.size() > kMaxEaBytes) return LimitError("kMaxEaBytes", kMaxEaBytes, buffer.size());
  Bytes rest = buffer;
  while (!rest.empty()) {
    const auto bad = [&](const char* what) {
      return BadEa(std::string(what) + " (entry " + std::to_string(all.size()) + " at byte " +
                   std::to_string(buffer.size() - rest.size()) + ")");
    };
    if (rest.size() < kEaHeaderBytes) return bad("an entry shorter than its header");
    const std::size_t next = LoadLe<std::uint32_t>(rest.data());
    ExtendedAttribute ea;
    ea.flags = LoadLe<std::uint8_t>(rest.data() + 4);
    const std::size_t name_length = LoadLe<std::uint8_t>(rest.data() + 5);
    const std::size_t value_length = LoadLe<std::uint16_t>(rest.data() + 6);
    const std::size_t size = kEaHeaderBytes + name_length + 1 + value_length;
    if (next != 0 && (next > rest.size() || next < size))
      return bad("the offset to the next entry is wrong");
    if (size > rest.size()) return bad("a value reaches beyond the end");
    ea.name = AsText(rest.subspan(kEaHeaderBytes, name_length));
    if (ea.name.empty()) return bad("a name is empty");
    if (ea.name.find('\0') != std::string::npos) return bad("a NUL in a name");
    if (rest[kEaHeaderBytes + name_length] != std::byte{0}) return bad("a name without its NUL");
    const Bytes value = rest.subspan(kEaHeaderBytes + name_length + 1, value_length);
    ea.value.assign(value.begin(), value.end());
    all.push_back(std::move(ea));
    if (next == 0) break;  // the last entry may be padded or not
    rest = rest.subspan(next);
  }
  return all;
}

Expected<Buffer> BuildEas(const std::vector<ExtendedAttribute>& attributes) {
  Buffer out;
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    const ExtendedAttribute& ea = attributes[i];
    if (ea.name.empty() || ea.name.size() > 255)
      return BadEa("a name of " + std::to_string(ea.name.size()) + " bytes (1 to 255)");
    if (ea.name.find('\0') != std::string::npos) return BadEa("a NUL in a name");
    if (ea.value.size() > 65535)
      return BadEa("a value of " + std::to_string(ea.value.size()) + " bytes (at most 65535)");
    const std::size_t size = kEaHeaderBytes + ea.name.size() + 1 + ea.value.size();
    const std::size_t padded = (size + 3) & ~std::size_t{3};
    const bool last = i + 1 == attributes.size();
    AppendLe(out, static_cast<std::uint32_t>(last ? 0 : padded));
    AppendLe(out, ea.flags);
    AppendLe(out, static_cast<std::uint8_t>(ea.name.size()));
    AppendLe(out, static_cast<std::uint16_t>(ea.value.size()));
    Append(out, AsBytes(ea.name));
    out.push_back(std::byte{0});
    Append(out, ea.value);
    out.resize(out.size() + padded - size);
  }
  if (out.size() > kMaxEaBytes) return LimitError("kMaxEaBytes", kMaxEaBytes, out.size());
  return out;
}

}  // namespace wclayer::backup
