/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other programs that the tool calls, found by PATH; they are waited for.
 */
#ifndef TOOLS_BULKHEAD_PROCESS_H
#define TOOLS_BULKHEAD_PROCESS_H

/*
 * What the program says is appended to the file `log`; null: it goes where the tool's own words go.
 * Returns null, or what went wrong.
 */
const char *process_run(char *const *arguments, const char *log);

#endif
