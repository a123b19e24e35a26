#include "layer/name_index.h"

#include "base/upcase.h"
#include "io/digest.h"

namespace wclayer::layer {
namespace {

constexpr std::uint32_t kKindShift = 28;
constexpr std::size_t kFirstSlots = 16;

// Where `hash` falls in 0 … count-1 (the high half of a product: any count will do).
std::size_t Scale(std::uint64_t hash, std::size_t count) {
  return static_cast<std::size_t>((hash & 0xFFFFFFFFu) * count >> 32);
}

}  // namespace

NameIndex::Key NameIndex::KeyOf(std::string_view path) {
  const auto [hash, more] = io::WideChecksum(AsBytes(UpcaseUtf8(path)));
  return {hash, static_cast<std::uint32_t>(more)};
}

std::size_t NameIndex::SlotOf(const Shard& shard, const Key& key) {
  std::size_t at = Scale(key.hash, shard.slots.size());
  for (;;) {
    const Slot& slot = shard.slots[at];
    if (slot.value == 0 || (slot.hash == key.hash && slot.more == key.more)) return at;
    if (++at == shard.slots.size()) at = 0;
  }
}

std::optional<Known> NameIndex::Find(const Key& key) const {
  const Shard& shard = shards_[key.hash >> (64 - kShardBits)];
  if (shard.slots.empty()) return std::nullopt;
  const std::uint32_t value = shard.slots[SlotOf(shard, key)].value;
  if (value == 0) return std::nullopt;
  return Known{value & kImpliedOrdinal, static_cast<EntryKind>(value >> kKindShift)};
}

void NameIndex::Set(const Key& key, Known known) {
  Shard& shard = shards_[key.hash >> (64 - kShardBits)];
  if ((shard.used + 1) * 8 > shard.slots.size() * 7) Grow(shard);
  Slot& slot = shard.slots[SlotOf(shard, key)];
  if (slot.value == 0) {
    ++shard.used;
    ++size_;
  }
  slot = {key.hash, key.more, static_cast<std::uint32_t>(known.kind) << kKindShift | known.ordinal};
}

void NameIndex::Grow(Shard& shard) {
  const std::vector<Slot> old = std::move(shard.slots);
  shard.slots = std::vector<Slot>(old.empty() ? kFirstSlots : old.size() + old.size() / 2);
  for (const Slot& slot : old) {
    if (slot.value != 0) shard.slots[SlotOf(shard, {slot.hash, slot.more})] = slot;
  }
}

std::size_t NameIndex::memory_bytes() const {
  std::size_t bytes = sizeof *this;
  for (const Shard& shard : shards_) bytes += shard.slots.capacity() * sizeof(Slot);
  return bytes;
}

}  // namespace wclayer::layer
