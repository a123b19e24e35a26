#include "portable/link_text.h"

namespace wclayer::portable {

// No link of this store is one to Windows: reparse points are empty files and folders on disk, and
// what they are stands in the metadata alone. So nothing that opens a file below a layer, ours or
// another's, is led out of it, and none needs the privilege to make links.
Expected<std::optional<std::string>> LinkText(std::string_view, Bytes) {
  return std::optional<std::string>();
}

}  // namespace wclayer::portable
