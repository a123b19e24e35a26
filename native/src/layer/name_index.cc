#include "layer/name_index.h"

#include "base/limits.h"
#include "io/digest.h"

namespace wclayer::layer {

NameIndex::Hash NameIndex::HashOf(const std::string& key) {
  // A second, independent hash of the same bytes: with one byte more in front.
  thread_local std::string longer;
  longer.assign(1, '\x01');
  longer += key;
  return {io::Checksum(AsBytes(key)), static_cast<std::uint32_t>(io::Checksum(AsBytes(longer)))};
}

std::size_t NameIndex::SlotOf(const Hash& hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash.hash & mask;
  while (slots_[at].value != 0 &&
         (slots_[at].hash != hash.hash || slots_[at].more_hash != hash.more)) {
    at = (at + 1) & mask;
  }
  return at;
}

const Known* NameIndex::Find(const std::string& key) const {
  if (slots_.empty()) return nullptr;
  const Slot& slot = slots_[SlotOf(HashOf(key))];
  if (slot.value == 0) return nullptr;
  found_ = {slot.value & kImplied, static_cast<EntryKind>(slot.value >> 28)};
  return &found_;
}

Status NameIndex::Set(const std::string& key, Known known) {
  if (known.ordinal != kImplied && known.ordinal >= kMaxEntries)
    return LimitError("kMaxEntries", kMaxEntries, known.ordinal + 1);
  if ((used_ + 1) * 4 > slots_.size() * 3) Grow();
  const Hash hash = HashOf(key);
  Slot& slot = slots_[SlotOf(hash)];
  if (slot.value == 0) ++used_;
  slot = {hash.hash, hash.more,
          static_cast<std::uint32_t>(known.kind) << 28 | static_cast<std::uint32_t>(known.ordinal)};
  return {};
}

void NameIndex::Grow() {
  std::vector<Slot> old = std::move(slots_);
  slots_ = std::vector<Slot>(old.empty() ? 1024 : old.size() * 2);
  for (const Slot& slot : old) {
    if (slot.value != 0) slots_[SlotOf({slot.hash, slot.more_hash})] = slot;
  }
}

}  // namespace wclayer::layer
