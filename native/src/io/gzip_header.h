// The header of a gzip member (RFC 1952 §2.3), piece by piece. ISA-L's own reader forgets the flags
// between two pieces, and with them the fields that are still to come.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace wclayer::io {

class GzipHeader {
 public:
  // Takes from `in` what belongs to the header. Null, or what is wrong with it.
  const char* Take(Bytes& in);
  bool complete() const { return part_ == Part::kEnd; }

 private:
  enum class Part { kFixed, kExtraLength, kExtra, kName, kComment, kChecksum, kEnd };

  bool TakeField(Bytes& in, std::size_t size);
  bool TakeText(Bytes& in);
  void Count(Bytes taken);
  void Next(Part after);
  const char* FixedProblem() const;

  Part part_ = Part::kFixed;
  std::array<std::byte, 10> field_{};  // the field under way, if it is a small one
  std::size_t field_size_ = 0;
  unsigned flags_ = 0;
  std::size_t extra_left_ = 0;
  std::uint32_t crc_ = 0;
};

}  // namespace wclayer::io
