// Which functions of a vmcompute.dll are needed, and what the lack of others disables.
#include "vmcompute/symbols.h"

#include <gtest/gtest.h>

#include <set>

namespace wclayer::vmcompute {
namespace {

const std::set<std::string> kNeeded = {"ActivateLayer",      "DeactivateLayer",   "PrepareLayer",
                                       "UnprepareLayer",     "GetLayerMountPath", "CreateLayer",
                                       "CreateSandboxLayer", "DestroyLayer",      "LayerExists",
                                       "ExportLayer",        "ImportLayer",       "NameToGuid"};
const std::set<std::string> kSingle = {"ExpandSandboxSize", "CopyLayer",           "GetBaseImages",
                                       "ProcessBaseImage",  "ProcessUtilityImage", "GrantVmAccess"};
const std::set<std::string> kStreams = {"ImportLayerBegin", "ImportLayerNext",  "ImportLayerWrite",
                                        "ImportLayerEnd",   "ExportLayerBegin", "ExportLayerNext",
                                        "ExportLayerRead",  "ExportLayerEnd"};

// Something to point at; it is never called.
int target = 0;

struct Bound {
  Expected<Table> table;
  std::string disabled;
};

Bound Without(const std::set<std::string>& missing) {
  std::string disabled;
  auto table = BindTable(
      [&](const char* name) -> void* {
        const bool known = kNeeded.count(name) + kSingle.count(name) + kStreams.count(name) != 0;
        EXPECT_TRUE(known) << name;
        return missing.count(name) != 0 ? nullptr : &target;
      },
      disabled);
  return {std::move(table), disabled};
}

TEST(Symbols, AWholeDllDisablesNothing) {
  const Bound bound = Without({});
  ASSERT_TRUE(bound.table) << bound.table.error().ToString();
  EXPECT_EQ(bound.disabled, "");
  EXPECT_NE(bound.table->ActivateLayer, nullptr);
  EXPECT_NE(bound.table->ImportLayerBegin, nullptr);
  EXPECT_NE(bound.table->ExportLayerEnd, nullptr);
  EXPECT_EQ(bound.table->extensions, nullptr);
}

TEST(Symbols, EveryNeededOneIsNamedAtOnce) {
  for (const std::string& name : kNeeded) {
    const Bound bound = Without({name, "GrantVmAccess"});
    ASSERT_FALSE(bound.table) << name;
    EXPECT_EQ(bound.table.error().code, Errc::kBackendUnavailable);
    EXPECT_NE(bound.table.error().message.find(name + " ("), std::string::npos);
    EXPECT_NE(bound.table.error().message.find("GrantVmAccess ("), std::string::npos);
  }
  const Bound bound = Without(kNeeded);
  ASSERT_FALSE(bound.table);
  for (const std::string& name : kNeeded)
    EXPECT_NE(bound.table.error().message.find(name + " ("), std::string::npos) << name;
}

TEST(Symbols, ASingleOneSaysThatItIsMissingWhenItIsCalled) {
  for (const std::string& name : kSingle) {
    const Bound bound = Without({name});
    ASSERT_TRUE(bound.table) << name;
    EXPECT_EQ(bound.disabled.find(name + " ("), 0u) << bound.disabled;
  }
  const Bound bound = Without(kSingle);
  ASSERT_TRUE(bound.table);
  EXPECT_EQ(bound.table->GetBaseImages(nullptr), kProcNotFound);
  EXPECT_EQ(bound.table->ExpandSandboxSize(nullptr, nullptr, 1), kProcNotFound);
  EXPECT_EQ(bound.table->ProcessBaseImage(nullptr), kProcNotFound);
}

TEST(Symbols, StreamsAreThereAllOrNone) {
  for (const std::string& name : kStreams) {
    const Bound bound = Without({name});
    ASSERT_TRUE(bound.table) << name;
    EXPECT_EQ(bound.disabled, "") << "transport folders take their place";
    EXPECT_EQ(bound.table->ImportLayerBegin, nullptr) << name;
    EXPECT_EQ(bound.table->ImportLayerEnd, nullptr) << name;
    EXPECT_EQ(bound.table->ExportLayerBegin, nullptr) << name;
    EXPECT_EQ(bound.table->ExportLayerNext, nullptr) << name;
    EXPECT_NE(bound.table->ImportLayer, nullptr) << name;
  }
}

}  // namespace
}  // namespace wclayer::vmcompute
