// Threads and processes on one home: some order of their calls explains every answer.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "driver/fixture.h"
#include "driver/history.h"

namespace wclayer::test {
namespace {

constexpr unsigned kSeed = 20260101;
constexpr int kReadOnly = 3;  // layers a0, a1, a2 that are filled, and w0, w1 that are written to
constexpr int kLayers = 5;
constexpr std::int32_t kStrange = -3;
constexpr std::size_t kMaxEvents = 20'000;

// Shared by all processes of a test.
struct Log {
  std::atomic<std::uint64_t> clock{1};
  std::atomic<std::size_t> count{0};
  Event events[kMaxEvents];
};

std::string NameOf(int layer) {
  return layer < kReadOnly ? "a" + std::to_string(layer) : "w" + std::to_string(layer - kReadOnly);
}

Buffer TarOf(std::int32_t content) {
  return MakeTar({{"Files", '5', "", ""}, {"Files/c", '0', std::to_string(content), ""}});
}

// One caller with a driver that others of its process may share.
class Caller {
 public:
  Caller(Driver& driver, Log& log, int number)
      : driver_(&driver), log_(&log), number_(number), random_(kSeed + unsigned(number) * 7919) {}

  void Run(int calls) {
    for (int i = 0; i < calls; ++i) {
      const int layer = static_cast<int>(random_() % kLayers);
      layer < kReadOnly ? ReadOnly(layer) : Writable(layer);
    }
  }

 private:
  void ReadOnly(int layer) {
    const std::string id = NameOf(layer);
    switch (random_() % 8) {
      case 0:
        return Note(layer, Member::kCreate, [&](Event&) { return driver_->Create(id, "base", 0); });
      case 1:
      case 2:
      case 3:
        return Note(layer, Member::kApply, [&](Event& event) { return Apply(id, event); });
      case 4:
        return Note(layer, Member::kRemove, [&](Event&) { return driver_->Remove(id, false); });
      case 5:
        return Exists(layer);
      default:
        return Note(layer, Member::kDiff, [&](Event& event) { return Diff(id, event); });
    }
  }

  void Writable(int layer) {
    const std::string id = NameOf(layer);
    switch (random_() % 5) {
      case 0:
      case 1:
        return Note(layer, Member::kCreateReadWrite,
                    [&](Event&) { return driver_->CreateReadWrite(id, "base", 0); });
      case 2:
        return Note(layer, Member::kRemove, [&](Event&) { return driver_->Remove(id, false); });
      case 3:
        return Exists(layer);
      default:
        bool mounted = false;
        Note(layer, Member::kGet, [&](Event&) -> Status {
          const auto path = driver_->Get(id, false);
          if (!path) return path.error();
          mounted = true;
          return {};
        });
        if (mounted) Note(layer, Member::kPut, [&](Event&) { return driver_->Put(id); });
    }
  }

  void Exists(int layer) {
    Note(layer, Member::kExists, [&](Event&) -> Status {
      if (driver_->Exists(NameOf(layer))) return {};
      return Error(Errc::kLayerNotFound, "");
    });
  }

  Status Apply(const std::string& id, Event& event) {
    event.content = number_ * 100'000 + ++applied_;
    ApplyOptions options;
    options.parent = "base";
    WCLAYER_ASSIGN(const auto apply, driver_->ApplyDiff(id, options));
    WCLAYER_TRY(apply->Write(TarOf(event.content)));
    const auto done = apply->Finish();
    if (!done) return done.error();
    return {};
  }

