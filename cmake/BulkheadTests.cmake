# SPDX-License-Identifier: BSD-2-Clause
#
# Tests and fuzzers. All tests are registered with ctest; its labels are
#
#   unit    host tests under sanitizers        kernel  initial tasks that test the kernel, in QEMU
#   fuzz    short, seeded fuzz runs            system  whole systems with guests, in QEMU
#   lint    the sources themselves             model   protocols between cores, searched by Spin
#   bench   figures under -icount (`./bulkhead bench`)
#
#   bulkhead_host_test(NAME SOURCES SRC... [LIBS LIB...] [DEFINITIONS D...] [OPTIONS O...]
#                      [ARGS A...] [TIMEOUT S] [THREADS])
#       cmocka test, built with address and undefined-behaviour sanitizers; THREADS: with the
#       thread sanitizer in their place
#   bulkhead_fuzz(NAME SOURCES SRC... [DEFINITIONS D...] [OPTIONS O...] [LIBS LIB...] [RUNS N]
#                 [MAX_LEN N] [CORPUS DIR])
#       libFuzzer target, built with clang whatever compiles the rest; LIBS are names for -l;
#       a run of N inputs from a fixed seed is a test; docs/debugging.md says how to run it for long
#   bulkhead_test(NAME LABEL L COMMAND C... [TIMEOUT S] [COST N] [SERIAL]
#                 [ENVIRONMENT V=X...])
#       any other test; exit status 77 means skipped; SERIAL: not beside other tests

set(BULKHEAD_SKIPPED 77)
find_program(BULKHEAD_CLANG NAMES clang-14 clang)

function(bulkhead_host_test NAME)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "THREADS" "TIMEOUT"
        "SOURCES;LIBS;DEFINITIONS;OPTIONS;ARGS")
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 300)
    endif()
    bulkhead_sources(sources ${ARG_SOURCES})
    add_executable(${NAME} ${sources})
    set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/unit")
    target_compile_definitions(${NAME} PRIVATE ${ARG_DEFINITIONS})
    target_compile_options(${NAME} PRIVATE ${ARG_OPTIONS})
    if(ARG_THREADS)
        set(sanitizers bulkhead_thread_sanitizer)
    else()
        set(sanitizers bulkhead_sanitizers)
    endif()
    target_link_libraries(${NAME} PRIVATE bulkhead_host_flags ${sanitizers} ${ARG_LIBS} cmocka)
    if(BULKHEAD_COVERAGE)
        target_compile_options(${NAME} PRIVATE --coverage)
        target_link_options(${NAME} PRIVATE --coverage)
    endif()
    add_dependencies(${NAME} bulkhead_generated)
    add_test(NAME unit/${NAME} COMMAND ${NAME} ${ARG_ARGS})
    set_tests_properties(unit/${NAME} PROPERTIES LABELS unit TIMEOUT ${ARG_TIMEOUT}
        ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1;ASAN_OPTIONS=detect_leaks=1")
endfunction()

function(bulkhead_fuzz NAME)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "RUNS;CORPUS;MAX_LEN"
        "SOURCES;DEFINITIONS;OPTIONS;LIBS")
    if(NOT ARG_RUNS)
        set(ARG_RUNS 20000)
    endif()
    if(NOT ARG_MAX_LEN)
        set(ARG_MAX_LEN 4096)
    endif()
    if(NOT BULKHEAD_CLANG)
        message(WARNING "${NAME}: no clang, so no fuzzing")
        return()
    endif()
    set(flags -g ${BULKHEAD_HOST_OPTIONS} -fsanitize=fuzzer,address,undefined
        -fno-sanitize-recover=all -DBULKHEAD_HOST=1)
    foreach(include IN LISTS BULKHEAD_INCLUDES)
        list(APPEND flags "-I${include}")
    endforeach()
    foreach(definition IN LISTS BULKHEAD_DEFINITIONS ARG_DEFINITIONS)
        list(APPEND flags "-D${definition}")
    endforeach()
    set(folder "${CMAKE_BINARY_DIR}/fuzz")
    bulkhead_sources(sources ${ARG_SOURCES})
    set(objects)
    foreach(source IN LISTS sources)
        get_filename_component(source "${source}" ABSOLUTE)
        file(RELATIVE_PATH name "${CMAKE_SOURCE_DIR}" "${source}")
        string(REPLACE "/" "_" name "${name}")
        set(object "${folder}/${NAME}.dir/${name}.o")
        list(APPEND objects "${object}")
        add_custom_command(OUTPUT "${object}"
            COMMAND "${CMAKE_COMMAND}" -E make_directory "${folder}/${NAME}.dir"
            COMMAND "${BULKHEAD_CLANG}" ${flags} ${ARG_OPTIONS} -MMD -MT "${object}"
                    -MF "${object}.d" -c "${source}" -o "${object}"
            DEPENDS "${source}" bulkhead_generated DEPFILE "${object}.d"
            COMMENT "Compiling ${NAME}: ${name}" VERBATIM)
    endforeach()
    list(TRANSFORM ARG_LIBS PREPEND -l OUTPUT_VARIABLE libraries)
    add_custom_command(OUTPUT "${folder}/${NAME}"
        COMMAND "${BULKHEAD_CLANG}" -fsanitize=fuzzer,address,undefined ${objects}
                -o "${folder}/${NAME}" ${libraries}
        COMMAND "${CMAKE_COMMAND}" -E make_directory "${folder}/${NAME}.corpus"
        DEPENDS ${objects} COMMENT "Linking ${NAME}" VERBATIM)
    add_custom_target(${NAME} ALL DEPENDS "${folder}/${NAME}")
    # As seed inputs, not as a corpus folder, which a run would add to.
    set(seeds)
    if(ARG_CORPUS)
        get_filename_component(corpus "${ARG_CORPUS}" ABSOLUTE)
        file(GLOB inputs CONFIGURE_DEPENDS "${corpus}/*")
        list(JOIN inputs "," inputs)
        set(seeds "-seed_inputs=${inputs}")
    endif()
    add_test(NAME fuzz/${NAME}
        COMMAND "${folder}/${NAME}" -seed=1 -runs=${ARG_RUNS} -max_len=${ARG_MAX_LEN}
                -print_final_stats=1 "-artifact_prefix=${folder}/${NAME}." ${seeds})
    set_tests_properties(fuzz/${NAME} PROPERTIES LABELS fuzz TIMEOUT 600)
endfunction()

function(bulkhead_test NAME)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "SERIAL" "LABEL;TIMEOUT;COST" "COMMAND;ENVIRONMENT")
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 900)
    endif()
    add_test(NAME ${ARG_LABEL}/${NAME} COMMAND ${ARG_COMMAND}
             WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${ARG_LABEL}/${NAME} PROPERTIES
        LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE ${BULKHEAD_SKIPPED})
    if(ARG_COST)
        set_tests_properties(${ARG_LABEL}/${NAME} PROPERTIES COST ${ARG_COST})
    endif()
    if(ARG_SERIAL)
        set_tests_properties(${ARG_LABEL}/${NAME} PROPERTIES RUN_SERIAL TRUE)
    endif()
    if(ARG_ENVIRONMENT)
        set_tests_properties(${ARG_LABEL}/${NAME} PROPERTIES ENVIRONMENT "${ARG_ENVIRONMENT}")
    endif()
endfunction()
