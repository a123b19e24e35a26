#include "layer/links.h"

namespace wclayer::layer {

void Links::Add(std::uint32_t link, std::uint32_t first, std::string_view path) {
  targets_[link] = {first, static_cast<std::uint32_t>(path.size()), paths_.size()};
  paths_ += path;
  ++names_[first].count;
}

std::optional<Links::First> Links::Find(std::uint32_t link) const {
  const auto found = targets_.find(link);
  if (found == targets_.end()) return std::nullopt;
  const Target& target = found->second;
  return First{target.first, std::string_view(paths_).substr(target.path_at, target.path_size)};
}

bool Links::DropFirst(std::uint32_t first, std::uint64_t size) {
  const auto found = names_.find(first);
  if (found == names_.end()) return true;
  found->second.size = size;
  return --found->second.count == 0;
}

std::optional<std::uint64_t> Links::DropLink(std::uint32_t link) {
  const auto found = targets_.find(link);
  if (found == targets_.end()) return std::nullopt;
  const std::uint32_t first = found->second.first;
  targets_.erase(found);
  Names& names = names_[first];
  if (--names.count != 0) return std::nullopt;
  return names.size;
}

}  // namespace wclayer::layer
