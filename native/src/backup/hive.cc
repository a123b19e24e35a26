#include "backup/hive.h"

#include <algorithm>
#include <string>

#include "base/upcase.h"

namespace wclayer::backup {
namespace {

// Offsets in the base block.
constexpr std::size_t kBaseBlock = 4096;
constexpr std::size_t kSequence1 = 4;
constexpr std::size_t kSequence2 = 8;
constexpr std::size_t kMajor = 20;
constexpr std::size_t kMinor = 24;
constexpr std::size_t kFormat = 32;
constexpr std::size_t kRootCell = 36;
constexpr std::size_t kBinsSize = 40;
constexpr std::size_t kCluster = 44;
constexpr std::size_t kChecksum = 508;
// Offsets in a cell that holds a key (behind its 4-byte size).
constexpr std::size_t kKeyFlags = 2;
constexpr std::size_t kKeyParent = 16;
constexpr std::size_t kKeySubkeys = 20;
constexpr std::size_t kKeyVolatileSubkeys = 24;
constexpr std::size_t kKeySubkeyList = 28;
constexpr std::size_t kKeyValues = 36;
constexpr std::size_t kKeyValueList = 40;
constexpr std::size_t kKeySecurity = 44;
constexpr std::size_t kKeyClass = 48;
constexpr std::size_t kKeyNameLength = 72;
constexpr std::size_t kKeyName = 76;
constexpr std::uint32_t kNone = 0xFFFFFFFF;
constexpr std::uint32_t kBinHeader = 32;

std::uint32_t Word(Bytes bytes, std::size_t at) {
  return LoadLe<std::uint32_t>(bytes.data() + at);
}

std::uint32_t SumOf(Bytes base) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < kChecksum; at += 4) sum ^= Word(base, at);
  if (sum == kNone) return kNone - 1;
  return sum == 0 ? 1 : sum;
}

Error Broken(std::string_view why) {
  return Error(Errc::kLayerDamaged, "the registry hive is corrupt: " + std::string(why));
}

template <class T>
void Set(Buffer& hive, std::size_t at, T value) {
  StoreLe(hive.data() + at, value);
}

// O:BAG:SYD:(A;CI;KA;;;BA)(A;CI;KA;;;SY)(A;CI;KR;;;BU), self-relative.
Buffer KeyDescriptor() {
  Buffer out;
  const auto sid = [&](std::initializer_list<std::uint32_t> parts) {
    AppendLe(out, std::uint8_t{1});
    AppendLe(out, static_cast<std::uint8_t>(parts.size()));
    for (const int byte : {0, 0, 0, 0, 0, 5}) AppendLe(out, static_cast<std::uint8_t>(byte));
    for (const auto part : parts) AppendLe(out, part);
  };
  const auto ace = [&](std::uint32_t mask, std::initializer_list<std::uint32_t> parts) {
    AppendLe(out, std::uint8_t{0});
    AppendLe(out, std::uint8_t{2});
    AppendLe(out, static_cast<std::uint16_t>(16 + 4 * parts.size()));
    AppendLe(out, mask);
    sid(parts);
  };
  AppendLe(out, std::uint8_t{1});
  AppendLe(out, std::uint8_t{0});
  AppendLe(out, std::uint16_t{0x8004});
  for (const std::uint32_t offset : {20u, 36u, 0u, 48u}) AppendLe(out, offset);
  sid({32, 544});
  sid({18});
  AppendLe(out, std::uint8_t{2});
  AppendLe(out, std::uint8_t{0});
  AppendLe(out, std::uint16_t{8 + 24 + 20 + 24});
  AppendLe(out, std::uint16_t{3});
  AppendLe(out, std::uint16_t{0});
  ace(0xF003F, {32, 544});
  ace(0xF003F, {18});
  ace(0x20019, {32, 545});
  return out;
}

}  // namespace

bool IsDeltaName(std::string_view name) {
  return std::any_of(kDeltaNames.begin(), kDeltaNames.end(),
                     [&](std::string_view delta) { return EqualNoCaseUtf8(delta, name); });
}

Status CheckHive(Bytes head, std::uint64_t file_size) {
  if (file_size < kBaseBlock + kBinHeader || head.size() < kBaseBlock)
    return Broken("it has " + std::to_string(file_size) + " bytes, which is less than one bin");
  if (AsText(head.first(4)) != "regf") return Broken("the magic 'regf' is missing");
  if (SumOf(head) != Word(head, kChecksum))
    return Broken("the checksum of the base block is wrong");
  if (Word(head, kMajor) != 1 || Word(head, kFormat) != 1) return Broken("the version is unknown");
  const std::uint32_t bins = Word(head, kBinsSize);
  if (bins == 0 || bins % 4096 != 0 || bins > file_size - kBaseBlock)
    return Broken("its bins are " + std::to_string(bins) + " bytes, but the file has " +
                  std::to_string(file_size));
  if (Word(head, kRootCell) < kBinHeader || Word(head, kRootCell) >= bins)
    return Broken("the root key lies outside the bins");
  if (head.size() >= kBaseBlock + 4 && AsText(head.subspan(kBaseBlock, 4)) != "hbin")
    return Broken("the magic 'hbin' of the first bin is missing");
  return {};
}

