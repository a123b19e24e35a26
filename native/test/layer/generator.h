// Made-up layers with every kind of entry, from a seed.
#pragma once

#include <array>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "backup/ea.h"
#include "backup/reparse.h"
#include "backup/security.h"
#include "layer/support.h"

namespace wclayer::layer {

class Generator {
 public:
  Generator(std::uint64_t seed, bool plain_names) : random_(seed), plain_names_(plain_names) {}

  MemoryLayer Layer() {
    MemoryLayer layer;
    folders_ = {"Files"};
    Add(layer, FolderOf("Files"));
    const std::size_t entries = 5 + Below(60);
    for (std::size_t i = 0; i < entries; ++i) AddOne(layer);
    return layer;
  }

 private:
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  bool OneIn(std::uint64_t chances) { return Below(chances) == 0; }

  std::string Noise(std::size_t most) {
    std::string bytes(Below(most + 1), '\0');
    for (char& c : bytes) c = static_cast<char>(random_());
    return bytes;
  }

  std::string Name() {
    static const std::array<std::string, 8> kParts = {
        "a", "B b", "\xC3\xBC", "\xF0\x9F\x98\x80", "\xED\xA0\x80", "=x", "long-name-", "%20"};
    std::string name = "n" + std::to_string(count_++) + "-";
    if (plain_names_) return name;
    for (std::size_t i = Below(4); i > 0; --i) name += kParts[Below(kParts.size())];
    if (OneIn(10)) name += std::string(Below(150), 'w');
    return name + "x";
  }

  std::string Path() { return folders_[Below(folders_.size())] + "/" + Name(); }

