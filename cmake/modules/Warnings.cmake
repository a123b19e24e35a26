# Every line we compile is clean under these; third-party headers are included as SYSTEM.
function(wclayer_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow -Werror)
endfunction()
