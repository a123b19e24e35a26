#include "layer/base_source.h"

#include <algorithm>

#include "backup/stream.h"

namespace wclayer::layer {
Expected<std::unique_ptr<BaseSource>> BaseSource::Open(const std::string& layer) {
  std::unique_ptr<BaseSource> source(new BaseSource);
  WCLAYER_ASSIGN(source->root_, fs::Dir::OpenAbsolute(layer));
  Level top;
  WCLAYER_ASSIGN(top.dir, source->root_.Clone());
  top.names = {"Files"};
  WCLAYER_ASSIGN(const bool utility_vm, source->root_.Exists("UtilityVM/Files"));
  if (utility_vm) top.names.push_back("UtilityVM");
  source->levels_.push_back(std::move(top));
  return source;
}

Status BaseSource::Push(fs::Dir dir, std::string path) {
  Level level;
  if (path == "UtilityVM") {
    level.names = {"Files"};
  } else {
    WCLAYER_ASSIGN(const auto listed, dir.List());
    for (const fs::Listed& entry : listed) level.names.push_back(entry.name);
  }
  level.dir = std::move(dir);
  level.path = std::move(path);
  levels_.push_back(std::move(level));
  if (levels_.size() > fs::kOpenLevels + 1)
    levels_[levels_.size() - fs::kOpenLevels - 1].dir = fs::Dir();
  return {};
}

Status BaseSource::OpenLevel(Level& level) {
  if (level.dir) return {};
  WCLAYER_ASSIGN(level.dir, root_.OpenDir(level.path));
  return {};
}

Expected<bool> BaseSource::Next(Item& item) {
  reader_.reset();
  head_.clear();
  head_at_ = 0;
  while (!levels_.empty() && levels_.back().next == levels_.back().names.size()) levels_.pop_back();
  if (levels_.empty()) return false;
  Level& level = levels_.back();
  const std::string name = level.names[level.next++];
  item = Item();
  item.path = level.path.empty() ? name : level.path + "/" + name;
  item.ordinal = ordinal_++;
  auto opened = OpenLevel(level);
  if (opened) opened = OpenEntry(level, name, item);
  if (!opened) return std::move(opened).error().At(item.path);
  return true;
}

Status BaseSource::OpenEntry(Level& level, const std::string& name, Item& item) {
  WCLAYER_ASSIGN(reader_, fs::BackupReader::Open(level.dir, name, fs::Security::kTake));
  const fs::StoredTimes& times = reader_->times();
  std::copy(std::begin(times.times), std::end(times.times), item.times);
  std::copy(std::begin(times.time_remainder), std::end(times.time_remainder), item.time_remainder);
  item.time_absent = times.time_absent;
  item.attributes = times.attributes;
  item.reparse_tag = reader_->info().reparse_tag;
  if (!item.directory()) item.size = reader_->info().size;
  if (!item.directory() && reader_->info().links > 1) {
    const auto [first, is_first] = first_names_.emplace(reader_->file_id(), item.path);
    if (!is_first) {
      item.link_target = first->second;
      reader_.reset();
      return {};
    }
  }
  WCLAYER_ASSIGN(const Buffer eas, reader_->Eas());
  if (!eas.empty()) {
    backup::StreamHeader header;
    header.id = backup::StreamId::kEaData;
    header.size = eas.size();
    backup::AppendHeader(head_, header);
    Append(head_, eas);
  }
  if (!item.directory() || item.reparse_tag != 0) return {};
  WCLAYER_ASSIGN(fs::Dir child, level.dir.OpenDir(name));
  return Push(std::move(child), item.path);  // `level` is gone from here on
}

Expected<std::size_t> BaseSource::Read(MutableBytes buffer) {
  if (head_at_ < head_.size()) {
    const std::size_t count = std::min(head_.size() - head_at_, buffer.size());
    std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(head_at_), count, buffer.begin());
    head_at_ += count;
    return count;
  }
  if (reader_ == nullptr) return std::size_t{0};
  return reader_->Read(buffer);
}

Status BaseSource::Seek(std::uint64_t ordinal, Item& item) {
  (void)ordinal;
  (void)item;
  return Error(Errc::kUnsupported, "a layer's folder is read in order only");
}

}  // namespace wclayer::layer
