// What the other modules ask of the operating system beside files below a folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/expected.h"
#include "fs/dir.h"

namespace wclayer::fs {

// Between the components of an absolute path. Paths below a folder use '/' everywhere.
#if defined(_WIN32)
inline constexpr char kSeparator = '\\';
#else
inline constexpr char kSeparator = '/';
#endif

bool IsAbsolute(std::string_view path);
// One spelling for the many that name a folder, without links and a separator at the end where the
// system can tell. The folder may be missing.
std::string Canonical(const std::string& path);
// What is equal for canonical paths of one folder: on Windows names compare without case.
std::string PathKey(const std::string& canonical);

Status CheckPresent(const std::string& path);  // an absolute one; of whatever kind

// Whether there is nothing of the name that a call was given, nor can be: on the way there is a
// file.
bool IsAbsent(const Error& error);
// Whether a call failed because what it names is not there, or not any more.
bool IsGone(const Error& error);

Status RandomBytes(MutableBytes bytes);  // fit for names that nobody can guess
Expected<std::string> FreshName();       // such a name: 32 hexadecimal digits
std::int64_t FiletimeNow();
std::uint64_t ProcessId();

// An empty file without a name, gone with its handle.
Expected<UniqueFd> UnnamedFile();

}  // namespace wclayer::fs