  void SetTimes(Item& item) {
    item.times[kWrite] = AnyTime();
    item.time_remainder[kWrite] = Remainder();
    for (const auto which : {kCreation, kAccess, kChange}) {
      const bool absent = OneIn(6);
      item.times[which] = absent ? item.times[kWrite] : AnyTime();
      item.time_remainder[which] = absent ? std::uint8_t{0} : Remainder();
      if (absent) item.time_absent = static_cast<std::uint8_t>(item.time_absent | 1u << which);
    }
  }
  std::int64_t AnyTime() {
    switch (Below(4)) {
      case 0:
        return static_cast<std::int64_t>(random_() >> 1);  // any year to 30828
      case 1:
        return -static_cast<std::int64_t>(Below(1u << 30));
      case 2:
        return 116444736000000000 - static_cast<std::int64_t>(Below(100'000'000));
      default:
        return 133444736000000000 + static_cast<std::int64_t>(Below(10'000'000'000));
    }
  }
  std::uint8_t Remainder() { return static_cast<std::uint8_t>(OneIn(4) ? Below(100) : 0); }

  std::vector<Stream> Metadata(Item& item) {
    std::vector<Stream> streams;
    const auto add = [&](backup::StreamId id, std::string data) {
      streams.push_back({id, 0, u"", 0, std::move(data)});
    };
    if (!OneIn(4)) {
      add(backup::StreamId::kSecurity,
          std::string(AsText(OneIn(2) ? backup::DefaultFileDescriptor()
                                      : backup::DefaultDirectoryDescriptor())));
    }
    if (OneIn(4)) add(backup::StreamId::kEaData, Eas());
    if (OneIn(4)) {
      add(backup::StreamId::kReparse, Reparse());
      item.attributes |= kAttributeReparsePoint;
    }
    if (OneIn(6)) add(backup::StreamId::kObjectId, Noise(48) + std::string(16, 'o'));
    if (OneIn(10)) add(backup::StreamId::kTxfs, Noise(60));
    if (OneIn(10)) item.short_name = u"SHORT~1.TXT";
    return streams;
  }

  std::string Eas() {
    std::vector<backup::ExtendedAttribute> attributes;
    for (std::size_t i = 0; i <= Below(4); ++i) {
      backup::ExtendedAttribute attribute;
      attribute.name = std::string(1, static_cast<char>('A' + i)) + (OneIn(8) ? "=" : "");
      Append(attribute.value, AsBytes(Noise(100)));
      attribute.flags = OneIn(3) ? 0x80 : 0;
      attributes.push_back(std::move(attribute));
    }
    return TextOf(*backup::BuildEas(attributes));
  }

  std::string Reparse() {
    link_ = !OneIn(3);
    if (link_) {
      static const std::array<std::u16string, 5> kTargets = {u"..\\x", u"C:\\Users\\\u00FC",
                                                             u"\\\\?\\Volume{1}\\", u"a/b", u""};
      return TextOf(backup::BuildReparse(kTargets[Below(kTargets.size())], OneIn(2)));
    }
    Buffer buffer;
    AppendLe(buffer, static_cast<std::uint32_t>(0x80000020u + Below(4)));
    AppendLe(buffer, std::uint32_t{0});
    Append(buffer, AsBytes(Noise(50)));
    return TextOf(buffer);
  }

  void AddAlternates(std::vector<Stream>& streams) {
    if (!OneIn(3)) return;
    for (std::size_t i = 0; i <= Below(3); ++i) {
      streams.push_back(Alternate(u"s\u00FC" + std::u16string(i + 1, u'x'), Noise(2000)));
    }
  }

  MemoryLayer::Entry FolderOf(std::string path) {
    MemoryLayer::Entry entry;
    entry.item.path = std::move(path);
    entry.item.attributes = kAttributeDirectory;
    SetTimes(entry.item);
    return entry;
  }

  void AddOne(MemoryLayer& layer) {
    switch (Below(8)) {
      case 0: {
        MemoryLayer::Entry entry = FolderOf(Path());
        std::vector<Stream> streams = Metadata(entry.item);
        AddAlternates(streams);
        entry.stream = Encode(streams);
        if ((entry.item.attributes & kAttributeReparsePoint) == 0) {
          folders_.push_back(entry.item.path);
        }
        return Add(layer, std::move(entry));
      }
      case 1: {
        MemoryLayer::Entry entry;
        entry.item.path = Path();
        entry.item.deleted = true;
        return Add(layer, std::move(entry));
      }
      case 2: {
        if (files_.empty()) return;
        MemoryLayer::Entry entry;
        entry.item.path = Path();
        entry.item.link_target = files_[Below(files_.size())];
        entry.item.attributes = 32;
        SetTimes(entry.item);
        return Add(layer, std::move(entry));
      }
      default:
        return AddFile(layer);
    }
  }

  void AddFile(MemoryLayer& layer) {
    MemoryLayer::Entry entry;
    entry.item.path = Path();
    entry.item.attributes = static_cast<std::uint32_t>(Below(1u << 20)) &
                            ~(kAttributeDirectory | kAttributeReparsePoint | kAttributeSparseFile);
    SetTimes(entry.item);
    link_ = false;
    std::vector<Stream> streams = Metadata(entry.item);
    const bool bare = (entry.item.attributes & kAttributeReparsePoint) != 0 && link_;
    if (!bare && !OneIn(6)) {
      if (OneIn(5)) {
        AddSparse(streams);
      } else {
        streams.push_back(Data(Noise(OneIn(10) ? 200'000 : 3000)));
      }
    }
    AddAlternates(streams);
    entry.stream = Encode(streams);
    files_.push_back(entry.item.path);
    Add(layer, std::move(entry));
  }

  void AddSparse(std::vector<Stream>& streams) {
    streams.push_back({backup::StreamId::kData, backup::kAttributeSparse, u"", 0, ""});
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < Below(4); ++i) {
      at += Below(100'000);
      streams.push_back(
          {backup::StreamId::kSparseBlock, backup::kAttributeSparse, u"", at, Noise(500)});
      at += streams.back().data.size();
      if (streams.back().data.empty()) streams.pop_back();
    }
    at += Below(1000);
    streams.push_back({backup::StreamId::kSparseBlock, backup::kAttributeSparse, u"", at, ""});
  }

  static void Add(MemoryLayer& layer, MemoryLayer::Entry entry) {
    if (!entry.item.deleted) layer.names[UpcaseUtf8(entry.item.path)] = layer.entries.size();
    layer.entries.push_back(std::move(entry));
  }

  std::mt19937_64 random_;
  bool plain_names_;
  int count_ = 0;
  bool link_ = false;
  std::vector<std::string> folders_;
  std::vector<std::string> files_;
};

// The links of a made-up layer lead to the first name in export order, as a store's do.
inline void LeadLinks(MemoryLayer& layer) {
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < layer.entries.size(); ++i) {
    const Item& item = layer.entries[i].item;
    if (!item.link_target.empty()) groups[item.link_target].push_back(i);
  }
  for (auto& [first, links] : groups) {
    // A link that would come before its file is dropped: it would be the first name.
    auto source = MemorySource::Of(layer);
    bool seen = false;
    Item item;
    while (*source.Next(item)) {
      if (item.path == first) seen = true;
      if (item.link_target == first && !seen) {
        layer.entries[layer.names.at(UpcaseUtf8(item.path))].replaced = true;
      }
    }
  }
}

inline std::string Exported(const MemoryLayer& layer, std::size_t piece) {
  auto source = MemorySource::Of(layer, piece);
  TarExporter exporter(source, WriterMode::kStore);
  const auto tar = Drain(exporter, piece == SIZE_MAX ? 1u << 20 : 64u << 10);
  EXPECT_TRUE(tar) << Describe(tar);
  return tar ? *tar : "";
}

}  // namespace wclayer::layer
