// What the layer tests share: a layer in memory that takes items and gives them, and short ways to
// make tars and streams.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "backup/stream.h"
#include "base/upcase.h"
#include "base/utf16.h"
#include "io/digest.h"
#include "layer/exporter.h"
#include "layer/importer.h"
#include "layer/item.h"
#include "layer/skeleton.h"
#include "support/remove_folder.h"
#include "support/temporary_folder.h"
#include "tar/writer.h"

namespace wclayer::layer {

inline std::string ReadFixture(const std::string& name) {
  std::ifstream file(std::filesystem::path(WCLAYER_FIXTURES) / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::string TextOf(const Buffer& bytes) {
  return std::string(AsText(bytes));
}

template <class T>
std::string Describe(const Expected<T>& result) {
  return result ? "" : result.error().ToString();
}

// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(test::MakeTemporaryFolder("layer")) {}
  ~TemporaryFolder() { test::RemoveFolder(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// ---- backup streams

struct Stream {
  backup::StreamId id = backup::StreamId::kData;
  std::uint32_t attributes = 0;
  std::u16string name;
  std::uint64_t offset = 0;  // of a sparse block
  std::string data;
  bool operator==(const Stream&) const = default;
};

inline Stream Data(std::string data) {
  return {backup::StreamId::kData, 0, u"", 0, std::move(data)};
}
inline Stream Alternate(std::u16string_view name, std::string data) {
  return {backup::StreamId::kAlternateData, 0, backup::StreamName(name), 0, std::move(data)};
}

inline std::vector<Stream> Decode(Bytes bytes) {
  struct Collector : backup::Sink {
    Status OnStream(const backup::StreamHeader& header, std::uint64_t offset) override {
      streams.push_back({header.id, header.attributes, header.name, offset, ""});
      return {};
    }
    Status OnData(Bytes data) override {
      streams.back().data += AsText(data);
      return {};
    }
    Status OnStreamEnd() override { return {}; }
    std::vector<Stream> streams;
  } collector;
  backup::Decoder decoder(collector);
  auto status = decoder.Write(bytes);
  if (status) status = decoder.Finish();
  EXPECT_TRUE(status) << Describe(status);
  return collector.streams;
}

inline Buffer Encode(const std::vector<Stream>& streams) {
  Buffer out;
  for (const Stream& stream : streams) {
    if (stream.id == backup::StreamId::kSparseBlock) {
      backup::AppendSparseBlock(out, stream.offset, stream.data.size());
    } else {
      backup::AppendHeader(out, {stream.id, stream.attributes, stream.data.size(), stream.name});
    }
    Append(out, AsBytes(stream.data));
  }
  return out;
}

// What stream `number` (0: main, n: n-th alternate) reads as; holes are zeros.
inline std::string Content(const std::vector<Stream>& streams, std::uint32_t number) {
  std::string content;
  std::uint32_t alternates = 0;
  bool main = false;
  for (const Stream& stream : streams) {
    switch (stream.id) {
      case backup::StreamId::kData:
        main = true;
        if (number == 0) content = stream.data;
        break;
      case backup::StreamId::kSparseBlock:
        if (!main || number != 0) break;
        content.resize(std::max<std::size_t>(content.size(), stream.offset + stream.data.size()));
        std::copy(stream.data.begin(), stream.data.end(),
                  content.begin() + static_cast<std::ptrdiff_t>(stream.offset));
        break;
      case backup::StreamId::kAlternateData:
        main = false;
        if (++alternates == number) return stream.data;
        break;
      default:
        break;
    }
  }
  return number == 0 ? content : "";
}

// ---- a layer in memory

// Keeps items as a store does (layer/item.h), and yields them in the order of a reader.
class MemoryLayer final : public ItemSink {
 public:
  struct Entry {
    Item item;
    Buffer stream;
    bool replaced = false;
    bool implied = false;
  };

  Expected<std::uint64_t> Begin(const Item& item) override {
    if (item.path == fail_at) return Error(Errc::kNoSpace, "no room");
    MakeFolders(item.path);
    const std::string key = UpcaseUtf8(item.path);
    const auto known = names.find(key);
    if (item.deleted) {
      entries.push_back({item, {}});
      current = entries.size() - 1;
      return current;
    }
    if (known != names.end() && entries[known->second].item.directory() && item.directory()) {
      current = known->second;
      entries[current].item = item;
      entries[current].implied = false;
      fresh = true;
      return current;
    }
    if (known != names.end()) entries[known->second].replaced = true;
    if (!item.link_target.empty() && !names.contains(UpcaseUtf8(item.link_target))) {
      if (parent_files.contains(item.link_target)) {
        Item copy = item;
        copy.link_target.clear();
        entries.push_back({copy, Encode({Data(parent_files.at(item.link_target))})});
        current = entries.size() - 1;
        names[key] = current;
        return current;
      }
      return Error(Errc::kBadArchive, "the hard link's target is nowhere");
    }
    entries.push_back({item, {}});
    current = entries.size() - 1;
    names[key] = current;
    fresh = false;
    return current;
  }

  Status Write(Bytes stream) override {
    ++writes;
    if (fresh) entries[current].stream.clear();
    fresh = false;
    Append(entries[current].stream, stream);
    return {};
  }

  Expected<std::size_t> ReadBack(std::uint64_t ordinal, std::uint32_t stream, std::uint64_t offset,
                                 MutableBytes buffer) override {
    const std::string content = Content(Decode(entries.at(ordinal).stream), stream);
    if (offset >= content.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(buffer.size(), content.size() - offset);
    std::copy_n(AsBytes(content).begin() + static_cast<std::ptrdiff_t>(offset), count,
                buffer.begin());
    return count;
  }

  bool tells_checksums() const override { return sums; }
  Expected<std::uint64_t> Checksum() override {
    Item& item = entries.at(current).item;
    item.has_checksum = true;
    item.checksum = io::Checksum(AsBytes(Content(Decode(entries[current].stream), 0)));
    return item.checksum;
  }

  const Entry* Find(const std::string& path) const {
    const auto found = names.find(UpcaseUtf8(path));
    return found == names.end() ? nullptr : &entries[found->second];
  }
  std::vector<Stream> StreamsOf(const std::string& path) const {
    const Entry* entry = Find(path);
    return entry == nullptr ? std::vector<Stream>() : Decode(entry->stream);
  }

  std::vector<Entry> entries;
  std::map<std::string, std::size_t> names;
  std::map<std::string, std::string> parent_files;  // what the parent layer has
  std::size_t current = 0;
  std::size_t writes = 0;
  bool fresh = false;
  bool sums = false;  // it tells checksums
  std::string fail_at = "-";

 private:
  void MakeFolders(const std::string& path) {
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      const std::string folder = path.substr(0, at);
      if (names.contains(UpcaseUtf8(folder))) continue;
      Item item;
      item.path = folder;
      item.attributes = kAttributeDirectory;
      names[UpcaseUtf8(folder)] = entries.size();
      entries.push_back({item, {}, false, true});
    }
  }
};

// Gives entries one by one; reads come in pieces of at most `piece` bytes.
class MemorySource final : public ItemSource {
 public:
  explicit MemorySource(std::vector<MemoryLayer::Entry> entries, std::size_t piece = SIZE_MAX)
      : entries_(std::move(entries)), piece_(piece) {}

  // A layer's entries as the store yields them: depth first, names by bytes, a folder's tombstones
  // right after it.
  static MemorySource Of(const MemoryLayer& layer, std::size_t piece = SIZE_MAX) {
    std::vector<MemoryLayer::Entry> kept;
    for (std::size_t i = 0; i < layer.entries.size(); ++i) {
      MemoryLayer::Entry entry = layer.entries[i];
      entry.item.ordinal = i;
      entry.item.size = Content(Decode(entry.stream), 0).size();
      if (!entry.replaced) kept.push_back(std::move(entry));
    }
    std::stable_sort(kept.begin(), kept.end(),
                     [](const auto& a, const auto& b) { return KeyOf(a.item) < KeyOf(b.item); });
    MemorySource source(std::move(kept), piece);
    source.all_ = &layer;
    return source;
  }

  Expected<bool> Next(Item& item) override {
    if (next_ == entries_.size()) return false;
    current_ = entries_[next_++];
    at_ = 0;
    item = current_.item;
    return true;
  }
  Expected<std::size_t> Read(MutableBytes buffer) override {
    const std::size_t count = std::min({buffer.size(), current_.stream.size() - at_, piece_});
    std::copy_n(current_.stream.begin() + static_cast<std::ptrdiff_t>(at_), count, buffer.begin());
    at_ += count;
    ++reads;
    return count;
  }
  Status Seek(std::uint64_t ordinal, Item& item) override {
    ++seeks;
    if (all_ != nullptr) {
      if (ordinal >= all_->entries.size() || all_->entries[ordinal].replaced) {
        return Error(Errc::kLayerNotFound, "no such entry");
      }
      current_ = all_->entries[ordinal];
    } else {
      current_ = entries_.at(ordinal);
    }
    at_ = 0;
    item = current_.item;
    return {};
  }

  std::size_t reads = 0;
  std::size_t seeks = 0;

 private:
  static std::vector<std::pair<int, std::string>> KeyOf(const Item& item) {
    std::vector<std::pair<int, std::string>> key;
    std::string_view rest = item.path;
    for (std::size_t cut; (cut = rest.find('/')) != std::string_view::npos;) {
      key.emplace_back(1, rest.substr(0, cut));
      rest.remove_prefix(cut + 1);
    }
    key.emplace_back(item.deleted && !item.opaque ? 0 : 1, rest);
    if (item.deleted && item.opaque) key.emplace_back(-1, "");
    return key;
  }

  std::vector<MemoryLayer::Entry> entries_;
  std::size_t piece_;
  const MemoryLayer* all_ = nullptr;
  std::size_t next_ = 0;
  MemoryLayer::Entry current_;
  std::size_t at_ = 0;
};

// ---- tars

// Everything that `fill` (an exporter or replay) gives, in buffers of `size` bytes.
template <class Filler>
Expected<std::string> Drain(Filler& fill, std::size_t size = 64u << 10) {
  std::string all;
  Buffer buffer(size);
  for (;;) {
    WCLAYER_ASSIGN(const std::size_t count, fill.Fill(buffer));
    if (count == 0) return all;
    all += AsText(Bytes(buffer).first(count));
  }
}

inline Status Import(std::string_view tar, ItemSink& sink, SkeletonWriter* skeleton = nullptr,
                     ImportOptions options = {}, ImportSummary* summary = nullptr,
                     std::size_t piece = SIZE_MAX) {
  TarImporter importer(sink, skeleton, options);
  auto done = [&]() -> Status {
    for (std::size_t at = 0; at < tar.size(); at += std::min(piece, tar.size() - at)) {
      WCLAYER_TRY(importer.Write(AsBytes(tar.substr(at, piece))));
    }
    return importer.Finish();
  }();
  if (summary != nullptr) *summary = importer.summary();
  return done;
}

inline tar::Header Typed(char type, std::string name) {
  tar::Header header;
  header.type = type;
  header.name = std::move(name);
  return header;
}

class TarBuilder {
 public:
  TarBuilder& Add(tar::Header header, std::string_view data = "") {
    header.size = data.size();
    const Status status = tar::AppendHeader(tar_, header);
    EXPECT_TRUE(status) << Describe(status);
    Append(tar_, AsBytes(data));
    tar_.resize(tar_.size() + tar::Padding(data.size()));
    return *this;
  }
  TarBuilder& Folder(std::string name) {
    tar::Header header;
    header.name = std::move(name);
    header.type = '5';
    header.mode = 040000;
    return Add(header);
  }
  TarBuilder& File(std::string name, std::string_view data = "") {
    tar::Header header;
    header.name = std::move(name);
    header.mode = 0100000;
    return Add(header, data);
  }
  TarBuilder& Link(std::string name, std::string target) {
    tar::Header header;
    header.name = std::move(name);
    header.link_name = std::move(target);
    header.type = '1';
    header.mode = 0644;
    return Add(header);
  }
  TarBuilder& Symlink(std::string name, std::string target) {
    tar::Header header;
    header.name = std::move(name);
    header.link_name = std::move(target);
    header.type = '2';
    header.mode = 0120000;
    return Add(header);
  }
  std::string Finish() const { return TextOf(tar_) + std::string(tar::kTrailerBytes, '\0'); }

 private:
  Buffer tar_;
};

}  // namespace wclayer::layer
