#include "vmcompute/symbols.h"

namespace wclayer::vmcompute {
namespace {

template <class... Arguments>
Hresult WCLAYER_ABI MissingCall(Arguments...) {
  return kProcNotFound;
}

class Binder {
 public:
  explicit Binder(const FindSymbol& find) : find_(&find) {}

  // Without it no layer can be used.
  template <class Function>
  void Need(Function*& slot, const char* name, const char* purpose) {
    if (!Find(slot, name)) Note(needed_, name, purpose);
  }
  // Without it one thing cannot be done.
  template <class... Arguments>
  void Want(Hresult(WCLAYER_ABI*& slot)(Arguments...), const char* name, const char* purpose) {
    if (Find(slot, name)) return;
    Note(disabled_, name, purpose);
    slot = &MissingCall<Arguments...>;
  }
  // True: it is there. Without it there is another way.
  template <class Function>
  bool Find(Function*& slot, const char* name) {
    slot = reinterpret_cast<Function*>(reinterpret_cast<void (*)()>((*find_)(name)));
    return slot != nullptr;
  }

  const std::string& needed() const { return needed_; }
  const std::string& disabled() const { return disabled_; }

 private:
  static void Note(std::string& list, const char* name, const char* purpose) {
    list += (list.empty() ? "" : ", ") + std::string(name) + " (" + purpose + ")";
  }

  const FindSymbol* find_;
  std::string needed_;
  std::string disabled_;
};

void BindLayers(Binder& bind, Table& table) {
  bind.Need(table.ActivateLayer, "ActivateLayer", "Get and Diff");
  bind.Need(table.DeactivateLayer, "DeactivateLayer", "Put and Diff");
  bind.Need(table.PrepareLayer, "PrepareLayer", "Get");
  bind.Need(table.UnprepareLayer, "UnprepareLayer", "Put and Diff");
  bind.Need(table.GetLayerMountPath, "GetLayerMountPath", "Get");
  bind.Need(table.CreateLayer, "CreateLayer", "Create and ApplyDiff");
  bind.Need(table.CreateSandboxLayer, "CreateSandboxLayer", "Create of writable layers");
  bind.Need(table.DestroyLayer, "DestroyLayer", "Remove");
  bind.Need(table.LayerExists, "LayerExists", "Exists");
  bind.Need(table.ExportLayer, "ExportLayer", "Diff and Changes");
  bind.Need(table.ImportLayer, "ImportLayer", "ApplyDiff");
  bind.Need(table.NameToGuid, "NameToGuid", "every layer with a parent");
  bind.Want(table.ExpandSandboxSize, "ExpandSandboxSize", "the storage option size");
  bind.Want(table.CopyLayer, "CopyLayer", "copying layers");
  bind.Want(table.GetBaseImages, "GetBaseImages", "base images of this host");
  bind.Want(table.ProcessBaseImage, "ProcessBaseImage", "ApplyDiff of base layers");
  bind.Want(table.ProcessUtilityImage, "ProcessUtilityImage", "base layers with a utility VM");
  bind.Want(table.GrantVmAccess, "GrantVmAccess", "access of virtual machines");
}

// All eight or none: a table that streams one way must stream the other.
void BindStreams(Binder& bind, Table& table) {
  const Table before = table;
  const bool whole = bind.Find(table.ImportLayerBegin, "ImportLayerBegin") &&
                     bind.Find(table.ImportLayerNext, "ImportLayerNext") &&
                     bind.Find(table.ImportLayerWrite, "ImportLayerWrite") &&
                     bind.Find(table.ImportLayerEnd, "ImportLayerEnd") &&
                     bind.Find(table.ExportLayerBegin, "ExportLayerBegin") &&
                     bind.Find(table.ExportLayerNext, "ExportLayerNext") &&
                     bind.Find(table.ExportLayerRead, "ExportLayerRead") &&
                     bind.Find(table.ExportLayerEnd, "ExportLayerEnd");
  if (!whole) table = before;
}

}  // namespace

Expected<Table> BindTable(const FindSymbol& find, std::string& disabled) {
  Table table;
  Binder bind(find);
  BindLayers(bind, table);
  BindStreams(bind, table);
  disabled = bind.disabled();
  if (bind.needed().empty()) return table;
  std::string lacks = bind.needed();
  if (!disabled.empty()) lacks += ", " + disabled;
  return Error(Errc::kBackendUnavailable, "it lacks " + lacks);
}

}  // namespace wclayer::vmcompute
