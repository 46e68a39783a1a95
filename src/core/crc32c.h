/* CRC-32C (Castagnoli; RFC 3720 appendix B.4), the checksum of cloud storage. Pure; any thread. */
#ifndef WEIR_CORE_CRC32C_H
#define WEIR_CORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of some bytes followed by these; of no bytes it is 0. */
uint32_t crc32c_add(uint32_t crc, const void *data, size_t size);
/* The same without ISA-L. */
uint32_t crc32c_add_by_table(uint32_t crc, const void *data, size_t size);

#endif
