// A session with the driver as a script (compare-systems): commands from stdin, a line each, words
// separated by tabs; the first that fails ends it with its error.
//
//   open BACKEND HOME              portable or system; checkouts only, so that every system can
//   apply ID PARENT TAR            PARENT "-": a base layer
//   writable ID PARENT
//   write ID PATH TEXT             into the mounted layer, at a fixed time
//   remove-file ID PATH
//   diff ID WAY FORMAT FILE        WAY: kept (the kept bytes) or rebuilt; FORMAT: oci or transport
//   remove ID
//   verify                         fails if there is a problem
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "wclayer/driver.h"

namespace wclayer {
namespace {

namespace files = std::filesystem;
using Words = std::vector<std::string>;

Error Complaint(std::string text) {
  return Error(Errc::kInvalidArgument, std::move(text));
}

class Session {
 public:
  Status Do(const Words& words) {
    static const std::map<std::string, std::pair<std::size_t, Status (Session::*)(const Words&)>>
        kCommands = {{"open", {3, &Session::Open}},
                     {"apply", {4, &Session::Apply}},
                     {"writable", {3, &Session::MakeWritable}},
                     {"write", {4, &Session::WriteFile}},
                     {"remove-file", {3, &Session::RemoveFile}},
                     {"diff", {5, &Session::Diff}},
                     {"remove", {2, &Session::Remove}},
                     {"verify", {1, &Session::Verify}}};
    const auto command = kCommands.find(words.front());
    if (command == kCommands.end()) return Complaint("unknown command");
    if (words.size() != command->second.first) return Complaint("a wrong number of words");
    if (driver_ == nullptr && words.front() != "open") return Complaint("no home is open");
    return (this->*command->second.second)(words);
  }

 private:
  Status Open(const Words& words) {
    driver_.reset();
    DriverOptions options;
    options.home = words[2];
    options.durability = DurabilityLevel::kNone;
    options.force_checkout = true;
    WCLAYER_ASSIGN(const auto chosen,
                   vmcompute::Choose(words[1] == "system" ? vmcompute::Backend::kSystem
                                                          : vmcompute::Backend::kPortable));
    WCLAYER_ASSIGN(driver_, Driver::Open(chosen, options));
    return {};
  }

  Status Apply(const Words& words) {
    ApplyOptions options;
    options.parent = words[2] == "-" ? "" : words[2];
    WCLAYER_ASSIGN(const auto apply, driver_->ApplyDiff(words[1], options));
    std::ifstream tar(words[3], std::ios::binary);
    if (!tar) return Complaint("cannot read the tar");
    Buffer piece(100'000);
    while (tar.read(reinterpret_cast<char*>(piece.data()),
                    static_cast<std::streamsize>(piece.size())) ||
           tar.gcount() > 0)
      WCLAYER_TRY(apply->Write(Bytes(piece).first(static_cast<std::size_t>(tar.gcount()))));
    WCLAYER_TRY(apply->Finish());
    return {};
  }

  Status MakeWritable(const Words& words) {
    return driver_->CreateReadWrite(words[1], words[2], 0);
  }

  // What is edited has the same times wherever and whenever that is.
  Status Edit(const std::string& id, const std::string& path,
              const std::function<void(const files::path&)>& edit) {
    WCLAYER_ASSIGN(const auto root, driver_->Get(id, false));
    const files::path file = files::path(root) / path;
    edit(file);
    const auto time = files::file_time_type::clock::from_sys(
        std::chrono::sys_seconds(std::chrono::seconds(1'700'000'000)));
    std::error_code ignored;  // it is gone; the standard library cannot do it to folders of Windows
    files::last_write_time(file, time, ignored);
    files::last_write_time(file.parent_path(), time, ignored);
    return driver_->Put(id);
  }

  Status WriteFile(const Words& words) {
    return Edit(words[1], words[2], [&](const files::path& file) {
      std::ofstream(file, std::ios::binary) << words[3];
    });
  }

  Status RemoveFile(const Words& words) {
    return Edit(words[1], words[2], [](const files::path& file) { files::remove(file); });
  }

  Status Diff(const Words& words) {
    DiffOptions options;
    options.rebuild = words[2] == "rebuilt";
    options.format = words[3] == "oci" ? ArchiveFormat::kOci : ArchiveFormat::kTransport;
    WCLAYER_ASSIGN(const auto source, driver_->Diff(words[1], options));
    std::ofstream out(words[4], std::ios::binary);
    Buffer piece(100'000);
    for (;;) {
      WCLAYER_ASSIGN(const std::size_t got, source->Read(piece));
      if (got == 0) break;
      out.write(reinterpret_cast<const char*>(piece.data()), static_cast<std::streamsize>(got));
    }
    return out.flush() ? Status() : Complaint("cannot write the tar");
  }

  Status Remove(const Words& words) { return driver_->Remove(words[1], false); }

  Status Verify(const Words&) {
    WCLAYER_ASSIGN(const auto problems, driver_->Verify({}, VerifyDepth::kFull));
    if (problems.empty()) return {};
    return Error(Errc::kLayerDamaged, problems.front().problem)
        .At(problems.front().path)
        .Of(problems.front().id);
  }

  std::unique_ptr<Driver> driver_;
};

Words Split(const std::string& line) {
  Words words(1);
  for (const char c : line) {
    if (c == '\t')
      words.emplace_back();
    else if (c != '\r')
      words.back() += c;
  }
  return words;
}

int Run() {
  Session session;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.empty()) continue;
    const auto done = session.Do(Split(line));
    if (done) continue;
    std::cerr << "driver_session: " << line << ": " << done.error().ToString() << '\n';
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace wclayer

int main() {
  return wclayer::Run();
}
