// The table of vmcompute functions with C++ strings and errors: what the rest of the driver calls.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/expected.h"
#include "vmcompute/abi.h"

namespace wclayer {

// The parents of a layer, immediate parent first, in both of the forms that are needed.
struct ParentChain {
  std::vector<std::string> ids;    // folder names
  std::vector<std::string> paths;  // absolute

  bool empty() const { return ids.empty(); }
  ParentChain From(std::size_t first) const;  // the tail that begins with parent number `first`
};

// Descriptors of a chain, and the strings they point to.
class Descriptors {
 public:
  Descriptors() = default;
  Descriptors(Descriptors&&) = default;
  Descriptors& operator=(Descriptors&&) = default;
  const vmcompute::LayerDescriptor* data() const {
    return items_.empty() ? nullptr : items_.data();
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(items_.size()); }

 private:
  friend class Platform;
  std::vector<std::u16string> paths_;
  std::vector<vmcompute::LayerDescriptor> items_;
};

class Platform {
 public:
  Platform(const vmcompute::Table& table, std::int32_t flavour, const std::string& home);

  const vmcompute::Table& table() const { return *table_; }
  const vmcompute::Extensions* extensions() const { return table_->extensions; }
  const vmcompute::DriverInfo* info() const { return &info_; }
  bool streams_export() const { return table_->ExportLayerBegin != nullptr; }
  bool streams_import() const { return table_->ImportLayerBegin != nullptr; }

  Status Configure(const vmcompute::StoreOptions& options) const;
  Status Recover() const;
  Status Activate(const std::string& id) const;
  Status Deactivate(const std::string& id) const;
  Status Prepare(const std::string& id, const Descriptors& parents) const;
  Status Unprepare(const std::string& id) const;
  Expected<std::string> MountPath(
      const std::string& id) const;  // "" where the layer folder is meant
  Status Create(const std::string& id, const std::string& parent) const;
  Status CreateSandbox(const std::string& id, const std::string& parent_path,
                       const Descriptors& parents) const;
  Status Expand(const std::string& id, std::uint64_t size_bytes) const;
  Status Destroy(const std::string& id) const;
  Expected<bool> Exists(const std::string& id) const;
  Status Export(const std::string& id, const std::string& folder, const Descriptors& parents) const;
  Status Import(const std::string& id, const std::string& folder, const Descriptors& parents) const;
  Expected<std::string> BaseImages() const;
  Expected<Descriptors> Describe(const ParentChain& chain) const;
  // kState… bits; without our extensions: 0.
  Expected<std::uint32_t> State(const std::string& id) const;
  Status AddBaseImage(const std::string& folder) const;

  // Turns a result of the table into a Status; `call` is a literal like "vmcompute!ActivateLayer".
  Status Check(vmcompute::Hresult hr, const char* call, std::string_view id) const;

 private:
  const vmcompute::Table* table_;
  std::u16string home_;
  vmcompute::DriverInfo info_;
};

// An id as the table wants it. Ids are ASCII by CheckId; aliases of base images may be anything.
std::u16string WideText(std::string_view text);

}  // namespace wclayer