  Status Diff(const std::string& id, Event& event) {
    WCLAYER_ASSIGN(const auto source, driver_->Diff(id, {}));
    Buffer tar;
    Buffer slab(10'000);
    for (;;) {
      WCLAYER_ASSIGN(const std::size_t count, source->Read(slab));
      if (count == 0) break;
      Append(tar, Bytes(slab).first(count));
    }
    if (tar == MakeTar({})) return {};  // of a layer that was never filled
    // Two headers lie before the text.
    if (tar.size() > 1024) event.content = std::atoi(reinterpret_cast<const char*>(&tar[1024]));
    if (tar != TarOf(event.content)) event.content = kStrange;
    return {};
  }

  template <class Call>
  void Note(int layer, Member member, Call&& call) {
    Event event;
    event.member = member;
    event.layer = static_cast<std::uint8_t>(layer);
    event.caller = static_cast<std::uint8_t>(number_);
    event.begin = log_->clock++;
    const Status done = call(event);
    event.end = log_->clock++;
    event.ok = done.has_value();
    if (!done) event.error = done.error().code;
    const std::size_t at = log_->count++;
    if (at < kMaxEvents) log_->events[at] = event;
  }

  Driver* driver_;
  Log* log_;
  int number_;
  std::mt19937 random_;
  std::int32_t applied_ = 0;
};

int Rounds(int otherwise) {
  const char* wanted = std::getenv("WCLAYER_ROUNDS");
  return wanted == nullptr ? otherwise : std::atoi(wanted);
}

class Concurrency : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    log_ = static_cast<Log*>(
        ::mmap(nullptr, sizeof(Log), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(log_, MAP_FAILED);
    Open();
    ASSERT_TRUE(Apply("base", "", BaseTar()));
  }
  void TearDown() override {
    DriverTest::TearDown();
    ::munmap(log_, sizeof(Log));
  }

  static void RunThreads(Driver& driver, Log& log, int first, int threads, int calls) {
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i)
      running.emplace_back([&, i] { Caller(driver, log, first + i).Run(calls); });
    for (std::thread& thread : running) thread.join();
  }

  LayerModel::Kind KindNow(int layer) {
    const auto layers = driver_->List();
    EXPECT_TRUE(layers);
    for (const LayerSummary& item : *layers) {
      if (item.id != NameOf(layer)) continue;
      EXPECT_TRUE(item.state == "created" || item.state == "committed") << item.id << item.state;
      if (item.kind == "writable") return LayerModel::Kind::kWritable;
      return item.state == "created" ? LayerModel::Kind::kCreated : LayerModel::Kind::kFilled;
    }
    return LayerModel::Kind::kAbsent;
  }

  void CheckHistory() {
    ASSERT_LE(log_->count, kMaxEvents);
    std::size_t busy = 0;
    for (int layer = 0; layer < kLayers; ++layer) {
      std::vector<Event> events;
      for (std::size_t i = 0; i < log_->count; ++i)
        if (log_->events[i].layer == layer) events.push_back(log_->events[i]);
      for (const Event& event : events) busy += event.error == Errc::kLayerBusy ? 1 : 0;
      Linearization order(events);
      EXPECT_TRUE(order.Exists(KindNow(layer))) << Tell(layer, order);
    }
    const auto problems = driver_->Verify({}, VerifyDepth::kFull);
    ASSERT_TRUE(problems);
    for (const Problem& problem : *problems)
      ADD_FAILURE() << problem.id << ": " << problem.path << ": " << problem.problem;
    std::printf("%zu calls, %zu of them busy, seed %u\n", log_->count.load(), busy, kSeed);
  }

  // The calls around the one that no order explains.
  static std::string Tell(int layer, const Linearization& order) {
    constexpr const char* kNames[] = {"Create", "CreateReadWrite", "Apply", "Diff", "Exists", "Get",
                                      "Put",    "Remove"};
    std::string text = "no order explains the calls on " + NameOf(layer) + " (seed " +
                       std::to_string(kSeed) + "), from " + std::to_string(order.longest()) + ":\n";
    const std::size_t from = order.longest() < 12 ? 0 : order.longest() - 12;
    for (std::size_t i = from; i < std::min(from + 24, order.events().size()); ++i) {
      const Event& event = order.events()[i];
      text += std::to_string(event.begin) + "-" + std::to_string(event.end) + " caller " +
              std::to_string(event.caller) + ": " + kNames[static_cast<int>(event.member)] + " " +
              (event.ok ? "ok" : "error " + std::to_string(static_cast<int>(event.error))) + " " +
              std::to_string(event.content) + "\n";
    }
    return text;
  }

