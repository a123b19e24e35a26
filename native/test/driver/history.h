// What several callers did to layers at once, and whether some order of these calls, one after the
// other, explains every answer (linearisability). Layers are independent here, so each is checked
// on its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"

namespace wclayer::test {

enum class Member : std::uint8_t {
  kCreate,
  kCreateReadWrite,
  kApply,
  kDiff,
  kExists,
  kGet,
  kPut,
  kRemove
};

struct Event {
  Member member = Member::kExists;
  std::uint8_t layer = 0;
  std::uint8_t caller = 0;
  bool ok = false;  // of kExists: the answer
  Errc error = Errc::kInternal;
  std::int32_t content = -1;  // of kApply: what was applied; of kDiff: what was read
  std::uint64_t begin = 0;    // both from one counter
  std::uint64_t end = 0;
};

// One layer, as one caller alone would find it.
struct LayerModel {
  enum class Kind : std::uint8_t { kAbsent, kCreated, kFilled, kWritable } kind = Kind::kAbsent;
  std::int32_t content = -1;
  std::int32_t references = 0;

  auto operator<=>(const LayerModel&) const = default;

  // Whether `event` can happen now; then it has. `alone`: no other call ran beside it.
  bool Take(const Event& event, bool alone) {
    if (!event.ok && event.error == Errc::kLayerBusy)
      return event.member == Member::kRemove ? references > 0 || !alone : !alone;
    switch (event.member) {
      case Member::kCreate:
        return Make(event, Kind::kCreated);
      case Member::kCreateReadWrite:
        return Make(event, Kind::kWritable);
      case Member::kApply:
        if (!event.ok) return Is(event, Errc::kLayerExists) && kind >= Kind::kFilled;
        if (kind >= Kind::kFilled) return false;
        kind = Kind::kFilled;
        content = event.content;
        return true;
      case Member::kDiff:
        if (event.ok)
          return (kind == Kind::kFilled || kind == Kind::kCreated) && content == event.content;
        return Missing(event);
      case Member::kExists:
        return event.ok == (kind != Kind::kAbsent);
      case Member::kGet:
        if (!event.ok) return Missing(event);
        ++references;
        return kind == Kind::kWritable;
      case Member::kPut:
        --references;
        return event.ok && references >= 0;
      case Member::kRemove:
        if (!event.ok) return Missing(event);
        if (kind == Kind::kAbsent || references != 0) return false;
        *this = LayerModel();
        return true;
    }
    return false;
  }

 private:
  static bool Is(const Event& event, Errc code) { return !event.ok && event.error == code; }
  bool Missing(const Event& event) const {
    return kind == Kind::kAbsent && Is(event, Errc::kLayerNotFound);
  }
  bool Make(const Event& event, Kind what) {
    if (!event.ok) return kind != Kind::kAbsent && Is(event, Errc::kLayerExists);
    if (kind != Kind::kAbsent) return false;
    kind = what;
    return true;
  }
};

// Looks for an order of `events`, all of one layer, in which each call takes its turn between its
// begin and its end. `last`: what must be there in the end.
class Linearization {
 public:
  explicit Linearization(std::vector<Event> events) : events_(std::move(events)) {
    std::sort(events_.begin(), events_.end(),
              [](const Event& a, const Event& b) { return a.begin < b.begin; });
    taken_.assign(events_.size(), '0');
  }

  bool Exists(LayerModel::Kind last) {
    last_ = last;
    return Search(LayerModel(), 0);
  }
  // How far the search got: what to look at when there is no order.
  std::size_t longest() const { return longest_; }
  const std::vector<Event>& events() const { return events_; }

 private:
  bool Search(const LayerModel& state, std::size_t count) {
    longest_ = std::max(longest_, count);
    if (count == events_.size()) return state.kind == last_ && state.references == 0;
    if (!seen_.insert({taken_, state}).second) return false;
    std::uint64_t first_end = UINT64_MAX;
    for (std::size_t i = 0; i < events_.size(); ++i)
      if (taken_[i] == '0') first_end = std::min(first_end, events_[i].end);
    for (std::size_t i = 0; i < events_.size() && events_[i].begin < first_end; ++i) {
      if (taken_[i] != '0') continue;
      LayerModel next = state;
      if (!next.Take(events_[i], Alone(events_[i]))) continue;
      taken_[i] = '1';
      if (Search(next, count + 1)) return true;
      taken_[i] = '0';
    }
    return false;
  }
  bool Alone(const Event& event) const {
    return std::none_of(events_.begin(), events_.end(), [&](const Event& other) {
      return other.caller != event.caller && other.begin < event.end && event.begin < other.end;
    });
  }

  std::vector<Event> events_;
  std::string taken_;
  std::set<std::pair<std::string, LayerModel>> seen_;
  LayerModel::Kind last_ = LayerModel::Kind::kAbsent;
  std::size_t longest_ = 0;
};

}  // namespace wclayer::test
