// GCC has no __try for x64. What __try compiles to is a table beside the function, which says where
// the guarded instructions are and where to go on; so this one function is written with its table
// by hand. A vectored handler would not do: it sees exceptions before the handlers that
// vmcompute.dll has for its own (its remote calls raise them as a matter of course).
#include "vmcompute/guarded_call.h"

#include <windows.h>

#include <cstddef>

namespace wclayer::vmcompute {

#if defined(__x86_64__)

extern "C" void WclayerGuardedCall(void (*function)(void*), void* context, std::uint32_t* code);

// Where the function below keeps the code, from where its stack pointer is.
constexpr std::size_t kCodeAt = 32;

extern "C" LONG WclayerGuardFilter(EXCEPTION_POINTERS* raised, void* frame) {
  const std::uint32_t code = raised->ExceptionRecord->ExceptionCode;
  *reinterpret_cast<std::uint32_t*>(static_cast<char*>(frame) + kCodeAt) = code;
  return 1;  // EXCEPTION_EXECUTE_HANDLER
}

// rcx: function, rdx: context, r8: code. The system's own handler for C (__C_specific_handler) is
// told by the table: an exception between begin and end that no inner frame handles is shown to the
// filter and goes on at `caught`, with rbx and the stack as they were.
asm(R"(
  .text
  .globl WclayerGuardedCall
  .def WclayerGuardedCall; .scl 2; .type 32; .endef
  .seh_proc WclayerGuardedCall
WclayerGuardedCall:
  pushq %rbx
  .seh_pushreg %rbx
  subq $48, %rsp
  .seh_stackalloc 48
  .seh_endprologue
  movq %r8, %rbx
  movq %rcx, %rax
  movq %rdx, %rcx
.Lwclayer_guarded_begin:
  call *%rax
  nop
.Lwclayer_guarded_end:
  movl $0, (%rbx)
.Lwclayer_guarded_leave:
  addq $48, %rsp
  popq %rbx
  ret
.Lwclayer_guarded_caught:
  movl 32(%rsp), %eax
  movl %eax, (%rbx)
  jmp .Lwclayer_guarded_leave
  .seh_handler __C_specific_handler, @except
  .seh_handlerdata
  .long 1
  .rva .Lwclayer_guarded_begin, .Lwclayer_guarded_end
  .rva WclayerGuardFilter, .Lwclayer_guarded_caught
  .text
  .seh_endproc
)");

std::uint32_t GuardedCall(void (*function)(void*), void* context) {
  std::uint32_t code = 0;
  WclayerGuardedCall(function, context, &code);
  return code;
}

#else

std::uint32_t GuardedCall(void (*function)(void*), void* context) {
  function(context);
  return 0;
}

#endif

void StayLoaded() {
  HMODULE self = nullptr;
  ::GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                       reinterpret_cast<LPCWSTR>(reinterpret_cast<void (*)()>(&StayLoaded)), &self);
}

}  // namespace wclayer::vmcompute
