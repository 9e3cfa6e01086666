# Installation: headers, libraries, the program, and what lets others find them.
#
# Nothing that is installed holds an absolute path, so the installed tree may be moved as a whole.
# The CMake package is written by hand: the exported form of the static library would name the
# object libraries it was put together from.

include(CMakePackageConfigHelpers)

set(QEFF_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/qeff)
set(QEFF_PKGCONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# From the folder of qeff.pc up to the prefix.
file(RELATIVE_PATH QEFF_PKGCONFIG_TO_PREFIX "/${QEFF_PKGCONFIG_DIR}" "/")
string(REGEX REPLACE "/$" "" QEFF_PKGCONFIG_TO_PREFIX "${QEFF_PKGCONFIG_TO_PREFIX}")

configure_file(cmake/qeff.pc.in qeff.pc @ONLY)
configure_package_config_file(cmake/qeffConfig.cmake.in qeffConfig.cmake
                              INSTALL_DESTINATION ${QEFF_PACKAGE_DIR}
                              PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(qeffConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(DIRECTORY include/qeff DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS qeff_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET qeff)
  install(TARGETS qeff LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET qeff_cli)
  install(TARGETS qeff_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/qeff.pc DESTINATION ${QEFF_PKGCONFIG_DIR})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/qeffConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/qeffConfigVersion.cmake DESTINATION ${QEFF_PACKAGE_DIR})
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
