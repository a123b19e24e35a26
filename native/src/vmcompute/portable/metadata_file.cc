#include "portable/metadata_file.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"
#include "io/digest.h"
#include "portable/metadata_record.h"

namespace wclayer::portable {
namespace {

Status CheckSections(const Footer& footer) {
  const auto fail = [&](std::size_t i) {
    return MetadataDamaged("a section is out of place", footer.sections[i].offset);
  };
  const std::uint64_t entries = footer.entries;
  const std::uint64_t live = footer.live;
  const std::uint64_t expected[] = {entries * 8, live * 4, live * 4, entries * 4};
  for (std::size_t i = 0; i < kSectionCount; ++i) {
    const Section& section = footer.sections[i];
    if (section.offset % 8 != 0 || section.offset > footer.body ||
        section.length > footer.body - section.offset)
      return fail(i);
    if (i < std::size(expected) && section.length != expected[i]) return fail(i);
  }
  const std::uint64_t slots = footer.sections[kIndex].length / 8;
  if (footer.sections[kIndex].length % 8 != 0 || !std::has_single_bit(slots) || slots <= live)
    return fail(kIndex);
  if (footer.sections[kLinks].length % 12 != 0) return fail(kLinks);
  return {};
}

}  // namespace

Buffer EncodeFooter(const Footer& footer) {
  Buffer out;
  Append(out, AsBytes(kFooterMagic));
  AppendLe(out, kMetadataVersion);
  AppendLe(out, footer.entries);
  AppendLe(out, footer.live);
  AppendLe(out, std::uint32_t{0});
  for (const auto& section : footer.sections) {
    AppendLe(out, section.offset);
    AppendLe(out, section.length);
  }
  AppendLe(out, footer.body);
  AppendLe(out, footer.sums_sum);
  AppendLe(out, io::Checksum(out));
  return out;
}

Expected<Footer> DecodeFooter(Bytes bytes, std::uint64_t file_size) {
  const std::uint64_t at = file_size - std::min<std::uint64_t>(file_size, kFooterBytes);
  if (bytes.size() != kFooterBytes || AsText(bytes.first(8)) != kFooterMagic)
    return MetadataDamaged("the footer is missing: the file was not finished or was cut", at);
  const std::byte* from = bytes.data() + 8;
  const auto take = [&](auto& value) {
    value = LoadLe<std::remove_reference_t<decltype(value)>>(from);
    from += sizeof value;
  };
  Footer footer;
  std::uint32_t version = 0;
  std::uint32_t reserved = 0;
  std::uint64_t sum = 0;
  take(version);
  take(footer.entries);
  take(footer.live);
  take(reserved);
  for (auto& section : footer.sections) {
    take(section.offset);
    take(section.length);
  }
  take(footer.body);
  take(footer.sums_sum);
  take(sum);
  if (sum != io::Checksum(bytes.first(kFooterBytes - 8)))
    return MetadataDamaged("the footer's checksum is wrong", at);
  if (version != kMetadataVersion)
    return Error(Errc::kUnsupported, "the metadata has version " + std::to_string(version) +
                                         ", which this build cannot read");
  if (footer.entries > kMaxEntries) return LimitError("kMaxEntries", kMaxEntries, footer.entries);
  const std::uint64_t before = file_size - kFooterBytes;
  if (footer.live > footer.entries || footer.body < 8 || footer.body % 8 != 0 ||
      footer.body > before || BlocksOf(footer.body) * 8 != before - footer.body)
    return MetadataDamaged("the footer does not fit the file", at);
  WCLAYER_TRY(CheckSections(footer));
  return footer;
}

std::uint32_t HashOfName(std::uint32_t parent, std::string_view folded_name) {
  constexpr std::size_t kInPlace = 1020;
  std::byte place[sizeof parent + kInPlace];
  if (folded_name.size() <= kInPlace) {
    StoreLe(place, parent);
    std::copy_n(AsBytes(folded_name).begin(), folded_name.size(), place + sizeof parent);
    return static_cast<std::uint32_t>(
        io::Checksum(Bytes(place, sizeof parent + folded_name.size())));
  }
  Buffer key;
  AppendLe(key, parent);
  Append(key, AsBytes(folded_name));
  return static_cast<std::uint32_t>(io::Checksum(key));
}

BlockCache::BlockCache(int fd, std::uint64_t body, std::size_t capacity,
                       const std::vector<std::uint64_t>* sums)
    : fd_(fd), body_(body), capacity_(std::max<std::size_t>(capacity, 2)), sums_(sums) {}

Expected<Bytes> BlockCache::View(std::uint64_t offset, std::size_t length) {
  if (offset > body_ || length > body_ - offset)
    return MetadataDamaged("something lies beyond the end of the data", offset);
  const std::uint64_t first = offset / kMetadataBlock;
  const auto within = static_cast<std::size_t>(offset % kMetadataBlock);
  if (length <= kMetadataBlock - within) {
    WCLAYER_ASSIGN(const Block* block, Load(first));
    return Bytes(block->bytes).subspan(within, length);
  }
  spanning_.clear();
  std::uint64_t number = first;
  std::size_t from = within;
  while (spanning_.size() < length) {
    WCLAYER_ASSIGN(const Block* block, Load(number));
    const std::size_t piece = std::min(length - spanning_.size(), block->bytes.size() - from);
    Append(spanning_, Bytes(block->bytes).subspan(from, piece));
    from = 0;
    ++number;
  }
  return Bytes(spanning_);
}

void BlockCache::Forget(std::uint64_t from) {
  std::erase_if(blocks_, [&](const Block& block) { return block.number >= from / kMetadataBlock; });
  last_ = 0;
}

Expected<const BlockCache::Block*> BlockCache::Load(std::uint64_t number) {
  ++clock_;
  if (last_ < blocks_.size() && blocks_[last_].number == number) {
    blocks_[last_].used = clock_;
    return &blocks_[last_];
  }
  std::size_t oldest = 0;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (blocks_[i].number == number) {
      blocks_[i].used = clock_;
      last_ = i;
      return &blocks_[i];
    }
    if (blocks_[i].used < blocks_[oldest].used) oldest = i;
  }
  if (blocks_.size() < capacity_) {
    oldest = blocks_.size();
    blocks_.emplace_back();
  }
  Block& block = blocks_[oldest];
  block.number = UINT64_MAX;  // until it is whole
  const std::uint64_t at = number * kMetadataBlock;
  block.bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kMetadataBlock, body_ - at)));
  WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(fd_, block.bytes, at));
  if (got != block.bytes.size()) return MetadataDamaged("the file is cut short", at + got);
  if (sums_ != nullptr && io::Checksum(block.bytes) != (*sums_)[static_cast<std::size_t>(number)])
    return MetadataDamaged("the checksum of a block is wrong", at);
  block.number = number;
  block.used = clock_;
  last_ = oldest;
  return &block;
}

}  // namespace wclayer::portable
