# SPDX-License-Identifier: BSD-2-Clause
#
# What a folder's CMakeLists.txt calls. Source paths are relative to the calling folder or, if no
# such file is there, to the root of the source tree.
#
#   bulkhead_generated_headers(TARGET)
#       TARGET makes headers below build/generated; everything else is built after it
#   bulkhead_kernel_object_library(NAME SRC...)
#       OBJECT library with the kernel's flags
#   bulkhead_kernel_image(NAME OBJECTS LIB... LINKER_SCRIPT FILE [OUTPUT DIR] [FILE NAME]
#                         [LINK_OPTIONS O...])
#       links the object libraries to build/kernel/NAME.elf64 and re-wraps that as the ELF32 that
#       multiboot loaders take, build/kernel/NAME.elf; its segments are checked
#   bulkhead_user_library(NAME SRC...)
#       static library with the user flags
#   bulkhead_user_program(NAME SOURCES SRC... [LIBS LIB...] [OUTPUT DIR] [DEFINITIONS D...]
#                         [LINKER_SCRIPT FILE] [LINK_OPTIONS O...] [DEPENDS FILE...])
#       static ELF64 at 0x400000, segments R, RX and RW: build/user/NAME.elf, its segments checked
#   bulkhead_host_program(NAME SOURCES SRC... [LIBS LIB...] [OUTPUT DIR] [DEFINITIONS D...]
#                         [NO_GENERATED])
#       program for the build machine; NO_GENERATED if it is itself what generates headers

# The GNU one: it can turn an ELF64 into an ELF32.
find_program(BULKHEAD_OBJCOPY NAMES x86_64-linux-gnu-objcopy objcopy REQUIRED)
set(BULKHEAD_CHECK_SEGMENTS "${CMAKE_SOURCE_DIR}/cmake/check-segments")

function(bulkhead_sources RESULT)
    set(found)
    foreach(source IN LISTS ARGN)
        if(NOT IS_ABSOLUTE "${source}" AND NOT source MATCHES "^\\$<"
           AND NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${source}"
           AND EXISTS "${CMAKE_SOURCE_DIR}/${source}")
            set(source "${CMAKE_SOURCE_DIR}/${source}")
        endif()
        list(APPEND found "${source}")
    endforeach()
    set(${RESULT} "${found}" PARENT_SCOPE)
endfunction()

function(bulkhead_generated_headers TARGET)
    add_dependencies(bulkhead_generated ${TARGET})
endfunction()

function(bulkhead_kernel_object_library NAME)
    bulkhead_sources(sources ${ARGN})
    add_library(${NAME} OBJECT ${sources})
    target_link_libraries(${NAME} PRIVATE bulkhead_kernel_flags)
    add_dependencies(${NAME} bulkhead_generated)
endfunction()

function(bulkhead_kernel_image NAME)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "LINKER_SCRIPT;OUTPUT;FILE" "OBJECTS;LINK_OPTIONS")
    if(NOT ARG_OUTPUT)
        set(ARG_OUTPUT "${CMAKE_BINARY_DIR}/kernel")
    endif()
    if(NOT ARG_FILE)
        set(ARG_FILE "${NAME}")
    endif()
    bulkhead_sources(script ${ARG_LINKER_SCRIPT})
    get_filename_component(script "${script}" ABSOLUTE)
    set(objects)
    foreach(library IN LISTS ARG_OBJECTS)
        list(APPEND objects "$<TARGET_OBJECTS:${library}>")
    endforeach()
    add_executable(${NAME} ${objects})
    set_target_properties(${NAME} PROPERTIES
        LINKER_LANGUAGE C OUTPUT_NAME "${ARG_FILE}.elf64"
        RUNTIME_OUTPUT_DIRECTORY "${ARG_OUTPUT}" LINK_DEPENDS "${script}")
    target_link_options(${NAME} PRIVATE
        -nostdlib -static -T "${script}"
        -Wl,--fatal-warnings,--orphan-handling=error,-z,max-page-size=4096,--build-id=none
        -Wl,-z,noexecstack,-Map=${ARG_OUTPUT}/${ARG_FILE}.map ${ARG_LINK_OPTIONS})
    add_custom_command(TARGET ${NAME} POST_BUILD
        COMMAND "${BULKHEAD_CHECK_SEGMENTS}" kernel "${ARG_OUTPUT}/${ARG_FILE}.elf64"
        COMMAND "${BULKHEAD_OBJCOPY}" --strip-debug -O elf32-i386
                "${ARG_OUTPUT}/${ARG_FILE}.elf64" "${ARG_OUTPUT}/${ARG_FILE}.elf"
        BYPRODUCTS "${ARG_OUTPUT}/${ARG_FILE}.elf" "${ARG_OUTPUT}/${ARG_FILE}.map"
        COMMENT "Checking and re-wrapping ${ARG_FILE}" VERBATIM)
