// Is what is stored what was stored, and does anything lie about that nobody uses?
#include <cerrno>

#include "base/layer_id.h"
#include "base/page_buffer.h"
#include "driver/core.h"
#include "layer/path_list.h"

namespace wclayer {
namespace {

// Whether nobody is at the thing that this lock guards. Makes no lock file.
Expected<bool> Forsaken(const fs::Dir& locks, const std::string& name) {
  WCLAYER_ASSIGN(const bool there, locks.Exists(name));
  if (!there) return true;
  const auto lock = fs::FileLock::Acquire(locks, name, fs::LockMode::kExclusive, {});
  if (lock) return true;
  if (lock.error().code == Errc::kLayerBusy) return false;
  return lock.error();
}

bool GoneOrBusy(const Error& error) {
  return error.code == Errc::kLayerNotFound || error.code == Errc::kLayerBusy;
}

}  // namespace

wclayer::Status Core::VerifyLayer(const std::string& id, VerifyRun& run) {
  // In a look at the whole home, who fills a layer just now is not waited for.
  const auto wait = run.all ? std::optional(std::chrono::milliseconds(0)) : std::nullopt;
  WCLAYER_TRY(CheckId(id));
  std::optional<Found> found;
  {
    WCLAYER_ASSIGN(const auto lock, home_.LockLayer(id, fs::LockMode::kShared, wait));
    WCLAYER_ASSIGN(found, Find(id));
    const auto add = [&](const std::string& what) {
      run.problems.push_back({found->id, "", what});
    };
    auto chain = home_.ReadChain(found->id);
    if (!chain) {
      add(chain.error().message);
      return {};
    }
    for (const std::string& parent : chain->ids) {
      WCLAYER_ASSIGN(const bool there, platform_.Exists(parent));
      if (!there) add("its ancestor '" + parent + "' is missing");
    }
    if (platform_.extensions() == nullptr || platform_.extensions()->VerifyLayer == nullptr ||
        found->platform != found->id) {
      if (found->damaged()) add("damaged");
    } else {
      struct Report {
        std::vector<Problem>* problems;
        const std::string* id;
      } report{&run.problems, &found->id};
      WCLAYER_TRY(
          platform_.Check(platform_.extensions()->VerifyLayer(
                              platform_.NameOf("")->driver(), WideText(found->platform).c_str(),
                              run.depth == VerifyDepth::kFull ? 1 : 0, &report,
                              [](void* user, const char* path, const char* problem) {
                                auto* to = static_cast<Report*>(user);
                                to->problems->push_back({*to->id, path, problem});
                              }),
                          "VerifyLayer", found->id));
    }
  }
  auto record = home_.ReadRecord(found->id);
  if (!record) {
    run.problems.push_back({found->id, "", record.error().message});
    return {};
  }
  if (!record->has_value() || found->writable()) return {};
  if (!found->committed()) {
    run.problems.push_back({found->id, "", "its metadata is missing, but it was filled once"});
    return {};
  }
  const bool sound =
      run.problems.empty() || !SameId(run.problems.back().id, found->id);  // theirs come together
  return run.depth == VerifyDepth::kFull && sound ? VerifyTar(found->id, **record, run)
                                                  : wclayer::Status();
}

// The record's promise: the same tar as was applied.
wclayer::Status Core::VerifyTar(const std::string& id, const Record& record, VerifyRun& run) {
  const auto add = [&](const std::string& path, const std::string& what) {
    run.problems.push_back({id, path, what});
  };
  // Where the store kept what that takes, and where this table can use it: what the portable store
  // kept of its streams is of no use to Microsoft's calls.
  if (platform_.extensions() == nullptr) {
    WCLAYER_ASSIGN(const bool by_path,
                   home_.dir().Exists(id + "/.wclayer/" + layer::kPathListFile));
    if (!by_path) return {};
  }
  auto replay = Diff(id, {});
  if (!replay) {
    if (run.all && GoneOrBusy(replay.error())) return {};
    add(replay.error().path, replay.error().message);
    return {};
  }
  PageBuffer slab(1u << 20);
  for (;;) {
    auto count = (*replay)->Read(slab);
    if (!count) {
      add(count.error().path, count.error().message);
      return {};
    }
    if (*count == 0) break;
  }
  const std::string diff_id = (*replay)->Result().diff_id;
  if (record.format == kOciFormat && diff_id != record.diff_id)
    add("", "its tar is " + diff_id + ", the record says " + record.diff_id);
  return {};
}

Expected<std::vector<Garbage>> Core::Leftovers() {
  std::vector<Garbage> left;
  WCLAYER_ASSIGN(const std::vector<fs::Listed> home, home_.dir().List());
  for (const fs::Listed& item : home) {
    if (item.type != fs::Type::kDirectory || !item.name.ends_with(kRemoving) ||
        !CheckIdOrRemoval(item.name))
      continue;
    WCLAYER_ASSIGN(const bool forsaken,
                   Forsaken(home_.locks(), "removing+" + LowerAscii(item.name)));
    WCLAYER_ASSIGN(const bool still, home_.dir().Exists(item.name));
    if (forsaken && still) left.push_back({item.name, "a removal that was interrupted"});
  }
  struct Place {
    const char* folder;
    const char* lock;
    const char* reason;
  };
  for (const Place& place :
       {Place{"staging", "staging+", "a layer whose making was interrupted"},
        Place{kTemporaryFolders, kTemporaryLock, "a folder of DiffPath whose process is gone"}}) {
    auto folder = home_.private_dir().OpenDir(place.folder);
    if (!folder && folder.error().sys_errno == ENOENT) continue;
    if (!folder) return std::move(folder).error();
    WCLAYER_ASSIGN(const std::vector<fs::Listed> items, folder->List());
    for (const fs::Listed& item : items) {
      WCLAYER_ASSIGN(const bool forsaken, Forsaken(home_.locks(), place.lock + item.name));
      WCLAYER_ASSIGN(const bool still, folder->Exists(item.name));
      if (forsaken && still)
        left.push_back({std::string(".wclayer/") + place.folder + "/" + item.name, place.reason});
    }
  }
  return left;
}

Expected<std::vector<Problem>> Core::Verify(const std::vector<std::string>& ids,
                                            VerifyDepth depth) {
  VerifyRun run;
  run.depth = depth;
  run.all = ids.empty();
  std::vector<std::string> all = ids;
  if (run.all) {
    auto every = home_.LayerIds();
    if (!every) return std::move(every).error().In("Verify");
    all = *std::move(every);
    auto left = Leftovers();
    if (!left) return std::move(left).error().In("Verify");
    for (Garbage& item : *left)
      run.problems.push_back({std::move(item.id), "", item.reason + "; run cleanup"});
  }
  for (const std::string& id : all) {
    auto looked = VerifyLayer(id, run);
    if (looked || (run.all && GoneOrBusy(looked.error()))) continue;
    return std::move(looked).error().In("Verify").Of(id);
  }
  return std::move(run.problems);
}

}  // namespace wclayer
