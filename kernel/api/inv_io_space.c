/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods for I/O spaces and I/O page tables. There is no IOMMU driver yet: nothing can be mapped.
 */
#include "kernel/api/request.h"

enum status invoke_page_map_io(struct request *request)
{
    return error_code(request, seL4_IllegalOperation);
}

enum status invoke_io_page_table_map(struct request *request)
{
    return error_code(request, seL4_IllegalOperation);
}

enum status invoke_io_page_table_unmap(struct request *request)
{
    return error_code(request, seL4_IllegalOperation);
}
