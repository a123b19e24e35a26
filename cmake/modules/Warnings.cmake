# Every line we compile is clean under these; third-party headers are included as SYSTEM.
function(wclayer_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # What GCC 12 guesses from inlined standard library code at -O3 is wrong: overlaps in string
    # concatenation (GCC bug 105651), overflows in vector::insert (bug 105329). ASan looks for the real ones.
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
    if(CMAKE_UNITY_BUILD)
      # It takes what a unity file includes for headers, and a class there for one that other files have as well.
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
    endif()
  endif()
endfunction()
