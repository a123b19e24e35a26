# libwclayer.so: the whole core behind the JNI entry points, static but for libc, exporting only
# JNI_OnLoad and JNI_OnUnload.
#
# Only JNI's headers are needed, from JAVA_HOME or Debian's JDK 17.
file(GLOB jdks /usr/lib/jvm/java-17-openjdk-*)
find_path(JNI_INCLUDE jni.h HINTS "$ENV{JAVA_HOME}/include" PATHS ${jdks} PATH_SUFFIXES include REQUIRED)
set(JNI_INCLUDE_DIRS "${JNI_INCLUDE}" "${JNI_INCLUDE}/linux")
file(GLOB jni_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/jni/*.cc")
if(jni_sources)
  add_library(wclayer SHARED ${jni_sources})
  target_include_directories(wclayer PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
  target_include_directories(wclayer SYSTEM PRIVATE ${JNI_INCLUDE_DIRS})
  target_link_libraries(wclayer PRIVATE driver portable)
  target_link_options(wclayer PRIVATE
    "-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/src/jni/exports.map" -Wl,-z,defs,-z,now,-z,noexecstack
    -static-libgcc -static-libstdc++)
  set_target_properties(wclayer PROPERTIES LINK_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/jni/exports.map")
  wclayer_warnings(wclayer)
  install(TARGETS wclayer LIBRARY DESTINATION linux-x86_64 COMPONENT jni)
endif()
