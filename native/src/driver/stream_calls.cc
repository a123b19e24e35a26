#include "driver/stream_calls.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace wclayer {

using vmcompute::Hresult;

namespace {

std::uint32_t Piece(std::size_t size) {
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(size, std::numeric_limits<std::uint32_t>::max()));
}

Hresult Next(const vmcompute::Table& table, void* context, StreamCalls::Entry& entry) {
  char16_t* name = nullptr;
  std::uint32_t deleted = 0;
  entry.size = 0;
  const Hresult hr = table.ExportLayerNext(context, &name, &entry.info, &entry.size, &deleted);
  if (name != nullptr) {
    entry.name = name;
    table.FreeString(name);
  }
  entry.deleted = deleted != 0;
  return hr;
}

}  // namespace

Expected<void*> StreamCalls::BeginImport(const Descriptors& parents) const {
  const auto* table = &platform_->table();
  const auto context = std::make_shared<void*>(nullptr);
  Platform::How how;
  how.late = [table, context](Hresult hr) {
    if (!vmcompute::Failed(hr)) table->ImportLayerEnd(*context);
  };
  WCLAYER_TRY(platform_->Do(
      "ImportLayerBegin", id_,
      [table, name = platform_->NameOf(id_), parents, context] {
        return table->ImportLayerBegin(name->driver(), name->layer(), parents.data(),
                                       parents.size(), context.get());
      },
      std::move(how)));
  return *context;
}

Expected<void*> StreamCalls::BeginExport(const Descriptors& parents) const {
  const auto* table = &platform_->table();
  const auto context = std::make_shared<void*>(nullptr);
  Platform::How how;
  how.late = [table, context](Hresult hr) {
    if (!vmcompute::Failed(hr)) table->ExportLayerEnd(*context);
  };
  WCLAYER_TRY(platform_->Do(
      "ExportLayerBegin", id_,
      [table, name = platform_->NameOf(id_), parents, context] {
        return table->ExportLayerBegin(name->driver(), name->layer(), parents.data(),
                                       parents.size(), context.get());
      },
      std::move(how)));
  return *context;
}

Status StreamCalls::ImportWrite(void* context, Bytes bytes) const {
  const auto* table = &platform_->table();
  while (!bytes.empty()) {
    const std::uint32_t piece = Piece(bytes.size());
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    if (platform_->direct()) {
      WCLAYER_TRY(platform_->Check(table->ImportLayerWrite(context, data, piece),
                                   "vmcompute!ImportLayerWrite", id_));
    } else {
      const auto copy = std::make_shared<const std::vector<std::uint8_t>>(data, data + piece);
      WCLAYER_TRY(platform_->Do("ImportLayerWrite", id_, [table, context, copy, piece] {
        return table->ImportLayerWrite(context, copy->data(), piece);
      }));
    }
    bytes = bytes.subspan(piece);
  }
  return {};
}

Status StreamCalls::ImportEnd(void* context) const {
  Platform::How how;
  how.slow = true;
  how.queues = true;
  return platform_->Do(
      "ImportLayerEnd", id_,
      [table = &platform_->table(), context] { return table->ImportLayerEnd(context); },
      std::move(how));
}

Expected<bool> StreamCalls::ExportNext(void* context, Entry& entry) const {
  const auto* table = &platform_->table();
  Hresult hr = 0;
  if (platform_->direct()) {
    hr = Next(*table, context, entry);
  } else {
    const auto given = std::make_shared<Entry>();
    WCLAYER_ASSIGN(hr, platform_->Call("ExportLayerNext", id_, [table, context, given] {
      return Next(*table, context, *given);
    }));
    entry = std::move(*given);
  }
  if (hr == vmcompute::kNoMoreFiles) return false;
  WCLAYER_TRY(platform_->Check(hr, "vmcompute!ExportLayerNext", id_));
  return true;
}

Expected<std::size_t> StreamCalls::ExportRead(void* context, MutableBytes buffer) const {
  const auto* table = &platform_->table();
  const std::uint32_t length = Piece(buffer.size());
  if (platform_->direct()) {
    std::uint32_t read = 0;
    WCLAYER_TRY(platform_->Check(
        table->ExportLayerRead(context, reinterpret_cast<std::uint8_t*>(buffer.data()), length,
                               &read),
        "vmcompute!ExportLayerRead", id_));
    return static_cast<std::size_t>(read);
  }
  struct Result {
    std::vector<std::uint8_t> bytes;
    std::uint32_t read = 0;
  };
  const auto result = std::make_shared<Result>();
  result->bytes.resize(length);
  WCLAYER_TRY(platform_->Do("ExportLayerRead", id_, [table, context, length, result] {
    return table->ExportLayerRead(context, result->bytes.data(), length, &result->read);
  }));
  if (result->read > length)
    return Error(Errc::kPlatform, "ExportLayerRead gave more than was asked for").Of(id_);
  std::memcpy(buffer.data(), result->bytes.data(), result->read);
  return static_cast<std::size_t>(result->read);
}

Status StreamCalls::ExportEnd(void* context) const {
  Platform::How how;
  how.queues = true;
  return platform_->Do(
      "ExportLayerEnd", id_,
      [table = &platform_->table(), context] { return table->ExportLayerEnd(context); },
      std::move(how));
}

}  // namespace wclayer
