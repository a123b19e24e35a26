// A table that checks how it is called: the order of calls (spec vmcompute-abi §7), the arguments,
// who frees what. Alone it keeps layers as small folders of its own; over an inner table it checks
// and hands on. It can fail, hang or slow down any of its calls.
//
// There is one at a time, since the functions of a table have no context of their own.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "vmcompute/abi.h"

namespace wclayer::test {

class StrictTable {
 public:
  // inner null: alone. Else a table without extensions, which outlives this.
  explicit StrictTable(const vmcompute::Table* inner = nullptr);
  ~StrictTable();
  StrictTable(const StrictTable&) = delete;
  StrictTable& operator=(const StrictTable&) = delete;

  const vmcompute::Table& table() const { return table_; }

  // ---- What was seen
  std::vector<std::string> Log() const;      // "PrepareLayer box on base"
  std::vector<std::string> Misuses() const;  // what a real one would not take, or not forgive
  int Calls() const;
  std::size_t Unfreed() const;       // strings
  std::size_t OpenContexts() const;  // of streams
  std::vector<std::string> Active() const;
  int MostAtOnce(const std::string& name) const;  // "" : of any calls
  void Forget();                                  // log and counts

  // ---- What is to happen
  // Call number n (from 0, counted since Forget) answers `code` and does nothing; with `all`, every
  // later call of that function too.
  void FailAt(int n, vmcompute::Hresult code, bool all = false);
  // The next calls of this function; beside those of others.
  void FailEach(const std::string& name, vmcompute::Hresult code, int times);
  // Each call fails with a chance of `percent`, with one of a few codes.
  void FailAtRandom(std::uint32_t seed, unsigned percent);
  bool Failed() const;  // something did fail since FailAt
  void FailNothing();
  // Calls of this function do not come back until Release. They have done their work by then
  // (`after`), or do it when they are let go.
  void Hang(const std::string& name, bool after = false);
  void Release();
  // How many calls of this function hang now.
  int Hanging(const std::string& name) const;
  // Runs inside each call, without any lock held.
  void Inside(std::function<void(const std::string& name)> hook);

 private:
  friend class StrictCall;
  friend struct StrictFunctions;
  struct Layer {
    bool writable = false;
    bool active = false;
    bool prepared = false;
    std::vector<std::string> chain;  // paths
  };

  bool Enter(const std::string& name, const std::string& what, vmcompute::Hresult* answer);
  void Leave(const std::string& name);
  void Misuse(const std::string& what);
  std::string PathOf(const vmcompute::DriverInfo* info, vmcompute::Utf16 id);
  std::vector<std::string> ChainOf(const vmcompute::LayerDescriptor* parents, std::uint32_t count);
  char16_t* NewString(const std::u16string& text);

  const vmcompute::Table* inner_;
  vmcompute::Table table_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> log_;
  std::vector<std::string> misuses_;
  std::map<std::string, Layer> layers_;  // by path in lower case
  std::set<void*> strings_;
  std::set<void*> contexts_;
  int calls_ = 0;
  int fail_at_ = -1;
  vmcompute::Hresult fail_with_ = 0;
  bool fail_all_ = false;
  std::string failing_;  // the function that fail_all_ goes on with
  std::map<std::string, std::pair<vmcompute::Hresult, int>> fail_each_;
  std::mt19937 random_;
  unsigned fail_percent_ = 0;
  bool failed_ = false;
  std::string hang_;
  bool hang_after_ = false;
  int hanging_ = 0;
  std::map<std::string, int> at_once_;
  std::map<std::string, int> most_at_once_;
  std::function<void(const std::string&)> inside_;
};

}  // namespace wclayer::test
