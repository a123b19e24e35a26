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
  // Memory of its own that the next bytes may be put into, at least one, until the next call;
  // Filled says how many came, in place of a Write. Empty: there is none now, Write takes them.
  virtual Expected<MutableBytes> Room() { return MutableBytes(); }
  virtual Status Filled(std::size_t) { return Error(Errc::kInternal, "there was no room"); }
  virtual Status Finish() = 0;  // no more bytes; flushes; passes Finish on to the next stage
};

// A sink that can leave part of its work for later. Until Defer, Write does everything
// itself. Afterwards the bytes given to Write live until a RunSealed that follows the next Seal has
// come back, or the sink is gone.
class DeferringSink : public ByteSink {
 public:
  virtual Status Defer() = 0;      // before there is a second thread
  virtual Status Seal() = 0;       // what Write put off so far may be done; by who writes
  virtual Status RunSealed() = 0;  // does it; by any thread, beside Write and Seal
};

}  // namespace wclayer::io
