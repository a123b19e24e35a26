# vmcompute.dll: the portable store under Microsoft's names, for programs that speak that ABI. It is never part
# of the jar: on a real Windows it would stand in the place of Microsoft's.
add_library(vmcompute_dll SHARED "${CMAKE_CURRENT_SOURCE_DIR}/src/vmcompute/portable/exports.cc")
set_target_properties(vmcompute_dll PROPERTIES OUTPUT_NAME vmcompute)
target_link_libraries(vmcompute_dll PRIVATE portable ole32)
wclayer_exports(vmcompute_dll "${CMAKE_CURRENT_SOURCE_DIR}/src/vmcompute/portable/exports")
wclayer_warnings(vmcompute_dll)
install(TARGETS vmcompute_dll RUNTIME DESTINATION ${WCLAYER_PLATFORM} COMPONENT vmcompute)
