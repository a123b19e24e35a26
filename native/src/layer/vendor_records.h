// The vendor records of a layer tar (spec layer-formats §c.4) and those of ours that carry what the
// reference's tars cannot (store §3), each only there when needed.
#pragma once

#include <string_view>

namespace wclayer::layer {

inline constexpr std::string_view kRecordAttributes = "MSWINDOWS.fileattr";
inline constexpr std::string_view kRecordRawSecurity = "MSWINDOWS.rawsd";
inline constexpr std::string_view kRecordSddl = "MSWINDOWS.sd";
inline constexpr std::string_view kRecordMountPoint = "MSWINDOWS.mountpoint";
inline constexpr std::string_view kRecordEaPrefix = "MSWINDOWS.xattr.";
inline constexpr std::string_view kRecordCreationTime = "LIBARCHIVE.creationtime";
// FILETIMEs as decimal numbers, of docker 1.11 alone.
inline constexpr std::string_view kRecordOldAccessTime = "MSWINDOWS.accesstime";
inline constexpr std::string_view kRecordOldChangeTime = "MSWINDOWS.changetime";
inline constexpr std::string_view kRecordOldCreationTime = "MSWINDOWS.createtime";
inline constexpr std::string_view kRecordOldWriteTime = "MSWINDOWS.writetime";

// Values in base64.
inline constexpr std::string_view kRecordObjectId = "WCLAYER.objectid";    // the stream's 64 bytes
inline constexpr std::string_view kRecordReparse = "WCLAYER.reparse";      // the whole buffer
inline constexpr std::string_view kRecordShortName = "WCLAYER.shortname";  // UTF-16LE
// For each attribute with flags: a byte of flags, a byte with the length of its name, its name.
inline constexpr std::string_view kRecordEaFlags = "WCLAYER.eaflags";
// The whole list, when a name of it cannot be the key of a record or comes twice.
inline constexpr std::string_view kRecordEas = "WCLAYER.eas";
// Followed by the number of a stream that has no record of its own (property, TxF data).
inline constexpr std::string_view kRecordStreamPrefix = "WCLAYER.stream.";

}  // namespace wclayer::layer
