// Registry hives (backup/hive.h) in open files.
#pragma once

#include <string_view>

#include "backup/hive.h"
#include "base/expected.h"

namespace wclayer::portable {

using backup::IsDeltaName;
using backup::IsMinimalHive;
using backup::kDeltaNames;
using backup::kMinimalHiveLimit;
using backup::MinimalHive;
using backup::MustBeHive;

// As backup::CheckHive; `path` is for the message.
Status CheckHiveFile(int file, std::string_view path, bool may_be_empty);

}  // namespace wclayer::portable