  Log* log_ = nullptr;
};

TEST_F(Concurrency, EightThreadsOnOneDriver) {
  RunThreads(*driver_, *log_, 0, 8, 40 * Rounds(1));
  CheckHistory();
}

TEST_F(Concurrency, EightThreadsWithADriverEach) {
  const int calls = 25 * Rounds(1);
  std::vector<std::thread> running;
  for (int i = 0; i < 8; ++i) {
    running.emplace_back([&, i] {
      DriverOptions options;
      options.home = home_.string();
      options.durability = DurabilityLevel::kNone;
      auto driver = Driver::Open(TableUnderTest(), "portable", options);
      ASSERT_TRUE(driver) << driver.error().ToString();
      Caller(**driver, *log_, i).Run(calls);
    });
  }
  for (std::thread& thread : running) thread.join();
  CheckHistory();
}

TEST_F(Concurrency, ThreeProcessesOnOneHome) {
  const int calls = 25 * Rounds(1);
  driver_.reset();
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      DriverOptions options;
      options.home = home_.string();
      options.durability = DurabilityLevel::kNone;
      auto driver = Driver::Open(TableUnderTest(), "portable", options);
      if (!driver) ::_exit(1);
      RunThreads(**driver, *log_, i * 3, 3, calls);
      driver->reset();
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    EXPECT_EQ(status, 0);
  }
  Open();
  CheckHistory();
}

// S4: what others wait for while a layer is being committed. Figures alone: nothing is asserted
// about time. WCLAYER_COMMIT_MIB: how large the layer is (1024 takes a minute).
TEST_F(Concurrency, ReadersBesideALargeCommit) {
  const char* wanted = std::getenv("WCLAYER_COMMIT_MIB");
  const int size = wanted == nullptr ? 24 : std::atoi(wanted);
  driver_.reset();
  DriverOptions options;
  options.home = home_.string();  // as flushed as by default
  auto opened = Driver::Open(TableUnderTest(), "portable", options);
  ASSERT_TRUE(opened);
  driver_ = *std::move(opened);
  std::atomic<bool> done{false};
  Status written;
  std::thread writer([&] {
    written = [&]() -> Status {
      ApplyOptions apply_options;
      apply_options.parent = "base";
      WCLAYER_ASSIGN(const auto apply, driver_->ApplyDiff("large", apply_options));
      std::mt19937_64 random(kSeed);
      WCLAYER_TRY(apply->Write(Bytes(MakeTar({{"Files", '5', "", ""}})).first(tar::kBlock)));
      for (int i = 0; i < size; ++i) {
        std::string text(1u << 20, '\0');
        for (std::size_t at = 0; at < text.size(); at += 8) {
          const std::uint64_t value = random();
          std::copy_n(reinterpret_cast<const char*>(&value), 8, &text[at]);
        }
        const Buffer tar = MakeTar({{"Files/f" + std::to_string(i), '0', text, ""}});
        WCLAYER_TRY(apply->Write(Bytes(tar).first(tar.size() - tar::kTrailerBytes)));
      }
      WCLAYER_TRY(apply->Write(Buffer(tar::kTrailerBytes)));
      const auto finished = apply->Finish();
      if (!finished) return finished.error();
      return {};
    }();
    done = true;
  });
  std::array<std::vector<double>, 3> times;
  const auto timed = [](std::vector<double>& list, const auto& call) {
    const auto start = std::chrono::steady_clock::now();
    const bool ok = call();
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - start;
    list.push_back(spent.count());
    return ok;
  };
  int round = 0;
  while (!done) {
    const std::string id = "c" + std::to_string(round++);
    EXPECT_TRUE(timed(times[0], [&] { return driver_->Exists("base"); }));
    EXPECT_TRUE(timed(times[1], [&] { return driver_->Create(id, "base", 0).has_value(); }));
    EXPECT_TRUE(timed(times[2], [&] { return driver_->Get("base", false).has_value(); }));
    EXPECT_TRUE(driver_->Put("base"));
    EXPECT_TRUE(driver_->Remove(id, false));
  }
  writer.join();
  ASSERT_TRUE(written) << written.error().ToString();
  constexpr const char* kNames[] = {"Exists", "Create", "Get"};
  for (std::size_t i = 0; i < times.size(); ++i) {
    std::sort(times[i].begin(), times[i].end());
    const auto at = [&](double part) {
      return times[i][static_cast<std::size_t>(part * static_cast<double>(times[i].size() - 1))];
    };
    std::printf("%s beside a commit of %d MiB: p50 %.2f ms, p99 %.2f ms, longest %.2f ms of %zu\n",
                kNames[i], size, at(0.5), at(0.99), at(1), times[i].size());
  }
}

}  // namespace
}  // namespace wclayer::test
