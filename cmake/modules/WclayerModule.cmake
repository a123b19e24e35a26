# Which files of a folder are for the system that is built for.
function(wclayer_platform_files files)
  if(WIN32)
    list(FILTER ${files} EXCLUDE REGEX "_posix(_test)?\\.cc$")
  else()
    list(FILTER ${files} EXCLUDE REGEX "(_|/)windows(_test)?\\.cc$")
  endif()
  list(FILTER ${files} EXCLUDE REGEX "/exports\\.cc$")  # of a DLL, not of a module
  set(${files} ${${files}} PARENT_SCOPE)
endfunction()

# wclayer_left_out(FILE RESULT): a gtest filter without the tests that FILE names, one a line before its reason.
function(wclayer_left_out file result)
  set(filter "")
  if(WIN32 AND EXISTS "${file}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(STRINGS "${file}" lines REGEX "^[A-Za-z*]")
    foreach(line ${lines})
      string(REGEX MATCH "^[^ ]+" name "${line}")
      list(APPEND names "${name}")
    endforeach()
    list(JOIN names ":" filter)
    set(filter TEST_FILTER "-${filter}")
  endif()
  set(${result} ${filter} PARENT_SCOPE)
endfunction()

# Compiling the tests is most of what a build takes: they are not optimised, have no debug information (a failure names its
# line), read the large headers but once, and leave it to what they test to be looked at for undefined behaviour.
function(wclayer_test_program test)
  target_include_directories(${test} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/test")
  target_compile_definitions(${test} PRIVATE WCLAYER_FIXTURES="${CMAKE_CURRENT_SOURCE_DIR}/test/fixtures")
  wclayer_warnings(${test})
  target_compile_options(${test} PRIVATE -O0 -g0)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=address,undefined")
    target_compile_options(${test} PRIVATE -fno-sanitize=undefined)
  endif()
  get_property(first GLOBAL PROPERTY WCLAYER_FIRST_TEST)
  if(first)
    target_precompile_headers(${test} REUSE_FROM ${first})
  else()
    target_precompile_headers(${test} PRIVATE <gtest/gtest.h> <algorithm> <filesystem> <fstream> <functional> <map>
      <memory> <optional> <random> <string> <thread> <vector>)
    set_property(GLOBAL PROPERTY WCLAYER_FIRST_TEST ${test})
  endif()
endfunction()

# wclayer_module(NAME [FOLDER dir] [DEPENDS modules…] [LIBRARIES targets…] [TEST_DEPENDS modules…]
#                [TEST_FIXTURES ctest fixtures…])
#
# Makes the static library NAME from src/<folder>/*.cc, its test program from test/<name>/*.cc, and
# its fuzz targets from fuzz/<name>_<parser>/target.cc. A module's headers are reached as "<name>/x.h"
# and only by modules that name it in DEPENDS: each module has an include root of its own, which holds
# nothing but a link to that module's folder. A wrong dependency therefore does not compile.
#
# x_posix.cc and x_windows.cc are for these systems alone, x_posix_test.cc and x_windows_test.cc too. What
# the Windows tests cannot show under Wine stands, with the reason, in test/<name>/not-under-wine.
function(wclayer_module name)
  cmake_parse_arguments(M "" "FOLDER" "DEPENDS;LIBRARIES;TEST_DEPENDS;TEST_FIXTURES" ${ARGN})
  if(NOT M_FOLDER)
    set(M_FOLDER ${name})
  endif()
  set(source "${CMAKE_CURRENT_SOURCE_DIR}/src/${M_FOLDER}")
  set(root "${CMAKE_CURRENT_BINARY_DIR}/include/${name}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "${source}" "${root}/${name}" SYMBOLIC)

  file(GLOB sources CONFIGURE_DEPENDS "${source}/*.cc")
  wclayer_platform_files(sources)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC "${root}")
    target_link_libraries(${name} PUBLIC ${M_DEPENDS} PRIVATE ${M_LIBRARIES})
    wclayer_warnings(${name})
    set(use PUBLIC)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE "${root}")
    target_link_libraries(${name} INTERFACE ${M_DEPENDS} ${M_LIBRARIES})
    set(use INTERFACE)
  endif()
  if(name STREQUAL "driver")  # the core's public C++ API is the driver's
    target_include_directories(${name} ${use} "${CMAKE_CURRENT_SOURCE_DIR}/include")
  endif()

  if(WCLAYER_TESTS)
    file(GLOB tests CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/test/${name}/*.cc")
    wclayer_platform_files(tests)
    wclayer_left_out("${CMAKE_CURRENT_SOURCE_DIR}/test/${name}/not-under-wine" left_out)
    if(tests)
      add_executable(${name}_test ${tests})
      target_link_libraries(${name}_test PRIVATE ${name} ${M_TEST_DEPENDS} ${M_LIBRARIES} GTest::gtest_main)
      wclayer_test_program(${name}_test)
      set(timeout 300)
      if(WIN32)
        set(timeout 900)  # a call on a file costs Wine ten of Linux'
      endif()
      gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}/"
        ${left_out} PROPERTIES TIMEOUT ${timeout} FIXTURES_REQUIRED "${M_TEST_FIXTURES}")
    endif()
  endif()
  if(WCLAYER_FUZZ)
    file(GLOB targets CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}_*/target.cc")
    foreach(target ${targets})
      get_filename_component(folder "${target}" DIRECTORY)
      get_filename_component(fuzzer "${folder}" NAME)
      add_executable(fuzz_${fuzzer} "${target}")
      target_link_libraries(fuzz_${fuzzer} PRIVATE ${name} ${M_TEST_DEPENDS})
      target_link_options(fuzz_${fuzzer} PRIVATE -fsanitize=fuzzer)
      wclayer_warnings(fuzz_${fuzzer})
    endforeach()
  endif()
endfunction()
