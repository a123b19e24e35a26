#include "portable/stream_source.h"

#include <algorithm>

#include "portable/read_ahead.h"

namespace wclayer::portable {

using backup::StreamHeader;
using backup::StreamId;

void StreamSource::Begin(Content& content, const Entry& entry) {
  content_ = &content;
  entry_ = &entry;
  built_.clear();
  pieces_.clear();
  piece_ = 0;
  done_ = 0;
  file_.reset();
  sum_.Reset();
  skipped_ = false;
  if (entry.kind == Kind::kTombstone || entry.kind == Kind::kHardLink) return;
  if (!entry.security.empty()) {
    const std::size_t from = built_.size();
    StreamHeader header;
    header.id = StreamId::kSecurity;
    header.attributes = entry.security_attributes;
    header.size = entry.security.size();
    backup::AppendHeader(built_, header);
    Append(built_, entry.security);
    AddBuilt(from);
  }
  // What belongs to an alternate stream (its sparse blocks) stays behind it.
  const auto alternate =
      std::find_if(entry.streams.begin(), entry.streams.end(),
                   [](const StreamRecord& s) { return s.header.id == StreamId::kAlternateData; });
  const auto late = [](const StreamRecord& s) {
    return s.header.id == StreamId::kAlternateData || s.header.id == StreamId::kSparseBlock;
  };
  for (const auto& stream : entry.streams)
    if (!late(stream)) AddStream(stream);
  if (entry.kind == Kind::kFile && entry.has_data_stream) AddMain();
  for (auto stream = alternate; stream != entry.streams.end(); ++stream)
    if (late(*stream)) AddStream(*stream);
}

// The bytes from `from` on in built_ come next.
void StreamSource::AddBuilt(std::size_t from) {
  if (!pieces_.empty() && pieces_.back().from == Piece::From::kBuilt &&
      pieces_.back().offset + pieces_.back().size == from) {
    pieces_.back().size = built_.size() - pieces_.back().offset;
    return;
  }
  Piece piece;
  piece.offset = from;
  piece.size = built_.size() - from;
  pieces_.push_back(piece);
}

void StreamSource::AddStream(const StreamRecord& stream) {
  const std::size_t from = built_.size();
  StreamHeader header = stream.header;
  backup::AppendHeader(built_, header);
  if (!stream.external) Append(built_, stream.inline_data);
  AddBuilt(from);
  if (!stream.external || stream.header.size == 0) return;
  Piece piece;
  piece.from = Piece::From::kStored;
  piece.size = stream.header.size;
  piece.stream = &stream;
  pieces_.push_back(piece);
}

void StreamSource::AddMain() {
  const std::size_t from = built_.size();
  StreamHeader header;
  header.id = StreamId::kData;
  header.attributes = entry_->data_attributes;
  header.size = entry_->sparse ? 0 : entry_->size;
  backup::AppendHeader(built_, header);
  AddBuilt(from);
  const auto file = [&](std::uint64_t offset, std::uint64_t size, bool last) {
    Piece piece;
    piece.from = Piece::From::kFile;
    piece.offset = offset;
    piece.size = size;
    piece.last_of_file = last;
    pieces_.push_back(piece);
  };
  if (!entry_->sparse) {
    if (entry_->size != 0) file(0, entry_->size, true);
    return;
  }
  for (std::size_t i = 0; i < entry_->ranges.size(); ++i) {
    const DataRange& range = entry_->ranges[i];
    const std::size_t block = built_.size();
    backup::AppendSparseBlock(built_, range.offset, range.size);
    AddBuilt(block);
    file(range.offset, range.size, i + 1 == entry_->ranges.size());
  }
  const std::size_t block = built_.size();
  backup::AppendSparseBlock(built_, entry_->size, 0);
  AddBuilt(block);
}

Error StreamSource::Damaged(std::string_view what) const {
  return Error(Errc::kLayerDamaged, std::string(what)).At(entry_->path);
}

Expected<std::size_t> StreamSource::Read(MutableBytes buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size() && piece_ < pieces_.size()) {
    const Piece& piece = pieces_[piece_];
    const auto want = static_cast<std::size_t>(
        std::min<std::uint64_t>(piece.size - done_, buffer.size() - filled));
    WCLAYER_ASSIGN(const std::size_t got, ReadPiece(piece, buffer.subspan(filled, want)));
    filled += got;
    done_ += got;
    if (done_ == piece.size) WCLAYER_TRY(EndPiece());
  }
  return filled;
}

Status StreamSource::EndPiece() {
  if (pieces_[piece_].last_of_file) {
    file_.reset();
    if (entry_->has_checksum && !skipped_ && sum_.Value() != entry_->checksum)
      return Damaged("the stored payload is not the one that was imported: its checksum is wrong");
  }
  ++piece_;
  done_ = 0;
  return {};
}

Status StreamSource::Skip(std::uint64_t bytes) {
  std::byte scratch[4096];
  while (bytes != 0) {
    if (piece_ == pieces_.size()) return Damaged("a stream is shorter than its header says");
    const Piece& piece = pieces_[piece_];
    std::uint64_t step = std::min(bytes, piece.size - done_);
    if (piece.from == Piece::From::kFile) {
      skipped_ = true;
      // What is read ahead has to be taken in order; a whole file may be left behind.
      if (content_->HasAhead() && step != piece.size - done_) {
        const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(step, sizeof scratch));
        WCLAYER_ASSIGN(step, content_->ReadAhead(MutableBytes(scratch, most)));
      }
    }
    done_ += step;
    bytes -= step;
    if (done_ == piece.size) WCLAYER_TRY(EndPiece());
  }
  return {};
}

Expected<std::size_t> StreamSource::ReadPiece(const Piece& piece, MutableBytes buffer) {
  switch (piece.from) {
    case Piece::From::kBuilt: {
      const auto from = static_cast<std::ptrdiff_t>(piece.offset + done_);
      std::copy_n(built_.begin() + from, buffer.size(), buffer.begin());
      return buffer.size();
    }
    case Piece::From::kStored: {
      WCLAYER_ASSIGN(const std::size_t got, content_->ReadStream(*piece.stream, done_, buffer));
      if (got == 0) return Damaged("a stored stream is shorter than it was");
      return got;
    }
    case Piece::From::kFile:
      break;
  }
  if (!entry_->sparse && content_->HasAhead()) {
    WCLAYER_ASSIGN(const std::size_t got, content_->ReadAhead(buffer));
    if (entry_->has_checksum) sum_.Update(buffer.first(got));
    return got;
  }
  if (!file_) {
    WCLAYER_ASSIGN(const int fd, content_->OpenData());
    file_.reset(fd);
  }
  // Of a writable layer's files nobody knows more than what they are now.
  const std::uint64_t at = piece.offset + done_;
  const bool last = entry_->has_checksum && at + buffer.size() == entry_->size;
  WCLAYER_ASSIGN(const std::size_t got, last ? fs::ReadLast(file_.get(), buffer, at)
                                             : fs::ReadAt(file_.get(), buffer, at));
  if (got != buffer.size()) return WrongSize(got < buffer.size()).At(entry_->path);
  if (entry_->has_checksum) sum_.Update(buffer);
  return got;
}

}  // namespace wclayer::portable
