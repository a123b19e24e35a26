#include "portable/content.h"

#include <algorithm>

#include "portable/hive.h"
#include "portable/names.h"
#include "portable/writable.h"

namespace wclayer::portable {
namespace {

bool SameIds(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const std::string& x, const std::string& y) { return SamePath(x, y); });
}

Expected<bool> SameBytes(int a, int b, std::uint64_t size) {
  Buffer left(kPiece);
  Buffer right(kPiece);
  for (std::uint64_t at = 0; at < size;) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, size - at));
    WCLAYER_ASSIGN(const std::size_t x, fs::ReadAt(a, MutableBytes(left).first(piece), at));
    WCLAYER_ASSIGN(const std::size_t y, fs::ReadAt(b, MutableBytes(right).first(piece), at));
    if (x != y ||
        !std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(x), right.begin()))
      return false;
    if (x == 0) break;
    at += x;
  }
  return true;
}

}  // namespace

Expected<std::unique_ptr<Content>> OpenContent(const std::shared_ptr<Home>& home,
                                               const std::string& id,
                                               const std::vector<std::string>& against) {
  WCLAYER_ASSIGN(const auto kind, home->KindOf(id));
  if (kind == LayerKind::kNone)
    return Error(Errc::kLayerNotFound, "there is no layer of this id").Of(id);
  if (kind == LayerKind::kCreated) return OpenOwn(home, id, {});
  WCLAYER_ASSIGN(const auto parents, home->ParentsOf(id));
  const bool writable = kind == LayerKind::kWritable;
  if (SameIds(parents, against)) {
    if (writable) return OpenWritable(home, id);
    return OpenOwn(home, id, parents);
  }
  if (against.size() > parents.size() ||
      !SameIds(std::vector<std::string>(parents.end() - static_cast<std::ptrdiff_t>(against.size()),
                                        parents.end()),
               against))
    return Error(Errc::kInvalidArgument,
                 "the chain to export against is no tail of the layer's own chain")
        .Of(id);
  std::vector<std::string> upper(parents.begin(),
                                 parents.end() - static_cast<std::ptrdiff_t>(against.size()));
  std::unique_ptr<Content> changes;
  if (writable) {
    WCLAYER_ASSIGN(changes, OpenWritable(home, id));
  } else {
    upper.insert(upper.begin(), id);
  }
  return OpenSquashed(home, upper, against, std::move(changes), id);
}

Expected<ChangeKind> CompareWith(Chain& chain, std::size_t from, const Entry& entry,
                                 const std::function<Expected<int>()>& open) {
  const bool parents = from < chain.size();
  if (!parents) return entry.kind == Kind::kTombstone ? ChangeKind::kUnchanged : ChangeKind::kAdded;
  WCLAYER_ASSIGN(const auto found, chain.Find(entry.path, from));
  if (entry.kind == Kind::kTombstone) return found ? ChangeKind::kDeleted : ChangeKind::kUnchanged;
  if (!found) return ChangeKind::kAdded;
  Entry theirs;
  WCLAYER_TRY(chain.Load(*found, theirs, true));
  WCLAYER_ASSIGN(const bool differs, Differs(entry, theirs, [&]() -> Expected<bool> {
                   WCLAYER_ASSIGN(const int own, open());
                   const fs::UniqueFd owned(own);
                   WCLAYER_ASSIGN(const auto other, chain.OpenData(*found, theirs));
                   return SameBytes(own, other.get(), entry.size);
                 }));
  return differs ? ChangeKind::kModified : ChangeKind::kUnchanged;
}

Expected<bool> HoldsMinimalHive(int data, std::uint64_t size) {
  if (size > kMinimalHiveLimit) return false;
  Buffer hive(static_cast<std::size_t>(size));
  WCLAYER_ASSIGN(const std::size_t got, fs::ReadAt(data, hive, 0));
  return got == hive.size() && IsMinimalHive(hive);
}

}  // namespace wclayer::portable
