#include "portable/layers.h"

#include <algorithm>
#include <cerrno>

#include "io/digest.h"
#include "portable/names.h"
#include "portable/staging.h"
#include "portable/transport.h"
#include "portable/verify.h"

namespace wclayer::portable {
namespace {

// Random; fixed for ever, or every GUID would change.
constexpr std::string_view kNamespace(
    "\x6d\x1f\x53\x0e\x8b\x0a\x4c\x7d\x93\x5e\x21\xc4\xfa\x60\x77\xb2", 16);

// A commit record without metadata is what is left of a layer that was filled: nothing may be
// written over it as if it had just been created.
Expected<bool> WasFilled(const Home& home, const std::string& id) {
  auto layer = home.OpenLayer(id);
  if (!layer && layer.error().sys_errno == ENOENT) return NoLayer(id);  // removed meanwhile
  if (!layer) return std::move(layer).error();
  return layer->Exists(kCommitRecord);
}

}  // namespace

Status CreateLayer(const std::shared_ptr<Home>& home, const std::string& id,
                   const std::string& parent) {
  WCLAYER_ASSIGN(const auto kind, home->KindOf(id));
  if (kind == LayerKind::kWritable)
    return Error(Errc::kLayerExists, "a writable layer of this id exists").Of(id);
  if (kind != LayerKind::kNone) return {};
  std::vector<std::string> parents;
  if (!parent.empty()) {
    WCLAYER_ASSIGN(const auto parent_kind, home->KindOf(parent));
    if (parent_kind == LayerKind::kNone)
      return Error(Errc::kParentNotFound, "the parent '" + parent + "' does not exist").Of(id);
    if (parent_kind == LayerKind::kWritable)
      return Error(Errc::kParentNotFound, "the writable layer '" + parent + "' cannot be a parent")
          .Of(id);
    parents.push_back(parent);
    WCLAYER_ASSIGN(const auto above, home->ParentsOf(parent));
    parents.insert(parents.end(), above.begin(), above.end());
  }
  // Appears whole: a killed process leaves a layer with its parents, or none; without them it would
  // pass for a base layer. These two files are flushed, and nothing else: a commit may be at work
  // on the same file system (S4).
  WCLAYER_ASSIGN(const auto staging, Staging::Begin(home));
  WCLAYER_TRY(home->WriteParents(staging->dir(), parents, home->durability()));
  WCLAYER_TRY(home->WriteChain(staging->dir(), parents));
  auto published = staging->Publish(id, false);
  if (!published && published.error().code == Errc::kLayerExists) return {};  // by someone else
  return published;
}

Status CreateWritableLayer(const std::shared_ptr<Home>& home, const std::string& id,
                           const std::vector<std::string>& parents) {
  WCLAYER_ASSIGN(const auto kind, home->KindOf(id));
  if (kind != LayerKind::kNone)
    return Error(Errc::kLayerExists, "a layer of this id exists").Of(id);
  WCLAYER_ASSIGN(const auto staging, Staging::Begin(home));
  WritableRecord record;
  record.parents = parents;
  WCLAYER_TRY(home->WriteWritable(staging->dir(), record));
  WCLAYER_TRY(home->WriteChain(staging->dir(), parents));
  return staging->Publish(id, false);
}

Status ExpandWritableLayer(Home& home, const std::string& id, std::uint64_t size_bytes) {
  WCLAYER_ASSIGN(const auto kind, home.KindOf(id));
  if (kind == LayerKind::kNone) return NoLayer(id);
  if (kind != LayerKind::kWritable)
    return Error(Errc::kInvalidArgument, "only a writable layer has a size").Of(id);
  WCLAYER_ASSIGN(auto record, home.ReadWritable(id));
  if (record.size_bytes >= size_bytes) return {};
  record.size_bytes = size_bytes;
  WCLAYER_ASSIGN(const auto layer, home.OpenLayer(id));
  return home.WriteWritable(layer, record);
}

Status CopyLayer(const std::shared_ptr<Home>& home, const std::string& source,
                 const std::string& target, const std::vector<std::string>& parents) {
  WCLAYER_ASSIGN(const auto from, Export::Begin(home, source, parents));
  WCLAYER_ASSIGN(const auto to, Import::Begin(home, target, parents));
  WCLAYER_TRY(CopyEntries(*from, *to));
  return to->End();
}

Expected<std::uint32_t> StateOf(const Home& home, const std::string& id) {
  fs::Dir own;
  WCLAYER_ASSIGN(const auto kind, home.KindOf(id, &own));
  switch (kind) {
    case LayerKind::kNone:
      return NoLayer(id);
    case LayerKind::kCreated: {
      WCLAYER_ASSIGN(const bool filled, WasFilled(home, id));
      if (!filled) return std::uint32_t{0};
      // Who filled it since the first look has put both files there at once.
      WCLAYER_ASSIGN(const auto now, home.KindOf(id));
      if (now != LayerKind::kCreated) return StateOf(home, id);
      return vmcompute::kStateDamaged;
    }
    case LayerKind::kWritable: {
      const auto record = home.ReadWritable(id);
      if (record) return std::uint32_t{vmcompute::kStateWritable};
      WCLAYER_ASSIGN(const auto now, home.KindOf(id));
      if (now != LayerKind::kWritable) return StateOf(home, id);  // removed since the first look
      return vmcompute::kStateWritable | vmcompute::kStateDamaged;
    }
    case LayerKind::kCommitted:
      break;
  }
  if (own && MetadataReader::Open(own, 2)) return std::uint32_t{vmcompute::kStateCommitted};
  // It may have to settle first, or have been removed since: that is no damage.
  auto damaged = LooksDamaged(home, id);
  if (damaged && !*damaged) return std::uint32_t{vmcompute::kStateCommitted};
  WCLAYER_ASSIGN(const auto now, home.KindOf(id));
  if (now != LayerKind::kCommitted) return StateOf(home, id);
  if (!damaged) return std::move(damaged).error();
  return vmcompute::kStateCommitted | vmcompute::kStateDamaged;
}

Expected<bool> LayerExists(const Home& home, const std::string& id) {
  WCLAYER_ASSIGN(const auto kind, home.KindOf(id));
  return kind != LayerKind::kNone;
}

vmcompute::Guid GuidOfName(std::string_view name) {
  io::Sha256 sha;
  sha.Update(AsBytes(kNamespace));
  sha.Update(AsBytes(Fold(name)));
  auto hash = sha.Finish();
  hash[6] = (hash[6] & std::byte{0x0F}) | std::byte{0x50};  // version 5: of a name
  hash[8] = (hash[8] & std::byte{0x3F}) | std::byte{0x80};  // variant of RFC 4122
  // The text form is big-endian in its first three fields, the struct is not.
  const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(hash[i]); };
  vmcompute::Guid guid;
  guid.data1 = at(0) << 24 | at(1) << 16 | at(2) << 8 | at(3);
  guid.data2 = static_cast<std::uint16_t>(at(4) << 8 | at(5));
  guid.data3 = static_cast<std::uint16_t>(at(6) << 8 | at(7));
  for (std::size_t i = 0; i < 8; ++i) guid.data4[i] = static_cast<std::uint8_t>(hash[8 + i]);
  return guid;
}

}  // namespace wclayer::portable
