// The hard links of a tar that is being imported: which file each further name belongs to, so that
// a link to a link leads to the first name (C8), and how many names a file has left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace wclayer::layer {

class Links {
 public:
  struct First {
    std::uint32_t ordinal = 0;
    std::string_view path;  // valid until the next Add
  };

  // `link` is a further name of the file `first`, whose first name is `path`.
  void Add(std::uint32_t link, std::uint32_t first, std::string_view path);
  std::optional<First> Find(std::uint32_t link) const;

  // The first name of `first`, a file of `size` bytes, is replaced. True: it was the last name.
  bool DropFirst(std::uint32_t first, std::uint64_t size);
  // `link` is replaced. The size of its file if that was the last name.
  std::optional<std::uint64_t> DropLink(std::uint32_t link);

 private:
  struct Target {
    std::uint32_t first;
    std::uint32_t path_size;
    std::size_t path_at;
  };
  struct Names {
    std::uint64_t size = 0;  // known once the first name is gone
    std::uint32_t count = 1;
  };

  std::string paths_;
  std::unordered_map<std::uint32_t, Target> targets_;
  std::unordered_map<std::uint32_t, Names> names_;
};

}  // namespace wclayer::layer
