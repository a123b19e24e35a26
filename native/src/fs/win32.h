// Every call that this module makes of Windows, as one table, so that tests can stand in for what
// Wine lacks: BackupRead, BackupWrite, extended attributes, reparse points. What a thread is told
// by GetLastError stays Windows' own.
#pragma once

#include <windows.h>
// after windows.h
#include <bcrypt.h>
#include <winternl.h>

// Macros of windows.h, and names of ours.
#undef CreateFile

namespace wclayer::fs {

struct Win32 {
#define WCLAYER_CALL(NAME) decltype(&::NAME) NAME = &::NAME
  WCLAYER_CALL(BCryptGenRandom);
  WCLAYER_CALL(CloseHandle);
  WCLAYER_CALL(CreateDirectoryW);
  WCLAYER_CALL(CreateFileW);
  WCLAYER_CALL(DeviceIoControl);
  WCLAYER_CALL(FlushFileBuffers);
  WCLAYER_CALL(GetFileAttributesW);
  WCLAYER_CALL(GetFileInformationByHandle);
  WCLAYER_CALL(GetFileInformationByHandleEx);
  WCLAYER_CALL(GetFinalPathNameByHandleW);
  WCLAYER_CALL(GetSystemTimePreciseAsFileTime);
  WCLAYER_CALL(GetTempPathW);
  WCLAYER_CALL(LockFileEx);
  WCLAYER_CALL(NtCreateFile);
  WCLAYER_CALL(NtQuerySystemInformation);
  WCLAYER_CALL(NtSetInformationFile);
  WCLAYER_CALL(ReadFile);
  WCLAYER_CALL(SetFileInformationByHandle);
  WCLAYER_CALL(WriteFile);
#undef WCLAYER_CALL
  // Bound late: Wine has some of these only to say that it cannot do them.
  decltype(&::BackupRead) BackupRead = nullptr;
  decltype(&::BackupWrite) BackupWrite = nullptr;
  using QueryEa = NTSTATUS(NTAPI*)(HANDLE, IO_STATUS_BLOCK*, void* buffer, ULONG length,
                                   BOOLEAN single, void* list, ULONG list_length, ULONG* index,
                                   BOOLEAN restart);
  QueryEa NtQueryEaFile = nullptr;
};

// Those of Windows, unless a test has put others in their place.
const Win32& Calls();
// Null: Windows' own again. `calls` outlives its use; nobody else is at work meanwhile.
void ReplaceCallsForTest(const Win32* calls);
// Windows' own, for what a test's functions pass on.
const Win32& RealCalls();

}  // namespace wclayer::fs
