// Items of a layer (layer/item.h) as calls of the streaming functions of the table.
#pragma once

#include <memory>
#include <string>

#include "driver/platform.h"
#include "layer/item.h"

namespace wclayer {

// One import: Begin … End, or undone when destroyed.
class TableImport final : public layer::ItemSink {
 public:
  static Expected<std::unique_ptr<TableImport>> Begin(const Platform& platform,
                                                      const std::string& id,
                                                      const Descriptors& parents);
  ~TableImport() override;
  TableImport(const TableImport&) = delete;
  TableImport& operator=(const TableImport&) = delete;

  Expected<std::uint64_t> Begin(const layer::Item& item) override;
  Status Write(Bytes stream) override;
  Expected<std::size_t> ReadBack(std::uint64_t ordinal, std::uint32_t stream, std::uint64_t offset,
                                 MutableBytes buffer) override;
  // The private folder of the layer being built, absolute.
  Expected<std::string> Folder();
  Status End();  // publishes the layer; the import is over whatever the answer

 private:
  TableImport(const Platform& platform, std::string id)
      : platform_(&platform), id_(std::move(id)) {}

  const Platform* platform_;
  std::string id_;
  void* context_ = nullptr;
  std::uint64_t count_ = 0;
  std::u16string name_;
  std::u16string target_;
};

// One export of a layer, as items. Not for several threads.
class TableExport final : public layer::ItemSource {
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

  // kFileNotFound (as kLayerNotFound with the path) if there is no such entry.
  Status SeekPath(const std::string& path, layer::Item& item);
  // The change of the current item against what Begin named; kUnchanged's absence of knowledge
  // without our extensions: every entry then counts as modified.
  Expected<vmcompute::ChangeKind> Change();

 private:
  TableExport(const Platform& platform, std::string id)
      : platform_(&platform), id_(std::move(id)) {}
  Status Fill(layer::Item& item, std::u16string_view name, const vmcompute::FileBasicInfo& info,
              std::int64_t size, bool deleted);
  Status SeekTo(const char16_t* name, std::uint64_t ordinal, layer::Item& item);

  const Platform* platform_;
  std::string id_;
  void* context_ = nullptr;
  vmcompute::EntryDescription description_;
  std::string current_;
};

// "Files/a" ⇄ "\Files\a".
void ToTableName(std::string_view path, std::u16string& name);
std::string FromTableName(std::u16string_view name);

}  // namespace wclayer
