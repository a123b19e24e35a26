// How functions of Windows are called that may wait for ever, raise structured exceptions or fail
// when too many run at once: on threads of the gate, a few at a time, with a deadline.
//
// One gate serves all drivers of a process. A call that has not returned when its time is up is
// given up: its caller goes on with kCallTimeout, its place is free again, and its layer is suspect
// (calls on it are refused) until it does return. What the call was given lives until then.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/expected.h"
#include "vmcompute/abi.h"

namespace wclayer::vmcompute {

struct CallRules {
  std::uint32_t limit = 4;  // calls that run at once, of the whole process (L15)
  std::chrono::milliseconds deadline{600'000};  // of a call, and of the wait for its turn (L11)
};

struct GateCall {
  const char* name = "";              // "ActivateLayer"
  std::string layer;                  // absolute path of the layer; "" for a call about none
  std::function<Hresult()> run;       // owns what it uses
  std::function<void(Hresult)> late;  // after a return too late: takes back what was done
  bool alone = false;                 // no other such call runs meanwhile (PrepareLayer)
  bool queues = false;  // takes something back: waits behind a call that has not returned
};

// A call that has not returned.
struct Suspect {
  std::string layer;
  std::string call;
  std::chrono::milliseconds elapsed{};
};

class CallGate {
 public:
  // When a call's time is up in the place of a clock: for tests, which then never depend on how
  // fast a computer is. Asked again and again while the call runs.
  using TimeIsUp = std::function<bool(const GateCall&)>;
  explicit CallGate(TimeIsUp time_is_up = {});
  // Leaves behind what has not returned; nobody waits for it.
  ~CallGate();
  CallGate(const CallGate&) = delete;
  CallGate& operator=(const CallGate&) = delete;

  // The result of call.run. kCallTimeout: it has not returned in time, or an earlier call on this
  // layer has not; `queues` calls are then made when that one returns. kLayerBusy: no turn came in
  // time. kPlatform: it raised a structured exception, whose code is in Error::hresult.
  Expected<Hresult> Run(GateCall call, const CallRules& rules);

  std::vector<Suspect> Suspects() const;

  // Which layers are prepared, and on which parents (absolute paths): none of them may be destroyed
  // (L10).
  void Hold(const std::string& layer, std::vector<std::string> parents);
  void Release(const std::string& layer);
  // A prepared layer that is `layer` itself or has it as a parent; "" if there is none.
  std::string HolderOf(const std::string& layer) const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with threads that have not come back
};

}  // namespace wclayer::vmcompute
