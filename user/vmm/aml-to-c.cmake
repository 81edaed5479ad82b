# SPDX-License-Identifier: BSD-2-Clause
#
# cmake -DAML=FILE -DOUTPUT=FILE -P aml-to-c.cmake: an ACPI table as a C array's initialiser.

file(READ "${AML}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "((0x..,){16})" "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}" "${bytes}\n")
