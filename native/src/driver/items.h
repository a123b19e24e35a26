// Items of a layer (layer/item.h) as calls of the table: of its streaming functions, or of
// ExportLayer where it lacks those.
#pragma once

#include <memory>
#include <string>

#include "driver/platform.h"
#include "driver/stream_calls.h"
#include "layer/item.h"

namespace wclayer {

// One import: Begin … End, or undone when destroyed.
class TableImport final : public layer::ItemSink {
 public:
  static Expected<std::unique_ptr<TableImport>> Begin(const Platform& platform,
                                                      const std::string& id,
                                                      const Descriptors& parents,
                                                      bool replace = false);
  ~TableImport() override;
  TableImport(const TableImport&) = delete;
  TableImport& operator=(const TableImport&) = delete;

  Expected<std::uint64_t> Begin(const layer::Item& item) override;
  Status Write(Bytes stream) override;
  Expected<std::size_t> ReadBack(std::uint64_t ordinal, std::uint32_t stream, std::uint64_t offset,
                                 MutableBytes buffer) override;
  bool tells_checksums() const override { return true; }
  Expected<std::uint64_t> Checksum() override;
  // Leaves the making of files to RunSealed, on another thread (io/sink.h, DeferringSink).
  Status Defer();
  Status Seal();
  Status RunSealed();
  // The private folder of the layer being built, absolute.
  Expected<std::string> Folder();
  Status End();  // publishes the layer; the import is over whatever the answer

 private:
  TableImport(const Platform& platform, std::string id)
      : platform_(&platform), id_(std::move(id)), calls_(platform, id_) {}

  const Platform* platform_;
  std::string id_;
  StreamCalls calls_;
  void* context_ = nullptr;
  std::u16string name_;
  std::u16string target_;
};

// What the driver reads of a layer. Not for several threads.
class LayerItems : public layer::ItemSource {
 public:
  virtual bool can_seek() const = 0;
  // kFileNotFound (as kLayerNotFound with the path) if there is no such entry.
  virtual Status SeekPath(const std::string& path, layer::Item& item) = 0;
  // How the current item differs from what the export is against.
  virtual Expected<vmcompute::ChangeKind> Change() = 0;
};

// One streaming export.
class TableExport final : public LayerItems {
 public:
  static Expected<std::unique_ptr<TableExport>> Begin(const Platform& platform,
                                                      const std::string& id,
                                                      const Descriptors& against);
  ~TableExport() override;
  TableExport(const TableExport&) = delete;
  TableExport& operator=(const TableExport&) = delete;

  Expected<bool> Next(layer::Item& item) override;
  Expected<std::size_t> Read(MutableBytes buffer) override;
  Status Skip(std::uint64_t bytes) override;
  Status Seek(std::uint64_t ordinal, layer::Item& item) override;

  bool can_seek() const override { return platform_->extensions() != nullptr; }
  Status SeekPath(const std::string& path, layer::Item& item) override;
  // Without our extensions all that is no deletion counts as modified.
  Expected<vmcompute::ChangeKind> Change() override;

 private:
  TableExport(const Platform& platform, std::string id)
      : platform_(&platform), id_(std::move(id)), calls_(platform, id_) {}
  Status Fill(layer::Item& item, std::u16string_view name, const vmcompute::FileBasicInfo& info,
              std::int64_t size, bool deleted);
  Status SeekTo(const char16_t* name, std::uint64_t ordinal, layer::Item& item);

  const Platform* platform_;
  std::string id_;
  StreamCalls calls_;
  StreamCalls::Entry entry_;
  void* context_ = nullptr;
  vmcompute::EntryDescription description_;
  std::string current_;
  bool deleted_ = false;
};

// "Files/a" ⇄ "\Files\a".
void ToTableName(std::string_view path, std::u16string& name);
std::string FromTableName(std::u16string_view name);

}  // namespace wclayer
