// Whole files by BackupRead and BackupWrite, which Wine lacks: a table in memory stands in.
#include "fs/backup.h"

#include <gtest/gtest.h>

#include "support/fake_win32.h"
#include "support/remove_folder.h"
#include "support/temporary_folder.h"

namespace wclayer::fs {
namespace {

class BackupTest : public testing::Test {
 protected:
  BackupTest()
      : path_(wclayer::test::MakeTemporaryFolder("backup").string()),
        folder_(*Dir::OpenAbsolute(path_)) {}
  ~BackupTest() override {
    folder_ = Dir();
    wclayer::test::RemoveFolder(path_);
  }

  static Buffer Stream(backup::StreamId id, std::string_view data, const char16_t* name = u"") {
    Buffer bytes;
    backup::AppendHeader(bytes, {id, 0, data.size(), name});
    Append(bytes, AsBytes(data));
    return bytes;
  }
  Buffer ReadAll(const std::string& name, Security security, StoredTimes* times = nullptr) {
    auto reader = BackupReader::Open(folder_, name, security);
    EXPECT_TRUE(reader) << reader.error().ToString();
    Buffer all;
    Buffer piece(7);
    for (;;) {
      const auto got = (*reader)->Read(piece);
      EXPECT_TRUE(got) << got.error().ToString();
      if (!got || *got == 0) break;
      Append(all, Bytes(piece).first(*got));
    }
    if (times != nullptr) *times = (*reader)->times();
    return all;
  }

  wclayer::test::FakeWin32 fake_;
  std::string path_;
  Dir folder_;
};

TEST_F(BackupTest, AFileComesBackWithAllThatItHas) {
  ASSERT_TRUE(HasBackupStreams());
  StoredTimes times;
  times.attributes = 0x27;
  for (std::size_t i = 0; i < 4; ++i)
    times.times[i] = 133444736000000000 + static_cast<std::int64_t>(i);
  const Buffer security = Stream(backup::StreamId::kSecurity, "descriptor");
  const Buffer data = Stream(backup::StreamId::kData, "alpha");
  const Buffer alternate = Stream(backup::StreamId::kAlternateData, "beta", u":s:$DATA");
  const Buffer eas = Stream(backup::StreamId::kEaData, "list");
  auto writer =
      BackupWriter::Open(folder_, "f", times, Security::kTake, BackupWriter::Target::kNew);
  ASSERT_TRUE(writer) << writer.error().ToString();
  for (const Buffer* part : {&security, &eas, &data, &alternate})
    ASSERT_TRUE((*writer)->Write(*part));
  ASSERT_TRUE((*writer)->Finish());

  Buffer expected = security;
  Append(expected, data);
  Append(expected, alternate);
  Append(expected, eas);
  StoredTimes back;
  EXPECT_EQ(ReadAll("f", Security::kTake, &back), expected);
  EXPECT_EQ(back.attributes, times.attributes);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(back.times[i], times.times[i]) << i;
  EXPECT_EQ(
      ReadAll("f", Security::kLeave),
      Buffer(expected.begin() + static_cast<std::ptrdiff_t>(security.size()), expected.end()));
  const auto reader = BackupReader::Open(folder_, "f", Security::kTake);
  ASSERT_TRUE(reader);
  EXPECT_EQ(AsText(*(*reader)->Eas()), "list");
  // It is there already.
  EXPECT_FALSE(
      BackupWriter::Open(folder_, "f", times, Security::kTake, BackupWriter::Target::kNew));
}

TEST_F(BackupTest, AReparsePointIsWrittenReadAndNotFollowed) {
  StoredTimes times;
  times.attributes = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
  Buffer junction;
  AppendLe(junction, std::uint32_t{0xA0000003});
  AppendLe(junction, std::uint32_t{0});
  auto writer =
      BackupWriter::Open(folder_, "j", times, Security::kTake, BackupWriter::Target::kNewOrFolder);
  ASSERT_TRUE(writer) << writer.error().ToString();
  ASSERT_TRUE((*writer)->Write(Stream(backup::StreamId::kReparse, AsText(junction))));
  ASSERT_TRUE((*writer)->Finish());
  const auto reader = BackupReader::Open(folder_, "j", Security::kTake);
  ASSERT_TRUE(reader) << reader.error().ToString();
  EXPECT_EQ((*reader)->info().reparse_tag, 0xA0000003U);
  EXPECT_EQ((*reader)->info().type, Type::kSymlink);
  const auto inside = folder_.OpenDir("j");
  ASSERT_FALSE(inside);
  EXPECT_EQ(inside.error().code, Errc::kUnsafePath);
}

TEST_F(BackupTest, ASparseFileKeepsItsHoles) {
  Buffer stream;
  backup::AppendHeader(stream, {backup::StreamId::kData, backup::kAttributeSparse, 0, u""});
  backup::AppendSparseBlock(stream, 100'000, 4);
  Append(stream, AsBytes("data"));
  backup::AppendSparseBlock(stream, 200'000, 0);
  auto writer = BackupWriter::Open(folder_, "s", {}, Security::kLeave, BackupWriter::Target::kNew);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->Write(stream));
  ASSERT_TRUE((*writer)->Finish());
  EXPECT_EQ(ReadAll("s", Security::kLeave), stream);
  EXPECT_EQ(folder_.Stat("s")->size, 200'000U);
}

TEST_F(BackupTest, WithoutBackupReadThereAreNoStreams) {
  Win32 calls = RealCalls();
  calls.BackupRead = nullptr;
  ReplaceCallsForTest(&calls);
  EXPECT_FALSE(HasBackupStreams());
  ReplaceCallsForTest(nullptr);
}

}  // namespace
}  // namespace wclayer::fs
