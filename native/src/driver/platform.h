// The table of vmcompute functions with C++ strings and errors: what the rest of the driver calls.
//
// A table of Windows (a Platform with a gate) is called with all that docker and hcsshim learned
// about it (spec vmcompute-abi §7–§9): through the gate, with retries, and with whatever was done
// taken back when a call comes back too late. The portable table is called straight.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "vmcompute/abi.h"
#include "vmcompute/call_gate.h"
#include "vmcompute/host.h"

namespace wclayer {

// The parents of a layer, immediate parent first, in both of the forms that are needed.
struct ParentChain {
  std::vector<std::string> ids;    // folder names
  std::vector<std::string> paths;  // absolute

  bool empty() const { return ids.empty(); }
  std::string parent() const { return ids.empty() ? std::string() : ids.front(); }
  ParentChain From(std::size_t first) const;  // the tail that begins with parent number `first`
};

// Descriptors of a chain, and the strings they point to. Copies share them.
class Descriptors {
 public:
  Descriptors() : list_(std::make_shared<List>()) {}
  const vmcompute::LayerDescriptor* data() const {
    return list_->items.empty() ? nullptr : list_->items.data();
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(list_->items.size()); }
  const std::vector<std::u16string>& paths() const { return list_->paths; }

 private:
  friend class Platform;
  struct List {
    std::vector<std::u16string> paths;
    std::vector<vmcompute::LayerDescriptor> items;
  };
  std::shared_ptr<List> list_;
};

// Between two looks at what another process holds.
inline constexpr std::chrono::milliseconds kFirstHeldPause{20};
inline constexpr std::chrono::milliseconds kLongestHeldPause{500};

// How a table of Windows is called; without a gate the table is called straight.
struct WindowsAccess {
  std::shared_ptr<vmcompute::CallGate> gate;
  std::shared_ptr<vmcompute::Host> host;
  vmcompute::CallRules rules;
  std::chrono::milliseconds busy_wait{5'000};  // for what another process holds (L12)
  // Layers of the home are named by their whole path, as hcsshim does since 2018, and not by their
  // name below the home, as docker's first drivers did (spec §2).
  bool whole_paths = true;
};

class Platform {
 public:
  Platform(const vmcompute::Table& table, std::int32_t flavour, const std::string& home,
           WindowsAccess windows = {});

  const vmcompute::Table& table() const { return *table_; }
  const vmcompute::Extensions* extensions() const { return table_->extensions; }
  bool streams_export() const { return table_->ExportLayerBegin != nullptr; }
  bool streams_import() const { return table_->ImportLayerBegin != nullptr; }
  const WindowsAccess& windows() const { return windows_; }
  bool direct() const { return windows_.gate == nullptr; }

  Status Configure(const vmcompute::StoreOptions& options) const;
  Status Leave() const;
  Status Recover() const;
  // Activates, and prepares. On failure the layer is as it was before, unless `left` says that it
  // could not be deactivated again.
  Status Activate(const std::string& id, bool& left) const;
  Status Mount(const std::string& id, const Descriptors& parents, bool& left) const;
  // The other way. A failure leaves the layer mounted; with `undo`, which is for taking back a
  // Mount that the caller cannot use, as far unmounted as it goes.
  Status Deactivate(const std::string& id) const;
  Status Unmount(const std::string& id, const Descriptors& parents, bool undo = false) const;
  // Around an export of a mounted layer (L9).
  Status Unprepare(const std::string& id, const Descriptors& parents) const;
  Status Reprepare(const std::string& id, const Descriptors& parents) const;
  Expected<std::string> MountPath(
      const std::string& id) const;  // "" where the layer folder is meant
  Status Create(const std::string& id, const std::string& parent) const;
  Status CreateSandbox(const std::string& id, const std::string& parent_path,
                       const Descriptors& parents) const;
  Status Expand(const std::string& id, std::uint64_t size_bytes) const;
  // Refused while the layer or one built on it is mounted by this process (L10). `undo`: takes back
  // a Create, and follows one that has not returned.
  Status Destroy(const std::string& id, bool undo = true) const;
  Expected<bool> Exists(const std::string& id) const;
  Status Export(const std::string& id, const std::string& folder, const Descriptors& parents) const;
  Status Import(const std::string& id, const std::string& folder, const Descriptors& parents) const;
  Status ProcessBase(const std::string& id, const std::string& layer_path) const;
  Status ProcessUtility(const std::string& id, const std::string& utility_vm_path) const;
  Expected<std::string> BaseImages() const;
  Expected<Descriptors> Describe(const ParentChain& chain) const;
  // Where the layers of a chain lie: an aliased one in the central store.
  Expected<std::vector<std::string>> Folders(const ParentChain& chain) const;
  // kState… bits; without our extensions: 0.
  Expected<std::uint32_t> State(const std::string& id) const;
  Status AddBaseImage(const std::string& folder) const;

  // The privileges to read layers, and to write them too; nothing is needed for the portable store.
  Expected<PrivilegeHold> HoldToRead() const;
  Expected<PrivilegeHold> HoldToWrite() const;

  // Turns a result of the table into a Status; `call` is a literal like "vmcompute!ActivateLayer".
  Status Check(vmcompute::Hresult hr, const char* call, std::string_view id) const;

  // How a layer is named to the table; lives as long as somebody holds it.
  struct Name {
    std::u16string home;
    std::u16string id;
    vmcompute::DriverInfo info;
    const vmcompute::DriverInfo* driver() const { return &info; }
    vmcompute::Utf16 layer() const { return id.c_str(); }
  };
  std::shared_ptr<const Name> NameOf(std::string_view id) const;

  // A call about a layer, by the rules of windows(). `run` owns what it uses.
  struct How {
    bool until_free = false;  // again while another process holds the layer
    bool slow = false;        // moves the data of a layer: its time is kSlowTimes as long
    bool alone = false;
    bool queues = false;
    std::function<void(vmcompute::Hresult)> late;  // as in vmcompute::GateCall
  };
  Expected<vmcompute::Hresult> Call(const char* name, const std::string& id,
                                    std::function<vmcompute::Hresult()> run) const;
  Expected<vmcompute::Hresult> Call(const char* name, const std::string& id,
                                    std::function<vmcompute::Hresult()> run, How how) const;
  // Call and Check.
  Status Do(const char* name, const std::string& id, std::function<vmcompute::Hresult()> run) const;
  Status Do(const char* name, const std::string& id, std::function<vmcompute::Hresult()> run,
            How how) const;

 private:
  Status ActivateOnce(const std::string& id) const;
  Status PrepareOnce(const std::string& id, const Descriptors& parents, bool queues) const;
  Status UnprepareOnce(const std::string& id, bool queues, const Descriptors* restore) const;
  Status DeactivateOnce(const std::string& id, bool undo) const;
  Status MountOrActivate(const std::string& id, const Descriptors* parents, bool& left) const;
  Status Insist(const std::function<Status()>& step) const;
  std::string KeyOf(std::string_view id) const;  // of a layer, for the gate

  const vmcompute::Table* table_;
  std::int32_t flavour_;
  std::string home_;
  WindowsAccess windows_;
};

// An id as the table wants it. Ids are ASCII by CheckId; aliases of base images may be anything.
std::u16string WideText(std::string_view text);

}  // namespace wclayer
