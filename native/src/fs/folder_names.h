// Folders of a home by names whose ASCII case does not count, on a disk where it does.
//
// A search through all of them would make each layer dearer than the last. Nearly every id is
// without capitals, so a home holds the file kCapitalsFile once a folder with a capital was, or was
// about to be, there; without it a name can only be spelled as asked or in small letters.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.h"
#include "fs/dir.h"

namespace wclayer::fs {

inline constexpr const char* kCapitalsFile = ".wclayer/capitals";

// The folder of this ASCII name in `home`: as spelled on disk (where that counts), the one spelled
// so if there are several, "" if there is none.
Expected<std::string> FindFolder(const Dir& home, std::string_view name);

// To be called before a folder of this name appears in `home`.
Status NoteCapitals(const Dir& home, std::string_view name);

// For folders that others made: once for a home that is opened. Looks at each of its names.
Status NoteCapitalsOfAll(const Dir& home);

}  // namespace wclayer::fs
