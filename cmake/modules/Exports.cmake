# wclayer_exports(TARGET FILE): a shared library that exports what FILE.map (Linux) or FILE.def (Windows)
# names and nothing else, whatever the archives in it mark for export, and that brings libgcc and
# libstdc++ with it.
function(wclayer_exports target file)
  target_link_options(${target} PRIVATE -static-libgcc -static-libstdc++)
  if(WIN32)
    target_sources(${target} PRIVATE "${file}.def")
    set_target_properties(${target} PROPERTIES PREFIX "" LINK_DEPENDS "${file}.def")
    if(WCLAYER_TESTS)
      add_test(NAME binaries/${target}
        COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/test/binaries/check-dll" "${CMAKE_OBJDUMP}" "$<TARGET_FILE:${target}>" "${file}.def")
    endif()
  else()
    target_link_options(${target} PRIVATE
      "-Wl,--version-script=${file}.map" -Wl,-z,defs,-z,now,-z,noexecstack)
    set_target_properties(${target} PROPERTIES LINK_DEPENDS "${file}.map")
    if(WCLAYER_TESTS AND NOT CMAKE_CXX_FLAGS MATCHES "fsanitize")
      add_test(NAME binaries/${target}
        COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/test/binaries/check-so" "${CMAKE_OBJDUMP}" "$<TARGET_FILE:${target}>" "${file}.map" 2.36)
    endif()
  endif()
endfunction()
