# SPDX-License-Identifier: BSD-2-Clause
#
# The driver without the controller's registers (registers.c), for the program and the host's tests.

set(SATASERVER_DRIVER_SOURCES ata.c hba.c port.c recovery.c window.c fair.c)
list(TRANSFORM SATASERVER_DRIVER_SOURCES PREPEND user/sataserver/)