endfunction()

function(bulkhead_user_library NAME)
    bulkhead_sources(sources ${ARGN})
    add_library(${NAME} STATIC ${sources})
    target_link_libraries(${NAME} PUBLIC bulkhead_user_flags)
    add_dependencies(${NAME} bulkhead_generated)
endfunction()

function(bulkhead_user_program NAME)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "OUTPUT;LINKER_SCRIPT"
        "SOURCES;LIBS;DEFINITIONS;LINK_OPTIONS;DEPENDS")
    if(NOT ARG_LINKER_SCRIPT)
        set(ARG_LINKER_SCRIPT "${CMAKE_SOURCE_DIR}/cmake/user-program.ld")
    endif()
    bulkhead_sources(ARG_LINKER_SCRIPT ${ARG_LINKER_SCRIPT})
    get_filename_component(ARG_LINKER_SCRIPT "${ARG_LINKER_SCRIPT}" ABSOLUTE)
    if(NOT ARG_OUTPUT)
        set(ARG_OUTPUT "${CMAKE_BINARY_DIR}/user")
    endif()
    bulkhead_sources(sources ${ARG_SOURCES})
    add_executable(${NAME} ${sources})
    set_target_properties(${NAME} PROPERTIES
        LINKER_LANGUAGE C OUTPUT_NAME "${NAME}.elf" RUNTIME_OUTPUT_DIRECTORY "${ARG_OUTPUT}"
        LINK_DEPENDS "${ARG_LINKER_SCRIPT};${ARG_DEPENDS}")
    target_compile_definitions(${NAME} PRIVATE ${ARG_DEFINITIONS})
    target_link_libraries(${NAME} PRIVATE bulkhead_user_flags)
    if(ARG_LIBS)
        # In a group, because the compiler may call memcpy from any of them.
        list(JOIN ARG_LIBS "," libraries)
        target_link_libraries(${NAME} PRIVATE "$<LINK_GROUP:RESCAN,${libraries}>")
    endif()
    target_link_options(${NAME} PRIVATE
        -nostdlib -static -T "${ARG_LINKER_SCRIPT}"
        -Wl,--fatal-warnings,--build-id=none,-u,_start
        -Wl,-z,max-page-size=4096,-z,noexecstack,-z,norelro ${ARG_LINK_OPTIONS})
    add_dependencies(${NAME} bulkhead_generated)
    add_custom_command(TARGET ${NAME} POST_BUILD
        COMMAND "${BULKHEAD_CHECK_SEGMENTS}" user "$<TARGET_FILE:${NAME}>" VERBATIM)
endfunction()

function(bulkhead_host_program NAME)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "NO_GENERATED" "OUTPUT" "SOURCES;LIBS;DEFINITIONS")
    bulkhead_sources(sources ${ARG_SOURCES})
    add_executable(${NAME} ${sources})
    if(ARG_OUTPUT)
        set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${ARG_OUTPUT}")
    endif()
    target_compile_definitions(${NAME} PRIVATE ${ARG_DEFINITIONS})
    target_link_libraries(${NAME} PRIVATE bulkhead_host_flags ${ARG_LIBS})
    if(BULKHEAD_SANITIZE_HOST)
        target_link_libraries(${NAME} PRIVATE bulkhead_sanitizers)
    endif()
    if(NOT ARG_NO_GENERATED AND NOT NAME STREQUAL "abigen")
        add_dependencies(${NAME} bulkhead_generated)
    endif()
endfunction()
