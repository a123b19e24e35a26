// Which of the two kinds of layer tar something is.
#include "backup/stream.h"
#include "base/limits.h"
#include "layer/transport.h"
#include "tar/reader.h"

namespace wclayer::layer {
namespace {

constexpr std::string_view kVendorPrefix = "MSWINDOWS.";
constexpr std::size_t kAttributeWord = 4;

// Whether a file begins as the stored files of a transport folder do: an attribute word and a
// backup stream with the security descriptor first (spec layer-formats §a.2).
bool BeginsAsStoredFile(Bytes payload) {
  constexpr std::size_t kNeeded = kAttributeWord + backup::kStreamHeaderBytes + 1;
  if (payload.size() < kNeeded) return false;
  const std::byte* at = payload.data() + kAttributeWord;
  return LoadLe<std::uint32_t>(at) == static_cast<std::uint32_t>(backup::StreamId::kSecurity) &&
         LoadLe<std::uint32_t>(at + 4) <= backup::kAttributeContainsSecurity &&
         LoadLe<std::uint64_t>(at + 8) <= kMaxSecurityDescriptorBytes &&
         LoadLe<std::uint32_t>(at + 16) == 0 &&
         payload[kNeeded - 1] == std::byte{1};  // the descriptor's revision
}

class Recogniser final : public tar::Sink {
 public:
  Status OnRaw(Bytes) override { return {}; }
  Status OnEntry(const tar::Entry& entry) override {
    if (kind_ == TarKind::kUnknown) kind_ = TarKind::kOci;
    std::string_view name = entry.name;
    while (name.starts_with("./")) name.remove_prefix(2);
    if (name == "tombstones.txt" || name.ends_with(".$wcidirs$")) return Transport();
    slashes_ = slashes_ || (entry.type == '5' && name.ends_with('/'));
    // Nobody who makes transport tars writes these.
    for (const auto& [key, value] : entry.pax)
      if (key.starts_with(kVendorPrefix)) return SeenEnough();
    first_piece_ = entry.type == '0';
    return {};
  }
  Status OnPayload(Bytes bytes) override {
    const bool looks = first_piece_ && slashes_ && BeginsAsStoredFile(bytes);
    first_piece_ = false;
    return looks ? Transport() : Status();
  }
  Status OnEntryEnd() override { return {}; }
  TarKind kind() const { return kind_; }

 private:
  Status Transport() {
    kind_ = TarKind::kTransport;
    return SeenEnough();
  }
  static Status SeenEnough() { return Error(Errc::kCancelled, "seen enough"); }

  TarKind kind_ = TarKind::kUnknown;
  bool slashes_ = false;  // folders have a trailing slash
  bool first_piece_ = false;
};

}  // namespace

TarKind RecogniseTar(Bytes head) {
  Recogniser recogniser;
  tar::Reader reader(recogniser);
  auto looked = reader.Write(head);
  (void)looked.has_value();  // cut off, or not a tar: whoever reads it properly will say so
  return recogniser.kind();
}

}  // namespace wclayer::layer
