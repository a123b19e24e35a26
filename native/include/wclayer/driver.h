// The C++ API of the core: one driver for Windows container layers over a table of vmcompute
// functions. Texts are (W)UTF-8. Ids: store §1. Paths inside a layer: as in its tar
// ("Files/Windows/a.dll"). Every object may be used by several threads at once unless it says
// otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/expected.h"
#include "base/limits.h"
#include "vmcompute/abi.h"
#include "vmcompute/backends.h"

namespace wclayer {

enum class Flavour : std::int32_t { kDiff = 0, kFilter = 1 };  // windowsdiff, windowsfilter
enum class ArchiveFormat : std::int32_t { kOci = 0, kTransport = 1 };
enum class CompressionKind : std::int32_t { kNone = 0, kGzip = 1, kZstd = 2 };
enum class LayerNames : std::int32_t { kHomeAndId = 0, kWholePaths = 1 };
enum class DurabilityLevel : std::uint32_t { kNone = 0, kData = 1, kFull = 2 };

struct DriverOptions {
  std::string home;  // absolute; made (0700) if absent
  Flavour flavour = Flavour::kFilter;
  std::uint64_t scratch_size_bytes = 0;  // default size of writable layers, 0: the backend's own
  std::chrono::milliseconds lock_wait{10'000};
  DurabilityLevel durability = DurabilityLevel::kFull;
  bool force_checkout = false;
  bool force_legacy_mount = false;
  bool strict_tar = false;
  std::uint32_t max_zstd_window_log = kMaxZstdWindowLog;
  // Of calls of vmcompute.dll; the portable store is called straight.
  vmcompute::Api api = vmcompute::Api::kVmcompute;
  LayerNames layer_names = LayerNames::kWholePaths;
  std::chrono::milliseconds call_timeout{600'000};
  std::chrono::milliseconds busy_wait{5'000};
  std::uint32_t call_limit = 4;
};

// The options of InitFilter/InitDiff by name: size, lockWait (ms), durability (full|data|none),
// mount (auto|overlay-legacy|checkout), strict (true|false), zstdWindowLog, and for vmcompute.dll
// api (vmcompute|computestorage), layerNames (path|home), callTimeout (ms), callLimit, busyWait
// (ms). Unknown: an error that lists them.
Status SetOption(DriverOptions& options, std::string_view key, std::string_view value);
// "20GB", "127g", "1048576": binary multiples (driver-semantics §3).
Expected<std::uint64_t> ParseSize(std::string_view text);

struct Pair {
  std::string key;
  std::string value;
};

struct Change {
  char kind = 'C';   // 'A', 'C', 'D'
  std::string path;  // as in the tar
};

struct CustomImage {
  std::string id;  // 64 hex digits
  std::string name;
  std::string version;
  std::string path;
  std::int64_t size_bytes = 0;
  std::string created_time;  // RFC 3339
  std::string os_version;
  std::vector<std::string> os_features;
};

struct LayerSummary {
  std::string id;
  std::string parent;  // "" for none
  std::string kind;    // base | layer | writable
  std::int64_t size_bytes = 0;
  std::string state;    // created | committed | mounted | damaged
  std::string diff_id;  // "" if unknown
};

struct Problem {
  std::string id;
  std::string path;  // "" for the layer as a whole
  std::string problem;
};

// Quick: records, metadata, chains, sizes, what is left over, without reading payloads.
enum class VerifyDepth : std::int32_t { kQuick = 0, kFull = 1 };

struct Garbage {
  std::string id;  // a layer, or the name of what was left over
  std::string reason;
};

struct GcOptions {
  // None: layers with content stay, whoever needs them. Else every layer goes that is neither one
  // of these, nor an ancestor of one, nor mounted or an ancestor of what is mounted.
  std::vector<std::string> roots;
  bool dry_run = false;  // tells what would go
};

// One entry of a layer, for ls.
struct EntryInfo {
  std::string path;
  char kind = 'f';  // f file, d folder, l symbolic link, j junction, r other reparse point, h hard
                    // link, w whiteout
  std::uint64_t size_bytes = 0;
  std::uint32_t attributes = 0;
  std::int64_t write_time = 0;  // FILETIME
  std::string target;           // of links
};

// Everything of one entry, for stat.
struct EntryDetails {
  EntryInfo info;
  std::int64_t times[4] = {};           // FILETIME: creation, access, write, change
  std::uint8_t time_absent = 0;         // bits in the same order
  std::uint8_t time_remainder[4] = {};  // ns
  std::string sddl;                     // "" if the entry has no descriptor
  Buffer security;
  std::uint32_t reparse_tag = 0;
  Buffer reparse;
  std::vector<std::pair<std::string, Buffer>> eas;
  std::vector<std::pair<std::string, std::uint64_t>> streams;  // alternate: name, bytes
  Buffer object_id;
  std::string short_name;  // 8.3 name; "" if none is known
  bool sparse = false;
};

struct Progress {
  std::uint64_t bytes = 0;  // tar bytes
  std::uint64_t entries = 0;
};

struct StreamResult {
  std::string diff_id;      // of the plain tar; "" before the end
  std::string blob_digest;  // of what was read or written, compressed or not
  std::uint64_t tar_bytes = 0;
  std::uint64_t blob_bytes = 0;
};

// Something to read natively: a Diff, or one stream of one file. One reader at a time; Cancel from
// anywhere.
class ByteSource {
 public:
  virtual ~ByteSource() = default;  // closing early stops the work and restores the layer's state
  virtual Expected<std::size_t> Read(MutableBytes buffer) = 0;  // 0: the end
  virtual StreamResult Result() const { return {}; }            // complete after the end
  virtual Progress progress() const { return {}; }
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

struct DiffOptions {
  std::optional<std::string> parent;  // absent: the direct parent; "": the whole chain, squashed
  ArchiveFormat format = ArchiveFormat::kOci;
  CompressionKind compression = CompressionKind::kNone;
  int level = 0;         // 0: the profile's default
  int threads = 0;       // compression workers; 0: one per CPU, at most 4
  bool rebuild = false;  // write from metadata although a skeleton is kept
  bool digests = true;   // false: Result has none, and no time is spent on them
};

struct ApplyOptions {
  std::optional<std::string> parent;  // absent: what Create recorded, else none (a base layer)
  std::string expected_diff_id;       // "" : any
  std::string expected_blob_digest;
  // "os.version" of the image, "" if unknown. A newer one than this Windows is kOsVersionMismatch
  // (C18); the portable store takes every one.
  std::string os_version;
  // Asked at least every 50 ms while another call holds the layer; false gives up (kCancelled).
  // With an expected digest that wait has no other end but the other call's.
  std::function<bool()> keep_waiting;
};

struct ApplyResult {
  std::int64_t size_bytes = 0;  // counted as DiffSize does
  std::string diff_id;
  std::string blob_digest;
  std::uint64_t blob_bytes = 0;
  std::uint64_t tar_bytes = 0;
  bool already_there = false;         // S8: nothing was written
  std::vector<std::string> warnings;  // at most 100
};

// Takes a tar (plain, gzip, zstd) and makes the layer. One writer at a time; Cancel from anywhere.
// Destroyed without Finish: everything is undone.
class ApplyStream {
 public:
  virtual ~ApplyStream() = default;
  virtual Status Write(Bytes bytes) = 0;
  // Memory that the next bytes may be put into, valid until the next call; Filled says how many
  // came, in place of a Write that would copy them. Empty: there is none now.
  virtual Expected<MutableBytes> Room() = 0;
  virtual Status Filled(std::size_t bytes) = 0;
  virtual Expected<ApplyResult> Finish() = 0;
  virtual bool already_there() const {
    return false;
  }  // no input is needed; Finish gives the stored result
  virtual Progress progress() const = 0;
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

template <class T>
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual Expected<bool> Next(T& item) = 0;  // false: the end
};

class Driver {
 public:
  // Opens (and makes) the home, recovers what killed processes left. The table outlives the driver.
  static Expected<std::unique_ptr<Driver>> Open(const vmcompute::Chosen& chosen,
                                                DriverOptions options);
  // Over a table that is called straight.
  static Expected<std::unique_ptr<Driver>> Open(const vmcompute::Table& table,
                                                std::string_view backend, DriverOptions options);
  virtual ~Driver() = default;  // drops this process's own mounts that were not Put

  virtual std::string String() const = 0;  // "windowsfilter" | "windowsdiff"
  virtual Expected<std::vector<Pair>> Status() = 0;
  virtual Expected<std::vector<Pair>> GetMetadata(const std::string& id) = 0;
  virtual bool Exists(const std::string& id) = 0;
  virtual wclayer::Status Create(const std::string& id, const std::string& parent,
                                 std::uint64_t size_bytes) = 0;
  virtual wclayer::Status CreateReadWrite(const std::string& id, const std::string& parent,
                                          std::uint64_t size_bytes) = 0;
  // detached: the reference outlives this process (command line).
  virtual Expected<std::string> Get(const std::string& id, bool detached) = 0;
  virtual wclayer::Status Put(const std::string& id) = 0;
  virtual wclayer::Status Remove(const std::string& id, bool force) = 0;
  virtual Expected<std::unique_ptr<ByteSource>> Diff(const std::string& id,
                                                     const DiffOptions& options) = 0;
  virtual Expected<std::unique_ptr<Cursor<Change>>> Changes(
      const std::string& id, const std::optional<std::string>& parent) = 0;
  virtual Expected<std::int64_t> DiffSize(const std::string& id,
                                          const std::optional<std::string>& parent) = 0;
  virtual Expected<std::unique_ptr<ApplyStream>> ApplyDiff(const std::string& id,
                                                           const ApplyOptions& options) = 0;
  // A fresh folder in transport format; ReleaseDiffPath removes it (and Cleanup does after a
  // crash).
  virtual Expected<std::string> DiffPath(const std::string& id) = 0;
  virtual wclayer::Status ReleaseDiffPath(const std::string& path) = 0;
  virtual wclayer::Status DiffPathTo(const std::string& id, const std::string& folder) = 0;
  virtual Expected<std::vector<CustomImage>> GetCustomImageInfos() = 0;
  virtual wclayer::Status AddBaseImage(const std::string& folder) = 0;
  virtual Expected<std::vector<std::string>> Cleanup() = 0;  // what was done, a line each

  // Sorted by id. What was read of a layer is kept for as long as its folders hold the same names.
  virtual Expected<std::vector<LayerSummary>> List() = 0;
  virtual Expected<std::unique_ptr<Cursor<EntryInfo>>> Entries(const std::string& id,
                                                               const std::string& prefix) = 0;
  virtual Expected<EntryDetails> Stat(const std::string& id, const std::string& path) = 0;
  virtual Expected<std::unique_ptr<ByteSource>> OpenFile(const std::string& id,
                                                         const std::string& path,
                                                         const std::string& stream) = 0;
  // Applies a layer's blob again, in its place: id, chain and children stay, a crash leaves the old
  // content or the new. The tar must have the recorded diffID (or the blob the recorded digest);
  // where the record is lost, the expected digest of `options`. kLayerBusy while a descendant is
  // mounted: a mount cannot be given other folders.
  virtual Expected<std::unique_ptr<ApplyStream>> Repair(const std::string& id,
                                                        const ApplyOptions& options) = 0;
  // No ids: all layers, and what is left over in the home. Safe beside other users of the store.
  virtual Expected<std::vector<Problem>> Verify(const std::vector<std::string>& ids,
                                                VerifyDepth depth) = 0;
  // Removes what nothing uses: what killed processes left; created layers that were never filled
  // and never can be, because an ancestor is missing; with roots, every other unused layer. Gives
  // what went (or would go). What is in use, or comes into use meanwhile, stays.
  virtual Expected<std::vector<Garbage>> Gc(const GcOptions& options) = 0;
  virtual Expected<std::vector<Problem>> Lint(const std::string& id) = 0;
};

}  // namespace wclayer
