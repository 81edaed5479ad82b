# SPDX-License-Identifier: BSD-2-Clause
#
# The server without the controller's registers (registers.c) and without system calls (main.c), for
# the program and the host's tests.

set(SATASERVER_DRIVER_SOURCES ata.c hba.c port.c recovery.c)
set(SATASERVER_SERVICE_SOURCES window.c fair.c limit.c table.c service.c reset.c assign.c client.c)
list(TRANSFORM SATASERVER_DRIVER_SOURCES PREPEND user/sataserver/)
list(TRANSFORM SATASERVER_SERVICE_SOURCES PREPEND user/sataserver/)
