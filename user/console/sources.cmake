# SPDX-License-Identifier: BSD-2-Clause
#
# The console server without system calls: what the program and the host's tests and fuzzers share.

set(CONSOLE_SOURCES mux.c reset.c keys.c list.c plain.c port.c)
list(TRANSFORM CONSOLE_SOURCES PREPEND user/console/)
list(APPEND CONSOLE_SOURCES lib/ring.c)
