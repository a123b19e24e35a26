// Security descriptors: binary self-relative form checked, and turned to and from SDDL text.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::backup {

// Every offset, length and count inside the buffer is checked (X6).
Status CheckSecurityDescriptor(Bytes descriptor);
// SDDL with the well-known SIDs as letters ("O:BAG:SYD:(A;;FA;;;BA)…").
Expected<std::string> ToSddl(Bytes descriptor);
// Domain SIDs ("S-1-5-21-…") and the well-known letters; domain-relative letters (DA, DU…) are
// refused.
Expected<Buffer> FromSddl(std::string_view sddl);

// The defaults for what a container's user made (spec §d, the BuildKit forms).
Bytes DefaultDirectoryDescriptor();
Bytes DefaultFileDescriptor();

}  // namespace wclayer::backup
