// gzip by ISA-L: members one after another, then nothing but zeros.
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <string>

#include "io/gzip_header.h"
#include "io/unpacker.h"
#include "io/zeros.h"

namespace wclayer::io {
namespace {

constexpr std::size_t kMostInput = 1u << 30;  // for ISA-L's 32-bit counters

const char* ProblemOf(int code) {
  switch (code) {
    case ISAL_INVALID_BLOCK:
      return "an invalid block";
    case ISAL_INVALID_SYMBOL:
      return "an invalid symbol";
    case ISAL_INVALID_LOOKBACK:
      return "a reference to before the beginning";
    case ISAL_INCORRECT_CHECKSUM:
      return "a wrong checksum (CRC) or length";
    default:
      return "an inflate error";
  }
}

class GzipUnpacker final : public Unpacker {
 public:
  explicit GzipUnpacker(UnpackedOutput& output) : output_(&output) { StartMember(); }

  Status Write(Bytes in) override {
    while (!in.empty()) {
      if (in_member_ && !header_.complete()) {
        WCLAYER_TRY(TakeHeader(in));
      } else if (in_member_) {
        WCLAYER_ASSIGN(const std::size_t used, Inflate(in.first(std::min(in.size(), kMostInput))));
        in = in.subspan(used);
      } else if (!padded_ && in[0] == std::byte{0x1f}) {
        StartMember();
      } else {
        const std::size_t zeros = LeadingZeros(in);
        output_->Consumed(zeros);
        padded_ = true;
        in = in.subspan(zeros);
        if (!in.empty())
          return output_->Bad("gzip", "bytes that are no gzip member behind the compressed data");
      }
    }
    return {};
  }

  Status CheckEnd() override {
    if (!in_member_) return {};
    return output_->Bad("gzip", "the stream ends in the middle of a member,");
  }

 private:
  void StartMember() {
    header_ = {};
    isal_inflate_init(&inflate_);
    inflate_.crc_flag = ISAL_GZIP_NO_HDR_VER;  // CRC and length are ISA-L's to check
    in_member_ = true;
  }

  Status TakeHeader(Bytes& in) {
    const std::size_t before = in.size();
    const char* problem = header_.Take(in);
    output_->Consumed(before - in.size());
    return problem == nullptr ? Status() : output_->Bad("gzip", problem);
  }

  // Passes on what `in` gives; returns how much of it was used: all, or up to the member's end.
  Expected<std::size_t> Inflate(Bytes in) {
    inflate_.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(in.data()));
    inflate_.avail_in = static_cast<std::uint32_t>(in.size());
    for (;;) {
      WCLAYER_ASSIGN(const MutableBytes room, output_->Room());
      inflate_.next_out = reinterpret_cast<std::uint8_t*>(room.data());
      inflate_.avail_out = static_cast<std::uint32_t>(room.size());
      const std::uint32_t before = inflate_.avail_in;
      const int code = isal_inflate(&inflate_);
      const std::uint32_t used = before - inflate_.avail_in;
      const std::size_t made = room.size() - inflate_.avail_out;
      output_->Consumed(used);
      if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT)
        return output_->Bad("gzip", ProblemOf(code));
      WCLAYER_TRY(output_->Filled(made));
      in_member_ = inflate_.block_state != ISAL_BLOCK_FINISH;
      const bool wants_more = inflate_.avail_in == 0 && inflate_.avail_out != 0;
      if (!in_member_ || wants_more) return in.size() - inflate_.avail_in;
      if (used == 0 && made == 0) return output_->Bad("gzip", "no progress");
    }
  }

  UnpackedOutput* output_;
  GzipHeader header_;
  inflate_state inflate_;
  bool in_member_ = false;
  bool padded_ = false;  // nothing but zeros may follow
};

}  // namespace

std::unique_ptr<Unpacker> MakeGzipUnpacker(UnpackedOutput& output) {
  return std::make_unique<GzipUnpacker>(output);
}

}  // namespace wclayer::io
