// Writable layers in every way they can be laid out, and what a user does in them.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "fs/mount.h"
#include "portable/home.h"
#include "portable/overlay.h"
#include "store_fixture.h"

namespace wclayer::portable::test {

enum class Way { kOverlay, kLegacyOverlay, kCheckout };

inline const char* NameOfWay(Way way) {
  switch (way) {
    case Way::kOverlay:
      return "overlay";
    case Way::kLegacyOverlay:
      return "overlay by mount(2)";
    case Way::kCheckout:
      break;
  }
  return "checkout";
}

class WritableTest : public StoreTest {
 protected:
  ~WritableTest() override {
    // What a failed test left mounted must not be removed through the mount.
    Home home(home_path_);
    if (const auto left = ListOurMounts(home))
      for (const auto& id : *left) ::umount2(MountTarget(home, id).c_str(), MNT_DETACH);
  }

  bool CanMount() {
    std::string reason;
    const bool can = fs::CanMountOverlay(home_path_ + "/.wclayer/staging", reason);
    if (!can) std::printf("[   NOTE   ] overlays are left out: %s\n", reason.c_str());
    return can;
  }
  std::vector<Way> Ways() {
    if (!CanMount()) return {Way::kCheckout};
    return {Way::kOverlay, Way::kLegacyOverlay, Way::kCheckout};
  }

  void Use(Way way, bool detach = false) {
    vmcompute::StoreOptions options;
    options.durability = 0;
    options.force_checkout = way == Way::kCheckout;
    options.force_legacy_mount = way == Way::kLegacyOverlay;
    options.detach_on_unmount = detach;
    ASSERT_EQ(table_.extensions->Configure(&info_, &options), vmcompute::kOk);
  }

  void MakeWritable(const std::string& id, const std::vector<std::string>& parents) {
    const Chain chain = Parents(parents);
    ASSERT_EQ(
        table_.CreateSandboxLayer(&info_, Wide(id).c_str(), nullptr, chain.data(), chain.size()),
        vmcompute::kOk)
        << LastError().message;
  }
  Hresult Prepare(const std::string& id, const std::vector<std::string>& parents) {
    const Chain chain = Parents(parents);
    const Hresult hr = table_.ActivateLayer(&info_, Wide(id).c_str());
    if (hr != vmcompute::kOk) return hr;
    return table_.PrepareLayer(&info_, Wide(id).c_str(), chain.data(), chain.size());
  }
  // The path where the layer's user sees it, "" if that fails.
  std::string Mount(const std::string& id, const std::vector<std::string>& parents) {
    EXPECT_EQ(Prepare(id, parents), vmcompute::kOk)
        << LastError().path << ": " << LastError().message;
    return MountPath(id);
  }
  std::string MountPath(const std::string& id) {
    std::size_t length = 0;
    if (table_.GetLayerMountPath(&info_, Wide(id).c_str(), &length, nullptr) != vmcompute::kOk)
      return "";
    std::u16string path(length, u'\0');
    EXPECT_EQ(table_.GetLayerMountPath(&info_, Wide(id).c_str(), &length, path.data()),
              vmcompute::kOk);
    path.resize(length - 1);
    return ToUtf8(path);
  }
  Hresult Unmount(const std::string& id) {
    const Hresult hr = table_.UnprepareLayer(&info_, Wide(id).c_str());
    if (hr != vmcompute::kOk) return hr;
    return table_.DeactivateLayer(&info_, Wide(id).c_str());
  }

  // The same edits in a fresh writable layer of every way; the exports must be the same, taken
  // while the layer is mounted and after. Gives one of them.
  std::vector<Item> SameEverywhere(const std::vector<std::string>& parents,
                                   const std::function<void(const std::string&)>& edit) {
    std::vector<Item> first;
    bool fresh = true;
    for (const Way way : Ways()) {
      SCOPED_TRACE(NameOfWay(way));
      const std::string id = "rw" + std::to_string(++layers_);
      Use(way);
      MakeWritable(id, parents);
      const std::string path = Mount(id, parents);
      EXPECT_NE(path, "");
      if (path.empty()) continue;
      edit(path);
      const auto mounted = Timeless(Export(id, parents));
      EXPECT_EQ(Unmount(id), vmcompute::kOk) << LastError().message;
      EXPECT_EQ(Text(Timeless(Export(id, parents))), Text(mounted));
      if (fresh) first = mounted;
      EXPECT_EQ(Text(mounted), Text(first));
      fresh = false;
    }
    return first;
  }

  // Hives have the time of the layer's creation.
  static std::vector<Item> Timeless(std::vector<Item> items) {
    for (auto& item : items)
      if (item.path.starts_with("Hives"))
        std::fill(std::begin(item.times), std::end(item.times), 0);
    return items;
  }

  // Everything of the items, for a comparison that shows what differs.
  static std::string Text(const std::vector<Item>& items) {
    std::ostringstream text;
    for (const auto& item : items) {
      text << (item.deleted ? "-" : "") << item.path;
      if (!item.link.empty()) text << " => " << item.link;
      text << " attributes " << item.attributes << " size " << item.size << " change "
           << static_cast<int>(item.change) << " tag " << item.reparse_tag << " times";
      for (int i = 0; i < 4; ++i)
        text << ' ' << item.times[i] << '+' << int{item.time_remainder[i]};
      text << " absent " << int{item.time_absent} << " data " << item.has_data_stream << " #"
           << item.ordinal << '\n';
      if (item.deleted) continue;
      for (const auto& [id, name, attributes, data] : Parse(item.stream, false))
        text << "    stream " << id << ' ' << ToUtf8(name) << ' ' << attributes << ' '
             << data.size() << ' ' << std::hash<std::string>()(data) << '\n';
    }
    return text.str();
  }

  // Paths of what is listed as changed: "A Files/x", "C Files/y", "D Files/z".
  static std::vector<std::string> Changes(const std::vector<Item>& items) {
    std::vector<std::string> changes;
    for (const auto& item : items)
      if (item.change != vmcompute::ChangeKind::kUnchanged)
        changes.push_back(std::string(1, "?ACD"[static_cast<int>(item.change)]) + ' ' + item.path);
    std::sort(changes.begin(), changes.end());
    return changes;
  }
  // Without Hives and what is in it.
  static std::vector<std::string> FilePaths(const std::vector<Item>& items) {
    auto paths = Paths(items);
    std::erase_if(paths, [](const std::string& path) { return path.starts_with("Hives"); });
    return paths;
  }

  // ---- What users do ----

  static void Touch(const std::string& path, std::int64_t seconds) {
    timespec times[2] = {};
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_sec = seconds;
    times[1].tv_nsec = 123456700;
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
  }
  static void Append(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary | std::ios::app)
        .write(text.data(), static_cast<std::streamsize>(text.size()));
  }
  static void Rename(const std::string& from, const std::string& to) {
    ASSERT_EQ(::rename(from.c_str(), to.c_str()), 0) << from << " -> " << to;
  }
  static std::int64_t Filetime(std::int64_t seconds) {
    return 116444736000000000 + seconds * 10000000 + 1234567;
  }

  int layers_ = 0;
};

}  // namespace wclayer::portable::test
