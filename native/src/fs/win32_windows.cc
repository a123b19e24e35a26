#include "fs/win32.h"

#include <atomic>

namespace wclayer::fs {
namespace {

template <class F>
F Late(const wchar_t* library, const char* name) {
  const HMODULE module = ::GetModuleHandleW(library);
  if (module == nullptr) return nullptr;
  return reinterpret_cast<F>(reinterpret_cast<void (*)()>(::GetProcAddress(module, name)));
}

Win32 Bind() {
  Win32 calls;
  calls.BackupRead = Late<decltype(&::BackupRead)>(L"kernel32.dll", "BackupRead");
  calls.BackupWrite = Late<decltype(&::BackupWrite)>(L"kernel32.dll", "BackupWrite");
  calls.NtQueryEaFile = Late<Win32::QueryEa>(L"ntdll.dll", "NtQueryEaFile");
  return calls;
}

std::atomic<const Win32*>& Replaced() {
  static std::atomic<const Win32*> calls{nullptr};
  return calls;
}

}  // namespace

const Win32& RealCalls() {
  static const Win32 calls = Bind();
  return calls;
}

const Win32& Calls() {
  const Win32* replaced = Replaced().load(std::memory_order_acquire);
  return replaced != nullptr ? *replaced : RealCalls();
}

void ReplaceCallsForTest(const Win32* calls) {
  Replaced().store(calls, std::memory_order_release);
}

}  // namespace wclayer::fs
