#include "jni/records.h"

#include <algorithm>

#include "base/utf16.h"

namespace wclayer::jni {

RecordWriter& RecordWriter::Number(std::int64_t value) {
  AppendLe(bytes_, value);
  return *this;
}

RecordWriter& RecordWriter::Text(std::string_view text) {
  auto wide = ToUtf16(text);
  if (!wide) {
    wide = std::u16string();
    for (const char c : text) wide->push_back(static_cast<char16_t>(static_cast<unsigned char>(c)));
  }
  Count(wide->size());
  const auto* units = reinterpret_cast<const std::byte*>(wide->data());
  bytes_.insert(bytes_.end(), units, units + wide->size() * sizeof(char16_t));
  return *this;
}

RecordWriter& RecordWriter::Blob(Bytes bytes) {
  Count(bytes.size());
  Append(bytes_, bytes);
  return *this;
}

RecordWriter& RecordWriter::Count(std::size_t count) {
  AppendLe(bytes_, static_cast<std::uint32_t>(count));
  return *this;
}

Expected<std::size_t> RecordCursor::Read(MutableBytes buffer) {
  std::size_t used = 0;
  for (;;) {
    if (!pending_) {
      record_.Clear();
      WCLAYER_ASSIGN(pending_, next_(record_));
      if (!pending_) return used;
    }
    const std::size_t size = record_.bytes().size() + sizeof(std::uint32_t);
    if (size > buffer.size() - used) {
      if (used != 0) return used;
      return Error(Errc::kLimitExceeded, "a record of " + std::to_string(size) +
                                             " bytes does not fit the buffer of " +
                                             std::to_string(buffer.size()));
    }
    StoreLe(buffer.data() + used, static_cast<std::uint32_t>(record_.bytes().size()));
    std::copy(record_.bytes().begin(), record_.bytes().end(),
              buffer.begin() + static_cast<std::ptrdiff_t>(used + sizeof(std::uint32_t)));
    used += size;
    pending_ = false;
  }
}

namespace {

template <class T>
std::unique_ptr<RecordCursor> OfList(std::vector<T> items, void (*write)(RecordWriter&, const T&)) {
  return std::make_unique<RecordCursor>([items = std::move(items), write, at = std::size_t{0}](
                                            RecordWriter& record) mutable -> Expected<bool> {
    if (at == items.size()) return false;
    write(record, items[at++]);
    return true;
  });
}

template <class T>
std::unique_ptr<RecordCursor> OfCursor(std::unique_ptr<Cursor<T>> cursor,
                                       void (*write)(RecordWriter&, const T&)) {
  // std::function copies: shared ownership of the one cursor.
  return std::make_unique<RecordCursor>([cursor = std::shared_ptr<Cursor<T>>(std::move(cursor)),
                                         write](RecordWriter& record) -> Expected<bool> {
    T item;
    WCLAYER_ASSIGN(const bool more, cursor->Next(item));
    if (more) write(record, item);
    return more;
  });
}

void WritePair(RecordWriter& record, const Pair& pair) {
  record.Text(pair.key).Text(pair.value);
}

void WriteLayer(RecordWriter& record, const LayerSummary& layer) {
  record.Text(layer.id)
      .Text(layer.parent)
      .Text(layer.kind)
      .Text(layer.state)
      .Text(layer.diff_id)
      .Number(layer.size_bytes);
}

void WriteChange(RecordWriter& record, const Change& change) {
  record.Number(change.kind).Text(change.path);
}

void WriteEntry(RecordWriter& record, const EntryInfo& entry) {
  record.Number(entry.kind)
      .Text(entry.path)
      .Number(static_cast<std::int64_t>(entry.size_bytes))
      .Number(entry.attributes)
      .Number(entry.write_time)
      .Text(entry.target);
}

void WriteDetails(RecordWriter& record, const EntryDetails& details) {
  WriteEntry(record, details.info);
  for (const std::int64_t time : details.times) record.Number(time);
  record.Number(details.time_absent);
  for (const std::uint8_t rest : details.time_remainder) record.Number(rest);
  record.Text(details.sddl)
      .Blob(details.security)
      .Number(details.reparse_tag)
      .Blob(details.reparse);
  record.Count(details.eas.size());
  for (const auto& [name, value] : details.eas) record.Text(name).Blob(value);
  record.Count(details.streams.size());
  for (const auto& [name, size] : details.streams)
    record.Text(name).Number(static_cast<std::int64_t>(size));
  record.Blob(details.object_id).Number(details.sparse ? 1 : 0).Text(details.short_name);
}

void WriteProblem(RecordWriter& record, const Problem& problem) {
  record.Text(problem.id).Text(problem.path).Text(problem.problem);
}

void WriteGarbage(RecordWriter& record, const Garbage& garbage) {
  record.Text(garbage.id).Text(garbage.reason);
}

void WriteImage(RecordWriter& record, const CustomImage& image) {
  record.Text(image.id)
      .Text(image.name)
      .Text(image.version)
      .Text(image.path)
      .Number(image.size_bytes);
  record.Text(image.created_time).Text(image.os_version).Count(image.os_features.size());
  for (const std::string& feature : image.os_features) record.Text(feature);
}

void WriteText(RecordWriter& record, const std::string& text) {
  record.Text(text);
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

Expected<std::unique_ptr<RecordCursor>> Ask(Driver& driver, int kind, const std::string& a,
                                            const std::optional<std::string>& b) {
  switch (static_cast<Query>(kind)) {
    case Query::kStatus: {
      WCLAYER_ASSIGN(auto pairs, driver.Status());
      return OfList(std::move(pairs), WritePair);
    }
    case Query::kMetadata: {
      WCLAYER_ASSIGN(auto pairs, driver.GetMetadata(a));
      return OfList(std::move(pairs), WritePair);
    }
    case Query::kList: {
      WCLAYER_ASSIGN(auto layers, driver.List());
      return OfList(std::move(layers), WriteLayer);
    }
    case Query::kChanges: {
      WCLAYER_ASSIGN(auto changes, driver.Changes(a, b));
      return OfCursor(std::move(changes), WriteChange);
    }
    case Query::kEntries: {
      WCLAYER_ASSIGN(auto entries, driver.Entries(a, b.value_or("")));
      return OfCursor(std::move(entries), WriteEntry);
    }
    case Query::kStat: {
      WCLAYER_ASSIGN(auto details, driver.Stat(a, b.value_or("")));
      std::vector<EntryDetails> one;
      one.push_back(std::move(details));
      return OfList(std::move(one), WriteDetails);
    }
    case Query::kVerify: {
      const auto depth = b == "quick" ? VerifyDepth::kQuick : VerifyDepth::kFull;
      WCLAYER_ASSIGN(auto problems, driver.Verify(Lines(a), depth));
      return OfList(std::move(problems), WriteProblem);
    }
    case Query::kLint: {
      WCLAYER_ASSIGN(auto problems, driver.Lint(a));
      return OfList(std::move(problems), WriteProblem);
    }
    case Query::kImages: {
      WCLAYER_ASSIGN(auto images, driver.GetCustomImageInfos());
      return OfList(std::move(images), WriteImage);
    }
    case Query::kCleanup: {
      WCLAYER_ASSIGN(auto lines, driver.Cleanup());
      return OfList(std::move(lines), WriteText);
    }
    case Query::kGc: {
      WCLAYER_ASSIGN(auto garbage, driver.Gc({.roots = Lines(a), .dry_run = b == "dry-run"}));
      return OfList(std::move(garbage), WriteGarbage);
    }
  }
  return Error(Errc::kInvalidArgument, "unknown query " + std::to_string(kind));
}

}  // namespace wclayer::jni
