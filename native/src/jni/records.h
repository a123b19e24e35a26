// Structured results on their way to Java: a cursor that writes whole records into a direct buffer,
// so that a list of any length costs one JNI call per batch.
//
// A record, little-endian: u32 bytes that follow, then its fields; number: i64; text: u32 UTF-16
// units, then the units; bytes: u32 count, then the bytes; list: u32 count, then the items.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/expected.h"
#include "wclayer/driver.h"

namespace wclayer::jni {

class RecordWriter {
 public:
  RecordWriter& Number(std::int64_t value);
  RecordWriter& Text(std::string_view text);
  RecordWriter& Blob(Bytes bytes);
  RecordWriter& Count(std::size_t count);
  const Buffer& bytes() const { return bytes_; }
  void Clear() { bytes_.clear(); }

 private:
  Buffer bytes_;
};

class RecordCursor {
 public:
  // `next` writes one record's fields; false: there are no more.
  using Source = std::function<Expected<bool>(RecordWriter&)>;
  explicit RecordCursor(Source next) : next_(std::move(next)) {}
  // Whole records, at least one unless at the end (0). A record larger than the buffer is an error.
  Expected<std::size_t> Read(MutableBytes buffer);

 private:
  Source next_;
  RecordWriter record_;
  bool pending_ = false;
};

// The kinds of Natives.query.
enum class Query : int {
  kStatus = 1,
  kMetadata = 2,
  kList = 3,
  kChanges = 4,
  kEntries = 5,
  kStat = 6,
  kVerify = 7,
  kLint = 8,
  kImages = 9,
  kCleanup = 10,
  kGc = 11,
};

Expected<std::unique_ptr<RecordCursor>> Ask(Driver& driver, int kind, const std::string& a,
                                            const std::optional<std::string>& b);

}  // namespace wclayer::jni
