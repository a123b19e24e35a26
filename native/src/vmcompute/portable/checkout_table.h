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

  // A freed inode number comes back at once; the time of birth tells the two files apart.
  bool BornWith(const fs::Info& other) const;
  // Change time moves with everything that is done to a file but reading it (spec mounting §6).
  bool Untouched(const fs::Info& other) const;
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
  // The row of the file that `info` identifies, where it is as it was made, or with the handle that
  // `handle_of` asks for; a row that carries a mark also needs `mark`. Both are asked only then:
  // most files nobody has touched.
  template <class HandleOf, class MarkOf>
  Expected<std::optional<CheckoutRow>> Find(const fs::Info& info, HandleOf&& handle_of,
                                            MarkOf&& mark) const {
    std::optional<std::string> handle;
    const auto [first, last] = rows_.equal_range(info.inode);
    for (auto at = first; at != last; ++at) {
      CheckoutRow row = RowAt(at->second);
      if (row.info.type != info.type) continue;
      if (!row.BornWith(info) || !row.Untouched(info)) {
        if (!row.handle.empty() && !handle) {
          WCLAYER_ASSIGN(handle, handle_of());
        }
        if (row.handle.empty() ? !row.BornWith(info) : row.handle != *handle) continue;
      }
      if (row.marked && !mark(row)) continue;
      return std::optional<CheckoutRow>(std::move(row));
    }
    return std::optional<CheckoutRow>();
  }

 private:
  CheckoutRow RowAt(std::size_t offset) const;
  Status Index();

  Buffer bytes_;
  std::unordered_multimap<std::uint64_t, std::size_t> rows_;  // by inode
};

}  // namespace wclayer::portable