bool MustBeHive(std::string_view path) {
  if (EqualNoCaseUtf8(path, "UtilityVM/Files/EFI/Microsoft/Boot/BCD")) return true;
  const std::size_t cut = path.rfind('/');
  if (cut == std::string_view::npos || !EqualNoCaseUtf8(path.substr(0, cut), "Hives")) return false;
  const std::string_view name = path.substr(cut + 1);
  constexpr std::string_view kDelta = "_Delta";
  return std::any_of(kDeltaNames.begin(), kDeltaNames.end(), [&](std::string_view delta) {
    const std::string stem(delta.substr(0, delta.size() - kDelta.size()));
    return EqualNoCaseUtf8(delta, name) || EqualNoCaseUtf8(stem + "_Base", name);
  });
}

bool IsMinimalHive(Bytes hive) {
  if (hive.size() > kMinimalHiveLimit || !CheckHive(hive, hive.size())) return false;
  const std::size_t key = kBaseBlock + Word(hive, kRootCell) + 4;
  if (key + kKeyName > hive.size() || AsText(hive.subspan(key, 2)) != "nk") return false;
  return Word(hive, key + kKeySubkeys) == 0 && Word(hive, key + kKeyVolatileSubkeys) == 0 &&
         Word(hive, key + kKeyValues) == 0;
}

Buffer MinimalHive() {
  constexpr std::string_view kRootName = "ROOT";
  Buffer hive(2 * kBaseBlock);
  const auto text = [&](std::size_t at, std::string_view value) {
    std::copy(value.begin(), value.end(), reinterpret_cast<char*>(hive.data() + at));
  };
  const Buffer descriptor = KeyDescriptor();
  const auto key_cell = static_cast<std::uint32_t>((4 + kKeyName + kRootName.size() + 7) / 8 * 8);
  const auto security_cell = static_cast<std::uint32_t>((4 + 20 + descriptor.size() + 7) / 8 * 8);
  const std::uint32_t root = kBinHeader;
  const std::uint32_t security = root + key_cell;
  const std::uint32_t free = security + security_cell;

  text(0, "regf");
  Set<std::uint32_t>(hive, kSequence1, 1);
  Set<std::uint32_t>(hive, kSequence2, 1);
  Set<std::uint32_t>(hive, kMajor, 1);
  Set<std::uint32_t>(hive, kMinor, 3);
  Set<std::uint32_t>(hive, kFormat, 1);
  Set<std::uint32_t>(hive, kRootCell, root);
  Set<std::uint32_t>(hive, kBinsSize, kBaseBlock);
  Set<std::uint32_t>(hive, kCluster, 1);

  text(kBaseBlock, "hbin");
  Set<std::uint32_t>(hive, kBaseBlock + 8, kBaseBlock);  // size of the bin

  // Cells in use have negative sizes.
  const std::size_t cell = kBaseBlock + root;
  Set<std::int32_t>(hive, cell, -static_cast<std::int32_t>(key_cell));
  const std::size_t key = cell + 4;
  text(key, "nk");
  Set<std::uint16_t>(hive, key + kKeyFlags, 0x2C);  // root of a hive, not deletable, name in ASCII
  Set<std::uint32_t>(hive, key + kKeyParent, kNone);
  Set<std::uint32_t>(hive, key + kKeySubkeyList, kNone);
  Set<std::uint32_t>(hive, key + kKeySubkeyList + 4, kNone);
  Set<std::uint32_t>(hive, key + kKeyValueList, kNone);
  Set<std::uint32_t>(hive, key + kKeySecurity, security);
  Set<std::uint32_t>(hive, key + kKeyClass, kNone);
  Set<std::uint16_t>(hive, key + kKeyNameLength, static_cast<std::uint16_t>(kRootName.size()));
  text(key + kKeyName, kRootName);

  const std::size_t sk = kBaseBlock + security;
  Set<std::int32_t>(hive, sk, -static_cast<std::int32_t>(security_cell));
  text(sk + 4, "sk");
  Set<std::uint32_t>(hive, sk + 8, security);  // a ring of one
  Set<std::uint32_t>(hive, sk + 12, security);
  Set<std::uint32_t>(hive, sk + 16, 1);  // used by one key
  Set<std::uint32_t>(hive, sk + 20, static_cast<std::uint32_t>(descriptor.size()));
  std::copy(descriptor.begin(), descriptor.end(),
            hive.begin() + static_cast<std::ptrdiff_t>(sk + 24));

  Set<std::int32_t>(hive, kBaseBlock + free, static_cast<std::int32_t>(kBaseBlock - free));
  Set<std::uint32_t>(hive, kChecksum, SumOf(hive));
  return hive;
}

}  // namespace wclayer::backup
