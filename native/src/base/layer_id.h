// Layer ids (store §1).
#pragma once

#include <string>
#include <string_view>

#include "base/expected.h"
#include "base/upcase.h"

namespace wclayer {

// 1–128 characters [A-Za-z0-9][A-Za-z0-9._-]*, not ending in '.' or "-removing", no DOS device
// name.
Status CheckId(std::string_view id);
// The end of the name that a layer's folder gets when its removal begins.
inline constexpr std::string_view kRemoving = "-removing";
// An id, or such a name of one.
Status CheckIdOrRemoval(std::string_view name);
// Ids are compared without case.
bool SameId(std::string_view a, std::string_view b);
// The last component of a path with either separator.
std::string_view LastComponent(std::string_view path);

}  // namespace wclayer
