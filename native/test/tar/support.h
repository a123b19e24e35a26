// What the tar tests share: a sink that writes down what it gets, and hand-made header blocks.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "tar/header_block.h"
#include "tar/reader.h"
#include "tar/writer.h"

namespace wclayer::tar {

inline std::string ReadFixture(const std::string& name) {
  std::ifstream file(std::filesystem::path(WCLAYER_FIXTURES) / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void ExpectContains(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in\n" << text;
}

// Events in order; neighbouring raw or payload pieces are one event, so that two readings of a tar
// in different pieces give the same log.
class Log : public Sink {
 public:
  struct Event {
    char kind;         // 'r'aw, 'e'ntry, 'p'ayload, 'd'one with the entry
    std::string text;  // bytes, or the entry as text
    bool operator==(const Event&) const = default;
  };

  Status OnRaw(Bytes bytes) override { return Add('r', bytes); }
  Status OnPayload(Bytes bytes) override { return Add('p', bytes); }
  Status OnEntry(const Entry& entry) override {
    entries.push_back(entry);
    payloads.emplace_back();
    events.push_back({'e', Describe(entry)});
    return {};
  }
  Status OnEntryEnd() override {
    events.push_back({'d', ""});
    return {};
  }

  static std::string Describe(const Entry& entry);

  std::vector<Event> events;
  std::vector<Entry> entries;
  std::vector<std::string> payloads;  // one for each entry
  std::string input;                  // raw and payload bytes together: must be what went in
  bool empty_piece = false;           // a call without bytes, which the contract rules out

 private:
  Status Add(char kind, Bytes bytes) {
    const std::string_view text = AsText(bytes);
    empty_piece = empty_piece || bytes.empty();
    input += text;
    if (kind == 'p') payloads.back() += text;
    if (!events.empty() && events.back().kind == kind) {
      events.back().text += text;
    } else {
      events.push_back({kind, std::string(text)});
    }
    return {};
  }
};

inline std::string Describe(const std::optional<UnixTime>& time) {
  return time ? FormatTime(*time) : "-";
}

inline std::string Log::Describe(const Entry& entry) {
  std::string text = std::to_string(entry.index) + "@" + std::to_string(entry.offset) + " " +
                     entry.type + entry.raw_type + " " + entry.name + " -> " + entry.link_name +
                     " mode " + std::to_string(entry.mode) + " owner " + std::to_string(entry.uid) +
                     ":" + std::to_string(entry.gid) + " size " + std::to_string(entry.size) + "/" +
                     std::to_string(entry.stored_size) + " times " + tar::Describe(entry.mtime) +
                     " " + tar::Describe(entry.atime) + " " + tar::Describe(entry.ctime);
  for (const auto& [key, value] : entry.pax) text += " [" + key + "=" + value + "]";
  if (entry.sparse) text += " sparse";
  for (const SparseRange& range : entry.ranges) {
    text += " " + std::to_string(range.offset) + "+" + std::to_string(range.size);
  }
  return text;
}

// Feeds `tar` in pieces of the sizes that `next_size` gives.
template <class NextSize>
Status ReadInPieces(std::string_view tar, Sink& sink, ReaderOptions options, NextSize next_size) {
  Reader reader(sink, options);
  while (!tar.empty()) {
    const std::size_t size = std::min(tar.size(), static_cast<std::size_t>(next_size()));
    // A copy of exactly this size lets AddressSanitizer see any read beyond the piece.
    const std::vector<std::byte> piece(AsBytes(tar).begin(),
                                       AsBytes(tar).begin() + static_cast<std::ptrdiff_t>(size));
    WCLAYER_TRY(reader.Write(piece));
    tar.remove_prefix(size);
  }
  return reader.Finish();
}

inline Status ReadWhole(std::string_view tar, Sink& sink, ReaderOptions options = {}) {
  Reader reader(sink, options);
  WCLAYER_TRY(reader.Write(AsBytes(tar)));
  return reader.Finish();
}

// A header block made by hand, for what our writer refuses to write.
class RawHeader {
 public:
  RawHeader(char type, std::string_view name, std::uint64_t size) : block_(kBlock, '\0') {
    Set(kName, name);
    Octal(kMode, 0644);
    Octal(kSize, size);
    Octal(kMtime, 0);
    block_[kType] = type;
    Set(kMagic, std::string_view("ustar\0", 6));
    Set(kVersion, "00");
  }

  RawHeader& Set(Field field, std::string_view text) {
    block_.replace(field.offset, std::min(field.size, text.size()), text.substr(0, field.size));
    return *this;
  }
  RawHeader& Octal(Field field, std::uint64_t value) {
    std::string digits(field.size - 1, '0');
    for (std::size_t i = digits.size(); i-- > 0; value >>= 3) {
      digits[i] = static_cast<char>('0' + (value & 7));
    }
    return Set(field, digits);
  }
  RawHeader& Gnu() { return Set(kMagic, "ustar ").Set(kVersion, std::string_view(" \0", 2)); }

  std::string Block() const {
    RawHeader sealed = *this;
    sealed.Octal({kChecksum.offset, 7}, Checksum(AsBytes(block_)));
    sealed.block_[kChecksum.offset + 7] = ' ';
    return sealed.block_;
  }

 private:
  std::string block_;
};

inline std::string Padded(std::string data) {
  data.resize(data.size() + Padding(data.size()));
  return data;
}
inline std::string Record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + std::to_string(rest).size();
  length = rest + std::to_string(length).size();
  return std::to_string(length) + " " + std::string(key) + "=" + std::string(value) + "\n";
}
inline std::string Extended(char type, const std::string& payload) {
  return RawHeader(type, "extended", payload.size()).Block() + Padded(payload);
}
inline std::string File(std::string_view name, const std::string& data, char type = '0') {
  return RawHeader(type, name, data.size()).Block() + Padded(data);
}
inline const std::string kEnd(kTrailerBytes, '\0');

}  // namespace wclayer::tar
