// The words of SDDL (MS-DTYP 2.5.1.1) that mean the same on every machine.
#pragma once

#include <cstdint>
#include <string_view>

namespace wclayer::backup::sddl {

struct Word {
  std::string_view letters;
  std::uint32_t value;
};

struct KnownSid {
  std::string_view letters;
  std::string_view sid;
};

// Absolute SIDs only: domain-relative letters (DA, LA…) mean another SID on every machine.
inline constexpr KnownSid kSids[] = {
    {"WD", "S-1-1-0"},
    {"CO", "S-1-3-0"},
    {"CG", "S-1-3-1"},
    {"OW", "S-1-3-4"},
    {"NU", "S-1-5-2"},
    {"IU", "S-1-5-4"},
    {"SU", "S-1-5-6"},
    {"AN", "S-1-5-7"},
    {"ED", "S-1-5-9"},
    {"PS", "S-1-5-10"},
    {"AU", "S-1-5-11"},
    {"RC", "S-1-5-12"},
    {"SY", "S-1-5-18"},
    {"LS", "S-1-5-19"},
    {"NS", "S-1-5-20"},
    {"BA", "S-1-5-32-544"},
    {"BU", "S-1-5-32-545"},
    {"BG", "S-1-5-32-546"},
    {"PU", "S-1-5-32-547"},
    {"AO", "S-1-5-32-548"},
    {"SO", "S-1-5-32-549"},
    {"PO", "S-1-5-32-550"},
    {"BO", "S-1-5-32-551"},
    {"RE", "S-1-5-32-552"},
    {"RU", "S-1-5-32-554"},
    {"RD", "S-1-5-32-555"},
    {"NO", "S-1-5-32-556"},
    {"MU", "S-1-5-32-558"},
    {"LU", "S-1-5-32-559"},
    {"IS", "S-1-5-32-568"},
    {"CY", "S-1-5-32-569"},
    {"ER", "S-1-5-32-573"},
    {"CD", "S-1-5-32-574"},
    {"RA", "S-1-5-32-575"},
    {"ES", "S-1-5-32-576"},
    {"MS", "S-1-5-32-577"},
    {"HA", "S-1-5-32-578"},
    {"AA", "S-1-5-32-579"},
    {"RM", "S-1-5-32-580"},
    {"WR", "S-1-5-33"},
    {"AC", "S-1-15-2-1"},
    {"LW", "S-1-16-4096"},
    {"ME", "S-1-16-8192"},
    {"MP", "S-1-16-8448"},
    {"HI", "S-1-16-12288"},
    {"SI", "S-1-16-16384"},
    {"AS", "S-1-18-1"},
    {"SS", "S-1-18-2"},
    {"UD", "S-1-5-84-0-0-0-0-0"},
};

inline constexpr Word kTypes[] = {{"A", 0},   {"D", 1},   {"AU", 2}, {"AL", 3},
                                  {"OA", 5},  {"OD", 6},  {"OU", 7}, {"OL", 8},
                                  {"ML", 17}, {"SP", 19}, {"TL", 20}};
inline constexpr Word kFlags[] = {{"OI", 1},  {"CI", 2},  {"NP", 4},  {"IO", 8},
                                  {"ID", 16}, {"CR", 32}, {"SA", 64}, {"FA", 128}};

// A whole mask by one name.
inline constexpr Word kWholeRights[] = {{"FA", 0x1F01FF},   {"FR", 0x120089},   {"FW", 0x120116},
                                        {"FX", 0x1200A0},   {"GA", 0x10000000}, {"GX", 0x20000000},
                                        {"GW", 0x40000000}, {"GR", 0x80000000}, {"KA", 0xF003F},
                                        {"KR", 0x20019},    {"KW", 0x20006}};
// Single bits, in the order in which they are written one after another. Windows takes these names
// for any object.
inline constexpr Word kBitRights[] = {
    {"CC", 1},          {"DC", 2},         {"LC", 4},       {"SW", 8},          {"RP", 16},
    {"WP", 32},         {"DT", 64},        {"LO", 128},     {"CR", 256},        {"SD", 0x10000},
    {"RC", 0x20000},    {"WD", 0x40000},   {"WO", 0x80000}, {"GA", 0x10000000}, {"GX", 0x20000000},
    {"GW", 0x40000000}, {"GR", 0x80000000}};
// Of a mandatory label the bits mean something else.
inline constexpr Word kLabelRights[] = {{"NW", 1}, {"NR", 2}, {"NX", 4}};
inline constexpr std::uint8_t kMandatoryLabel = 17;

inline constexpr std::string_view kNullAcl = "NO_ACCESS_CONTROL";  // everybody may do everything
inline constexpr std::string_view kRawEntry = "X:";                // our own: an entry as hex

}  // namespace wclayer::backup::sddl
