// A stage that takes bytes. Stages are chained: source → inflate → digest → parse, or
// generate → digest → deflate → hand over.
#pragma once

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::io {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Status Write(Bytes bytes) = 0;  // takes all of it; the span lives during the call only
  virtual Status Finish() = 0;  // no more bytes; flushes; passes Finish on to the next stage
};

}  // namespace wclayer::io
