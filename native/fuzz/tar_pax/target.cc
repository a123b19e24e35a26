// PAX extended headers and times on arbitrary bytes: what is read can be written and read again.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tar/pax.h"
#include "tar/reader.h"
#include "tar/sparse.h"
#include "tar/writer.h"

namespace wclayer::tar {
namespace {

void Require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class OneEntry : public Sink {
 public:
  Status OnRaw(Bytes) override { return {}; }
  Status OnEntry(const Entry& read) override {
    entry = read;
    return {};
  }
  Status OnPayload(Bytes) override { return {}; }
  Status OnEntryEnd() override { return {}; }
  Entry entry;
};

void CheckTime(std::string_view text) {
  const auto time = ParseTime(text);
  if (!time) return;
  Require(time->nanos >= 0 && time->nanos < 1'000'000'000, "nanoseconds out of range");
  const auto again = ParseTime(FormatTime(*time));
  Require(again.has_value() && *again == *time, "a time changes when it is written");
}

// An entry as the records make it, written by us, must be read as the same entry.
void CheckRoundTrip(const Entry& entry) {
  Header header;
  header.name = entry.name;
  header.link_name = entry.link_name;
  header.size = entry.size;
  header.mtime = entry.mtime;
  header.atime = entry.atime;
  header.ctime = entry.ctime;
  header.pax = entry.pax;
  Buffer out;
  if (!AppendHeader(out, header)) return;  // a file's name with a slash at its end
  OneEntry sink;
  Reader reader(sink);
  if (!reader.Write(out)) return;  // over one of the reader's limits
  Records expected = entry.pax;
  std::erase_if(expected, [](const auto& record) { return IsBasicKey(record.first); });
  Require(sink.entry.name == entry.name && sink.entry.link_name == entry.link_name, "names");
  Require(sink.entry.size == entry.size && sink.entry.mtime == entry.mtime, "size or mtime");
  Require(sink.entry.atime == entry.atime && sink.entry.ctime == entry.ctime, "times");
  Require(sink.entry.pax == expected, "records");
}

}  // namespace
}  // namespace wclayer::tar

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wclayer::tar;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckTime(text);
  PaxHeader header;
  header.text() = text;
  if (!header.Parse()) return 0;
  const auto records = header.records();
  for (std::size_t i = 1; i < records.size(); ++i) {
    Require(records[i - 1].key < records[i].key, "keys are not unique and sorted");
  }
  GlobalRecords globals;
  std::vector<PaxRecord> merged;
  if (globals.Merge(records)) MergeRecords(globals.views(), records, merged);
  Entry entry;
  entry.name = "name";
  SparseRecords sparse;
  if (!ApplyRecords(records, entry, sparse)) return 0;
  SparseMap map;
  if (const auto kind = PaxSparseKind(sparse, header.sparse_pairs());
      kind && *kind == PaxSparse::kInRecords) {
    static_cast<void>(AddRecordRanges(sparse, header.sparse_pairs(), map).has_value());
  }
  CheckRoundTrip(entry);
  return 0;
}
