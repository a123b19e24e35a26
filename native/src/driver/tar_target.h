// What the plain tar of an ApplyDiff is unpacked into.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "driver/store_home.h"
#include "io/helper.h"
#include "io/sink.h"

namespace wclayer {

// Puts nothing off unless it says so.
class TarTarget : public io::DeferringSink {
 public:
  wclayer::Status Defer() override { return {}; }
  wclayer::Status Seal() override { return {}; }
  wclayer::Status RunSealed() override { return {}; }
  // What is sealed may be done by the helper from now on, at the latest until Commit.
  virtual void GetHelp(io::Helper&) {}
  virtual std::uint64_t entries() const = 0;
  virtual std::int64_t size_bytes() const = 0;
  virtual std::vector<std::string> warnings() const { return {}; }
  // After Finish: makes the layer visible. `record` is complete.
  virtual wclayer::Status Commit(const Record& record) = 0;
};

}  // namespace wclayer
