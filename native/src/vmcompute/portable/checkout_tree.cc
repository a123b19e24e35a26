// The tree of a checkout, told apart from what it was made of by its table.

#include "fs/system.h"
#include "portable/checkout_table.h"
#include "portable/folder_opener.h"
#include "portable/list_ahead.h"
#include "portable/names.h"
#include "portable/overlay_origin.h"
#include "portable/writable_tree.h"

namespace wclayer::portable {
namespace {

class CheckoutTree final : public UserTree {
 public:
  CheckoutTree(fs::Dir root, CheckoutTable table, Chain& chain)
      : root_(std::move(root)), table_(std::move(table)), chain_(&chain) {}

  const fs::Dir& root() const override { return root_; }

  Expected<TreeFolder> Root() override { return TreeFolder(); }

  Expected<TreeItem> RootItem() override {
    TreeItem item;
    item.type = fs::Type::kDirectory;
    WCLAYER_ASSIGN(item.info, root_.Stat(""));
    WCLAYER_ASSIGN(item.origin, chain_->Find("Files"));
    return item;
  }

  Expected<std::vector<TreeItem>> List(const TreeFolder& folder) override {
    std::vector<TreeItem> items;
    WCLAYER_ASSIGN(auto listed, names_.List(folder.path));
    if (!listed) return items;
    items.reserve(listed->size());
    for (ListedName& name : *listed) {
      auto item = Look(folder.path, std::move(name.name), name.info);
      if (!item && fs::IsGone(item.error())) continue;
      if (!item) return std::move(item).error();
      items.push_back(*std::move(item));
    }
    return items;
  }

  Expected<std::optional<TreeItem>> Find(const TreeFolder& folder,
                                         const std::string& name) override {
    using Result = std::optional<TreeItem>;
    auto info = root_.Stat(Join(folder.path, name));
    auto item = info ? Look(folder.path, name, *info) : Expected<TreeItem>(info.error());
    if (item) return Result(*std::move(item));
    if (fs::IsGone(item.error())) return Result();
    return std::move(item).error();
  }

  Expected<TreeFolder> Enter(const TreeFolder& folder, const TreeItem& item) override {
    TreeFolder inner;
    inner.path = Join(folder.path, item.name);
    return inner;
  }

  Expected<std::optional<Found>> OriginOf(const TreeFolder&, const TreeItem& item,
                                          const std::optional<Found>&) override {
    return item.origin;
  }

  Expected<std::string> ReadLink(const TreeFolder& folder, const TreeItem& item) override {
    return root_.ReadLink(Join(folder.path, item.name));
  }

 private:
  Expected<TreeItem> Look(const std::string& folder, std::string name, const fs::Info& info) {
    TreeItem item;
    item.name = std::move(name);
    item.info = info;
    item.type = item.info.type;
    const auto handle_of = [&]() -> Expected<std::string> {
      WCLAYER_ASSIGN(const fs::Dir* dir, folders_.Open(folder));
      return HandleOf(*dir, item.name);
    };
    const auto is_marked = [&](const CheckoutRow& candidate) {
      const auto dir = folders_.Open(folder);
      const auto mark = dir ? ReadMark(**dir, item.name) : std::nullopt;
      return mark && mark->ordinal == candidate.origin.ordinal && KnownOrigin(candidate.origin) &&
             mark->layer == MarkOfLayer(chain_->layer(candidate.origin.layer).id);
    };
    WCLAYER_ASSIGN(const auto row, table_.Find(item.info, handle_of, is_marked));
    if (!row) return item;
    if (!KnownOrigin(row->origin))
      return Error(Errc::kLayerDamaged, "the checkout was made of other layers").At(item.name);
    item.origin = row->origin;
    item.untouched = row->Untouched(item.info);
    item.made = row->info;
    return item;
  }

  bool KnownOrigin(const Found& origin) {
    return origin.layer < chain_->size() && chain_->layer(origin.layer).metadata &&
           origin.ordinal < chain_->layer(origin.layer).metadata->entries();
  }

  fs::Dir root_;
  CheckoutTable table_;
  Chain* chain_;
  FolderOpener folders_{root_};
  ListAhead names_{root_};
};

}  // namespace

Expected<std::unique_ptr<UserTree>> OpenCheckoutTree(const fs::Dir& layer, Chain& chain) {
  WCLAYER_ASSIGN(const auto folder, layer.OpenDir(kPrivate));
  WCLAYER_ASSIGN(auto root, folder.OpenDir(kCheckout));
  WCLAYER_ASSIGN(auto table, CheckoutTable::Open(folder));
  return std::unique_ptr<UserTree>(
      std::make_unique<CheckoutTree>(std::move(root), std::move(table), chain));
}

}  // namespace wclayer::portable
