// Is what is stored what was stored?
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/expected.h"
#include "portable/home.h"

namespace wclayer::portable {

// `path` inside the layer, "" for the layer as a whole.
using ReportProblem = std::function<void(std::string_view path, std::string_view problem)>;

// Checks the metadata file, that every entry has its file, folder or link on disk, files in their
// full size, and that nothing else is there; with `payloads` also every payload and stored stream
// against its checksum. Problems are reported, not returned: an error means that the check itself
// could not be done.
Status VerifyLayer(const Home& home, const std::string& id, bool payloads,
                   const ReportProblem& report);

// Whether the metadata file of a committed layer can be opened; a cheap look for list and Exists.
Expected<bool> LooksDamaged(const Home& home, const std::string& id);

}  // namespace wclayer::portable
