#include "tar/writer.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <vector>

#include "tar/header_block.h"
#include "tar/limits.h"
#include "tar/pax.h"

namespace wclayer::tar {
namespace {

constexpr std::int32_t kHalfSecond = 500'000'000;

std::string OnlyAscii(std::string_view text) {
  std::string kept;
  std::copy_if(text.begin(), text.end(), std::back_inserter(kept), IsAsciiCharacter);
  return kept;
}

bool FitsInOctal(Field field, std::int64_t value) {
  return value >= 0 && value < std::int64_t{1} << (field.size - 1) * 3;
}

struct SplitName {
  std::string_view prefix;
  std::string_view name;
};

// Where ustar would split a name of more than 100 bytes, if it can hold it at all.
std::optional<SplitName> SplitForUstar(std::string_view name) {
  std::size_t length = name.size();
  if (length <= kName.size || !IsAscii(name)) return std::nullopt;
  if (length > kPrefix.size + 1) {
    length = kPrefix.size + 1;
  } else if (name[length - 1] == '/') {
    --length;
  }
  const std::size_t slash = name.substr(0, length).rfind('/');
  if (slash == std::string_view::npos || slash == 0 || slash > kPrefix.size) return std::nullopt;
  const std::string_view rest = name.substr(slash + 1);
  if (rest.empty() || rest.size() > kName.size) return std::nullopt;
  return SplitName{name.substr(0, slash), rest};
}

// A lexically clean path: no empty or '.' elements, '..' resolved.
std::string CleanPath(std::string_view path) {
  const bool rooted = path.starts_with('/');
  std::string clean(rooted ? "/" : "");
  std::size_t floor = clean.size();  // what '..' cannot remove
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view element = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (element.empty() || element == ".") continue;
    if (element == ".." && clean.size() > floor) {
      const std::size_t cut = clean.rfind('/');
      clean.resize(cut == std::string::npos ? floor : std::max(cut, floor));
      continue;
    }
    if (element == ".." && rooted) continue;
    if (!clean.empty() && clean.back() != '/') clean += '/';
    clean += element;
    if (element == "..") floor = clean.size();
  }
  return clean.empty() ? "." : clean;
}

// "<dir>/PaxHeaders.0/<base>", cut to what the field holds.
std::string ExtendedHeaderName(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::size_t base = slash == std::string_view::npos ? 0 : slash + 1;
  std::string joined(name.substr(0, base));
  joined.append("PaxHeaders.0/").append(name.substr(base));
  std::string text = OnlyAscii(CleanPath(joined));
  if (text.size() > kName.size) text.resize(kName.size);
  while (text.ends_with('/')) text.pop_back();
  return text;
}

// ---- header blocks

class BlockWriter {
 public:
  explicit BlockWriter(Buffer& out) : out_(out), start_(out.size()) { out.resize(start_ + kBlock); }

  void Text(Field field, std::string_view text) {
    const std::size_t size = std::min(field.size, text.size());
    char* at = Position(field.offset);
    std::copy_n(text.data(), size, at);
    if (text.size() <= field.size || at[size - 1] != '/') return;
    // Some readers take a file whose cut name ends in '/' for a directory, whatever the record
    // says.
    std::size_t end = size;
    while (end > 0 && at[end - 1] == '/') --end;
    at[end] = '\0';  // one NUL, as Go does
  }

  // Leading zeros and a NUL; zero for what does not fit (a record has the value then).
  void Octal(Field field, std::int64_t value) {
    auto digits = static_cast<std::uint64_t>(FitsInOctal(field, value) ? value : 0);
    char* at = Position(field.offset);
    for (std::size_t i = field.size - 1; i-- > 0; digits >>= 3) {
      at[i] = static_cast<char>('0' + (digits & 7));
    }
  }

  void Type(char type) { *Position(kType) = type; }

