# The library that Java loads, libwclayer.so or wclayer.dll: the whole core behind the JNI entry points,
# static but for libc or Windows' own DLLs, exporting only JNI_OnLoad and JNI_OnUnload.
#
# Only JNI's headers are needed, from JAVA_HOME or Debian's JDK 17. What Windows has instead of a Linux
# JDK's jni_md.h is ours.
file(GLOB jdks /usr/lib/jvm/java-17-openjdk-*)
find_path(JNI_INCLUDE jni.h HINTS "$ENV{JAVA_HOME}/include" PATHS ${jdks} PATH_SUFFIXES include REQUIRED
  NO_CMAKE_FIND_ROOT_PATH)
if(WIN32)
  set(JNI_INCLUDE_DIRS "${CMAKE_CURRENT_SOURCE_DIR}/src/jni/windows" "${JNI_INCLUDE}")
else()
  set(JNI_INCLUDE_DIRS "${JNI_INCLUDE}" "${JNI_INCLUDE}/linux")
endif()
file(GLOB jni_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/jni/*.cc")
wclayer_platform_files(jni_sources)
add_library(wclayer SHARED ${jni_sources})
target_include_directories(wclayer PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
target_include_directories(wclayer SYSTEM PRIVATE ${JNI_INCLUDE_DIRS})
target_link_libraries(wclayer PRIVATE driver portable)
wclayer_exports(wclayer "${CMAKE_CURRENT_SOURCE_DIR}/src/jni/exports")
wclayer_warnings(wclayer)
install(TARGETS wclayer
  LIBRARY DESTINATION ${WCLAYER_PLATFORM} COMPONENT jni
  RUNTIME DESTINATION ${WCLAYER_PLATFORM} COMPONENT jni)
