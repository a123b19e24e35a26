// What a checkout was made of: ".wclayer/checkout.table", one row for each file, folder and link.
//
// The file (numbers little-endian): "WCLCHKT1", u32 version, u32 rows, then rows one after the
// other, then u64 XXH3 of everything before. A row: u32 layer (place in the chain), u32 ordinal, u8
// type, u8 1 if the file carries a mark (where handles fail), u16 bytes of the handle, u32 bytes of
// the path, u32 mode, u64 size, u64 inode, i64 + u32 each for birth, modification and change time,
// handle, path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"
#include "fs/dir.h"
#include "portable/chain.h"

namespace wclayer::portable {

inline constexpr char kCheckout[] = "checkout";  // in the private folder of the layer
inline constexpr char kCheckoutTable[] = "checkout.table";

struct CheckoutRow {
  Found origin;
  fs::Info info;
  bool marked = false;
  std::string handle;  // "": the file system has none
  std::string path;    // below the checkout, on disk
};

class CheckoutTableWriter {
 public:
  static Expected<CheckoutTableWriter> Create(const fs::Dir& folder, std::string_view name);
  Status Add(const CheckoutRow& row);
  Status Finish();

 private:
  Status Flush();

  fs::UniqueFd file_;
  Buffer pending_;
  std::uint64_t at_ = 0;
  std::uint32_t rows_ = 0;
};

class CheckoutTable {
 public:
  // kLayerDamaged says what is wrong.
  static Expected<CheckoutTable> Open(const fs::Dir& folder);
  // The row of the file that `info` and `handle` identify; a row that carries a mark also needs
  // `mark` (asked for only then).
  template <class MarkOf>
  std::optional<CheckoutRow> Find(const fs::Info& info, const std::string& handle,
                                  MarkOf&& mark) const {
    const auto [first, last] = rows_.equal_range(KeyOf(info, handle));
    for (auto at = first; at != last; ++at) {
      CheckoutRow row = RowAt(at->second);
      if (!Matches(row, info, handle)) continue;
      if (row.marked && !mark(row)) continue;
      return row;
    }
    return std::nullopt;
  }

 private:
  static std::uint64_t KeyOf(const fs::Info& info, const std::string& handle);
  static bool Matches(const CheckoutRow& row, const fs::Info& info, const std::string& handle);
  CheckoutRow RowAt(std::size_t offset) const;
  Status Index();

  Buffer bytes_;
  std::unordered_multimap<std::uint64_t, std::size_t> rows_;
};

}  // namespace wclayer::portable