  void Finish() {
    Text(kMagic, std::string_view("ustar\0", 6));
    Text(kVersion, "00");
    const std::uint32_t sum = Checksum(Bytes(out_).subspan(start_, kBlock));
    Octal({kChecksum.offset, kChecksum.size - 1}, sum);
    *Position(kChecksum.offset + kChecksum.size - 1) = ' ';
  }

 private:
  char* Position(std::size_t offset) {
    return reinterpret_cast<char*>(out_.data()) + start_ + offset;
  }

  Buffer& out_;
  std::size_t start_;
};

void AppendRecord(Buffer& out, const PaxRecord& record) {
  // The length counts its own digits: adding them may add one more.
  const std::size_t rest = record.key.size() + record.value.size() + 3;  // ' ', '=' and '\n'
  std::size_t length = rest + std::to_string(rest).size();
  length = rest + std::to_string(length).size();
  Append(out, AsBytes(std::to_string(length)));
  Append(out, AsBytes(" "));
  Append(out, AsBytes(record.key));
  Append(out, AsBytes("="));
  Append(out, AsBytes(record.value));
  Append(out, AsBytes("\n"));
}

void AppendExtended(Buffer& out, std::string_view name, const std::vector<PaxRecord>& records) {
  Buffer payload;
  for (const PaxRecord& record : records) AppendRecord(payload, record);
  BlockWriter block(out);
  block.Text(kName, ExtendedHeaderName(name));
  block.Octal(kMode, 0);
  block.Octal(kUid, 0);
  block.Octal(kGid, 0);
  block.Octal(kSize, static_cast<std::int64_t>(payload.size()));
  block.Octal(kMtime, 0);
  block.Type('x');
  block.Finish();
  Append(out, payload);
  out.resize(out.size() + Padding(payload.size()));
}

void AppendMain(Buffer& out, const Header& header, const std::optional<SplitName>& split,
                bool ascii_only) {
  BlockWriter block(out);
  const auto text = [&](Field field, std::string_view value) {
    if (ascii_only && !IsAscii(value)) {
      block.Text(field, OnlyAscii(value));
    } else {
      block.Text(field, value);
    }
  };
  text(kName, split ? split->name : header.name);
  text(kLinkName, header.link_name);
  if (split) text(kPrefix, split->prefix);
  block.Octal(kMode, header.mode);
  block.Octal(kUid, 0);
  block.Octal(kGid, 0);
  block.Octal(kSize, static_cast<std::int64_t>(header.size));
  block.Octal(kMtime, header.mtime.seconds);
  block.Octal(kDevMajor, 0);
  block.Octal(kDevMinor, 0);
  block.Type(header.type);
  block.Finish();
}

// ---- what the header needs

// The values of the fields as records have them, and which of them need a record.
class Plan {
 public:
  explicit Plan(const Header& header) : header_(header) {
    Name("path", header.name, kName, SplitForUstar(header.name).has_value());
    Name("linkpath", header.link_name, kLinkName, false);
    size_ = std::to_string(header.size);
    const bool size_fits = FitsInOctal(kSize, static_cast<std::int64_t>(header.size));
    Basic("size", size_, !size_fits);
    Mtime();
    Time("atime", header.atime, atime_);
    Time("ctime", header.ctime, ctime_);
    if (!header.pax.empty()) ustar_ = false;  // even when none of them is written: as Go does
    Vendor();
    std::sort(records_.begin(), records_.end(),
              [](const PaxRecord& a, const PaxRecord& b) { return a.key < b.key; });
  }

  bool ustar() const { return ustar_; }
  const std::vector<PaxRecord>& records() const { return records_; }

 private:
  void Name(std::string_view key, std::string_view value, Field field, bool can_split) {
    const bool needs = value.size() > field.size || !IsAscii(value);
    if (needs && !can_split) ustar_ = false;
    Add(key, value, needs);
  }

  void Basic(std::string_view key, std::string_view value, bool needs) {
    if (needs) ustar_ = false;
    Add(key, value, needs);
  }

