// A home in a temporary folder and the portable table on it, with layers as plain lists of items.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "backup/stream.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/utf16.h"
#include "portable/hive.h"
#include "support/remove_folder.h"
#include "support/temporary_folder.h"
#include "vmcompute/abi.h"

namespace wclayer::portable::test {

namespace files = std::filesystem;
using backup::StreamHeader;
using backup::StreamId;
using vmcompute::Hresult;

class TemporaryFolder {
 public:
  TemporaryFolder() : path_(wclayer::test::MakeTemporaryFolder("portable").string()) {}
  ~TemporaryFolder() { wclayer::test::RemoveFolder(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::u16string Wide(const std::string& text) {
  return ToUtf16(text).has_value() ? *ToUtf16(text) : u"";
}

// "Files/a" to "\Files\a".
inline std::u16string AbiName(const std::string& path) {
  std::u16string name = u"\\" + Wide(path);
  std::replace(name.begin(), name.end(), u'/', u'\\');
  return name;
}

// ---- Backup streams
// --------------------------------------------------------------------------------

inline Buffer ToBuffer(std::string_view text) {
  const Bytes bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

inline void AddStream(Buffer& out, StreamId id, std::string_view data, std::uint32_t attributes = 0,
                      std::u16string name = {}) {
  StreamHeader header;
  header.id = id;
  header.attributes = attributes;
  header.size = data.size();
  header.name = std::move(name);
  backup::AppendHeader(out, header);
  Append(out, AsBytes(data));
}

// One descriptor that passes every check: owner and group SYSTEM, no lists.
inline std::string Descriptor(char last = 18) {
  std::string text;
  const unsigned char head[] = {1, 0, 0, 0x80, 20, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  text.assign(reinterpret_cast<const char*>(head), sizeof head);
  for (int i = 0; i < 2; ++i) {
    const char sid[] = {1, 1, 0, 0, 0, 0, 0, 5, last, 0, 0, 0};
    text.append(sid, sizeof sid);
  }
  return text;
}

// A registry hive that holds something, `text` behind its bins.
inline std::string HiveWith(std::string_view text) {
  constexpr std::size_t kValuesOfRootKey = 4096 + 32 + 4 + 36;
  Buffer hive = MinimalHive();
  hive[kValuesOfRootKey] = std::byte{1};
  return std::string(AsText(hive)) + std::string(text);
}

inline Buffer FileStream(std::string_view data) {
  Buffer out;
  AddStream(out, StreamId::kSecurity, Descriptor(), backup::kAttributeContainsSecurity);
  AddStream(out, StreamId::kData, data);
  return out;
}

inline Buffer FolderStream() {
  Buffer out;
  AddStream(out, StreamId::kSecurity, Descriptor(), backup::kAttributeContainsSecurity);
  return out;
}

// A parsed stream: (id, name, attributes, data; sparse blocks with their offset in front), sorted.
using Parsed = std::vector<std::tuple<std::uint32_t, std::u16string, std::uint32_t, std::string>>;
inline Parsed Parse(Bytes stream, bool sorted = true) {
  struct Collect final : backup::Sink {
    Status OnStream(const StreamHeader& header, std::uint64_t offset) override {
      std::string data;
      if (header.id == StreamId::kSparseBlock)
        data.assign(reinterpret_cast<const char*>(&offset), 8);
      all.emplace_back(static_cast<std::uint32_t>(header.id), header.name, header.attributes, data);
      return {};
    }
    Status OnData(Bytes bytes) override {
      std::get<3>(all.back()) += AsText(bytes);
      return {};
    }
    Status OnStreamEnd() override { return {}; }
    Parsed all;
  } collect;
  backup::Decoder decoder(collect);
  EXPECT_TRUE(decoder.Write(stream).has_value());
  EXPECT_TRUE(decoder.Finish().has_value());
  if (sorted) std::sort(collect.all.begin(), collect.all.end());
  return collect.all;
}

// The main data of a stream, holes as zeros.
inline std::string MainData(Bytes stream) {
  std::string data;
  for (const auto& [id, name, attributes, bytes] : Parse(stream, false)) {
    if (id == static_cast<std::uint32_t>(StreamId::kData)) data = bytes;
    if (id != static_cast<std::uint32_t>(StreamId::kSparseBlock)) continue;
    std::uint64_t offset = 0;
    std::memcpy(&offset, bytes.data(), 8);
    if (data.size() < offset + bytes.size() - 8) data.resize(offset + bytes.size() - 8);
    std::copy(bytes.begin() + 8, bytes.end(), data.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  return data;
}

// ---- Items
// -----------------------------------------------------------------------------------------

struct Item {
  std::string path;
  bool deleted = false;
  bool opaque = false;
  std::string link;
  std::uint32_t attributes = 0x20;
  std::int64_t times[4] = {133000000000000001, 133000000000000002, 133000000000000003,
                           133000000000000004};
  std::uint8_t time_absent = 0;
  std::uint8_t time_remainder[4] = {};
  Buffer stream;
  // Only after an export.
  std::int64_t size = 0;
  std::uint64_t ordinal = 0;
  vmcompute::ChangeKind change = vmcompute::ChangeKind::kUnchanged;
  bool has_data_stream = true;
  std::uint32_t reparse_tag = 0;
};

inline Item Folder(std::string path) {
  Item item;
  item.path = std::move(path);
  item.attributes = 0x10;
  item.stream = FolderStream();
  return item;
}
inline Item File(std::string path, std::string_view data) {
  Item item;
  item.path = std::move(path);
  item.stream = FileStream(data);
  return item;
}
inline Item Gone(std::string path) {
  Item item;
  item.path = std::move(path);
  item.deleted = true;
  return item;
}
inline Item Opaque(std::string path) {
  Item item = Gone(std::move(path));
  item.opaque = true;
  return item;
}
inline Item Link(std::string path, std::string target) {
  Item item;
  item.path = std::move(path);
  item.link = std::move(target);
  return item;
}

inline vmcompute::FileBasicInfo InfoOf(const Item& item) {
  vmcompute::FileBasicInfo info;
  info.creation_time = item.times[0];
  info.last_access_time = item.times[1];
  info.last_write_time = item.times[2];
  info.change_time = item.times[3];
  info.attributes = item.attributes;
  return info;
}

// ---- The store
// -------------------------------------------------------------------------------------

class StoreTest : public testing::Test {
 protected:
  StoreTest() : home_path_(temporary_.path() + "/home"), home_(Wide(home_path_)) {
    info_.home_dir = home_.c_str();
    vmcompute::StoreOptions options;
    options.durability = 0;
    EXPECT_EQ(table_.extensions->Configure(&info_, &options), vmcompute::kOk);
  }

  // Descriptors of parents, immediate one first.
  struct Chain {
    std::vector<std::u16string> paths;
    std::vector<vmcompute::LayerDescriptor> items;
    const vmcompute::LayerDescriptor* data() const {
      return items.empty() ? nullptr : items.data();
    }
    std::uint32_t size() const { return static_cast<std::uint32_t>(items.size()); }
  };
  Chain Parents(const std::vector<std::string>& ids) const {
    Chain chain;
    for (const auto& id : ids) chain.paths.push_back(Wide(home_path_ + "/" + id));
    for (const auto& path : chain.paths) {
      vmcompute::LayerDescriptor descriptor;
      descriptor.path = path.c_str();
      chain.items.push_back(descriptor);
    }
    return chain;
  }

  static vmcompute::ErrorDetail LastError() {
    vmcompute::ErrorDetail detail;
    vmcompute::Portable().extensions->LastError(&detail);
    return detail;
  }
  static Errc LastCode() { return static_cast<Errc>(LastError().code); }

  // The first failure of the import, or kOk.
  Hresult Import(const std::string& id, const std::vector<std::string>& parents,
                 const std::vector<Item>& items, std::vector<std::uint64_t>* ordinals = nullptr,
                 std::size_t piece = 1u << 20) {
    void* context = nullptr;
    const Chain chain = Parents(parents);
    Hresult hr =
        table_.ImportLayerBegin(&info_, Wide(id).c_str(), chain.data(), chain.size(), &context);
    if (hr != vmcompute::kOk) return hr;
    for (const auto& item : items) {
      std::uint64_t ordinal = 0;
      hr = Put(context, item, ordinal, piece);
      if (hr != vmcompute::kOk) {
        table_.extensions->ImportLayerAbort(context);
        return hr;
      }
      if (ordinals != nullptr) ordinals->push_back(ordinal);
    }
    return table_.ImportLayerEnd(context);
  }

  Hresult Put(void* context, const Item& item, std::uint64_t& ordinal,
              std::size_t piece = 1u << 20) {
    vmcompute::EntryExtra extra;
    extra.opaque = item.opaque;
    extra.time_absent = item.time_absent;
    std::copy(std::begin(item.time_remainder), std::end(item.time_remainder), extra.time_remainder);
    const std::u16string link = AbiName(item.link);
    if (!item.link.empty()) extra.link_target = link.c_str();
    const auto info = InfoOf(item);
    Hresult hr = table_.extensions->ImportLayerEntry(
        context, AbiName(item.path).c_str(), item.deleted ? nullptr : &info, &extra, &ordinal);
    for (std::size_t at = 0; hr == vmcompute::kOk && at < item.stream.size(); at += piece)
      hr = table_.ImportLayerWrite(
          context, reinterpret_cast<const std::uint8_t*>(item.stream.data() + at),
          static_cast<std::uint32_t>(std::min(piece, item.stream.size() - at)));
    return hr;
  }

  // Begins an export; null if it fails.
  void* BeginExport(const std::string& id, const std::vector<std::string>& against,
                    Hresult* result = nullptr) {
    void* context = nullptr;
    const Chain chain = Parents(against);
    const Hresult hr =
        table_.ExportLayerBegin(&info_, Wide(id).c_str(), chain.data(), chain.size(), &context);
    if (result != nullptr) *result = hr;
    return hr == vmcompute::kOk ? context : nullptr;
  }

  Buffer ReadAll(void* context, std::size_t piece = 1u << 16) {
    Buffer stream;
    Buffer room(piece);
    while (true) {
      std::uint32_t read = 0;
      const Hresult hr =
          table_.ExportLayerRead(context, reinterpret_cast<std::uint8_t*>(room.data()),
                                 static_cast<std::uint32_t>(room.size()), &read);
      EXPECT_EQ(hr, vmcompute::kOk) << LastError().path << ": " << LastError().message;
      if (hr != vmcompute::kOk || read == 0) return stream;
      Append(stream, Bytes(room).first(read));
    }
  }

  void Fill(Item& item, const vmcompute::FileBasicInfo& info, std::int64_t size,
            const vmcompute::EntryDescription& description) {
    item.times[0] = info.creation_time;
    item.times[1] = info.last_access_time;
    item.times[2] = info.last_write_time;
    item.times[3] = info.change_time;
    item.attributes = info.attributes;
    item.size = size;
    item.opaque = description.extra.opaque;
    item.time_absent = description.extra.time_absent;
    std::copy(std::begin(description.extra.time_remainder),
              std::end(description.extra.time_remainder), item.time_remainder);
    item.ordinal = description.ordinal;
    item.has_data_stream = description.has_data_stream;
    item.reparse_tag = description.reparse_tag;
    if (description.extra.link_target != nullptr) item.link = PathOf(description.extra.link_target);
  }

  static std::string PathOf(std::u16string_view name) {
    std::string path = ToUtf8(name.substr(1));
    std::replace(path.begin(), path.end(), '\\', '/');
    return path;
  }

  std::vector<Item> Export(const std::string& id, const std::vector<std::string>& against,
                           bool describe = true, std::size_t piece = 1u << 16) {
    std::vector<Item> items;
    Hresult hr = 0;
    void* context = BeginExport(id, against, &hr);
    EXPECT_EQ(hr, vmcompute::kOk) << LastError().path << ": " << LastError().message;
    if (context == nullptr) return items;
    while (true) {
      char16_t* name = nullptr;
      vmcompute::FileBasicInfo info;
      std::int64_t size = 0;
      std::uint32_t deleted = 0;
      hr = table_.ExportLayerNext(context, &name, &info, &size, &deleted);
      if (hr == vmcompute::kNoMoreFiles) break;
      EXPECT_EQ(hr, vmcompute::kOk) << LastError().path << ": " << LastError().message;
      if (hr != vmcompute::kOk) break;
      Item item;
      item.path = PathOf(name);
      table_.FreeString(name);
      item.deleted = deleted != 0;
      vmcompute::EntryDescription description;
      if (describe) {
        EXPECT_EQ(table_.extensions->ExportLayerDescribe(context, &description), vmcompute::kOk)
            << LastError().path << ": " << LastError().message;
      }
      Fill(item, info, size, description);
      if (describe) {
        EXPECT_EQ(table_.extensions->ExportLayerChange(context, &item.change), vmcompute::kOk)
            << LastError().path << ": " << LastError().message;
      }
      if (!item.deleted) item.stream = ReadAll(context, piece);
      items.push_back(std::move(item));
    }
    EXPECT_EQ(table_.ExportLayerEnd(context), vmcompute::kOk) << LastError().message;
    return items;
  }

  static std::vector<std::string> Paths(const std::vector<Item>& items) {
    std::vector<std::string> paths;
    for (const auto& item : items) paths.push_back((item.deleted ? "-" : "") + item.path);
    return paths;
  }
  static const Item* Find(const std::vector<Item>& items, const std::string& path) {
    for (const auto& item : items)
      if (item.path == path) return &item;
    return nullptr;
  }

  std::vector<std::string> Verify(const std::string& id, bool payloads = true) {
    std::vector<std::string> problems;
    const Hresult hr =
        table_.extensions->VerifyLayer(&info_, Wide(id).c_str(), payloads ? 1 : 0, &problems,
                                       [](void* user, const char* path, const char* problem) {
                                         static_cast<std::vector<std::string>*>(user)->push_back(
                                             std::string(path) + ": " + problem);
                                       });
    EXPECT_EQ(hr, vmcompute::kOk) << LastError().message;
    return problems;
  }

  bool Exists(const std::string& id) {
    std::uint32_t exists = 7;
    EXPECT_EQ(table_.LayerExists(&info_, Wide(id).c_str(), &exists), vmcompute::kOk);
    return exists == 1;
  }
  std::uint32_t StateOf(const std::string& id) {
    std::uint32_t state = 0xFF;
    EXPECT_EQ(table_.extensions->LayerState(&info_, Wide(id).c_str(), &state), vmcompute::kOk);
    return state;
  }

  // Every path below the home but lock files, sorted.
  std::vector<std::string> Listing() const {
    std::vector<std::string> paths;
    for (auto at = files::recursive_directory_iterator(home_path_);
         at != files::recursive_directory_iterator(); ++at)
      if (at->path().string().find("/locks/") == std::string::npos)
        paths.push_back(at->path().string().substr(home_path_.size()));
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  static std::string ReadFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  static void WriteFile(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary)
        .write(text.data(), static_cast<std::streamsize>(text.size()));
  }

  TemporaryFolder temporary_;
  std::string home_path_;
  std::u16string home_;
  vmcompute::DriverInfo info_;
  const vmcompute::Table& table_ = vmcompute::Portable();
};

}  // namespace wclayer::portable::test
