# SPDX-License-Identifier: BSD-2-Clause

# Without system calls: also compiled for the host's tests.
set(SUPERVISOR_SOURCES user/supervisor/life.c user/supervisor/messages.c)
