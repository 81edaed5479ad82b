/* SPDX-License-Identifier: BSD-2-Clause */
/* Last words of a VM on its console: why it stopped and, after a crash, the registers. */
#ifndef USER_VMM_REPORT_H
#define USER_VMM_REPORT_H

#include "user/vmm/vm.h"

/* One line, "vmm: NAME: ..." and a line break, formatted as in lib/format.h. */
void report_line(struct vm *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The end that vm->stop tells of, seen by the vCPU that met it. */
void report_stop(struct vm *vm, struct vcpu *vcpu);
/* Why the server does not give the VM this disk. */
void report_refused_disk(struct vm *vm, unsigned n);
/* Exit counts by reason. The VM may run: others' counts are those of a moment ago. */
void report_statistics(struct vm *vm);
/* If the console asks for them. With LOCK_SERIAL. */
void report_on_request(struct vm *vm);

#endif
