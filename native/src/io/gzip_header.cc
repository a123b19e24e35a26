#include "io/gzip_header.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace wclayer::io {
namespace {

constexpr std::size_t kFixedBytes = 10;
constexpr unsigned kHasChecksum = 1u << 1;
constexpr unsigned kHasExtra = 1u << 2;
constexpr unsigned kHasName = 1u << 3;
constexpr unsigned kHasComment = 1u << 4;
constexpr unsigned kReserved = 0xE0;

}  // namespace

const char* GzipHeader::Take(Bytes& in) {
  while (!in.empty() && part_ != Part::kEnd) {
    switch (part_) {
      case Part::kFixed:
        if (!TakeField(in, kFixedBytes)) return nullptr;
        if (const char* problem = FixedProblem()) return problem;
        flags_ = static_cast<unsigned>(field_[3]);
        Next(Part::kFixed);
        break;
      case Part::kExtraLength:
        if (!TakeField(in, 2)) return nullptr;
        extra_left_ = LoadLe<std::uint16_t>(field_.data());
        // An empty field is over, though no byte of it will come.
        if (extra_left_ != 0) {
          part_ = Part::kExtra;
        } else {
          Next(Part::kExtra);
        }
        break;
      case Part::kExtra: {
        const std::size_t count = std::min(in.size(), extra_left_);
        Count(in.first(count));
        in = in.subspan(count);
        extra_left_ -= count;
        if (extra_left_ == 0) Next(Part::kExtra);
        break;
      }
      case Part::kName:
      case Part::kComment:
        if (TakeText(in)) Next(part_);
        break;
      case Part::kChecksum: {
        const std::uint32_t expected = crc_ & 0xffff;
        if (!TakeField(in, 2)) return nullptr;
        if (LoadLe<std::uint16_t>(field_.data()) != expected)
          return "a wrong checksum of the header";
        part_ = Part::kEnd;
        break;
      }
      case Part::kEnd:
        break;
    }
  }
  return nullptr;
}

// Collects a field of `size` bytes; true: it is there.
bool GzipHeader::TakeField(Bytes& in, std::size_t size) {
  const std::size_t count = std::min(in.size(), size - field_size_);
  std::copy_n(in.begin(), count, field_.begin() + static_cast<std::ptrdiff_t>(field_size_));
  if (part_ != Part::kChecksum) Count(in.first(count));
  in = in.subspan(count);
  field_size_ += count;
  if (field_size_ < size) return false;
  field_size_ = 0;
  return true;
}

// Skips a text that ends with a zero; true: it has ended.
bool GzipHeader::TakeText(Bytes& in) {
  const auto zero = std::find(in.begin(), in.end(), std::byte{0});
  const bool ended = zero != in.end();
  const auto count = static_cast<std::size_t>(zero - in.begin()) + (ended ? 1 : 0);
  Count(in.first(count));
  in = in.subspan(count);
  return ended;
}

void GzipHeader::Count(Bytes taken) {
  crc_ = crc32_gzip_refl(crc_, reinterpret_cast<const unsigned char*>(taken.data()), taken.size());
}

// The first part behind `after` that the flags announce.
void GzipHeader::Next(Part after) {
  if (after < Part::kExtraLength && (flags_ & kHasExtra) != 0) {
    part_ = Part::kExtraLength;
  } else if (after < Part::kName && (flags_ & kHasName) != 0) {
    part_ = Part::kName;
  } else if (after < Part::kComment && (flags_ & kHasComment) != 0) {
    part_ = Part::kComment;
  } else if ((flags_ & kHasChecksum) != 0) {
    part_ = Part::kChecksum;
  } else {
    part_ = Part::kEnd;
  }
}

const char* GzipHeader::FixedProblem() const {
  if (field_[0] != std::byte{0x1f} || field_[1] != std::byte{0x8b}) return "no gzip header";
  if (field_[2] != std::byte{8}) return "an unknown compression method";
  if ((static_cast<unsigned>(field_[3]) & kReserved) != 0) return "an unknown flag in the header";
  return nullptr;
}

}  // namespace wclayer::io
