# The static third-party archives, as imported targets. Debian ships position-independent archives of
# zstd and libdeflate; ISA-L is shared only there, so ./build makes it from Debian's source package. For
# another system than the host it makes all of them (cmake/deps/cross.sh), and xxHash's header lies beside them.
find_package(Threads REQUIRED)

add_library(wclayer::isal STATIC IMPORTED)
set_target_properties(wclayer::isal PROPERTIES
  IMPORTED_LOCATION "${WCLAYER_DEPS}/libisal.a"
  INTERFACE_INCLUDE_DIRECTORIES "${WCLAYER_DEPS}/include")

function(wclayer_archive target file)
  add_library(${target} STATIC IMPORTED)
  if(CMAKE_CROSSCOMPILING)
    set_target_properties(${target} PROPERTIES
      IMPORTED_LOCATION "${WCLAYER_DEPS}/${file}"
      INTERFACE_INCLUDE_DIRECTORIES "${WCLAYER_DEPS}/include")
  else()
    find_library(${file}_ARCHIVE NAMES ${file} REQUIRED)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION "${${file}_ARCHIVE}")
  endif()
endfunction()
wclayer_archive(wclayer::zstd libzstd.a)
wclayer_archive(wclayer::deflate libdeflate.a)
