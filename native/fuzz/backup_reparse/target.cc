// Reparse data of arbitrary bytes: the names lie inside, and a link built for a target has it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "backup/reparse.h"
#include "base/limits.h"

namespace wclayer::backup {
namespace {

void Require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void CheckBuilt(std::u16string_view target, bool mount_point) {
  const Buffer built = BuildReparse(target, mount_point);
  Require(built.size() <= 8 + 65535, "longer than its length field can say");
  if (built.empty() || built.size() > kMaxReparseBytes) return;
  const auto point = ParseReparse(built);
  Require(point && point->target == target, "the target changes");
  Require(point->tag == (mount_point ? kTagMountPoint : kTagSymlink), "the tag changes");
  Require(BuildReparse(point->target, mount_point) == built, "the buffer changes");
}

}  // namespace
}  // namespace wclayer::backup

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wclayer::backup;
  const wclayer::Bytes bytes = std::as_bytes(std::span(data, size));
  const auto point = ParseReparse(bytes);
  if (point) {
    Require(point->tag == ReparseTag(bytes), "two tags");
    const bool mount_point = point->tag == kTagMountPoint;
    const bool link = mount_point || point->tag == kTagSymlink;
    Require(link || (point->target.empty() && point->substitute.empty()), "names of no link");
    if (link) CheckBuilt(point->target, mount_point);
  }
  std::u16string target(size / 2, u'\0');
  std::copy_n(bytes.begin(), target.size() * 2, reinterpret_cast<std::byte*>(target.data()));
  CheckBuilt(target, size % 2 != 0);
  return 0;
}
