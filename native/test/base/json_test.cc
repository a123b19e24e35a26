#include "base/json.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "base/limits.h"
#include "base/utf16.h"

namespace wclayer {
namespace {

std::string Rewritten(std::string_view text) {
  const auto value = ParseJson(text);
  return value ? WriteJson(*value) : "error: " + value.error().message;
}

TEST(JsonTest, ReadsAndWritesWhatWeStore) {
  EXPECT_EQ(Rewritten("null"), "null");
  EXPECT_EQ(Rewritten(" [ ] "), "[]");
  EXPECT_EQ(Rewritten("{}"), "{}");
  EXPECT_EQ(Rewritten("\t{ \"a\" : [1, -2,true,false,null , \"x\"],\r\n\"b\":{\"c\":0}} "),
            R"({"a":[1,-2,true,false,null,"x"],"b":{"c":0}})");
  EXPECT_EQ(Rewritten(R"(["C:\\ProgramData\\docker\\windowsfilter\\abc"])"),
            R"(["C:\\ProgramData\\docker\\windowsfilter\\abc"])");
  EXPECT_EQ(Rewritten("-0"), "0");
  EXPECT_EQ(Rewritten("9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(Rewritten("-9223372036854775808"), "-9223372036854775808");
}

TEST(JsonTest, Members) {
  const auto value = ParseJson(R"({"s":"text","i":7,"b":true,"twice":1,"twice":2,"null":null})");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->StringOr("s", "?"), "text");
  EXPECT_EQ(value->StringOr("i", "?"), "?");
  EXPECT_EQ(value->StringOr("absent", "?"), "?");
  EXPECT_EQ(value->IntOr("i", -1), 7);
  EXPECT_EQ(value->IntOr("s", -1), -1);
  EXPECT_EQ(value->IntOr("twice", -1), 2);  // the last wins
  EXPECT_TRUE(value->BoolOr("b", false));
  EXPECT_TRUE(value->BoolOr("i", true));
  ASSERT_NE(value->Find("null"), nullptr);
  EXPECT_EQ(value->Find("null")->kind, Json::Kind::kNull);
  EXPECT_EQ(Json::Array().Find("a"), nullptr);
}

TEST(JsonTest, Builds) {
  Json list = Json::Array();
  list.array.push_back(Json::Of("text"));
  list.array.push_back(Json::Of(std::int64_t{5}));
  list.array.push_back(Json::Of(true));
  list.array.push_back(Json());
  Json object = Json::Object();
  object.Add("z", std::move(list)).Add("a", Json::Object());
  EXPECT_EQ(WriteJson(object), R"({"z":["text",5,true,null],"a":{}})");
}

// What Go's encoding/json writes for strings.
TEST(JsonTest, EscapesAsGoDoes) {
  const auto written = [](std::string_view text) { return WriteJson(Json::Of(text)); };
  EXPECT_EQ(written("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(written("\n\r\t"), R"("\n\r\t")");
  EXPECT_EQ(written(std::string("\x00\x01\x08\x0c\x1f\x7f", 6)),
            "\"\\u0000\\u0001\\u0008\\u000c\\u001f\x7f\"");
  EXPECT_EQ(written("<a>&'"), R"("\u003ca\u003e\u0026'")");
  EXPECT_EQ(written(ToUtf8(u"\u2027\u2028\u2029\u202a")),
            "\"\xE2\x80\xA7\\u2028\\u2029\xE2\x80\xAA\"");
  EXPECT_EQ(written(ToUtf8(u"\u00e4\U0001f600")), "\"\xC3\xA4\xF0\x9F\x98\x80\"");
  EXPECT_EQ(written("a\xFF\xC2"), R"("a\ufffd\ufffd")");
  EXPECT_EQ(written("\xE2\x82x"), R"("\ufffd\ufffdx")");
  EXPECT_EQ(WriteJson(Json::Object().Add("<", Json::Of("\xED"))), R"({"\u003c":"\ufffd"})");
}

TEST(JsonTest, LoneSurrogatesSurvive) {
  const std::u16string names[] = {
      {0xD800}, {u'a', 0xDFFF, u'b'}, {0xDC00, 0xD800}, {0xD83D, 0xD83D, 0xDE00, 0xDE00}};
  for (const std::u16string& name : names) {
    const std::string narrow = ToUtf8(name);
    const auto read = ParseJson(WriteJson(Json::Of(narrow)));
    ASSERT_TRUE(read) << narrow;
    EXPECT_EQ(read->string, narrow);
  }
  EXPECT_EQ(WriteJson(Json::Of(ToUtf8(names[1]))), R"("a\udfffb")");
}

TEST(JsonTest, ReadsEscapes) {
  const auto read = [](std::string_view text) {
    const auto value = ParseJson(text);
    return value ? value->string : "error: " + value.error().message;
  };
  EXPECT_EQ(read(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(read(R"("\u00e4\u00C4x\u0000")"), std::string("\xC3\xA4\xC3\x84x\0", 6));
  EXPECT_EQ(read(R"("\ud83d\ude00")"), "\xF0\x9F\x98\x80");            // a pair is one character
  EXPECT_EQ(read(R"("\ud83dx\ude00")"), "\xED\xA0\xBDx\xED\xB8\x80");  // not beside each other
  EXPECT_EQ(read(R"("\ud83d\n\ude00")"), "\xED\xA0\xBD\n\xED\xB8\x80");
  EXPECT_EQ(read("\"\xED\xA0\xBD\""), "\xED\xA0\xBD");
}

TEST(JsonTest, RefusesWhatIsNoJson) {
  const std::string cases[] = {
      "",
      " ",
      "nul",
      "truex",
      "True",
      "1 2",
      "[1,]",
      "[,1]",
      "[1",
      "[1 2]",
      "{",
      "{\"a\"",
      "{\"a\":",
      "{\"a\":1",
      "{\"a\":1,}",
      "{a:1}",
      "{1:1}",
      "{\"a\" 1}",
      "]",
      "}",
      "\"",
      "\"a",
      "\"\\",
      "\"\\\"",
      "\"\\x\"",
      "\"\\u12\"",
      "\"\\u123g\"",
      "\"\\u-123\"",
      "\"\\u",
      "\"\\u12",
      "\"a\nb\"",
      "\"\x1f\"",
      "\"\xFF\"",
      "\"\xED\xA0\x80\xED\xB0\x80\"",
      "\"\\ud800\xED\xB0\x80\"",
      "1.5",
      "1e3",
      "1E3",
      "-",
      "+1",
      "01",
      "-01",
      ".5",
      "0x10",
      "9223372036854775808",
      "-9223372036854775809",
      "NaN",
      "'a'",
      "// x\n1",
      std::string("1\0", 2),
  };
  for (const std::string& text : cases) {
    const auto value = ParseJson(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, Errc::kInvalidArgument) << text;
    EXPECT_NE(value.error().message.find("bad JSON at byte "), std::string::npos) << text;
  }
}

TEST(JsonTest, LimitsAreNamed) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(ParseJson(nested(kMaxJsonDepth + 1)));
  const auto deep = ParseJson(nested(kMaxJsonDepth + 2));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, Errc::kLimitExceeded);
  EXPECT_NE(deep.error().message.find("kMaxJsonDepth"), std::string::npos);
  EXPECT_FALSE(ParseJson(std::string(1'000'000, '[')));

  const auto large = ParseJson(std::string(kMaxJsonBytes, ' ') + "1");
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().message.find("kMaxJsonBytes"), std::string::npos);

  std::string many = "[0";
  for (std::size_t i = 2; i < kMaxJsonValues; ++i) many += ",0";
  EXPECT_TRUE(ParseJson(many + "]"));
  const auto more = ParseJson(many + ",0]");
  ASSERT_FALSE(more);
  EXPECT_NE(more.error().message.find("kMaxJsonValues"), std::string::npos);
}

Json RandomJson(std::mt19937& random, int depth) {
  const auto text = [&] {
    std::u16string units;
    for (std::size_t i = random() % 6; i > 0; --i) {
      static constexpr char16_t kUnits[] = {0,      8,      u'\n',  u'"',   u'\\',  u'<',
                                            u'a',   0x7F,   0xE4,   0x2028, 0xD800, 0xDBFF,
                                            0xDC00, 0xDFFF, 0xFFFD, 0xFFFF};
      units += kUnits[random() % std::size(kUnits)];
    }
    return ToUtf8(units);
  };
  switch (random() % (depth == 0 ? 4 : 6)) {
    case 0:
      return {};
    case 1:
      return Json::Of(random() % 2 == 0);
    case 2:
      return Json::Of(static_cast<std::int64_t>(random()) - std::int64_t{0x80000000});
    case 3:
      return Json::Of(text());
    case 4: {
      Json list = Json::Array();
      for (std::size_t i = random() % 4; i > 0; --i)
        list.array.push_back(RandomJson(random, depth - 1));
      return list;
    }
    default: {
      Json object = Json::Object();
      for (std::size_t i = random() % 4; i > 0; --i)
        object.Add(text(), RandomJson(random, depth - 1));
      return object;
    }
  }
}

TEST(JsonTest, RandomValuesComeBackAndDamagedTextsDoNotHarm) {
  constexpr std::uint32_t kSeed = 8259;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  for (int round = 0; round < 5000; ++round) {
    std::string text = WriteJson(RandomJson(random, 5));
    const auto read = ParseJson(text);
    ASSERT_TRUE(read) << "round " << round << ": " << text;
    ASSERT_EQ(WriteJson(*read), text) << "round " << round;
    text[random() % text.size()] = static_cast<char>(random());
    text.resize(random() % 8 == 0 ? random() % text.size() : text.size());
    if (const auto damaged = ParseJson(text)) {
      const std::string again = WriteJson(*damaged);
      ASSERT_EQ(Rewritten(again), again) << "round " << round << ": " << text;
    }
  }
}

}  // namespace
}  // namespace wclayer
