# vmcompute.dll: the portable store under Microsoft's names, for programs that speak that ABI. It is never part
# of the jar: on a real Windows it would stand in the place of Microsoft's.
add_library(vmcompute_dll SHARED "${CMAKE_CURRENT_SOURCE_DIR}/src/vmcompute/portable/exports.cc")
set_target_properties(vmcompute_dll PROPERTIES OUTPUT_NAME vmcompute)
target_link_libraries(vmcompute_dll PRIVATE portable ole32)
wclayer_exports(vmcompute_dll "${CMAKE_CURRENT_SOURCE_DIR}/src/vmcompute/portable/exports")
wclayer_warnings(vmcompute_dll)
install(TARGETS vmcompute_dll RUNTIME DESTINATION ${WCLAYER_PLATFORM} COMPONENT vmcompute)

# Programs find it where they look for Microsoft's: in the system directory of the Wine prefix.
if(WCLAYER_TESTS)
  add_test(NAME vmcompute/install
    COMMAND sh -c "cp '$<TARGET_FILE:vmcompute_dll>' \"$WINEPREFIX/drive_c/windows/system32/\"")
  set_tests_properties(vmcompute/install PROPERTIES FIXTURES_SETUP vmcompute_dll)
endif()

# The driver's tests of a table with Microsoft's entries alone, or without the streaming ones, once more through the
# DLL itself; and those of a driver that calls it as it calls Microsoft's. But for those that Wine cannot show
# (test/driver/not-under-wine), and that look at what the portable store makes of it without the DLL.
if(WCLAYER_TESTS)
  gtest_discover_tests(driver_test DISCOVERY_MODE PRE_TEST TEST_PREFIX "driver-dll/" TEST_LIST driver_dll_tests
    TEST_FILTER "BareTable.*:SystemTable.*:FolderTable.*-FolderTable.ARebuiltTar*:FolderTable.ALayerOfThe*:FolderTable.LinksOfOne*"
    PROPERTIES TIMEOUT 300 FIXTURES_REQUIRED vmcompute_dll ENVIRONMENT WCLAYER_TEST_BACKEND=system)
endif()
