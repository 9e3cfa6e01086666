# Rooms, tests and flags.
#
#   qeff_room(<folder> SOURCES a.c b.c)          one folder of src/, as an object library
#   qeff_test(<name> SOURCES a_test.c ROOMS … LABELS unit)   a cmocka program
#   qeff_fuzz(<name> SOURCE a.c ROOMS … CORPUS folder)       a libFuzzer target, or its replay
#
# A source called <kernel>_<isa>.c is built with the flags of that instruction set.

set(QEFF_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wcast-qual -Wwrite-strings
    -Wpointer-arith -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough)
if(QEFF_WERROR)
  list(APPEND QEFF_WARNINGS -Werror)
endif()

# No contraction: a * b + c must give the same bits from every compiler. Kernels ask for FMA by name.
add_library(qeff_options INTERFACE)
target_compile_options(qeff_options INTERFACE ${QEFF_WARNINGS} -fno-common -fvisibility=hidden
                                              -ffp-contract=off -fstack-protector-strong)
target_compile_options(qeff_options INTERFACE $<$<CONFIG:Release>:-O3>)
target_include_directories(qeff_options INTERFACE ${PROJECT_SOURCE_DIR}/include
                                                  ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(qeff_options INTERFACE QEFF_VERSION="${PROJECT_VERSION}"
                                                  _POSIX_C_SOURCE=200809L)

set(QEFF_ISA_avx2 -mavx2 -mfma -mf16c)
set(QEFF_ISA_avxvnni ${QEFF_ISA_avx2} -mavxvnni)
set(QEFF_ISA_avx512 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl)
set(QEFF_ISA_avx512vnni ${QEFF_ISA_avx512} -mavx512vnni)
set(QEFF_ISA_avx512bf16 ${QEFF_ISA_avx512} -mavx512bf16)

set(QEFF_ROOMS "" CACHE INTERNAL "")

function(qeff_isa_flags)
  foreach(source ${ARGN})
    foreach(isa avx2 avxvnni avx512 avx512vnni avx512bf16)
      if(source MATCHES "_${isa}\\.c$")
        set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${QEFF_ISA_${isa}}")
      endif()
    endforeach()
  endforeach()
endfunction()

function(qeff_room folder)
  cmake_parse_arguments(ROOM "" "" "SOURCES" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  qeff_isa_flags(${ROOM_SOURCES})
  add_library(qeff_room_${name} OBJECT ${ROOM_SOURCES})
  target_link_libraries(qeff_room_${name} PRIVATE qeff_options PkgConfig::JANSSON PkgConfig::CRYPTO
                                                  Threads::Threads)
  target_compile_options(qeff_room_${name} PRIVATE -include ${PROJECT_SOURCE_DIR}/src/base/banned.h)
  set(QEFF_ROOMS ${QEFF_ROOMS} ${name} CACHE INTERNAL "")
endfunction()

function(qeff_link_rooms target)
  foreach(room ${ARGN})
    string(REPLACE "/" "_" room ${room})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:qeff_room_${room}>)
  endforeach()
  target_link_libraries(${target} PRIVATE qeff_options PkgConfig::JANSSON PkgConfig::CRYPTO
                                          Threads::Threads m)
endfunction()

function(qeff_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;ROOMS;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  qeff_link_rooms(${name} ${TEST_ROOMS})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE QEFF_TEST_DATA="${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE cmocka)
  add_test(NAME ${name} COMMAND ${name} ${TEST_ARGS})
  if(NOT TEST_LABELS)
    set(TEST_LABELS unit)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT 600)
endfunction()

function(qeff_fuzz name)
  cmake_parse_arguments(FUZZ "" "SOURCE;CORPUS" "ROOMS" ${ARGN})
  if(QEFF_FUZZ)
    add_executable(fuzz_${name} ${FUZZ_SOURCE})
    qeff_link_rooms(fuzz_${name} ${FUZZ_ROOMS})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  endif()
  if(QEFF_TESTS)
    add_executable(replay_${name} ${FUZZ_SOURCE} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    qeff_link_rooms(replay_${name} ${FUZZ_ROOMS})
    add_test(NAME fuzz.${name} COMMAND replay_${name} ${FUZZ_CORPUS})
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 300)
  endif()
endfunction()