  void Mtime() {
    mtime_ = FormatTime(header_.mtime);
    Basic("mtime", mtime_, header_.mtime.nanos != 0 || !FitsInOctal(kMtime, header_.mtime.seconds));
  }

  void Time(std::string_view key, const std::optional<UnixTime>& time, std::string& text) {
    if (!time) return;
    text = FormatTime(*time);
    Basic(key, text, true);
  }

  // A record that the caller gives for a field is written when it says the same as the field.
  void Add(std::string_view key, std::string_view value, bool needs) {
    for (const auto& [given, text] : header_.pax) needs = needs || (given == key && text == value);
    if (needs) records_.push_back({key, value});
  }

  void Vendor() {
    for (const auto& [key, value] : header_.pax) {
      if (!IsBasicKey(key) && !std::string_view(key).starts_with(kSparseKeyPrefix)) {
        records_.push_back({key, value});
      }
    }
  }

  const Header& header_;
  bool ustar_ = true;
  std::string size_;
  std::string mtime_;
  std::string atime_;
  std::string ctime_;
  std::vector<PaxRecord> records_;  // views into the strings above and the header
};

Status Invalid(const Header& header, std::string what) {
  return Error(Errc::kInvalidArgument, "tar header: " + std::move(what)).At(header.name);
}

Status CheckFields(const Header& header) {
  if (header.name.find('\0') != std::string::npos) return Invalid(header, "NUL in the name");
  if (header.link_name.find('\0') != std::string::npos)
    return Invalid(header, "NUL in the link name");
  if (header.type == 'x' || header.type == 'g' || header.type == 'L' || header.type == 'K') {
    return Invalid(header, std::string("type '") + header.type + "' is no entry");
  }
  const bool is_plain = header.type == '0' || header.type == '3' || header.type == '4' ||
                        header.type == '6' || header.type == 'S';
  if (is_plain && header.name.ends_with('/')) {
    return Invalid(header, "the name of a file ends with '/'");
  }
  if (!FitsInOctal(kMode, header.mode)) {
    return Invalid(header, "mode " + std::to_string(header.mode) + " has more than 21 bits");
  }
  if (header.size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return Invalid(header, "size " + std::to_string(header.size) + " has 64 bits");
  }
  return {};
}

Status CheckRecords(const Header& header, const std::vector<PaxRecord>& records) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!IsValidRecord(records[i].key, records[i].value)) {
      return Invalid(header,
                     "PAX record '" + std::string(records[i].key) +
                         "': the key is empty or has '=' or NUL, or the value is a name with NUL");
    }
    if (i != 0 && records[i - 1].key == records[i].key) {
      return Invalid(header, "PAX record '" + std::string(records[i].key) + "' is there twice");
    }
  }
  return {};
}

// Go's default format keeps whole seconds (half a second counts up) and no other times.
Header WithRoundedTimes(Header header) {
  if (header.mtime.nanos >= kHalfSecond &&
      header.mtime.seconds != std::numeric_limits<std::int64_t>::max()) {
    ++header.mtime.seconds;
  }
  header.mtime.nanos = 0;
  header.atime.reset();
  header.ctime.reset();
  return header;
}

}  // namespace

Status AppendHeader(Buffer& out, const Header& header) {
  const bool has_times = header.mtime.nanos != 0 || header.atime || header.ctime;
  if (header.format == Format::kAuto && has_times) {
    return AppendHeader(out, WithRoundedTimes(header));
  }
  WCLAYER_TRY(CheckFields(header));
  const Plan plan(header);
  WCLAYER_TRY(CheckRecords(header, plan.records()));
  if (plan.ustar()) {
    AppendMain(out, header, SplitForUstar(header.name), false);
    return {};
  }
  if (!plan.records().empty()) AppendExtended(out, header.name, plan.records());
  AppendMain(out, header, std::nullopt, true);
  return {};
}

}  // namespace wclayer::tar
