// The metadata file of a layer, believed in nothing: as it comes, and with its checksums made
// right, so that what lies behind them is reached.
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "io/digest.h"
#include "portable/metadata.h"
#include "portable/metadata_file.h"

namespace {

using namespace wclayer;            // NOLINT
using namespace wclayer::portable;  // NOLINT

void Read(Bytes bytes) {
  fs::UniqueFd file(::memfd_create("metadata", MFD_CLOEXEC));
  if (!fs::WriteAt(file.get(), bytes, 0)) std::abort();
  auto reader = MetadataReader::OpenFd(std::move(file), 2);
  if (!reader) return;
  Entry entry;
  const std::uint32_t count = std::min<std::uint32_t>((*reader)->entries(), 100);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto read = (*reader)->Read(i, entry);
    const auto group = (*reader)->GroupOf(i);
    const auto children = (*reader)->Children(i, [](Node&) -> Status { return {}; });
    if (read && group && children && entry.path.find("..") == 0) std::abort();
  }
  const auto found = (*reader)->FindPath("Files/Windows/a");
  const auto whole = (*reader)->CheckAll();
  if (whole && !found) std::abort();  // a file that is whole can be searched
}

// Body and footer from the input; sums and checksums computed.
Buffer Sealed(Bytes input) {
  Buffer file(input.begin(), input.end());
  if (file.size() < kFooterBytes) return file;
  const Buffer footer(file.end() - static_cast<std::ptrdiff_t>(kFooterBytes), file.end());
  file.resize((file.size() - kFooterBytes) / 8 * 8);
  const std::uint64_t body = file.size();
  Buffer sums;
  for (std::uint64_t at = 0; at < body; at += kMetadataBlock)
    AppendLe(sums,
             io::Checksum(Bytes(file).subspan(
                 static_cast<std::size_t>(at),
                 static_cast<std::size_t>(std::min<std::uint64_t>(kMetadataBlock, body - at)))));
  Append(file, sums);
  const std::size_t from = file.size();
  Append(file, footer);
  std::copy(kFooterMagic.begin(), kFooterMagic.end(), reinterpret_cast<char*>(file.data() + from));
  StoreLe(file.data() + from + 8, kMetadataVersion);
  StoreLe(file.data() + file.size() - 24, body);
  StoreLe(file.data() + file.size() - 16, io::Checksum(sums));
  StoreLe(file.data() + file.size() - 8, io::Checksum(Bytes(file).subspan(from, kFooterBytes - 8)));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  Read(input);
  Read(Sealed(input));
  return 0;
}
