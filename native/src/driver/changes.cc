// Changes and DiffSize: an export that opens no file, or what ApplyDiff recorded.
#include <algorithm>

#include "driver/core.h"

namespace wclayer {
namespace {

class ChangeList final : public Cursor<Change> {
 public:
  explicit ChangeList(std::vector<Change> changes) : changes_(std::move(changes)) {}
  Expected<bool> Next(Change& item) override {
    if (at_ == changes_.size()) return false;
    item = std::move(changes_[at_++]);
    return true;
  }

 private:
  std::vector<Change> changes_;
  std::size_t at_ = 0;
};

bool CountsForSize(const layer::Item& item) {
  return !item.deleted && !item.directory() && item.link_target.empty() &&
         (item.path.starts_with("Files/") || item.path.starts_with("UtilityVM/Files/"));
}

}  // namespace

Expected<std::unique_ptr<Cursor<Change>>> Core::Changes(const std::string& id,
                                                        const std::optional<std::string>& parent) {
  const auto list = [&]() -> Expected<std::vector<Change>> {
    WCLAYER_ASSIGN(const Found found, Find(id));
    WCLAYER_ASSIGN(const Against against, ResolveAgainst(found, parent));
    WCLAYER_ASSIGN(const auto read, LayerRead::Open(*this, found, against.chain));
    WCLAYER_ASSIGN(const auto source, OpenItems(found, *read, true));
    std::vector<Change> changes;
    layer::Item item;
    for (;;) {
      WCLAYER_ASSIGN(const bool more, source->Next(item));
      if (!more) break;
      WCLAYER_ASSIGN(const vmcompute::ChangeKind kind, source->Change());
      switch (kind) {
        case vmcompute::ChangeKind::kUnchanged:
          break;
        case vmcompute::ChangeKind::kAdded:
          changes.push_back({'A', item.path});
          break;
        case vmcompute::ChangeKind::kModified:
          changes.push_back({'C', item.path});
          break;
        case vmcompute::ChangeKind::kDeleted:
          changes.push_back({'D', item.path});
          break;
      }
    }
    std::sort(changes.begin(), changes.end(),
              [](const Change& a, const Change& b) { return a.path < b.path; });
    return changes;
  };
  auto changes = list();
  if (!changes) return std::move(changes).error().In("Changes").Of(id);
  return std::unique_ptr<Cursor<Change>>(std::make_unique<ChangeList>(*std::move(changes)));
}

Expected<std::int64_t> Core::DiffSize(const std::string& id,
                                      const std::optional<std::string>& parent) {
  const auto sum = [&]() -> Expected<std::int64_t> {
    WCLAYER_ASSIGN(const Found found, Find(id));
    WCLAYER_ASSIGN(const Against against, ResolveAgainst(found, parent));
    // A transport tar's record has the sum of all its files, as v1.10 gives it.
    if (against.own && found.committed() && !found.damaged()) {
      WCLAYER_ASSIGN(const std::optional<Record> record, home_.ReadRecord(found.id));
      if (record && record->format == kOciFormat) return record->size_bytes;
    }
    WCLAYER_ASSIGN(const auto read, LayerRead::Open(*this, found, against.chain));
    WCLAYER_ASSIGN(const auto source, OpenItems(found, *read, true));
    std::int64_t size = 0;
    layer::Item item;
    for (;;) {
      WCLAYER_ASSIGN(const bool more, source->Next(item));
      if (!more) return size;
      if (CountsForSize(item)) size += static_cast<std::int64_t>(item.size);
    }
  };
  auto size = sum();
  if (!size) return std::move(size).error().In("DiffSize").Of(id);
  return size;
}

}  // namespace wclayer
