// Security descriptors: binary self-relative form checked, and turned to and from SDDL text.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::backup {

// Every offset, length and count inside the buffer is checked (X6).
Status CheckSecurityDescriptor(Bytes descriptor);
// SDDL as Windows writes it: well-known SIDs and rights as letters ("O:BAG:SYD:(A;;FA;;;BA)…").
// Every descriptor that passes the check has a text, and FromSddl makes of that text a descriptor
// with the same owner, group, entries and the same P, AR and AI flags of the lists that are
// present. Entries that hold more than SDDL says in six fields (conditions, resource attributes,
// unknown types, padding) are written as the hex of all their bytes, (X:09001800…): a form of ours
// that loses nothing.
Expected<std::string> ToSddl(Bytes descriptor);
// Takes what ToSddl writes, and of Windows' own texts all but conditional and resource-attribute
// entries and domain-relative letters (DA, LA…), which mean another SID on every machine.
Expected<Buffer> FromSddl(std::string_view sddl);

// The defaults for what a container's user made (spec §d, the BuildKit forms).
Bytes DefaultDirectoryDescriptor();
Bytes DefaultFileDescriptor();

}  // namespace wclayer::backup
